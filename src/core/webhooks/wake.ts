import type { App } from "../../platform/app.ts"
import { describeError } from "../../platform/log.ts"
import { sql } from "../../platform/sql.ts"
import { schedule } from "../jobs/schedule.ts"

/** Objects that are called at the same time. */
const wokenAtATime = 50

/** Endpoints of one page of those that are looked for by the clock. */
const pageSize = 1_000

/** Tells the objects of endpoints that something waits. Throws what one of them threw, after all were called. */
export async function wakeEndpoints(app: App, endpoints: readonly string[]): Promise<void> {
  const failures: unknown[] = []
  for (let i = 0; i < endpoints.length; i += wokenAtATime) {
    const some = endpoints.slice(i, i + wokenAtATime)
    const calls = await Promise.allSettled(some.map((id) => app.wakeEndpoint(id)))
    for (const call of calls) if (call.status === "rejected") failures.push(call.reason)
  }
  if (failures.length > 0) throw failures[0]
}

/** The same of one, for whoever has committed already: what is lost here is made good by the clock. */
export const wakeLater = (app: App, endpoint: string): Promise<void> =>
  app.wakeEndpoint(endpoint).catch((error: unknown) => {
    app.log("warn", "webhook endpoint not woken", { endpoint, error: describeError(error) })
  })

/**
 * Wakes whoever has something due, because a process may die between a commit and the call that it makes then, and the
 * platform gives up an alarm that fails too often. One trip for a thousand endpoints.
 */
export async function wakeDue(app: App): Promise<void> {
  const at = new Date(app.now()).toISOString()
  let after: string | undefined = ""
  while (after !== undefined) {
    const rows = await app.db.all(
      sql`SELECT e.id FROM webhook_endpoints e WHERE e.id > ${after} AND e.enabled = 1 AND (e.pausedUntil IS NULL OR e.pausedUntil <= ${at})
AND (EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint = e.id AND d.state IN ('queued', 'waiting') AND d.nextAt <= ${at})
OR EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint = e.id AND d.state = 'retrying' AND d.nextAt <= ${at})) ORDER BY e.id LIMIT CAST(${pageSize} AS INTEGER)`,
    )
    const ids: string[] = rows.map(({ id }) => id as string)
    await wakeEndpoints(app, ids)
    after = ids.length === pageSize ? ids.at(-1) : undefined
  }
}

export const webhooksWake = schedule("webhooks.wake", {
  cron: "*/5 * * * *",
  everywhere: true,
  run: ({ app }) => wakeDue(app),
})
