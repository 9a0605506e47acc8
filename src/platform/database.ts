import { createHmac } from "node:crypto"
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
  /** The signed bookmark after the last statement, or null when none has run. */
  bookmark(): string | null
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
}

export function openDatabase({
  name,
  binding,
  cost,
  secret,
  presented,
  primary,
}: DatabaseOptions): Database {
  const start = presented && verifyBookmark(name, presented, secret)
  const session = binding.withSession(start || (primary ? "first-primary" : "first-unconstrained"))
  const prepare = (statement: Sql) => {
    const { text, params } = spill(statement)
    return params.length ? session.prepare(text).bind(...params) : session.prepare(text)
  }
  const run = async <Result>(call: () => Promise<Result>): Promise<Result> => {
    cost.trips++
    const started = performance.now()
    try {
      return await call()
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
  return {
    name,
    async batch(statements) {
      const results = await run(() => session.batch<Row>(statements.map(prepare)))
      for (const result of results) count(result.meta)
      return results.map((result) => result.results)
    },
    async all(statement) {
      const result = await run(() => prepare(statement).all<Row>())
      count(result.meta)
      return result.results
    },
    bookmark() {
      const bookmark = session.getBookmark()
      return bookmark ? signBookmark(name, bookmark, secret) : null
    },
  }
}

/** Local D1 takes any string for a bookmark, so they are signed, with their database's name; a mismatch is ignored. */
function signBookmark(name: string, bookmark: string, secret: string): string {
  const mac = createHmac("sha256", secret)
    .update(`bookmark\n${name}\n${bookmark}`)
    .digest("base64url")
  return `${name}.${bookmark}.${mac.slice(0, 22)}`
}

/** `presented` may hold bookmarks of several databases, separated by spaces; the others are not ours to judge. */
function verifyBookmark(name: string, presented: string, secret: string): string | null {
  for (const candidate of presented.split(" ")) {
    const [database, bookmark] = candidate.split(".")
    if (database !== name || !bookmark) continue
    if (signBookmark(name, bookmark, secret) === candidate) return bookmark
  }
  return null
}

/** @see PLATFORM facts in src/README.md for the forms in which D1 reports errors. */
function translate(error: unknown): unknown {
  const message = error instanceof Error ? error.message : String(error)
  const refused = /refused\|(\d+)\|([a-z_]+)\|([^|]*)\|/.exec(message)
  if (refused) return new Refusal(Number(refused[1]), refused[2] as string, refused[3] as string)
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
  if (/UNIQUE constraint failed/.test(message)) {
    return new UniqueViolation(message, { cause: error })
  }
  if (
    /overloaded|Too many requests|Network connection lost|storage caused object to be reset|reset because its code was updated/i.test(
      message,
    )
  ) {
    return new Problem("overloaded", { headers: { "retry-after": "1" }, cause: error })
  }
  return error
}
