import { type App, isAdministrator, type UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { assertSignedIn, sessionProbe } from "./directory-guard.ts"
import { admits } from "./organisation-policy.ts"
import { allows, covers, type OrganisationRoles } from "./organisation-roles.ts"
import type { Calling } from "./organisations.ts"
import {
  type Membership,
  membershipsOf,
  type Person,
  personOf,
  selectMemberships,
  selectPerson,
} from "./person.ts"

/*
 * Whose keys and service accounts are whose to manage. One's own are; a service account's are those of the deployment's
 * administrators, and, where it belongs to an organisation, of those who manage its members and cover its roles. Nobody makes a key for another person.
 */

/** What the directory knows of the caller's standing in organisations. */
export interface Standing {
  readonly actor: UserActor
  /** By organisation. */
  readonly memberships: ReadonlyMap<string, Membership>
  /** What the roles of organisations allow. */
  readonly roles: OrganisationRoles
}

/**
 * The account with that id (SQL), null when there is none, the caller's own standing, and the rows of a further query about
 * it. One trip.
 *
 * @throws {Problem} `token_outdated`
 */
export async function findHolder(
  app: App,
  { actor, roles }: Pick<Calling, "actor" | "roles">,
  id: Sql,
  more: Sql = raw("SELECT 1"),
): Promise<{ holder: Person | null; standing: Standing; rows: readonly Row[] }> {
  const [session, found, memberships, own, rows = []] = await app.directory.batch([
    sessionProbe(actor),
    selectPerson(sql`id = ${id}`),
    selectMemberships(id),
    selectMemberships(sql`${actor.id}`),
    more,
  ])
  assertSignedIn(actor, session)
  const row = found?.[0]
  return {
    rows,
    holder: row ? personOf(row, memberships ?? []) : null,
    standing: {
      actor,
      roles,
      memberships: new Map(membershipsOf(own ?? []).map((one) => [one.organisation, one])),
    },
  }
}

/** Whether the caller may see and end what belongs to `holder`. */
export const oversees = (standing: Standing, holder: Person): boolean =>
  holder.id === standing.actor.id ||
  isAdministrator(standing.actor) ||
  (holder.kind === "service" && manages(standing, holder))

/** Whether the caller may make keys in the name of `holder`. */
export const mayIssueFor = (standing: Standing, holder: Person): boolean =>
  holder.id === standing.actor.id ||
  (holder.kind === "service" && holder.disabledAt === null && manages(standing, holder))

/** Whether the caller may decide over a service account. */
export function manages(standing: Standing, service: Person): boolean {
  if (isAdministrator(standing.actor)) return true
  // Whatever roles of the deployment it was given are not for an organisation to use.
  if (service.roles.length > 0 || service.memberships.length === 0) return false
  return service.memberships.every(({ organisation, roles }) =>
    leads(standing, organisation, roles),
  )
}

/**
 * Whether the caller manages the members of the organisation, in a session that its policy admits, and covers those roles.
 */
export function leads(
  { actor, memberships, roles }: Standing,
  organisation: string,
  given: readonly string[],
): boolean {
  if (isAdministrator(actor)) return true
  const own = memberships.get(organisation)
  return (
    own !== undefined &&
    admits(own.policy, actor.methods) &&
    allows(roles, own.roles, "members.manage") &&
    covers(roles, own.roles, given)
  )
}

/** @throws {Problem} `not_found`: whoever may not manage an account learns nothing of it. */
export function assertFound(allowed: boolean): asserts allowed {
  if (!allowed) throw new Problem("not_found")
}
