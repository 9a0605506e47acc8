import { collection } from "../../core/records/collection.ts"
import {
  backRelation,
  boolean,
  date,
  expression,
  integer,
  point,
  relation,
  text,
} from "../../core/records/fields.ts"

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
    remarks: backRelation("remarks", "article"),
  },
  rules: { read: "published = true" },
  indexes: [["category", "-score"], "-score"],
})

/** Filled by `npm run bench` where it counts rows alone: for searches, and for what `expand` brings along. */
export const remarks = collection("remarks", {
  fields: {
    article: relation("articles", { required: true, onDelete: "cascade" }),
    text: text({ required: true, max: 500 }),
  },
  rules: { read: "true" },
  search: ["text"],
})

export const notes = collection("notes", {
  fields: {
    title: text({ required: true, max: 200 }),
    body: text({ max: 1_000 }),
    author: relation("members", { required: true, default: expression("@me.id") }),
  },
  rules: { read: "author = @me.id", create: "author = @me.id" },
})

/** Asked where and when: filled for the figures of rows read alone. */
export const sightings = collection("sightings", {
  fields: {
    seenOn: date({ required: true }),
    location: point({ required: true }),
    animals: integer({ required: true }),
  },
  rules: { read: "true" },
  indexes: ["seenOn"],
  summaries: [{ span: "month(seenOn)", sum: ["animals"] }],
})

export const benchCollections = [articles, remarks, notes, sightings] as const
