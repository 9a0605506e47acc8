import { badAnySession, type DocumentedModule } from "../../platform/operation.ts"
import * as shapes from "./exposure-schema.ts"

export const exposureDocs: DocumentedModule = {
  tag: "exposure",
  description: "Who reaches what, for administrators.",
  operations: [
    {
      method: "get",
      path: "/exposure",
      operationId: "measureExposure",
      summary: "Who reaches what of a collection",
      description:
        "Asks the rules in the name of everybody that they tell apart: strangers, owners, members, each role, administrators, and one person of your choice. Counted over the newest 10,000 records.",
      auth: "administrator",
      query: shapes.exposureQuery,
      responses: { 200: { description: "By persona and action.", schema: shapes.exposureAnswer } },
      problems: ["invalid_input", "not_found", ...badAnySession, "forbidden"],
    },
  ],
  shapes,
}
