import { expect, test } from "vitest"
import { type Counts, seriesKey } from "../../../src/platform/metrics-counts.ts"
import { bounds, firstBucket } from "../../../src/platform/metrics-figures.ts"
import { prometheusText } from "../../../src/platform/metrics-prometheus.ts"
import { parsePrometheus } from "./prometheus.ts"

/** Requests: 4 in all, one client error, two server errors, 1.5 s together; two below 1 ms, one of 2 ms, one of a minute. */
const figures = [4, 1, 2, 1_500_000, 5, 6, 7, 2, 0, 1]
figures[firstBucket + bounds.length] = 1
const totals: Counts = new Map([
  [seriesKey("requests", "/records/films", "GET", "org-1"), Array.from(figures, (n) => n ?? 0)],
  [seriesKey("requests", "/records/films", "GET", "org-2"), [1, 0, 0, 500, 1, 0, 0, 1]],
  [seriesKey("jobs", 'na"me\\with\\n', "dead", ""), [3]],
  [seriesKey("mails", "welcome", "sent", "org-1"), [2]],
  [seriesKey("signIns", "", "failed", ""), [9]],
])
const families = parsePrometheus(prometheusText(totals))
const samplesOf = (name: string) => families.get(`hinterland_${name}`)?.samples ?? []

test("totals are text that Prometheus reads", () => {
  const ofFirst = { method: "GET", route: "/records/films", organisation: "org-1" }
  expect(samplesOf("requests_total").map(({ labels, value }) => [labels, value])).toEqual([
    [ofFirst, 4],
    [{ ...ofFirst, organisation: "org-2" }, 1],
  ])
  expect(samplesOf("request_errors_total").find(({ value }) => value === 2)?.labels).toEqual({
    ...ofFirst,
    status: "5xx",
  })
  expect(samplesOf("rows_written_total")[0]?.value).toBe(7)
  expect(samplesOf("sign_ins_total")[0]).toMatchObject({ labels: { outcome: "failed" }, value: 9 })
  expect(samplesOf("mails_total")[0]?.labels).toEqual({
    template: "welcome",
    outcome: "sent",
    organisation: "org-1",
  })
})

test("a label may hold quotes, backslashes and what looks like an escape", () => {
  expect(samplesOf("jobs_total")[0]?.labels.job).toBe('na"me\\with\\n')
})

test("latencies are one cumulative histogram a route, in seconds", () => {
  const samples = samplesOf("request_duration_seconds")
  const buckets = samples.filter(({ name }) => name.endsWith("_bucket"))
  expect(buckets.map(({ labels }) => labels.le)).toEqual([
    ...bounds.map((b) => String(b / 1000)),
    "+Inf",
  ])
  expect(buckets.slice(0, 4).map(({ value }) => value)).toEqual([3, 3, 4, 4])
  expect(buckets.slice(-2).map(({ value }) => value)).toEqual([4, 5])
  expect(samples.slice(-2).map(({ name, value }) => [name, value])).toEqual([
    ["hinterland_request_duration_seconds_sum", 1.5005],
    ["hinterland_request_duration_seconds_count", 5],
  ])
})

test("a deployment that has counted nothing yet says so in the same format", () => {
  const empty = parsePrometheus(prometheusText(new Map()))
  expect([...empty.keys()]).toEqual([...families.keys()])
})
