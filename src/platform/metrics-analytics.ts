import { createLog, describeError } from "./log.ts"
import { addFigures, type Delta, merge, noCounts, other, parseName } from "./metrics-counts.ts"
import { outcomePlaces, percentile, place } from "./metrics-figures.ts"

/**
 * Data points that one invocation may write, and bytes of an index, as documented. Later documents allow more points;
 * the smaller figure holds either way.
 * @see https://developers.cloudflare.com/analytics/analytics-engine/limits/
 */
const maxPoints = 25
const maxIndexBytes = 96

/** What a point is for. Organisations count again what the others count: queries ask for one kind. */
interface Point {
  readonly kind: string
  /** A route, job or template, or the id of an organisation. */
  readonly name: string
  readonly method: string
  readonly figures: number[]
}

/**
 * Writes what was counted to the Workers Analytics Engine dataset that is bound as `ANALYTICS`; nothing where there is none.
 * A point a series: index the name, blobs kind (requests, jobs, mails, signIns, organisations), name and method; doubles
 * count, client errors, server errors, milliseconds (sum, p50, p95, p99), trips, rows read, rows written, and one for each
 * way in which jobs, mails and sign-ins end, in the order of `outcomes`. Series that find no place, the smallest ones,
 * are added up in one point a kind. Does not wait, and never throws.
 */
export function writeDataPoints(env: object, delta: Delta): void {
  const { ANALYTICS: dataset } = env as { ANALYTICS?: AnalyticsEngineDataset }
  if (!dataset) return
  try {
    for (const point of largest(pointsOf(delta))) dataset.writeDataPoint(dataPoint(point))
  } catch (error) {
    createLog("metrics")("warn", "data points not written", { error: describeError(error) })
  }
}

function pointsOf(delta: Delta): Point[] {
  const sum = noCounts()
  for (const counts of delta.values()) merge(sum, counts)
  const { names, organisations } = sum
  return [
    ...[...names].map(([key, figures]) => ({ ...parseName(key), figures })),
    ...[...organisations].map(([name, figures]) => ({
      kind: "organisations",
      name,
      method: "",
      figures,
    })),
  ]
}

/** The largest points, and one of all the others for each kind. */
function largest(points: readonly Point[]): Point[] {
  if (points.length <= maxPoints) return [...points]
  const sorted = [...points].sort((a, b) => sizeOf(b) - sizeOf(a))
  // There are five kinds, so at most five points of others.
  const others = new Map<string, Point>()
  for (const { kind, figures } of sorted.slice(maxPoints - 5)) {
    const rest = others.get(kind) ?? { kind, name: other, method: other, figures: [] }
    addFigures(rest.figures, figures)
    others.set(kind, rest)
  }
  return [...sorted.slice(0, maxPoints - 5), ...others.values()]
}

/** Requests and all that ended. */
const sizeOf = ({ figures }: Point): number =>
  [place.requests, ...outcomePlaces.values()].reduce((sum, at) => sum + (figures[at] ?? 0), 0)

function dataPoint({ kind, name, method, figures }: Point): AnalyticsEngineDataPoint {
  const at = (index: number) => figures[index] ?? 0
  return {
    indexes: [indexOf(name || kind)],
    blobs: [kind, name, method],
    doubles: [
      at(place.requests),
      at(place.clientErrors),
      at(place.serverErrors),
      at(place.microseconds) / 1_000,
      percentile(figures, 0.5) ?? 0,
      percentile(figures, 0.95) ?? 0,
      percentile(figures, 0.99) ?? 0,
      at(place.trips),
      at(place.rowsRead),
      at(place.rowsWritten),
      ...[...outcomePlaces.values()].map(at),
    ],
  }
}

/** Cut by bytes; half a character at the end becomes a replacement character of three, hence the margin. */
const indexOf = (name: string): string => {
  const bytes = new TextEncoder().encode(name)
  if (bytes.length <= maxIndexBytes) return name
  return new TextDecoder().decode(bytes.subarray(0, maxIndexBytes - 3))
}
