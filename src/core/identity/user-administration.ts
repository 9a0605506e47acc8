import { type Actor, type App, administratorRole, type UserActor } from "../../platform/app.ts"
import { Refusal } from "../../platform/database.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { type TokenPurpose, tokenSeconds, voidTokens } from "./account-tokens.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { assertSignedIn, refuse, sessionProbe, sessionRefusal } from "./directory-guard.ts"
import { normaliseEmail } from "./email.ts"
import { revokeInvitationsBy } from "./invitations.ts"
import { tellPerson, wakeMail } from "./mails.ts"
import { sendRenewal } from "./password-resets.ts"
import { type Person, personOf, selectPerson, toUser, type User } from "./person.ts"
import { endSessionsOf } from "./person-update.ts"
import { endImpersonationsBy, outlawImpersonationsBy } from "./session-revocations.ts"
import { openSession, type Session, selectSessions, sessionOf, type Tokens } from "./sessions.ts"
import { assertRecent } from "./step-up.ts"
import {
  changePerson,
  getPerson,
  keepAdministrator,
  listUsers,
  ofKind,
  roleChange,
} from "./users.ts"

/** A person, as administrators see them. */
export interface Account extends User {
  readonly kind: Person["kind"]
  readonly updatedAt: string
  readonly disabledAt: string | null
}

const toAccount = (person: Person): Account => ({
  ...toUser(person),
  kind: person.kind,
  updatedAt: person.updatedAt,
  disabledAt: person.disabledAt,
})

/** @throws {Problem} `not_found`, `token_outdated` */
export const getAccount = async (app: App, actor: Actor, id: string): Promise<Account> =>
  toAccount(await getPerson(app, actor, id))

interface AskedAccounts {
  readonly limit: number
  readonly cursor: string | null
  readonly search?: string | undefined
  readonly kind?: Person["kind"] | undefined
}

/** People of that kind, or all with an account, in the order in which they came; with `search`, those who match. @throws {Problem} `token_outdated` */
export const listAccounts = async (
  app: App,
  actor: Actor,
  { search, ...page }: AskedAccounts,
): Promise<Page<Account>> => {
  if (search !== undefined) return searchAccounts(app, actor, search, page)
  const found = await listUsers(app, actor, page)
  return { ...found, items: found.items.map(toAccount) }
}

/**
 * Whose address or name begins with the text, in any case: the first `limit`, addresses before names. No further pages,
 * which would have to read all matches to put them in order: whoever searches types another letter. Reads twice `limit`
 * at most, whatever there is.
 */
async function searchAccounts(
  app: App,
  actor: Actor,
  search: string,
  { limit, kind }: AskedAccounts,
): Promise<Page<Account>> {
  const from = normaliseEmail(search)
  // The last code point there is: everything that begins with the text sorts before it.
  const to = `${from}\u{10ffff}`
  const name = search.trim()
  const most = sql`CAST(${limit} AS INTEGER)`
  const matches = sql`SELECT id, 0 AS place, emailNormalised AS key FROM (SELECT id, emailNormalised FROM users WHERE ${ofKind(kind)} AND emailNormalised >= ${from} AND emailNormalised < ${to} ORDER BY emailNormalised LIMIT ${most})
UNION ALL SELECT id, 1, name FROM (SELECT id, name FROM users WHERE ${ofKind(kind)} AND name COLLATE NOCASE >= ${name} AND name COLLATE NOCASE < ${`${name}\u{10ffff}`} ORDER BY name COLLATE NOCASE LIMIT ${most})`
  const [session, rows = []] = await app.directory.batch([
    sessionProbe(actor),
    sql`WITH matches AS (${matches}), people AS (${selectPerson(sql`id IN (SELECT id FROM matches)`)})
SELECT people.* FROM people JOIN (SELECT id, min(place) AS place, min(key) AS key FROM matches GROUP BY id) AS found ON found.id = people.id ORDER BY found.place, found.key, people.id LIMIT ${most}`,
  ])
  assertSignedIn(actor, session)
  return { items: rows.map((row) => toAccount(personOf(row, []))), next: null }
}

interface AccountChange {
  readonly name?: string | null | undefined
  readonly roles?: readonly string[] | undefined
  readonly disabled?: boolean | undefined
}

/**
 * Names, roles, and whether they may sign in at all. Whoever is disabled is out with their very next request.
 *
 * @throws {Problem} `not_found`; `conflict` when it would leave the deployment without an administrator; `token_outdated`
 */
