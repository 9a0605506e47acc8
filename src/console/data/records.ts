import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query"
import { type Page, pathWith } from "../backend.ts"
import type { Reader } from "./viewer.tsx"

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

export const listQuery = (
  collection: string,
  { filter, search, sort, expand }: Asked,
  reader: Reader,
) =>
  infiniteQueryOptions({
    queryKey: ["records", collection, "list", reader.key, filter, search, sort, expand],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      reader.read<Page<AnyRecord>>(
        pathWith(`/records/${collection}`, {
          filter,
          search,
          sort,
          expand,
          limit: 200,
          cursor: pageParam,
        }),
        signal,
      ),
    getNextPageParam: (page) => page.next,
  })

export const countQuery = (collection: string, { filter, search }: Asked, reader: Reader) =>
  queryOptions({
    queryKey: ["records", collection, "count", reader.key, filter, search],
    queryFn: ({ signal }) =>
      reader
        .read<Page<AnyRecord>>(
          pathWith(`/records/${collection}`, {
            filter,
            search,
            limit: 1,
            fields: "id",
            count: "exact",
          }),
          signal,
        )
        .then(({ count = 0 }) => count),
  })

export const recordQuery = (collection: string, id: string, reader: Reader) =>
  queryOptions({
    queryKey: ["records", collection, "one", reader.key, id],
    queryFn: ({ signal }) => reader.read<AnyRecord>(`/records/${collection}/${id}`, signal),
  })
