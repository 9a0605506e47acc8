import { isId } from "./ids.ts"
import { Problem } from "./problem.ts"

export interface Page<Item> {
  readonly items: Item[]
  /** The cursor of the next page, or null. */
  readonly next: string | null
}

/** `found` holds up to one item more than the page: the sign that there is a next one. */
export function pageOf<Item extends { id: string }>(found: Item[], limit: number): Page<Item> {
  const items = found.slice(0, limit)
  return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null }
}

/** Lists are paged by the last id, which is all the cursor says. @throws {Problem} `invalid_cursor` */
export function pageOfQuery(query: { limit: number; cursor?: string | undefined }) {
  const { limit, cursor = null } = query
  if (cursor !== null && !isId(cursor)) {
    const message = "The cursor was not made here."
    const errors = [{ path: "query.cursor", code: "invalid_cursor", message }]
    throw new Problem("invalid_cursor", { errors })
  }
  return { limit, cursor }
}

/** The header that leads to the next page, where there is one (RFC 8288). */
export function nextLink(
  requestUrl: string,
  page: Pick<Page<unknown>, "next">,
): Record<string, string> {
  if (page.next === null) return {}
  const url = new URL(requestUrl)
  url.searchParams.set("cursor", page.next)
  return { link: `<${url.pathname}${url.search}>; rel="next"` }
}
