import { maxUploadBytes } from "../records/bulk-routes.ts"
import { maxChangedDirectly } from "../records/change-many.ts"
import { csvLine } from "../records/csv.ts"
import type { LinkedCollection } from "../records/link.ts"
import { isWritable } from "../records/validators.ts"
import { type Answer, type Parameter, schemaRef } from "./document.ts"
import { answerHeaders, requestHeader } from "./headers.ts"
import { listParameters } from "./list-parameters.ts"
import type { CollectionNames } from "./names.ts"
import { badBody } from "./problem-answers.ts"
import { fieldsKnownTo, type Reader } from "./reader.ts"
import type { RecordOperation } from "./record-operations.ts"

/** What takes or gives all of a collection at once, for its paths in the document. */
export function bulkOperations(
  reader: Reader,
  collection: LinkedCollection,
  { one, many }: CollectionNames,
): Readonly<Record<"export" | "import" | "change" | "remove", RecordOperation>> {
  const filter: Parameter = {
    ...(listParameters(reader, collection).find(({ name }) => name === "filter") as Parameter),
    required: true,
  }
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
    import: {
      id: `import${many}`,
      summary: `Import into \`${collection.name}\``,
      description: `CSV (RFC 4180, UTF-8, with a header row) or NDJSON, read as a stream and written a batch at a time, under the rules of each record. A row that is refused is told with its line and the reason, and does not hold up the others. What an export wrote comes back as it was, under its ids; other fields of the server are passed over. Where a collection has hooks, rules that look at its other records or relations to itself, rows are written in turn, a hundred a batch, and otherwise a thousand. A file that cannot be read on is answered with a problem whose \`report\` says what is imported by then. In the background a file may have ${maxUploadBytes.toLocaleString("en")} bytes, and is sent again safely under its Idempotency-Key.`,
      actions: ["create"],
      parameters: [
        requestHeader("Prefer"),
        requestHeader("Idempotency-Key"),
        {
          name: "upsert",
          in: "query",
          description: `Change the record that has the same ${upsertKeys(reader, collection)}, where there is one that you may see: empty cells empty its fields, but for those that you may not read in it; columns that are not there leave them.`,
          schema: { type: "string" },
          example: "id",
        },
        {
          name: "columns",
          in: "query",
          description:
            "JSON: which column is for which field, where their names differ; null passes a column over.",
          schema: { type: "string" },
          example: '{"Remarks":null}',
        },
        {
          ...choice("atomic"),
          description: "`true` imports all rows or none: then they have to fit into one batch.",
        },
        dryRun,
      ],
      body: {
        schema: { type: "string", examples: [headerOf(reader, collection)] },
        mediaTypes: ["text/csv", "application/x-ndjson"],
      },
      answers: {
        200: {
          description: "What became of the rows.",
          headers: answerHeaders("X-Bookmark"),
          content: { "application/json": { schema: schemaRef("BulkReport") } },
        },
        202: inBackground,
      },
      problems: [...badBody, "forbidden", "not_found", "conflict", "idempotency_mismatch"],
    },
    change: {
      id: `updateAll${many}`,
      summary: `Change all \`${collection.name}\` that a filter finds`,
      description: `The same JSON Merge Patch for each record that you may see, under the rules of each: one that is refused is told with the reason, and does not hold up the others. ${bounds}`,
      actions: ["update"],
      parameters: [requestHeader("Prefer"), filter, dryRun],
      body: {
        schema: `${one}Patch`,
        mediaTypes: ["application/merge-patch+json", "application/json"],
      },
      answers: changed,
      problems: [...badBody, "invalid_expression", "forbidden", "not_found"],
    },
    remove: {
      id: `deleteAll${many}`,
      summary: `Delete all \`${collection.name}\` that a filter finds`,
      description: `Each as if it were deleted alone: one that is refused is told with the reason, and does not hold up the others. ${bounds}`,
      actions: ["delete"],
      parameters: [requestHeader("Prefer"), filter, dryRun],
      answers: changed,
      problems: ["invalid_input", "invalid_expression", "forbidden", "not_found"],
    },
  }
}

/** The first line of a file that names all its columns. */
const headerOf = (reader: Reader, collection: LinkedCollection): string =>
  csvLine(
    fieldsKnownTo(reader, collection)
      .filter(isWritable)
      .map(({ name }) => name),
  )

const inBackground: Answer = {
  description: "It goes on in the background.",
  headers: answerHeaders("Location", "X-Bookmark"),
  content: { "application/json": { schema: schemaRef("BulkOperation") } },
}

const changed: Readonly<Record<number, Answer>> = {
  200: {
    description: "What became of the records.",
    headers: answerHeaders("X-Bookmark"),
    content: { "application/json": { schema: schemaRef("BulkReport") } },
  },
  202: inBackground,
}

const bounds = `A hundred are written at a time, and ${maxChangedDirectly} at most in a request; more go in the background.`

const choice = (name: string) =>
  ({
    name,
    in: "query",
    schema: { type: "string", enum: ["true", "false"], default: "false" },
  }) as const

const dryRun: Parameter = {
  ...choice("dryRun"),
  description:
    "`true` judges all, and writes nothing. Each batch is judged by itself: what one would take from another is not seen.",
}

const upsertKeys = ({ view }: Reader, { uniques, fields }: LinkedCollection): string =>
  [["id"], ...uniques]
    .filter((names) =>
      names.every((name) => {
        const field = fields.get(name)
        return !field || view.fieldRule(field) === true
      }),
    )
    .map((names) => `\`${names.join(",")}\``)
    .join(" or ")
