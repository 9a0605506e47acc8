import type { Actor, UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"

/*
 * Revocation without a trip of its own. A token carries the epoch that its person had when it was signed; every change
 * of roles, memberships or password raises the epoch in the directory and in the projection `members`. A session that
 * was ended early stands in `session_revocations` until its last access token has expired. A read selects both beside
 * its rows, a write guards on both inside its batch. Exact for writes (they run on the primary); a read lags as far as
 * its replica does.
 *
 * An API key stands for its holder in the same way: its roles are those of an epoch, and its row in `api_key_states` says
 * whether it is still good. A key that is outdated is renewed by the engine itself (api-key-renewal.ts).
 */

/** The statement that a read adds to its batch; give its rows to `assertEpoch`. */
export const epochProbe = (actor: UserActor): Sql =>
  sql`SELECT epoch FROM members WHERE id = ${actor.id} AND ${stands(actor)}`

/** SQL that is true while the session lives, or the key that the request came with. */
const stands = ({ session, key }: UserActor): Sql =>
  key
    ? sql`EXISTS (SELECT 1 FROM api_key_states WHERE id = ${key.id} AND hash = ${key.hash} AND (endsAt IS NULL OR endsAt > ${databaseNow}))`
    : sql`NOT EXISTS (SELECT 1 FROM session_revocations WHERE session = ${session})`

/** The database's own clock: statements are kept with their actor, and what they ask must not age. */
export const databaseNow = raw("strftime('%Y-%m-%dT%H:%M:%fZ', 'now')")

/**
 * Nothing, when `rows` (of `epochProbe`) hold the epoch of the actor's token. Actors without a token always pass.
 *
 * @throws {Problem} `token_outdated` for another epoch, an ended session, and a person who is not in this database.
 */
export function assertEpoch(actor: Actor, rows: readonly Row[] | undefined): void {
  if (actor.kind === "user" && rows?.[0]?.epoch !== actor.epoch) throw new Problem("token_outdated")
}

/** SQL that is true when the actor's token is outdated: the first question of a write's guard. */
export const epochRefusal = (actor: Actor): Sql =>
  actor.kind === "user"
    ? sql`(NOT EXISTS (SELECT 1 FROM members WHERE id = ${actor.id} AND epoch = ${actor.epoch}) OR NOT ${stands(actor)})`
    : raw("0")
