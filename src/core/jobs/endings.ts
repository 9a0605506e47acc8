import type { App } from "../../platform/app.ts"
import { describeError } from "../../platform/log.ts"
import { isPermanent, type Job, postponedBy, retryAfterOf } from "./job.ts"
import type { Registry } from "./registry.ts"
import { defaultRetryDelays, postponedMilliseconds, retryMilliseconds } from "./retry.ts"
import { type Ending, finish } from "./statements.ts"
import { momentOf, type StoredJob } from "./stored-job.ts"

const maxErrorCharacters = 4_000

/** What an error means for the job: another attempt, or the end. `attempts` counts those that failed before. */
export function endingOf(
  error: unknown,
  { id, attempts, runs }: Pick<StoredJob, "id" | "attempts" | "runs">,
  job: Job | undefined,
  now: number,
): Ending {
  const postponed = postponedBy(error)
  if (postponed !== null) {
    const runAt = momentOf(now + postponedMilliseconds(postponed, runs, id))
    return { state: "waiting", attempts, error: (error as Error).message, runAt, postponed: true }
  }
  const failed = attempts + 1
  const text = describeError(error).slice(0, maxErrorCharacters)
  const wait = retryMilliseconds(job?.options.retryDelays ?? defaultRetryDelays, failed, id)
  if (isPermanent(error) || wait === null) return { state: "dead", attempts: failed, error: text }
  const asked = retryAfterOf(error)
  const runAt = momentOf(now + (asked === null ? wait : asked * 1_000))
  return { state: "waiting", attempts: failed, error: text, runAt }
}

/** Writes how a run ended, in one trip. False when the job was no longer this run's to end. */
export async function endRun(
  app: App,
  { id, runs, lane, name, organisation }: StoredJob,
  ending: Ending,
): Promise<boolean> {
  const now = new Date(app.now()).toISOString()
  const [ended = []] = await app.db.batch(finish({ id, runs }, lane, ending, now))
  if (ended.length === 0) return false
  const state = ended[0]?.state as Ending["state"]
  // Who comes back later for want of his turn has neither failed nor ended.
  if (state === "waiting" && "postponed" in ending) return true
  app.count("jobs", { job: name, outcome: state === "waiting" ? "failed" : state, organisation })
  if ("error" in ending && (state === "waiting" || state === "dead")) {
    const { attempts, error } = ending
    app.log(state === "dead" ? "error" : "warn", `job ${endedAs[state]}`, {
      job: id,
      name,
      attempts,
      error,
    })
  }
  return true
}

const endedAs = { waiting: "failed, and is tried again", dead: "was given up" } as const

/** A run that fell silent counts as failed: what kills its process each time must come to an end as well. */
export async function endSilent(
  app: App,
  registry: Registry<never>,
  job: StoredJob,
): Promise<void> {
  const ending: Ending = job.cancelRequestedAt
    ? { state: "cancelled" }
    : endingOf(silence, job, registry.jobs.get(job.name), app.now())
  await endRun(app, job, ending)
}

const silence = "The run fell silent: its process was stopped, or ran out of time or memory."
