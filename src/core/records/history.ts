import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { archivedPlaces, archivedRows, loadArchived, type Place } from "../changes/archive.ts"
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
 * A page of the versions of a record, one trip. A page looks at `limit` versions (fewer where it reads many segments of the archive) and shows those that the actor may see,
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
  const which = () => (before === null ? raw("1") : sql`c.version < ${before}`)
  const found = await readVersions(reach, id, which, limit + 1)
  // Where the archive was too much for one page, the last line is only what the one before was made from.
  const shown = found.lines.slice(0, found.cut ? found.lines.length - 1 : limit)
  return {
    items: shown.flatMap((line, i) =>
      line.seen ? [itemOf(reach, found, line, found.lines[i + 1])] : [],
    ),
    next: found.lines.length > shown.length ? String(shown.at(-1)?.version) : null,
  }
}

/** @throws {Problem} `not_found`, `unauthenticated` */
export async function getVersion(
  reach: HistoryReach,
  id: string,
  version: number,
): Promise<HistoryVersion> {
  const found = await readVersions(reach, id, () => sql`c.version <= ${version}`, 2)
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
  const which = (table: Sql) => sql`c.version <= ${versionAt(reach.collection, id, instant, table)}`
  const found = await readVersions(reach, id, which, 1)
  const [line] = found.lines
  if (!line?.seen || line.kind === "deleted") throw new Problem("not_found")
  return recordOf(reach, found, line)
}

/** People are the directory's: what they were once is nobody's business. */
export const withoutHistory = "There is no such collection, or it keeps no history."

/** Versions of a record, and the record as it is now, or last was. */
export interface Versions {
  /** Which of the fields with a rule of their own may be read of the record now. */
  readonly rights: readonly boolean[]
  /** The newest first, seen or not. */
  readonly lines: readonly Line[]
  /** True where there were more, but the archive was too much for one request. */
  readonly cut: boolean
  /** The line with which the record ended; null while it is there. */
  readonly deletion: Line | null
}

/**
 * The first `take` versions that satisfy `which` (SQL about `c`, for either table of lines), the newest first. One trip;
 * two, and calls to R2, where some of them are archived.
 *
 * @throws {Problem} `not_found` unless the actor sees the record now, or as it last was; `unauthenticated`
 */
export async function readVersions(
  reach: HistoryReach,
  id: string,
  which: (table: Sql) => Sql,
  take: number,
): Promise<Versions> {
  const { app, view, collections, collection } = reach
  if (collection.builtIn) throw new Problem("not_found", withoutHistory)
  assertReadable(view, collection)
  const [changes, archived] = [raw("changes"), raw("archived_changes")]
  const limit = raw(`ORDER BY c.version DESC LIMIT ${take}`)
  const own = sql`c.subject = ${collection.name} AND c.record = ${id}`
  const { actor } = view
  const [now, deleted, found, places, latest, epoch] = (await app.db.batch([
    nowQuery(view, collection, id),
    deletionQuery(view, collections, collection, changes, id),
    sql`${lineQuery(reach, changes, id)} AND ${which(changes)} ${limit}`,
    archivedPlaces(sql`${own} AND ${which(archived)} ${limit}`),
    archivedPlaces(sql`${own} ORDER BY c.version DESC LIMIT 1`),
    ...(actor.kind === "user" ? [epochProbe(actor)] : []),
  ])) as [Row[], Row[], Row[], Row[], Row[], Row[]?]
  assertEpoch(actor, epoch)
  const [record] = now
  // Whether the actor sees it now decides before the archive is asked, where that can be known.
  if (record && record.seen !== 1) throw new Problem("not_found")
  const past = await fromArchive(reach, id, {
    found: found.map(lineOf),
    places: places as unknown as Place[],
    // The record ended so long ago that its last line is archived too.
    end: record || deleted[0] ? undefined : (latest[0] as unknown as Place | undefined),
    take,
  })
  const deletion = record ? null : deleted[0] ? lineOf(deleted[0]) : past.deletion
  if (!record && !deletion?.seen) throw new Problem("not_found")
  return {
    rights: record ? bitsOf(record.rights) : (deletion?.rights ?? []),
    lines: past.lines,
    cut: past.cut,
    deletion,
  }
}

/** The lines of a record out of `lines`, to be narrowed further. */
function lineQuery({ view, collections, collection }: HistoryReach, lines: Sql, id: string): Sql {
  const image = versionSource(collection)
  const columns = lineColumns(view, collections, collection, isSeen(view, collection, image), image)
  return sql`SELECT ${columns} FROM ${linesOf(collection, lines, id)}`
}

/** Lays what is archived beside what was found in the database. */
async function fromArchive(
  reach: HistoryReach,
  id: string,
  {
    found,
    places,
    end,
    take,
  }: {
    found: readonly Line[]
    places: readonly Place[]
    end: Place | undefined
    take: number
  },
): Promise<Pick<Versions, "lines" | "cut" | "deletion">> {
  const { app, view, collections, collection } = reach
  const newest = [...found, ...places].sort((a, b) => b.version - a.version).slice(0, take)
  const older = newest.filter((one): one is Place => "key" in one)
  const wanted = end && older[0]?.seq !== end.seq ? [end, ...older] : older
  if (wanted.length === 0) return { lines: found, cut: false, deletion: null }
  const loaded = await loadArchived(app.archive, wanted)
  const pieces = archivedRows(loaded)
  const last = end && loaded.filter(({ seq }) => seq === end.seq)
  const results = await app.db.batch([
    ...pieces.map((lines) => lineQuery(reach, lines, id)),
    ...(last
      ? archivedRows(last).map((lines) => deletionQuery(view, collections, collection, lines, id))
      : []),
  ])
  const rows = results.slice(0, pieces.length).flat().map(lineOf)
  const ended = last && results.at(-1)?.[0]
  const lines = new Map([...found, ...rows].map((line) => [line.seq, line]))
  // Up to the first that was not loaded.
  const missing = newest.findIndex(({ seq }) => !lines.has(seq))
  const whole = missing < 0 ? newest : newest.slice(0, missing)
  return {
    lines: whole.map(({ seq }) => lines.get(seq) as Line),
    cut: missing >= 0,
    deletion: ended ? lineOf(ended) : null,
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
 * SQL for the version among `table` that stood at an instant; null when there was none. Versions follow each other in
 * time, so it is searched for by halves: a record with a hundred thousand versions costs some forty rows.
 */
function versionAt({ name }: LinkedCollection, id: string, instant: string, table: Sql): Sql {
  const of = sql`l.subject = ${name} AND l.record = ${id}`
  const atOrBelow = (version: string) =>
    sql`(SELECT l.at FROM ${table} l WHERE ${of} AND l.version <= ${raw(version)} ORDER BY l.version DESC LIMIT 1)`
  return sql`(WITH RECURSIVE halves (low, high) AS (
SELECT (SELECT min(l.version) FROM ${table} l WHERE ${of}) - 1, (SELECT max(l.version) FROM ${table} l WHERE ${of}) + 1
UNION ALL
SELECT CASE WHEN ${atOrBelow("(low + high) / 2")} <= ${instant} THEN (low + high) / 2 ELSE low END, CASE WHEN ${atOrBelow("(low + high) / 2")} <= ${instant} THEN high ELSE (low + high) / 2 END FROM halves WHERE high - low > 1)
SELECT low FROM halves WHERE high - low = 1)`
}
