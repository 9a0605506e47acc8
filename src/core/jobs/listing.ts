import type { z } from "zod"
import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { allOf, raw, type Sql, sql } from "../../platform/sql.ts"
import { priorities } from "./job.ts"
import type { Registry } from "./registry.ts"
import { schedulesOf } from "./schedules.ts"
import type { jobDetails, jobSchedule, jobSummary, jobsQuery } from "./schema.ts"
import { type JobState, storedJob } from "./stored-job.ts"

export type JobSummary = z.output<typeof jobSummary>
export type JobDetails = z.output<typeof jobDetails>

/** The newest first. */
export async function listJobs(
  app: App,
  { state, name }: Pick<z.output<typeof jobsQuery>, "state" | "name">,
  { limit, cursor }: { limit: number; cursor: string | null },
): Promise<Page<JobSummary>> {
  const conditions = [
    ...(state ? [inState(state)] : []),
    ...(name !== undefined ? [sql`name = ${name}`] : []),
    ...(cursor ? [sql`id < ${cursor}`] : []),
  ]
  const rows = await app.db.all(
    sql`SELECT ${raw(summaryColumns)} FROM jobs WHERE ${allOf(conditions)} ORDER BY id DESC LIMIT CAST(${limit + 1} AS INTEGER)`,
  )
  return pageOf(rows.map(summaryOf), limit)
}

/** Payloads and errors may be large, and are not shown in a list. */
const summaryColumns =
  "id, name, key, organisation, priority, lane, state, runAt, attempts, cancelRequestedAt, progress, requestId, createdAt, startedAt, finishedAt"

/** In the words of the partial index that finds it, so that what is in other states is not passed over. */
const inState = (state: JobState): Sql =>
  state === "queued" || state === "running"
    ? raw(`state = '${state}' AND state IN ('queued', 'running')`)
    : raw(`state = '${state}' AND state NOT IN ('queued', 'running')`)

/** @throws {Problem} `not_found` */
export async function getJob(app: App, id: string): Promise<JobDetails> {
  const [rows, steps = []] = await app.db.batch(jobQueries(id))
  return detailsOf(rows?.[0], steps)
}

/** The statements whose rows `detailsOf` takes: so a change and its answer share a batch. */
export const jobQueries = (id: string): [Sql, Sql] => [
  sql`SELECT * FROM jobs WHERE id = ${id}`,
  sql`SELECT name, result, at FROM job_steps WHERE job = ${id} ORDER BY at, name`,
]

/** @throws {Problem} `not_found` */
export function detailsOf(row: Row | undefined, steps: readonly Row[]): JobDetails {
  if (!row) throw new Problem("not_found")
  const { version, payload, error } = storedJob(row)
  return {
    ...summaryOf(row),
    version,
    payload: JSON.parse(payload),
    error,
    steps: steps.map(({ name, result, at }) => ({
      name: name as string,
      result: JSON.parse(result as string),
      at: at as string,
    })),
  }
}

function summaryOf(row: Row): JobSummary {
  const {
    version: _,
    payload: __,
    error: ___,
    runs,
    leaseUntil,
    laneLimit,
    ...job
  } = storedJob(row)
  return {
    ...job,
    priority: priorities[job.priority] ?? "normal",
    progress: job.progress === null ? null : JSON.parse(job.progress),
  }
}

export async function listSchedules(
  app: App,
  registry: Registry<never>,
): Promise<z.output<typeof jobSchedule>[]> {
  const rows = await app.db.all(sql`SELECT name, nextAt, lastAt FROM job_schedules`)
  const times = new Map(rows.map((row) => [row.name, row]))
  return schedulesOf(registry.schedules, app.db.name).map(
    ({ schedule: { name, cron, timeZone } }) => ({
      name,
      cron,
      timeZone,
      nextAt: (times.get(name)?.nextAt as string | undefined) ?? null,
      lastAt: (times.get(name)?.lastAt as string | null | undefined) ?? null,
    }),
  )
}
