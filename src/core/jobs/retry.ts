/*
 * When a job that failed is tried again. No clock, no randomness: the jitter follows from the job's id and attempt, so
 * that a test, and whoever reads a log, can say when the next try is due.
 */

interface Backoff {
  /** Including the first. */
  readonly attempts: number
  readonly firstSeconds: number
  readonly mostSeconds: number
}

/** Seconds before each further attempt: doubling from the first, up to the most. */
export const exponential = ({ attempts, firstSeconds, mostSeconds }: Backoff): number[] =>
  Array.from({ length: attempts - 1 }, (_, n) => Math.min(firstSeconds * 2 ** n, mostSeconds))

/** Within about four hours. */
export const defaultRetryDelays = exponential({ attempts: 14, firstSeconds: 5, mostSeconds: 3_600 })

/**
 * Milliseconds until the next attempt after `attempts` failed ones, or null when there is none left. The delay of the
 * policy, shortened by up to a half, so that what failed together does not come back together.
 */
export function retryMilliseconds(
  delays: readonly number[],
  attempts: number,
  id: string,
): number | null {
  const seconds = delays[attempts - 1]
  if (seconds === undefined) return null
  return Math.round(seconds * 1_000 * (1 - jitter(`${id}/${attempts}`) / 2))
}

/**
 * Milliseconds until a job that was postponed comes back: so many seconds and up to as many again. By the number of its
 * run, because its attempts do not rise.
 */
export const postponedMilliseconds = (seconds: number, runs: number, id: string): number =>
  Math.round(seconds * 1_000 * (1 + jitter(`${id}/postponed/${runs}`)))

/** From 0 up to 1, evenly spread: FNV-1a of the text, then a finaliser, because FNV alone leaves the high bits alike. */
function jitter(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
