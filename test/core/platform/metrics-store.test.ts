import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, test, vi } from "vitest"
import { type Delta, nameKey, noCounts } from "../../../src/platform/metrics-counts.ts"
import { covering, keptDays } from "../../../src/platform/metrics-step.ts"
import type { MetricsStore } from "../../../src/platform/metrics-store.ts"
import { eventually } from "../../support/eventually.ts"

const films = nameKey("requests", "/records/films", "GET")
const clubs = nameKey("requests", "/records/clubs", "GET")
const failedSignIns = nameKey("signIns", "")

const hour = 3_600_000
const noon = Date.UTC(2026, 10, 21, 12)
const minuteAt = (at: number) => Math.floor(at / 60_000)

/** A store of a test's own. */
const open = () => env.METRICS.get(env.METRICS.idFromName(crypto.randomUUID()))
const delta = (...parts: [at: number, key: string, figures: number[]][]): Delta => {
  const sum: Delta = new Map()
  for (const [at, key, figures] of parts) {
    const counts = sum.get(minuteAt(at)) ?? noCounts()
    counts.names.set(key, figures)
    sum.set(minuteAt(at), counts)
  }
  return sum
}

describe("the store", () => {
  test("adds up minutes, their hours and the total as batches come in, in whatever order", async () => {
    const store = open()
    await store.add(delta([noon + 61_000, films, [2, 1]], [noon + 3 * hour, clubs, [5]]))
    await store.add(delta([noon + 119_000, films, [3]], [noon, failedSignIns, [7]]))
    const minutes = await store.read(noon, noon + hour, "minute")
    expect([...minutes.steps].map(([at, figures]) => [at - noon, figures])).toEqual([
      [0, [7]],
      [60_000, [5, 1]],
    ])
    expect(minutes.sum.names.get(films)).toEqual([5, 1])
    const hours = await store.read(noon, noon + 4 * hour, "hour")
    expect([...hours.steps.keys()]).toEqual([noon, noon + 3 * hour])
    expect(hours.sum.names).toEqual(
      new Map([
        [failedSignIns, [7]],
        [films, [5, 1]],
        [clubs, [5]],
      ]),
    )
    expect(await store.totals()).toEqual(hours.sum)
  })

  test("reads from the first instant up to the last, which is not included", async () => {
    const store = open()
    for (const at of [noon - 1, noon, noon + 59_999, noon + 60_000]) {
      await store.add(delta([at, films, [1]]))
    }
    expect((await store.read(noon, noon + 60_000, "minute")).sum.names.get(films)).toEqual([2])
  })

  test("tells the steps without names, and the sum with them", async () => {
    const store = open()
    await store.add(delta([noon, films, [2]], [noon, clubs, [3]]))
    const { steps, sum } = await store.read(noon, noon + 60_000, "minute")
    expect(steps.get(noon)).toEqual([5])
    expect(sum.names.size).toBe(2)
  })

  test("forgets minutes and hours after thirty days, and the total never", async () => {
    const store = open()
    const now = Date.now()
    const old = now - keptDays * 24 * hour
    // Whole days are forgotten, so that their hours and minutes go with them.
    await store.add(
      delta([old - 25 * hour, films, [1]], [old + 2 * hour, films, [1]], [now, films, [1]]),
    )
    const before = await store.totals()
    expect(await runDurableObjectAlarm(store)).toBe(true)
    for (const step of ["minute", "hour"] as const) {
      const { steps } = await store.read(0, now + hour, step)
      expect(steps.size, step).toBe(2)
    }
    expect(await store.totals()).toEqual(before)
    expect(before.names.get(films)).toEqual([3])
  })

  test("sweeps every hour while it holds anything, and then rests until something comes", async () => {
    const store = open()
    const alarm = () => runInDurableObject(store, (_, state) => state.storage.getAlarm())
    expect(await alarm()).toBe(null)
    const old = Date.now() - 40 * 24 * hour
    await store.add(delta([old, films, [1]]))
    expect((await alarm()) as number).toBeGreaterThan(Date.now() + 0.9 * hour)
    await runDurableObjectAlarm(store)
    expect(await alarm()).toBe(null)
    await store.add(delta([Date.now(), films, [1]]))
    await runDurableObjectAlarm(store)
    expect((await alarm()) as number).toBeGreaterThan(Date.now())
  })

  test("keeps what it was given when it restarts, and goes on from there", async () => {
    const store = open()
    await store.add(delta([noon, films, [1, 0, 1]]))
    await store.totals()
    await evictDurableObject(store)
    await store.add(delta([noon, films, [1]]))
    expect((await store.totals()).names.get(films)).toEqual([2, 0, 1])
    expect((await store.read(noon, noon + hour, "hour")).sum.names.get(films)).toEqual([2, 0, 1])
  })

  test("batches that come at the same time are all counted", async () => {
    const store = open()
    await Promise.all(Array.from({ length: 40 }, () => store.add(delta([noon, films, [1]]))))
    expect((await store.totals()).names.get(films)).toEqual([40])
  })

  test("stays small, and its sums right, under more organisations than are told apart", async () => {
    const store = open()
    for (let batch = 0; batch < 10; batch++) {
      const many = Array.from({ length: 400 }, (_, n) => [`org-${batch}-${n}`, [1]] as const)
      const organisations = new Map(many.map(([id, figures]) => [id, [...figures]]))
      await store.add(new Map([[minuteAt(noon), { names: new Map(), organisations }]]))
    }
    const { organisations } = await store.totals()
    expect(organisations.size).toBe(1_001)
    expect([...organisations.values()].reduce((sum, [n = 0]) => sum + n, 0)).toBe(4_000)
    const bytes = await runInDurableObject(store, (_, state) =>
      Math.max(
        ...state.storage.sql
          .exec("SELECT length(counts) AS n FROM counts")
          .toArray()
          .map(({ n }) => n as number),
      ),
    )
    expect(bytes).toBeLessThan(100_000)
  })

  test("writes no row for a batch: many are four rows, once somebody reads", async () => {
    const statements = await runInDurableObject(open(), async (object, state) => {
      const store = object as MetricsStore
      const exec = vi.spyOn(state.storage.sql, "exec")
      for (let n = 0; n < 100; n++) void store.add(delta([noon, films, [1]]))
      const before = exec.mock.calls.length
      expect(store.totals().names.get(films)).toEqual([100])
      store.totals()
      return exec.mock.calls.map(([statement], n) => [n >= before, String(statement).slice(0, 6)])
    })
    const told = statements.map(([read, verb]) => `${read ? "read" : "add"} ${verb}`)
    expect(told.filter((one) => one === "add SELECT")).toHaveLength(4)
    expect(told.filter((one) => one === "add INSERT")).toHaveLength(0)
    expect(told.filter((one) => one === "read INSERT")).toHaveLength(4)
  })

  test("writes by itself within ten seconds, and loses nothing of it when it restarts", async () => {
    const store = open()
    await store.add(delta([noon, films, [3]]))
    const rows = () =>
      runInDurableObject(store, (_, state) =>
        state.storage.sql.exec("SELECT span FROM counts").toArray(),
      )
    await eventually(async () => expect(await rows()).toHaveLength(4), 250)
    await evictDurableObject(store)
    expect((await store.totals()).names.get(films)).toEqual([3])
  })

  test("keeps no index beside its table", async () => {
    const [table] = await runInDurableObject(open(), (_, state) =>
      state.storage.sql.exec("PRAGMA table_list(counts)").toArray(),
    )
    expect(table?.wr).toBe(1)
  })

  test("adds up a long range from few rows, whatever the step", async () => {
    const store = open()
    const day = Date.UTC(2026, 10, 20)
    const from = day - 61 * 60_000
    for (const at of [from - 1, from, day - 60_000, day, day + 25 * hour, day + 26 * hour]) {
      await store.add(delta([at, films, [1]]))
    }
    await store.totals()
    const { sum, parsed } = await runInDurableObject(store, (object, state) => {
      const exec = vi.spyOn(state.storage.sql, "exec")
      const read = (object as MetricsStore).read(from, day + 26 * hour, "minute")
      return {
        sum: read.sum.names.get(films),
        parsed: exec.mock.calls
          .filter(([statement]) => String(statement).startsWith("SELECT counts"))
          .map(([, span]) => span),
      }
    })
    expect(sum).toEqual([4])
    expect(parsed).toEqual(["minute", "hour", "day", "hour"])
  })
})

