import { collection } from "../core/records/collection.ts"
import {
  backRelation,
  choice,
  date,
  file,
  integer,
  number,
  rollup,
  text,
} from "../core/records/fields.ts"
import { genres, ratings } from "./choices.ts"

/** Films that the club talks about. Anyone reads, editors write. Gaps are null: the data has many. */
export const films = collection("films", {
  fields: {
    title: text({ required: true, max: 300 }),
    director: text({ max: 200 }),
    genre: choice(genres),
    distributor: text({ max: 200 }),
    mpaaRating: choice(ratings),
    poster: file({ types: ["image/*"], maxBytes: 5_000_000 }),
    releasedOn: date({ min: "1888-01-01" }),
    /** Why `releasedOn` is null although the source gave a date. */
    releasedOnNote: text({ max: 200 }),
    runningMinutes: integer({ min: 1, max: 1_000 }),
    imdbRating: number({ min: 0, max: 10 }),
    imdbVotes: integer({ min: 0 }),
    rottenTomatoesRating: integer({ min: 0, max: 100 }),
    usGross: integer({ min: 0, description: "US dollars" }),
    worldwideGross: integer({ min: 0, description: "US dollars" }),
    productionBudget: integer({ min: 0, description: "US dollars" }),
    reviews: backRelation("reviews", "film"),
    reviewCount: rollup("count", "reviews"),
    averageStars: rollup("avg", "reviews.stars"),
  },
  rules: {
    read: "true",
    create: 'has(@me.roles, "editor")',
    update: 'has(@me.roles, "editor")',
    delete: 'has(@me.roles, "editor")',
  },
  search: ["title", "director", "distributor"],
  // The first page of the catalogue counts all films.
  budget: { rowsRead: 10_000 },
  indexes: [
    "title",
    "releasedOn",
    "-releasedOn",
    "-imdbRating",
    "-averageStars",
    ["genre", "-imdbRating"],
    ["genre", "-releasedOn"],
  ],
})
