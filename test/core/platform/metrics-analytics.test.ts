import { describe, expect, test, vi } from "vitest"
import { writeDataPoints } from "../../../src/platform/metrics-analytics.ts"
import { type Delta, other, seriesKey } from "../../../src/platform/metrics-counts.ts"

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

const deltaOf = (...series: [string, number[]][]): Delta => new Map([[1, new Map(series)]])
const count = ({ doubles = [] }: AnalyticsEngineDataPoint) => doubles[0] as number

describe("Workers Analytics Engine", () => {
  test("gets a data point a series, added up over its minutes", () => {
    const ANALYTICS = dataset()
    const key = seriesKey("requests", "/records/films", "GET", "org-1")
    const delta: Delta = new Map([
      [1, new Map([[key, [2, 1, 0, 3_000, 2, 40, 0, 0, 0, 2]]])],
      [2, new Map([[key, [1, 0, 1, 9_000, 1, 2, 3, 0, 0, 0, 0, 0, 1]]])],
    ])
    writeDataPoints({ ANALYTICS }, delta)
    expect(ANALYTICS.points).toEqual([
      {
        indexes: ["/records/films"],
        blobs: ["requests", "/records/films", "GET", "org-1"],
        doubles: [3, 1, 1, 12, 1.9, 7.7, 7.7, 3, 42, 3],
      },
    ])
  })

  test("gets no more data points than an invocation may write, and all that was counted", () => {
    const ANALYTICS = dataset()
    const many = Array.from(
      { length: 300 },
      (_, n) =>
        [seriesKey(n % 3 ? "requests" : "jobs", `/r${n}`, "GET", ""), [n]] as [string, number[]],
    )
    writeDataPoints({ ANALYTICS }, deltaOf(...many))
    expect(ANALYTICS.points.length).toBeLessThanOrEqual(25)
    expect(ANALYTICS.points.map(count).reduce((a, b) => a + b)).toBe((299 * 300) / 2)
    expect(ANALYTICS.points.filter(({ indexes }) => indexes?.[0] === other)).toHaveLength(2)
    expect(ANALYTICS.points[0]?.blobs?.[1]).toBe("/r299")
  })

  test("an index too long is cut between characters", () => {
    const ANALYTICS = dataset()
    writeDataPoints({ ANALYTICS }, deltaOf([seriesKey("jobs", "ä".repeat(90), "dead", ""), [1]]))
    expect(ANALYTICS.points).toHaveLength(1)
  })

  test("that fails is only a line in the log", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {})
    const ANALYTICS = {
      writeDataPoint: () => {
        throw new Error("down")
      },
    }
    writeDataPoints({ ANALYTICS }, deltaOf([seriesKey("signIns", "", "failed", ""), [1]]))
    expect(warn).toHaveBeenCalledOnce()
    warn.mockRestore()
  })

  test("where there is none, nothing is written", () => {
    writeDataPoints({}, deltaOf([seriesKey("signIns", "", "failed", ""), [1]]))
  })
})
