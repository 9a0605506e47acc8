import { Buffer } from "node:buffer"
import { Problem } from "../../platform/problem.ts"
import type { StoredValue } from "./values.ts"

/** Where a page ended: the sort values and id of its last record, or its position in a ranked search. */
export type Place =
  | { readonly values: readonly StoredValue[]; readonly id: string }
  | { readonly position: number }

/**
 * A cursor is opaque but no secret: it holds values that its reader was just shown, and it cannot widen what a query
 * finds. It carries a digest of its query, so that a cursor of another query, actor's organisation or database is refused.
 */
export function writeCursor(query: string, place: Place): string {
  const content = "position" in place ? [place.position] : [...place.values, place.id]
  return encode(JSON.stringify([digest(query), ...content]))
}

/** @throws {Problem} `invalid_cursor` */
export function readCursor(
  query: string,
  cursor: string,
  sortKeys: number,
  ranked: boolean,
): Place {
  const refused = new Problem("invalid_cursor", {
    detail: "The cursor does not belong to this query: start again without it.",
    errors: [
      {
        path: "query.cursor",
        code: "invalid_cursor",
        message: "The cursor does not belong to this query.",
      },
    ],
  })
  let content: unknown
  try {
    content = JSON.parse(decode(cursor))
  } catch {
    throw refused
  }
  if (!Array.isArray(content) || content[0] !== digest(query)) throw refused
  const rest: unknown[] = content.slice(1)
  if (ranked) {
    const [position] = rest
    if (rest.length !== 1 || !Number.isSafeInteger(position) || (position as number) < 0)
      throw refused
    return { position: position as number }
  }
  const id = rest.pop()
  const sound = rest.every((value) => value === null || ["string", "number"].includes(typeof value))
  if (rest.length !== sortKeys || typeof id !== "string" || !sound) throw refused
  return { values: rest as StoredValue[], id }
}

const encode = (text: string): string => Buffer.from(text).toString("base64url")

/** Refuses what is no UTF-8; base64 of other spellings is told by its digest. */
const decode = (text: string): string =>
  new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(text, "base64url"))

/** 52 bits of a text, in JavaScript alone: fast, and enough to notice a mistake. Not a defence against forgery. */
export function digest(text: string): string {
  let high = 0xdeadbeef
  let low = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    high = Math.imul(high ^ code, 2654435761)
    low = Math.imul(low ^ code, 1597334677)
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909)
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909)
  return ((low >>> 0) * 1048576 + (high >>> 12)).toString(36)
}
