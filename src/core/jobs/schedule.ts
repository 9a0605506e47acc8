import * as z from "zod"
import { type Job, type JobOptions, type JobRun, job } from "./job.ts"

/** What a scheduled job is given. */
const payload = z.object({
  /** When it was due (ISO 8601 UTC): the first hour that was missed, where some were. */
  dueAt: z.iso.datetime({ precision: 3 }),
  /** When it was due before, or first known. From here to `dueAt` is its stretch: no moment is in two, and none in no one. */
  since: z.iso.datetime({ precision: 3 }),
})
type Due = typeof payload

/** A run of a job by the clock. */
export type DueRun = JobRun<z.output<Due>>

interface ScheduleOptions<Reach> extends Omit<JobOptions<Due, Reach>, "payload"> {
  /** Minute, hour, day of the month, month, day of the week: `0 9 * * 1` is Mondays at nine. */
  readonly cron: string
  /** An IANA name, such as `Europe/Berlin`; `UTC` unless told. */
  readonly timeZone?: string
  /** In each database of the deployment; in `main` alone unless told. */
  readonly everywhere?: boolean
}

/** A job by the clock: started whenever its hour comes; once, for all hours that were missed while nothing ran. */
export interface Schedule<Reach = never> {
  readonly name: string
  readonly cron: string
  readonly timeZone: string
  readonly everywhere: boolean
  readonly job: Job<Due, Reach>
}

/** Declares a job by the clock; `name` is what is stored, of the job and of its schedule. */
export const schedule = <Reach>(
  name: string,
  { cron, timeZone = "UTC", everywhere = false, ...options }: ScheduleOptions<Reach>,
): Schedule<Reach> => ({
  name,
  cron,
  timeZone,
  everywhere,
  job: job(name, { ...options, payload }),
})
