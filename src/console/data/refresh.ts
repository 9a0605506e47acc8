import type { InfiniteData, QueryClient } from "@tanstack/react-query"
import type { Page } from "../backend.ts"
import type { AnyRecord } from "./records.ts"

type List = InfiniteData<Page<AnyRecord>>

/** A list that was scrolled further than this is not read again as a whole: that would be a request for each page. */
const maxPages = 5

/**
 * Reads again what a change of a collection may have changed. Where a list is long, the record that was `saved` takes its
 * place in it; when more has changed, it begins anew.
 */
export async function refreshRecords(
  queries: QueryClient,
  collection: string,
  { saved, gone }: { saved?: AnyRecord; gone?: string | undefined } = {},
): Promise<void> {
  const queryKey = ["records", collection]
  const isLong = (data: unknown): data is List =>
    typeof data === "object" &&
    data !== null &&
    "pages" in data &&
    (data as List).pages.length > maxPages
  for (const query of queries.getQueryCache().findAll({ queryKey })) {
    const { data } = query.state
    if (!isLong(data)) continue
    if (saved) queries.setQueryData(query.queryKey, withRecord(data, saved))
    else await queries.resetQueries({ queryKey: query.queryKey, exact: true })
  }
  await queries.invalidateQueries({
    queryKey,
    // What is gone is not asked for again.
    predicate: ({ queryKey, state }) =>
      !isLong(state.data) && !(gone !== undefined && queryKey.includes(gone)),
  })
}

function withRecord(list: List, saved: AnyRecord): List {
  const pages = list.pages.map((page) =>
    page.items.some(({ id }) => id === saved.id)
      ? {
          ...page,
          items: page.items.map((old) => (old.id === saved.id ? merged(old, saved) : old)),
        }
      : page,
  )
  return { ...list, pages }
}

/** Of what it pointed at only that stays which it still points at. */
function merged(old: AnyRecord, saved: AnyRecord): AnyRecord {
  const expanded = Object.entries((old.expanded as Record<string, unknown> | undefined) ?? {})
  const still = expanded.filter(([name]) => old[name] === saved[name])
  return { ...old, ...saved, expanded: Object.fromEntries(still) }
}
