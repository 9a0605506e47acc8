import type { Row } from "../../platform/database.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { imageSource } from "../records/image.ts"
import type { LinkedCollection, LinkedCollections } from "../records/link.ts"
import { visibility } from "../records/selection.ts"
import {
  headColumns,
  isSeen,
  isSeenDeleted,
  lineAlias,
  nowAlias,
  rightsOf,
  versionSource,
} from "../records/versions.ts"
import { tableSource, type View } from "../records/view.ts"

/*
 * What endpoints are to be told next, and what decides whether they may be: asked in SQL, of each line once for each owner,
 * with the rights that the owner has at that moment, of the line, of the one before it, and of the record as it is now.
 * No I/O.
 */

/** Deliveries in line that one look takes up of an endpoint, and those that have stepped aside. */
const windowRows = 20
const asideRows = 5
/** Bytes of records, of either: so memory knows no more, however many wait, and neither crowds out the other. */
const windowBytes = 2_000_000

/** A delivery that is due, as `dueQueries` finds it. */
export interface Due {
  readonly id: string
  readonly endpoint: string
  readonly change: string
  readonly type: string
  readonly state: "queued" | "waiting" | "retrying"
  readonly attempts: number
  readonly nextAt: string
  /** Its line; null of a test. */
  readonly seq: number | null
  /** Of the record, in the line. */
  readonly bytes: number
}

/** The same beside its line. */
export interface DueRow extends Due {
  /** Rows as `headOf` takes them; empty where the line has left the database. */
  readonly row: Row
}

/**
 * Three statements: the endpoints that something is due of, the longest first, `room` of them at most; their deliveries, the
 * first in the order of the log, each of which waits for the one before it, and some of those that have stepped aside; and
 * when the first of the other endpoints is due, in the column `at`.
 *
 * @param except endpoints that are not asked about
 */
export function dueQueries(now: string, except: readonly string[], room: number): Sql[] {
  const head = raw(
    "(SELECT d.nextAt FROM webhook_deliveries d WHERE d.endpoint = e.id AND d.state IN ('queued', 'waiting') ORDER BY d.seq LIMIT 1)",
  )
  const aside = raw(
    "(SELECT d.nextAt FROM webhook_deliveries d WHERE d.endpoint = e.id AND d.state = 'retrying' ORDER BY d.nextAt LIMIT 1)",
  )
  const others = sql`e.id NOT IN (SELECT value FROM json_each(${JSON.stringify(except)}))`
  // Whoever waits for nothing waits until the year 9.
  const waiting = sql`WITH waiting AS MATERIALIZED (SELECT e.id, max(ifnull(e.pausedUntil, ''), min(ifnull(${head}, '9'), ifnull(${aside}, '9'))) AS at FROM webhook_endpoints e WHERE e.enabled = 1 AND ${others})`
  const taken = sql`(SELECT id, at FROM waiting WHERE at <= ${now} ORDER BY at, id LIMIT ${raw(String(room))})`
  const first = sql`SELECT id FROM (SELECT id FROM webhook_deliveries WHERE endpoint = t.id AND state IN ('queued', 'waiting') ORDER BY seq LIMIT ${raw(String(windowRows))}) UNION ALL SELECT id FROM (SELECT id FROM webhook_deliveries WHERE endpoint = t.id AND state = 'retrying' AND nextAt <= ${now} ORDER BY nextAt LIMIT ${raw(String(asideRows))})`
  const sized = sql`SELECT d.id, d.endpoint, d.change, d.type, d.state, d.attempts, d.nextAt, d.seq, ifnull(octet_length(l.payload), 0) AS bytes FROM ${taken} t CROSS JOIN webhook_deliveries d ON d.id IN (${first}) LEFT JOIN changes l ON l.seq = d.seq`
  // As many as fit, and the first of either in any case.
  const summed = sql`SELECT *, sum(bytes) OVER (PARTITION BY endpoint, state = 'retrying' ORDER BY seq) - bytes AS before FROM (${sized})`
  return [
    sql`${waiting} SELECT e.* FROM ${taken} t JOIN webhook_endpoints e ON e.id = t.id ORDER BY t.at, t.id`,
    sql`${waiting} SELECT id, endpoint, change, type, state, attempts, nextAt, seq, bytes FROM (${summed}) WHERE before < ${raw(String(windowBytes))} ORDER BY seq`,
    sql`${waiting} SELECT min(at) AS at FROM (SELECT at FROM waiting WHERE at < '9' ORDER BY at, id LIMIT -1 OFFSET ${raw(String(room))})`,
  ]
}

/** Of rules in one statement: D1 takes 100 KB. */
const maxRuleCharacters = 60_000

