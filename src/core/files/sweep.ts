import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { describeError } from "../../platform/log.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { schedule } from "../jobs/schedule.ts"
import type { LinkedCollections } from "../records/link.ts"
import { keyOf } from "./files.ts"
import { receiverOf } from "./receiver.ts"
import { scanAgain } from "./scan-job.ts"
import { isFree } from "./uploads.ts"
import { sweepVariants } from "./variants-sweep.ts"

/** Longer than any request takes to send a file. */
const abandonedMilliseconds = 2 * 3_600_000

const dayMilliseconds = 86_400_000

/** What R2 deletes in one call. */
const sweptFiles = 1_000

/**
 * Deletes what nobody can reach any more: uploads that were given up two hours ago, or whose time is over, past the Worker
 * too (until then their rows stay, because something may still come); files that came for a record and were
 * given to none in a day, that records have let go of for longer than they are kept, whose owner's account or whose
 * organisation has been deleted, and the content of what was deleted. What a record holds stays. And has files looked at for
 * malware again that still wait. Two trips for a thousand,
 * and two for ten thousand holders of files.
 */
export async function sweepFiles(app: App, collections: LinkedCollections): Promise<void> {
  const free = isFree(collections)
  const now = new Date(app.now()).toISOString()
  const before = new Date(app.now() - abandonedMilliseconds).toISOString()
  // First they are given up in the database: an upload that ends at this moment finds that out.
  await app.db.all(
    // The second condition says again what the first does: it is the one of the index.
    sql`UPDATE files SET state = 'deleted' WHERE state = 'uploading' AND state <> 'stored' AND (coalesce(expiresAt, directUntil) IS NULL AND createdAt < ${before} OR coalesce(expiresAt, directUntil) <= ${now})`,
  )
  await giveUpReleased(app, free)
  await giveUpFilesOfNobody(app, free)
  await sweepVariants(app)
  await scanAgain(app)
  for (let swept = sweptFiles, last = ""; swept === sweptFiles; ) {
    const rows = await app.db.all(
      sql`SELECT id, expiresAt IS NOT NULL AS resumable FROM files WHERE state = 'deleted' AND state <> 'stored' AND (directUntil IS NULL OR directUntil <= ${now}) AND id > ${last} ORDER BY id LIMIT ${raw(String(sweptFiles))}`,
    )
    swept = rows.length
    last = (rows.at(-1)?.id as string | undefined) ?? ""
    const ids = await discarded(app, rows)
    if (ids.length === 0) continue
    await app.blobs.delete(ids.map(keyOf))
    await app.db.all(
      sql`DELETE FROM files WHERE id IN (SELECT value FROM json_each(${JSON.stringify(ids)})) AND state = 'deleted'`,
    )
  }
}

/** Of deployments with a day or more; what waits for its first record has a day in any case. */
async function giveUpReleased(app: App, free: Sql): Promise<void> {
  const before = (days: number) => new Date(app.now() - days * dayMilliseconds).toISOString()
  const kept = sql`(destination IS NOT NULL OR releasedAt < ${before(app.settings.files.retentionDays)})`
  await giveUp(app, sql`releasedAt < ${before(1)} AND ${kept} AND ${free}`)
}

/** A thousand at a time, so that no statement takes long, however many they are. */
async function giveUp(app: App, which: Sql): Promise<void> {
  const some = sql`SELECT id FROM files WHERE state = 'stored' AND ${which} LIMIT ${raw(String(sweptFiles))}`
  for (let given = sweptFiles; given === sweptFiles; ) {
    const rows = await app.db.all(
      sql`UPDATE files SET state = 'deleted' WHERE id IN (${some}) RETURNING id`,
    )
    given = rows.length
  }
}

/** Calls to objects at the same time. */
const discardedAtATime = 20

/** Ids of those of which nothing is left but, perhaps, content: what a failing object holds waits for the next sweep. */
async function discarded(app: App, rows: readonly Row[]): Promise<string[]> {
  const done = rows.filter(({ resumable }) => !resumable).map(({ id }) => id as string)
  const left = rows.filter(({ resumable }) => resumable).map(({ id }) => id as string)
  for (let at = 0; at < left.length; at += discardedAtATime) {
    await Promise.all(
      left.slice(at, at + discardedAtATime).map(async (id) => {
        try {
          await receiverOf(app, id).discard(id)
          done.push(id)
        } catch (error) {
          app.log("warn", "an upload is left to the next sweep", {
            file: id,
            error: describeError(error),
          })
        }
      }),
    )
  }
  return done
}

/** In one parameter. */
const askedHolders = 10_000

/**
 * Accounts and organisations end in the directory, which may be another database: each holder of files is looked up there,
 * and not in a projection of it, which may be behind. Service accounts are never deleted: theirs is over when they are disabled.
 */
async function giveUpFilesOfNobody(app: App, free: Sql): Promise<void> {
  for (let last = "", asked = askedHolders; asked === askedHolders; ) {
    const rows = await app.db.all(
      sql`SELECT holder FROM file_usage WHERE holder > ${last} AND files > 0 ORDER BY holder LIMIT ${raw(String(askedHolders))}`,
    )
    asked = rows.length
    last = (rows.at(-1)?.holder as string | undefined) ?? ""
    const holders = JSON.stringify(rows.map(({ holder }) => holder))
    const ended = await app.directory.all(
      sql`SELECT value AS holder FROM json_each(${holders}) WHERE NOT EXISTS (SELECT 1 FROM organisations o WHERE o.id = value) AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = value AND u.email <> 'deleted:' || u.id AND (u.kind <> 'service' OR u.disabledAt IS NULL))`,
    )
    if (ended.length === 0) continue
    const gone = sql`SELECT value FROM json_each(${JSON.stringify(ended.map(({ holder }) => holder))})`
    for (const column of [raw("owner"), raw("organisation")]) {
      await giveUp(app, sql`${column} IS NOT NULL AND ${column} IN (${gone}) AND ${free}`)
    }
  }
}

export const filesSweep = (collections: LinkedCollections) =>
  schedule("files.sweep", {
    cron: "29 * * * *",
    priority: "low",
    everywhere: true,
    run: ({ app }) => (app.db.name === "directory" ? undefined : sweepFiles(app, collections)),
  })
