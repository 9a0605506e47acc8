import { type AfterCommit, collection } from "../core/records/collection.ts"
import { integer, relation, text } from "../core/records/fields.ts"
import { watchlists } from "./watchlists.ts"

/** What a member may want to know. Only the system writes them; their owner reads and deletes them. */
export const notices = collection("notices", {
  fields: {
    owner: relation("members", { required: true }),
    /** The line of the change log that caused it: makes a second delivery find the first. */
    cause: text({ required: true }),
    film: text({ required: true, description: "Id of a film on the owner's watch list" }),
    stars: integer(),
  },
  rules: { read: "owner = @me.id", delete: "owner = @me.id" },
  unique: [["owner", "cause"]],
})

/** A new review of a film: everyone who has it on a watch list is told. At least once, so it looks before it writes. */
export const tellWatchers: AfterCommit = async (_app, change, { records }) => {
  if (change.kind !== "created") return
  const { film, author, stars } = change.image as { film: string; author: string; stars: number }
  const told = await Array.fromAsync(records.all(notices, { filter: `cause = "${change.id}"` }))
  const known = new Set([author, ...told.map((notice) => notice.owner)])
  for await (const { owner } of records.all(watchlists, { filter: `any(films, id = "${film}")` })) {
    if (known.has(owner)) continue
    known.add(owner)
    await records.create(notices, { owner, cause: change.id, film, stars })
  }
}
