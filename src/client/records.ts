import type { InputOf, RecordOf } from "../core/records/collection.ts"
import type { AggregateItem, AggregateQuery } from "./aggregate-types.ts"
import type { Filter } from "./filter.ts"
import type { History } from "./history.ts"
import type { InputError } from "./problem.ts"
import type { Call, Transport } from "./transport.ts"
import type { Answer, Collections, ListQuery, Named, NameIn, Page, View } from "./types.ts"

interface Cancellable {
  signal?: AbortSignal
}
export interface Creating extends Cancellable {
  /** Names this create, so that it is done once however often it is sent. One is made unless given. */
  idempotencyKey?: string
}
interface Changing extends Cancellable {
  /** The version that the change was made from, or its ETag: refused with `precondition_failed` if it is no longer that. */
  ifMatch?: number | string
}
interface Replacing extends Changing {
  /** `*`: create only, refused with `precondition_failed` if the record is there. */
  ifNoneMatch?: "*"
}

/** Refuses what a query does not have, which inference would let pass. */
type Exactly<Q, Allowed> = Q & { [Name in Exclude<keyof Q, keyof Allowed>]: never }

type NoQuery = Record<never, never>

/** The calls of one collection. Each throws `ApiProblem`. */
export interface Records<All extends Collections, C> extends History<C> {
  list<const Q extends ListQuery<RecordOf<C>> = NoQuery>(
    query?: Exactly<Q, ListQuery<RecordOf<C>>>,
    options?: Cancellable,
  ): Promise<Page<Answer<All, C, Q>>>
  /** All pages, one after another: `for await (const page of films.pages({ limit: 200 })) …`. */
  pages<const Q extends ListQuery<RecordOf<C>> = NoQuery>(
    query?: Exactly<Q, ListQuery<RecordOf<C>>>,
    options?: Cancellable,
  ): AsyncGenerator<Page<Answer<All, C, Q>>, void, void>
  /** Counts, sums and the like of groups; a sum beyond 2^53 is the nearest number that JavaScript has. */
  aggregate<const Q extends AggregateQuery<RecordOf<C>> = NoQuery>(
    query?: Exactly<Q, AggregateQuery<RecordOf<C>>>,
    options?: Cancellable,
  ): Promise<Page<AggregateItem<RecordOf<C>, Q>>>
  /**
   * Of a collection of saved views: what one finds, under one's own rights and now. Which fields that are, the view says:
   * `client.records("filmViews").ask<"films">(id)`.
   */
  ask<Name extends NameIn<All>>(
    id: string,
    query?: Pick<ListQuery<unknown>, "limit" | "cursor" | "count">,
    options?: Cancellable,
  ): Promise<Page<Partial<RecordOf<Named<All, Name>>>>>
  get<const Q extends View<RecordOf<C>> = NoQuery>(
    id: string,
    view?: Exactly<Q, View<RecordOf<C>>>,
    options?: Cancellable,
  ): Promise<Answer<All, C, Q>>
  create(input: InputOf<C>, options?: Creating): Promise<RecordOf<C>>
  /** Merges `patch` into the record: null empties a field, an absent one stays. */
  update(id: string, patch: InputOf<C>, options?: Changing): Promise<RecordOf<C>>
  /** Puts the whole record, creating it where there is none. */
  replace(id: string, input: InputOf<C>, options?: Replacing): Promise<RecordOf<C>>
  delete(id: string, options?: Changing): Promise<void>
  /** All that the query finds, as a stream: `(await films.export({ format: "csv" })).body`. */
  export(query?: ExportQuery<RecordOf<C>>, options?: Cancellable): Promise<Response>
  /** Rows of a file, each refused one told with its line. CSV unless told. */
  import(file: string | Blob, options?: Importing): Promise<BulkReport>
  /** The same patch for every record that the filter finds. A dry run only counts. */
  updateAll(filter: string | Filter, patch: InputOf<C>, options?: DryRun): Promise<BulkReport>
  deleteAll(filter: string | Filter, options?: DryRun): Promise<BulkReport>
}

export interface ExportQuery<R> extends Pick<ListQuery<R>, "filter" | "sort" | "fields"> {
  /** `csv` unless told. */
  format?: "csv" | "ndjson"
  /** Begins CSV with a byte order mark, by which Excel knows UTF-8. */
  bom?: "true"
}

interface DryRun extends Cancellable {
  dryRun?: boolean
}
interface Importing extends DryRun {
  format?: "csv" | "ndjson"
  /** Unique fields by which a record is found and changed, with commas between. */
  upsert?: string
  /** Fields by the names of their columns, where these differ; null passes a column over. */
  columns?: Readonly<Record<string, string | null>>
  /** All rows or none: then they have to fit into one batch. */
  atomic?: boolean
}

