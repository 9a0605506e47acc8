import { type App, administratorRole, system, type UserActor } from "../../platform/app.ts"
import { Refusal } from "../../platform/database.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import type { Locale } from "../mail/locale.ts"
import { newMail } from "../mail/new-mail.ts"
import { accountLink } from "./account-links.ts"
import { newAccountToken, tokenHash } from "./account-tokens.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { assertSignedIn, refuse, sessionProbe, sessionRefusal } from "./directory-guard.ts"
import { normaliseEmail } from "./email.ts"
import { userInvitation, wakeMail } from "./mails.ts"
import { passwordRenewal } from "./password-resets.ts"
import { type Person, personOf, selectPerson } from "./person.ts"
import { endActing } from "./session-revocations.ts"
import { assertRecent } from "./step-up.ts"
import { changePerson, createUser, roleChange } from "./users.ts"

/*
 * Invitations to the deployment: a token goes to one address, is stored hashed, and is good once, within seven days, while
 * whoever invited administers the deployment. Nobody has an account or a role before they accept. That the token came back
 * proves the address, so accepting is also what a password reset is: whoever took the address before is out.
 */

export interface UserInvitation {
  readonly id: string
  /** As whoever invited has typed it. */
  readonly email: string
  /** Of the deployment. */
  readonly roles: readonly string[]
  /** Id of the administrator. */
  readonly invitedBy: string
  readonly createdAt: string
  readonly expiresAt: string
}

const invitationDays = 7
const dayMilliseconds = 86_400_000

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString()

/**
 * Invites an address, whether or not it has an account. A new invitation takes the place of an open one. Two trips.
 *
 * @throws {Problem} `step_up_required`; `forbidden` for impersonators and keys; `token_outdated`
 */
export async function inviteUser(
  app: App,
  actor: UserActor,
  draft: { email: string; roles: readonly string[] },
): Promise<UserInvitation> {
  assertRecent(app, actor)
  const { text, hash } = newAccountToken()
  const now = app.now()
  const roles = [...new Set(draft.roles)].sort()
  const invitation: UserInvitation = {
    id: app.newId(),
    email: draft.email,
    roles,
    invitedBy: actor.id,
    createdAt: iso(now),
    expiresAt: iso(now + invitationDays * dayMilliseconds),
  }
  const { id, email, createdAt, expiresAt } = invitation
  const [session, me] = await app.directory.batch([
    sessionProbe(actor),
    selectPerson(sql`id = ${actor.id}`),
  ])
  assertSignedIn(actor, session)
  const mail = newMail(
    userInvitation,
    { email },
    { url: accountLink(app.settings, "invitations", text) },
    // Their language is not known, and whether they have an account is not asked.
    { cause: `user-invitation/${id}`, locale: me?.[0]?.locale as string | null },
  )
  await orOutdated(() =>
    app.directory.batch([
      refuse("outdated", sessionRefusal(actor)),
      sql`DELETE FROM user_invitations WHERE emailNormalised = ${normaliseEmail(email)} OR id IN (SELECT id FROM user_invitations WHERE expiresAt <= ${createdAt} LIMIT 20)`,
      sql`INSERT INTO user_invitations (id, email, emailNormalised, roles, hash, invitedBy, createdAt, expiresAt)
VALUES (${id}, ${email}, ${normaliseEmail(email)}, ${JSON.stringify(roles)}, ${hash}, ${actor.id}, ${createdAt}, ${expiresAt})`,
      auditEvent(app, {
        kind: "invitation.created",
        user: null,
        actor,
        detail: { invitation: id, roles },
      }),
      ...insertMails(app, [mail]),
    ]),
  )
  wakeMail(app)
  return invitation
}

/** Those that can still be accepted, the oldest first. One trip. @throws {Problem} `token_outdated` */
export async function listUserInvitations(
  app: App,
  actor: UserActor,
  page: { limit: number; cursor: string | null },
): Promise<Page<UserInvitation>> {
  const [session, rows = []] = await app.directory.batch([
    sessionProbe(actor),
    sql`SELECT id, email, roles, invitedBy, createdAt, expiresAt FROM user_invitations WHERE id > ${page.cursor ?? ""} AND expiresAt > ${iso(app.now())} ORDER BY id LIMIT CAST(${page.limit + 1} AS INTEGER)`,
  ])
  assertSignedIn(actor, session)
  const invitations = rows.map((row) => ({
    ...(row as unknown as UserInvitation),
    roles: JSON.parse(row.roles as string) as string[],
  }))
  return pageOf(invitations, page.limit)
}

