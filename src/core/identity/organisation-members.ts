import type { App } from "../../platform/app.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { type NewMail, newMail } from "../mail/new-mail.ts"
import type { MailTemplate } from "../mail/template.ts"
import { auditEvent } from "./audit.ts"
import { assertSignedIn, sessionProbe } from "./directory-guard.ts"
import {
  commitMemberships,
  type MembershipChange,
  refuseLastOwner,
  untilSettled,
} from "./membership-changes.ts"
import { type Access, accessTo, selectAccess } from "./organisation-access.ts"
import { ownershipGivenMail, ownershipReceivedMail, removedMail } from "./organisation-mails.ts"
import {
  adminRole,
  covers,
  type OrganisationRoles,
  ownerRole,
  type Permission,
} from "./organisation-roles.ts"
import type { Calling } from "./organisations.ts"
import {
  type Membership,
  type Person,
  personOf,
  selectMemberships,
  selectPerson,
} from "./person.ts"
import { assertRecent } from "./step-up.ts"

/** A member, as the others see them: addresses stay in the directory. */
export interface Member {
  /** Of the person. */
  readonly id: string
  readonly name: string | null
  readonly roles: readonly string[]
}

/** In the order of their ids. @throws {Problem} what `accessTo` throws; `token_outdated` */
export async function listMembers(
  app: App,
  { actor, roles }: Calling,
  organisation: string,
  page: { limit: number; cursor: string | null },
): Promise<Page<Member>> {
  const [session, rows, found = []] = await app.directory.batch([
    sessionProbe(actor),
    selectAccess(actor, organisation),
    sql`SELECT u.id, u.name, m.roles FROM organisation_members m JOIN users u ON u.id = m.user
WHERE m.organisation = ${organisation} AND m.user > ${page.cursor ?? ""} ORDER BY m.user LIMIT CAST(${page.limit + 1} AS INTEGER)`,
  ])
  assertSignedIn(actor, session)
  accessTo(rows, actor, roles, "members.read")
  const members = found.map((row) => ({
    id: row.id as string,
    name: row.name as string | null,
    roles: JSON.parse(row.roles as string) as string[],
  }))
  return pageOf(members, page.limit)
}

/**
 * Gives a member exactly these roles. Their tokens are outdated at once.
 *
 * @throws {Problem} what `accessTo` throws; `not_found` for who is no member; `forbidden` for roles above the caller's, and
 * for members who have such; `conflict` for the last owner; `invalid_input` for unknown roles; `token_outdated`
 */
export function setMemberRoles(
  app: App,
  calling: Calling,
  organisation: string,
  user: string,
  wanted: readonly string[],
): Promise<Member> {
  const { actor, caller } = calling
  const roles = knownRoles(calling.roles, wanted)
  return untilSettled(async () => {
    const { access, person, membership } = await readMember(
      app,
      calling,
      organisation,
      user,
      "members.manage",
    )
    const { authority } = access
    assertCovers(access, [...membership.roles, ...roles])
    // Whoever gives ownership away by another door proves who they are as at the transfer.
    if (roles.includes(ownerRole) || membership.roles.includes(ownerRole)) assertRecent(app, actor)
    const member = { id: user, name: person.name, roles }
    if (JSON.stringify(roles) === JSON.stringify(membership.roles)) return member
    const change = {
      person,
      memberships: person.memberships.map((one) =>
        one === membership ? { ...membership, roles } : one,
      ),
    }
    await commitMemberships(
      app,
      actor,
      [change],
      [
        ...(roles.includes(ownerRole) ? [] : guardOwner(membership, user)),
        updateRoles(organisation, user, roles),
        // What was promised in the name of a standing that is gone is gone too.
        ...(covers(calling.roles, roles, membership.roles)
          ? []
          : [revokeInvitationsOf(app, organisation, user)]),
        auditEvent(app, {
          kind: "member.rolesChanged",
          user,
          actor,
          organisation,
          caller,
          detail: { authority, before: membership.roles, after: roles },
        }),
      ],
    )
    return member
  })
}

/**
 * Removes a member, or lets the caller leave, which needs no permission. Their tokens are outdated at once, and the
 * invitations that they sent are void.
 *
 * @throws {Problem} what `accessTo` throws; `not_found` for who is no member; `forbidden` for members with roles above the
 * caller's; `conflict` for the last owner; `token_outdated`
 */
export function removeMember(
  app: App,
  calling: Calling,
  organisation: string,
  user: string,
): Promise<void> {
  const { actor, caller } = calling
  const leaves = user === actor.id
  return untilSettled(async () => {
    const { access, person, membership } = await readMember(
      app,
      calling,
      organisation,
      user,
      leaves ? "leaving" : "members.manage",
    )
    if (!leaves) assertCovers(access, membership.roles)
    const change = {
      person,
      memberships: person.memberships.filter((one) => one !== membership),
    }
    await commitMemberships(
      app,
      actor,
      [change],
      [
        ...guardOwner(membership, user),
        sql`DELETE FROM organisation_members WHERE organisation = ${organisation} AND user = ${user}`,
        revokeInvitationsOf(app, organisation, user),
        auditEvent(app, {
          kind: leaves ? "member.left" : "member.removed",
          user,
          actor,
          organisation,
          caller,
          detail: { authority: leaves ? "member" : access.authority, roles: membership.roles },
        }),
        ...(leaves ? [] : insertMails(app, noticeTo(app, person, removedMail, access))),
      ],
    )
    if (!leaves) app.on("directory").wake("jobs")
  })
}

