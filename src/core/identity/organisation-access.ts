import { isAdministrator, type UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { admits, type OrganisationPolicy, storedPolicy } from "./organisation-policy.ts"
import { allows, covers, type OrganisationRoles, type Permission } from "./organisation-roles.ts"

/** An organisation as the directory has it. */
export interface StoredOrganisation {
  readonly id: string
  readonly name: string
  readonly database: string
  readonly policy: OrganisationPolicy
  readonly version: number
  readonly createdAt: string
}

/** What one person may do in one organisation. */
export interface Access {
  readonly organisation: StoredOrganisation
  /** Theirs in it; none for an administrator of the deployment who is no member. */
  readonly roles: readonly string[]
  /** What lets them: their membership, or that they administer the deployment, which the audit log tells. */
  readonly authority: "member" | "administrator"
  /** Whether they may give these roles, and take them from others. */
  readonly covers: (others: readonly string[]) => boolean
}

/** A row for `accessTo`: the organisation, and the actor's roles in it, whatever their session speaks for. */
export const selectAccess = (actor: UserActor, organisation: string): Sql =>
  sql`SELECT o.id, o.name, o.database, o.policy, o.version, o.createdAt, m.roles FROM organisations o
LEFT JOIN organisation_members m ON m.organisation = o.id AND m.user = ${actor.id} WHERE o.id = ${organisation}`

/**
 * Holds as long as the actor's epoch does, which rises with their memberships: guard on it in the batch that follows.
 *
 * @param permission null for what every member may do; `leaving`, which no policy stands in the way of
 * @throws {Problem} `not_found` for outsiders, to whom the organisation does not exist; `forbidden`;
 * `second_factor_required` where the policy asks for one that the session lacks
 */
export function accessTo(
  rows: readonly Row[] | undefined,
  actor: UserActor,
  roles: OrganisationRoles,
  permission: Permission | "leaving" | null,
): Access {
  const row = rows?.[0]
  const administrator = isAdministrator(actor)
  if (!row || (row.roles === null && !administrator)) throw new Problem("not_found")
  const organisation = storedOrganisation(row)
  const held = row.roles === null ? [] : (JSON.parse(row.roles as string) as string[])
  // Also where their membership would do: an administrator's doings are better told once too often.
  if (administrator) {
    return { organisation, roles: held, authority: "administrator", covers: () => true }
  }
  const leaves = permission === "leaving"
  if (!leaves && !admits(organisation.policy, actor.methods)) throw secondFactorRequired()
  if (!leaves && permission !== null && !allows(roles, held, permission)) {
    throw new Problem("forbidden", "Your roles in this organisation do not allow it.")
  }
  return {
    organisation,
    roles: held,
    authority: "member",
    covers: (others) => covers(roles, held, others),
  }
}

export const secondFactorRequired = (): Problem =>
  new Problem(
    "second_factor_required",
    "This organisation asks for a second factor: sign in with one.",
  )

export const storedOrganisation = (row: Row): StoredOrganisation => ({
  id: row.id as string,
  name: row.name as string,
  database: row.database as string,
  policy: storedPolicy(row.policy as string),
  version: row.version as number,
  createdAt: row.createdAt as string,
})
