/*
 * What every answer tells browsers, errors and pages alike, unless its route says otherwise. Programs pass over it.
 * @see https://owasp.org/www-project-secure-headers/
 */

/** Of answers that are no pages: opened as one, by a link or in a frame, they may do nothing. */
const dataPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Of pages that have no policy of their own, which a page should have: they are not framed, and load what they like. */
const pagePolicy = "base-uri 'none'; object-src 'none'; frame-ancestors 'none'"

/** Powerful features that a page has to ask for by a header of its own. */
const permissions =
  "accelerometer=(), bluetooth=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()"

/**
 * Pages of other origins load nothing of ours that they did not ask for by CORS, which is not touched by this: whether they
 * may is for `ALLOWED_ORIGINS` to say.
 */
const defaults = [
  ["referrer-policy", "no-referrer"],
  ["permissions-policy", permissions],
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-resource-policy", "same-origin"],
] as const

/** A year. Without subdomains and preload lists: those are for whoever owns the domain to decide. */
const transport = "max-age=31536000"

/** Adds to the headers of an answer to a request with that URL. */
export function addSecurityHeaders(headers: Headers, url: string): void {
  headers.set("x-content-type-options", "nosniff")
  if (url.startsWith("https:")) headers.set("strict-transport-security", transport)
  if (!headers.has("content-security-policy")) {
    const page = headers.get("content-type")?.startsWith("text/html")
    headers.set("content-security-policy", page ? pagePolicy : dataPolicy)
  }
  for (const [name, value] of defaults) if (!headers.has(name)) headers.set(name, value)
}
