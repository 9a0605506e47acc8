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

export const storedJob = (row: Row): StoredJob => row as unknown as StoredJob
