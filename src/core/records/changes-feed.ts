import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { allOf, jsonArray, raw, type Sql, sql } from "../../platform/sql.ts"
import { archivedPlaces, archivedRows, loadArchived, type Place } from "../changes/archive.ts"
import { openPosition, sealPosition } from "../changes/position.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { imageSource } from "./image.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"
import { assertReadable } from "./list.ts"
import { type ApiRecord, visibility } from "./selection.ts"
import {
  type Differences,
  differences,
  headColumns,
  headOf,
  isSeen,
  lineAlias,
  nowAlias,
  readableFields,
  rightsOf,
  type VersionHead,
  versionRecord,
  versionSource,
} from "./versions.ts"
import { organisationOf, tableSource, type View } from "./view.ts"

/** A change that the actor may know of. */
export interface Change extends VersionHead {
  readonly collection: string
  readonly id: string
  /** The record as the change left it, as far as the actor may read it; null of a deletion. */
  readonly record: ApiRecord | null
  /** Where they were asked for; null where what the record was before is hidden from the actor, gone, or archived. */
  readonly changes?: Differences | null
}

export interface ChangesPage {
  /** In the order of the log, or the newest first. */
  readonly items: readonly Change[]
  /** Where to go on. The log has no last page; null where it was read back to its beginning. */
  readonly next: string | null
}

export interface ChangesQuery {
  /** Position after which to begin: null for the beginning, `now` for the end. */
  readonly since: string | null
  /** Position from which to read back, the newest first: `now` for the end; null to read on. */
  readonly before: string | null
  readonly limit: number
  /** Of this collection alone. */
  readonly collection: string | null
  /** Written by this person, in their own name or in another's. */
  readonly actor: string | null
  readonly kind: VersionHead["kind"] | null
  /** Whether to tell what each line changed. */
  readonly differences: boolean
}

/** Lines that one page looks at, whatever it shows of them: numbers have hardly any gaps. */
const scannedLines = 5_000

/** The same of lines that are archived, and how many of them one page fetches. */
const scannedPlaces = 1_000
const fetchedPlaces = 200

/** Of rules in one statement: D1 takes 100 KB. */
const maxRuleCharacters = 60_000

const purpose = "changes"

const newestLine = sql`SELECT max(ifnull((SELECT max(seq) FROM changes), 0), ifnull((SELECT max(seq) FROM archived_changes), 0)) AS seq`

/**
 * A page of the log as the actor may see it: each line exactly once, in order. A line is shown where the read rule holds
 * of the record as the line has it and as it is now. Of a record that is gone, its deletion is shown, without content, to
 * those who could read what it last was; nothing else of it is. Read back, from `before`, it is the same lines the other
 * way round.
 *
 * @throws {Problem} `invalid_cursor`, `not_found` (collection), `unauthenticated`
 */
export async function listChanges(
  app: App,
  view: View,
  collections: LinkedCollections,
  query: ChangesQuery,
): Promise<ChangesPage> {
  const { since, before, limit } = query
  const subjects = subjectsOf(view, collections, query.collection)
  const { actor } = view
  const probe = actor.kind === "user" ? [epochProbe(actor)] : []
  if (since === "now") {
    const [newest, epoch] = await app.db.batch([newestLine, ...probe])
    assertEpoch(actor, epoch)
    return { items: [], next: sealPosition(app, purpose, newest?.[0]?.seq as number) }
  }
  const back = before !== null
  const order = back ? backwards : onwards
  const from = startOf(app, query)
  const window = back
    ? sql`c.seq < ${from ?? sql`(${newestLine}) + 1`} AND c.seq >= ${from ?? sql`(${newestLine}) + 1`} - ${scannedLines}`
    : sql`c.seq > ${from} AND c.seq <= ${(from as number) + scannedLines}`
  const which = whichOf(query)
  const asked = { differences: query.differences, order, limit: limit + 1 }
  const feed = (lines: Sql) => feedQueries(view, collections, subjects, lines, asked)
  const [newest, places = [], ...results] = await app.db.batch([
    newestLine,
    archivedPlaces(
      sql`${window} ORDER BY c.seq ${raw(order.sql)} LIMIT ${raw(String(scannedPlaces))}`,
    ),
    ...probe,
    ...feed(sql`changes c WHERE ${window} AND ${which}`),
  ])
  if (actor.kind === "user") assertEpoch(actor, results.shift())
  const rows = inOrder(order, results.flat())
  const archived = await fromArchive(app, places as unknown as Place[], {
    // Beyond what fills the page, nothing need be asked.
    isNear: ({ seq }) =>
      rows.length <= limit || order.compare(seq, rows.at(-1)?.seq as number) <= 0,
    mine: placeFilter(view, subjects),
    ask: (lines) => feed(sql`${lines} c WHERE ${which}`),
  })
  const latest = newest?.[0]?.seq as number
  const end = back
    ? (archived.end ?? Math.max(0, (from ?? latest + 1) - scannedLines))
    : // Never back, where a database was restored to what it was before.
      Math.min(
        Math.max(from as number, latest),
        (from as number) + scannedLines,
        archived.end ?? Number.POSITIVE_INFINITY,
      )
  const all = inOrder(order, [...rows, ...archived.rows]).filter(
    (row) => order.compare(row.seq as number, end) <= 0,
  )
  const shown = all.slice(0, limit)
  const last = all.length > limit ? (shown.at(-1)?.seq as number) : end
  return {
    items: shown.map((row) => changeOf(view, collections, row, query.differences)),
    // No line has a number below 1.
    next: back && last <= 1 ? null : sealPosition(app, purpose, last),
  }
}

