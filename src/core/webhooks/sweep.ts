import type { App } from "../../platform/app.ts"
import { sql } from "../../platform/sql.ts"
import { schedule } from "../jobs/schedule.ts"
import { deleteDeliveries, removeEndpoints } from "./removal.ts"

/** How long is kept what was sent, and what waits while its endpoint is disabled. */
const keptDays = 30

/** Deletes deliveries that ended long ago, with their attempts. One trip for a thousand. */
export const sweepDeliveries = (app: App): Promise<void> =>
  deleteDeliveries(
    app,
    sql`SELECT id FROM webhook_deliveries WHERE finishedAt IS NOT NULL AND finishedAt < ${keptSince(app)} ORDER BY finishedAt, id`,
  )

/** The same of what waits for endpoints that were disabled long ago: nobody has asked for it since. */
export const sweepDisabled = (app: App): Promise<void> =>
  deleteDeliveries(
    app,
    sql`SELECT d.id FROM webhook_endpoints e JOIN webhook_deliveries d ON d.endpoint = e.id WHERE e.enabled = 0 AND e.disabledAt < ${keptSince(app)} AND d.finishedAt IS NULL ORDER BY d.id`,
  )

const keptSince = (app: App): string => new Date(app.now() - keptDays * 86_400_000).toISOString()

export const webhooksSweep = schedule("webhooks.sweep", {
  cron: "47 * * * *",
  everywhere: true,
  priority: "low",
  async run({ app }) {
    await sweepDeliveries(app)
    await sweepDisabled(app)
    await removeEndpoints(app)
  },
})
