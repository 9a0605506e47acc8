import type { App } from "../../platform/app.ts"
import { raw, sql } from "../../platform/sql.ts"
import { schedule } from "../jobs/schedule.ts"
import { keyOf } from "./files.ts"

/** Longer than any request takes to send a file. */
const abandonedMilliseconds = 86_400_000

/** What R2 deletes in one call. */
const sweptFiles = 1_000

/**
 * Deletes what nobody can reach any more: uploads that were given up a day ago, files whose owner has deleted their account or
 * whose organisation has no members, and the content of what was deleted. Two trips for a thousand, and two for ten thousand
 * holders of files.
 */
export async function sweepFiles(app: App): Promise<void> {
  const before = new Date(app.now() - abandonedMilliseconds).toISOString()
  // First they are given up in the database: an upload that ends at this moment finds that out.
  await app.db.batch([
    sql`UPDATE files SET state = 'deleted' WHERE state = 'uploading' AND createdAt < ${before}`,
    sql`UPDATE files SET state = 'deleted' WHERE state = 'stored' AND createdAt < ${before} AND organisation IS NOT NULL AND NOT EXISTS (SELECT 1 FROM member_organisations o WHERE o.organisation = files.organisation)`,
  ])
  await giveUpFilesOfDeletedAccounts(app)
  for (let swept = sweptFiles; swept === sweptFiles; ) {
    const rows = await app.db.all(
      sql`SELECT id FROM files WHERE state = 'deleted' ORDER BY id LIMIT ${raw(String(sweptFiles))}`,
    )
    const ids = rows.map(({ id }) => id as string)
    if (ids.length === 0) return
    await app.blobs.delete(ids.map(keyOf))
    await app.db.all(
      sql`DELETE FROM files WHERE id IN (SELECT value FROM json_each(${JSON.stringify(ids)})) AND state = 'deleted'`,
    )
    swept = ids.length
  }
}

/** In one parameter. */
const askedHolders = 10_000

/** Accounts end in the directory, which may be another database: each holder of files is looked up there. */
async function giveUpFilesOfDeletedAccounts(app: App): Promise<void> {
  for (let last = "", asked = askedHolders; asked === askedHolders; ) {
    const rows = await app.db.all(
      sql`SELECT holder FROM file_usage WHERE holder > ${last} AND files > 0 ORDER BY holder LIMIT ${raw(String(askedHolders))}`,
    )
    const holders = rows.map(({ holder }) => holder as string)
    asked = holders.length
    last = holders.at(-1) ?? ""
    const deleted = await app.directory.all(
      sql`SELECT id FROM users WHERE id IN (SELECT value FROM json_each(${JSON.stringify(holders)})) AND email = 'deleted:' || id`,
    )
    if (deleted.length === 0) continue
    const owners = JSON.stringify(deleted.map(({ id }) => id))
    await app.db.all(
      sql`UPDATE files SET state = 'deleted' WHERE state = 'stored' AND owner IN (SELECT value FROM json_each(${owners}))`,
    )
  }
}

export const filesSweep = schedule("files.sweep", {
  cron: "29 * * * *",
  priority: "low",
  everywhere: true,
  run: ({ app }) => (app.db.name === "directory" ? undefined : sweepFiles(app)),
})
