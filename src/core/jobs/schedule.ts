import type { ZodType, z } from "zod"
import type { Job } from "./job.ts"

interface ScheduleOptions<Schema extends ZodType> {
  /** Minute, hour, day of the month, month, day of the week: `0 9 * * 1` is Mondays at nine. */
  readonly cron: string
  /** An IANA name, such as `Europe/Berlin`; `UTC` unless told. */
  readonly timeZone?: string
  readonly job: Job<Schema>
  /** Of the job, from the moment (ISO 8601) that it was due. `{}` unless told. */
  payload?(dueAt: string): z.input<Schema>
  /** In each database of the deployment; in `main` alone unless told. */
  readonly everywhere?: boolean
}

/** Enqueues a job whenever its hour comes; once, for all hours that were missed while nothing ran. */
export interface Schedule<Schema extends ZodType = ZodType> extends ScheduleOptions<Schema> {
  readonly name: string
}

/** Declares a schedule; `name` is what is stored. */
export const schedule = <Schema extends ZodType>(
  name: string,
  options: ScheduleOptions<Schema>,
): Schedule<Schema> => ({ name, ...options })
