import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query"
import { type Page, pathWith, read } from "../backend.ts"

/** A record as the API answers it, whatever its collection. */
export interface AnyRecord {
  readonly id: string
  readonly version: number
  readonly createdAt: string
  readonly updatedAt: string
  readonly [field: string]: unknown
}

/** What a list shows, as it stands in the address of the page. */
export interface Asked {
  readonly filter: string
  readonly search: string
  readonly sort: string
  readonly expand: string
}

export const listQuery = (collection: string, { filter, search, sort, expand }: Asked) =>
  infiniteQueryOptions({
    queryKey: ["records", collection, "list", filter, search, sort, expand],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      read<Page<AnyRecord>>(
        pathWith(`/records/${collection}`, {
          filter,
          search,
          sort,
          expand,
          limit: 100,
          cursor: pageParam,
        }),
        signal,
      ),
    getNextPageParam: (page) => page.next,
  })

export const countQuery = (collection: string, { filter, search }: Asked) =>
  queryOptions({
    queryKey: ["records", collection, "count", filter, search],
    queryFn: ({ signal }) =>
      read<Page<AnyRecord>>(
        pathWith(`/records/${collection}`, {
          filter,
          search,
          limit: 1,
          fields: "id",
          count: "exact",
        }),
        signal,
      ).then(({ count = 0 }) => count),
  })

export const recordQuery = (collection: string, id: string) =>
  queryOptions({
    queryKey: ["records", collection, "one", id],
    queryFn: ({ signal }) => read<AnyRecord>(`/records/${collection}/${id}`, signal),
  })
