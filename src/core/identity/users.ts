import { type Actor, type App, administratorRole, system } from "../../platform/app.ts"
import { Refusal, type Row, UniqueViolation } from "../../platform/database.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { assertSignedIn, refuse, sessionProbe, sessionRefusal } from "./directory-guard.ts"
import { normaliseEmail } from "./email.ts"
import { refuseReserved } from "./email-reservations.ts"
import { tellPerson } from "./mails.ts"
import {
  type Person,
  personOf,
  selectMemberships,
  selectPerson,
  toUser,
  type User,
} from "./person.ts"
import { type PersonUpdate, updatedPerson, updatePerson } from "./person-update.ts"
import { commitPerson } from "./projection.ts"
import { endImpersonationsOf } from "./session-revocations.ts"
import { assertOwnName } from "./step-up.ts"

export interface NewUser {
  email: string
  /** Null for whoever signs in another way. */
  passwordHash: string | null
  name: string | null
  /** Whether somebody who may be believed has said that the address is theirs. */
  emailVerified?: boolean
  /** Language of mails to them. */
  locale?: string | null
  caller?: Caller
  /** Of the deployment; none unless told. */
  roles?: readonly string[]
  /** First in the batch: what must hold. */
  guards?: readonly Sql[]
}

/**
 * The first administrator of a deployment; null, and nothing written, when there is one already. No wasm and no
 * request: command-line tools call it too.
 *
 * @throws {Problem} `conflict` when the address belongs to an account.
 */
export async function createFirstAdministrator(app: App, draft: NewUser): Promise<User | null> {
  try {
    const guard = refuse("taken", sql`EXISTS (${administrators})`)
    return await createUser(app, { ...draft, roles: [administratorRole], guards: [guard] })
  } catch (error) {
    if (error instanceof Refusal && error.outcome === "taken") return null
    throw error
  }
}

/** Ids of all administrators, by the partial index `users_administrators`. */
const administrators = sql`SELECT 1 FROM users WHERE instr(roles, '"administrator"') > 0 AND kind = 'person'`

/**
 * A new person. `also`: what stands in the same batch.
 *
 * @throws {Problem} `conflict` when the address, whatever its case, belongs to an account; {Refusal} what a guard says
 */
export async function createUser(
  app: App,
  draft: NewUser,
  also: (person: Person) => Sql[] = () => [],
): Promise<User> {
  const { caller = null, roles = [], guards = [] } = draft
  const at = new Date(app.now()).toISOString()
  const person: Person = {
    id: app.newId(),
    email: draft.email,
    name: draft.name,
    roles,
    epoch: 1,
    version: 1,
    createdAt: at,
    updatedAt: at,
    kind: "person",
    emailVerifiedAt: draft.emailVerified ? at : null,
    disabledAt: null,
    locale: draft.locale ?? null,
    secondFactors: [],
    memberships: [],
  }
  const insert = sql`INSERT INTO users (id, email, emailNormalised, name, passwordHash, roles, epoch, version, createdAt, updatedAt, emailVerifiedAt, locale)
VALUES (${person.id}, ${person.email}, ${normaliseEmail(person.email)}, ${person.name}, ${draft.passwordHash}, ${JSON.stringify(roles)}, 1, 1, ${at}, ${at}, ${person.emailVerifiedAt}, ${person.locale})`
  const event = auditEvent(app, {
    kind: "user.created",
    user: person.id,
    caller,
    detail: { roles },
  })
  try {
    const reserved = refuseReserved(app, person.id, person.email)
    const writes = [...guards, reserved, insert, event, ...also(person)]
    await commitPerson(app, system, writes, person)
  } catch (error) {
    const reserved = error instanceof Refusal && error.outcome === "taken_address"
    if (reserved || error instanceof UniqueViolation) {
      throw new Problem("conflict", "An account with this e-mail address exists.")
    }
    throw error
  }
  app.log("info", "user created", { user: person.id })
  return toUser(person)
}

/** @throws {Problem} `token_outdated` */
export async function getMe(app: App, actor: Actor): Promise<User> {
  const [session, found] = await app.directory.batch([
    sessionProbe(actor),
    selectPerson(sql`id = ${actor.kind === "user" ? actor.id : null}`),
  ])
  assertSignedIn(actor, session)
  return toUser(personOf(found?.[0] as Row, []))
}

/** @throws {Problem} `forbidden` for impersonators; `token_outdated` */
export async function renameMe(app: App, actor: Actor, name: string | null): Promise<User> {
  assertOwnName(actor)
  const id = actor.kind === "user" ? actor.id : ""
  return toUser(
    await changePerson(app, actor, id, (person) => (name === person.name ? null : { name })),
  )
}

/**
 * Gives and takes roles: exactly `roles` afterwards. Tokens with the former roles are outdated at once.
 *
 * @throws {Problem} `not_found`; `conflict` when it would leave the deployment without an administrator; `token_outdated`
 */
