import type { App } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { refuse } from "./directory-guard.ts"
import { normaliseEmail } from "./email.ts"
import type { Membership, Person } from "./person.ts"

/** What becomes of a person; what is not named stays. */
export interface PersonUpdate {
  readonly name?: string | null
  readonly kind?: Person["kind"]
  readonly roles?: readonly string[]
  readonly email?: string
  readonly emailVerifiedAt?: string | null
  readonly disabledAt?: string | null
  readonly locale?: string | null
  /** As the other statements of the batch leave them. */
  readonly memberships?: readonly Membership[]
  /** A PHC string; null voids the password. */
  readonly passwordHash?: string | null
  /** Tokens that were signed before are refused from now on. What they say of the person does that by itself. */
  readonly outdates?: boolean
}

/** The person as they will be. */
export function updatedPerson(app: App, before: Person, update: PersonUpdate): Person {
  const { passwordHash, outdates = false, ...given } = update
  const after = { ...before, ...given }
  // A token says nothing of the name or of verification, so these outdate none.
  const raises =
    outdates ||
    update.roles !== undefined ||
    update.disabledAt !== undefined ||
    update.memberships !== undefined ||
    passwordHash !== undefined ||
    after.email !== before.email
  const projected = raises || after.name !== before.name
  return {
    ...after,
    epoch: before.epoch + (raises ? 1 : 0),
    version: before.version + (projected ? 1 : 0),
    updatedAt: new Date(app.now()).toISOString(),
  }
}

/** The guard against another writer in between (`stale`), and the write; for `commitPerson`. */
export function updatePerson(before: Person, after: Person, update: PersonUpdate): Sql[] {
  const { id } = before
  const password =
    update.passwordHash === undefined ? sql`` : sql`, passwordHash = ${update.passwordHash}`
  return [
    refuse(
      "stale",
      sql`NOT EXISTS (SELECT 1 FROM users WHERE id = ${id} AND version = ${before.version})`,
    ),
    sql`UPDATE users SET name = ${after.name}, kind = ${after.kind}, roles = ${JSON.stringify(after.roles)}, email = ${after.email}, emailNormalised = ${normaliseEmail(after.email)}, emailVerifiedAt = ${after.emailVerifiedAt}, disabledAt = ${after.disabledAt}, locale = ${after.locale}, epoch = ${after.epoch}, version = ${after.version}, updatedAt = ${after.updatedAt}${password} WHERE id = ${id}`,
  ]
}

/**
 * Ends a person's sessions, or all but one, and those in which they act in another's name. With a raised epoch their own
 * access tokens are void at once, too; the others are by `outlawImpersonationsBy`.
 */
export const endSessionsOf = (app: App, user: string, except: string | null = null): Sql =>
  sql`UPDATE sessions SET revokedAt = ${new Date(app.now()).toISOString()} WHERE (user = ${user} OR impersonator = ${user}) AND revokedAt IS NULL AND id IS NOT ${except}`
