import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import { type Delta, seriesKey } from "../../../src/platform/metrics-counts.ts"
import { keptDays } from "../../../src/platform/metrics-step.ts"

const films = seriesKey("requests", "/records/films", "GET", "org-1")
const clubs = seriesKey("requests", "/records/clubs", "GET", "org-2")
const failedSignIns = seriesKey("signIns", "", "failed", "")

const hour = 3_600_000
const noon = Date.UTC(2026, 10, 21, 12)
const minuteAt = (at: number) => Math.floor(at / 60_000)

/** A store of a test's own. */
const open = () => env.METRICS.get(env.METRICS.idFromName(crypto.randomUUID()))
const delta = (...parts: [at: number, key: string, figures: number[]][]): Delta => {
  const sum: Delta = new Map()
  for (const [at, key, figures] of parts) {
    const counts = sum.get(minuteAt(at)) ?? new Map()
    sum.set(minuteAt(at), counts.set(key, figures))
  }
  return sum
}

describe("the store", () => {
  test("adds up minutes, their hours and the total as batches come in, in whatever order", async () => {
    const store = open()
    await store.add(delta([noon + 61_000, films, [2, 1]], [noon + 3 * hour, clubs, [5]]))
    await store.add(delta([noon + 119_000, films, [3]], [noon, failedSignIns, [7]]))
    const minutes = await store.read(noon, noon + hour, "minute")
    expect([...minutes.steps].map(([at, counts]) => [at - noon, [...counts.values()]])).toEqual([
      [0, [[7]]],
      [60_000, [[5, 1]]],
    ])
    expect(minutes.sum.get(films)).toEqual([5, 1])
    const hours = await store.read(noon, noon + 4 * hour, "hour")
    expect([...hours.steps.keys()]).toEqual([noon, noon + 3 * hour])
    expect(hours.sum).toEqual(
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
    expect((await store.read(noon, noon + 60_000, "minute")).sum.get(films)).toEqual([2])
  })

  test("tells the steps without names, and the sum with them", async () => {
    const store = open()
    await store.add(delta([noon, films, [2]], [noon, clubs, [3]]))
    const { steps, sum } = await store.read(noon, noon + 60_000, "minute")
    expect(steps.get(noon)).toEqual(new Map([[seriesKey("requests", "", "", ""), [5]]]))
    expect(sum.size).toBe(2)
  })

  test("forgets minutes and hours after thirty days, and the total never", async () => {
    const store = open()
    const now = Date.now()
    const old = now - keptDays * 24 * hour
    await store.add(
      delta([old - 2 * hour, films, [1]], [old + 2 * hour, films, [1]], [now, films, [1]]),
    )
    const before = await store.totals()
    expect(await runDurableObjectAlarm(store)).toBe(true)
    for (const step of ["minute", "hour"] as const) {
      const { steps } = await store.read(0, now + hour, step)
      expect(steps.size, step).toBe(2)
    }
    expect(await store.totals()).toEqual(before)
    expect(before.get(films)).toEqual([3])
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
    await evictDurableObject(store)
    await store.add(delta([noon, films, [1]]))
    expect((await store.totals()).get(films)).toEqual([2, 0, 1])
    expect((await store.read(noon, noon + hour, "hour")).sum.get(films)).toEqual([2, 0, 1])
  })

  test("batches that come at the same time are all counted", async () => {
    const store = open()
    await Promise.all(Array.from({ length: 40 }, () => store.add(delta([noon, films, [1]]))))
    expect((await store.totals()).get(films)).toEqual([40])
  })

  test("stays small, and its sums right, under more organisations than are told apart", async () => {
    const store = open()
    for (let batch = 0; batch < 10; batch++) {
      const many = Array.from({ length: 400 }, (_, n) =>
        seriesKey("requests", "/records/films", "GET", `org-${batch}-${n}`),
      )
      await store.add(new Map([[minuteAt(noon), new Map(many.map((key) => [key, [1]]))]]))
    }
    const totals = await store.totals()
    expect(totals.size).toBeLessThan(1_002)
    expect([...totals.values()].reduce((sum, [n = 0]) => sum + n, 0)).toBe(4_000)
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
})
