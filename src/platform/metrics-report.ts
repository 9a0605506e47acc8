import type { z } from "zod"
import { type Counts, parseName, sumOf } from "./metrics-counts.ts"
import {
  type Counter,
  type Outcome,
  outcomePlace,
  outcomes,
  percentile,
  place,
} from "./metrics-figures.ts"
import type { metrics, metricsReport, requestMetrics } from "./metrics-schema.ts"
import { type Step, spanMilliseconds } from "./metrics-step.ts"
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
    total: metricsOf(sumOf(sum)),
    steps: instantsOf(range).map((at) => ({ at: iso(at), ...metricsOf(steps.get(at) ?? []) })),
    routes: namesOf(sum, "requests")
      .map(({ method, name, figures }) => ({ method, route: name, ...requestMetricsOf(figures) }))
      .sort(busiestFirst),
    organisations: [...sum.organisations]
      .map(([id, figures]) => ({ organisation: id || null, ...metricsOf(figures) }))
      .sort(busiestFirst),
    jobs: eventsOf(sum, "jobs").map(({ name, ...rest }) => ({ job: name, ...rest })),
    mails: eventsOf(sum, "mails").map(({ name, ...rest }) => ({ template: name, ...rest })),
  }
}

function instantsOf({ from, to, step }: Range): number[] {
  const length = (to - from) / spanMilliseconds[step]
  return Array.from({ length }, (_, i) => from + i * spanMilliseconds[step])
}

const busiestFirst = (a: { requests: number }, b: { requests: number }) => b.requests - a.requests

const namesOf = ({ names }: Counts, kind: "requests" | Counter) =>
  [...names]
    .map(([key, figures]) => ({ ...parseName(key), figures }))
    .filter((name) => name.kind === kind)

const metricsOf = (figures: readonly number[]): z.output<typeof metrics> => ({
  ...requestMetricsOf(figures),
  jobs: byOutcome(figures, "jobs"),
  mails: byOutcome(figures, "mails"),
  signIns: byOutcome(figures, "signIns"),
})

function requestMetricsOf(figures: readonly number[]): z.output<typeof requestMetrics> {
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

const byOutcome = <Name extends Counter>(figures: readonly number[], counter: Name) =>
  Object.fromEntries(
    outcomes[counter].map((outcome: Outcome<Name>) => [
      outcome,
      figures[outcomePlace(counter, outcome)] ?? 0,
    ]),
  ) as Record<Outcome<Name>, number>

/** Events of one kind by name and outcome, the most frequent first; what never happened is left out. */
const eventsOf = (sum: Counts, counter: Counter) =>
  namesOf(sum, counter)
    .flatMap(({ name, figures }) =>
      Object.entries(byOutcome(figures, counter)).map(([outcome, count]) => ({
        name,
        outcome,
        count,
      })),
    )
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count)

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString()
