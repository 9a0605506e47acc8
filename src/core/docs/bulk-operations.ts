import type { LinkedCollection } from "../records/link.ts"
import type { Parameter } from "./document.ts"
import { answerHeaders } from "./headers.ts"
import { listParameters } from "./list-parameters.ts"
import type { CollectionNames } from "./names.ts"
import type { Reader } from "./reader.ts"
import type { RecordOperation } from "./record-operations.ts"

/** What takes or gives all of a collection at once, for its paths in the document. */
export function bulkOperations(
  reader: Reader,
  collection: LinkedCollection,
  { many }: CollectionNames,
): { readonly export: RecordOperation } {
  return {
    export: {
      id: `export${many}`,
      summary: `Export \`${collection.name}\``,
      description:
        'All records that you may read, as a stream: memory does not limit it, and a stream that cannot be finished breaks off. CSV follows RFC 4180, with a header row and CRLF; null is an empty cell, an empty text is `""`; to-many fields and `json` are JSON. A text that a spreadsheet would take for a formula (it starts with `=`, `+`, `-`, `@`, a tab or a line end) gets a `\'` in front, which an import takes away again. Each page is read by itself, so what changes meanwhile may or may not be seen.',
      actions: ["read"],
      parameters: [
        {
          name: "format",
          in: "query",
          description: "`csv` unless told.",
          schema: { type: "string", enum: ["csv", "ndjson"], default: "csv" },
        },
        ...listParameters(reader, collection).filter(({ name }) =>
          ["filter", "sort", "fields"].includes(name),
        ),
        {
          name: "bom",
          in: "query",
          description: "`true` begins CSV with a byte order mark, by which Excel knows UTF-8.",
          schema: { type: "string", enum: ["true", "false"], default: "false" },
        } satisfies Parameter,
      ],
      answers: {
        200: {
          description: "The records, a line each in NDJSON.",
          headers: answerHeaders("Content-Disposition", "X-Bookmark"),
          content: {
            "text/csv": { schema: { type: "string" } },
            "application/x-ndjson": { schema: { type: "string" } },
          },
        },
      },
      problems: [
        "invalid_input",
        "invalid_expression",
        ...(collection.rules.read === null ? (["not_found"] as const) : []),
      ],
    },
  }
}
