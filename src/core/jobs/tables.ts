import { sql } from "drizzle-orm"
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core"
import { jobStates } from "./stored-job.ts"

/*
 * In every database, the directory's too: jobs are enqueued by the batch of the write that causes them. All are STRICT
 * and WITHOUT ROWID in the migration. Times are ISO 8601 UTC with milliseconds, so that they compare as text.
 */

/** What has to happen later, is happening, or has happened not long ago (sweep.ts says how long it is kept). */
export const jobs = sqliteTable(
  "jobs",
  {
    /** UUIDv7. */
    id: text().primaryKey(),
    name: text().notNull(),
    /** Of the payload's shape. */
    version: integer().notNull(),
    /** JSON. May hold personal data: only administrators see it. */
    payload: text().notNull(),
    /** Of all jobs of a name with one key there is one. */
    key: text(),
    organisation: text(),
    /** 0 is high, 1 normal, 2 low. */
    priority: integer().notNull(),
    /** Name and concurrency key, where the number of runs is limited. */
    lane: text(),
    laneLimit: integer(),
    state: text({ enum: jobStates }).notNull(),
    /** When the next attempt is due. */
    runAt: text().notNull(),
    /** Failed ones, since a step was last kept. */
    attempts: integer().notNull(),
    /** All of them: says which run the job belongs to. */
    runs: integer().notNull(),
    /** While queued or running: when somebody else takes over, unless there is a sign of life. */
    leaseUntil: text(),
    cancelRequestedAt: text(),
    /** JSON: `{ done, total }`. */
    progress: text(),
    /** Of the last attempt that failed, with its stack. */
    error: text(),
    /** Of the request that enqueued it: what the log is searched by. */
    requestId: text().notNull(),
    createdAt: text().notNull(),
    startedAt: text(),
    finishedAt: text(),
  },
  (table) => [
    uniqueIndex("jobs_key").on(table.name, table.key).where(sql`key IS NOT NULL`),
    index("jobs_due").on(table.priority, table.runAt).where(sql`state = 'waiting'`),
    index("jobs_held").on(table.lane, table.priority, table.runAt).where(sql`state = 'held'`),
    index("jobs_leases").on(table.leaseUntil).where(sql`state IN ('queued', 'running')`),
    index("jobs_finished").on(table.state, table.finishedAt).where(sql`finishedAt IS NOT NULL`),
    index("jobs_state").on(table.state, table.id).where(sql`state NOT IN ('queued', 'running')`),
    index("jobs_name").on(table.name, table.id),
  ],
)

/** Results of the steps of a job that has not succeeded yet. */
export const jobSteps = sqliteTable(
  "job_steps",
  {
    job: text()
      .notNull()
      .references(() => jobs.id),
    name: text().notNull(),
    /** JSON. */
    result: text().notNull(),
    at: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.job, table.name] })],
)

/** When each schedule is due next. Written by the database's dispatcher alone. */
export const jobSchedules = sqliteTable("job_schedules", {
  name: text().primaryKey(),
  /** Expression and zone: when they change, the count begins anew. */
  definition: text().notNull(),
  nextAt: text().notNull(),
  /** When it was due before, or first known: where the stretch begins that the next run is about. */
  sinceAt: text().notNull(),
  /** When it was last started. */
  lastAt: text(),
})
