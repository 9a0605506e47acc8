import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { z } from "zod"
import { endingOf } from "../../../src/core/jobs/endings.ts"
import { job, permanent, postpone, retryAfter } from "../../../src/core/jobs/job.ts"
import { defaultRetryDelays, exponential, retryMilliseconds } from "../../../src/core/jobs/retry.ts"

const { env: settings = {} } = import.meta as { env?: Readonly<Record<string, string>> }
/** Set VITE_SEED to replay a run, VITE_RUNS to look harder. */
const seed = Number(settings.VITE_SEED ?? Math.floor(Math.random() * 2 ** 30))
const numRuns = Number(settings.VITE_RUNS ?? 300)

test.each([
  [{ attempts: 1, firstSeconds: 5, mostSeconds: 60 }, []],
  [{ attempts: 2, firstSeconds: 5, mostSeconds: 60 }, [5]],
  [{ attempts: 7, firstSeconds: 5, mostSeconds: 60 }, [5, 10, 20, 40, 60, 60]],
  [{ attempts: 4, firstSeconds: 0.5, mostSeconds: 1 }, [0.5, 1, 1]],
  [{ attempts: 3, firstSeconds: 90, mostSeconds: 60 }, [60, 60]],
])("a backoff of %o waits %o seconds", (backoff, delays) => {
  expect(exponential(backoff)).toEqual(delays)
})

test("a job without a policy is tried for about four hours", () => {
  expect(defaultRetryDelays).toEqual([
    5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600, 3_600,
  ])
  const hours = defaultRetryDelays.reduce((sum, seconds) => sum + seconds, 0) / 3_600
  // At most, and by half of it less at least.
  expect(hours).toBeGreaterThan(4)
  expect(hours).toBeLessThan(5)
})

describe("the time until the next attempt", () => {
  const delays = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { maxLength: 12 })

  test(`is between half of the delay and all of it, and the same whenever asked (seed ${seed})`, () => {
    fc.assert(
      fc.property(delays, fc.integer({ min: 1, max: 13 }), fc.uuid(), (delays, attempts, id) => {
        const wait = retryMilliseconds(delays, attempts, id)
        const delay = delays[attempts - 1]
        if (delay === undefined) {
          expect(wait).toBeNull()
          return
        }
        expect(wait).toBeGreaterThanOrEqual(Math.floor(delay * 500))
        expect(wait).toBeLessThanOrEqual(Math.ceil(delay * 1_000))
        expect(Number.isInteger(wait)).toBe(true)
        expect(retryMilliseconds([...delays], attempts, `${id}`)).toBe(wait)
      }),
      { seed, numRuns },
    )
  })

  test("spreads jobs that failed together, and the attempts of one", () => {
    const time = "0192d4e8-7a31-7"
    const ids = Array.from({ length: 4_000 }, (_, n) => `${time}${n.toString(16).padStart(3, "0")}`)
    const fill = (waits: number[]) => {
      const tenths = Array.from({ length: 10 }, () => 0)
      for (const wait of waits)
        tenths[Math.min(9, Math.floor((wait - 500) / 50))] =
          1 + (tenths[Math.min(9, Math.floor((wait - 500) / 50))] as number)
      return tenths
    }
    const spread = fill(ids.map((id) => retryMilliseconds([1], 1, id) as number))
    expect(Math.min(...spread)).toBeGreaterThan(300)
    expect(Math.max(...spread)).toBeLessThan(500)
    const tries = ids
      .slice(0, 100)
      .map((id) => [1, 2, 3, 4].map((attempt) => retryMilliseconds([1, 1, 1, 1], attempt, id)))
    expect(tries.filter((waits) => new Set(waits).size === 4).length).toBeGreaterThan(95)
  })
})

describe("a failure", () => {
  const now = Date.parse("2026-06-01T00:00:00.000Z")
  const kind = job("chore", {
    payload: z.unknown(),
    retryDelays: [10, 20],
    run: () => {},
  })
  const ending = (error: unknown, attempts = 0) =>
    endingOf(error, { id: "a", attempts, runs: attempts + 1 }, kind, now)
  const waitOf = (error: unknown) => {
    const end = ending(error)
    return end.state === "waiting" ? (Date.parse(end.runAt) - now) / 1_000 : end.state
  }

  test.each<[string, unknown, string]>([
    ["an error", new Error("no luck"), "no luck"],
    ["an error with a cause", new Error("no luck", { cause: new Error("rain") }), "rain"],
    ["a text", "plain", "plain"],
    ["nothing", undefined, ""],
    ["null", null, "null"],
    ["a symbol", Symbol("odd"), "Symbol(odd)"],
    ["a number", 7, "7"],
  ])("may throw %s", (_, error, text) => {
    const end = ending(error)
    expect(end).toMatchObject({ state: "waiting", attempts: 1 })
    expect("error" in end && end.error).toContain(text)
  })

  test("of great length is kept in part", () => {
    const end = ending(new Error("x".repeat(100_000)))
    expect("error" in end && end.error.length).toBe(4_000)
  })

  test("after the last delay, or for good, is the end", () => {
    expect(ending("x", 1).state).toBe("waiting")
    expect(ending("x", 2)).toMatchObject({ state: "dead", attempts: 3 })
    expect(ending(permanent("never"))).toMatchObject({ state: "dead", attempts: 1 })
    // When to come back does not make for more attempts.
    expect(ending(retryAfter(5, "later"), 2).state).toBe("dead")
  })

  test.each([
    [0, 0],
    [7, 7],
    [86_400, 86_400],
  ])("that says to come back after %d s is believed", (seconds, wait) => {
    expect(waitOf(retryAfter(seconds, "later"))).toBe(wait)
  })

  test.each([Number.NaN, -5, "120" as unknown as number])(
    "that says to come back after %s follows the policy",
    (seconds) => {
      const wait = waitOf(retryAfter(seconds, "later"))
      expect(wait).toBeGreaterThanOrEqual(5)
      expect(wait).toBeLessThanOrEqual(10)
    },
  )

  test("that postpones uses up no attempt, however often, and spreads those who were sent away together", () => {
    expect(ending(postpone(60, "full"), 2)).toMatchObject({
      state: "waiting",
      attempts: 2,
      error: "full",
      postponed: true,
    })
    const waits = Array.from({ length: 200 }, (_, n) => {
      const run = { id: `job-${n >> 1}`, attempts: 0, runs: n & 1 }
      const end = endingOf(postpone(60, "full"), run, kind, now)
      return "runAt" in end ? Date.parse(end.runAt) - now : Number.NaN
    })
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(60_000)
    expect(Math.max(...waits)).toBeLessThanOrEqual(120_000)
    expect(new Set(waits.map((wait) => Math.floor(wait / 6_000))).size).toBe(10)
  })

  test("that says to come back after the end of time waits until then", () => {
    const end = ending(retryAfter(Number.POSITIVE_INFINITY, "never"))
    expect("runAt" in end && end.runAt).toBe("9999-12-31T23:59:59.999Z")
  })
})
