import type { z } from "zod"
import type { App } from "../../platform/app.ts"
import { mergePatch } from "../../platform/merge-patch.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import { join, raw, type Sql, sql } from "../../platform/sql.ts"
import { describeIssue } from "../../platform/validate.ts"
import { insertJobs, laneOf, newJob } from "./enqueue.ts"
import { priorities } from "./job.ts"
import { detailsOf, type JobDetails, jobQueries } from "./listing.ts"
import type { Registry } from "./registry.ts"
import { schedulesOf } from "./schedules.ts"
import type { jobPatch } from "./schema.ts"
import { type JobState, storedJob } from "./stored-job.ts"

/* What administrators do to jobs. Each is one batch whose UPDATE names the states that it may start from. */

/**
 * Changes what a job is to do, when, or how soon it is chosen. A payload is merged (RFC 7396), and has to be one that its
 * kind takes.
 *
 * @throws {Problem} `invalid_input`, `not_found`; `conflict` while it runs, and when it has succeeded.
 */
export async function editJob(
  app: App,
  registry: Registry<never>,
  id: string,
  patch: z.output<typeof jobPatch>,
): Promise<JobDetails> {
  // What was held may not have to be any more: the dispatcher decides anew.
  const set: Sql[] = [raw("state = CASE state WHEN 'held' THEN 'waiting' ELSE state END")]
  if ("payload" in patch) {
    const [row] = await app.db.all(jobQueries(id)[0])
    if (!row) throw new Problem("not_found")
    const { name, version, payload } = storedJob(row)
    const merged = mergePatch(JSON.parse(payload), patch.payload)
    set.push(...newPayload(registry, name, version, merged))
  }
  if (patch.runAt) set.push(sql`runAt = ${patch.runAt}`)
  if (patch.priority) {
    set.push(sql`priority = CAST(${priorities.indexOf(patch.priority)} AS INTEGER)`)
  }
  return change(
    app,
    id,
    join(set),
    ["waiting", "held", "dead", "cancelled"],
    "It runs, or has run.",
  )
}

/** With the lane that goes with it. A payload of an older version is edited as it is: whether it is one is seen when it runs. */
function newPayload(
  registry: Registry<never>,
  name: string,
  version: number,
  payload: unknown,
): Sql[] {
  const set = [sql`payload = ${JSON.stringify(payload ?? null)}`]
  const job = registry.jobs.get(name)
  if (!job || (job.options.version ?? 1) !== version) return set
  const parsed = job.options.payload.safeParse(payload)
  if (!parsed.success) {
    const errors = parsed.error.issues.flatMap(describeIssue)
    throw invalidInput(...errors.map((error) => ({ ...error, path: pathIn(error.path) })))
  }
  const { lane, laneLimit } = laneOf(job, parsed.data)
  return [...set, sql`lane = ${lane}`, sql`laneLimit = CAST(${laneLimit} AS INTEGER)`]
}

const pathIn = (path: string): string => (path === "body" ? "payload" : `payload.${path}`)

/**
 * What has not started is cancelled at once; a run is told to stop at its next step or sign of life.
 *
 * @throws {Problem} `not_found`; `conflict` when it has ended.
 */
export function cancelJob(app: App, id: string): Promise<JobDetails> {
  const now = new Date(app.now()).toISOString()
  // A running one stays so: the states on the right of each assignment are those before.
  const running = raw("state = 'running'")
  const set = sql`cancelRequestedAt = coalesce(cancelRequestedAt, ${now}), finishedAt = CASE WHEN ${running} THEN NULL ELSE ${now} END, leaseUntil = CASE WHEN ${running} THEN leaseUntil END, state = CASE WHEN ${running} THEN state ELSE 'cancelled' END`
  return change(app, id, set, ["waiting", "held", "queued", "running"], "It has ended.")
}

/**
 * Runs a job again that was given up or cancelled, or one that waits for its next attempt now. It goes on from its last
 * step, with all its attempts before it.
 *
 * @throws {Problem} `not_found`; `conflict` while it runs, and when it has succeeded.
 */
export function retryJob(app: App, id: string): Promise<JobDetails> {
  const now = new Date(app.now()).toISOString()
  const set = sql`state = 'waiting', runAt = ${now}, attempts = 0, finishedAt = NULL, cancelRequestedAt = NULL`
  return change(
    app,
    id,
    set,
    ["waiting", "dead", "cancelled"],
    "It is about to run, runs, or has run.",
  )
}

/** @throws {Problem} `not_found`; `conflict` when it has not ended. */
export async function deleteJob(app: App, id: string): Promise<void> {
  const ended = raw("state IN ('succeeded', 'cancelled', 'dead')")
  const [, deleted, left] = await app.db.batch([
    sql`DELETE FROM job_steps WHERE job IN (SELECT id FROM jobs WHERE id = ${id} AND ${ended})`,
    sql`DELETE FROM jobs WHERE id = ${id} AND ${ended} RETURNING id`,
    sql`SELECT 1 FROM jobs WHERE id = ${id}`,
  ])
  if (deleted?.length) return
  throw left?.length
    ? new Problem("conflict", "It has not ended: cancel it first.")
    : new Problem("not_found")
}

/** Starts what a schedule would start, now. @throws {Problem} `not_found` */
export async function runSchedule(
  app: App,
  registry: Registry<never>,
  name: string,
): Promise<JobDetails> {
  const own = schedulesOf(registry.schedules, app.db.name)
  const found = own.find(({ schedule }) => schedule.name === name)
  if (!found) throw new Problem("not_found")
  const { job } = found.schedule
  const now = new Date(app.now()).toISOString()
  const [row] = await app.db.all(sql`SELECT sinceAt FROM job_schedules WHERE name = ${name}`)
  const since = (row?.sinceAt as string | undefined) ?? now
  const wanted = newJob(job, { since, dueAt: now }, { key: `schedule/${name}/${now}` })
  const [, rows = []] = await app.db.batch([
    insertJobs(app, [wanted]),
    sql`SELECT * FROM jobs WHERE name = ${job.name} AND key = ${wanted.key as string}`,
  ])
  app.wake("jobs")
  return detailsOf(rows[0], [])
}

async function change(
  app: App,
  id: string,
  set: Sql,
  from: readonly JobState[],
  otherwise: string,
): Promise<JobDetails> {
  const states = raw(from.map((state) => `'${state}'`).join(", "))
  const [, changed, row, steps] = await app.db.batch([
    // It may have been the one for which others of its lane are held. One too many is held again.
    sql`UPDATE jobs SET state = 'waiting' WHERE id = (SELECT h.id FROM jobs h WHERE h.state = 'held' AND h.lane = (SELECT lane FROM jobs WHERE id = ${id}) AND h.id <> ${id} AND EXISTS (SELECT 1 FROM jobs WHERE id = ${id} AND state IN (${states})) ORDER BY h.priority, h.runAt, h.id LIMIT 1)`,
    sql`UPDATE jobs SET ${set} WHERE id = ${id} AND state IN (${states}) RETURNING id`,
    ...jobQueries(id),
  ])
  const details = detailsOf(row?.[0], steps ?? [])
  if (!changed?.length) throw new Problem("conflict", otherwise)
  app.wake("jobs")
  return details
}
