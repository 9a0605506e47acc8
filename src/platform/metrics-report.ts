import type { z } from "zod"
import {
  addFigures,
  type Counter,
  type Counts,
  figuresOf,
  type Outcome,
  outcomes,
  parseSeries,
  type Series,
  seriesKey,
  summaryKey,
} from "./metrics-counts.ts"
import { percentile, place } from "./metrics-figures.ts"
import type { metrics, metricsReport, requestMetrics } from "./metrics-schema.ts"
import { type Step, stepMilliseconds } from "./metrics-step.ts"
import type { Read } from "./metrics-store.ts"

/*
 * Counters as administrators read them. No clock, no I/O.
 */

/** A stretch of time: from the beginning of one step to that of another, in milliseconds since the epoch. */
export interface Range {
  readonly from: number
  readonly to: number
  readonly step: Step
}

export function reportOf(range: Range, { steps, sum }: Read): z.output<typeof metricsReport> {
  const { from, to, step } = range
  return {
    from: iso(from),
    to: iso(to),
    step,
    total: metricsOf(groupBy(sum, () => "").get("") ?? nothing),
    steps: instantsOf(range).map((at) => ({ at: iso(at), ...metricsOf(steps.get(at) ?? nothing) })),
    routes: [...groupBy(sum, methodAndRoute)]
      .map(([label, counts]) => {
        const [method = "", route = ""] = label.split(" ")
        return { method, route, ...requestMetricsOf(counts) }
      })
      .sort(busiestFirst),
    organisations: [...groupBy(sum, ({ organisation }) => organisation)]
      .map(([organisation, counts]) => ({
        organisation: organisation || null,
        ...metricsOf(counts),
      }))
      .sort(busiestFirst),
    jobs: eventsOf(sum, "jobs").map(({ name, ...rest }) => ({ job: name, ...rest })),
    mails: eventsOf(sum, "mails").map(({ name, ...rest }) => ({ template: name, ...rest })),
  }
}

const nothing: Counts = new Map()

function instantsOf({ from, to, step }: Range): number[] {
  const length = (to - from) / stepMilliseconds[step]
  return Array.from({ length }, (_, i) => from + i * stepMilliseconds[step])
}

const methodAndRoute = ({ kind, name, detail }: Series) =>
  kind === "requests" ? `${detail} ${name}` : null

const busiestFirst = (a: { requests: number }, b: { requests: number }) => b.requests - a.requests

/** The counts that share a label, summarised; those whose label is null are in no group. */
function groupBy(counts: Counts, labelOf: (series: Series) => string | null): Map<string, Counts> {
  const groups = new Map<string, Counts>()
  for (const [key, figures] of counts) {
    const series = parseSeries(key)
    const label = labelOf(series)
    if (label === null) continue
    const group: Counts = groups.get(label) ?? new Map()
    addFigures(figuresOf(group, summaryKey(series)), figures)
    groups.set(label, group)
  }
  return groups
}

const metricsOf = (summary: Counts): z.output<typeof metrics> => ({
  ...requestMetricsOf(summary),
  jobs: byOutcome(summary, "jobs"),
  mails: byOutcome(summary, "mails"),
  signIns: byOutcome(summary, "signIns"),
})

function requestMetricsOf(summary: Counts): z.output<typeof requestMetrics> {
  const figures = summary.get(seriesKey("requests", "", "", "")) ?? []
  const at = (index: number) => figures[index] ?? 0
  return {
    requests: at(place.requests),
    clientErrors: at(place.clientErrors),
    serverErrors: at(place.serverErrors),
    p50Milliseconds: percentile(figures, 0.5),
    p95Milliseconds: percentile(figures, 0.95),
    p99Milliseconds: percentile(figures, 0.99),
    trips: at(place.trips),
    rowsRead: at(place.rowsRead),
    rowsWritten: at(place.rowsWritten),
  }
}

const byOutcome = <Name extends Counter>(summary: Counts, counter: Name) =>
  Object.fromEntries(
    outcomes[counter].map((outcome) => [
      outcome,
      summary.get(seriesKey(counter, "", outcome, ""))?.[0] ?? 0,
    ]),
  ) as Record<Outcome<Name>, number>

/** Events of one kind by name and outcome, whichever the organisation, the most frequent first. */
function eventsOf(sum: Counts, counter: Counter) {
  const counts = new Map<string, { name: string; outcome: string; count: number }>()
  for (const [key, figures] of sum) {
    const { kind, name, detail: outcome } = parseSeries(key)
    if (kind !== counter) continue
    const label = `${name}\n${outcome}`
    const count = (counts.get(label)?.count ?? 0) + (figures[0] ?? 0)
    counts.set(label, { name, outcome, count })
  }
  return [...counts.values()].sort((a, b) => b.count - a.count)
}

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString()
