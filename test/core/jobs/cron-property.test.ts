import fc from "fast-check"
import { expect, test } from "vitest"
import { nextOccurrence, parseCron } from "../../../src/core/jobs/cron.ts"

/*
 * Against a clock that is watched minute by minute, and that knows nothing of offsets or of how expressions are parsed.
 */

const { env: settings = {} } = import.meta as { env?: Readonly<Record<string, string>> }
/** Set VITE_SEED to replay a run, VITE_RUNS to look harder. */
const seed = Number(settings.VITE_SEED ?? Math.floor(Math.random() * 2 ** 30))
const runs = Number(settings.VITE_RUNS ?? 400)

const minuteMs = 60_000
const dayMs = 86_400_000

const changes: readonly (readonly [zone: string, day: string])[] = [
  ["Europe/Berlin", "2025-03-30"],
  ["Europe/Berlin", "2025-10-26"],
  ["Europe/London", "2025-03-30"],
  ["Europe/London", "2025-10-26"],
  ["America/New_York", "2025-03-09"],
  ["America/New_York", "2025-11-02"],
  ["America/Nuuk", "2025-03-30"],
  ["America/Nuuk", "2025-10-26"],
  ["America/Sao_Paulo", "2018-02-18"],
  ["America/Sao_Paulo", "2018-11-04"],
  ["Africa/Cairo", "2023-04-28"],
  ["Africa/Cairo", "2023-10-27"],
  ["Africa/Casablanca", "2025-02-23"],
  ["Asia/Tehran", "2022-03-22"],
  ["Asia/Tehran", "2022-09-22"],
  ["Asia/Kathmandu", "1986-01-01"],
  ["Australia/Lord_Howe", "2025-04-06"],
  ["Australia/Lord_Howe", "2025-10-05"],
  ["Pacific/Apia", "2011-12-30"],
  // A day that came twice.
  ["Pacific/Kwajalein", "1969-09-30"],
  ["UTC", "2024-02-29"],
]

interface Field {
  readonly text: string
  readonly values: ReadonlySet<number>
}
interface Expression {
  readonly text: string
  readonly elapsed: boolean
  allows(local: Date): boolean
}

/** Some allowed values, with a preference for those that are near the change. */
function field(min: number, max: number, near: readonly number[] = []): fc.Arbitrary<Field> {
  const all = Array.from({ length: max - min + 1 }, (_, n) => min + n)
  const stepped = (from: number, to: number, step: number) =>
    all.filter((n) => n >= from && n <= to && (n - from) % step === 0)
  const value = fc.oneof(fc.integer({ min, max }), fc.constantFrom(...(near.length ? near : all)))
  const step = fc.integer({ min: 1, max: max - 1 })
  const range = fc.tuple(value, value).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
  const item = fc.oneof(
    value.map((n) => ({ text: `${n}`, values: [n] })),
    range.map(([a, b]) => ({ text: `${a}-${b}`, values: stepped(a, b, 1) })),
    fc
      .tuple(range, step)
      .map(([[a, b], by]) => ({ text: `${a}-${b}/${by}`, values: stepped(a, b, by) })),
    step.map((by) => ({ text: `*/${by}`, values: stepped(min, max, by) })),
  )
  return fc.oneof(
    fc.constant({ text: "*", values: new Set(all) }),
    fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => ({
      text: items.map(({ text }) => text).join(),
      values: new Set(items.flatMap(({ values }) => values)),
    })),
  )
}

