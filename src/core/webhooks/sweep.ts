import type { App } from "../../platform/app.ts"
import { sql } from "../../platform/sql.ts"
import { schedule } from "../jobs/schedule.ts"

/** How long is kept what was sent. */
const keptDays = 30
const sweptRows = 1_000

/** Deletes deliveries that ended long ago, with their attempts. One trip for a thousand. */
export async function sweepDeliveries(app: App): Promise<void> {
  const before = new Date(app.now() - keptDays * 86_400_000).toISOString()
  const old = sql`SELECT id FROM webhook_deliveries WHERE finishedAt IS NOT NULL AND finishedAt < ${before} ORDER BY finishedAt LIMIT ${sweptRows}`
  for (let full = true; full; ) {
    const results = await app.db.batch([
      sql`DELETE FROM webhook_attempts WHERE delivery IN (${old})`,
      sql`DELETE FROM webhook_deliveries WHERE id IN (${old}) RETURNING id`,
    ])
    full = results[1]?.length === sweptRows
  }
}

export const webhooksSweep = schedule("webhooks.sweep", {
  cron: "47 * * * *",
  everywhere: true,
  priority: "low",
  run: ({ app }) => sweepDeliveries(app),
})
