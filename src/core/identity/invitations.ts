import { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import type { App } from "../../platform/app.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { newMail } from "../mail/new-mail.ts"
import { auditEvent } from "./audit.ts"
import { assertSignedIn, refuse, sessionProbe, sessionRefusal } from "./directory-guard.ts"
import { normaliseEmail } from "./email.ts"
import { commitMemberships, untilSettled } from "./membership-changes.ts"
import { accessTo, selectAccess, storedOrganisation } from "./organisation-access.ts"
import { addedMail, invitationMail } from "./organisation-mails.ts"
import { assertCovers, knownRoles, noticeTo } from "./organisation-members.ts"
import { isAllowedAddress, type OrganisationPolicy } from "./organisation-policy.ts"
import { ownerRole } from "./organisation-roles.ts"
import {
  type Calling,
  maxMemberships,
  type Organisation,
  refuseChanged,
  toOrganisation,
} from "./organisations.ts"
import { personOf, selectMemberships, selectPerson } from "./person.ts"
import { assertRecent } from "./step-up.ts"

/*
 * Invitations: a token of 256 random bits goes to one address and is stored hashed. It admits one account, once, within
 * seven days, and only the account with that address: a link that is forwarded, or read in a log, admits nobody else. That
 * the token came back proves the address, so it counts as verified from then on.
 */

export interface Invitation {
  readonly id: string
  /** As whoever invited has typed it. */
  readonly email: string
  readonly roles: readonly string[]
  /** Id of the person. */
  readonly invitedBy: string
  readonly createdAt: string
  readonly expiresAt: string
}

const invitationDays = 7
const dayMilliseconds = 86_400_000

/** Mail to strangers, with a name that a stranger chose: an organisation sends so many in 24 hours, revoked ones counted. */
const maxDailyInvitations = 100

const prefix = "hiv_"

const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex")

/**
 * Invites an address, whether or not it has an account, which the answer does not tell. A new invitation takes the place of
 * an open one. The token leaves by mail alone.
 *
 * @throws {Problem} what `accessTo` throws; `forbidden` for roles above the caller's; `invalid_input` for unknown roles and
 * for addresses that the policy does not allow; `rate_limited` beyond 100 a day; `token_outdated`
 */
export function invite(
  app: App,
  calling: Calling,
  organisationId: string,
  draft: { email: string; roles: readonly string[] },
): Promise<Invitation> {
  const { actor, caller } = calling
  const roles = knownRoles(calling.roles, draft.roles)
  const token =
    prefix + Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")
  return untilSettled(async () => {
    const [session, rows, me] = await app.directory.batch([
      sessionProbe(actor),
      selectAccess(actor, organisationId),
      selectPerson(sql`id = ${actor.id}`),
    ])
    assertSignedIn(actor, session)
    const access = accessTo(rows, actor, calling.roles, "invitations.manage")
    const { organisation, authority } = access
    assertCovers(access, roles)
    if (roles.includes(ownerRole)) assertRecent(app, actor)
    assertAllowed(organisation.policy, draft.email)
    const now = app.now()
    const invitation: Invitation = {
      id: app.newId(),
      email: draft.email,
      roles,
      invitedBy: actor.id,
      createdAt: new Date(now).toISOString(),
      expiresAt: new Date(now + invitationDays * dayMilliseconds).toISOString(),
    }
    const email = normaliseEmail(draft.email)
    const mail = newMail(
      invitationMail,
      { email: draft.email },
      { organisation: organisation.name, url: linkTo(app, token), days: invitationDays },
      {
        cause: `organisation-invitation/${invitation.id}`,
        // Theirs is not known, and whether they have an account is not to be told.
        locale: me?.[0]?.locale as string | null,
        organisation: organisation.id,
      },
    )
    await app.directory.batch([
      refuse("outdated", sessionRefusal(actor)),
      refuseChanged(organisation),
      refuse(
        "too_many",
        sql`(SELECT count(*) FROM invitations WHERE organisation = ${organisation.id} AND createdAt > ${new Date(now - dayMilliseconds).toISOString()}) >= ${maxDailyInvitations}`,
      ),
      sql`UPDATE invitations SET revokedAt = ${invitation.createdAt} WHERE organisation = ${organisation.id} AND emailNormalised = ${email} AND acceptedAt IS NULL AND revokedAt IS NULL`,
      sql`INSERT INTO invitations (id, organisation, email, emailNormalised, roles, hash, invitedBy, createdAt, expiresAt)
VALUES (${invitation.id}, ${organisation.id}, ${draft.email}, ${email}, ${JSON.stringify(roles)}, ${hashOf(token)}, ${actor.id}, ${invitation.createdAt}, ${invitation.expiresAt})`,
      auditEvent(app, {
        kind: "invitation.created",
        user: null,
        actor,
        organisation: organisation.id,
        caller,
        detail: { authority, invitation: invitation.id, roles },
      }),
      ...insertMails(app, [mail]),
    ])
    app.on("directory").wake("jobs")
    return invitation
  })
}

/** To a page of the console, with the token in the fragment, which browsers keep to themselves: no log and no Referer shows it. */
function linkTo(app: App, token: string): string {
  if (app.settings.publicUrl !== null)
    return `${app.settings.publicUrl}/console/invitations#${token}`
  const cause = new Error("PUBLIC_URL: is needed for invitations, which lead there")
  throw new Problem("misconfigured", { cause })
}

/** @throws {Problem} `invalid_input` */
function assertAllowed(policy: OrganisationPolicy, email: string): void {
  if (isAllowedAddress(policy, email)) return
  const message = "The organisation does not allow addresses of this domain."
  throw invalidInput({ path: "email", code: "domain_not_allowed", message })
}

/** For the batch that closes an account, while its memberships stand: what was promised in its name is void. */
export const revokeInvitationsBy = (app: App, user: string): Sql =>
  sql`UPDATE invitations SET revokedAt = ${new Date(app.now()).toISOString()} WHERE organisation IN (SELECT organisation FROM organisation_members WHERE user = ${user}) AND invitedBy = ${user} AND acceptedAt IS NULL AND revokedAt IS NULL`

/** For the batch that deletes an account, while its memberships stand: the invitations that it came by forget its address. */
export const forgetInvitationsOf = (user: string, email: string): Sql =>
  sql`UPDATE invitations SET email = '', emailNormalised = 'deleted:' || id WHERE organisation IN (SELECT organisation FROM organisation_members WHERE user = ${user}) AND emailNormalised = ${normaliseEmail(email)}`

/** Those that can still be accepted, the oldest first. @throws {Problem} what `accessTo` throws; `token_outdated` */
export async function listInvitations(
  app: App,
  { actor, roles }: Calling,
  organisation: string,
  page: { limit: number; cursor: string | null },
): Promise<Page<Invitation>> {
  const [session, rows, found = []] = await app.directory.batch([
    sessionProbe(actor),
    selectAccess(actor, organisation),
    sql`SELECT id, email, roles, invitedBy, createdAt, expiresAt FROM invitations
WHERE organisation = ${organisation} AND id > ${page.cursor ?? ""} AND acceptedAt IS NULL AND revokedAt IS NULL AND expiresAt > ${new Date(app.now()).toISOString()}
ORDER BY id LIMIT CAST(${page.limit + 1} AS INTEGER)`,
  ])
  assertSignedIn(actor, session)
  accessTo(rows, actor, roles, "invitations.manage")
  const invitations = found.map((row) => ({
    ...(row as unknown as Invitation),
    roles: JSON.parse(row.roles as string) as string[],
  }))
  return pageOf(invitations, page.limit)
}

/**
 * Makes the link void. Once more is no error.
 *
 * @throws {Problem} what `accessTo` throws; `not_found`; `forbidden` for an invitation to a role above the caller's;
 * `conflict` for one that was accepted; `token_outdated`
 */
export function revokeInvitation(
  app: App,
  calling: Calling,
  organisation: string,
  id: string,
): Promise<void> {
  const { actor, caller, roles } = calling
  return untilSettled(async () => {
    const [session, rows, found] = await app.directory.batch([
      sessionProbe(actor),
      selectAccess(actor, organisation),
      sql`SELECT roles, acceptedAt, revokedAt FROM invitations WHERE id = ${id} AND organisation = ${organisation}`,
    ])
    assertSignedIn(actor, session)
    const access = accessTo(rows, actor, roles, "invitations.manage")
    const row = found?.[0]
    if (!row) throw new Problem("not_found")
    assertCovers(access, JSON.parse(row.roles as string) as string[])
    if (row.acceptedAt !== null) throw new Problem("conflict", "The invitation has been accepted.")
    if (row.revokedAt !== null) return
    await app.directory.batch([
      refuse("outdated", sessionRefusal(actor)),
      refuse(
        "stale",
        sql`NOT EXISTS (SELECT 1 FROM invitations WHERE id = ${id} AND acceptedAt IS NULL AND revokedAt IS NULL)`,
      ),
      sql`UPDATE invitations SET revokedAt = ${new Date(app.now()).toISOString()} WHERE id = ${id}`,
      auditEvent(app, {
        kind: "invitation.revoked",
        user: null,
        actor,
        organisation,
        caller,
        detail: { authority: access.authority, invitation: id },
      }),
    ])
  })
}

/**
 * The account with the invited address becomes a member. Its tokens are outdated by it.
 *
 * @throws {Problem} `code_invalid` for a token that is unknown, used, revoked or expired; `forbidden` for another account,
 * and for a domain that the policy no longer allows; `conflict` for members; `rate_limited` beyond 50 organisations;
 * `token_outdated`
 */
export function acceptInvitation(
  app: App,
  { actor, caller }: Calling,
  token: string,
): Promise<Organisation> {
  const hash = hashOf(token)
  return untilSettled(async () => {
    const now = new Date(app.now()).toISOString()
    const [session, found, organisations, me, memberships = []] = await app.directory.batch([
      sessionProbe(actor),
      sql`SELECT id, roles, emailNormalised FROM invitations WHERE hash = ${hash} AND acceptedAt IS NULL AND revokedAt IS NULL AND expiresAt > ${now}`,
      sql`SELECT o.id, o.name, o.database, o.policy, o.version, o.createdAt FROM organisations o JOIN invitations i ON i.organisation = o.id WHERE i.hash = ${hash}`,
      selectPerson(sql`id = ${actor.id}`),
      selectMemberships(sql`${actor.id}`),
    ])
    assertSignedIn(actor, session)
    const invitation = found?.[0]
    const row = organisations?.[0]
    if (!invitation || !row) throw new Problem("code_invalid")
    const person = personOf(me?.[0] ?? {}, memberships)
    const organisation = storedOrganisation(row)
    if (normaliseEmail(person.email) !== invitation.emailNormalised) {
      throw new Problem("forbidden", "The invitation is for another e-mail address.")
    }
    if (!isAllowedAddress(organisation.policy, person.email)) {
      throw new Problem("forbidden", "The organisation no longer allows addresses of this domain.")
    }
    if (person.memberships.some((one) => one.organisation === organisation.id)) {
      throw new Problem("conflict", "You are a member already.")
    }
    const roles = JSON.parse(invitation.roles as string) as string[]
    const { id, database, policy } = organisation
    const membership = { organisation: id, database, roles, policy }
    await commitMemberships(
      app,
      actor,
      [{ person, memberships: [...person.memberships, membership] }],
      [
        refuseChanged(organisation),
        refuse(
          "used",
          sql`NOT EXISTS (SELECT 1 FROM invitations WHERE hash = ${hash} AND acceptedAt IS NULL AND revokedAt IS NULL)`,
        ),
        refuse(
          "too_many",
          sql`(SELECT count(*) FROM organisation_members WHERE user = ${actor.id}) >= ${maxMemberships}`,
        ),
        sql`UPDATE invitations SET acceptedAt = ${now} WHERE hash = ${hash}`,
        sql`INSERT INTO organisation_members (organisation, user, roles, createdAt) VALUES (${id}, ${actor.id}, ${JSON.stringify(roles)}, ${now})`,
        sql`UPDATE users SET emailVerifiedAt = coalesce(emailVerifiedAt, ${now}) WHERE id = ${actor.id}`,
        auditEvent(app, {
          kind: "member.added",
          user: actor.id,
          actor,
          organisation: id,
          caller,
          detail: { invitation: invitation.id as string, roles },
        }),
        ...insertMails(app, noticeTo(app, person, addedMail, { organisation })),
      ],
    )
    app.on("directory").wake("jobs")
    return toOrganisation(organisation, roles)
  })
}
