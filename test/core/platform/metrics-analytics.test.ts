import { describe, expect, test, vi } from "vitest"
import { writeDataPoints } from "../../../src/platform/metrics-analytics.ts"
import { type Delta, nameKey, other, type Series } from "../../../src/platform/metrics-counts.ts"
import { firstBucket, outcomePlace } from "../../../src/platform/metrics-figures.ts"

/** Stands in for the dataset, and refuses what the platform would refuse. */
function dataset() {
  const points: AnalyticsEngineDataPoint[] = []
  return {
    points,
    writeDataPoint(point: AnalyticsEngineDataPoint) {
      if (points.length === 25) throw new Error("too many data points")
      const { indexes = [], blobs = [], doubles = [] } = point
      const size = new TextEncoder().encode(String(indexes[0])).length
      if (indexes.length !== 1 || size > 96) throw new Error(`bad index of ${size} bytes`)
      if (blobs.length > 20 || doubles.length > 20) throw new Error("too many columns")
      points.push(point)
    },
  }
}

const none: Series = new Map()
const named = (names: Series): Delta => new Map([[1, { names, organisations: none }]])
const count = ({ doubles = [] }: AnalyticsEngineDataPoint) => doubles[0] as number
/** Figures of requests, and in which bucket each of them was. */
const figures = (requests: readonly number[], ...buckets: number[]): number[] => {
  const all = Array.from({ length: firstBucket + 20 }, (_, i) => requests[i] ?? 0)
  for (const bucket of buckets) all[firstBucket + bucket] = 1 + (all[firstBucket + bucket] ?? 0)
  return all
}

describe("Workers Analytics Engine", () => {
  test("gets a data point a series, added up over its minutes", () => {
    const ANALYTICS = dataset()
    const films = nameKey("requests", "/records/films", "GET")
    const dead: number[] = []
    dead[outcomePlace("jobs", "dead")] = 4
    writeDataPoints(
      { ANALYTICS },
      new Map([
        [
          1,
          {
            names: new Map([[films, figures([2, 1, 0, 3_000, 2, 40], 0, 2)]]),
            organisations: new Map([["org-1", figures([2])]]),
          },
        ],
        [
          2,
          {
            names: new Map([
              [films, figures([1, 0, 1, 9_000, 1, 2, 3], 5)],
              [nameKey("jobs", "digest"), Array.from(dead, (n) => n ?? 0)],
            ]),
            organisations: new Map([["org-1", figures([1])]]),
          },
        ],
      ]),
    )
    const zeros = (length: number) => Array<number>(length).fill(0)
    expect(ANALYTICS.points).toEqual([
      {
        indexes: ["/records/films"],
        blobs: ["requests", "/records/films", "GET"],
        doubles: [3, 1, 1, 12, 1.9, 7.7, 7.7, 3, 42, 3, ...zeros(10)],
      },
      {
        indexes: ["digest"],
        blobs: ["jobs", "digest", ""],
        doubles: [...zeros(12), 4, ...zeros(7)],
      },
      {
        indexes: ["org-1"],
        blobs: ["organisations", "org-1", ""],
        doubles: [3, ...zeros(19)],
      },
    ])
  })

  test("gets no more data points than an invocation may write, and all that was counted", () => {
    const ANALYTICS = dataset()
    const names = Array.from(
      { length: 300 },
      (_, n) => [nameKey(n % 3 ? "requests" : "jobs", `/r${n}`, "GET"), [n]] as [string, number[]],
    )
    const organisations: Series = new Map([["org-1", [7]]])
    writeDataPoints({ ANALYTICS }, new Map([[1, { names: new Map(names), organisations }]]))
    expect(ANALYTICS.points.length).toBeLessThanOrEqual(25)
    const of = (...kinds: string[]) =>
      ANALYTICS.points.filter(({ blobs }) => kinds.includes(String(blobs?.[0])))
    const sum = (points: AnalyticsEngineDataPoint[]) => points.reduce((n, p) => n + count(p), 0)
    expect(sum(of("requests", "jobs"))).toBe((299 * 300) / 2)
    expect(sum(of("organisations"))).toBe(7)
    expect(ANALYTICS.points.filter(({ indexes }) => indexes?.[0] === other)).toHaveLength(3)
    expect(ANALYTICS.points[0]?.blobs?.[1]).toBe("/r299")
  })

  test("an index too long is cut between characters", () => {
    const ANALYTICS = dataset()
    writeDataPoints({ ANALYTICS }, named(new Map([[nameKey("jobs", "ä".repeat(90)), [1]]])))
    expect(ANALYTICS.points).toHaveLength(1)
  })

  test("that fails is only a line in the log", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {})
    const ANALYTICS = {
      writeDataPoint: () => {
        throw new Error("down")
      },
    }
    writeDataPoints({ ANALYTICS }, named(new Map([[nameKey("signIns", ""), [1]]])))
    expect(warn).toHaveBeenCalledOnce()
    warn.mockRestore()
  })

  test("where there is none, nothing is written", () => {
    writeDataPoints({}, named(new Map([[nameKey("signIns", ""), [1]]])))
  })
})
