import { collection } from "../core/records/collection.ts"
import { expression, integer, markdown, relation } from "../core/records/fields.ts"
import { tellWatchers } from "./notices.ts"

/** What people think of films: one review for each person and film, in the person's own name. */
export const reviews = collection("reviews", {
  fields: {
    /** A film that goes takes its reviews along: only editors delete films. */
    film: relation("films", { required: true, onDelete: "cascade" }),
    author: relation("members", { required: true, default: expression("@me.id") }),
    stars: integer({ required: true, min: 1, max: 5 }),
    body: markdown({ max: 10_000 }),
  },
  rules: {
    read: "true",
    create: "author = @me.id",
    update: "author = @me.id",
    delete: "author = @me.id",
  },
  unique: [["film", "author"]],
  indexes: [["film", "-createdAt"], "-createdAt"],
  search: ["body"],
  beforeWrite: {
    // A body of nothing but white space says nothing: it is stored as none.
    run: ({ input }) =>
      typeof input?.body === "string" ? { set: { body: input.body.trim() || null } } : undefined,
  },
  afterCommit: tellWatchers,
})
