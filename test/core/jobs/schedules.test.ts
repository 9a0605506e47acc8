import { env } from "cloudflare:workers"
import { beforeEach, describe, expect, test } from "vitest"
import { endRun } from "../../../src/core/jobs/endings.ts"
import { linkJobs } from "../../../src/core/jobs/registry.ts"
import { type Schedule, schedule } from "../../../src/core/jobs/schedule.ts"
import { type DueTimes, loadSchedules, schedulesOf } from "../../../src/core/jobs/schedules.ts"
import type { StoredJob } from "../../../src/core/jobs/stored-job.ts"
import { storedJobs } from "./cast.ts"
import { clearJobs, type StandIn, standIn } from "./stand-in.ts"

const due = (cron: string, timeZone = "UTC", name = "due") =>
  schedule(name, { cron, timeZone, run: () => {} })

beforeEach(clearJobs)

/** What an object does that begins at that moment. */
async function begin(
  schedules: readonly Schedule[],
  moment: string,
  database = "main",
): Promise<StandIn> {
  const registry = linkJobs<never>([], schedules)
  const times: DueTimes = new Map()
  const it = standIn(registry, { database, times })
  it.clock = Date.parse(moment)
  const loaded = await loadSchedules(it.app(), schedulesOf(registry.schedules, database))
  for (const [name, at] of loaded) times.set(name, at)
  return it
}

/** Looks whenever the dispatcher wants to, until then; what it starts is done at once. */
async function watch(it: StandIn, until: string): Promise<void> {
  for (const end = Date.parse(until); it.clock <= end; ) {
    const next = await it.lookAll()
    for (const run of await it.take()) await endRun(it.app(), run, { state: "succeeded" })
    const wanted = await it.lookAll()
    if (next === null || wanted === null) return
    it.clock = wanted
  }
}

const short = (moment: string) => moment.replace(":00.000Z", "Z")
const dueAtOf = ({ payload }: StoredJob) => (JSON.parse(payload) as { dueAt: string }).dueAt
const started = async () =>
  (await storedJobs("name LIKE 'due%'")).map((job) => {
    // Not before, and not after.
    expect(job.createdAt).toBe(dueAtOf(job))
    return short(job.createdAt)
  })
const scheduled = async (database = env.DB) =>
  (await database.prepare("SELECT * FROM job_schedules ORDER BY name").all()).results

test.each([
  [
    "30 2 * * *",
    "Europe/Berlin",
    ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z", "2026-03-31T00:30Z"],
  ],
  [
    "30 2 * * *",
    "Europe/Berlin",
    ["2026-10-24T00:30Z", "2026-10-25T00:30Z", "2026-10-26T01:30Z", "2026-10-27T01:30Z"],
  ],
  [
    "0 */1 * * *",
    "Europe/Berlin",
    ["2026-10-24T23:00Z", "2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-10-25T02:00Z"],
  ],
  [
    "0 9 * * MON-FRI",
    "Europe/Berlin",
    ["2026-03-26T08:00Z", "2026-03-27T08:00Z", "2026-03-30T07:00Z", "2026-03-31T07:00Z"],
  ],
  [
    "30 2 * * *",
    "America/New_York",
    ["2026-03-07T07:30Z", "2026-03-08T07:00Z", "2026-03-09T06:30Z"],
  ],
  [
    "30 1 * * *",
    "America/New_York",
    ["2026-10-31T05:30Z", "2026-11-01T05:30Z", "2026-11-02T06:30Z"],
  ],
  [
    "*/30 * * * *",
    "America/New_York",
    ["2026-11-01T05:00Z", "2026-11-01T05:30Z", "2026-11-01T06:00Z", "2026-11-01T06:30Z"],
  ],
])("%s in %s starts its job across the change of the clocks: %o", async (cron, zone, times) => {
  const before = new Date(Date.parse(times[0] as string) - 60_000).toISOString()
  const it = await begin([due(cron, zone)], before)
  await watch(it, times.at(-1) as string)
  expect(await started()).toEqual(times)
})

