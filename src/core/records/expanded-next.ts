import type { LinkedField } from "./link.ts"

/**
 * Where a relation goes on that `expand` has cut off after `last`: the address of a list. `ids` are those of a to-many field;
 * a back-relation is a filter of its own. No I/O.
 */
export function nextOf(
  field: LinkedField,
  owner: string,
  last: string,
  ids: readonly string[],
): string {
  const filter =
    field.kind === "backRelation"
      ? `${field.options.backField} = "${owner}" && id > "${last}"`
      : `id in (${ids
          .slice(ids.indexOf(last) + 1, ids.indexOf(last) + 1 + pageOfIds)
          .map((id) => `"${id}"`)
          .join(", ")})`
  return `/records/${field.options.target}?${new URLSearchParams({ filter })}`
}

/** As many as a page has; the record has all of the ids. */
const pageOfIds = 50