/** The line up to which all is told already; null for the end of the log, where it is read back. */
function startOf(app: App, { since, before }: ChangesQuery): number | null {
  if (before !== null) return before === "now" ? null : openPosition(app, purpose, before, "before")
  return since === null ? 0 : openPosition(app, purpose, since, "since")
}

/** SQL about a line `c`, from the log or the archive. */
const whichOf = ({ actor, kind }: ChangesQuery): Sql =>
  allOf([
    ...(actor === null ? [] : [sql`(c.actor = ${actor} OR c.impersonator = ${actor})`]),
    ...(kind === null ? [] : [sql`c.kind = ${kind}`]),
  ])

interface Order {
  readonly sql: "ASC" | "DESC"
  compare(a: number, b: number): number
}

const onwards: Order = { sql: "ASC", compare: (a, b) => a - b }
const backwards: Order = { sql: "DESC", compare: (a, b) => b - a }

const inOrder = ({ compare }: Order, rows: Row[]): Row[] =>
  rows.sort((a, b) => compare(a.seq as number, b.seq as number))

/** What is certainly not the actor's is not fetched: of other collections, or another organisation. */
function placeFilter(view: View, subjects: readonly LinkedCollection[]): (place: Place) => boolean {
  const names = new Set(subjects.map(({ name }) => name))
  const organisation = organisationOf(view.actor)
  return ({ subject, organisation: owner }) =>
    names.has(subject) && (owner === null || owner === organisation)
}

/** Archived lines that are shown, and the last one that was looked at; null when that were all. */
async function fromArchive(
  app: App,
  places: readonly Place[],
  how: {
    isNear: (place: Place) => boolean
    mine: (place: Place) => boolean
    ask: (lines: Sql) => Sql[]
  },
): Promise<{ rows: Row[]; end: number | null }> {
  const wanted = places.filter(how.isNear).filter(how.mine)
  const loaded = await loadArchived(app.archive, wanted.slice(0, fetchedPlaces))
  const rows = loaded.length
    ? (await app.db.batch(archivedRows(loaded).flatMap(how.ask))).flat()
    : []
  if (loaded.length < wanted.length) return { rows, end: loaded.at(-1)?.seq as number }
  return { rows, end: places.length === scannedPlaces ? (places.at(-1)?.seq as number) : null }
}

/** Collections of which the actor could see anything. */
function subjectsOf(
  view: View,
  collections: LinkedCollections,
  name: string | null,
): LinkedCollection[] {
  if (name === null) {
    const readable = [...collections.values()].filter(
      (collection) =>
        !collection.builtIn && collection.sqlView === null && view.readRule(collection) !== false,
    )
    if (readable.length === 0 && view.actor.kind === "anonymous")
      throw new Problem("unauthenticated")
    return readable
  }
  const collection = collections.get(name)
  if (!collection || collection.builtIn || collection.sqlView !== null)
    throw new Problem("not_found", "There is no such collection.")
  assertReadable(view, collection)
  return [collection]
}

/**
 * One statement for all collections, or as few as their rules fit into. `lines` is a FROM clause with the line as `c`,
 * and some of its WHERE.
 */
