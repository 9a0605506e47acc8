import type { ZodType, z } from "zod"
import type { App } from "../../platform/app.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { type Job, type Priority, priorities } from "./job.ts"
import { momentOf } from "./stored-job.ts"

export interface EnqueueOptions {
  /** Of all jobs of a kind with one key there is one, until it is swept, 30 days after it has ended (90, when it was given up): a second is not enqueued. */
  readonly key?: string
  /** Not before so many seconds have passed; any length. */
  readonly delaySeconds?: number
  readonly priority?: Priority
  /** Within which the job acts: that of whoever enqueues it, unless told. Null: the whole deployment. */
  readonly organisation?: string | null
}

/** A job that is to be: for a hook's answer, or for `insertJobs`. */
export interface NewJob extends EnqueueOptions {
  readonly name: string
  readonly version: number
  readonly payload: unknown
  readonly priority: Priority
  readonly lane: string | null
  readonly laneLimit: number | null
}

/**
 * A job with this payload, checked. Enqueues nothing yet.
 *
 * @throws {ZodError} when the payload is not one.
 */
export function newJob<Schema extends ZodType>(
  job: Job<Schema>,
  payload: z.input<Schema>,
  wanted: EnqueueOptions = {},
): NewJob {
  const { name, options } = job
  // What will be read back: a Date has become a text by then.
  const stored: unknown = JSON.parse(JSON.stringify(payload) ?? "null")
  return {
    ...wanted,
    ...laneOf(job, options.payload.parse(stored)),
    name,
    version: options.version ?? 1,
    payload: stored,
    priority: wanted.priority ?? options.priority ?? "normal",
  }
}

/** Where a job with this payload, parsed, has to queue up. */
export function laneOf(
  { name, options: { concurrency } }: Job,
  payload: unknown,
): Pick<NewJob, "lane" | "laneLimit"> {
  return {
    lane: concurrency ? [name, concurrency.key?.(payload)].filter(Boolean).join("/") : null,
    laneLimit: concurrency?.limit ?? null,
  }
}

/**
 * The statement that enqueues, for the batch of the write that causes it. After the commit, `app.wake("jobs")`.
 * Rows travel as one JSON parameter, so there may be many.
 * With a condition, only when it holds at that place of the batch.
 */
export function insertJobs(app: App, jobs: readonly NewJob[], condition: Sql = raw("true")): Sql {
  const rows = jobs.map(({ delaySeconds = 0, ...job }) => ({
    ...job,
    id: app.newId(),
    priority: priorities.indexOf(job.priority),
    runAt: momentOf(app.now() + delaySeconds * 1_000),
  }))
  const at = new Date(app.now()).toISOString()
  // There is always a WHERE: without it SQLite takes ON for the condition of a join.
  return sql`INSERT INTO jobs (id, name, version, payload, key, organisation, priority, lane, laneLimit, state, runAt, requestId, createdAt)
SELECT value ->> 'id', value ->> 'name', value ->> 'version', value -> 'payload', value ->> 'key', value ->> 'organisation', value ->> 'priority', value ->> 'lane', value ->> 'laneLimit', 'waiting', value ->> 'runAt', ${app.requestId}, ${at}
FROM json_each(${JSON.stringify(rows)}) WHERE ${condition} ON CONFLICT (name, key) WHERE key IS NOT NULL DO NOTHING`
}

/** For code that has no batch of its own. */
export interface Jobs {
  /** One trip. A second job with the same key is nothing. */
  enqueue<Schema extends ZodType>(
    job: Job<Schema>,
    payload: z.input<Schema>,
    options?: EnqueueOptions,
  ): Promise<void>
}

/** On behalf of somebody who acts within this organisation. */
export const jobsFor = (app: App, organisation: string | null): Jobs => ({
  async enqueue(job, payload, options) {
    await app.db.all(insertJobs(app, [newJob(job, payload, { organisation, ...options })]))
    app.wake("jobs")
  },
})
