/** The viewer's own way of writing the language, `en-GB` for one, where their browser tells. */
const localeOf = (language: string): string =>
  navigator.languages.find((tag) => tag === language || tag.startsWith(`${language}-`)) ?? language

/** Moments in the viewer's own zone and language; `null` is a dash. */
export function moment(iso: string | null | undefined, language: string): string {
  if (!iso) return "–"
  return new Intl.DateTimeFormat(localeOf(language), {
    dateStyle: "medium",
    timeStyle: "short",
  }).format(new Date(iso))
}

/** A day without a zone, as `YYYY-MM-DD` says it. */
export function day(date: string, language: string): string {
  const [year, month, dayOfMonth] = date.split("-").map(Number)
  const at = new Date(0)
  at.setUTCFullYear(year ?? 0, (month ?? 1) - 1, dayOfMonth ?? 1)
  return new Intl.DateTimeFormat(localeOf(language), {
    dateStyle: "medium",
    timeZone: "UTC",
  }).format(at)
}

export const time = (iso: string, language: string): string =>
  new Intl.DateTimeFormat(localeOf(language), { hour: "2-digit", minute: "2-digit" }).format(
    new Date(iso),
  )

export const amount = (n: number, language: string): string =>
  new Intl.NumberFormat(localeOf(language)).format(n)
