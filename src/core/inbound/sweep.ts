import type { App } from "../../platform/app.ts"
import { firstIdAt } from "../../platform/ids.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { schedule } from "../jobs/schedule.ts"
import { itsJob } from "./events.ts"
import { defaultRetentionDays, type InboundHooks } from "./hook.ts"

const dayMilliseconds = 86_400_000

/** In one statement; bodies may have a megabyte each. */
const sweptRows = 500

/** Deletes events that have been kept long enough, unless they wait to be applied. One trip, and one for each 500 of a source. */
export async function sweepEvents(app: App, hooks: InboundHooks): Promise<void> {
  const swept: Sql[] = [...hooks.values()].map(({ source, options: { retentionDays } }) =>
    oldest(app, sql`e.source = ${source}`, retentionDays),
  )
  for (const { source } of await app.db.all(unknownSources([...hooks.keys()]))) {
    swept.push(oldest(app, sql`e.source = ${source as string}`))
  }
  for (let full = swept.length > 0; full; ) {
    const results = await app.db.batch(swept)
    full = results.some((rows) => rows.length === sweptRows)
  }
}

/** Those that no hook of this deployment knows any more, from one to the next by the index. */
const unknownSources = (known: readonly string[]): Sql =>
  sql`WITH RECURSIVE sources(source) AS (SELECT min(source) FROM inbound_events UNION ALL SELECT (SELECT min(e.source) FROM inbound_events e WHERE e.source > k.source) FROM sources k WHERE k.source IS NOT NULL) SELECT source FROM sources WHERE source IS NOT NULL AND source NOT IN (SELECT value FROM json_each(${JSON.stringify(known)}))`

function oldest(app: App, which: Sql, days = defaultRetentionDays): Sql {
  const before = firstIdAt(app.now() - days * dayMilliseconds)
  const idle = sql`NOT EXISTS (SELECT 1 FROM jobs j WHERE ${itsJob} AND j.finishedAt IS NULL)`
  return sql`DELETE FROM inbound_events WHERE id IN (SELECT e.id FROM inbound_events e WHERE ${which} AND e.id < ${before} AND ${idle} ORDER BY e.id LIMIT CAST(${sweptRows} AS INTEGER)) RETURNING id`
}

export const inboundSweep = (hooks: InboundHooks) =>
  schedule("hooks.sweepEvents", {
    cron: "29 * * * *",
    priority: "low",
    run: ({ app }) => sweepEvents(app, hooks),
  })
