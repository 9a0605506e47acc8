/*
 * When a schedule is due: cron expressions in a time zone. No clock, no I/O.
 *
 * Inside, "local" is what the clocks of the zone show, as the milliseconds since the epoch at which UTC's show it.
 */

import { changeSpan, changeWithin, type OffsetAt, offsetsOf } from "./time-zone.ts"

/** A parsed expression: the values that each field allows. */
export interface Cron {
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  readonly days: readonly number[]
  readonly months: readonly number[]
  /** 0 is Sunday, and so is 7. */
  readonly weekdays: readonly number[]
  /** A day has to be in `days` or in `weekdays`, not in both. */
  readonly eitherDay: boolean
  /** Follows elapsed time, not the clock: see `nextOccurrence`. */
  readonly elapsed: boolean
  readonly offsetAt: OffsetAt
}

interface Field {
  readonly name: string
  readonly min: number
  readonly max: number
  /** Of the values from `min` on. */
  readonly names?: readonly string[]
}

const monthNames = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" ")
const weekdayNames = "SUN MON TUE WED THU FRI SAT SUN".split(" ")
const fields = {
  minute: { name: "minute", min: 0, max: 59 },
  hour: { name: "hour", min: 0, max: 23 },
  day: { name: "day of the month", min: 1, max: 31 },
  month: { name: "month", min: 1, max: 12, names: monthNames },
  weekday: { name: "day of the week", min: 0, max: 7, names: weekdayNames },
} satisfies Record<string, Field>

const shorthands = new Map([
  ["@hourly", "0 * * * *"],
  ["@daily", "0 0 * * *"],
  ["@weekly", "0 0 * * 0"],
  ["@monthly", "0 0 1 * *"],
  ["@yearly", "0 0 1 1 *"],
])

const minuteMs = 60_000
const dayMs = 86_400_000
/** After so many days the calendar begins anew, weekdays included. */
const calendarDays = 146_097

/**
 * The five fields of crontab(5), or one of the shorthands above. A field is `*`, or a list of values and ranges; `*` and
 * ranges may have a step (`9-17/2`), months and weekdays have names. Where both kinds of day are given and neither
 * begins with `*`, either suffices: `0 9 1 * MON` is due on each first and on each Monday. There are no seconds, and no
 * `L`, `W` or `#`. That a day exists is not checked: see `nextOccurrence`.
 *
 * @throws {Error} naming what is wrong with the expression or the zone.
 */
export function parseCron(expression: string, timeZone: string): Cron {
  try {
    return { ...parseFields(expression), offsetAt: parseZone(timeZone) }
  } catch (cause) {
    throw new Error(`The schedule "${expression}" is wrong: ${(cause as Error).message}`, { cause })
  }
}

/**
 * When it is due next, strictly after `after`, both in milliseconds since the epoch; null when it never is (31 February).
 *
 * Where the clocks change, as in Vixie cron:
 * - When hours are given (`30 2 * * *`, `0 9-17 * * 1`), it is due once for each time of the clock. A time that the clock
 *   skips is due at the first instant after the gap, together with what is due there anyway, even if that is another day.
 *   A time that comes twice is due at the first of both.
 * - When hours are a wildcard or have a step (`0 * * * *`, `0 8-18/2 * * *`), it follows elapsed time: whatever the clock
 *   shows is due each time it shows it, and what it skips is not due.
 *
 * Unlike there, a wildcard among the minutes changes nothing: the minutes of a given hour come once.
 *
 * @see https://man7.org/linux/man-pages/man8/cron.8.html on daylight saving time.
 */
export const nextOccurrence = (cron: Cron, after: number): number | null =>
  cron.elapsed ? nextElapsed(cron, after) : nextByTheClock(cron, after)

function nextByTheClock(cron: Cron, after: number): number | null {
  // Later times of the clock are never due earlier, so the first that is due after `after` is the next.
  for (let local: number | null = after + cron.offsetAt(after); ; ) {
    local = nextLocal(cron, local + 1)
    if (local === null) return null
    const due = firstInstant(cron.offsetAt, local)
    if (due > after) return due
  }
}

/** The first instant at which the clocks show the time, or show a later one because they skip it. */
function firstInstant(offsetAt: OffsetAt, local: number): number {
  const from = local - changeSpan / 2
  const early = local - offsetAt(from)
  const change = changeWithin(offsetAt, from, local + changeSpan / 2)
  if (change === null || early < change) return early
  return Math.max(change, local - offsetAt(change))
}

