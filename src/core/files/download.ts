import type { App } from "../../platform/app.ts"
import type { ByteRange } from "../../platform/blobs.ts"
import { Problem } from "../../platform/problem.ts"
import { contentDisposition } from "./file-name.ts"
import { keyOf, type StoredFile } from "./files.ts"
import { isShown } from "./media-type.ts"

/** How a file is asked for. */
export interface Wanted {
  readonly method: string
  readonly headers: Headers
  readonly download: boolean
  /** By what right: `open` to everybody, or by a signed link, which pages of other origins may show. */
  readonly access: "private" | "open" | "link"
}

/**
 * The answer that is the content of a file, or a part of it, or that nothing has changed.
 *
 * @throws {Problem} `range_not_satisfiable`
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2 for the order of conditions
 */
export async function contentAnswer(app: App, file: StoredFile, wanted: Wanted): Promise<Response> {
  const { headers, method } = wanted
  const etag = `"${file.sha256}"`
  const common = headersOf(file, etag, wanted)
  if (isKnown(headers.get("if-none-match"), etag)) {
    return new Response(null, { status: 304, headers: common })
  }
  const condition = headers.get("if-range")
  // Ranges mean something to GET alone, and of another version's parts nothing can be made.
  const asked = method === "GET" && (condition === null || condition.trim() === etag)
  const range = asked ? rangeOf(headers.get("range"), file.sizeBytes) : null
  const length = range?.length ?? file.sizeBytes
  const answer = {
    status: range ? 206 : 200,
    headers: {
      ...common,
      "content-type": contentTypeOf(file.type),
      "content-length": String(length),
      ...(range && {
        "content-range": `bytes ${range.offset}-${range.offset + length - 1}/${file.sizeBytes}`,
      }),
    },
  }
  if (method === "HEAD" || length === 0) return new Response(null, answer)
  const content = await app.blobs.read(keyOf(file.id), range ?? undefined)
  // Between the row and its content, somebody deleted it.
  if (!content) throw new Problem("not_found")
  return new Response(content, answer)
}

export function headersOf(
  { name, type }: Pick<StoredFile, "name" | "type">,
  etag: string,
  { download, access }: Wanted,
): Record<string, string> {
  return {
    etag,
    "accept-ranges": "bytes",
    // Nobody else's cache may keep it, and one's own has to ask each time: rights end, and files are deleted. What everybody
    // may read is kept for as long as nobody minds that it has changed.
    "cache-control": access === "open" ? "public, max-age=60" : "private, no-cache",
    vary: "authorization, cookie",
    "content-disposition": contentDisposition(
      download || !isShown(type) ? "attachment" : "inline",
      name,
    ),
    // A viewer of PDFs does not start in a sandbox, and what it shows has no origin of ours anyway.
    "content-security-policy": type === "application/pdf" ? policy : `${policy}; sandbox`,
    ...(access === "link" && { "cross-origin-resource-policy": "cross-origin" }),
  }
}

/** Whatever the file is: opened as a page, it loads nothing, runs nothing and is framed by nobody. */
const policy =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const contentTypeOf = (type: string): string =>
  type.startsWith("text/") ? `${type}; charset=utf-8` : type

/** Weak comparison, because Cloudflare weakens tags when it compresses. */
export const isKnown = (header: string | null, etag: string): boolean =>
  header !== null &&
  (header.trim() === "*" ||
    header.split(",").some((candidate) => candidate.trim().replace(/^W\//, "") === etag))

/**
 * The one range that is asked for; null for none, for several, and for what is no range: then all of it is answered.
 *
 * @throws {Problem} `range_not_satisfiable`
 */
export function rangeOf(header: string | null, size: number): ByteRange | null {
  const asked = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(header ?? "")
  if (!asked) return null
  const [first = "", last = ""] = asked.slice(1)
  if (first === "" && last === "") return null
  const offset = first === "" ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1)
  if (first !== "" && last !== "" && Number(last) < Number(first)) return null
  if (offset > end || (first === "" && Number(last) === 0)) {
    throw new Problem("range_not_satisfiable", {
      detail: `It has ${size} bytes.`,
      headers: { "content-range": `bytes */${size}` },
    })
  }
  return { offset, length: end - offset + 1 }
}