/**
 * Makes another member owner, and the caller an admin. An administrator of the deployment who owns nothing there makes an
 * owner beside those that are: so an organisation whose owners are gone gets one.
 *
 * @throws {Problem} what `accessTo` throws; `step_up_required`; `not_found` for who is no member; `conflict` for who owns it
 * already; `token_outdated`
 */
export function transferOwnership(
  app: App,
  calling: Calling,
  organisation: string,
  user: string,
): Promise<Member> {
  const { actor, caller } = calling
  return untilSettled(async () => {
    const read = await readMember(app, calling, organisation, user, "ownership.transfer")
    const { access, person, membership, self } = read
    assertRecent(app, actor)
    if (membership.roles.includes(ownerRole)) {
      throw new Problem("conflict", "They own the organisation already.")
    }
    if (person.kind !== "person") throw new Problem("conflict", "A program owns no organisation.")
    if (person.disabledAt !== null) throw new Problem("conflict", "Their account is disabled.")
    const roles = [...new Set([...membership.roles, ownerRole])].sort()
    const gains = withRoles(person, organisation, roles)
    const changes: MembershipChange[] = [gains]
    const writes = [updateRoles(organisation, user, roles)]
    const mails = noticeTo(app, person, ownershipReceivedMail, access)
    if (access.roles.includes(ownerRole)) {
      const kept = access.roles.filter((role) => role !== ownerRole)
      const left = [...new Set([...kept, adminRole])].sort()
      changes.push(withRoles(self, organisation, left))
      writes.push(updateRoles(organisation, actor.id, left))
      writes.push(revokeInvitationsOf(app, organisation, actor.id))
      mails.push(...noticeTo(app, self, ownershipGivenMail, access))
    }
    await commitMemberships(app, actor, changes, [
      ...writes,
      auditEvent(app, {
        kind: "organisation.ownershipTransferred",
        user,
        actor,
        organisation,
        caller,
        detail: { authority: access.authority, from: changes.length > 1 ? actor.id : null },
      }),
      ...insertMails(app, mails),
    ])
    app.on("directory").wake("jobs")
    return { id: user, name: person.name, roles }
  })
}

/** One trip: what the caller may do, the member, and the caller themselves. */
async function readMember(
  app: App,
  { actor, roles }: Calling,
  organisation: string,
  user: string,
  permission: Permission | "leaving",
): Promise<{ access: Access; person: Person; membership: Membership; self: Person }> {
  const [session, rows, found, memberships = [], me, mine = []] = await app.directory.batch([
    sessionProbe(actor),
    selectAccess(actor, organisation),
    selectPerson(sql`id = ${user}`),
    selectMemberships(sql`${user}`),
    selectPerson(sql`id = ${actor.id}`),
    selectMemberships(sql`${actor.id}`),
  ])
  assertSignedIn(actor, session)
  const access = accessTo(rows, actor, roles, permission)
  const person = found?.[0] ? personOf(found[0], memberships) : null
  const membership = person?.memberships.find((one) => one.organisation === organisation)
  if (!person || !membership) throw new Problem("not_found")
  return { access, person, membership, self: personOf(me?.[0] ?? {}, mine) }
}

/** Sorted, each once. @throws {Problem} `invalid_input` for roles that the code does not declare */
export function knownRoles(roles: OrganisationRoles, wanted: readonly string[]): string[] {
  const unknown = wanted.filter((name) => !roles.has(name))
  if (unknown.length === 0) return [...new Set(wanted)].sort()
  throw invalidInput(
    ...unknown.map((name) => ({
      path: "roles",
      code: "unknown_role",
      message: `There is no role "${name}": ${[...roles.keys()].join(", ")}.`,
    })),
  )
}

/** @throws {Problem} `forbidden` */
export function assertCovers(access: Access, others: readonly string[]): void {
  if (access.covers(others)) return
  throw new Problem(
    "forbidden",
    "A role that stands above yours is neither yours to give nor to take.",
  )
}

const guardOwner = (membership: Membership, user: string): Sql[] =>
  membership.roles.includes(ownerRole) ? [refuseLastOwner(membership.organisation, user)] : []

const updateRoles = (organisation: string, user: string, roles: readonly string[]): Sql =>
  sql`UPDATE organisation_members SET roles = ${JSON.stringify(roles)} WHERE organisation = ${organisation} AND user = ${user}`

/** Else who is removed would come back through an invitation that they sent to another address of theirs. */
const revokeInvitationsOf = (app: App, organisation: string, user: string): Sql =>
  sql`UPDATE invitations SET revokedAt = ${new Date(app.now()).toISOString()}
WHERE organisation = ${organisation} AND invitedBy = ${user} AND acceptedAt IS NULL AND revokedAt IS NULL`

const withRoles = (
  person: Person,
  organisation: string,
  roles: readonly string[],
): MembershipChange => ({
  person,
  memberships: person.memberships.map((one) =>
    one.organisation === organisation ? { ...one, roles } : one,
  ),
})

/** Services and anonymous people have no address. */
export const noticeTo = (
  app: App,
  person: Person,
  template: MailTemplate,
  { organisation }: Pick<Access, "organisation">,
): NewMail[] =>
  person.kind === "person"
    ? [
        newMail(
          template,
          { user: person.id },
          { organisation: organisation.name },
          {
            cause: `${template.name}/${organisation.id}/${person.id}/${app.requestId}`,
            locale: person.locale,
            organisation: organisation.id,
          },
        ),
      ]
    : []
