import type { App, UserActor } from "../../platform/app.ts"
import { isAdministrator } from "../../platform/app.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { assertSignedIn, refuse, sessionProbe, sessionRefusal } from "./directory-guard.ts"
import { commitMemberships, untilSettled } from "./membership-changes.ts"
import {
  type Access,
  accessTo,
  type StoredOrganisation,
  secondFactorRequired,
  selectAccess,
  storedOrganisation,
} from "./organisation-access.ts"
import { admits, type OrganisationPolicy, openPolicy } from "./organisation-policy.ts"
import { type OrganisationRoles, ownerRole } from "./organisation-roles.ts"
import { personOf, selectMemberships, selectPerson } from "./person.ts"
import { assertRecent } from "./step-up.ts"

/** As its members see it. */
export interface Organisation {
  readonly id: string
  readonly name: string
  readonly policy: OrganisationPolicy
  /** The caller's in it. */
  readonly roles: readonly string[]
  readonly version: number
  readonly createdAt: string
}

/** Who calls, from where, and what roles there are: what every function of organisations asks for. */
export interface Calling {
  readonly actor: UserActor
  readonly caller: Caller
  readonly roles: OrganisationRoles
}

/** A person belongs to so many at most: else one could make a thousand, to invite a thousand strangers from each. */
export const maxMemberships = 50

/**
 * A new organisation, whose owner is the actor. Their tokens are outdated by it.
 *
 * @param database one of the deployment's, for administrators of the deployment to choose; the deployment's default for others
 * @throws {Problem} `forbidden` for who is no person, or chooses without being an administrator; `rate_limited` beyond 50
 */
export function createOrganisation(
  app: App,
  { actor, caller }: Calling,
  draft: { name: string; database?: string | undefined },
): Promise<Organisation> {
  const database = chosenDatabase(app, actor, draft.database)
  return untilSettled(async () => {
    const [session, found, memberships = []] = await app.directory.batch([
      sessionProbe(actor),
      selectPerson(sql`id = ${actor.id}`),
      selectMemberships(sql`${actor.id}`),
    ])
    assertSignedIn(actor, session)
    const person = personOf(found?.[0] ?? {}, memberships)
    if (person.kind !== "person") throw new Problem("forbidden", "Only people own organisations.")
    const id = app.newId()
    const createdAt = new Date(app.now()).toISOString()
    const roles = [ownerRole]
    const membership = { organisation: id, database, roles, policy: openPolicy }
    await commitMemberships(
      app,
      actor,
      [{ person, memberships: [...person.memberships, membership] }],
      [
        refuse(
          "too_many",
          sql`(SELECT count(*) FROM organisation_members WHERE user = ${actor.id}) >= ${maxMemberships}`,
        ),
        sql`INSERT INTO organisations (id, name, database, createdAt, policy, version) VALUES (${id}, ${draft.name}, ${database}, ${createdAt}, '{}', 1)`,
        sql`INSERT INTO organisation_members (organisation, user, roles, createdAt) VALUES (${id}, ${actor.id}, ${JSON.stringify(roles)}, ${createdAt})`,
        auditEvent(app, {
          kind: "organisation.created",
          user: actor.id,
          actor,
          organisation: id,
          caller,
          detail: { database },
        }),
      ],
    )
    return { id, name: draft.name, policy: openPolicy, roles, version: 1, createdAt }
  })
}

/** The directory of a deployment that keeps people apart holds no records. */
function chosenDatabase(app: App, actor: UserActor, wanted: string | undefined): string {
  if (wanted !== undefined && !isAdministrator(actor)) {
    throw new Problem("forbidden", "Only administrators of the deployment choose the database.")
  }
  const name = wanted ?? app.settings.organisationDatabase
  if (name !== "directory" && app.databases.includes(name)) return name
  if (wanted === undefined) {
    const cause = new Error(`ORGANISATION_DATABASE: there is no database "${name}"`)
    throw new Problem("misconfigured", { cause })
  }
  const message = "The deployment has no such database."
  throw invalidInput({ path: "database", code: "unknown_database", message })
}

/** The organisations that the actor belongs to, the oldest first. @throws {Problem} `token_outdated` */
export async function listOrganisations(
  app: App,
  { actor }: Calling,
  page: { limit: number; cursor: string | null },
): Promise<Page<Organisation>> {
  const [session, rows = []] = await app.directory.batch([
    sessionProbe(actor),
    sql`SELECT o.id, o.name, o.database, o.policy, o.version, o.createdAt, m.roles FROM organisation_members m JOIN organisations o ON o.id = m.organisation
WHERE m.user = ${actor.id} AND o.id > ${page.cursor ?? ""} ORDER BY o.id LIMIT CAST(${page.limit + 1} AS INTEGER)`,
  ])
  assertSignedIn(actor, session)
  return pageOf(
    rows.map((row) =>
      toOrganisation(storedOrganisation(row), JSON.parse(row.roles as string) as string[]),
    ),
    page.limit,
  )
}

/** @throws {Problem} what `accessTo` throws; `token_outdated` */
export async function getOrganisation(
  app: App,
  calling: Calling,
  id: string,
): Promise<Organisation> {
  const { organisation, roles } = await readAccess(app, calling, id, null)
  return toOrganisation(organisation, roles)
}

/** One trip. @throws {Problem} what `accessTo` throws; `token_outdated` */
export async function readAccess(
  app: App,
  { actor, roles }: Calling,
  id: string,
  permission: Parameters<typeof accessTo>[3],
): Promise<Access> {
  const [session, rows] = await app.directory.batch([sessionProbe(actor), selectAccess(actor, id)])
  assertSignedIn(actor, session)
  return accessTo(rows, actor, roles, permission)
}

