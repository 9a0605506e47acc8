import type { App } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { schedule } from "./schedule.ts"
import { releaseIdleLanes } from "./statements.ts"
import type { JobState } from "./stored-job.ts"

const dayMilliseconds = 86_400_000

/** How many days an ended job is kept: so long, one with a key stands in the way of a second. */
const keptDays = { succeeded: 30, cancelled: 30, dead: 90 } as const satisfies Partial<
  Record<JobState, number>
>

/** In one batch; D1 gives it 30 s. */
const sweptRows = 1_000

/** Deletes jobs that ended long ago, with their steps. One trip for a thousand of each kind. */
export async function sweepJobs(app: App): Promise<void> {
  const old = Object.entries(keptDays).map(([state, days]): Sql => {
    const before = new Date(app.now() - days * dayMilliseconds).toISOString()
    return sql`SELECT id FROM jobs WHERE state = ${state} AND finishedAt < ${before} ORDER BY finishedAt LIMIT ${sweptRows}`
  })
  for (let full = true; full; ) {
    const results = await app.db.batch([
      releaseIdleLanes(),
      ...old.flatMap((ids) => [
        sql`DELETE FROM job_steps WHERE job IN (${ids})`,
        sql`DELETE FROM jobs WHERE id IN (${ids}) RETURNING id`,
      ]),
    ])
    full = results.some((rows) => rows.length === sweptRows)
  }
}

/** What the jobs module itself does later. */
export const jobsSweep = schedule("jobs.sweep", {
  cron: "17 * * * *",
  everywhere: true,
  priority: "low",
  run: ({ app }) => sweepJobs(app),
})
