import type { App } from "../../platform/app.ts"
import { describeError } from "../../platform/log.ts"
import { sql } from "../../platform/sql.ts"
import { nextOccurrence } from "./cron.ts"
import { insertJobs, newJob } from "./enqueue.ts"
import type { LinkedSchedule } from "./registry.ts"
import { endOfTime, momentOf } from "./stored-job.ts"

/** When each schedule is due next (ISO 8601), by name. */
export type DueTimes = Map<string, string>

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
  const rows = await app.db.all(sql`SELECT name, definition, nextAt FROM job_schedules`)
  const stored = new Map(rows.map((row) => [row.name as string, row]))
  const times: DueTimes = new Map()
  const changes = schedules.flatMap((linked) => {
    const { name } = linked.schedule
    const known = stored.get(name)
    stored.delete(name)
    const definition = definitionOf(linked)
    if (known?.definition === definition) {
      times.set(name, known.nextAt as string)
      return []
    }
    const nextAt = orSay(app, name, () => timeAfter(linked, app.now()))
    if (nextAt === null) return []
    times.set(name, nextAt)
    return [
      sql`INSERT INTO job_schedules (name, definition, nextAt) VALUES (${name}, ${definition}, ${nextAt}) ON CONFLICT (name) DO UPDATE SET definition = excluded.definition, nextAt = excluded.nextAt`,
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
  const now = new Date(app.now()).toISOString()
  const due = schedules.filter(({ schedule }) => (times.get(schedule.name) ?? endOfTime) <= now)
  if (due.length === 0) return
  const next = new Map(due.map((linked) => [linked.schedule.name, timeAfter(linked, app.now())]))
  const jobs = due.map(({ schedule: { name, job } }) => {
    const dueAt = times.get(name) as string
    return newJob(job, { dueAt }, { key: `schedule/${name}/${dueAt}` })
  })
  await app.db.batch([
    insertJobs(app, jobs),
    ...[...next].map(
      ([name, nextAt]) =>
        sql`UPDATE job_schedules SET nextAt = ${nextAt}, lastAt = ${now} WHERE name = ${name}`,
    ),
  ])
  for (const [name, nextAt] of next) times.set(name, nextAt)
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
