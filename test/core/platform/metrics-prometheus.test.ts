import { expect, test } from "vitest"
import { type Counts, nameKey } from "../../../src/platform/metrics-counts.ts"
import {
  bounds,
  type Counter,
  firstBucket,
  type Outcome,
  outcomePlace,
} from "../../../src/platform/metrics-figures.ts"
import { prometheusText } from "../../../src/platform/metrics-prometheus.ts"
import { parsePrometheus } from "./prometheus.ts"

/** Figures of requests, how many were in which bucket, and events that ended. */
function figures(
  requests: readonly number[],
  buckets: Readonly<Record<number, number>>,
  ...ended: readonly [place: number, count: number][]
): number[] {
  const all = Array.from({ length: firstBucket + bounds.length + 1 }, (_, i) => requests[i] ?? 0)
  for (const [bucket, count] of Object.entries(buckets)) all[firstBucket + Number(bucket)] = count
  for (const [place, count] of ended) all[place] = count
  return all
}
const ended = <Name extends Counter>(counter: Name, outcome: Outcome<Name>, count: number) =>
  [outcomePlace(counter, outcome), count] as [number, number]

/** Four requests, one client error, two server errors, 61.5 s together; two below 1 ms, one of 2 ms, one of a minute. */
const list = figures([4, 1, 2, 61_500_000, 5, 6, 7], { 0: 2, 2: 1, [bounds.length]: 1 })
const create = figures([1, 0, 0, 500, 1, 0, 0], { 0: 1 })
const strange = 'na"me\\with\\n'
const totals: Counts = {
  names: new Map([
    [nameKey("requests", "/records/films", "GET"), list],
    [nameKey("requests", "/records/films", "POST"), create],
    [nameKey("jobs", strange), figures([], {}, ended("jobs", "dead", 3))],
    [nameKey("mails", "welcome"), figures([], {}, ended("mails", "sent", 2))],
    [nameKey("signIns", ""), figures([], {}, ended("signIns", "failed", 9))],
  ]),
  organisations: new Map([
    ["org-1", figures(list, {}, ended("mails", "sent", 2), ended("signIns", "failed", 9))],
    ["", figures(create, {}, ended("jobs", "dead", 3))],
  ]),
}
const families = parsePrometheus(prometheusText(totals))
const samplesOf = (name: string) => families.get(`hinterland_${name}`)?.samples ?? []
const valuesOf = (name: string) => samplesOf(name).map(({ labels, value }) => [labels, value])
const sum = (name: string) => samplesOf(name).reduce((all, { value }) => all + value, 0)

test("totals are text that Prometheus reads, by route, job and template", () => {
  const get = { method: "GET", route: "/records/films" }
  const post = { ...get, method: "POST" }
  expect(valuesOf("requests_total")).toEqual([
    [get, 4],
    [post, 1],
  ])
  expect(valuesOf("request_errors_total")).toEqual([
    [{ ...get, status: "4xx" }, 1],
    [{ ...post, status: "4xx" }, 0],
    [{ ...get, status: "5xx" }, 2],
    [{ ...post, status: "5xx" }, 0],
  ])
  expect(samplesOf("rows_written_total")[0]?.value).toBe(7)
  expect(valuesOf("jobs_total")).toEqual([[{ job: strange, outcome: "dead" }, 3]])
  expect(valuesOf("mails_total")).toEqual([[{ template: "welcome", outcome: "sent" }, 2]])
  expect(valuesOf("sign_ins_total")).toEqual([[{ outcome: "failed" }, 9]])
})

