/*
 * What a file is, told from its first bytes: what its sender declares is believed only where the content allows it, and
 * never makes it anything that a browser would run. Pure: no I/O.
 *
 * @see https://mimesniff.spec.whatwg.org/ for the patterns
 */

/** Patterns by type; `-1` is any byte. The first that fits. */
const signatures: readonly (readonly [type: string, pattern: readonly number[]])[] = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38, -1, 0x61]],
  ["image/webp", [0x52, 0x49, 0x46, 0x46, -1, -1, -1, -1, 0x57, 0x45, 0x42, 0x50]],
  ["audio/wav", [0x52, 0x49, 0x46, 0x46, -1, -1, -1, -1, 0x57, 0x41, 0x56, 0x45]],
  ["application/pdf", [0x25, 0x50, 0x44, 0x46, 0x2d]],
  ["application/zip", [0x50, 0x4b, 0x03, 0x04]],
  ["application/zip", [0x50, 0x4b, 0x05, 0x06]],
  ["application/gzip", [0x1f, 0x8b, 0x08]],
  ["video/webm", [0x1a, 0x45, 0xdf, 0xa3]],
  ["application/ogg", [0x4f, 0x67, 0x67, 0x53, 0x00]],
  ["audio/flac", [0x66, 0x4c, 0x61, 0x43]],
  ["audio/mpeg", [0x49, 0x44, 0x33]],
  ["font/woff2", [0x77, 0x4f, 0x46, 0x32]],
]

/** Of ISO base media, by the brand in their first box. */
const brands: Readonly<Record<string, string>> = {
  avif: "image/avif",
  avis: "image/avif",
  heic: "image/heic",
  heix: "image/heic",
  mif1: "image/heic",
  M4A: "audio/mp4",
  qt: "video/quicktime",
}

/** What a declared type may make of what the content is: nothing in the second column is run by browsers. */
const refinements: Readonly<Record<string, readonly string[]>> = {
  "text/plain": ["text/csv", "text/markdown", "text/calendar"],
  "application/zip": [
    "application/epub+zip",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  ],
}

const unknown = "application/octet-stream"

/** Every type that a file can turn out to have. */
export const mediaTypes: readonly string[] = [
  ...new Set([
    unknown,
    "text/plain",
    "text/html",
    "image/svg+xml",
    "text/xml",
    "video/mp4",
    ...signatures.map(([type]) => type),
    ...Object.values(brands),
    ...Object.values(refinements).flat(),
  ]),
]

/** What browsers show without running any of it. All else is downloaded. */
const shown =
  /^(?:image\/(?:png|jpeg|gif|webp|avif)|(?:audio|video)\/.*|application\/pdf|text\/plain)$/

export const isShown = (type: string): boolean => shown.test(type)

/**
 * @param start the first bytes, 1,000 or more where there are so many
 * @param declared `Content-Type` as it was sent
 */
export function mediaTypeOf(start: Uint8Array, declared: string | undefined): string {
  const found = signatureOf(start) ?? brandOf(start) ?? textTypeOf(start)
  const said = declared?.split(";")[0]?.trim().toLowerCase() ?? ""
  return refinements[found]?.includes(said) ? said : found
}

const signatureOf = (start: Uint8Array): string | undefined =>
  signatures.find(([, pattern]) =>
    pattern.every((byte, at) => (byte === -1 ? at < start.length : start[at] === byte)),
  )?.[0]

function brandOf(start: Uint8Array): string | undefined {
  const at = (from: number, to: number) => String.fromCharCode(...start.subarray(from, to))
  if (at(4, 8) !== "ftyp" || start.length < 12) return undefined
  return brands[at(8, 12).trim()] ?? "video/mp4"
}

/** Far enough for a comment before the first tag. */
const looked = 4_096

/** What a browser could take for a page is one, wherever in the beginning it says so: a polyglot is what is worst in it. */
const htmlTag =
  /<(?:head|body|script|iframe|object|embed|frame|meta|link|base|style|title|table|div|form|input|button|img|video|audio|br|p|a|h1|font)(?=[\s/>])/i

function textTypeOf(start: Uint8Array): string {
  if (start.length === 0) return unknown
  const text = textOf(start.subarray(0, looked))
  if (text === null) return unknown
  if (/<(?:!doctype\s+html|html)(?=[\s/>])/i.test(text)) return "text/html"
  if (/<(?:\w+:)?svg(?=[\s/>])/i.test(text)) return "image/svg+xml"
  if (htmlTag.test(text)) return "text/html"
  if (/^\s*<(?:\?xml|!DOCTYPE|!\[CDATA\[|[A-Za-z_][\w.-]*[\s/>:])/.test(text)) return "text/xml"
  return "text/plain"
}

/** Null for what is no text in UTF-8: it has other control characters than text has, or bytes that are none. */
function textOf(bytes: Uint8Array): string | null {
  try {
    // As a stream: the last character may be cut.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true })
    return /[^\P{Cc}\t\n\f\r]/u.test(text) ? null : text
  } catch {
    return null
  }
}
