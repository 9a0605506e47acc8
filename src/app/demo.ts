import movies from "../../node_modules/vega-datasets/data/movies.json" with { type: "json" }
import { importRecords } from "../core/records/import.ts"
import type { LinkedCollection, LinkedCollections } from "../core/records/link.ts"
import { type App, system } from "../platform/app.ts"
import { sql } from "../platform/sql.ts"
import { type FilmInput, filmsFromMovies, type Movie } from "./demo/movies.ts"

/** Reads that `npm run dev` shows as curl lines. */
export const examples = [
  {
    path: "/records/films",
    query: { sort: "-imdbRating", limit: "3", fields: "title,imdbRating" },
  },
  {
    path: "/records/films",
    query: { filter: 'director ~ "Kubrick" && releasedOn < "1980-01-01"', sort: "releasedOn" },
  },
]

/**
 * Fills the films once: when the collection has never had one, or when an earlier load was cut off.
 * Answers lines for the person who started it; none when there was nothing to do.
 */
export async function loadDemo(app: App, collections: LinkedCollections): Promise<string[]> {
  const { films, corrected, undated, refused } = filmsFromMovies(movies as Movie[])
  const missing = await findMissing(app, films)
  if (missing.length === 0) return []
  const collection = collections.get("films") as LinkedCollection
  const rows = missing.map(({ id, ...input }) => ({ id, input }))
  await importRecords(app, system, collections, collection, rows)
  return [
    `${rows.length} films loaded; ${corrected.length} dates moved back a century, ${undated.length} films without a plausible date, ${refused.length} row refused:`,
    ...refused.map(({ row, reason }) => `  row ${row} of movies.json: ${reason}`),
    ...corrected.map(({ title, from, to }) => `  ${title}: ${from} is ${to}`),
    ...undated.map(({ title, reason }) => `  ${title}: ${reason}`),
  ]
}

/**
 * The films still to be loaded. The log knows: films that are in it were loaded, even if someone has deleted them since,
 * and a log of other films only belongs to people who filled the collection themselves.
 */
async function findMissing(app: App, films: readonly FilmInput[]): Promise<readonly FilmInput[]> {
  const ids = JSON.stringify(films.map(({ id }) => id))
  const [logged = [], any = []] = await app.db.batch([
    sql`SELECT record FROM changes WHERE subject = 'films' AND version = 1 AND record IN (SELECT value FROM json_each(${ids}))`,
    sql`SELECT 1 FROM changes WHERE subject = 'films' LIMIT 1`,
  ])
  if (logged.length === 0 && any.length > 0) return []
  const known = new Set(logged.map(({ record }) => record))
  return films.filter(({ id }) => !known.has(id))
}
