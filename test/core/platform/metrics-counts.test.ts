import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  type Counts,
  decodeCounts,
  encodeCounts,
  maxSeries,
  merge,
  nameKey,
  noCounts,
  other,
  parseName,
  type Series,
  sumOf,
} from "../../../src/platform/metrics-counts.ts"
import { bounds, bucketOf, firstBucket, percentile } from "../../../src/platform/metrics-figures.ts"

const { env: settings = {} } = import.meta as { env?: Readonly<Record<string, string>> }
/** Set VITE_SEED to replay a run. */
const seed = Number(settings.VITE_SEED ?? Math.floor(Math.random() * 2 ** 30))
const holds = (title: string, property: fc.IRawProperty<unknown>) =>
  test(`${title} (seed ${seed})`, () => fc.assert(property, { seed, numRuns: 300 }))

const names = fc
  .tuple(
    fc.constantFrom("requests", "jobs", "signIns"),
    fc.constantFrom("/records/articles", "/auth/me", "nightly", ""),
    fc.constantFrom("GET", "POST", ""),
  )
  .map(([kind, name, method]) => nameKey(kind as "requests", name, method))
const seriesBy = (keys: fc.Arbitrary<string>): fc.Arbitrary<Series> =>
  fc
    .array(fc.tuple(keys, fc.array(fc.nat(1e6), { minLength: 1, maxLength: 12 })), {
      maxLength: 20,
    })
    .map((entries) => new Map(entries))
const counts: fc.Arbitrary<Counts> = fc.record({
  names: seriesBy(names),
  organisations: seriesBy(fc.constantFrom("", "org-1", "org-2", "org-3")),
})

const merged = (max: number, ...parts: readonly Counts[]): Counts => {
  const sum = noCounts()
  for (const part of parts) merge(sum, part, max)
  return sum
}
/** Whatever the order of the series, and however many zeros at the end. */
const content = ({ names, organisations }: Counts) =>
  decodeCounts(
    encodeCounts({
      names: new Map([...names].sort()),
      organisations: new Map([...organisations].sort()),
    }),
  )
const everything = (series: Series): number =>
  [...series.values()].flat().reduce((sum, figure) => sum + figure, 0)

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
      for (const family of ["names", "organisations"] as const) {
        expect(everything(sum[family])).toBe(everything(a[family]) + everything(b[family]))
      }
      const whole = sumOf(merged(maxSeries, a, b))
      expect(sumOf(sum)).toEqual(whole)
      // Kinds and methods are few: three times three here.
      expect(sum.names.size).toBeLessThanOrEqual(max + 9)
      expect(sum.organisations.size).toBeLessThanOrEqual(max + 1)
    }),
  )

  test("beyond the limit lose the name, and keep kind and method", () => {
    const sum = noCounts()
    for (let n = 0; n < 10; n++) {
      const names: Series = new Map([[nameKey("requests", `/r${n}`, "GET"), [1]]])
      merge(sum, { names, organisations: new Map([[`org-${n}`, [1]]]) }, 3)
    }
    expect([...sum.names.keys()].map((key) => parseName(key))).toEqual(
      ["/r0", "/r1", "/r2", other].map((name) => ({ kind: "requests", name, method: "GET" })),
    )
    expect(sum.names.get(nameKey("requests", other, "GET"))).toEqual([7])
    expect([...sum.organisations.keys()]).toEqual(["org-0", "org-1", "org-2", other])
    expect(sum.organisations.get(other)).toEqual([7])
  })

  test("of as many routes and organisations as there may be fit into a row with room to spare", () => {
    const full = noCounts()
    const figures = Array.from({ length: firstBucket + bounds.length + 1 }, () => 10_000_000)
    for (let n = 0; n < 5_000; n++) {
      const key = nameKey("requests", `/records/collection_${n}/:id`, "GET")
      merge(full, {
        names: new Map([[key, figures]]),
        organisations: new Map([[crypto.randomUUID(), figures]]),
      })
    }
    expect(encodeCounts(full).length).toBeLessThan(1_500_000)
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
