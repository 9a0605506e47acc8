import {
  badAnySession,
  badBody,
  type DocumentedModule,
  jsonBody,
} from "../../platform/operation.ts"
import { batch, batchResults, maxOperations } from "./batch.ts"
import { importReport, refusal } from "./import-report.ts"

/** Writes of many records at once. Those of one collection stand with it (core/docs/record-operations.ts). */
export const bulkDocs: DocumentedModule = {
  tag: "bulk",
  description: "Many records at once.",
  operations: [
    {
      method: "post",
      path: "/batch",
      operationId: "runBatch",
      summary: "Write several records, or none of them",
      description: `At most ${maxOperations} operations, in order, in one transaction: each finds what those before it left behind, under the same rules as if it were sent alone. The first that is refused refuses all, with its position as \`index\`. Repeated under one Idempotency-Key it answers what it answered, under today's rights; what is gone or hidden by then is answered by its id alone.`,
      auth: "either",
      headers: ["Idempotency-Key"],
      body: jsonBody(batch),
      responses: { 200: { description: "All of it is written.", schema: batchResults } },
      problems: [
        ...badBody,
        ...badAnySession,
        "forbidden",
        "not_found",
        "method_not_allowed",
        "conflict",
        "precondition_failed",
        "idempotency_mismatch",
      ],
    },
  ],
  shapes: { batch, batchResults, importReport, refusal },
}