export const setRoles = async (
  app: App,
  userId: string,
  roles: readonly string[],
  actor: Actor = system,
): Promise<User> =>
  toUser(await changePerson(app, actor, userId, (person) => roleChange(app, actor, person, roles)))

/** What it takes to give a person exactly these roles; null when they have them. */
export function roleChange(
  app: App,
  actor: Actor,
  person: Person,
  roles: readonly string[],
): PersonChange | null {
  const wanted = [...new Set(roles)].sort()
  if (person.kind === "anonymous" && wanted.length > 0) {
    throw new Problem("conflict", "Roles are for accounts, and this person has none yet.")
  }
  if (JSON.stringify(wanted) === JSON.stringify(person.roles)) return null
  const { id: user } = person
  const detail = { before: person.roles, roles: wanted }
  return {
    roles: wanted,
    guards: wanted.includes(administratorRole) ? [] : keepAdministrator(person),
    writes: [
      auditEvent(app, { kind: "roles.changed", user, actor, detail }),
      ...(wanted.includes(administratorRole) ? [endImpersonationsOf(app, user)] : []),
      ...(person.kind === "person"
        ? insertMails(app, [tellPerson(app, person, "rolesChanged")])
        : []),
    ],
  }
}

/** Whoever is the last administrator stays it. */
export const keepAdministrator = (person: Person): Sql[] =>
  person.roles.includes(administratorRole)
    ? [
        refuse(
          "last_administrator",
          sql`NOT EXISTS (${administrators} AND id <> ${person.id} AND disabledAt IS NULL)`,
        ),
      ]
    : []

export interface PersonChange extends PersonUpdate {
  readonly guards?: readonly Sql[]
  /** In the same batch, after the person is written. */
  readonly writes?: readonly Sql[]
  /** Where the projection is brought up; in the databases of their memberships, unless told. */
  readonly databases?: Iterable<string>
}

/** Another writer between reading and writing is rare; that it comes again and again means something else is wrong. */
const maxTries = 5

/**
 * Reads the person, asks `change` what to write (null: nothing), writes unless someone else was faster: then once more.
 *
 * @throws {Problem} `not_found`; `conflict` for the last administrator or owner; `token_outdated`; whatever `change` throws
 */
export async function changePerson(
  app: App,
  actor: Actor,
  id: string,
  change: (person: Person) => PersonChange | null,
): Promise<Person> {
  for (let attempt = 1; ; attempt++) {
    const person = await getPerson(app, actor, id)
    const wanted = change(person)
    if (!wanted) return person
    try {
      return await writePerson(app, actor, person, wanted)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (error.outcome === "outdated") throw new Problem("token_outdated")
      if (error.outcome === "last_administrator") {
        throw new Problem("conflict", "A deployment needs an administrator; this is the last one.")
      }
      if (error.outcome === "last_owner") {
        throw new Problem("conflict", "An organisation needs an owner, and this is the last one.")
      }
      if (error.outcome !== "stale" || attempt === maxTries) throw error
    }
  }
}

/** @throws {Problem} `not_found`, `token_outdated` */
export async function getPerson(app: App, actor: Actor, id: string): Promise<Person> {
  const [session, found, memberships] = await app.directory.batch([
    sessionProbe(actor),
    selectPerson(sql`id = ${id}`),
    selectMemberships(sql`${id}`),
  ])
  assertSignedIn(actor, session)
  const row = found?.[0]
  if (!row) throw new Problem("not_found")
  return personOf(row, memberships ?? [])
}

async function writePerson(
  app: App,
  actor: Actor,
  before: Person,
  { guards = [], writes = [], databases, ...update }: PersonChange,
): Promise<Person> {
  const person = updatedPerson(app, before, update)
  const statements = [
    refuse("outdated", sessionRefusal(actor)),
    ...guards,
    ...updatePerson(before, person, update),
    ...writes,
  ]
  await commitPerson(app, actor, statements, person, databases)
  return person
}

/**
 * People in the order of their ids, which is the order in which they came: of one kind, or all but the anonymous, who may be
 * a multitude. By an index either way.
 *
 * @throws {Problem} `token_outdated`
 */
export async function listUsers(
  app: App,
  actor: Actor,
  page: { limit: number; cursor: string | null; kind?: Person["kind"] | undefined },
): Promise<Page<Person>> {
  const [session, rows = []] = await app.directory.batch([
    sessionProbe(actor),
    sql`${selectPerson(sql`${ofKind(page.kind)} AND id > ${page.cursor ?? ""}`)} ORDER BY id LIMIT CAST(${page.limit + 1} AS INTEGER)`,
  ])
  assertSignedIn(actor, session)
  return pageOf(
    rows.map((row) => personOf(row, [])),
    page.limit,
  )
}

/** Written as the partial indexes have it. */
export const ofKind = (kind: Person["kind"] | undefined): Sql =>
  kind === undefined ? raw("kind <> 'anonymous'") : raw(`kind = '${kind}'`)
