import { allOf, identifier, join, raw, type Sql, sql } from "../../platform/sql.ts"
import { searchColumnsOf, searchTableOf } from "./columns.ts"
import type { LinkedCollection } from "./link.ts"
import { visibility } from "./selection.ts"
import { mainAlias, organisationOf, type View } from "./view.ts"

/**
 * The FTS5 query for what a person typed: all words, the last one as a prefix, in the fields that this actor may read
 * whatever the row. Null when nothing can match. The words are quoted, so that no character of FTS5's syntax gets through.
 *
 * The organisation is a term of every query, because term statistics are shared by all rows of an index.
 */
export function matchQuery(view: View, collection: LinkedCollection, typed: string): string | null {
  const words = typed.normalize("NFC").match(/[\p{L}\p{N}\p{M}]+/gu)
  const fields = searchable(view, collection)
  if (!words || fields.length === 0) return null
  const terms = words.slice(0, maxWords).map((word, i) => {
    const last = i === Math.min(words.length, maxWords) - 1
    // A trailing space ends the last word: what is still being typed is a prefix.
    return `"${word}"${last && !/\s$/.test(typed) ? "*" : ""}`
  })
  const match = `{${fields.join(" ")}} : (${terms.join(" AND ")})`
  const organisation = organisationOf(view.actor)
  return collection.scoped && organisation !== null
    ? `organisation : "${organisation}" AND ${match}`
    : match
}

const maxWords = 32

/** The fields that this actor may read whatever the row. */
export const searchable = (view: View, collection: LinkedCollection): string[] =>
  collection.searchFields.filter((name) => {
    const field = collection.fields.get(name)
    return field && view.fieldRule(field) === true
  })

/**
 * The order of a ranked search, best first, for a query over the search table. bm25 weighs a row against all rows and
 * all columns of the index, so it is for those who may read all of them: to others the order would tell of what is
 * hidden. Theirs looks at the readable fields of the row alone, with the same curve over hits and length.
 */
export function rankOf(view: View, collection: LinkedCollection, alias: string): Sql {
  const fields = searchable(view, collection)
  const everything = fields.length === collection.searchFields.length
  if (everything && !collection.scoped && view.readRule(collection) === true) return raw("s.rank")
  return ownRank(view, collection, alias)
}

/** The same for anybody and in any collection: by the readable text of the record alone, from 0 (not at all) down. */
export function ownRank(view: View, collection: LinkedCollection, alias: string): Sql {
  const fields = searchable(view, collection)
  const table = raw(`"${searchTableOf(collection.name)}"`)
  const columns = searchColumnsOf(collection)
  const scores = fields.map((name) => {
    const text = raw(`${alias}."${name}"`)
    const column = raw(String(columns.indexOf(name)))
    const hits = sql`(length(highlight(${table}, ${column}, char(1), '')) - length(${text}))`
    return sql`ifnull(${hits} / (${hits} + 0.3 + 0.9 * length(${text}) / ${raw(averageCharacters)}), 0)`
  })
  return sql`-(${join(scores, " + ")})`
}

/**
 * The matches that the actor sees, as `pk`, `id` and `rank`: what a ranked search puts in order. The newest of them, so that
 * a word that everybody writes does not read the whole collection.
 */
export function candidates(
  view: View,
  collection: LinkedCollection,
  match: string,
  rank: Sql,
  conditions: readonly Sql[] = [visibility(view, collection, mainAlias)],
): Sql {
  const table = identifier(searchTableOf(collection.name))
  const row = (column: string) => raw(`${mainAlias}."${column}"`)
  return sql`SELECT ${row("pk")} AS pk, ${row("id")} AS id, ${rank} AS rank FROM ${table} s CROSS JOIN ${identifier(collection.name)} ${raw(mainAlias)} ON ${row("pk")} = s.rowid WHERE ${table} MATCH ${match} AND ${allOf(conditions)} ORDER BY s.rowid DESC LIMIT ${raw(String(maxCandidates))}`
}

/** Matches that are put in order, at most. */
const maxCandidates = 10_000

/** Stands for the average that bm25 would take from the other rows. */
const averageCharacters = "400.0"
