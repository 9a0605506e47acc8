import { createFiles, type Files } from "./files.ts"
import type { ChangesPage, ChangesQuery } from "./history.ts"
import { type Creating, createRecords, type Records, randomKey, search } from "./records.ts"
import { createSearch, type Search } from "./search.ts"
import { type Auth, createSession, memoryStorage, type SessionStorage } from "./session.ts"
import { type Call, createTransport } from "./transport.ts"
import type { Collections, Named, NameIn } from "./types.ts"

export interface BatchOperation {
  method: "POST" | "PUT" | "PATCH" | "DELETE"
  /** `/records/films`, or `/records/films/<id>`, where the id may be `$0.id`. */
  path: string
  /** `If-Match`, `If-None-Match`. */
  headers?: Record<string, string>
  body?: unknown
}

export interface BatchResult {
  status: number
  headers: Record<string, string>
  /** The record as this operation left it; null for a deletion. */
  body: Record<string, unknown> | null
}

export interface Client<All extends Collections> {
  /** The calls of one collection, typed from its definition. */
  records<Name extends NameIn<All>>(name: Name): Records<All, Named<All, Name>>
  /** Words in several collections at once, the best match first: `search("third man", { collections: ["films"] })`. */
  search: Search<All>
  auth: Auth
  /** One's own files. */
  files: Files
  /**
   * Writes all of it, or nothing, in order: `batch([{ method: "POST", path: "/records/films", body }, …])`. A text that is
   * `$0.id` stands for the id of the first operation's record; `$$0.id` for the text `$0.id`. Throws `ApiProblem`, whose
   * `body.index` is the position of the first operation that was refused.
   */
  batch(operations: readonly BatchOperation[], options?: Creating): Promise<BatchResult[]>
  /** What has happened to records since, in order: `changes({ since: page.next })`. */
  changes(query?: ChangesQuery): Promise<ChangesPage>
  /** Any other call, in the name of the signed-in person: `request<Stats>({ method: "GET", path: "/stats" })`. */
  request<T>(call: Call): Promise<T>
  /** The same for what is no JSON: `open({ method: "GET", path: "/files/…" })` answers the response as it is. */
  open(call: Call): Promise<Response>
}

export interface ClientOptions {
  /** Where the server is: `https://api.example.org`. */
  url: string
  fetch?: typeof fetch
  /**
   * Keeps the session from one page to the next: `localStorage` in a browser. At the server's own origin it holds no
   * secret, as the server's HttpOnly cookies do; elsewhere it holds the refresh token. Memory unless given.
   */
  storage?: SessionStorage
}

/**
 * A client for browsers and Node: `createClient<typeof collections>({ url })`. Everything that fails throws
 * `ApiProblem`, except a call that its own `signal` ended.
 */
export function createClient<All extends Collections>(options: ClientOptions): Client<All> {
  const { origin } = new URL(options.url)
  const url = options.url.replace(/\/+$/, "")
  const cookies = globalThis.location?.origin === origin
  const { send, auth } = createSession({
    transport: createTransport({
      url,
      // Bound late, so that a fetch that is replaced afterwards is seen; unbound, browsers refuse it.
      fetch: options.fetch ?? ((...call) => globalThis.fetch(...call)),
      // On another origin our cookies would be a second, contradicting session.
      credentials: cookies ? "include" : "omit",
    }),
    cookies,
    storage: options.storage ?? memoryStorage(cookies),
    key: `hinterland ${origin}`,
  })
  return {
    records: (name) => createRecords(send, name),
    search: createSearch<All>(send),
    auth,
    files: createFiles(send, url),
    async batch(operations, { idempotencyKey = randomKey(), signal } = {}) {
      const headers = { "idempotency-key": idempotencyKey }
      const call = {
        method: "POST",
        path: "/batch",
        body: { operations },
        headers,
        signal,
      } as const
      const { results } = (await (await send(call)).json()) as { results: BatchResult[] }
      return results
    },
    changes: async (query = {}) =>
      (await send({ method: "GET", path: `/changes${search(query)}` })).json(),
    open: send,
    async request<T>(call: Call): Promise<T> {
      // A 204 has no body, and most that are 202 have none.
      const text = await (await send(call)).text()
      return text === "" ? (undefined as T) : JSON.parse(text)
    },
  }
}