function feedQueries(
  view: View,
  collections: LinkedCollections,
  subjects: readonly LinkedCollection[],
  lines: Sql,
  asked: { differences: boolean; order: Order; limit: number },
): Sql[] {
  const groups: { names: string[]; shown: Sql; rights: Sql }[] = []
  for (const collection of subjects) {
    const name = sql`${collection.name}`
    const shown = sql` WHEN ${name} THEN ${shownIn(view, collection)}`
    const rights = sql` WHEN ${name} THEN ${rightsNow(view, collection, asked.differences)}`
    const last = groups.at(-1)
    const size = (last?.shown.text.length ?? 0) + (last?.rights.text.length ?? 0)
    if (last && size + shown.text.length + rights.text.length < maxRuleCharacters) {
      last.names.push(collection.name)
      last.shown = sql`${last.shown}${shown}`
      last.rights = sql`${last.rights}${rights}`
    } else groups.push({ names: [collection.name], shown, rights })
  }
  return groups.map(
    ({ names, shown, rights }) =>
      sql`SELECT ${headColumns(view, collections)}, c.subject, c.payload, CASE c.subject${rights} END AS rights FROM ${lines} AND +c.subject IN (SELECT value FROM json_each(${JSON.stringify(names)})) AND CASE c.subject${shown} END ORDER BY c.seq ${raw(asked.order.sql)} LIMIT ${raw(String(asked.limit))}`,
  )
}

/** Of a record that is there, the rule is asked of it and of the line; of one that is not, its deletion alone is told. */
function shownIn(view: View, collection: LinkedCollection): Sql {
  const now = visibility(view, collection, nowAlias, true)
  const live = sql`(${now} AND ${isSeen(view, collection, versionSource(collection))}) IS TRUE`
  const gone = isSeen(view, collection, imageSource(collection, lineAlias, null))
  return sql`ifnull(${ofNow(collection, live)}, c.kind = 'deleted' AND ${gone})`
}

/** Which fields with a rule of their own may be read now, and in the line; and the version before, if it is asked for. */
const rightsNow = (view: View, collection: LinkedCollection, earlier: boolean): Sql =>
  ofNow(
    collection,
    jsonArray([
      sql`json(${rightsOf(view, collection, tableSource(nowAlias))})`,
      sql`json(${rightsOf(view, collection, versionSource(collection))})`,
      ...(earlier ? [sql`json(${versionBefore(view, collection)})`] : []),
    ]),
  )

/** A JSON array of what the line before held and which fields with a rule may be read of it; NULL where it is not seen. */
function versionBefore(view: View, collection: LinkedCollection): Sql {
  const image = imageSource(collection, "p", nowAlias)
  const parts = jsonArray([sql`json(p.payload)`, sql`json(${rightsOf(view, collection, image)})`])
  return sql`(SELECT ${parts} FROM changes p WHERE p.subject = c.subject AND p.record = c.record AND p.version = c.version - 1 AND p.kind <> 'deleted' AND ${isSeen(view, collection, image, "p")})`
}

const ofNow = ({ name }: LinkedCollection, value: Sql): Sql =>
  sql`(SELECT ${value} FROM ${raw(`"${name}" ${nowAlias}`)} WHERE ${raw(`${nowAlias}."id"`)} = c.record)`

type Earlier = readonly [image: Readonly<Record<string, unknown>>, rights: number[]]

function changeOf(
  view: View,
  collections: LinkedCollections,
  row: Row,
  withDifferences: boolean,
): Change {
  const collection = collections.get(row.subject as string) as LinkedCollection
  const head = headOf(row)
  const told = { collection: collection.name, id: row.record as string, ...head }
  if (head.kind === "deleted") {
    return { ...told, record: null, ...(withDifferences && { changes: null }) }
  }
  const [now, then, earlier = null] = JSON.parse(row.rights as string) as [
    number[],
    number[],
    Earlier | null | undefined,
  ]
  const image = JSON.parse(row.payload as string)
  const rights = [now, then].map(asBooleans)
  const record = versionRecord(image, readableFields(view, collection, ...rights))
  if (!withDifferences) return { ...told, record }
  if (!earlier && head.kind !== "created") return { ...told, record, changes: null }
  const [before, rightsBefore] = head.kind === "created" ? [null, then] : (earlier as Earlier)
  const fields = readableFields(view, collection, ...rights, asBooleans(rightsBefore))
  return { ...told, record, changes: differences(before, image, fields) }
}

const asBooleans = (bits: readonly number[]): boolean[] => bits.map((bit) => bit === 1)
