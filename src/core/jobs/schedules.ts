import type { App } from "../../platform/app.ts"
import { describeError } from "../../platform/log.ts"
import { sql } from "../../platform/sql.ts"
import { nextOccurrence } from "./cron.ts"
import { insertJobs, newJob } from "./enqueue.ts"
import type { LinkedSchedule } from "./registry.ts"
import { endOfTime, momentOf } from "./stored-job.ts"

/** When a schedule was due before, or first known, and when it is due next (ISO 8601). */
export interface Stretch {
  readonly since: string
  readonly dueAt: string
}

/** The stretch of each schedule, by name. */
export type DueTimes = Map<string, Stretch>

/** Of a database; `everywhere` says which schedules are kept outside of `main`. */
export const schedulesOf = (all: readonly LinkedSchedule[], database: string): LinkedSchedule[] =>
  all.filter(({ schedule }) => database === "main" || schedule.everywhere)

/**
 * What is stored, brought in line with the code: a schedule that is new, or says something new, counts from now; one
 * that is gone is forgotten; one in a zone that the runtime does not know is left out. One trip, or two when something changed.
 */
export async function loadSchedules(
  app: App,
  schedules: readonly LinkedSchedule[],
): Promise<DueTimes> {
  const rows = await app.db.all(sql`SELECT name, definition, nextAt, sinceAt FROM job_schedules`)
  const stored = new Map(rows.map((row) => [row.name as string, row]))
  const times: DueTimes = new Map()
  const changes = schedules.flatMap((linked) => {
    const { name } = linked.schedule
    const known = stored.get(name)
    stored.delete(name)
    const definition = definitionOf(linked)
    if (known?.definition === definition) {
      times.set(name, { since: known.sinceAt as string, dueAt: known.nextAt as string })
      return []
    }
    const dueAt = orSay(app, name, () => timeAfter(linked, app.now()))
    if (dueAt === null) return []
    // A new definition does not cut the stretch that has begun.
    const since = (known?.sinceAt as string | undefined) ?? momentOf(app.now())
    times.set(name, { since, dueAt })
    return [
      sql`INSERT INTO job_schedules (name, definition, nextAt, sinceAt) VALUES (${name}, ${definition}, ${dueAt}, ${since}) ON CONFLICT (name) DO UPDATE SET definition = excluded.definition, nextAt = excluded.nextAt`,
    ]
  })
  const gone = [...stored.keys()].map((name) => sql`DELETE FROM job_schedules WHERE name = ${name}`)
  if (changes.length + gone.length > 0) await app.db.batch([...changes, ...gone])
  return times
}

/**
 * Enqueues what is due: one job a schedule, however often it was missed. One trip, when anything is due.
 */
export async function startDue(
  app: App,
  schedules: readonly LinkedSchedule[],
  times: DueTimes,
): Promise<void> {
  const now = momentOf(app.now())
  const due = schedules.flatMap((linked) => {
    const stretch = times.get(linked.schedule.name)
    return stretch && stretch.dueAt <= now ? [{ ...linked.schedule, linked, stretch }] : []
  })
  if (due.length === 0) return
  const next = due.map(({ name, linked, stretch }) => {
    return { name, since: stretch.dueAt, dueAt: timeAfter(linked, app.now()) }
  })
  await app.db.batch([
    insertJobs(
      app,
      due.map(({ name, job, stretch }) =>
        newJob(job, stretch, { key: `schedule/${name}/${stretch.dueAt}` }),
      ),
    ),
    ...next.map(
      ({ name, since, dueAt }) =>
        sql`UPDATE job_schedules SET nextAt = ${dueAt}, sinceAt = ${since}, lastAt = ${now} WHERE name = ${name}`,
    ),
  ])
  for (const { name, since, dueAt } of next) times.set(name, { since, dueAt })
}

/** An expression without another occurrence, such as the 31st of February, is due at the end of time. */
function timeAfter({ cron }: LinkedSchedule, moment: number): string {
  const next = nextOccurrence(cron(), moment)
  return next === null ? endOfTime : momentOf(next)
}

/** Null, and a line in the log, where the product's own code throws. */
function orSay<Result>(app: App, schedule: string, work: () => Result): Result | null {
  try {
    return work()
  } catch (error) {
    app.log("error", "a schedule does not work", { schedule, error: describeError(error) })
    return null
  }
}

const definitionOf = ({ schedule: { cron, timeZone } }: LinkedSchedule): string =>
  `${cron} ${timeZone}`
