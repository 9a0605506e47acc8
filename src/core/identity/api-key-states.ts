import { type App, system } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import type { Person } from "./person.ts"
import { commitPerson } from "./projection.ts"

/*
 * `api_key_states`: what each database of records knows of its keys. A key that is not there is not good there.
 */

/** A statement that makes a key good. It never brings one back that has ended. */
export const keyState = (id: string, hash: string, endsAt: string | null): Sql =>
  sql`INSERT INTO api_key_states (id, hash, endsAt) VALUES (${id}, ${hash}, ${endsAt}) ON CONFLICT (id) DO NOTHING`

/** A statement that ends keys at that instant, or when they would have ended, whichever is sooner. */
export const endStates = (
  keys: readonly { id: string; hash: string }[],
  endsAt: string,
): Sql => sql`INSERT INTO api_key_states (id, hash, endsAt)
SELECT value ->> 'id', value ->> 'hash', ${endsAt} FROM json_each(${JSON.stringify(keys)}) WHERE true
ON CONFLICT (id) DO UPDATE SET endsAt = min(ifnull(endsAt, excluded.endsAt), excluded.endsAt)`

export interface KeyWrites {
  /** To the directory. */
  readonly writes: readonly Sql[]
  readonly ends?: readonly Sql[]
  readonly begins?: readonly Sql[]
  /** Whose projection has to be there when the key begins. */
  readonly person?: Person
}

/**
 * One batch where people and records share a database. Where they do not: first what ends, then the directory, then what
 * begins. A crash between leaves a key that is less good than the directory says, never more, and the call can be repeated.
 */
export async function writeKeys(
  app: App,
  database: string,
  { writes, ends = [], begins = [], person }: KeyWrites,
): Promise<void> {
  const { db } = app.on(database)
  const together = db === app.directory
  if (!together && ends.length > 0) await db.batch(ends)
  const all = together ? [...writes, ...ends, ...begins] : writes
  if (person) await commitPerson(app, system, all, person, [database])
  else await app.directory.batch(all)
  if (!together && begins.length > 0) await db.batch(begins)
}
