import { join, raw, type Sql, sql } from "../../platform/sql.ts"
import { priorities } from "./job.ts"

/*
 * The life of a job as SQL. waiting → queued (a message is on its way) → running → succeeded; back to waiting for
 * another attempt; held while its lane is full; dead when it was given up; cancelled. No clock, no I/O.
 *
 * Only the dispatcher, one object a database, moves jobs to queued and held. A run owns its job by the number `runs`: what
 * an older run still says changes nothing.
 */

/** Jobs that may be queued or running at a time, a database. Beyond it priority decides who is next. */
export const windowSize = 100

/** How long a message may be on its way, and a run silent, until somebody else takes over. */
export const queuedLeaseMilliseconds = 60_000
export const runningLeaseMilliseconds = 30_000

/** In the words of the partial index `jobs_leases`: with `state = 'queued'` alone SQLite would not see that it applies. */
const inFlight = raw("state IN ('queued', 'running')")

/**
 * What is due, best first: queued as far as the window has room, held where its lane is full, though the window be full
 * as well: what its lane keeps waiting must not stand in front of others. One statement, for a window's length of jobs.
 */
export function dispatch(now: string, leaseUntil: string): Sql {
  // One seek for each priority: a scan in the order of both would pass over all that is not due yet.
  const due = priorities.map(
    (_, priority) =>
      sql`SELECT * FROM (SELECT id, lane, laneLimit, priority, runAt FROM jobs WHERE state = 'waiting' AND priority = ${raw(String(priority))} AND runAt <= ${now} ORDER BY runAt, id LIMIT ${raw(String(windowSize))})`,
  )
  return sql`UPDATE jobs SET state = picked.next, leaseUntil = CASE picked.next WHEN 'queued' THEN ${leaseUntil} END
FROM (SELECT id, next, row_number() OVER (PARTITION BY next ORDER BY priority, runAt, id) AS place
FROM (SELECT due.*, CASE WHEN due.lane IS NULL OR due.lanePlace + coalesce(busy.jobs, 0) <= due.laneLimit THEN 'queued' ELSE 'held' END AS next
FROM (SELECT *, row_number() OVER (PARTITION BY lane ORDER BY priority, runAt, id) AS lanePlace
FROM (${join(due, " UNION ALL ")} ORDER BY priority, runAt, id LIMIT ${raw(String(windowSize))})) AS due
LEFT JOIN (SELECT lane, count(*) AS jobs FROM jobs WHERE ${inFlight} AND lane IS NOT NULL GROUP BY lane) AS busy ON busy.lane = due.lane)) AS picked
WHERE jobs.id = picked.id AND (picked.next = 'held' OR picked.place <= ${raw(String(windowSize))} - (SELECT count(*) FROM jobs WHERE ${inFlight}))
RETURNING jobs.id, jobs.state, jobs.priority, jobs.runAt`
}

/** Messages that did not arrive in time are sent again. */
export const requeueLost = (now: string): Sql =>
  sql`UPDATE jobs SET state = 'waiting', leaseUntil = NULL WHERE ${inFlight} AND state = 'queued' AND leaseUntil <= ${now}`

/** Runs that fell silent: their process was stopped, or ran out of memory. */
export const findSilent = (now: string): Sql =>
  sql`SELECT * FROM jobs WHERE ${inFlight} AND state = 'running' AND leaseUntil <= ${now} LIMIT ${raw(String(windowSize))}`

/** When the dispatcher has to look again: `at`, null when nothing waits or runs. */
export const nextLook = (): Sql => {
  const moments = [
    ...priorities.map(
      (_, priority) =>
        sql`SELECT min(runAt) AS at FROM jobs WHERE state = 'waiting' AND priority = ${raw(String(priority))}`,
    ),
    sql`SELECT min(leaseUntil) FROM jobs WHERE ${inFlight}`,
  ]
  return sql`SELECT min(at) AS at, (SELECT count(*) FROM jobs WHERE ${inFlight}) AS busy FROM (${join(moments, " UNION ALL ")})`
}

/** Makes the runs of what was handed over. Whose message came twice, or was cancelled, is not among the answers. */
export const claim = (ids: readonly string[], now: string, leaseUntil: string): Sql =>
  sql`UPDATE jobs SET state = 'running', runs = runs + 1, leaseUntil = ${leaseUntil}, startedAt = ${now} WHERE id IN (SELECT value FROM json_each(${JSON.stringify(ids)})) AND state = 'queued' RETURNING *`