const expression = fc
  .tuple(
    field(0, 59, [0, 15, 30, 45]),
    field(0, 23, [0, 1, 2, 3, 22, 23]),
    fc.oneof(fc.constant({ text: "*", values: null }), field(1, 31)),
    fc.oneof(fc.constant({ text: "*", values: null }), field(1, 12)),
    fc.oneof(fc.constant({ text: "*", values: null }), field(0, 6)),
  )
  .map(([minute, hour, day, month, weekday]): Expression => {
    const either = !day.text.startsWith("*") && !weekday.text.startsWith("*")
    return {
      text: [minute, hour, day, month, weekday].map(({ text }) => text).join(" "),
      elapsed: hour.text.includes("*") || hour.text.includes("/"),
      allows(local) {
        const onDay = day.values?.has(local.getUTCDate()) ?? true
        const onWeekday = weekday.values?.has(local.getUTCDay()) ?? true
        return (
          minute.values.has(local.getUTCMinutes()) &&
          hour.values.has(local.getUTCHours()) &&
          (month.values?.has(local.getUTCMonth() + 1) ?? true) &&
          (either ? onDay || onWeekday : onDay && onWeekday)
        )
      },
    }
  })

const clocks = new Map<string, Intl.DateTimeFormat>()

/** What the clock of the zone shows, as the instant at which UTC's shows it. */
function shown(zone: string, instant: number): number {
  const clock =
    clocks.get(zone) ??
    new Intl.DateTimeFormat("en-GB", { timeZone: zone, dateStyle: "short", timeStyle: "medium" })
  clocks.set(zone, clock)
  const [day, month, year, hour, minute, second] = clock.format(instant).match(/\d+/g) ?? []
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

const walks = new Map<string, readonly (readonly [instant: number, local: number])[]>()

/** The clock at each minute of six days, the change in the middle. */
function walk(zone: string, day: string) {
  const key = `${zone} ${day}`
  const known = walks.get(key)
  if (known) return known
  const start = Date.parse(day) - 3 * dayMs
  const made = Array.from({ length: 6 * 1_440 }, (_, n) => {
    const instant = start + n * minuteMs
    return [instant, shown(zone, instant)] as const
  })
  walks.set(key, made)
  return made
}

/** All that is due within the walk, apart from its first minute. */
function watched({ allows, elapsed }: Expression, zone: string, day: string): number[] {
  const due: number[] = []
  const seen = new Set<number>()
  let last = Number.NaN
  for (const [instant, local] of walk(zone, day)) {
    let isDue = allows(new Date(local)) && (elapsed || !seen.has(local))
    for (let missed = last + minuteMs; missed < local && !elapsed; missed += minuteMs) {
      isDue ||= allows(new Date(missed))
    }
    if (isDue && !Number.isNaN(last)) due.push(instant)
    seen.add(local)
    last = local
  }
  return due
}

const somewhere = fc.constantFrom(...changes)

test(`what is due around a change of the clocks is what a watched clock says (seed ${seed})`, () => {
  const start = fc.integer({ min: 0, max: 6 * dayMs })
  fc.assert(
    fc.property(expression, somewhere, start, (random, [zone, day], offset) => {
      const cron = parseCron(random.text, zone)
      const from = Date.parse(day) - 3 * dayMs
      const after = from + offset
      const expected = watched(random, zone, day).filter((due) => due > after)
      const found: number[] = []
      for (let at: number | null = after; ; ) {
        at = nextOccurrence(cron, at)
        if (at === null || at >= from + 6 * dayMs) break
        found.push(at)
        // Enough to see that it goes on; the whole of `* * * * *` would only take long.
        if (found.length === 500) break
      }
      expect(found).toEqual(expected.slice(0, 500))
    }),
    { seed, numRuns: runs },
  )
})

test(`an occurrence stays the next until it has come, whatever the distance (seed ${seed})`, () => {
  const after = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2037, 0, 1) })
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(expression, somewhere, after, share, (random, [zone], after, share) => {
      const cron = parseCron(random.text, zone)
      let last = after
      for (let n = 0; n < 5; n++) {
        const due = nextOccurrence(cron, last)
        if (due === null) return
        expect(due).toBeGreaterThan(last)
        const meanwhile = Math.floor(last + share * (due - 1 - last))
        expect(nextOccurrence(cron, meanwhile)).toBe(due)
        const local = shown(zone, due)
        const endsGap = local - shown(zone, due - minuteMs) > minuteMs
        expect(random.allows(new Date(local)) || (endsGap && !random.elapsed)).toBe(true)
        last = due
      }
    }),
    { seed, numRuns: runs },
  )
})
