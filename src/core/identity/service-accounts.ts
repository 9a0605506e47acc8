import { type App, administratorRole, isAdministrator, type UserActor } from "../../platform/app.ts"
import { Refusal } from "../../platform/database.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { endStates } from "./api-key-states.ts"
import { auditEvent } from "./audit.ts"
import { refuse, sessionRefusal } from "./directory-guard.ts"
import { assertFound, findHolder, leads, manages } from "./key-holders.ts"
import { knownRoles } from "./organisation-members.ts"
import { storedPolicy } from "./organisation-policy.ts"
import type { Calling } from "./organisations.ts"
import { type Membership, type Person, personOf } from "./person.ts"
import { commitPerson } from "./projection.ts"
import { assertRecent } from "./step-up.ts"

/*
 * Accounts of programs: rows of `users` that nobody signs in to. They act with keys, in the one organisation that they
 * belong to, or, where they belong to none, in the deployment. What they have written keeps naming them, so an account
 * that is deleted is disabled, and its row stays.
 */
export interface ServiceAccount {
  readonly id: string
  readonly name: string | null
  readonly organisation: string | null
  /** Of the organisation, where it belongs to one; else of the deployment. */
  readonly roles: readonly string[]
  readonly createdAt: string
}

/**
 * Two trips; one more where the organisation's records lie in another database.
 *
 * @throws {Problem} `forbidden` unless one administers the deployment, or leads the organisation; `not_found` for an
 * organisation that does not exist, or is not one's own; `step_up_required`, `token_outdated`
 */
export async function createServiceAccount(
  app: App,
  calling: Calling,
  draft: { name: string; roles?: readonly string[] | undefined; organisation?: string | undefined },
): Promise<ServiceAccount> {
  const { actor, caller } = calling
  assertRecent(app, actor)
  const roles = [...new Set(draft.roles ?? [])].sort()
  const { organisation = null } = draft
  const { standing, rows } = await findHolder(
    app,
    calling,
    sql`NULL`,
    sql`SELECT database, policy FROM organisations WHERE id = ${organisation}`,
  )
  if (organisation === null && !isAdministrator(actor)) throw new Problem("forbidden")
  if (organisation !== null) {
    assertFound(
      rows.length > 0 && (isAdministrator(actor) || standing.memberships.has(organisation)),
    )
    if (!leads(standing, organisation, roles)) throw new Problem("forbidden")
  }
  if (organisation !== null) assertDeclared(calling, roles)
  const id = app.newId()
  const at = new Date(app.now()).toISOString()
  const membership: Membership | null =
    organisation === null
      ? null
      : {
          organisation,
          database: rows[0]?.database as string,
          roles,
          policy: storedPolicy(rows[0]?.policy as string),
        }
  const person: Person = {
    id,
    email: `service:${id}`,
    name: draft.name,
    roles: membership ? [] : roles,
    epoch: 1,
    version: 1,
    createdAt: at,
    updatedAt: at,
    kind: "service",
    emailVerifiedAt: null,
    disabledAt: null,
    locale: null,
    secondFactors: [],
    memberships: membership ? [membership] : [],
  }
  await commit(app, actor, person, [
    sql`INSERT INTO users (id, email, emailNormalised, name, passwordHash, roles, epoch, version, createdAt, updatedAt, kind)
VALUES (${id}, ${person.email}, ${person.email}, ${person.name}, NULL, ${JSON.stringify(person.roles)}, 1, 1, ${at}, ${at}, 'service')`,
    ...(membership
      ? [
          sql`INSERT INTO organisation_members (organisation, user, roles, createdAt) VALUES (${organisation}, ${id}, ${JSON.stringify(roles)}, ${at})`,
        ]
      : []),
    auditEvent(app, {
      kind: "user.created",
      user: id,
      actor,
      organisation,
      session: actor.session,
      caller,
      detail: { service: true, roles },
    }),
  ])
  return toServiceAccount(person)
}

/**
 * Renames an account, or gives and takes roles: exactly those given afterwards, from its keys' next request on.
 *
 * @throws {Problem} `not_found`, `forbidden`, `conflict` when somebody else was faster, `step_up_required`, `token_outdated`
 */
export async function changeServiceAccount(
  app: App,
  calling: Calling,
  id: string,
  patch: { name?: string | undefined; roles?: readonly string[] | undefined },
): Promise<ServiceAccount> {
  const { actor, caller } = calling
  assertRecent(app, actor)
  const { holder, standing } = await findHolder(app, calling, sql`${id}`)
  assertFound(isLive(holder) && manages(standing, holder))
  const [membership = null] = holder.memberships
  const organisation = membership?.organisation ?? null
  const before = rolesOf(holder)
  const roles = patch.roles ? [...new Set(patch.roles)].sort() : before
  const name = patch.name ?? holder.name
  const rolesChange = JSON.stringify(roles) !== JSON.stringify(before)
  if (!rolesChange && name === holder.name) return toServiceAccount(holder)
  if (organisation !== null && !leads(standing, organisation, roles)) throw new Problem("forbidden")
  if (organisation !== null && rolesChange) assertDeclared(calling, roles)
  const person: Person = {
    ...holder,
    name,
    roles: membership ? holder.roles : roles,
    epoch: holder.epoch + (rolesChange ? 1 : 0),
    version: holder.version + 1,
    updatedAt: new Date(app.now()).toISOString(),
    memberships: membership ? [{ ...membership, roles }] : [],
  }
  await commit(app, actor, person, [
    unchanged(holder),
    updateUser(person),
    ...(membership
      ? [
          sql`UPDATE organisation_members SET roles = ${JSON.stringify(roles)} WHERE organisation = ${organisation} AND user = ${id}`,
        ]
      : []),
    auditEvent(app, {
      kind: rolesChange ? "roles.changed" : "user.renamed",
      user: id,
      actor,
      organisation,
      session: actor.session,
      caller,
      detail: rolesChange ? { before, after: roles } : {},
    }),
  ])
  return toServiceAccount(person)
}

