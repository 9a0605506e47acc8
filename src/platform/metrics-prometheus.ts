import { type Counts, parseName } from "./metrics-counts.ts"
import {
  bounds,
  type Counter,
  inBucket,
  type Outcome,
  outcomePlace,
  outcomes,
  place,
} from "./metrics-figures.ts"

/** The media type of `prometheusText`. */
export const prometheusType = "text/plain; version=0.0.4; charset=utf-8"

type Labels = Readonly<Record<string, string>>
type Sample = readonly [suffix: string, labels: Labels, value: number]
type Labelled = readonly { readonly labels: Labels; readonly figures: readonly number[] }[]

/**
 * Totals in the Prometheus text exposition format 0.0.4: by route, job and template, and under names of their own by
 * organisation, so that no sum counts anything twice. Latencies are told by route only: an organisation's would be some
 * twenty-five lines each. An empty organisation means none. No clock, no I/O.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function prometheusText(totals: Counts): string {
  const names = [...totals.names].map(([key, figures]) => ({ ...parseName(key), figures }))
  const of = (kind: "requests" | Counter) => names.filter((name) => name.kind === kind)
  const routes = of("requests").map(({ method, name, figures }) => ({
    labels: { method, route: name },
    figures,
  }))
  const organisations = [...totals.organisations].map(([organisation, figures]) => ({
    labels: { organisation },
    figures,
  }))
  const jobs = of("jobs").map(({ name, figures }) => ({ labels: { job: name }, figures }))
  const mails = of("mails").map(({ name, figures }) => ({ labels: { template: name }, figures }))
  const signIns = of("signIns").map(({ figures }) => ({ labels: {}, figures }))
  return [
    ...requestFamilies("", "", routes),
    family(
      "request_duration_seconds",
      "histogram",
      "Time until a request was answered.",
      histograms(routes),
    ),
    ...eventFamilies("", "", { jobs, mails, signIns }),
    ...requestFamilies("organisation_", ", by organisation", organisations),
    ...eventFamilies("organisation_", ", by organisation", {
      jobs: organisations,
      mails: organisations,
      signIns: organisations,
    }),
  ].join("")
}

function requestFamilies(prefix: string, by: string, series: Labelled): string[] {
  const counter = (name: string, help: string, ...figures: [place: number, more?: Labels][]) =>
    family(
      `${prefix}${name}_total`,
      "counter",
      `${help}${by}.`,
      figures.flatMap(([index, more]) =>
        series.map(
          ({ labels, figures }): Sample => ["", { ...labels, ...more }, figures[index] ?? 0],
        ),
      ),
    )
  return [
    counter("requests", "Requests answered", [place.requests]),
    counter(
      "request_errors",
      "Requests answered with a status from 400 on",
      [place.clientErrors, { status: "4xx" }],
      [place.serverErrors, { status: "5xx" }],
    ),
    counter("database_trips", "Calls to D1", [place.trips]),
    counter("rows_read", "Rows that D1 read", [place.rowsRead]),
    counter("rows_written", "Rows that D1 wrote", [place.rowsWritten]),
  ]
}

function eventFamilies(prefix: string, by: string, series: Record<Counter, Labelled>): string[] {
  const counter = <Name extends Counter>(kind: Name, name: string, help: string) =>
    family(
      `${prefix}${name}_total`,
      "counter",
      `${help}${by}.`,
      series[kind].flatMap(({ labels, figures }) =>
        outcomes[kind]
          .map((outcome: Outcome<Name>): Sample => {
            const count = figures[outcomePlace(kind, outcome)] ?? 0
            return ["", { ...labels, outcome }, count]
          })
          // Most never happen.
          .filter(([, , count]) => count > 0),
      ),
    )
  return [
    counter("jobs", "jobs", "Runs of jobs that ended"),
    counter("mails", "mails", "Mails by what became of them"),
    counter("signIns", "sign_ins", "Attempts to sign in"),
  ]
}

const histograms = (routes: Labelled): Sample[] =>
  routes.flatMap(({ labels, figures }): Sample[] => {
    let cumulative = 0
    const buckets = [...bounds, Number.POSITIVE_INFINITY].map((bound, bucket): Sample => {
      cumulative += inBucket(figures, bucket)
      const le = Number.isFinite(bound) ? String(bound / 1_000) : "+Inf"
      return ["_bucket", { ...labels, le }, cumulative]
    })
    const seconds = (figures[place.microseconds] ?? 0) / 1_000_000
    return [...buckets, ["_sum", labels, seconds], ["_count", labels, cumulative]]
  })

function family(name: string, type: string, help: string, samples: readonly Sample[]): string {
  const full = `hinterland_${name}`
  const lines = samples.map(([suffix, labels, value]) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
    return `${full}${suffix}{${pairs.join(",")}} ${value}\n`
  })
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.join("")}`
}

const escapeLabel = (text: string): string =>
  text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
