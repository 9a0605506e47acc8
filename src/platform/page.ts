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
