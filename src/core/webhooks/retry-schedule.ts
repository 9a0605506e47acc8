/*
 * When a delivery is tried again, and when an endpoint is left alone. Pure: the clock is passed in, and what looks like
 * chance follows from the event's id.
 */

/** Seconds before each attempt. */
export const delays: readonly number[] = [
  0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
]

/** After so many failed attempts a delivery steps aside: until then those behind it wait, so that order is kept. */
export const attemptsInOrder = 3

/** Up to a tenth of a delay is added, so that what failed together does not come back together. */
const jitter = 0.1

/** Milliseconds until the next attempt, after so many failed ones; null when there is none. */
export function retryAfterFailures(failed: number, messageId: string): number | null {
  const delay = delays[failed]
  if (delay === undefined) return null
  return Math.round(delay * 1_000 * (1 + jitter * fractionOf(`${messageId} ${failed}`)))
}

/** FNV-1a, as a number from 0 to 1. */
function fractionOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  return (hash >>> 0) / 2 ** 32
}

const maxRetryAfterMilliseconds = 24 * 3_600_000

/** What an answer asks for by `Retry-After` (RFC 9110, 10.2.3), in milliseconds, a day at most; null for nothing. */
export function parseRetryAfter(status: number, header: string | null, now: number): number | null {
  if (header === null || (status !== 429 && status !== 503)) return null
  const text = header.trim()
  const milliseconds = /^\d{1,10}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now
  if (!(milliseconds > 0)) return null
  return Math.min(milliseconds, maxRetryAfterMilliseconds)
}

const failuresToOpen = 5
const firstPauseMilliseconds = 60_000
/** Less than what a delivery waits by then, so that no schedule is stretched by it. */
const longestPauseMilliseconds = 30 * 60_000

/** For how long nothing is sent after so many failures in a row; 0 while the circuit is closed. */
export const pauseAfterFailures = (failures: number): number =>
  failures < failuresToOpen
    ? 0
    : Math.min(firstPauseMilliseconds * 2 ** (failures - failuresToOpen), longestPauseMilliseconds)

/** Failing for so long, an endpoint is disabled. */
export const disableAfterMilliseconds = 5 * 24 * 3_600_000

/** Failures further apart than any delay are not of one row: nobody was sent anything in between. */
export const rowEndsAfterMilliseconds = 50 * 3_600_000
