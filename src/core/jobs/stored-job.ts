import type { Row } from "../../platform/database.ts"

export const jobStates = [
  "waiting",
  "held",
  "queued",
  "running",
  "succeeded",
  "cancelled",
  "dead",
] as const
export type JobState = (typeof jobStates)[number]

/** A row of `jobs`, as it is stored. */
export interface StoredJob {
  readonly id: string
  readonly name: string
  readonly version: number
  /** JSON. */
  readonly payload: string
  readonly key: string | null
  readonly organisation: string | null
  readonly priority: number
  readonly lane: string | null
  readonly laneLimit: number | null
  readonly state: JobState
  readonly runAt: string
  /** Failed ones, since the job last moved on. */
  readonly attempts: number
  readonly runs: number
  readonly leaseUntil: string | null
  readonly cancelRequestedAt: string | null
  /** JSON: `{ done, total }`. */
  readonly progress: string | null
  readonly error: string | null
  readonly requestId: string
  readonly createdAt: string
  readonly startedAt: string | null
  readonly finishedAt: string | null
}

/** Later than any date that compares as text. */
export const endOfTime = "9999-12-31T23:59:59.999Z"

/** As it is stored; delays may be of any length. */
export const momentOf = (milliseconds: number): string =>
  new Date(Math.min(milliseconds, Date.parse(endOfTime))).toISOString()

export const storedJob = (row: Row): StoredJob => row as unknown as StoredJob
