import type { App } from "../../platform/app.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { schedule } from "../jobs/schedule.ts"

const dayMilliseconds = 86_400_000

/** As long as the job of an operation, which knows by then no more than it does. */
const keptDays = 30

/** A file of which nothing came for so long comes no more: its sender was told nothing, and can tell nobody its id. */
export const receivingMilliseconds = 300_000

/** In one batch; an operation may have many parts and refusals. */
const sweptOperations = 10

/** Deletes operations that ended long ago, and files of which the rest never came. */
export async function sweepOperations(app: App): Promise<void> {
  const kept = new Date(app.now() - keptDays * dayMilliseconds).toISOString()
  await sweep(app, sql`finishedAt < ${kept} AND createdAt < ${kept} ORDER BY createdAt`)
  await sweep(app, brokenOff(app))
}

/** Of an operation, as SQL: its upload broke off. */
export const brokenOff = (app: App): Sql =>
  sql`state = 'receiving' AND receivedAt < ${new Date(app.now() - receivingMilliseconds).toISOString()}`

async function sweep(app: App, which: Sql): Promise<void> {
  const old = sql`SELECT id FROM bulk_operations WHERE ${which} LIMIT ${raw(String(sweptOperations))}`
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
  cron: "*/5 * * * *",
  priority: "low",
  everywhere: true,
  run: ({ app }) => (app.db.name === "directory" ? undefined : sweepOperations(app)),
})
