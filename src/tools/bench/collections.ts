import { collection } from "../../core/records/collection.ts"
import { boolean, expression, integer, relation, text } from "../../core/records/fields.ts"

/*
 * The bench's own collections, so that its figures mean the same in every product.
 */

export const articles = collection("articles", {
  fields: {
    title: text({ required: true, max: 200 }),
    summary: text({ max: 1_000 }),
    category: text({ required: true, max: 20 }),
    published: boolean({ required: true, default: false }),
    score: integer({ required: true }),
  },
  rules: { read: "published = true" },
  indexes: [["category", "-score"], "-score"],
})

export const notes = collection("notes", {
  fields: {
    title: text({ required: true, max: 200 }),
    body: text({ max: 1_000 }),
    author: relation("members", { required: true, default: expression("@me.id") }),
  },
  rules: { read: "author = @me.id", create: "author = @me.id" },
})

export const benchCollections = [articles, notes] as const
