import { badAnySession, type DocumentedModule } from "../../platform/operation.ts"
import * as shapes from "./description-schema.ts"

export const descriptionDocs: DocumentedModule = {
  tag: "collections",
  description: "How the collections are defined, for administrators.",
  operations: [
    {
      method: "get",
      path: "/collections",
      operationId: "listCollections",
      summary: "The collections with their fields, rules and indexes",
      auth: "administrator",
      responses: {
        200: { description: "All of them.", schema: shapes.collectionDescriptionList },
      },
      problems: [...badAnySession, "forbidden"],
    },
  ],
  shapes,
}
