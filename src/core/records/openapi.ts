import {
  badAnySession,
  badBody,
  badSession,
  type DocumentedModule,
  jsonBody,
} from "../../platform/operation.ts"
import { batch, batchResults, maxOperations } from "./batch.ts"
import { bulkOperation, refusalPage } from "./bulk-operation.ts"
import { bulkReport, refusal } from "./bulk-report.ts"
import { refusalsQuery } from "./operation-routes.ts"

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
    {
      method: "get",
      path: "/bulk-operations/{id}",
      operationId: "getBulkOperation",
      summary: "How far something is that takes longer than a request",
      description:
        "Of your own, and for 30 days after its end. It acts by the rights of when you asked for it: when these change before its end, it fails, and what was done stays.",
      auth: "session",
      pathParameters: { id: "Id of the operation." },
      responses: { 200: { description: "The operation.", schema: bulkOperation } },
      problems: [...badSession, "not_found"],
    },
    {
      method: "get",
      path: "/bulk-operations/{id}/refusals",
      operationId: "listBulkRefusals",
      summary: "All that was refused, in the order in which it was found out",
      auth: "session",
      pathParameters: { id: "Id of the operation." },
      query: refusalsQuery,
      responses: {
        200: { description: "A page.", schema: refusalPage, headers: { Link: "`next`" } },
      },
      problems: [...badSession, "not_found", "invalid_input"],
    },
  ],
  shapes: {
    bulkOperation,
    refusalPage,
    batch,
    batchResults,
    bulkReport,
    refusal,
  },
}