export const findSteps = (ids: readonly string[]): Sql =>
  sql`SELECT job, name, result FROM job_steps WHERE job IN (SELECT value FROM json_each(${JSON.stringify(ids)})) ORDER BY at`

/** A run of a job. */
export interface RunId {
  readonly id: string
  readonly runs: number
}

const owned = ({ id, runs }: RunId): Sql => sql`id = ${id} AND runs = ${runs} AND state = 'running'`

/** Says that these runs live. Answers those that still own their job, and whether they are to stop. */
export const renewLeases = (runs: readonly RunId[], leaseUntil: string): Sql =>
  sql`UPDATE jobs SET leaseUntil = ${leaseUntil} WHERE state = 'running' AND (id, runs) IN (SELECT value ->> 'id', value ->> 'runs' FROM json_each(${JSON.stringify(runs)})) RETURNING id, cancelRequestedAt`

/** Keeps the result of a step. A job that moves on has all its attempts before it again. */
export const keepStep = (run: RunId, name: string, result: string, now: string): Sql =>
  sql`INSERT INTO job_steps (job, name, result, at) SELECT ${run.id}, ${name}, ${result}, ${now} FROM jobs WHERE ${owned(run)} ON CONFLICT (job, name) DO UPDATE SET result = excluded.result, at = excluded.at`

export const forgetAttempts = (run: RunId): Sql =>
  sql`UPDATE jobs SET attempts = 0 WHERE ${owned(run)}`

export const keepProgress = (run: RunId, progress: string): Sql =>
  sql`UPDATE jobs SET progress = ${progress} WHERE ${owned(run)}`

/** How a run ends. */
export type Ending =
  | { readonly state: "succeeded" | "cancelled" }
  | { readonly state: "dead"; readonly attempts: number; readonly error: string }
  /** Another attempt. */
  | {
      readonly state: "waiting"
      readonly attempts: number
      readonly error: string
      readonly runAt: string
      /** It has not failed. */
      readonly postponed?: true
    }

/** Ends a run and lets the next of its lane go ahead: for one batch. The first answers the state, nothing when the run was not its job's any more. */
export function finish(run: RunId, lane: string | null, ending: Ending, now: string): Sql[] {
  // Whose cancellation was asked for has no further attempt.
  const [state, finishedAt] =
    ending.state === "waiting"
      ? [
          sql`iif(cancelRequestedAt IS NULL, 'waiting', 'cancelled')`,
          sql`iif(cancelRequestedAt IS NULL, NULL, ${now})`,
        ]
      : [ending.state, now]
  const failure =
    "error" in ending ? sql`, attempts = ${ending.attempts}, error = ${ending.error}` : raw("")
  const runAt = ending.state === "waiting" ? sql`, runAt = ${ending.runAt}` : raw("")
  return [
    sql`UPDATE jobs SET state = ${state}, leaseUntil = NULL, finishedAt = ${finishedAt}${failure}${runAt} WHERE ${owned(run)} RETURNING state`,
    ...(ending.state === "succeeded" ? [forgetSteps(run.id)] : []),
    ...(lane === null ? [] : [releaseNext(lane)]),
  ]
}

/** Of a job that has succeeded. */
const forgetSteps = (id: string): Sql =>
  sql`DELETE FROM job_steps WHERE job = ${id} AND EXISTS (SELECT 1 FROM jobs WHERE id = ${id} AND state = 'succeeded')`

/** Whoever was held longest in the lane may ask the dispatcher again. */
export const releaseNext = (lane: string): Sql =>
  sql`UPDATE jobs SET state = 'waiting' WHERE id = (SELECT id FROM jobs WHERE lane = ${lane} AND state = 'held' ORDER BY priority, runAt, id LIMIT 1) RETURNING id`

/** Nobody is left in front of these: what a lane's own endings would have released, had none been lost. */
export const releaseIdleLanes = (): Sql =>
  sql`UPDATE jobs SET state = 'waiting' WHERE state = 'held' AND lane NOT IN (SELECT lane FROM jobs WHERE lane IS NOT NULL AND ${inFlight})`