/** What became of many records. */
export interface BulkReport {
  dryRun: boolean
  rows: number
  created: number
  updated: number
  unchanged: number
  deleted: number
  refused: number
  /** The first thousand; of a file by line, else by id. */
  refusals: {
    line?: number
    id?: string
    code: string
    detail: string
    /** Of input that is wrong, where and how. */
    errors?: readonly InputError[]
  }[]
}

export function createRecords<All extends Collections, C>(
  send: Transport,
  collection: string,
): Records<All, C> {
  const path = `/records/${encodeURIComponent(collection)}`
  const pathOf = (id: string) => `${path}/${encodeURIComponent(id)}`
  // The types above say what comes back; the server has checked it.
  const answer = async <T>(call: Call): Promise<T> => (await send(call)).json()
  const list = <T>(query: object, { signal }: Cancellable) =>
    answer<Page<T>>({ method: "GET", path: path + search(query), signal })

  return {
    list: (query, options = {}) => list(query ?? {}, options),
    async *pages<const Q extends ListQuery<RecordOf<C>> = NoQuery>(
      query?: Exactly<Q, ListQuery<RecordOf<C>>>,
      options: Cancellable = {},
    ) {
      let cursor: string | null | undefined
      do {
        const page: Page<Answer<All, C, Q>> = await list(
          { ...query, ...(cursor && { cursor }) },
          options,
        )
        yield page
        cursor = page.next
      } while (cursor)
    },
    aggregate: (query, { signal } = {}) =>
      answer({ method: "GET", path: `${path}/aggregate${search(query ?? {})}`, signal }),
    ask: (id, query = {}, { signal } = {}) =>
      answer({ method: "GET", path: `${pathOf(id)}/records${search(query)}`, signal }),
    get: (id, view, { signal } = {}) =>
      answer({ method: "GET", path: pathOf(id) + search(view ?? {}), signal }),
    create: (body, { idempotencyKey = randomKey(), signal } = {}) =>
      answer({
        method: "POST",
        path,
        body,
        headers: { "idempotency-key": idempotencyKey },
        signal,
      }),
    update: (id, body, { signal, ...conditions } = {}) =>
      answer({
        method: "PATCH",
        path: pathOf(id),
        body,
        headers: preconditions(conditions),
        signal,
      }),
    replace: (id, body, { signal, ...conditions } = {}) =>
      answer({ method: "PUT", path: pathOf(id), body, headers: preconditions(conditions), signal }),
    history: (id, query = {}) =>
      answer({ method: "GET", path: `${pathOf(id)}/history${search(query)}` }),
    version: (id, version) => answer({ method: "GET", path: `${pathOf(id)}/history/${version}` }),
    asOf: (id, instant) => {
      const asOf = typeof instant === "string" ? instant : instant.toISOString()
      return answer({ method: "GET", path: pathOf(id) + search({ asOf }) })
    },
    restore: (id, version, { together, ...conditions } = {}) =>
      answer({
        method: "POST",
        path: `${pathOf(id)}/restorations`,
        body: { version, together },
        headers: preconditions(conditions),
      }),
    bin: (query = {}) => answer({ method: "GET", path: `${path}/bin${search(query)}` }),
    delete: async (id, { signal, ...conditions } = {}) => {
      await send({ method: "DELETE", path: pathOf(id), headers: preconditions(conditions), signal })
    },
    export: (query = {}, { signal } = {}) =>
      send({ method: "GET", path: `${path}/export${search(query)}`, signal }),
    import(file, { format = "csv", columns, dryRun, atomic, upsert, signal } = {}) {
      const query = {
        upsert,
        columns: columns && JSON.stringify(columns),
        ...yes({ dryRun, atomic }),
      }
      const type = format === "csv" ? "text/csv" : "application/x-ndjson"
      const headers = { "content-type": type }
      return answer({
        method: "POST",
        path: `${path}/import${search(query)}`,
        file,
        headers,
        signal,
      })
    },
    updateAll: (filter, body, { dryRun, signal } = {}) =>
      answer({
        method: "PATCH",
        path: path + search({ filter, ...yes({ dryRun }) }),
        body,
        signal,
      }),
    deleteAll: (filter, { dryRun, signal } = {}) =>
      answer({ method: "DELETE", path: path + search({ filter, ...yes({ dryRun }) }), signal }),
  }
}

/** The query string: lists with commas, `count` as the one way of counting that the server has. */
export function search(query: object): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === false || value === "") continue
    parameters.set(name, value === true ? "exact" : String(value))
  }
  return parameters.size > 0 ? `?${parameters}` : ""
}

const yes = (flags: Record<string, boolean | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(flags).flatMap(([name, on]) => (on ? [[name, "true"]] : [])))

const preconditions = ({ ifMatch, ifNoneMatch }: Replacing): Record<string, string> => ({
  ...(ifMatch !== undefined && {
    "if-match": typeof ifMatch === "number" ? `"${ifMatch}"` : ifMatch,
  }),
  ...(ifNoneMatch && { "if-none-match": ifNoneMatch }),
})

// Not crypto.randomUUID, which pages on plain http do not have.
export const randomKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("")
