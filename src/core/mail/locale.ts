/** Languages in which mail is written. Each template and the core's own catalogue has all of them: the types demand it. */
export const locales = ["en", "de"] as const
export type Locale = (typeof locales)[number]

/** The language for a tag such as `de-AT` (BCP 47): the same, its language alone, else English. */
export function localeFor(tag: string | null | undefined): Locale {
  const language = tag?.toLowerCase().split(/[-_]/)[0]
  return locales.find((locale) => locale === language) ?? "en"
}
