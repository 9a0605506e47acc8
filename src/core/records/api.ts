import type { Actor, App } from "../../platform/app.ts"
import { isId } from "../../platform/ids.ts"
import { Problem } from "../../platform/problem.ts"
import { type AggregatePage, aggregateRecords } from "./aggregate.ts"
import { parseAggregateQuery } from "./aggregate-query.ts"
import type { Collection, Fields, HookRecord, InputOf, RecordOf } from "./collection.ts"
import type { Draft, Written } from "./draft.ts"
import { parseCreate, parseNewId, parsePatch, parseReplacement } from "./input.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"
import { findRecord, listRecords } from "./list.ts"
import { parseListQuery } from "./query.ts"
import { select } from "./selection.ts"
import { viewFor } from "./view.ts"
import { commit } from "./write.ts"

/**
 * Records for the product's own code (routes, `afterCommit`), on behalf of one actor: the same queries, rules, hooks and
 * log as over HTTP. Filters, sorts and expansions are the texts that the API takes.
 */
export interface Records {
  list<C extends AnyCollection>(collection: C, query?: ListOptions): Promise<RecordPage<C>>
  /** Each record that matches, a page of 200 at a time. */
  all<C extends AnyCollection>(collection: C, query?: AllOptions): AsyncGenerator<RecordOf<C>>
  /** The same a page at a time, for `eachPage` of a job. */
  pages<C extends AnyCollection>(
    collection: C,
    query?: AllOptions,
  ): (page: Pick<ListOptions, "limit" | "cursor">) => Promise<RecordPage<C>>
  /** Groups and measures, as `GET /records/{collection}/aggregate` answers them; a sum beyond 2^53 is a bigint. */
  aggregate(collection: AnyCollection, query?: AggregateOptions): Promise<AggregatePage>
  /** Null when there is none that the actor may see. */
  find<C extends AnyCollection>(collection: C, id: string): Promise<RecordOf<C> | null>
  create<C extends AnyCollection>(collection: C, input: InputOf<C>): Promise<RecordOf<C>>
  /**
   * Creates the record with this id (a UUID), or answers the one that has it, whatever it says: for what runs at least
   * once and is to have its effect once.
   */
  ensure<C extends AnyCollection>(
    collection: C,
    id: string,
    input: InputOf<C>,
  ): Promise<RecordOf<C>>
  update<C extends AnyCollection>(
    collection: C,
    id: string,
    patch: InputOf<C>,
  ): Promise<RecordOf<C>>
  delete(collection: AnyCollection, id: string): Promise<void>
}

type AnyCollection = Collection<string, Fields>

export interface ListOptions {
  filter?: string
  sort?: string
  limit?: number
  cursor?: string
  search?: string
  expand?: string
  count?: "exact"
}
/** What `expand` asked for, by path; the types of collections do not reach so far. */
interface Expanded {
  readonly expanded?: Readonly<Record<string, HookRecord | null>>
}

export interface AggregateOptions extends Omit<ListOptions, "expand" | "count"> {
  /** Terms with commas between them: `"genre,month(releasedOn)"`, `"count,avg(imdbRating)"`. */
  group?: string
  measure?: string
}

export type AllOptions = Omit<ListOptions, "limit" | "cursor" | "count">

export interface RecordPage<C> {
  readonly items: readonly (RecordOf<C> & Expanded)[]
  readonly next: string | null
  readonly count?: number
}

/** @throws {Problem} as the HTTP routes do. */
export function recordsFor(app: App, actor: Actor, collections: LinkedCollections): Records {
  const view = viewFor(app, actor, collections)
  const linked = ({ name }: AnyCollection): LinkedCollection => {
    const collection = collections.get(name)
    if (!collection) throw new Error(`collection "${name}" is not listed in src/app/collections.ts`)
    return collection
  }
  const write = async (draft: Draft): Promise<Written> =>
    (await commit(app, actor, collections, [draft]))[0] as Written
  const records: Records = {
    async list<C extends AnyCollection>(of: C, query: ListOptions = {}) {
      const collection = linked(of)
      const page = await listRecords(
        app,
        view,
        collection,
        parseListQuery(view, collection, parametersOf(query)),
      )
      return page as unknown as RecordPage<C>
    },
    aggregate(of, query = {}) {
      const collection = linked(of)
      const parsed = parseAggregateQuery(view, collection, parametersOf(query))
      return aggregateRecords(app, view, collection, parsed)
    },
    async *all<C extends AnyCollection>(of: C, query: AllOptions = {}) {
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page: RecordPage<C> = await records.list(of, {
          ...query,
          limit: 200,
          ...(cursor && { cursor }),
        })
        yield* page.items
        cursor = page.next
      }
    },
    pages:
      (of, query = {}) =>
      (page) =>
        records.list(of, { ...query, ...page }),
    async find<C extends AnyCollection>(of: C, id: string) {
      const collection = linked(of)
      if (!isId(id) && collection.sqlView === null) return null
      const selection = select(view, collection, { fields: null, expand: [] })
      const found = await findRecord(app, view, collection, id, selection)
      return (found?.record ?? null) as RecordOf<C> | null
    },
    async create<C extends AnyCollection>(of: C, input: InputOf<C>) {
      const collection = linked(of)
      const written = await write({
        action: "create",
        collection,
        id: app.newId(),
        input: parseCreate(view, collection, input),
      })
      return recordOf<C>(written)
    },
    async ensure<C extends AnyCollection>(of: C, id: string, input: InputOf<C>) {
      const collection = linked(of)
      const whole = parseReplacement(view, collection, parseNewId(id), input)
      const only = "create"
      const draft: Draft = { action: "put", collection, id, input: whole, expected: null, only }
      try {
        return recordOf<C>(await write(draft))
      } catch (error) {
        if (!(error instanceof Problem && error.code === "precondition_failed")) throw error
        const known = await records.find(of, id)
        if (!known) throw new Problem("not_found", { cause: error })
        return known
      }
    },
    async update<C extends AnyCollection>(of: C, id: string, patch: InputOf<C>) {
      const collection = linked(of)
      const input = parsePatch(view, collection, id, patch)
      return recordOf<C>(await write({ action: "update", collection, id, input, expected: null }))
    },
    async delete(of, id) {
      await write({ action: "delete", collection: linked(of), id, expected: null })
    },
  }
  return records
}

const parametersOf = (query: object): URLSearchParams =>
  new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]))

function recordOf<C>(written: Written): RecordOf<C> {
  if (!written.record)
    throw new Problem("not_found", "The record was written, but its writer may not read it.")
  return written.record as RecordOf<C>
}
