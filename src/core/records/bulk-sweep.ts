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

/** In one batch: two megabytes each at most, and D1 gives a batch 30 s. */
const sweptParts = 200

/** Deletes operations that ended long ago, and files of which the rest never came. */
export async function sweepOperations(app: App): Promise<void> {
  const kept = new Date(app.now() - keptDays * dayMilliseconds).toISOString()
  const ended = sql`finishedAt < ${kept} AND createdAt < ${kept} ORDER BY createdAt`
  const old = sql`SELECT id FROM bulk_operations WHERE ${ended} LIMIT ${raw(String(sweptOperations))}`
  for (let swept = sweptOperations; swept === sweptOperations; ) {
    const results = await app.db.batch([
      sql`DELETE FROM bulk_parts WHERE operation IN (${old})`,
      sql`DELETE FROM bulk_refusals WHERE operation IN (${old})`,
      sql`DELETE FROM bulk_operations WHERE id IN (${old}) RETURNING id`,
    ])
    swept = results[2]?.length ?? 0
  }
  await dropReceiving(app, brokenOff(app))
}

/** Of an operation, as SQL: its upload broke off. */
export const brokenOff = (app: App): Sql =>
  sql`state = 'receiving' AND receivedAt < ${new Date(app.now() - receivingMilliseconds).toISOString()}`

/** Of an operation, as SQL: nothing more of it is taken, and what came goes. No time is before this one. */
const givenUp = raw("state = 'receiving' AND receivedAt = ''")

/** Of an operation, as SQL: more of its file may come. */
export const receiving = raw("state = 'receiving' AND receivedAt > ''")

/**
 * Deletes operations that are still to be received, with their parts, a slice a trip. They are marked first: an upload that
 * goes on finds no place any more, and what is left when this is killed is for the next sweep.
 */
export async function dropReceiving(app: App, which: Sql): Promise<void> {
  const slice = [
    sql`DELETE FROM bulk_parts WHERE rowid IN (SELECT p.rowid FROM bulk_operations o JOIN bulk_parts p ON p.operation = o.id WHERE ${givenUp} LIMIT ${raw(String(sweptParts))}) RETURNING position`,
    sql`DELETE FROM bulk_operations WHERE ${givenUp} AND NOT EXISTS (SELECT 1 FROM bulk_parts p WHERE p.operation = id)`,
  ]
  const mark = sql`UPDATE bulk_operations SET receivedAt = '' WHERE ${which}`
  let [, swept] = await app.db.batch([mark, ...slice])
  while (swept?.length === sweptParts) [swept] = await app.db.batch(slice)
}

export const bulkSweep = schedule("records.bulkSweep", {
  cron: "*/5 * * * *",
  priority: "low",
  everywhere: true,
  run: ({ app }) => (app.db.name === "directory" ? undefined : sweepOperations(app)),
})