export async function changeAccount(
  app: App,
  actor: UserActor,
  id: string,
  { name, roles, disabled }: AccountChange,
): Promise<Account> {
  if (roles !== undefined || disabled !== undefined) assertRecent(app, actor)
  const person = await changePerson(app, actor, id, (before) => {
    const changes = [
      name === undefined || name === before.name ? null : { name },
      roles === undefined ? null : roleChange(app, actor, before, roles),
      disabled === undefined || disabled === (before.disabledAt !== null)
        ? null
        : disabled
          ? disabling(app, actor, before)
          : enabling(app, actor, before),
    ].filter((one) => one !== null)
    if (changes.length === 0) return null
    const steps = disabled === true || roles?.includes(administratorRole) === false
    return {
      ...Object.assign({}, ...changes),
      guards: changes.flatMap(({ guards = [] }: Statements) => guards),
      writes: [
        ...changes.flatMap(({ writes = [] }: Statements) => writes),
        ...(steps ? endImpersonationsBy(app, id) : []),
      ],
    }
  })
  if (disabled === true || roles !== undefined) {
    await outlawImpersonationsBy(app, id)
    wakeMail(app)
  }
  return toAccount(person)
}

interface Statements {
  readonly guards?: readonly Sql[]
  readonly writes?: readonly Sql[]
}

/**
 * Memberships stay, for it can be undone; also those of a last owner: whoever made an organisation could otherwise not be
 * disabled. Administrators give such an organisation another owner (`transferOwnership`).
 */
const disabling = (app: App, actor: UserActor, person: Person) => ({
  disabledAt: new Date(app.now()).toISOString(),
  guards: keepAdministrator(person),
  writes: [
    endSessionsOf(app, person.id),
    voidTokens(person.id, allPurposes),
    revokeInvitationsBy(app, person.id),
    auditEvent(app, { kind: "user.disabled", user: person.id, actor }),
    ...(person.kind === "person"
      ? insertMails(app, [tellPerson(app, person, "accountDisabled")])
      : []),
  ],
})

export const allPurposes = (Object.keys(tokenSeconds) as TokenPurpose[]).filter(
  // The way back of whose address a thief has changed: an administrator who reacts must not close it.
  (purpose) => purpose !== "email_undo" && purpose !== "email_reservation",
)

const enabling = (app: App, actor: UserActor, person: Person) => ({
  disabledAt: null,
  writes: [auditEvent(app, { kind: "user.enabled", user: person.id, actor })],
})

/**
 * Voids a person's password, ends their sessions, and mails them a link to choose another.
 *
 * @throws {Problem} `not_found`, `token_outdated`; `conflict` for programs and disabled people
 */
export async function forcePasswordReset(app: App, actor: UserActor, id: string): Promise<void> {
  await changePerson(app, actor, id, (person) => {
    if (person.kind !== "person" || person.disabledAt !== null) {
      throw new Problem("conflict", "This account has no password to choose.")
    }
    return {
      passwordHash: null,
      writes: [
        endSessionsOf(app, id),
        voidTokens(id, allPurposes),
        ...sendRenewal(app, person),
        auditEvent(app, { kind: "password.voided", user: id, actor }),
      ],
    }
  })
  await outlawImpersonationsBy(app, id)
  wakeMail(app)
}

/** The sessions of anybody, the newest first. One trip. @throws {Problem} `not_found`, `token_outdated` */
export async function listSessionsOf(
  app: App,
  actor: UserActor,
  id: string,
  page: { limit: number; cursor: string | null },
): Promise<Page<Session>> {
  const [session, found = [], rows = []] = await app.directory.batch([
    sessionProbe(actor),
    selectPerson(sql`id = ${id}`),
    selectSessions(app, id, page),
  ])
  assertSignedIn(actor, session)
  if (found.length === 0) throw new Problem("not_found")
  return pageOf(
    rows.map((row) => sessionOf(row, actor)),
    page.limit,
  )
}

/** Signs a person out everywhere, at once. @throws {Problem} `not_found`, `token_outdated` */
export async function endAllSessionsOf(app: App, actor: UserActor, id: string): Promise<void> {
  await changePerson(app, actor, id, () => ({
    outdates: true,
    writes: [
      endSessionsOf(app, id),
      auditEvent(app, { kind: "session.allEnded", user: id, actor }),
    ],
  }))
  await outlawImpersonationsBy(app, id)
}

/**
 * A session in a person's name, which they see, are told of, and can end. Two trips.
 *
 * @throws {Problem} `step_up_required`; `not_found`; `forbidden` for administrators, who could otherwise do things in each
 * other's names, and for accounts of programs; `account_disabled`; `token_outdated`
 */
export async function impersonate(
  app: App,
  actor: UserActor,
  id: string,
  reason: string,
  caller: Caller,
): Promise<Tokens & { user: User }> {
  assertRecent(app, actor)
  const person = await getPerson(app, actor, id)
  if (person.roles.includes(administratorRole) || person.kind !== "person") {
    throw new Problem("forbidden", "Nobody acts in the name of administrators and programs.")
  }
  try {
    const session = await openSession(app, {
      person,
      methods: [],
      caller,
      impersonator: actor.id,
      writes: [
        refuse("outdated", sessionRefusal(actor)),
        auditEvent(app, { kind: "impersonation.started", user: id, actor, detail: { reason } }),
        ...insertMails(app, [tellPerson(app, person, "impersonated", { detail: reason })]),
      ],
    })
    wakeMail(app)
    return session
  } catch (error) {
    if (error instanceof Refusal) throw new Problem("token_outdated", { cause: error })
    throw error
  }
}