function nextElapsed(cron: Cron, after: number): number | null {
  for (let from = after + 1; ; ) {
    const offset = cron.offsetAt(from)
    const local = nextLocal(cron, from + offset)
    if (local === null) return null
    const due = local - offset
    const until = Math.min(due, from + changeSpan)
    const change = changeWithin(cron.offsetAt, from, until)
    if (change !== null) from = change
    else if (until === due) return due
    // Changes further off show nothing that is due: they neither lead back to here nor as far as there.
    else from = Math.max(until, due - changeSpan)
  }
}

/** The first local time that the expression allows, not before `from`; null when there is none. */
function nextLocal(cron: Cron, from: number): number | null {
  const start = Math.ceil(from / minuteMs) * minuteMs
  const first = Math.floor(start / dayMs) * dayMs
  for (let day = first; day <= first + calendarDays * dayMs; ) {
    const date = new Date(day)
    if (!cron.months.includes(date.getUTCMonth() + 1)) {
      day = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1)
      continue
    }
    const minutes = day === first ? (start - day) / minuteMs : 0
    const time = allowsDay(cron, date) ? nextTime(cron, minutes) : null
    if (time !== null) return day + time * minuteMs
    day += dayMs
  }
  return null
}

function allowsDay({ days, weekdays, eitherDay }: Cron, date: Date): boolean {
  const day = days.includes(date.getUTCDate())
  const weekday = weekdays.includes(date.getUTCDay())
  return eitherDay ? day || weekday : day && weekday
}

/** Minutes since midnight. */
function nextTime({ hours, minutes }: Cron, from: number): number | null {
  for (const hour of hours) {
    const minute = minutes.find((minute) => hour * 60 + minute >= from)
    if (minute !== undefined) return hour * 60 + minute
  }
  return null
}

function parseFields(expression: string): Omit<Cron, "offsetAt"> {
  const whole = shorthands.get(expression.trim()) ?? expression
  const parts = whole.trim().toUpperCase().split(/\s+/)
  const [minute, hour, day, month, weekday] = parts
  if (!minute || !hour || !day || !month || !weekday || parts.length > 5) {
    throw new Error(
      "it takes five fields (minute, hour, day of the month, month, day of the week; no seconds), " +
        `or one of ${[...shorthands.keys()].join(", ")}`,
    )
  }
  return {
    minutes: parseField(minute, fields.minute),
    hours: parseField(hour, fields.hour),
    days: parseField(day, fields.day),
    months: parseField(month, fields.month),
    weekdays: parseField(weekday, fields.weekday).map((value) => value % 7),
    eitherDay: !day.startsWith("*") && !weekday.startsWith("*"),
    elapsed: /[*/]/.test(hour),
  }
}

/** Ascending. */
function parseField(text: string, field: Field): number[] {
  const values = new Set(text.split(",").flatMap((item) => parseItem(item, field)))
  return [...values].toSorted((a, b) => a - b)
}

function parseItem(item: string, field: Field): number[] {
  const found = /^(?:\*|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(item)
  if (!found) throw new Error(`its ${field.name} has "${item}"`)
  const [, low, high, step] = found
  if (low && !high && step) {
    throw new Error(`its ${field.name} has "${item}": a step wants "*" or a range`)
  }
  const first = low ? parseValue(low, field, field.names?.indexOf(low)) : field.min
  let last = field.max
  // A Sunday that ends a range is the seventh day.
  if (high && high !== low) last = parseValue(high, field, field.names?.lastIndexOf(high))
  else if (low) last = first
  const by = step ? Number(step) : 1
  if (first > last) throw new Error(`its ${field.name} has "${item}": a range has to ascend`)
  if (by < 1 || by > field.max) {
    throw new Error(`its ${field.name} has "${item}": a step is from 1 to ${field.max}`)
  }
  const count = Math.floor((last - first) / by) + 1
  return Array.from({ length: count }, (_, n) => first + n * by)
}

function parseValue(text: string, { name, min, max }: Field, named = -1): number {
  const value = named >= 0 ? min + named : /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new Error(`its ${name} has "${text}", which is not from ${min} to ${max}`)
}

function parseZone(timeZone: string): OffsetAt {
  try {
    return offsetsOf(timeZone)
  } catch (cause) {
    throw new Error(`there is no time zone "${timeZone}"`, { cause })
  }
}
