import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"
import { assertReadable } from "./list.ts"
import type { ApiRecord } from "./selection.ts"
import {
  bitsOf,
  type Differences,
  deletionQuery,
  differences,
  headOfLine,
  isSeen,
  type Line,
  lineColumns,
  lineOf,
  linesOf,
  nowQuery,
  readableFields,
  type VersionHead,
  versionRecord,
  versionSource,
} from "./versions.ts"
import type { View } from "./view.ts"

/** The request's reach into history: who asks for which collection. */
export interface HistoryReach {
  readonly app: App
  readonly view: View
  readonly collections: LinkedCollections
  readonly collection: LinkedCollection
}

/** A version in a list: who changed what, when. */
export interface HistoryItem extends VersionHead {
  /** Null where the version before is hidden from the reader; empty for a deletion. */
  readonly changes: Differences | null
}

/** A version by itself. */
export interface HistoryVersion extends HistoryItem {
  /** The record as it was; for a deletion, as it last was. */
  readonly record: ApiRecord
}

export interface HistoryPage {
  /** The newest first. */
  readonly items: readonly HistoryItem[]
  readonly next: string | null
}

/**
 * A page of the versions of a record, one trip. A page looks at `limit` versions and shows those that the actor may see,
 * which may be fewer, or none.
 *
 * @param before only versions below this one
 * @throws {Problem} `not_found`, `unauthenticated`
 */
export async function listHistory(
  reach: HistoryReach,
  id: string,
  limit: number,
  before: number | null,
): Promise<HistoryPage> {
  const which = before === null ? raw("1") : sql`c.version < ${before}`
  const found = await readVersions(reach, id, which, limit + 1)
  const shown = found.lines.slice(0, limit)
  return {
    items: shown.flatMap((line, i) =>
      line.seen ? [itemOf(reach, found, line, found.lines[i + 1])] : [],
    ),
    next: found.lines.length > limit ? String(shown.at(-1)?.version) : null,
  }
}

/** @throws {Problem} `not_found`, `unauthenticated` */
export async function getVersion(
  reach: HistoryReach,
  id: string,
  version: number,
): Promise<HistoryVersion> {
  const found = await readVersions(reach, id, sql`c.version <= ${version}`, 2)
  const [line, before] = found.lines
  if (line?.version !== version || !line.seen) throw new Problem("not_found")
  return { ...itemOf(reach, found, line, before), record: recordOf(reach, found, line) }
}

/**
 * The record as it was at an instant (ISO 8601 UTC): the last version that had been written by then. One trip.
 *
 * @throws {Problem} `not_found` also where it did not exist then; `unauthenticated`
 */
export async function getRecordAsOf(
  reach: HistoryReach,
  id: string,
  instant: string,
): Promise<ApiRecord> {
  const which = sql`c.version <= ${versionAt(reach.collection, id, instant)}`
  const found = await readVersions(reach, id, which, 1)
  const [line] = found.lines
  if (!line?.seen || line.kind === "deleted") throw new Problem("not_found")
  return recordOf(reach, found, line)
}

/** People are the directory's: what they were once is nobody's business. */
export const withoutHistory = "There is no such collection, or it keeps no history."

/** Versions of a record, and the record as it is now, or last was. */
export interface Versions {
  /** Null for a record that does not exist any more. */
  readonly version: number | null
  /** Which of its fields with a rule of their own may be read. */
  readonly rights: readonly boolean[]
  /** The newest first, seen or not. */
  readonly lines: readonly Line[]
  /** The line with which it ended. */
  readonly deletion: Line | null
}

/**
 * The first `take` versions that satisfy `which` (SQL about `c`), the newest first. One trip.
 *
 * @throws {Problem} `not_found` unless the actor sees the record now, or as it last was; `unauthenticated`
 */
export async function readVersions(
  { app, view, collections, collection }: HistoryReach,
  id: string,
  which: Sql,
  take: number,
): Promise<Versions> {
  if (collection.builtIn) throw new Problem("not_found", withoutHistory)
  assertReadable(view, collection)
  const lines = raw("changes")
  const image = versionSource(collection)
  const columns = lineColumns(view, collections, collection, isSeen(view, collection, image), image)
  const { actor } = view
  const [now, deleted, found, epoch] = (await app.db.batch([
    nowQuery(view, collection, id),
    deletionQuery(view, collections, collection, lines, id),
    sql`SELECT ${columns} FROM ${linesOf(collection, lines, id)} AND ${which} ORDER BY c.version DESC LIMIT ${raw(String(take))}`,
    ...(actor.kind === "user" ? [epochProbe(actor)] : []),
  ])) as [Row[], Row[], Row[], Row[]?]
  assertEpoch(actor, epoch)
  const record = now[0]
  const deletion = !record && deleted[0] ? lineOf(deleted[0]) : null
  if (record ? record.seen !== 1 : !deletion?.seen) throw new Problem("not_found")
  return {
    version: record ? (record.version as number) : null,
    rights: record ? bitsOf(record.rights) : (deletion?.rights ?? []),
    lines: found.map(lineOf),
    deletion,
  }
}

function itemOf(
  { view, collection }: HistoryReach,
  found: Versions,
  line: Line,
  before: Line | undefined,
): HistoryItem {
  const head = headOfLine(line)
  if (line.kind === "deleted") return { ...head, changes: {} }
  if (line.kind === "created") {
    const fields = readableFields(view, collection, found.rights, line.rights)
    return { ...head, changes: differences(null, line.image, fields) }
  }
  // What a hidden version was changed from, and in which fields, is as hidden as it is.
  if (!before?.seen) return { ...head, changes: null }
  const fields = readableFields(view, collection, found.rights, line.rights, before.rights)
  return { ...head, changes: differences(before.image, line.image, fields) }
}

const recordOf = ({ view, collection }: HistoryReach, found: Versions, line: Line): ApiRecord =>
  versionRecord(line.image, readableFields(view, collection, found.rights, line.rights))

/**
 * SQL for the version that stood at an instant; null when there was none. Versions follow each other in time, so it is
 * searched for by halves: a record with a hundred thousand versions costs some forty rows.
 */
function versionAt({ name }: LinkedCollection, id: string, instant: string): Sql {
  const of = sql`l.subject = ${name} AND l.record = ${id}`
  const atOrBelow = (version: string) =>
    sql`(SELECT l.at FROM changes l WHERE ${of} AND l.version <= ${raw(version)} ORDER BY l.version DESC LIMIT 1)`
  return sql`(WITH RECURSIVE halves (low, high) AS (
SELECT (SELECT min(l.version) FROM changes l WHERE ${of}) - 1, (SELECT max(l.version) FROM changes l WHERE ${of}) + 1
UNION ALL
SELECT CASE WHEN ${atOrBelow("(low + high) / 2")} <= ${instant} THEN (low + high) / 2 ELSE low END, CASE WHEN ${atOrBelow("(low + high) / 2")} <= ${instant} THEN high ELSE (low + high) / 2 END FROM halves WHERE high - low > 1)
SELECT low FROM halves WHERE high - low = 1)`
}
