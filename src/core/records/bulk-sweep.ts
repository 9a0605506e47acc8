import type { App } from "../../platform/app.ts"
import { raw, sql } from "../../platform/sql.ts"
import { schedule } from "../jobs/schedule.ts"

const dayMilliseconds = 86_400_000

/** As long as the job of an operation, which knows by then no more than it does. */
const keptDays = 30

/** A file whose upload broke off stays for no one. */
const receivingDays = 1

/** In one batch; an operation may have many parts and refusals. */
const sweptOperations = 10

/** Deletes operations that ended long ago, and files of which the rest never came. */
export async function sweepOperations(app: App): Promise<void> {
  const daysAgo = (days: number) => new Date(app.now() - days * dayMilliseconds).toISOString()
  const old = sql`SELECT id FROM bulk_operations WHERE createdAt < ${daysAgo(receivingDays)} AND (state = 'receiving' OR finishedAt < ${daysAgo(keptDays)}) ORDER BY createdAt LIMIT ${raw(String(sweptOperations))}`
  for (let swept = sweptOperations; swept === sweptOperations; ) {
    const results = await app.db.batch([
      sql`DELETE FROM bulk_parts WHERE operation IN (${old})`,
      sql`DELETE FROM bulk_refusals WHERE operation IN (${old})`,
      sql`DELETE FROM bulk_operations WHERE id IN (${old}) RETURNING id`,
    ])
    swept = results[2]?.length ?? 0
  }
}

export const bulkSweep = schedule("records.bulkSweep", {
  cron: "51 * * * *",
  priority: "low",
  everywhere: true,
  run: ({ app }) => (app.db.name === "directory" ? undefined : sweepOperations(app)),
})