test("organisations have metrics of their own, so that no sum counts anything twice", () => {
  expect(valuesOf("organisation_requests_total")).toEqual([
    [{ organisation: "org-1" }, 4],
    [{ organisation: "" }, 1],
  ])
  expect(valuesOf("organisation_jobs_total")).toEqual([[{ organisation: "", outcome: "dead" }, 3]])
  const both = [...families.keys()]
    .filter((name) => name.startsWith("hinterland_organisation_"))
    .map((name) => name.slice("hinterland_organisation_".length))
  expect(both).toHaveLength(8)
  for (const name of both) expect([name, sum(`organisation_${name}`)]).toEqual([name, sum(name)])
  const labels = [...families].flatMap(([name, { samples }]) =>
    samples.map((sample) => [name.includes("organisation"), "organisation" in sample.labels]),
  )
  expect(labels.every(([named, labelled]) => named === labelled)).toBe(true)
})

test("latencies are one cumulative histogram a route, in seconds", () => {
  const samples = samplesOf("request_duration_seconds").filter(
    ({ labels }) => labels.method === "GET",
  )
  const buckets = samples.filter(({ name }) => name.endsWith("_bucket"))
  expect(buckets.map(({ labels }) => labels.le)).toEqual([
    ...bounds.map((b) => String(b / 1000)),
    "+Inf",
  ])
  expect(buckets.slice(0, 4).map(({ value }) => value)).toEqual([2, 2, 3, 3])
  expect(buckets.slice(-2).map(({ value }) => value)).toEqual([3, 4])
  expect(samples.slice(-2).map(({ name, value }) => [name, value])).toEqual([
    ["hinterland_request_duration_seconds_sum", 61.5],
    ["hinterland_request_duration_seconds_count", 4],
  ])
})

test("a deployment that has counted nothing yet says so in the same format", () => {
  const empty = parsePrometheus(prometheusText({ names: new Map(), organisations: new Map() }))
  expect([...empty.keys()]).toEqual([...families.keys()])
})

const histogram = (...lines: string[]) =>
  `# HELP h A.\n# TYPE h histogram\n${lines.map((line) => `h${line}\n`).join("")}`
test.each([
  ["no end of line", "# HELP a A.\n# TYPE a counter\na 1", /no end/],
  ["a name with a dash", "# HELP a-b A.\n# TYPE a-b counter\na-b 1\n", /no sample/],
  ["a type without help", "# TYPE a counter\na 1\n", /not described/],
  ["help twice", "# HELP a A.\n# HELP a A.\n# TYPE a counter\n", /described twice/],
  ["a type twice", "# HELP a A.\n# TYPE a counter\n# TYPE a counter\n", /two places/],
  ["a foreign sample", "# HELP a A.\n# TYPE a counter\nb 1\n", /not of the family/],
  ["a series twice", '# HELP a A.\n# TYPE a counter\na{b="c"} 1\na{b="c"} 1\n', /twice/],
  ["a quote in a label", '# HELP a A.\n# TYPE a counter\na{b="c"d"} 1\n', /bad labels/],
  ["an unknown escape", '# HELP a A.\n# TYPE a counter\na{b="\\t"} 1\n', /bad labels/],
  ["a label twice", '# HELP a A.\n# TYPE a counter\na{b="c",b="d"} 1\n', /bad labels/],
  ["falling buckets", histogram('_bucket{le="1"} 2', '_bucket{le="+Inf"} 1'), /cumulative/],
  ["bounds out of order", histogram('_bucket{le="2"} 1', '_bucket{le="1"} 1'), /order/],
  ["no last bucket", histogram('_bucket{le="1"} 2', "_sum 1", "_count 2"), /\+Inf/],
  ["another count", histogram('_bucket{le="+Inf"} 2', "_sum 1", "_count 3"), /count/],
  ["no sum", histogram('_bucket{le="+Inf"} 2', "_count 2"), /sum/],
  [
    "a sum below what the buckets hold",
    histogram('_bucket{le="1"} 0', '_bucket{le="+Inf"} 2', "_sum 1", "_count 2"),
    /sum/,
  ],
])("our reader of the format refuses %s", (_, text, message) => {
  expect(() => parsePrometheus(text)).toThrow(message)
})
