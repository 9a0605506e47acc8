import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  type Counts,
  decodeCounts,
  encodeCounts,
  maxSeries,
  merge,
  other,
  parseSeries,
  seriesKey,
  summarise,
} from "../../../src/platform/metrics-counts.ts"
import { bounds, bucketOf, firstBucket, percentile } from "../../../src/platform/metrics-figures.ts"

const { env: settings = {} } = import.meta as { env?: Readonly<Record<string, string>> }
/** Set VITE_SEED to replay a run. */
const seed = Number(settings.VITE_SEED ?? Math.floor(Math.random() * 2 ** 30))
const holds = (title: string, property: fc.IRawProperty<unknown>) =>
  test(`${title} (seed ${seed})`, () => fc.assert(property, { seed, numRuns: 300 }))

const keys = fc
  .tuple(
    fc.constantFrom("requests", "jobs", "signIns"),
    fc.constantFrom("/records/articles", "/auth/me", "nightly", ""),
    fc.constantFrom("GET", "POST", "failed"),
    fc.constantFrom("", "org-1", "org-2", "org-3"),
  )
  .map(([kind, name, detail, organisation]) =>
    seriesKey(kind as "requests", name, detail, organisation),
  )
const counts: fc.Arbitrary<Counts> = fc
  .array(fc.tuple(keys, fc.array(fc.nat(1e6), { minLength: 1, maxLength: 12 })), { maxLength: 20 })
  .map((entries) => new Map(entries))

const merged = (max: number, ...parts: readonly Counts[]): Counts => {
  const sum: Counts = new Map()
  for (const part of parts) merge(sum, part, max)
  return sum
}
/** Whatever the order of the series, and however many zeros at the end. */
const content = (of: Counts) => decodeCounts(encodeCounts(new Map([...of].sort())))
const everything = (of: Counts): number =>
  [...of.values()].flat().reduce((sum, figure) => sum + figure, 0)

describe("counts", () => {
  holds(
    "added up in any order give the same",
    fc.property(counts, counts, counts, (a, b, c) => {
      const inOrder = content(merged(maxSeries, a, b, c))
      expect(content(merged(maxSeries, c, a, b))).toEqual(inOrder)
      expect(content(merged(maxSeries, a, merged(maxSeries, b, c)))).toEqual(inOrder)
    }),
  )

  holds(
    "are left as they are by what they are added to",
    fc.property(counts, counts, (a, b) => {
      const before = encodeCounts(a)
      const sum = merged(maxSeries, a)
      merge(sum, b)
      merge(sum, b)
      expect(encodeCounts(a)).toBe(before)
    }),
  )

  holds(
    "survive being stored",
    fc.property(counts, (a) => {
      expect(content(decodeCounts(encodeCounts(a)))).toEqual(content(a))
    }),
  )

  holds(
    "lose nothing but names when there are too many series, and stay few",
    fc.property(counts, counts, fc.integer({ min: 1, max: 5 }), (a, b, max) => {
      const sum = merged(max, a, b)
      expect(everything(sum)).toBe(everything(a) + everything(b))
      expect(content(summarise(sum))).toEqual(content(summarise(merged(maxSeries, a, b))))
      // Kinds and what they end in are few: three times three here.
      expect(sum.size).toBeLessThanOrEqual(2 * max + 9)
    }),
  )

  test("beyond the limit lose the organisation first, and the name only then", () => {
    const sum: Counts = new Map()
    for (let n = 0; n < 10; n++) {
      merge(sum, new Map([[seriesKey("requests", `/r${n}`, "GET", `org-${n}`), [1]]]), 3)
    }
    expect(
      [...sum.keys()].map((key) => parseSeries(key)).map((s) => [s.name, s.organisation]),
    ).toEqual([
      ["/r0", "org-0"],
      ["/r1", "org-1"],
      ["/r2", "org-2"],
      ["/r3", other],
      ["/r4", other],
      ["/r5", other],
      [other, other],
    ])
    expect(sum.get(seriesKey("requests", other, "GET", other))).toEqual([4])
  })

  test("a full minute fits into a row with room to spare", () => {
    const full: Counts = new Map()
    for (let n = 0; n < 5_000; n++) {
      const key = seriesKey("requests", `/records/collection_${n}/:id`, "GET", crypto.randomUUID())
      merge(full, new Map([[key, Array.from({ length: 32 }, () => 10_000_000)]]))
    }
    expect(encodeCounts(full).length).toBeLessThan(1_000_000)
  })
})

/** What `latencies` look like as figures. */
function histogram(latencies: readonly number[]): number[] {
  const figures: number[] = Array.from({ length: firstBucket + bounds.length + 1 }, () => 0)
  for (const latency of latencies) {
    const at = firstBucket + bucketOf(latency)
    figures[at] = (figures[at] as number) + 1
  }
  return figures
}

describe("percentiles", () => {
  holds(
    "are right within a factor of 1.3 from 1 ms to 30 s",
    fc.property(
      // As many between 1 and 10 ms as between 1 and 10 s.
      fc.array(
        fc
          .double({ min: 0, max: Math.log(30_000), noNaN: true })
          .map((x) => Math.min(30_000, Math.exp(x))),
        { minLength: 1, maxLength: 200 },
      ),
      fc.constantFrom(0.01, 0.5, 0.95, 0.99, 1),
      (latencies, quantile) => {
        const sorted = [...latencies].sort((a, b) => a - b)
        const exact = sorted[Math.ceil(quantile * sorted.length) - 1] as number
        const estimate = percentile(histogram(latencies), quantile) as number
        if (exact <= 1) expect(estimate).toBe(0.5)
        else {
          expect(estimate / exact).toBeLessThan(1.31)
          expect(exact / estimate).toBeLessThan(1.31)
        }
      },
    ),
  )

  test.each([
    ["no requests", [], null],
    ["less than a millisecond", [0.2, 0.3], 0.5],
    ["a bound belongs to the bucket below", [1], 0.5],
    ["one slow among many fast", [...Array(99).fill(2), 5_000], 1.9],
    ["longer than the longest bucket", [45_000], 30_000],
  ])("%s", (_, latencies: number[], median) => {
    expect(percentile(histogram(latencies), 0.5)).toBe(median)
  })
})
