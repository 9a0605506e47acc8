import type { z } from "zod"
import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { allOf, type Sql, sql } from "../../platform/sql.ts"
import { insertJobs, newJob } from "../jobs/enqueue.ts"
import { applyJob } from "./apply-job.ts"
import {
  conditionsOf,
  detailsOf,
  type EventDetails,
  getEvent,
  itsJob,
  selectEvent,
} from "./events.ts"
import type { InboundHooks } from "./hook.ts"
import type { newReplay, replay } from "./schema.ts"

/*
 * Applying once more. It is the same job with the same key, so whatever it made by `idFor` it finds again, and what had
 * been done by halves goes on from its last step.
 */

/**
 * Applies an event again, whether or not it has been. Two trips.
 *
 * @throws {Problem} `not_found`; `conflict` while it is being applied, and where this deployment has no hook for it.
 */
export async function replayEvent(
  app: App,
  hooks: InboundHooks,
  id: string,
): Promise<EventDetails> {
  const { source } = await getEvent(app, id)
  const hook = hooks.get(source)
  if (!hook) throw new Problem("conflict", "This deployment has no such hook any more.")
  const one = sql`e.id = ${id}`
  const [restarted, made, , row] = await app.db.batch([
    restart(app, one),
    // Its job may have been deleted.
    sql`${insertJobs(app, [newJob(applyJob(hook), { event: id }, { key: id })])} RETURNING id`,
    marked(allOf([one, isAboutToStart(app)])),
    selectEvent(id),
  ])
  if (!restarted?.length && !made?.length) throw new Problem("conflict", "It is being applied.")
  app.wake("jobs")
  return detailsOf(row?.[0])
}

/** In one call, oldest first. */
const mostReplayed = 1_000

/** Applies again what has failed, the oldest first, also what has lost its job. Two trips. */
export async function replayFailed(
  app: App,
  hooks: InboundHooks,
  { source, since, until }: z.output<typeof newReplay>,
): Promise<z.output<typeof replay>> {
  const failed = allOf(conditionsOf({ source, since, until, state: "failed" }))
  const known = sql`e.source IN (SELECT value FROM json_each(${JSON.stringify([...hooks.keys()])}))`
  const rows = await app.db.all(
    sql`SELECT e.id, e.source, j.id AS job FROM inbound_events e LEFT JOIN jobs j ON ${itsJob} WHERE ${failed} AND ${known} ORDER BY e.id LIMIT CAST(${mostReplayed} AS INTEGER)`,
  )
  if (rows.length === 0) return { replayed: 0, more: false }
  const chosen = sql`SELECT value FROM json_each(${JSON.stringify(rows.map(({ id }) => id))})`
  const without = rows.flatMap((row) => {
    const hook = row.job === null && hooks.get(row.source as string)
    return hook
      ? [newJob(applyJob(hook), { event: row.id as string }, { key: row.id as string })]
      : []
  })
  const [restarted = [], made = []] = await app.db.batch([
    restart(app, sql`e.id IN (${chosen})`),
    ...(without.length > 0 ? [sql`${insertJobs(app, without)} RETURNING id`] : []),
    marked(allOf([sql`e.id IN (${chosen})`, isAboutToStart(app)])),
  ])
  const replayed = restarted.length + (without.length > 0 ? made.length : 0)
  if (replayed > 0) app.wake("jobs")
  return { replayed, more: rows.length === mostReplayed }
}

/** Jobs of those events `e`, unless they are on their way. */
function restart(app: App, which: Sql): Sql {
  const now = new Date(app.now()).toISOString()
  const ids = sql`SELECT j.id FROM inbound_events e JOIN jobs j ON ${itsJob} WHERE ${which}`
  return sql`UPDATE jobs SET state = 'waiting', runAt = ${now}, attempts = 0, finishedAt = NULL, cancelRequestedAt = NULL, requestId = ${app.requestId} WHERE id IN (${ids}) AND state IN ('waiting', 'succeeded', 'cancelled', 'dead') RETURNING id`
}

/** Restarted or made by this request. */
const isAboutToStart = ({ requestId }: App): Sql =>
  sql`EXISTS (SELECT 1 FROM jobs j WHERE ${itsJob} AND j.requestId = ${requestId})`

const marked = (which: Sql): Sql =>
  sql`UPDATE inbound_events AS e SET appliedAt = NULL, replays = replays + 1 WHERE ${which}`