/**
 * Disables an account for good, and ends all its keys.
 *
 * @throws {Problem} `not_found`, `conflict` when somebody else was faster, `step_up_required`, `token_outdated`
 */
export async function deleteServiceAccount(app: App, calling: Calling, id: string): Promise<void> {
  const { actor, caller } = calling
  assertRecent(app, actor)
  const { holder, standing, rows } = await findHolder(
    app,
    calling,
    sql`${id}`,
    sql`SELECT id, hash FROM api_keys WHERE user = ${id} AND revokedAt IS NULL`,
  )
  assertFound(isLive(holder) && manages(standing, holder))
  const at = new Date(app.now()).toISOString()
  const person: Person = {
    ...holder,
    epoch: holder.epoch + 1,
    version: holder.version + 1,
    updatedAt: at,
    disabledAt: at,
  }
  const ends = endStates(rows as unknown as { id: string; hash: string }[], at)
  const databases = new Set(["main", ...holder.memberships.map(({ database }) => database)])
  // Its keys end where they are used before they end in the directory, so that a crash between leaves none alive.
  for (const name of databases) {
    const { db } = app.on(name)
    if (db !== app.directory) await db.batch([ends])
  }
  await commit(app, actor, person, [
    unchanged(holder),
    updateUser(person),
    ...(app.on("main").db === app.directory ? [ends] : []),
    sql`UPDATE api_keys SET revokedAt = ${at} WHERE user = ${id} AND revokedAt IS NULL`,
    auditEvent(app, {
      kind: "user.disabled",
      user: id,
      actor,
      organisation: holder.memberships[0]?.organisation ?? null,
      session: actor.session,
      caller,
      detail: { service: true },
    }),
  ])
}

/**
 * Those of an organisation, for its owners and admins; all, for administrators of the deployment. The oldest first.
 *
 * @throws {Problem} `forbidden`, `not_found` for an organisation that is not one's own; `token_outdated`
 */
export async function listServiceAccounts(
  app: App,
  calling: Calling,
  {
    limit,
    cursor,
    organisation = null,
  }: { limit: number; cursor: string | null; organisation?: string | null | undefined },
): Promise<Page<ServiceAccount>> {
  const { actor } = calling
  const where =
    organisation === null
      ? sql`1`
      : sql`EXISTS (SELECT 1 FROM organisation_members m WHERE m.organisation = ${organisation} AND m.user = u.id)`
  const { standing, rows } = await findHolder(
    app,
    calling,
    sql`NULL`,
    sql`SELECT u.id, u.email, u.name, u.roles, u.epoch, u.version, u.createdAt, u.updatedAt, u.kind, u.emailVerifiedAt, u.disabledAt, u.locale, '' AS secondFactors, m.organisation, m.roles AS memberRoles, o.database, o.policy
FROM users u LEFT JOIN organisation_members m ON m.user = u.id LEFT JOIN organisations o ON o.id = m.organisation
WHERE u.kind = 'service' AND u.disabledAt IS NULL AND u.id > ${cursor ?? ""} AND ${where} ORDER BY u.id LIMIT CAST(${limit + 1} AS INTEGER)`,
  )
  if (!isAdministrator(actor)) {
    if (organisation === null) throw new Problem("forbidden")
    assertFound(standing.memberships.has(organisation))
    if (!leads(standing, organisation, [])) throw new Problem("forbidden")
  }
  const accounts = rows.map((row) => {
    const { organisation: of, memberRoles, database, policy } = row
    return toServiceAccount(
      personOf(
        row,
        of === null ? [] : [{ organisation: of, roles: memberRoles, database, policy }],
      ),
    )
  })
  return pageOf(accounts, limit)
}

const isLive = (holder: Person | null): holder is Person =>
  holder !== null && holder.kind === "service" && holder.disabledAt === null

const rolesOf = ({ memberships, roles }: Person): readonly string[] =>
  memberships[0]?.roles ?? roles

const toServiceAccount = (person: Person): ServiceAccount => ({
  id: person.id,
  name: person.name,
  organisation: person.memberships[0]?.organisation ?? null,
  roles: rolesOf(person),
  createdAt: person.createdAt,
})

/**
 * No organisation can give a role of the deployment, which rules of collections that have no scope may name.
 *
 * @throws {Problem} `forbidden`, `invalid_input`
 */
function assertDeclared(calling: Calling, roles: readonly string[]): void {
  if (roles.includes(administratorRole)) {
    throw new Problem("forbidden", "An organisation cannot give this role.")
  }
  knownRoles(calling.roles, roles)
}

const unchanged = ({ id, version }: Person): Sql =>
  refuse("stale", sql`NOT EXISTS (SELECT 1 FROM users WHERE id = ${id} AND version = ${version})`)

const updateUser = (person: Person): Sql =>
  sql`UPDATE users SET name = ${person.name}, roles = ${JSON.stringify(person.roles)}, epoch = ${person.epoch}, version = ${person.version}, updatedAt = ${person.updatedAt}, disabledAt = ${person.disabledAt} WHERE id = ${person.id}`

async function commit(app: App, actor: UserActor, person: Person, writes: Sql[]): Promise<void> {
  try {
    await commitPerson(app, actor, [refuse("outdated", sessionRefusal(actor)), ...writes], person)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.outcome === "outdated") throw new Problem("token_outdated")
    if (error.outcome === "stale") throw new Problem("conflict", "Somebody else has changed it.")
    throw error
  }
}
