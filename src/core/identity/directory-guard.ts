import type { Actor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { assertEpoch, databaseNow } from "./epoch.ts"

/*
 * The questions of epoch.ts, asked of the directory itself: identity's own routes need no projection to know whether a
 * session has ended.
 */

/** Rows for `assertSignedIn`: the epoch of the actor's person, while their session lives. */
export const sessionProbe = (actor: Actor): Sql =>
  actor.kind === "user"
    ? actor.key
      ? sql`SELECT u.epoch FROM api_keys k JOIN users u ON u.id = k.user WHERE k.id = ${actor.key.id} AND k.user = ${actor.id} AND k.hash = ${actor.key.hash} AND k.revokedAt IS NULL AND (k.expiresAt IS NULL OR k.expiresAt > ${databaseNow}) AND u.disabledAt IS NULL`
      : sql`SELECT u.epoch FROM sessions s JOIN users u ON u.id = s.user WHERE s.id = ${actor.session} AND s.user = ${actor.id} AND s.revokedAt IS NULL`
    : raw("SELECT NULL AS epoch")

/** @throws {Problem} `token_outdated` */
export const assertSignedIn = (actor: Actor, rows: readonly Row[] | undefined): void =>
  assertEpoch(actor, rows)

/** SQL that is true when the actor's token is outdated. */
export const sessionRefusal = (actor: Actor): Sql =>
  actor.kind === "user"
    ? sql`NOT EXISTS (${sessionProbe(actor)} AND u.epoch = ${actor.epoch})`
    : raw("0")

/** A statement that aborts its batch with a `Refusal` of that outcome, when the condition holds. */
export const refuse = (outcome: string, when: Sql): Sql =>
  sql`INSERT INTO refusals (refusal) SELECT ${`refused|0|${outcome}||`} WHERE ${when}`