/** Makes the link void. One trip. @throws {Problem} `not_found`, also for one that was accepted; `token_outdated` */
export async function revokeUserInvitation(app: App, actor: UserActor, id: string): Promise<void> {
  const rows = await orOutdated(() =>
    app.directory.batch([
      refuse("outdated", sessionRefusal(actor)),
      auditEvent(
        app,
        { kind: "invitation.revoked", user: null, actor, detail: { invitation: id } },
        sql`EXISTS (SELECT 1 FROM user_invitations WHERE id = ${id})`,
      ),
      sql`DELETE FROM user_invitations WHERE id = ${id} RETURNING id`,
    ]),
  )
  if (!rows.at(-1)?.length) throw new Problem("not_found")
}

async function orOutdated<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Refusal) throw new Problem("token_outdated", { cause: error })
    throw error
  }
}

interface Acceptance {
  /** Makes the PHC string: called only for a token that is good, because it is slow. */
  readonly passwordHash: () => string
  readonly locale: Locale | null
  readonly caller: Caller
}

/**
 * Gives the account with the invited address the roles and the password; it is made if there is none. Two trips, or three.
 *
 * @throws {Problem} `code_invalid` for a token that is unknown, used, taken back or expired, or whose sender administers
 * nothing any more; `account_disabled`; `conflict` when the address got an account at the same moment
 */
export async function acceptUserInvitation(
  app: App,
  token: string,
  { passwordHash, locale, caller }: Acceptance,
): Promise<void> {
  const hash = tokenHash(token)
  const [invitations, people] = await app.directory.batch([
    selectOpen(app, hash),
    selectPerson(
      sql`emailNormalised = (SELECT emailNormalised FROM user_invitations WHERE hash = ${hash})`,
    ),
  ])
  const row = invitations?.[0]
  if (!row) throw new Problem("code_invalid")
  const roles = JSON.parse(row.roles as string) as string[]
  const person = people?.[0] && personOf(people[0], [])
  if (person && person.disabledAt !== null) throw new Problem("account_disabled")
  const phc = passwordHash()
  const accepted = (user: string): Sql =>
    auditEvent(app, {
      kind: "invitation.accepted",
      user,
      caller,
      detail: { invitation: row.id as string, invitedBy: row.invitedBy as string, roles },
    })
  try {
    if (person) {
      const after = await changePerson(app, system, person.id, (before) => {
        if (before.disabledAt !== null) throw new Problem("account_disabled")
        // They may have changed it since it was read, and the link says nothing of another.
        if (normaliseEmail(before.email) !== normaliseEmail(row.email as string)) {
          throw new Problem("code_invalid")
        }
        const renewal = passwordRenewal(app, before, phc, caller)
        const given = roleChange(app, system, before, [...before.roles, ...roles])
        return {
          ...renewal,
          ...given,
          guards: spend(app, hash),
          writes: [...renewal.writes, ...(given?.writes ?? []), accepted(before.id)],
        }
      })
      await endActing(app, after)
    } else {
      const draft = { email: row.email as string, passwordHash: phc, name: null, locale, caller }
      await createUser(
        app,
        { ...draft, emailVerified: true, roles, guards: spend(app, hash) },
        ({ id }) => [accepted(id)],
      )
    }
  } catch (error) {
    if (error instanceof Refusal && error.outcome === "code_invalid") {
      throw new Problem("code_invalid")
    }
    throw error
  }
  wakeMail(app)
}

/** The invitation with that token, while it is good: what somebody promised who administers nothing any more is void. */
const selectOpen = (app: App, hash: string): Sql =>
  sql`SELECT i.id, i.email, i.roles, i.invitedBy FROM user_invitations i JOIN users u ON u.id = i.invitedBy AND u.disabledAt IS NULL AND EXISTS (SELECT 1 FROM json_each(u.roles) WHERE value = ${administratorRole}) WHERE i.hash = ${hash} AND i.expiresAt > ${iso(app.now())}`

/** Of two at once, the second finds nothing. */
const spend = (app: App, hash: string): Sql[] => [
  refuse("code_invalid", sql`NOT EXISTS (${selectOpen(app, hash)})`),
  sql`DELETE FROM user_invitations WHERE hash = ${hash}`,
]

/** For the batch that deletes an account: the deployment forgets its address here, too. */
export const forgetUserInvitation = ({ email }: Pick<Person, "email">): Sql =>
  sql`DELETE FROM user_invitations WHERE emailNormalised = ${normaliseEmail(email)}`
