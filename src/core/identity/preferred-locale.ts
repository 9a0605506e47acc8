import { type Locale, localeFor, locales } from "../mail/locale.ts"

/**
 * The language of ours that a browser asks for first, or null. Weights are honoured as far as order goes.
 *
 * @see RFC 9110, 12.5.4
 */
export function preferredLocale(acceptLanguage: string | undefined): Locale | null {
  const asked = (acceptLanguage ?? "")
    .slice(0, 500)
    .split(",")
    .map((part) => {
      const [tag = "", ...parameters] = part.trim().toLowerCase().split(";")
      const weight = parameters
        .find((one) => one.trim().startsWith("q="))
        ?.trim()
        .slice(2)
      return { tag, weight: weight === undefined ? 1 : Number(weight) || 0 }
    })
    .filter(({ tag, weight }) => weight > 0 && isOurs(tag))
    .sort((a, b) => b.weight - a.weight)
  return asked[0] ? localeFor(asked[0].tag) : null
}

const isOurs = (tag: string): boolean => locales.some((locale) => tag.split("-")[0] === locale)
