/**
 * Dates and times as stored: `YYYY-MM-DD`, and ISO 8601 UTC with milliseconds; years 0000 to 9999, so
 * that the order of bytes is the order of time. No clock.
 */

const written =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?([Zz]|[+-]\d\d:?\d\d)?)?$/

/**
 * The instant of a written date, in milliseconds since the epoch; null when there is no such date.
 * Without a time it is midnight UTC, without a zone it is UTC; finer than a millisecond is cut off.
 */
export function parseInstant(text: string): number | null {
  const parts = written.exec(text)
  if (!parts) return null
  const [year, month, day, hour, minute, second] = parts
    .slice(1, 7)
    .map((part) => Number(part ?? 0))
  const date = new Date(0)
  // Not Date.UTC, which reads the years 0 to 99 as 1900 to 1999.
  date.setUTCFullYear(year as number, (month as number) - 1, day)
  date.setUTCHours(
    hour as number,
    minute,
    second,
    Number((parts[7] ?? "").padEnd(3, "0").slice(0, 3)),
  )
  // JavaScript rolls 30 February over into March and 24:00 into the next day: those are no dates.
  const exists =
    date.getUTCMonth() + 1 === month &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second
  const offset = zoneOffset(parts[8])
  if (!exists || offset === null) return null
  const instant = date.getTime() - offset
  return instant >= firstInstant && instant <= lastInstant ? instant : null
}

const firstInstant = -62_167_219_200_000
const lastInstant = 253_402_300_799_999

function zoneOffset(zone: string | undefined): number | null {
  if (!zone || zone === "Z" || zone === "z") return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(-2))
  if (hours > 23 || minutes > 59) return null
  return (zone[0] === "-" ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

/** An instant as a datetime is stored. Held within the years that sort as text. */
export const storedDatetime = (instant: number): string =>
  new Date(Math.min(Math.max(instant, firstInstant), lastInstant)).toISOString()

/** The last midnight UTC before an instant. */
export const midnight = (instant: number): number => Math.floor(instant / 86_400_000) * 86_400_000

const midnightSuffix = "T00:00:00.000Z"

/** A stored date as a stored datetime: its midnight. */
export const dateAsDatetime = (date: string): string => date + midnightSuffix

/**
 * A stored datetime as it compares with stored dates: the plain date at midnight, else itself. A
 * shorter prefix sorts first, so a column of dates is compared bare and its index used.
 */
export const datetimeAmongDates = (datetime: string): string =>
  datetime.endsWith(midnightSuffix) ? datetime.slice(0, 10) : datetime

/** `day`, `month` (1 to 12) or `year` of a stored date or datetime. */
export function datePart(part: DatePart, stored: string): number {
  const [start, length] = datePartSpan[part]
  return Number(stored.slice(start - 1, start - 1 + length))
}

export type DatePart = "day" | "month" | "year"

/** Where each part lies in the stored text: first character (from 1, as in SQL) and length. */
export const datePartSpan: Readonly<Record<DatePart, readonly [number, number]>> = {
  year: [1, 4],
  month: [6, 2],
  day: [9, 2],
}
