import { collection } from "./collection.ts"
import { integer, json, text } from "./fields.ts"

/**
 * People, as collections see them: the projection of the directory that identity keeps in each database. Ids are the
 * users' ids. Read-only here: identity writes it, with log lines of its own. E-mail addresses never reach it.
 */
export const members = collection("members", {
  fields: {
    name: text({ max: 200 }),
    roles: json({ required: true, readable: "false" }),
    epoch: integer({ required: true, readable: "false" }),
  },
  // Whoever has no account yet sees themselves alone: names are not for strangers.
  rules: { read: "@me.id != null && (@me.kind != 'anonymous' || id = @me.id)" },
  indexes: ["name"],
  // Nobody writes it through the records: a version that the directory did not count would stop the projection.
  administrators: "obey",
})
