import { collection } from "../core/records/collection.ts"
import { expression, relation, relations, text } from "../core/records/fields.ts"

/** Films that a person means to watch. Private: to others a watch list does not exist. */
export const watchlists = collection("watchlists", {
  fields: {
    owner: relation("members", { required: true, default: expression("@me.id") }),
    name: text({ required: true, max: 100 }),
    films: relations("films", { max: 500, onDelete: "unlink" }),
  },
  rules: {
    read: "owner = @me.id",
    create: "owner = @me.id",
    update: "owner = @me.id",
    delete: "owner = @me.id",
  },
  unique: [["owner", "name"]],
  administrators: "obey",
})
