import { Buffer } from "node:buffer"
import { timingSafeEqual } from "node:crypto"
import { Problem } from "./problem.ts"
import { type Sql, spill } from "./sql.ts"

export type Row = Record<string, unknown>

/** What a request has cost so far, over all its databases. A trip is one call to D1. */
export interface Cost {
  trips: number
  rowsRead: number
  rowsWritten: number
  milliseconds: number
}

/**
 * One D1 database within one request. The only thing that touches a D1 binding.
 * Its session starts at the caller's bookmark, so that a caller reads its own writes from any replica.
 */
export interface Database {
  /** `main`, or the lower-case name of a binding `DB_<NAME>`. Cursors, bookmarks and log positions carry it. */
  readonly name: string
  /** One trip, one transaction: all statements or none. Answers the rows of each. */
  batch(statements: readonly Sql[]): Promise<Row[][]>
  /** One statement, one trip. */
  all(statement: Sql): Promise<Row[]>
  /** The signed bookmark after the last statement, or null outside of a session. */
  bookmark(): Promise<string | null>
}

/** A guard inside a batch said no, by `RAISE(ABORT, 'refused|<operation index>|<outcome>|<detail>')`. */
export class Refusal extends Error {
  readonly index: number
  readonly outcome: string
  readonly detail: string

  constructor(index: number, outcome: string, detail: string) {
    super(`refused: ${outcome}`)
    this.index = index
    this.outcome = outcome
    this.detail = detail
  }
}

/** A UNIQUE index said no: the last defence, for the race that a guard cannot see. */
export class UniqueViolation extends Error {}

interface DatabaseOptions {
  name: string
  binding: D1Database
  cost: Cost
  secret: string
  /** Bookmarks as the caller sent them, not yet verified. */
  presented: string | null
  primary: boolean
  /** True where the deployment has read replication: then every read may go to a replica. */
  replicated: boolean
}

type Queryable = Pick<D1DatabaseSession, "prepare" | "batch">

export function openDatabase(options: DatabaseOptions): Database {
  const { name, binding, cost, secret, presented } = options
  let session: D1DatabaseSession | null = null
  const open = async () => {
    const start = presented && (await verifyBookmark(name, presented, secret))
    if (start) session = binding.withSession(start)
    else if (options.primary) session = binding.withSession("first-primary")
    else if (options.replicated) session = binding.withSession("first-unconstrained")
  }
  let opening = presented || options.primary || options.replicated ? open() : null

  const prepare = (on: Queryable, statement: Sql) => {
    const { text, params } = spill(statement)
    if (text.length > maxStatementCharacters) throw new Problem("invalid_input", tooMuch)
    return params.length ? on.prepare(text).bind(...params) : on.prepare(text)
  }
  const run = async <Result>(call: (on: Queryable) => Promise<Result>, writes: boolean) => {
    if (opening) await opening
    opening = null
    // Without replicas a read needs no session, which costs a third of a small query. A write opens one, for its bookmark.
    if (writes) session ??= binding.withSession("first-primary")
    cost.trips++
    const started = performance.now()
    try {
      return await call(session ?? binding)
    } catch (error) {
      throw translate(error)
    } finally {
      cost.milliseconds += performance.now() - started
    }
  }
  const count = (meta: D1Meta) => {
    cost.rowsRead += meta.rows_read
    cost.rowsWritten += meta.rows_written
  }
  const all = async (statement: Sql): Promise<Row[]> => {
    const result = await run((on) => prepare(on, statement).all<Row>(), isWrite(statement))
    count(result.meta)
    return result.results
  }
  return {
    name,
    async batch(statements) {
      // A batch of one costs more than the statement alone.
      if (statements.length === 1) return [await all(statements[0] as Sql)]
      const results = await run(
        (on) => on.batch<Row>(statements.map((statement) => prepare(on, statement))),
        statements.some(isWrite),
      )
      for (const result of results) count(result.meta)
      return results.map((result) => result.results)
    },
    all,
    async bookmark() {
      const bookmark = session?.getBookmark()
      return bookmark ? signBookmark(name, bookmark, secret) : null
    },
  }
}

/** D1 takes 100 KB; identifiers and SQL are ASCII. */
const maxStatementCharacters = 100_000
const tooMuch = "This asks for too much at once: fewer fields, expansions or conditions, please."

const isWrite = ({ text }: Sql): boolean => /^\s*(?:INSERT|UPDATE|DELETE|REPLACE)\b/i.test(text)

/** Local D1 takes any string for a bookmark, so they are signed, with their database's name; a mismatch is ignored. */
async function signBookmark(name: string, bookmark: string, secret: string): Promise<string> {
  const key = await signingKey(secret)
  const mac = await crypto.subtle.sign("HMAC", key, bookmarkBytes(name, bookmark))
  return `${name}.${bookmark}.${Buffer.from(mac, 0, 16).toString("base64url")}`
}

/** `presented` may hold bookmarks of several databases, separated by spaces; the others are not ours to judge. */
async function verifyBookmark(
  name: string,
  presented: string,
  secret: string,
): Promise<string | null> {
  for (const candidate of presented.split(" ").slice(0, 8)) {
    const [database, bookmark] = candidate.split(".")
    if (database !== name || !bookmark) continue
    const signed = Buffer.from(await signBookmark(name, bookmark, secret))
    const presentedBytes = Buffer.from(candidate)
    if (signed.length === presentedBytes.length && timingSafeEqual(signed, presentedBytes)) {
      return bookmark
    }
  }
  return null
}

const bookmarkBytes = (name: string, bookmark: string) =>
  new TextEncoder().encode(`bookmark\n${name}\n${bookmark}`)

let imported: { secret: string; key: Promise<CryptoKey> } | undefined

/** Imported once an isolate: the secret changes only with a new one. */
function signingKey(secret: string): Promise<CryptoKey> {
  if (imported?.secret !== secret) {
    const algorithm = { name: "HMAC", hash: "SHA-256" }
    const key = crypto.subtle.importKey("raw", new TextEncoder().encode(secret), algorithm, false, [
      "sign",
    ])
    imported = { secret, key }
  }
  return imported.key
}

/** D1 reports errors as text only: a guard's message, SQLite's own, or the platform's. */
function translate(error: unknown): unknown {
  const message = error instanceof Error ? error.message : String(error)
  const refused = /refused\|(\d+)\|([a-z_]+)\|([^|]*)(\|?)/.exec(message)
  // What a sieve tells may be so long that D1 cuts it off: whoever reads it leaves out what is not whole.
  if (refused && (refused[4] || refused[2] === "sifted")) {
    return new Refusal(Number(refused[1]), refused[2] as string, refused[3] as string)
  }
  const missing = /no such (?:table|column): (?:main\.)?([\w.]+)|has no column named (\w+)/.exec(
    message,
  )
  if (missing) {
    const name = missing[1] ?? missing[2]
    return new Problem("misconfigured", {
      detail: `The database does not know "${name}" yet: write the migration with "npm run migrate:new <name>" and apply it (npm run dev and npm run deploy do).`,
      cause: error,
    })
  }
  if (/string or blob too big|SQLITE_TOOBIG/.test(message)) {
    return new Problem("invalid_input", { detail: tooMuch, cause: error })
  }
  if (/UNIQUE constraint failed/.test(message)) {
    return new UniqueViolation(message, { cause: error })
  }
  if (
    /overloaded|Too many requests|Network connection lost|caused object to be reset|reset because its code was updated/i.test(
      message,
    )
  ) {
    return new Problem("overloaded", { headers: { "retry-after": "1" }, cause: error })
  }
  return error
}
