import { invalidInput, Problem } from "../../platform/problem.ts"
import { digest } from "./cursor.ts"
import type { ExpectedVersions } from "./operations.ts"

/**
 * Opaque to clients: the version, and a digest of the body where more than the version shapes it (fields, expand,
 * rights, rollups).
 */
export const etagOf = (version: number, shapedBody: string | null): string =>
  shapedBody === null ? `"${version}"` : `"${version}-${digest(shapedBody)}"`

/** True when the client's copy is still good (RFC 9110, 13.1.2: weak comparison). */
export function matchesNone(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  if (header.trim() === "*") return true
  return header.split(",").some((candidate) => candidate.trim().replace(/^W\//, "") === etag)
}

/**
 * The versions that `If-Match` allows; null when it is absent or `*`. Only the version counts: a client that saw fewer
 * fields saw the same version. `W/` is passed over, because Cloudflare weakens tags when it compresses.
 *
 * @throws {Problem} `invalid_input` for what is no entity tag.
 */
export function expectedVersions(header: string | undefined): ExpectedVersions {
  if (header === undefined || header.trim() === "*") return null
  const tags = header.split(",").map((tag) => tag.trim().replace(/^W\//, ""))
  if (!tags.every((tag) => /^"[\x21\x23-\x7e]*"$/.test(tag))) {
    throw invalidInput({
      path: "headers.if-match",
      code: "format",
      message: 'If-Match: entity tags in quotes, or "*".',
    })
  }
  // A tag that this server never made matches nothing.
  return tags.flatMap((tag) => {
    const version = /^"(\d{1,15})(?:-[0-9a-z]+)?"$/.exec(tag)?.[1]
    return version ? [Number(version)] : []
  })
}

/** PUT's choice: `If-None-Match: *` creates only. Other values mean nothing here. */
export function onlyOf(
  ifMatch: string | undefined,
  ifNoneMatch: string | undefined,
): "create" | "replace" | null {
  if (ifNoneMatch !== undefined && ifNoneMatch.trim() !== "*") {
    throw invalidInput({
      path: "headers.if-none-match",
      code: "format",
      message: 'If-None-Match: only "*" here.',
    })
  }
  if (ifMatch !== undefined && ifNoneMatch !== undefined) throw new Problem("precondition_failed")
  if (ifNoneMatch !== undefined) return "create"
  return ifMatch === undefined ? null : "replace"
}
