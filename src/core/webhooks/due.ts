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
import { parseEventType } from "./event-types.ts"

/*
 * What an endpoint is to be told next, with all that decides whether it may be: asked in SQL, with the rights that its
 * owner has at that moment, of the line, of the one before it, and of the record as it is now. No I/O.
 */

/** Deliveries in line that one look takes up, and those that have stepped aside. */
const windowRows = 20
const asideRows = 5
/** Bytes of records, of either: so memory knows no more, however many wait, and neither crowds out the other. */
const windowBytes = 2_000_000

/** A delivery that is due, beside its line. */
export interface DueRow {
  readonly id: string
  readonly change: string
  readonly type: string
  readonly state: "queued" | "waiting" | "retrying"
  readonly attempts: number
  readonly nextAt: string
  /** Null of a test. */
  readonly line: number | null
  /** Rows as `headOf` takes them; null where the line has left the database. */
  readonly row: Row
}

/** Of rules in one statement: D1 takes 100 KB. */
const maxRuleCharacters = 60_000

/**
 * The first in the order of the log, each of which waits for the one before it, and some of those that have stepped aside
 * and are due. One statement for all collections, or as few as their rules fit into, of one batch: `dueOf` reads them.
 */
export function dueQueries(
  view: View,
  collections: LinkedCollections,
  endpoint: string,
  events: readonly string[],
  now: string,
): Sql[] {
  const columns = raw("d.id, d.change, d.type, d.state, d.attempts, d.nextAt, d.seq")
  const own = sql`d.endpoint = ${endpoint}`
  const inOrder = sql`SELECT ${columns}, 0 AS aside FROM webhook_deliveries d WHERE ${own} AND d.state IN ('queued', 'waiting') ORDER BY d.seq LIMIT ${raw(String(windowRows))}`
  const aside = sql`SELECT ${columns}, 1 AS aside FROM webhook_deliveries d WHERE ${own} AND d.state = 'retrying' AND d.nextAt <= ${now} ORDER BY d.nextAt LIMIT ${raw(String(asideRows))}`
  const size = raw("octet_length(l.payload)")
  // As many as fit, and the first of either in any case.
  const picked = sql`SELECT w.*, sum(ifnull(${size}, 0)) OVER (PARTITION BY w.aside ORDER BY w.seq) - ifnull(${size}, 0) AS before FROM (SELECT * FROM (${inOrder}) UNION ALL SELECT * FROM (${aside})) w LEFT JOIN changes l ON l.seq = w.seq`
  const lines = sql`FROM (${picked}) d LEFT JOIN changes c ON c.seq = d.seq LEFT JOIN changes p ON p.subject = c.subject AND p.record = c.record AND p.version = c.version - 1
WHERE d.before < ${raw(String(windowBytes))}`
  const [first = raw("NULL"), ...others] = judged(view, collections, events)
  return [
    sql`SELECT d.id AS delivery, d.change, d.type, d.state, d.attempts, d.nextAt, d.seq AS line, ${headColumns(view, collections)}, c.subject, c.payload, p.payload AS beforePayload, ${first} AS judged ${lines} ORDER BY d.seq`,
    ...others.map((other) => sql`SELECT d.id AS delivery, ${other} AS judged ${lines}`),
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
function judged(view: View, collections: LinkedCollections, events: readonly string[]): Sql[] {
  const subjects = new Map<string, LinkedCollection>()
  for (const name of events) {
    const type = parseEventType(collections, name)
    if (type) subjects.set(type.collection.name, type.collection)
  }
  const groups: Sql[] = []
  for (const collection of subjects.values()) {
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

/** What the statements of `dueQueries` found, in the order of the log. */
export function dueOf([rows = [], ...others]: readonly Row[][]): DueRow[] {
  const elsewhere = new Map(
    others
      .flat()
      .filter(({ judged }) => judged !== null)
      .map(({ delivery, judged }) => [delivery, judged]),
  )
  return rows.map((row) => {
    const { delivery, change, type, state, attempts, nextAt, line } = row
    return {
      id: delivery as string,
      change: change as string,
      type: type as string,
      state: state as DueRow["state"],
      attempts: attempts as number,
      nextAt: nextAt as string,
      line: line as number | null,
      row: { ...row, judged: row.judged ?? elsewhere.get(delivery) ?? null },
    }
  })
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

/** When the next of them is due, in the column `at`; null when none waits. */
export const nextDue = (endpoint: string): Sql =>
  sql`SELECT min(at) AS at FROM (SELECT * FROM (SELECT nextAt AS at FROM webhook_deliveries WHERE endpoint = ${endpoint} AND state IN ('queued', 'waiting') ORDER BY seq LIMIT 1) UNION ALL SELECT * FROM (SELECT nextAt AS at FROM webhook_deliveries WHERE endpoint = ${endpoint} AND state = 'retrying' ORDER BY nextAt LIMIT 1))`

/** What `nextDue` answers, in milliseconds since the epoch. */
export const nextOf = (rows: readonly Row[] | undefined): number | null =>
  typeof rows?.[0]?.at === "string" ? Date.parse(rows[0].at) : null
