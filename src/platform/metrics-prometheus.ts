import { addFigures, type Counts, parseSeries, type Series } from "./metrics-counts.ts"
import { bounds, inBucket, place } from "./metrics-figures.ts"

/** The media type of `prometheusText`. */
export const prometheusType = "text/plain; version=0.0.4; charset=utf-8"

type Labels = Readonly<Record<string, string>>
type Sample = readonly [suffix: string, labels: Labels, value: number]

/**
 * Totals in the Prometheus text exposition format 0.0.4. Latencies are told by route only: by organisation as well they
 * would be some twenty-five lines for each pair. An empty organisation means none. No clock, no I/O.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function prometheusText(totals: Counts): string {
  const all = [...totals].map(([key, figures]) => ({ series: parseSeries(key), figures }))
  const requests = all.filter(({ series }) => series.kind === "requests")
  const perRequest = (index: number, more: Labels = {}): Sample[] =>
    requests.map(({ series, figures }) => [
      "",
      { ...routeLabels(series), organisation: series.organisation, ...more },
      figures[index] ?? 0,
    ])
  const events = (kind: Series["kind"], name?: string): Sample[] =>
    all
      .filter(({ series }) => series.kind === kind)
      .map(({ series, figures }) => [
        "",
        {
          ...(name && { [name]: series.name }),
          outcome: series.detail,
          organisation: series.organisation,
        },
        figures[0] ?? 0,
      ])
  return [
    family("requests_total", "counter", "Requests answered.", perRequest(place.requests)),
    family("request_errors_total", "counter", "Requests answered with a status from 400 on.", [
      ...perRequest(place.clientErrors, { status: "4xx" }),
      ...perRequest(place.serverErrors, { status: "5xx" }),
    ]),
    family(
      "request_duration_seconds",
      "histogram",
      "Time until a request was answered.",
      histograms(requests),
    ),
    family("database_trips_total", "counter", "Calls to D1.", perRequest(place.trips)),
    family("rows_read_total", "counter", "Rows that D1 read.", perRequest(place.rowsRead)),
    family("rows_written_total", "counter", "Rows that D1 wrote.", perRequest(place.rowsWritten)),
    family("jobs_total", "counter", "Runs of jobs that ended.", events("jobs", "job")),
    family("mails_total", "counter", "Mails by what became of them.", events("mails", "template")),
    family("sign_ins_total", "counter", "Attempts to sign in.", events("signIns")),
  ].join("")
}

const routeLabels = ({ detail, name }: Series): Labels => ({ method: detail, route: name })

function histograms(requests: readonly { series: Series; figures: readonly number[] }[]): Sample[] {
  const routes = new Map<string, { labels: Labels; figures: number[] }>()
  for (const { series, figures } of requests) {
    const label = `${series.detail} ${series.name}`
    const route = routes.get(label) ?? { labels: routeLabels(series), figures: [] }
    addFigures(route.figures, figures)
    routes.set(label, route)
  }
  return [...routes.values()].flatMap(({ labels, figures }): Sample[] => {
    let cumulative = 0
    const buckets = [...bounds, Number.POSITIVE_INFINITY].map((bound, bucket): Sample => {
      cumulative += inBucket(figures, bucket)
      const le = Number.isFinite(bound) ? String(bound / 1_000) : "+Inf"
      return ["_bucket", { ...labels, le }, cumulative]
    })
    const seconds = (figures[place.microseconds] ?? 0) / 1_000_000
    return [...buckets, ["_sum", labels, seconds], ["_count", labels, cumulative]]
  })
}

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
