/** The viewer's own way of writing the language, `en-GB` for one, where their browser tells. */
const localeOf = (language: string): string =>
  navigator.languages.find((tag) => tag === language || tag.startsWith(`${language}-`)) ?? language

/** One for each language: to make one takes longer than to write a hundred numbers with it. */
function kept<Format>(make: (locale: string) => Format): (language: string) => Format {
  const formats = new Map<string, Format>()
  return (language) => {
    const found = formats.get(language)
    if (found) return found
    const format = make(localeOf(language))
    formats.set(language, format)
    return format
  }
}

const moments = kept(
  (locale) => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }),
)
const days = kept(
  (locale) => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" }),
)
const times = kept(
  (locale) => new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" }),
)
const hoursOfDays = kept(
  (locale) =>
    new Intl.DateTimeFormat(locale, { weekday: "short", hour: "2-digit", minute: "2-digit" }),
)
const daysOfYear = kept(
  (locale) => new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" }),
)
const amounts = kept((locale) => new Intl.NumberFormat(locale))

/** Moments in the viewer's own zone and language; `null` is a dash. */
export const moment = (iso: string | null | undefined, language: string): string =>
  iso ? moments(language).format(new Date(iso)) : "–"

/** A day without a zone, as `YYYY-MM-DD` says it. */
export function day(date: string, language: string): string {
  const [year, month, dayOfMonth] = date.split("-").map(Number)
  const at = new Date(0)
  at.setUTCFullYear(year ?? 0, (month ?? 1) - 1, dayOfMonth ?? 1)
  return days(language).format(at)
}

export const time = (iso: string, language: string): string => times(language).format(new Date(iso))

/** The end of an axis: the time of day over hours, the weekday too over a day or two, the day beyond. */
export function tick(iso: string, spanMilliseconds: number, language: string): string {
  const hours = spanMilliseconds / 3_600_000
  if (hours <= 2) return time(iso, language)
  return (hours <= 48 ? hoursOfDays : daysOfYear)(language).format(new Date(iso))
}

export const amount = (n: number, language: string): string => amounts(language).format(n)

const units = ["byte", "kilobyte", "megabyte", "gigabyte"] as const

/** How large something is, in thousands of bytes. */
export function bytes(n: number, language: string): string {
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, n)) / 3))
  return new Intl.NumberFormat(localeOf(language), {
    style: "unit",
    unit: units[step] ?? "byte",
    unitDisplay: step === 0 ? "long" : "short",
    maximumFractionDigits: step === 0 ? 0 : 1,
  }).format(n / 1_000 ** step)
}
