import type { App } from "../../platform/app.ts"
import { endSilent } from "./endings.ts"
import type { Registry } from "./registry.ts"
import { type DueTimes, schedulesOf, startDue } from "./schedules.ts"
import {
  dispatch,
  findSilent,
  nextLook,
  queuedLeaseMilliseconds,
  requeueLost,
  runningLeaseMilliseconds,
  windowSize,
} from "./statements.ts"
import { type StoredJob, storedJob } from "./stored-job.ts"

/** What travels to the worker. */
export interface JobMessage {
  readonly database: string
  readonly id: string
}

/** As much of a queue as the dispatcher needs. */
export type JobQueue = Pick<Queue<JobMessage>, "sendBatch">

/**
 * Starts what is due in the app's database: schedules, jobs, and those whose run or message was lost. At most a window
 * of jobs is on its way at a time, and no more are looked at, so neither memory nor queries grow with what waits. Answers
 * when to look again, in milliseconds since the epoch; null when nothing is waited for.
 */
export async function startJobs(
  app: App,
  queue: JobQueue,
  registry: Registry<never>,
  times: DueTimes,
): Promise<number | null> {
  await startDue(app, schedulesOf(registry.schedules, app.db.name), times)
  const now = new Date(app.now()).toISOString()
  const leaseUntil = new Date(app.now() + queuedLeaseMilliseconds).toISOString()
  const [, silent = [], picked = [], [look] = []] = await app.db.batch([
    requeueLost(now),
    findSilent(now),
    dispatch(now, leaseUntil),
    nextLook(),
  ])
  const queued = picked.filter(({ state }) => state === "queued").map(storedJob)
  if (queued.length > 0) {
    const database = app.db.name
    // RETURNING keeps no order, the queue does.
    await queue.sendBatch(queued.toSorted(byUrgency).map(({ id }) => ({ body: { database, id } })))
  }
  for (const row of silent) await endSilent(app, registry, storedJob(row))
  // Some were held, or ended: behind them others may be due.
  if (picked.length > queued.length || silent.length > 0) return app.now()
  return lookAgainAt(app, times, look?.at as string | null, look?.busy as number)
}

const byUrgency = (a: StoredJob, b: StoredJob): number =>
  a.priority - b.priority || Date.parse(a.runAt) - Date.parse(b.runAt)

/**
 * A full window is opened by those who end their jobs: until then only silence has to be watched for. What is on its way
 * may start at once and fall silent, long before its message would count as lost.
 */
function lookAgainAt(app: App, times: DueTimes, at: string | null, busy: number): number | null {
  const due = [...times.values()].map(({ dueAt }) => dueAt)
  const moments = [at, ...due].flatMap((time) => (time === null ? [] : Date.parse(time)))
  if (busy > 0) moments.push(app.now() + runningLeaseMilliseconds)
  if (moments.length === 0) return null
  return Math.max(
    Math.min(...moments),
    app.now() + (busy >= windowSize ? fullWindowMilliseconds : 0),
  )
}

const fullWindowMilliseconds = 1_000
