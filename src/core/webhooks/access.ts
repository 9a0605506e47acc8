import { type Actor, isAdministrator, type UserActor } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { type Action, grantsWebhooks } from "../identity/key-scopes.ts"
import { adminRole, ownerRole } from "../identity/organisation-roles.ts"

/*
 * Whose endpoints are whose. People see their own within the organisation that they act in, those of their keys too; a
 * key sees what it made itself, because the rest may reach further than its scopes. Administrators of the deployment see
 * all, and owners and admins of an organisation those within it while they act in it; they may disable and delete them, and
 * see nothing of what was sent: that is by their owners' rights, not by theirs. When something was sent, and how often, would
 * tell an organisation's admins of records that they may not read.
 */

/** @throws {Problem} `unauthenticated`, `account_required`, `forbidden` for keys without the scope */
export function assertMayManage(actor: Actor, action: Action): UserActor {
  if (actor.kind !== "user") throw new Problem("unauthenticated")
  if (actor.anonymous) throw new Problem("account_required")
  if (actor.key && !grantsWebhooks(actor.key.scopes, action)) {
    throw new Problem("forbidden", `This API key lacks the scope webhooks:${action}.`)
  }
  return actor
}

/** SQL about `webhook_endpoints e`: true of the actor's own. */
export function isOwn(actor: UserActor): Sql {
  const own = sql`e.owner = ${actor.id} AND e.organisation IS ${actor.organisation} AND e.deletedAt IS NULL`
  return actor.key ? sql`(${own} AND e."key" ->> 'id' = ${actor.key.id})` : sql`(${own})`
}

/** SQL about `webhook_endpoints e`: true where the actor sees what was sent when; of what, only owners do. */
export const showsLog = (actor: UserActor): Sql =>
  isAdministrator(actor) ? sql`e.deletedAt IS NULL` : isOwn(actor)

/** SQL about `webhook_endpoints e`: true of those that the actor sees. */
export function isVisible(actor: UserActor): Sql {
  if (isAdministrator(actor)) return sql`e.deletedAt IS NULL`
  return leads(actor)
    ? sql`(e.organisation = ${actor.organisation} AND e.deletedAt IS NULL)`
    : isOwn(actor)
}

/** No key leads an organisation, whoever its holder is. */
const leads = ({ organisation, roles, key }: UserActor): boolean =>
  organisation !== null &&
  key === undefined &&
  (roles.includes(ownerRole) || roles.includes(adminRole))
