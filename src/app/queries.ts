import type { TypicalQuery } from "../core/advisor/question.ts"

const newest = { sort: "-createdAt" }

/** What the page, the routes and the listeners ask, for `npm run advise`. */
export const queries: readonly TypicalQuery[] = [
  // The catalogue: each order, then what people filter by.
  ...["-imdbRating", "-averageStars", "-releasedOn", "releasedOn", "title"].map((sort) => ({
    collection: "films",
    query: { sort, limit: "48", count: "exact" },
  })),
  ...["-imdbRating", "-releasedOn"].map((sort) => ({
    collection: "films",
    query: { filter: 'genre = "Western"', sort, limit: "48" },
  })),
  {
    collection: "films",
    query: { filter: 'mpaaRating = "PG" && imdbRating >= 7', sort: "-imdbRating", limit: "48" },
  },
  { collection: "films", query: { search: "third man", limit: "48" } },
  // A film, and what people think of it.
  {
    collection: "reviews",
    query: { ...newest, filter: 'film = "{films}"', expand: "author", limit: "20" },
    as: "owner",
  },
  {
    collection: "reviews",
    query: { filter: 'film = "{films}" && author = "{members}"', limit: "1" },
    as: "owner",
  },
  { collection: "watchlists", query: { sort: "name", limit: "50", expand: "films" }, as: "owner" },
  // GET /club, the digest and the notices.
  {
    collection: "reviews",
    query: { ...newest, limit: "5", expand: "film,author" },
    as: "owner",
  },
  { collection: "films", query: { filter: "averageStars > 0", sort: "-averageStars", limit: "5" } },
  {
    collection: "reviews",
    query: { ...newest, filter: 'createdAt >= "2026-11-01" && createdAt < "2026-11-08"' },
    as: "system",
  },
  { collection: "notices", query: { filter: 'cause = "{films}"', limit: "200" }, as: "system" },
  {
    collection: "watchlists",
    query: { filter: 'any(films, id = "{films}")', limit: "200" },
    as: "system",
  },
]
