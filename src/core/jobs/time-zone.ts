/*
 * How far the clocks of a zone stand from UTC. No clock, no I/O: the rules of the zones come with the runtime. Offsets
 * are milliseconds, added to UTC; instants are milliseconds since the epoch.
 */

/** A zone's offset at an instant. */
export type OffsetAt = (instant: number) => number

/**
 * No zone has changed its offset twice within so long: the shortest time between two changes is four days (Freetown,
 * 1939). And no zone stands further from UTC than half of it. Both hold of all of tzdata since 1900.
 */
export const changeSpan = 30 * 3_600_000

const known = new Map<string, OffsetAt>()

/**
 * The offsets of an IANA zone.
 *
 * @throws {RangeError} when the runtime knows no such zone.
 */
export function offsetsOf(zone: string): OffsetAt {
  // Not for looks: the first formatter of an isolate costs milliseconds of start-up, and most schedules are in UTC.
  if (zone === "UTC") return () => 0
  const offsetAt = known.get(zone) ?? readOffsets(zone)
  known.set(zone, offsetAt)
  return offsetAt
}

/** The instant at which the offset changes, after `from` and not after `until`, which are `changeSpan` apart at most. */
export function changeWithin(offsetAt: OffsetAt, from: number, until: number): number | null {
  const before = offsetAt(from)
  if (offsetAt(until) === before) return null
  let [low, high] = [from, until]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(middle) === before) low = middle
    else high = middle
  }
  return high
}

/** Reads them from `11/21/2026, GMT+05:45`; the seconds are those of zones before they had standard time. */
function readOffsets(zone: string): OffsetAt {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" })
  return (instant) => {
    const [, sign, hours, minutes, seconds = 0] =
      /([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(format.format(instant)) ?? []
    if (!sign) return 0
    const distance = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)
    return (sign === "-" ? -distance : distance) * 1_000
  }
}