describe("the spans that make up a range", () => {
  const day = 24 * hour
  const told = (from: number, to: number) =>
    covering(noon + from, noon + to).map(({ span, ...part }) => [
      span,
      part.from - noon,
      part.to - noon,
    ])

  test.each([
    ["minutes within an hour", 60_000, 120_000, [["minute", 60_000, 120_000]]],
    ["an hour", 0, hour, [["hour", 0, hour]]],
    ["nothing", hour, hour, []],
    [
      "minutes around an hour",
      -60_000,
      hour + 60_000,
      [
        ["minute", -60_000, 0],
        ["hour", 0, hour],
        ["minute", hour, hour + 60_000],
      ],
    ],
    ["minutes on both sides of a full hour", -60_000, 60_000, [["minute", -60_000, 60_000]]],
    [
      "hours around a day",
      -day,
      day,
      [
        ["hour", -day, -day / 2],
        ["day", -day / 2, day / 2],
        ["hour", day / 2, day],
      ],
    ],
  ])("%s", (_, from, to, parts) => {
    expect(told(from, to)).toEqual(parts)
  })

  test("are few for the longest range that is answered", () => {
    const rows = covering(noon + 60_000, noon + 30 * day + hour - 60_000).map(
      ({ span, from, to }) => (to - from) / { day, hour, minute: 60_000 }[span],
    )
    expect(rows.reduce((a, b) => a + b)).toBeLessThan(200)
  })
})
