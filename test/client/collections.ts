import { collection } from "../../src/core/records/collection.ts"
import {
  backRelation,
  choice,
  integer,
  relation,
  rollup,
  text,
} from "../../src/core/records/fields.ts"

const films = collection("films", {
  fields: {
    title: text({ required: true }),
    director: text(),
    genre: choice(["Drama", "Musical"]),
    reviews: backRelation("reviews", "film"),
    reviewCount: rollup("count", "reviews"),
    averageStars: rollup("avg", "reviews.stars"),
  },
})
const reviews = collection("reviews", {
  fields: {
    film: relation("films", { required: true }),
    author: relation("members", { required: true }),
    stars: integer({ required: true }),
    body: text(),
  },
})

/** What the client's tests speak of. The server is played by `fakeServer`. */
export const collections = [films, reviews] as const
