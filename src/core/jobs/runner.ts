import { type App, createApp } from "../../platform/app.ts"
import { settingsOf } from "../../platform/http.ts"
import { describeError } from "../../platform/log.ts"
import { flushInPassing } from "../../platform/metrics-flush.ts"
import type { JobMessage } from "./dispatcher.ts"
import { endingOf, endRun } from "./endings.ts"
import type { Registry } from "./registry.ts"
import { type Run, runJob, type Stop } from "./run-job.ts"
import { claim, findSteps, renewLeases, runningLeaseMilliseconds } from "./statements.ts"
import { type StoredJob, storedJob } from "./stored-job.ts"

/** What a deployment gives to its jobs, made anew for each run. */
export type ReachFor<Reach> = (app: App, job: StoredJob, env: Env) => Reach

/** Between two signs of life, which also bring word of cancellations. */
const heartbeatMilliseconds = 10_000

/**
 * Does the jobs of a batch of messages, all at once. Never fails for a job's sake: its retries are the database's. Only
 * what could not even be claimed goes back to the queue.
 */
export async function runBatch<Reach>(
  batch: MessageBatch<JobMessage>,
  env: Env,
  context: ExecutionContext,
  registry: Registry<Reach>,
  reachFor: ReachFor<Reach>,
): Promise<void> {
  const byDatabase = Map.groupBy(batch.messages, ({ body }) => body.database)
  const appOn = (database: string): App =>
    createApp({
      env,
      settings: settingsOf(env),
      requestId: crypto.randomUUID(),
      database,
      bookmark: null,
      primary: true,
      waitUntil: (work) => context.waitUntil(work),
      flushesCounts: false,
    })
  const runs: Promise<void>[] = []
  await Promise.all(
    [...byDatabase].map(async ([database, messages]) => {
      const ids = messages.map(({ body }) => body.id)
      try {
        const running = await claimRuns(appOn, database, ids)
        const reach = (app: App, job: StoredJob) => reachFor(app, job, env)
        runs.push(runClaimed(appOn(database), running, registry, reach))
      } catch (error) {
        appOn(database).log("error", "jobs could not be claimed", { error: describeError(error) })
        for (const message of messages) message.retry({ delaySeconds: 1 })
      }
    }),
  )
  const work = Promise.all(runs).then(() => flushInPassing(env))
  // The local queue hands over one batch at a time, so there a long job must not be waited for (the flag
  // queue_consumer_no_wait_for_wait_until). In production Cloudflare starts more consumers, and only what the handler
  // waits for surely has its 15 minutes.
  if (settingsOf(env).development) context.waitUntil(work)
  else await work
}

/** By id. One trip. */
async function claimRuns(
  appOn: (database: string) => App,
  database: string,
  ids: readonly string[],
): Promise<Map<string, Run>> {
  const app = appOn(database)
  const now = new Date(app.now()).toISOString()
  const [claimed = [], kept = []] = await app.db.batch([
    claim(ids, now, leaseFrom(app)),
    findSteps(ids),
  ])
  const running = new Map<string, Run>()
  for (const row of claimed) {
    const stored = storedJob(row)
    const steps = kept
      .filter((step) => step.job === stored.id)
      .map((step) => [step.name as string, step.result as string] as const)
    running.set(stored.id, {
      app: appOn(database),
      stored,
      attempts: stored.attempts,
      steps: new Map(steps),
      controller: new AbortController(),
    })
  }
  return running
}

async function runClaimed<Reach>(
  app: App,
  running: Map<string, Run>,
  registry: Registry<Reach>,
  reachFor: (app: App, job: StoredJob) => Reach,
): Promise<void> {
  if (running.size === 0) return
  const beat = setInterval(() => void showLife(app, running), heartbeatMilliseconds)
  try {
    await Promise.all(
      [...running.values()].map(async (run) => {
        await attempt(run, registry, reachFor)
        running.delete(run.stored.id)
        run.app.wake("jobs")
      }),
    )
  } finally {
    clearInterval(beat)
  }
}

/** Runs one job and writes how it ended. What cannot be written is found silent later on, and done again. */
async function attempt<Reach>(
  run: Run,
  registry: Registry<Reach>,
  reachFor: (app: App, job: StoredJob) => Reach,
): Promise<void> {
  const { app, stored, controller } = run
  const job = registry.jobs.get(stored.name)
  try {
    const ending = await (async () => {
      if (!job) throw new Error(`This deployment has no job "${stored.name}".`)
      await runJob(job, run, reachFor(app, stored))
      return { state: "succeeded" } as const
    })().catch((error: unknown) => {
      const stop = controller.signal.aborted ? (controller.signal.reason as Stop | Error) : null
      if (stop === "lost") return null
      if (stop === "cancelled") return { state: "cancelled" } as const
      return endingOf(error, { ...stored, attempts: run.attempts }, job, app.now())
    })
    if (ending) await endRun(app, stored, ending)
  } catch (error) {
    app.log("error", "a job's end could not be written", {
      job: stored.id,
      name: stored.name,
      error: describeError(error),
    })
  }
}

/** One trip for all that runs here. */
async function showLife(app: App, running: ReadonlyMap<string, Run>): Promise<void> {
  if (running.size === 0) return
  const runs = [...running.values()].map(({ stored: { id, runs } }) => ({ id, runs }))
  try {
    const alive = new Map(
      (await app.db.all(renewLeases(runs, leaseFrom(app)))).map((row) => [
        row.id as string,
        row.cancelRequestedAt,
      ]),
    )
    for (const { id } of runs) {
      const stop: Stop | null = !alive.has(id) ? "lost" : alive.get(id) ? "cancelled" : null
      if (stop) running.get(id)?.controller.abort(stop)
    }
  } catch (error) {
    app.log("warn", "a sign of life was lost", { error: describeError(error) })
  }
}

const leaseFrom = (app: App): string => new Date(app.now() + runningLeaseMilliseconds).toISOString()
