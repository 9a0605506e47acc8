import type { App } from "../../platform/app.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import { identifier, join, raw, type Sql, sql } from "../../platform/sql.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { searchTableOf } from "./columns.ts"
import { highlightsOf, type Marks, markedFields, newMarks, type Part } from "./highlights.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"
import { maxSearchCharacters, parseLimit, parseNames, readParameters } from "./query.ts"
import { candidates, matchQuery, ownRank } from "./search.ts"
import { type ApiRecord, decodeRow, type Selection, select, selectList } from "./selection.ts"
import { mainAlias, mainSource, type View } from "./view.ts"

/** What is looked for in several collections at once, validated for one actor. */
export interface SearchQuery {
  readonly words: string
  /** All of them searchable, and none closed to the actor. */
  readonly collections: readonly LinkedCollection[]
  readonly limit: number
}

export interface SearchHit {
  readonly collection: string
  /** How well it matches, above 0; of one scale for all collections. */
  readonly rank: number
  /** By field, for fields in which something matched. */
  readonly highlights: Readonly<Record<string, readonly Part[]>>
  /** As a list of its collection would answer it. */
  readonly record: ApiRecord
}

const searchParameters = ["q", "collections", "limit"]
export const maxHits = 50
export const defaultHits = 20

/**
 * @throws {Problem} `invalid_input`, naming the parameter; `unauthenticated` where the anonymous could read none of what is
 * searched. A collection that the actor can read nothing of is unknown, or holds nothing.
 */
export function parseSearchQuery(
  view: View,
  collections: LinkedCollections,
  parameters: URLSearchParams,
): SearchQuery {
  const one = readParameters(parameters, searchParameters)
  const words = one("q")
  if (words === null || words.trim() === "") {
    throw wrong("q", "required", "the words to look for.")
  }
  if (words.length > maxSearchCharacters) {
    throw wrong("q", "too_big", `at most ${maxSearchCharacters} characters.`)
  }
  const names = parseNames(one("collections"))
  const limit = parseLimit(one("limit"), maxHits, defaultHits)
  const searched = names
    ? names.map((name) => named(view, collections, name))
    : [...collections.values()].filter(({ searchFields }) => searchFields.length > 0)
  const readable = searched.filter((collection) => view.readRule(collection) !== false)
  const closed = names ? readable.length < searched.length : readable.length === 0
  if (closed && searched.length > 0 && view.actor.kind === "anonymous") {
    throw new Problem("unauthenticated")
  }
  return { words, collections: readable, limit }
}

function named(view: View, collections: LinkedCollections, name: string): LinkedCollection {
  const collection = collections.get(name)
  const known =
    collection && (collection.rules.read !== null || view.readRule(collection) !== false)
  if (!known) {
    throw wrong("collections", "unknown_collection", `there is no collection "${name}".`)
  }
  if (collection.searchFields.length === 0) {
    throw wrong("collections", "not_searchable", `"${name}" has no full-text search.`)
  }
  return collection
}

const wrong = (name: string, code: string, message: string) =>
  invalidInput({ path: `query.${name}`, code, message: `${name}: ${message}` })

/**
 * The best matches in all of the collections, best first. One trip, with a statement for each collection. The rank looks at
 * nothing but the readable text of the record itself: so it tells of nothing hidden, and means the same in each collection.
 */
export async function searchEverywhere(
  app: App,
  view: View,
  { words, collections, limit }: SearchQuery,
): Promise<{ items: readonly SearchHit[] }> {
  const marks = newMarks()
  const asked = collections.flatMap((collection) => {
    const match = matchQuery(view, collection, words)
    if (match === null) return []
    const selection = select(view, collection, { fields: null, expand: [] })
    const statement = hitsQuery(view, collection, selection, match, marks, limit)
    return [{ collection, selection, statement }]
  })
  const { actor } = view
  const statements = asked.map(({ statement }) => statement)
  if (actor.kind === "user") statements.push(epochProbe(actor))
  const results = statements.length > 0 ? await app.db.batch(statements) : []
  if (actor.kind === "user") assertEpoch(actor, results.pop())
  const hits = asked.flatMap(({ collection, selection }, i) =>
    (results[i] ?? []).map((row): SearchHit & { readonly id: string } => ({
      id: row.id as string,
      collection: collection.name,
      rank: -(row["~rank"] as number),
      highlights: highlightsOf(view, collection, marks, row),
      record: decodeRow(view, selection, row),
    })),
  )
  const items = hits
    .sort((a, b) => b.rank - a.rank || (a.id < b.id ? -1 : 1))
    .slice(0, limit)
    .map(({ id: _, ...hit }) => hit)
  return { items }
}

/** The best of one collection. What is shown of a record is made for these alone: the index is asked again for each. */
function hitsQuery(
  view: View,
  collection: LinkedCollection,
  selection: Selection,
  match: string,
  marks: Marks,
  limit: number,
): Sql {
  const table = identifier(searchTableOf(collection.name))
  const rank = ownRank(view, collection, mainAlias)
  const best = sql`SELECT pk, rank FROM (${candidates(view, collection, match, rank)}) ORDER BY rank, id LIMIT ${raw(String(limit))}`
  const columns = join([
    selectList(view, selection, mainAlias, mainSource),
    sql`best.rank AS "~rank"`,
    ...markedFields(view, collection, marks),
  ])
  const record = sql`${identifier(collection.name)} ${raw(mainAlias)} ON ${raw(`${mainAlias}."pk"`)} = best.pk`
  return sql`SELECT ${columns} FROM (${best}) best CROSS JOIN ${table} s ON s.rowid = best.pk CROSS JOIN ${record} WHERE ${table} MATCH ${match}`
}
