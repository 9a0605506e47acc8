import type { Actor, App, UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { allOf, identifier, join, raw, type Sql, sql } from "../../platform/sql.ts"
import type { Checked } from "../expression/checked.ts"
import { compileOperand } from "../expression/to-sql.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { searchTableOf } from "./columns.ts"
import { type Place, readCursor, writeCursor } from "./cursor.ts"
import type { LinkedCollection } from "./link.ts"
import { filterProblem, type ListQuery, type SortKey } from "./query.ts"
import { candidates, matchQuery, rankOf } from "./search.ts"
import {
  type ApiRecord,
  decodeRow,
  decodeWhole,
  isWhole,
  type Selection,
  select,
  selectList,
  visibility,
} from "./selection.ts"
import { rowsOf } from "./sql-view.ts"
import type { StoredValue } from "./values.ts"
import { mainAlias, mainSource, organisationOf, type View } from "./view.ts"

export interface Page {
  readonly items: readonly ApiRecord[]
  readonly next: string | null
  readonly count?: number
}

/** A ranked search is paged by position, and no further than this. */
const maxRanked = 1_000

const alias = mainAlias
const source = mainSource

/**
 * A page of what the actor may see. One trip, whatever the page, its count and its expansions.
 *
 * @throws {Problem} `invalid_cursor`; `unauthenticated` and `not_found` where the actor could read nothing at all.
 */
export async function listRecords(
  app: App,
  view: View,
  collection: LinkedCollection,
  query: ListQuery,
): Promise<Page> {
  assertReadable(view, collection)
  const selection = select(view, collection, query)
  const identity = `${app.db.name} ${organisationOf(view.actor)} ${query.identity}`
  const match = query.search === null ? null : matchQuery(view, collection, query.search)
  const ranked = query.search !== null && query.sort.length === 0
  const place =
    query.cursor === null ? null : readCursor(identity, query.cursor, query.sort.length, ranked)

  const conditions = [visibility(view, collection, alias)]
  if (query.filter) conditions.push(compileFilter(view, query.filter))
  if (query.search !== null && match === null) conditions.push(raw("0"))

  // A whole record shows what the next cursor needs, unless it is converted on the way out.
  const whole =
    isWhole(selection) &&
    !query.sort.some((key) => key.distance !== null || isBoolean(collection, key.field))
  const placeOf: PlaceColumns = whole ? (i) => query.sort[i]?.field ?? "id" : (i) => `~${i}`
  const columns = join([
    selectList(view, selection, alias, source),
    ...(whole ? [] : sortValues(view, query.sort)),
  ])
  const pages =
    ranked && match !== null
      ? [rankedPage(view, collection, columns, conditions, match, query.limit, place)]
      : seeks(view, query.sort, place).map((seek) =>
          sortedPage(
            view,
            collection,
            columns,
            [...conditions, ...seek.conditions],
            match,
            query,
            seek.limit ?? query.limit + 1,
          ),
        )
  const statements = [...pages]
  if (query.count) statements.push(countOf(view, collection, conditions, match))
  const { actor } = view
  if (actor.kind === "user") statements.push(epochProbe(actor))

  const results = await app.db.batch(statements)
  if (actor.kind === "user") assertEpoch(actor, results.pop())
  const count = query.count ? (results.pop()?.[0]?.count as number) : undefined
  const rows = results.flat()
  return {
    items: rows
      .slice(0, query.limit)
      .map((row) => (whole ? decodeWhole(selection, row) : decodeRow(view, selection, row))),
    next: nextCursor(identity, query, ranked, place, rows, placeOf),
    ...(count !== undefined && { count }),
  }
}

/** @throws {Problem} `invalid_expression` for what D1 would refuse. */
export function compileFilter(view: View, filter: Checked): Sql {
  try {
    return view.compile(filter, source)
  } catch (error) {
    throw filterProblem(error)
  }
}

/** Refuses where no row could ever answer: a closed collection, or one that is closed to the anonymous. */
export function assertReadable(view: View, collection: LinkedCollection): void {
  const rule = view.readRule(collection)
  if (rule !== false) return
  if (view.actor.kind === "anonymous") throw new Problem("unauthenticated")
  if (collection.rules.read === null) throw new Problem("not_found", "There is no such collection.")
}

const isBoolean = (collection: LinkedCollection, field: string): boolean =>
  collection.fields.get(field)?.kind === "boolean"

/** The column of a row that holds the value of the i-th sort key. */
type PlaceColumns = (i: number) => string

/** The values that the next cursor needs, whether they are answered or not. */
export const sortValues = (view: View, sort: readonly SortKey[]): Sql[] =>
  sort.map((key, i) => sql`${sortedBy(view, key)} AS ${identifier(`~${i}`)}`)

/** What a key sorts by: a column, or how far away the record is. */
const sortedBy = (view: View, { field, distance }: SortKey): Sql =>
  distance ? compileOperand(distance, { ...view, source }) : raw(`${alias}."${field}"`)

export const orderBy = (view: View, sort: readonly SortKey[]): Sql =>
  join([
    ...sort.map((key) => sql`${sortedBy(view, key)}${raw(key.descending ? " DESC" : "")}`),
    ...(sort.some(({ field }) => field === "id") ? [] : [raw(`${alias}."id"`)]),
  ])

function sortedPage(
  view: View,
  collection: LinkedCollection,
  columns: Sql,
  conditions: readonly Sql[],
  match: string | null,
  query: ListQuery,
  limit: number,
): Sql {
  const found = match === null ? [] : [searched(collection, match)]
  return sql`SELECT ${columns} FROM ${rowsOf(view, collection)} ${raw(alias)} WHERE ${allOf([...found, ...conditions])} ORDER BY ${orderBy(view, query.sort)} LIMIT ${raw(String(limit))}`
}

/** Finds the rows that match a full-text query. */
export const searched = (collection: LinkedCollection, match: string): Sql => {
  const table = identifier(searchTableOf(collection.name))
  return sql`${raw(`${alias}."pk"`)} IN (SELECT rowid FROM ${table} WHERE ${table} MATCH ${match})`
}

function rankedPage(
  view: View,
  collection: LinkedCollection,
  columns: Sql,
  conditions: readonly Sql[],
  match: string,
  limit: number,
  place: Place | null,
): Sql {
  const position = place && "position" in place ? place.position : 0
  const take = Math.max(0, Math.min(limit + 1, maxRanked - position))
  const found = candidates(view, collection, match, rankOf(view, collection, alias), conditions)
  const best = sql`SELECT pk, rank FROM (${found}) ORDER BY rank, id LIMIT ${raw(String(take))} OFFSET ${raw(String(position))}`
  return sql`SELECT ${columns} FROM (${best}) best CROSS JOIN ${identifier(collection.name)} ${raw(alias)} ON ${raw(`${alias}."pk"`)} = best.pk ORDER BY best.rank, ${raw(`${alias}."id"`)}`
}

function countOf(
  view: View,
  collection: LinkedCollection,
  conditions: readonly Sql[],
  match: string | null,
): Sql {
  const found = match === null ? [] : [searched(collection, match)]
  return sql`SELECT count(*) AS count FROM ${rowsOf(view, collection)} ${raw(alias)} WHERE ${allOf([...found, ...conditions])}`
}

interface Seek {
  readonly conditions: readonly Sql[]
  readonly limit?: number
}

/**
 * What comes after a place, as ranges that SQLite can each seek in an index: rows that agree in all keys and follow
 * by id, then rows that agree in all but the last key and follow in that, and so on. One natural OR over all of it reads
 * every row before the place. Nulls come first ascending and last descending, as SQLite orders them.
 */
export function seeks(view: View, sort: readonly SortKey[], place: Place | null): Seek[] {
  if (place === null || !("values" in place)) return [{ conditions: [] }]
  const byId = sort.some(({ field }) => field === "id")
  const equal = sort.map((key, i) => equals(sortedBy(view, key), place.values[i] ?? null))
  const found: Seek[] = byId
    ? []
    : [{ conditions: [...equal, sql`${raw(`${alias}."id"`)} > ${place.id}`] }]
  for (let i = sort.length - 1; i >= 0; i--) {
    const key = sort[i] as SortKey
    for (const range of following(sortedBy(view, key), key, place.values[i] ?? null)) {
      found.push({ conditions: [...equal.slice(0, i), range] })
    }
  }
  // Past the last record there is nothing to seek, but a batch needs a statement.
  return found.length ? found : [{ conditions: [raw("0")] }]
}

function equals(column: Sql, value: StoredValue): Sql {
  return value === null ? sql`${column} IS NULL` : sql`${column} = ${value}`
}

function following(column: Sql, { descending }: SortKey, value: StoredValue): Sql[] {
  if (descending) return value === null ? [] : [sql`${column} < ${value}`, sql`${column} IS NULL`]
  return value === null ? [sql`${column} IS NOT NULL`] : [sql`${column} > ${value}`]
}

function nextCursor(
  identity: string,
  query: ListQuery,
  ranked: boolean,
  place: Place | null,
  rows: readonly Row[],
  placeOf: PlaceColumns,
): string | null {
  const last = rows[query.limit - 1]
  if (rows.length <= query.limit || !last) return null
  if (ranked) {
    const position = (place && "position" in place ? place.position : 0) + query.limit
    return writeCursor(identity, { position })
  }
  const values = query.sort.map((_, i) => last[placeOf(i)] as StoredValue)
  return writeCursor(identity, { values, id: last.id as string })
}

/** A record as the actor may see it, with its version, whether that was asked for or not. */
export interface Found {
  readonly record: ApiRecord
  readonly version: number
}

/**
 * One record, or null when there is none that the actor may see. One trip.
 *
 * @throws {Problem} `unauthenticated` where a session could help.
 */
export async function findRecord(
  app: App,
  view: View,
  collection: LinkedCollection,
  id: string,
  selection: Selection,
): Promise<Found | null> {
  assertReadable(view, collection)
  const { actor } = view
  const [row] = await app.db.all(singleRead(view, collection, selection)(id))
  assertEpoch(actor, row && [{ epoch: row["~epoch"] }])
  if (!row || row.id === null) return null
  return { record: decodeRow(view, selection, row), version: (row.version ?? 0) as number }
}

type SingleRead = (id: string) => Sql

/**
 * Reads of whole records, by actor: a verified token is one object until it expires, so what its rights compile to is kept
 * with it. Only the id changes.
 */
const wholeReads = new WeakMap<Actor, WeakMap<LinkedCollection, SingleRead>>()

function singleRead(view: View, collection: LinkedCollection, selection: Selection): SingleRead {
  const { actor } = view
  const known = wholeReads.get(actor)?.get(collection)
  const whole = isWhole(selection)
  if (known && whole) return known
  const build: SingleRead = (id) =>
    actor.kind === "user"
      ? recordAndEpochQuery(view, actor, collection, id, selection)
      : recordQuery(view, collection, id, selection)
  if (!whole) return build
  const { text, params } = build(idMarker)
  // What depends on the time is compiled anew each time.
  if (view.clockAsked()) return build
  const at = params.indexOf(idMarker)
  const read: SingleRead = (id) => ({ text, params: params.with(at, id) })
  const ofActor = wholeReads.get(actor) ?? new WeakMap<LinkedCollection, SingleRead>()
  wholeReads.set(actor, ofActor.set(collection, read))
  return read
}

/** Stands where the id will be: no id, no rule and no e-mail address holds NUL. */
const idMarker = "\0id"

/** The same with the epoch beside it, in one statement: cheaper than a batch of two. Without the record, a row of nulls. */
const recordAndEpochQuery = (
  view: View,
  actor: UserActor,
  collection: LinkedCollection,
  id: string,
  selection: Selection,
): Sql =>
  sql`SELECT ${selectList(view, selection, alias, source)}, p.epoch AS "~epoch" FROM (${epochProbe(actor)}) p LEFT JOIN ${rowsOf(view, collection)} ${raw(alias)} ON ${raw(`${alias}."id"`)} = ${id} AND ${visibility(view, collection, alias, true)}`

/** The statement that reads one record as the actor may see it. */
export const recordQuery = (
  view: View,
  collection: LinkedCollection,
  id: string,
  selection: Selection,
): Sql =>
  sql`SELECT ${selectList(view, selection, alias, source)} FROM ${rowsOf(view, collection)} ${raw(alias)} WHERE ${raw(`${alias}."id"`)} = ${id} AND ${visibility(view, collection, alias, true)}`
