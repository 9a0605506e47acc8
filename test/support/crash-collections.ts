import { collection } from "../../src/core/records/collection.ts"
import { integer, text } from "../../src/core/records/fields.ts"

/** What the listener makes of an errand. Its cause is unique: a second delivery leaves no second one. */
const receipts = collection("receipts", {
  fields: { cause: text({ required: true, unique: true }), errand: text({ required: true }) },
  rules: { read: "true" },
})

/** Anyone may run one; after the commit it gets its receipt. */
const errands = collection("errands", {
  fields: { number: integer({ required: true }) },
  rules: { read: "true", create: "true" },
  async afterCommit(_app, change, { records }) {
    const known = await records.list(receipts, { filter: `cause = "${change.id}"` })
    if (known.items.length > 0) return
    await records.create(receipts, { cause: change.id, errand: change.record })
  },
})

/** For a process that is killed between a commit and what follows it. */
export const crashCollections = [receipts, errands] as const
