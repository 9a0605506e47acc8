/*
 * What the figures of a series mean, and what a histogram of latencies can tell. No clock, no I/O.
 */

/** What is counted beside requests, and how each can end. */
export const outcomes = {
  jobs: ["succeeded", "failed", "dead", "cancelled"],
  mails: ["sent", "failed", "suppressed", "uncertain"],
  signIns: ["succeeded", "failed"],
} as const

export type Counter = keyof typeof outcomes
export type Outcome<Name extends Counter> = (typeof outcomes)[Name][number]

/** Places of the figures of requests. */
export const place = {
  requests: 0,
  /** Answers from 400 to 499. */
  clientErrors: 1,
  /** Answers from 500 on. */
  serverErrors: 2,
  /** Sum of all latencies; an integer, so that adding up in any order gives the same. */
  microseconds: 3,
  trips: 4,
  rowsRead: 5,
  rowsWritten: 6,
} as const
const firstEnding = 7

const endings = Object.entries(outcomes).flatMap(([counter, all]) =>
  all.map((outcome) => `${counter} ${outcome}`),
)

/** After them the outcomes, one after the other. */
export const outcomePlaces: ReadonlyMap<string, number> = new Map(
  endings.map((ending, index) => [ending, firstEnding + index]),
)

export const outcomePlace = <Name extends Counter>(counter: Name, outcome: Outcome<Name>): number =>
  outcomePlaces.get(`${counter} ${outcome}`) as number

/** From here on stands the histogram: how many requests took how long. Last, because it mostly ends early. */
export const firstBucket = firstEnding + endings.length

/**
 * Upper bounds of the buckets, in milliseconds; one more bucket holds what took longer. Neighbours are at most 5:3 apart,
 * which is what a percentile can be off by: a factor of 1.3 either way.
 */
export const bounds = [
  1, 1.5, 2.5, 4, 6, 10, 15, 25, 40, 60, 100, 150, 250, 400, 600, 1_000, 1_500, 2_500, 4_000, 6_000,
  10_000, 15_000, 20_000, 30_000,
] as const

/** The bucket of a latency. Most requests are fast, so looking from below is fastest. */
export function bucketOf(milliseconds: number): number {
  let bucket = 0
  while (bucket < bounds.length && milliseconds > (bounds[bucket] as number)) bucket++
  return bucket
}

/** How many requests are in the bucket. */
export const inBucket = (figures: readonly number[], bucket: number): number =>
  figures[firstBucket + bucket] ?? 0

/**
 * The latency, in milliseconds, that the share `quantile` (above 0, at most 1) of requests did not exceed: the geometric
 * middle of its bucket, within a factor of 1.3 between 1 ms and 30 s. 0.5 stands for less than 1 ms, 30,000 for more
 * than 30 s. Null without requests.
 */
export function percentile(figures: readonly number[], quantile: number): number | null {
  let total = 0
  for (let bucket = 0; bucket <= bounds.length; bucket++) total += inBucket(figures, bucket)
  if (total === 0) return null
  let left = Math.max(1, Math.ceil(quantile * total))
  let bucket = 0
  for (; bucket < bounds.length; bucket++) {
    left -= inBucket(figures, bucket)
    if (left <= 0) break
  }
  return middleOf(bucket)
}

function middleOf(bucket: number): number {
  const below = bounds[bucket - 1]
  const above = bounds[bucket]
  if (below === undefined) return 0.5
  return above === undefined ? below : Math.round(Math.sqrt(below * above) * 10) / 10
}
