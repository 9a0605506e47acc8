import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { beforeEach, expect, test } from "vitest"
import { jobsFor } from "../../../src/core/jobs/enqueue.ts"
import { eventually } from "../../support/eventually.ts"
import { chore, chores, queuedChore } from "../../support/jobs.ts"
import { toolApp } from "../records/workshop.ts"
import { dispatcher, settled, storedJobs } from "./cast.ts"
import { clearJobs, fill } from "./stand-in.ts"

let done: string[]
beforeEach(async () => {
  done = []
  chores.run = ({ payload }) => void done.push(payload.label)
  await clearJobs()
})

const jobs = () => jobsFor(toolApp(), null)
const alarmAt = () => runInDurableObject(dispatcher(), (_, state) => state.storage.getAlarm())
/** When the alarm that is not due yet goes off: the last one has, and has set it. */
const nextAlarm = () =>
  eventually(async () => {
    await runDurableObjectAlarm(dispatcher())
    const at = (await alarmAt()) ?? Number.NaN
    expect(at).toBeGreaterThan(Date.now() + 1_000)
    return at
  })

/** When the next schedule is due, as the object has stored it. */
async function nextSchedule(): Promise<number> {
  const soonest = "SELECT min(nextAt) AS at FROM job_schedules"
  return Date.parse(`${await env.DB.prepare(soonest).first("at")}`)
}

test("the alarm stands when the next job is due, a day ahead at most", async () => {
  await jobs().enqueue(chore, { label: "x" }, { delaySeconds: 5 * 365 * 86_400 })
  // The hourly sweeps are due before.
  await eventually(async () => expect(await nextAlarm()).toBe(await nextSchedule()))
  expect(await nextSchedule()).toBeLessThanOrEqual(Date.now() + 3_600_000)
  await jobs().enqueue(chore, { label: "x" }, { delaySeconds: 300 })
  const [, soon] = await storedJobs()
  const runAt = Date.parse(soon?.runAt as string)
  await eventually(async () =>
    expect(await nextAlarm()).toBe(Math.min(runAt, await nextSchedule())),
  )
})

test("a database that does not answer is asked again in ten seconds, or when somebody pokes", async () => {
  await nextAlarm()
  const asked = Date.now()
  await env.DB.prepare("ALTER TABLE jobs RENAME TO jobs_away").run()
  await dispatcher().poke("main")
  await eventually(async () => {
    const again = (await alarmAt()) ?? Number.NaN
    expect(again).toBeGreaterThanOrEqual(asked + 10_000)
    expect(again).toBeLessThanOrEqual(Date.now() + 10_000)
  })
  await env.DB.prepare("ALTER TABLE jobs_away RENAME TO jobs").run()
  await jobs().enqueue(chore, { label: "after" })
  await settled()
  expect(done).toEqual(["after"])
})

test("an object that was evicted goes on", async () => {
  await jobs().enqueue(chore, { label: "before" }, { delaySeconds: 1 })
  // The alarm is set by now, and by the object that goes.
  await eventually(async () => expect(await alarmAt()).not.toBeNull())
  await evictDurableObject(dispatcher())
  await eventually(() => expect(done).toEqual(["before"]))
})

test("pokes that come while the alarm is at work are not lost, and each job runs once", async () => {
  chores.run = async ({ payload }) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
    done.push(payload.label)
  }
  const labels = Array.from({ length: 150 }, (_, n) => `${n}`)
  await Promise.all(
    labels.map(async (label, n) => {
      await new Promise((resolve) => setTimeout(resolve, n * 3))
      await jobs().enqueue(chore, { label })
    }),
  )
  await eventually(() => expect(done).toHaveLength(150))
  await settled()
  expect([...done].sort()).toEqual([...labels].sort())
  expect(await storedJobs("runs <> 1")).toEqual([])
})

test("250 jobs, more than a window, and 10,000 behind one full lane are all passed through", async () => {
  const lane = { name: "'chore.queued'", lane: "'chore.queued/x'", laneLimit: "1" }
  await fill(10_000, { ...lane, priority: "0", id: "printf('00000000-0000-7000-9000-%012x', n)" })
  await fill(250, { priority: "2" })
  chores.run = ({ payload }) => void done.push(payload.label)
  await jobs().enqueue(queuedChore, { label: "x" })
  await eventually(
    async () => expect(await storedJobs("priority = 2 AND state = 'succeeded'")).toHaveLength(250),
    200,
  )
  const { results } = await env.DB.prepare(
    "SELECT count(*) AS jobs FROM jobs WHERE lane IS NOT NULL AND state IN ('queued', 'running')",
  ).all()
  expect(results[0]?.jobs).toBeLessThanOrEqual(1)
  // What is still held is not for the next test to run.
  await env.DB.prepare(
    "UPDATE jobs SET state = 'cancelled', finishedAt = '2026', leaseUntil = NULL WHERE finishedAt IS NULL",
  ).run()
})
