import type { Actor, UserActor } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { type Action, grants } from "../identity/key-scopes.ts"

/*
 * Who may do what to files: each is its owner's alone, in the organisation in which it was sent. Administrators have no
 * pass, because no log of changes would show it. A key does what its scopes for `files` say.
 */

/**
 * Somebody with an account, who may have files.
 *
 * @throws {Problem} `unauthenticated`; `account_required` for an anonymous session, whose quota would be nobody's; `forbidden`
 * or, for what is read, `not_found` beyond the scopes of a key
 */
export function assertMayHaveFiles(actor: Actor, action: Action): UserActor {
  if (actor.kind !== "user") throw new Problem("unauthenticated")
  if (actor.anonymous) throw new Problem("account_required")
  if (actor.key && !grants(actor.key.scopes, "files", action)) {
    throw action === "read"
      ? new Problem("not_found")
      : new Problem("forbidden", "This API key may not do this.")
  }
  return actor
}

/** SQL that is true of the actor's own files that are there, with the columns of `files`. */
export const ownFiles = ({ id, organisation }: UserActor): Sql =>
  sql`owner = ${id} AND organisation IS ${organisation} AND state = 'stored'`