describe("a schedule", () => {
  test("that was missed while nothing ran starts one job, and then keeps its times", async () => {
    await begin([due("0 6 * * *")], "2026-06-01T00:00:00.000Z")
    const it = await begin([due("0 6 * * *")], "2026-06-11T10:17:00.000Z")
    const next = await it.lookAll()
    const jobs = await storedJobs("name LIKE 'due%'")
    expect(jobs.map(dueAtOf)).toEqual(["2026-06-01T06:00:00.000Z"])
    expect(await scheduled()).toMatchObject([
      { nextAt: "2026-06-12T06:00:00.000Z", lastAt: "2026-06-11T10:17:00.000Z" },
    ])
    for (const run of await it.take()) await endRun(it.app(), run, { state: "succeeded" })
    expect(next).toBe(it.clock + 30_000)
    expect(await it.lookAll()).toBe(Date.parse("2026-06-12T06:00:00.000Z"))
  })

  test("that says something new counts from now; one that says the same does not", async () => {
    await begin([due("0 6 * * *")], "2026-06-01T00:00:00.000Z")
    const later = "2026-06-03T12:00:00.000Z"
    for (const [changed, nextAt] of [
      [due("0 7 * * *"), "2026-06-04T07:00:00.000Z"],
      [due("0 7 * * *", "Europe/Berlin"), "2026-06-04T05:00:00.000Z"],
    ] as const) {
      const it = await begin([changed], later)
      expect(await it.lookAll()).toBe(Date.parse(nextAt))
    }
    expect(await storedJobs("name LIKE 'due%'")).toEqual([])
    const it = await begin([due("0 7 * * *", "Europe/Berlin")], "2026-06-04T05:00:00.000Z")
    await it.lookAll()
    expect(await storedJobs("name LIKE 'due%'")).toHaveLength(1)
  })

  test("that is gone is forgotten, and counts anew when it comes back", async () => {
    await begin([due("0 6 * * *")], "2026-06-01T00:00:00.000Z")
    const without = await begin([], "2026-06-02T00:00:00.000Z")
    expect(await without.look()).toBeNull()
    expect(await scheduled()).toEqual([])
    const it = await begin([due("0 6 * * *")], "2026-06-09T12:00:00.000Z")
    await it.lookAll()
    expect(await storedJobs("name LIKE 'due%'")).toEqual([])
  })

  test("that two objects look at, or one that died, starts one job for each time", async () => {
    const moment = "2026-06-01T00:00:00.000Z"
    const twins = [await begin([due("0 6 * * *")], moment), await begin([due("0 6 * * *")], moment)]
    for (const day of ["01", "02"]) {
      for (const twin of twins) {
        twin.clock = Date.parse(`2026-06-${day}T06:00:00.000Z`)
        await twin.lookAll()
      }
    }
    expect(await storedJobs("name LIKE 'due%'")).toHaveLength(2)
    // As when the second of its writes had been lost.
    await env.DB.prepare("UPDATE job_schedules SET nextAt = '2026-06-02T06:00:00.000Z'").run()
    const it = await begin([due("0 6 * * *")], "2026-06-02T06:00:01.000Z")
    await it.lookAll()
    expect(await storedJobs("name LIKE 'due%'")).toHaveLength(2)
    expect(await scheduled()).toMatchObject([{ nextAt: "2026-06-03T06:00:00.000Z" }])
  })

  test("runs in main alone, or in each database where it says so", async () => {
    const both = [
      due("0 6 * * *"),
      schedule("due.everywhere", { cron: "0 6 * * *", everywhere: true, run: () => {} }),
    ]
    for (const [name, database, names] of [
      ["main", env.DB, ["due", "due.everywhere"]],
      ["second", env.DB_SECOND, ["due.everywhere"]],
    ] as const) {
      const it = await begin(both, "2026-06-01T05:59:00.000Z", name)
      it.clock += 60_000
      await it.lookAll()
      expect((await scheduled(database)).map((row) => row.name)).toEqual(names)
      const { results } = await database.prepare("SELECT key FROM jobs ORDER BY length(key)").all()
      expect(results.map((row) => row.key)).toEqual(
        names.map((name) => `schedule/${name}/2026-06-01T06:00:00.000Z`),
      )
      expect(new Set(it.sent.map((message) => message.database))).toEqual(new Set([name]))
    }
  })

  test("that never comes again waits for ever", async () => {
    const it = await begin([due("0 0 31 2 *")], "2026-06-01T00:00:00.000Z")
    expect(await it.look()).toBe(Date.parse("9999-12-31T23:59:59.999Z"))
  })

  test("that is in no zone there is stops no other, and no job", async () => {
    const broken = due("0 6 * * *", "Mars/Olympus", "broken")
    const it = await begin([broken, due("0 6 * * *")], "2026-06-01T05:00:00.000Z")
    it.clock = Date.parse("2026-06-01T06:00:00.000Z")
    await it.lookAll()
    expect((await it.take()).map(({ key }) => key)).toEqual([
      "schedule/due/2026-06-01T06:00:00.000Z",
    ])
    expect((await scheduled()).map((row) => [row.name, row.nextAt])).toEqual([
      ["due", "2026-06-02T06:00:00.000Z"],
    ])
  })
})