/**
 * Lines of the log, with what one person may hear of them. One statement for all collections, or as few as their rules fit
 * into, of one batch: `linesOf` reads them.
 *
 * @param subjects names of the collections that the lines may be about
 */
export function lineQueries(
  view: View,
  collections: LinkedCollections,
  seqs: readonly number[],
  subjects: Iterable<string>,
): Sql[] {
  const lines = sql`FROM json_each(${JSON.stringify(seqs)}) v CROSS JOIN changes c ON c.seq = v.value LEFT JOIN changes p ON p.subject = c.subject AND p.record = c.record AND p.version = c.version - 1`
  const [first = raw("NULL"), ...others] = judged(view, collections, subjects)
  return [
    sql`SELECT ${headColumns(view, collections)}, c.subject, c.payload, p.payload AS beforePayload, ${first} AS judged ${lines}`,
    ...others.map((other) => sql`SELECT c.seq, ${other} AS judged ${lines}`),
  ]
}

/** What was decided of a line. */
export interface Judgement {
  /** Whether its owner may hear of it. */
  readonly shown: boolean
  /** Whether a condition may look at what it holds: always, but for deletions that its owner could not have made. */
  readonly open: boolean
  /** Of the fields with a rule of their own, in each state that a field has to be readable in. */
  readonly rights: readonly (readonly boolean[])[]
  readonly beforeSeen: boolean
  readonly beforeRights: readonly boolean[]
}

/** JSON of 0 and 1, in the order of `judgementOf`; NULL of collections that stand in another of them. */
function judged(view: View, collections: LinkedCollections, subjects: Iterable<string>): Sql[] {
  const groups: Sql[] = []
  for (const subject of subjects) {
    const collection = collections.get(subject)
    if (!collection) continue
    const one = sql` WHEN ${collection.name} THEN ${judgedOf(view, collection)}`
    const last = groups.at(-1)
    if (last && last.text.length + one.text.length < maxRuleCharacters) {
      groups[groups.length - 1] = sql`${last}${one}`
    } else groups.push(one)
  }
  return groups.map((cases) => sql`CASE c.subject${cases} END`)
}

function judgedOf(view: View, collection: LinkedCollection): Sql {
  const image = versionSource(collection)
  const before = imageSource(collection, "p", nowAlias)
  const seenBefore = sql`(p.seq IS NOT NULL AND p.kind <> 'deleted' AND ${isSeen(view, collection, before, "p")}) IS TRUE`
  const last = imageSource(collection, lineAlias, null)
  const openDeleted = isSeenDeleted(view, collection, last)
  // It may have been made anew since: what was deleted is as closed as before.
  const live = sql`json_array((${visibility(view, collection, nowAlias, true)} AND ${isSeen(view, collection, image)}) IS TRUE, (c.kind <> 'deleted' OR ${openDeleted}) IS TRUE, json(${rightsOf(view, collection, tableSource(nowAlias))}), json(${rightsOf(view, collection, image)}), ${seenBefore}, json(${rightsOf(view, collection, before)}))`
  const rights = sql`json(${rightsOf(view, collection, last)})`
  const gone = sql`json_array((c.kind = 'deleted' AND ${isSeen(view, collection, last)}) IS TRUE, (${openDeleted}) IS TRUE, ${rights}, ${rights}, 0, json('[]'))`
  return sql`ifnull((SELECT ${live} FROM ${raw(`"${collection.name}" ${nowAlias}`)} WHERE ${raw(`${nowAlias}."id"`)} = c.record), ${gone})`
}

/** What the statements of `lineQueries` found, by the number of the line. */
export function linesOf([rows = [], ...others]: readonly Row[][]): Map<number, Row> {
  const lines = new Map(rows.map((row) => [row.seq as number, row]))
  for (const { seq, judged } of others.flat()) {
    const line = lines.get(seq as number)
    if (line && judged !== null) lines.set(seq as number, { ...line, judged })
  }
  return lines
}

/** Null where nothing could be decided: the line, or its collection, is not there any more. */
export function judgementOf({ row }: DueRow): Judgement | null {
  if (typeof row.judged !== "string") return null
  const [shown, open, now, then, beforeSeen, beforeRights] = JSON.parse(row.judged) as [
    number,
    number,
    number[],
    number[],
    number,
    number[],
  ]
  const bits = (list: readonly number[]) => list.map((bit) => bit === 1)
  return {
    shown: shown === 1,
    open: open === 1,
    rights: [bits(now), bits(then)],
    beforeSeen: beforeSeen === 1,
    beforeRights: bits(beforeRights),
  }
}