export interface OrganisationPatch {
  readonly name?: string | undefined
  /** What is not named stays. */
  readonly policy?:
    | { readonly [Name in keyof OrganisationPolicy]?: OrganisationPolicy[Name] | undefined }
    | undefined
}

/**
 * Changes name and policy. A patch that changes nothing writes nothing.
 *
 * @param expected versions that the caller will meet; null for any
 * @throws {Problem} what `accessTo` throws; `precondition_failed`; `second_factor_required` when the caller would lock
 * themselves out; `token_outdated`
 */
export function updateOrganisation(
  app: App,
  calling: Calling,
  id: string,
  patch: OrganisationPatch,
  expected: readonly number[] | null,
): Promise<Organisation> {
  const { actor, caller } = calling
  return untilSettled(async () => {
    const access = await readAccess(app, calling, id, "organisation.update")
    const { organisation: before, roles, authority } = access
    if (expected && !expected.includes(before.version)) throw new Problem("precondition_failed")
    const given = Object.entries(patch.policy ?? {}).filter(([, value]) => value !== undefined)
    const after: StoredOrganisation = {
      ...before,
      name: patch.name ?? before.name,
      policy: { ...before.policy, ...Object.fromEntries(given) },
      version: before.version + 1,
    }
    const changed = (["name", "policy"] as const).filter(
      (key) => JSON.stringify(after[key]) !== JSON.stringify(before[key]),
    )
    if (changed.length === 0) return toOrganisation(before, roles)
    if (authority === "member" && !admits(after.policy, actor.methods)) throw secondFactorRequired()
    await app.directory.batch([
      refuse("outdated", sessionRefusal(actor)),
      refuseChanged(before),
      sql`UPDATE organisations SET name = ${after.name}, policy = ${JSON.stringify(after.policy)}, version = ${after.version} WHERE id = ${id}`,
      auditEvent(app, {
        kind: "organisation.updated",
        user: null,
        actor,
        organisation: id,
        caller,
        detail: { authority, changed, policy: JSON.stringify(after.policy) },
      }),
    ])
    return toOrganisation(after, roles)
  })
}

/** For writes that rely on the policy as it was read. */
export const refuseChanged = ({ id, version }: StoredOrganisation): Sql =>
  refuse(
    "stale",
    sql`NOT EXISTS (SELECT 1 FROM organisations WHERE id = ${id} AND version = ${version})`,
  )

/** SQL that is true while records of the organisation are in its database. Given by whoever knows the collections. */
export type HasRecords = (organisation: string) => Sql

/**
 * Deletes an organisation that is empty: without records, and without members but its owner. Nothing is swept away in the
 * caller's name, so nothing is lost by mistake, and there is no half-deleted state to come back from. What was written in
 * it stays in the change log and in the audit log.
 *
 * The records are asked for once more in the batch where they lie beside the directory. In a database of their own they
 * are asked for just before it: a record that the owner makes in that moment is left behind, and nobody sees it.
 *
 * @throws {Problem} what `accessTo` throws; `step_up_required`; `conflict` while it is not empty; `token_outdated`
 */
export function deleteOrganisation(
  app: App,
  calling: Calling,
  id: string,
  hasRecords: HasRecords,
): Promise<void> {
  const { actor, caller, roles } = calling
  return untilSettled(async () => {
    const member = sql`(SELECT user FROM organisation_members WHERE organisation = ${id} ORDER BY user = ${actor.id} DESC LIMIT 1)`
    const [session, rows, found, memberships = []] = await app.directory.batch([
      sessionProbe(actor),
      selectAccess(actor, id),
      selectPerson(sql`id = ${member}`),
      selectMemberships(member),
    ])
    assertSignedIn(actor, session)
    const { organisation, authority } = accessTo(rows, actor, roles, "organisation.delete")
    assertRecent(app, actor)
    const person = found?.[0] ? personOf(found[0], memberships) : null
    const { db } = app.on(organisation.database)
    const records = sql`SELECT 1 AS found WHERE ${hasRecords(id)}`
    const isNear = db === app.directory
    if (!isNear && (await db.all(records)).length > 0) {
      throw new Problem("conflict", "The organisation still has records: delete them first.")
    }
    const at = new Date(app.now()).toISOString()
    const remaining = person?.memberships.filter((one) => one.organisation !== id) ?? []
    await commitMemberships(app, actor, person ? [{ person, memberships: remaining }] : [], [
      refuseChanged(organisation),
      refuse(
        "has_members",
        sql`EXISTS (SELECT 1 FROM organisation_members WHERE organisation = ${id} AND user <> ${person?.id ?? ""})`,
      ),
      ...(isNear ? [refuse("has_records", sql`EXISTS (${records})`)] : []),
      sql`UPDATE sessions SET organisation = NULL WHERE organisation = ${id}`,
      // A key without its organisation would speak for the person alone, which nobody meant: it ends.
      sql`UPDATE api_keys SET revokedAt = coalesce(revokedAt, ${at}), organisation = NULL WHERE organisation = ${id}`,
      sql`DELETE FROM invitations WHERE organisation = ${id}`,
      sql`DELETE FROM organisation_members WHERE organisation = ${id}`,
      sql`DELETE FROM organisations WHERE id = ${id}`,
      auditEvent(app, {
        kind: "organisation.deleted",
        user: person?.id ?? null,
        actor,
        organisation: id,
        caller,
        detail: { authority, name: organisation.name },
      }),
    ])
  })
}

/** Chosen field by field: where its records lie is nobody's business. */
export const toOrganisation = (
  { id, name, policy, version, createdAt }: StoredOrganisation,
  roles: readonly string[],
): Organisation => ({ id, name, policy, roles, version, createdAt })
