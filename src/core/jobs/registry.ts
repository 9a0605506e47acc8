import type { ZodType } from "zod"
import { DefinitionError } from "../../platform/definition-error.ts"
import { type Cron, parseCron } from "./cron.ts"
import { type Job, maxTimeoutSeconds } from "./job.ts"
import type { Schedule } from "./schedule.ts"

/** A schedule whose expression makes sense. */
export interface LinkedSchedule {
  readonly schedule: Schedule
  /** In its zone, whose rules are read the first time: they cost milliseconds that a start-up does not have. */
  cron(): Cron
}

/** All that a deployment does later, checked. */
export interface Registry<Reach> {
  readonly jobs: ReadonlyMap<string, Job<ZodType, Reach>>
  readonly schedules: readonly LinkedSchedule[]
}

/** Words of camelCase, with dots between: `mail.deliver`. */
const namePattern = /^[a-z][a-zA-Z0-9]*(?:\.[a-z][a-zA-Z0-9]*)*$/

/**
 * Checks names, policies and cron expressions.
 *
 * @throws {DefinitionError} that names the job or schedule, and what is wrong.
 */
export function linkJobs<Reach>(
  jobs: readonly Job<ZodType, Reach>[],
  schedules: readonly Schedule<Reach>[],
): Registry<Reach> {
  const all: Job<ZodType, Reach>[] = [...jobs, ...schedules.map(({ job }) => job)]
  const byName = new Map<string, Job<ZodType, Reach>>()
  for (const job of all) {
    checkJob(job)
    if (byName.has(job.name)) {
      throw new DefinitionError(`Two jobs or schedules are named "${job.name}": rename one.`)
    }
    byName.set(job.name, job)
  }
  return {
    jobs: byName,
    schedules: schedules.map((schedule) => ({ schedule, cron: cronOf(schedule) })),
  }
}

function checkJob({ name, options }: Job): void {
  const wrong = (what: string) => new DefinitionError(`Job "${name}": ${what}`)
  if (!namePattern.test(name)) throw wrong('name it by words with dots between, as "mail.deliver".')
  const { retryDelays = [], timeoutSeconds = 1, concurrency, version = 1, upgrade = {} } = options
  if (retryDelays.some((seconds) => !(seconds >= 0 && Number.isFinite(seconds)))) {
    throw wrong("retryDelays are seconds, none below zero.")
  }
  if (!(timeoutSeconds > 0 && timeoutSeconds <= maxTimeoutSeconds)) {
    throw wrong(`timeoutSeconds is above 0 and at most ${maxTimeoutSeconds}.`)
  }
  if (concurrency && !(Number.isInteger(concurrency.limit) && concurrency.limit > 0)) {
    throw wrong("concurrency.limit is a whole number above 0.")
  }
  for (let from = 1; from < version; from++) {
    if (!upgrade[from]) throw wrong(`version is ${version}, but upgrade has no step from ${from}.`)
  }
}

function cronOf({ name, cron, timeZone }: Schedule): () => Cron {
  const parse = (zone: string): Cron => {
    try {
      return parseCron(cron, zone)
    } catch (error) {
      throw new DefinitionError(`Schedule "${name}": ${(error as Error).message}`)
    }
  }
  parse("UTC")
  let parsed: Cron | undefined
  return () => {
    parsed ??= parse(timeZone)
    return parsed
  }
}
