import { createLog, describeError } from "./log.ts"
import {
  addFigures,
  type Counts,
  type Delta,
  merge,
  other,
  parseSeries,
  seriesKey,
} from "./metrics-counts.ts"
import { percentile, place } from "./metrics-figures.ts"

/**
 * Data points that one invocation may write, and bytes of an index, as documented. Later documents allow more points;
 * the smaller figure holds either way.
 * @see https://developers.cloudflare.com/analytics/analytics-engine/limits/
 */
const maxPoints = 25
const maxIndexBytes = 96

/**
 * Writes what was counted to the Workers Analytics Engine dataset that is bound as `ANALYTICS`; nothing where there is none.
 * A point a series: index the route (job, template), blobs its kind, name, method or outcome, and organisation; doubles
 * count, client errors, server errors, milliseconds (sum, p50, p95, p99), trips, rows read, rows written. Series that
 * find no place, the smallest ones, are added up in one point a kind. Does not wait, and never throws.
 */
export function writeDataPoints(env: object, delta: Delta): void {
  const { ANALYTICS: dataset } = env as { ANALYTICS?: AnalyticsEngineDataset }
  if (!dataset) return
  try {
    for (const [key, figures] of largest(delta)) dataset.writeDataPoint(dataPoint(key, figures))
  } catch (error) {
    createLog("metrics")("warn", "data points not written", { error: describeError(error) })
  }
}

/** The largest series, and one of all the others for each kind. */
function largest(delta: Delta): Counts {
  const sum: Counts = new Map()
  for (const counts of delta.values()) merge(sum, counts)
  if (sum.size <= maxPoints) return sum
  const sorted = [...sum].sort(([, a], [, b]) => (b[0] ?? 0) - (a[0] ?? 0))
  // There are four kinds, so at most four points of others.
  const kept: Counts = new Map(sorted.slice(0, maxPoints - 4))
  for (const [key, figures] of sorted.slice(maxPoints - 4)) {
    const rest = seriesKey(parseSeries(key).kind, other, other, other)
    const added = kept.get(rest) ?? []
    addFigures(added, figures)
    kept.set(rest, added)
  }
  return kept
}

function dataPoint(key: string, figures: readonly number[]): AnalyticsEngineDataPoint {
  const { kind, name, detail, organisation } = parseSeries(key)
  const at = (index: number) => figures[index] ?? 0
  return {
    indexes: [indexOf(name || kind)],
    blobs: [kind, name, detail, organisation],
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
    ],
  }
}

/** Cut by bytes; half a character at the end becomes a replacement character of three, hence the margin. */
const indexOf = (name: string): string => {
  const bytes = new TextEncoder().encode(name)
  if (bytes.length <= maxIndexBytes) return name
  return new TextDecoder().decode(bytes.subarray(0, maxIndexBytes - 3))
}
