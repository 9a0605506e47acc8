import type { RecordOf } from "../core/records/collection.ts"
import type { Transport } from "./transport.ts"
import type { Collections, Named, NameIn } from "./types.ts"

/** A piece of a text; `match` where it is a word that was found. Text, not HTML. */
export interface TextPart {
  text: string
  match?: true
}

/** A record that was found; `collection` tells which of its types it has. */
export type SearchHit<
  All extends Collections,
  Name extends string = NameIn<All>,
> = Name extends string
  ? {
      collection: Name
      /** Above 0, on one scale for all collections. */
      rank: number
      /** By field, where something matched. */
      highlights: Record<string, TextPart[]>
      record: RecordOf<Named<All, Name>>
    }
  : never

export interface SearchOptions<Name extends string> {
  /** All that have full-text search, unless told. */
  collections?: readonly Name[]
  /** 1 to 50; 20 unless told. */
  limit?: number
  signal?: AbortSignal
}

export type Search<All extends Collections> = <Name extends NameIn<All> = NameIn<All>>(
  words: string,
  options?: SearchOptions<Name>,
) => Promise<SearchHit<All, Name>[]>

export const createSearch =
  <All extends Collections>(send: Transport): Search<All> =>
  async (words, { collections, limit, signal } = {}) => {
    const parameters = new URLSearchParams({ q: words })
    if (collections) parameters.set("collections", collections.join(","))
    if (limit !== undefined) parameters.set("limit", String(limit))
    const answer = await send({ method: "GET", path: `/search?${parameters}`, signal })
    return ((await answer.json()) as { items: never[] }).items
  }
