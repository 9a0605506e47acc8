import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { answering, giveWay, sleep } from "../../../src/platform/give-way.ts"
import { pokeLater } from "../../../src/platform/wake.ts"

/** Each test begins long after the requests of the one before. */
let clock = Date.now()

beforeEach(() => {
  clock += 3_600_000
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: clock })
})
afterEach(() => {
  vi.useRealTimers()
})

/** For two seconds: requests of `takes` milliseconds, with `gap` between two. Answers how many steps the latter one saw. */
async function stepsBeside(takes: number, gap: number): Promise<number> {
  const [middle, end] = [Date.now() + 1_000, Date.now() + 2_000]
  const requests = async () => {
    while (Date.now() < end) {
      await answering(() => sleep(takes))
      await sleep(gap)
    }
  }
  let steps = 0
  const follower = async () => {
    for (;;) {
      await sleep(1)
      await giveWay()
      if (Date.now() >= end) return
      if (Date.now() >= middle) steps++
    }
  }
  const both = Promise.all([requests(), follower()])
  await vi.advanceTimersByTimeAsync(3_000)
  await both
  return steps
}

test("beside requests as fast as they go a step is taken now and then, however short the gaps between them", async () => {
  const steps = await stepsBeside(20, 5)
  expect(steps).toBeGreaterThanOrEqual(8)
  expect(steps).toBeLessThanOrEqual(12)
})

test("between requests that leave most of the time, the rest of it is taken", async () => {
  expect(await stepsBeside(2, 18)).toBeGreaterThan(400)
})

test("a thousand commits among requests lead to a poke now and then, and to one after the last", async () => {
  let pokes = 0
  const namespace = {
    idFromName: (name: string) => name,
    get: () => ({
      poke: async () => {
        pokes++
        return true
      },
    }),
  }
  const commits = async () => {
    for (let n = 0; n < 1_000; n++) {
      await answering(() => sleep(1))
      void pokeLater({ CHANGE_PUMP: namespace }, "changes", "main", () => {})
    }
  }
  const done = commits()
  await vi.advanceTimersByTimeAsync(1_000)
  await done
  const meanwhile = pokes
  expect(meanwhile).toBeGreaterThan(0)
  expect(meanwhile).toBeLessThanOrEqual(20)
  await vi.advanceTimersByTimeAsync(100)
  expect(pokes).toBe(meanwhile + 1)
})
