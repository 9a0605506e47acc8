import type Argon2 from "@phi-ag/argon2"
import { type App, administratorRole, system, type UserActor } from "../../platform/app.ts"
import { Refusal, type Row } from "../../platform/database.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { accessTokenSeconds, signAccessToken } from "./access-tokens.ts"
import { assertUnlocked, attemptKeys, exceeds, forgiveAttempt, reserveAttempt } from "./attempts.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { freeGuesses, signInCaptcha } from "./captcha.ts"
import { refreshSeconds } from "./cookies.ts"
import { assertSignedIn, refuse, sessionProbe } from "./directory-guard.ts"
import { normaliseEmail } from "./email.ts"
import { wakeMail } from "./mails.ts"
import { tellOfNewDevice } from "./new-device.ts"
import { secondFactorRequired } from "./organisation-access.ts"
import { admits, sessionEnd } from "./organisation-policy.ts"
import { hashPassword, isOutdatedHash, verifyPassword } from "./passwords.ts"
import {
  type Membership,
  type Person,
  personOf,
  selectMemberships,
  selectPerson,
  toUser,
  type User,
} from "./person.ts"
import { commitPerson } from "./projection.ts"
import {
  firstRefreshToken,
  parseRefreshToken,
  type RefreshToken,
  refreshHash,
  successorOf,
} from "./refresh-tokens.ts"
import { assertSecondFactor } from "./second-factor.ts"
import { outlaw, tellOfTheft } from "./session-revocations.ts"
import { assertOwnName } from "./step-up.ts"

export interface Tokens {
  readonly accessToken: string
  /** Seconds until the access token expires. */
  readonly expiresIn: number
  readonly refreshToken: string
}

/** For so long the immediate predecessor of a refresh token may come again: two tabs of one browser. */
const replaySeconds = 30

/**
 * A new session for whoever knows the password. One hash and two trips (a third only for an organisation whose records
 * lie in another database): the first counts the attempt and reads the hash, the second writes the session. An address
 * without an account takes the same steps and gets the same answer in the same time.
 *
 * @throws {Problem} `invalid_credentials`; as `completeSignIn`; `locked` or `rate_limited` with
 * `Retry-After`, `captcha_required` and as `signInCaptcha`, before the password is looked at
 */
export async function signIn(
  app: App,
  argon2: Argon2,
  credentials: { email: string; password: string },
  caller: Caller,
  captchaAnswer: string | null = null,
): Promise<Tokens & { user: User }> {
  const { settings } = app
  const unproved = await signInCaptcha(app, captchaAnswer, caller)
  const now = app.now()
  const email = normaliseEmail(credentials.email)
  const keys = attemptKeys(settings.secret, email, caller.address)
  const rows = await app.directory.batch([
    // Whoever has not shown that they are no program is counted no further than to where it is asked for.
    ...reserveAttempt(unproved ? { ...keys, limits: freeGuesses } : keys, now),
    selectPerson(sql`emailNormalised = ${email}`),
    sql`SELECT passwordHash FROM users WHERE emailNormalised = ${email}`,
    selectMemberships(sql`(SELECT id FROM users WHERE emailNormalised = ${email})`),
  ])
  const [counts, found, hashes, memberships] = rows.slice(-4) as [Row[], Row[], Row[], Row[]]
  assertUnlocked(counts, keys, now)
  if (unproved && exceeds(counts, keys, freeGuesses)) throw unproved
  const stored = (hashes[0]?.passwordHash ?? null) as string | null
  if (!verifyPassword(argon2, stored, credentials.password, settings.passwordPeppers)) {
    app.count("signIns", { outcome: "failed" })
    throw new Problem("invalid_credentials")
  }

  const person = personOf(found[0] as Row, memberships)
  if (settings.requireVerifiedEmail && person.emailVerifiedAt === null) {
    throw new Problem("email_unverified")
  }
  const renewal = renewedHash(app, argon2, person, stored as string, credentials.password)
  // Whoever is asked for a second factor has no second trip here, and at the next one the password is not known.
  if (person.secondFactors.length > 0 && renewal.length > 0) await app.directory.batch(renewal)
  return completeSignIn(app, {
    person,
    methods: ["pwd"],
    caller,
    writes: [...forgiveAttempt(keys), ...renewal],
  })
}

/**
 * A hash of today in place of one that was made at another cost or with another pepper, now that the password is known:
 * one more hash, once. A password that was changed in the meantime stays.
 */
function renewedHash(
  app: App,
  argon2: Argon2,
  person: Person,
  stored: string,
  password: string,
): Sql[] {
  const { passwordPeppers } = app.settings
  if (!isOutdatedHash(stored, passwordPeppers)) return []
  const renewed = hashPassword(argon2, password, passwordPeppers)
  return [
    sql`UPDATE users SET passwordHash = ${renewed} WHERE id = ${person.id} AND passwordHash = ${stored}`,
  ]
}

export interface SignIn {
  /** As the trip before has read them. */
  readonly person: Person
  /** How they proved who they are (RFC 8176). */
  readonly methods: readonly string[]
  readonly caller: Caller
  /** The organisation to act in; the first that the person joined, unless told. */
  readonly organisation?: string | null
  /** In the same batch, first of all: the person, where they come with their session. */
  readonly arrival?: readonly Sql[]
  /** In the same batch, before the session is written: a code that is used up, an attempt that is forgiven. */
  readonly writes?: readonly Sql[]
  readonly impersonator?: string | null
}

/** Acting in another's name ends after an hour: what its last refresh gives outlives it by one access token. */
const impersonationSeconds = 3_600 - accessTokenSeconds

/**
 * What every first factor ends with: a session, or, where the person has a second factor, a challenge to show it.
 *
 * @throws {Problem} `second_factor_required` with `challenge` and `methods`; as `openSession`
 */
export async function completeSignIn(app: App, signIn: SignIn): Promise<Tokens & { user: User }> {
  assertSecondFactor(app, signIn)
  return openSession(app, signIn)
}

/**
 * Writes the session of a person who has proved who they are, whichever way: the second trip of every sign-in. The audit
 * log has it in the same batch.
 *
 * @throws {Problem} `account_disabled`; `token_outdated` when the person changed since they were read;
 * `second_factor_required` where the organisation that was asked for demands one
 */
export async function openSession(
  app: App,
  { person, methods, caller, organisation, arrival = [], writes = [], impersonator = null }: SignIn,
): Promise<Tokens & { user: User }> {
  if (person.disabledAt !== null) throw new Problem("account_disabled")
  const now = app.now()
  // Which organisation a session speaks for can be chosen later; until then it is the first that the person joined.
  const chosen =
    (organisation === undefined
      ? person.memberships[0]
      : person.memberships.find((one) => one.organisation === organisation)) ?? null
  const admitted = chosen !== null && admits(chosen.policy, methods)
  if (chosen && !admitted && organisation !== undefined) throw secondFactorRequired()
  // Who did not ask for the organisation signs in all the same, outside of it.
  const membership = admitted ? chosen : null
  const seconds = impersonator === null ? refreshSeconds : impersonationSeconds
  const session = app.newId()
  const refreshToken = firstRefreshToken(app.settings.secret, session)
  const told = impersonator === null && person.kind === "person"
  const notice = told ? tellOfNewDevice(app, person, caller) : []
  const rows = await commitSession(app, person, membership, [
    ...arrival,
    refuse(
      "outdated",
      sql`NOT EXISTS (SELECT 1 FROM users WHERE id = ${person.id} AND epoch = ${person.epoch})`,
    ),
    ...notice,
    ...writes,
    sql`DELETE FROM sessions WHERE user = ${person.id} AND expiresAt <= ${iso(now)}`,
    sql`INSERT INTO sessions (id, user, organisation, refreshHash, userAgent, createdAt, lastUsedAt, expiresAt, methods, authenticatedAt, impersonator)
VALUES (${session}, ${person.id}, ${membership?.organisation ?? null}, ${refreshHash(refreshToken)}, ${caller.userAgent?.slice(0, 200) ?? null}, ${iso(now)}, ${iso(now)}, ${iso(sessionEnd(membership?.policy ?? null, now, now + seconds * 1000))}, ${JSON.stringify(methods)}, ${iso(now)}, ${impersonator})`,
    auditEvent(app, {
      kind: "session.created",
      user: person.id,
      session,
      organisation: membership?.organisation ?? null,
      caller,
      detail: { methods, impersonator },
    }),
  ])
  // The last statement of the notice tells whether there is one.
  if (rows[arrival.length + notice.length]?.length) wakeMail(app)
  app.log("info", "signed in", { user: person.id, session })
  app.count("signIns", {
    outcome: "succeeded",
    organisation: membership?.organisation ?? null,
  })
  const proof = { methods, authenticatedAt: now, impersonator }
  const tokens = await tokensOf(app, person, membership, session, refreshToken, proof)
  return { user: toUser(person), ...tokens }
}

async function commitSession(
  app: App,
  person: Person,
  membership: Membership | null,
  writes: Sql[],
): Promise<Row[][]> {
  try {
    return await commitPerson(app, system, writes, person, [databaseOf(membership)])
  } catch (error) {
    // Roles or password changed while the password was being checked: what was checked no longer holds.
    if (error instanceof Refusal && error.outcome === "outdated")
      throw new Problem("token_outdated")
    throw error
  }
}

/**
 * The next pair of tokens. The refresh token is used up; for 30 s its immediate predecessor is answered with the same
 * successor. Any other token of the family that comes again was stolen, or its successor was: the family ends.
 *
 * @throws {Problem} `token_invalid`: sign in again.
 */
export async function refresh(app: App, presentedText: string): Promise<Tokens> {
  const { secret } = app.settings
  const presented = parseRefreshToken(secret, presentedText)
  if (!presented) throw new Problem("token_invalid")
  const { session } = presented
  const successor = successorOf(secret, presented)
  const now = app.now()
  const user = sql`(SELECT user FROM sessions WHERE id = ${session})`
  const rows = await app.directory.batch([
    ...rotation(presented, successor, now),
    auditEvent(
      app,
      { kind: "session.stolen", user: user, session },
      // Of the statement before.
      raw("changes() > 0"),
    ),
    sql`SELECT s.organisation, s.expiresAt, s.revokedAt, s.methods, s.authenticatedAt, s.impersonator, o.database FROM sessions s LEFT JOIN organisations o ON o.id = s.organisation WHERE s.id = ${session}`,
    selectPerson(sql`id = ${user}`),
    selectMemberships(user),
  ])
  const [, ended = [], , sessions = [], found = [], memberships = []] = rows
  const row = sessions[0]
  const lived = new Set(memberships.map(({ database }) => database as string))
  if (row?.database) lived.add(row.database as string)
  if (ended.length > 0) {
    app.log("warn", "refresh token reused, session ended", { session })
    await tellOfTheft(app, personOf(found[0] as Row, []))
  }
  if (!row || row.revokedAt !== null || (row.expiresAt as string) <= iso(now)) {
    // Also for a family that ended a while ago: the trip that should have told its database may have failed.
    if (
      row &&
      row.revokedAt !== null &&
      (row.revokedAt as string) > iso(now - accessTokenSeconds * 1000)
    ) {
      await outlaw(app, session, lived)
    }
    throw new Problem("token_invalid")
  }
  const person = personOf(found[0] as Row, memberships)
  if (person.disabledAt !== null) throw new Problem("token_invalid")
  const methods = JSON.parse(row.methods as string) as string[]
  // The session keeps its organisation while that asks for a second factor; its tokens do not.
  const membership =
    person.memberships.find(
      ({ organisation, policy }) => organisation === row.organisation && admits(policy, methods),
    ) ?? null
  await commitPerson(app, system, [], person, [databaseOf(membership)])
  return tokensOf(app, person, membership, session, successor, {
    methods,
    authenticatedAt: Date.parse(row.authenticatedAt as string),
    impersonator: row.impersonator as string | null,
  })
}

/**
 * Puts the successor in the place of the token that is presented, when it is the current one. Then ends the session,
 * unless the successor is now current and came less than 30 s ago: the second statement answers a row if it did.
 */
function rotation(presented: RefreshToken, successor: RefreshToken, now: number): [Sql, Sql] {
  const at = iso(now)
  const { session } = presented
  const next = refreshHash(successor)
  return [
    sql`UPDATE sessions SET refreshHash = ${next}, lastUsedAt = ${at}, expiresAt = iif(impersonator IS NULL, min(${iso(now + refreshSeconds * 1000)}, ${policyEnd}), expiresAt)
WHERE id = ${session} AND refreshHash = ${refreshHash(presented)} AND revokedAt IS NULL AND expiresAt > ${at}`,
    sql`UPDATE sessions SET revokedAt = ${at} WHERE id = ${session} AND revokedAt IS NULL AND expiresAt > ${at}
AND NOT (refreshHash = ${next} AND lastUsedAt >= ${iso(now - replaySeconds * 1000)}) RETURNING id`,
  ]
}

/** When the policy of its organisation ends a session; later than any other time where there is none. */
const policyEnd = raw(
  `coalesce((SELECT strftime('%Y-%m-%dT%H:%M:%fZ', authenticatedAt, '+' || (o.policy ->> 'sessionSeconds') || ' seconds') FROM organisations o WHERE o.id = sessions.organisation), '9999')`,
)

export interface Session {
  readonly id: string
  readonly userAgent: string | null
  readonly createdAt: string
  readonly lastUsedAt: string
  readonly expiresAt: string
  /** Somebody acts in the person's name. */
  readonly impersonator: boolean
  /** The session that asks. */
  readonly current: boolean
}

/** The actor's own sessions that still live, the newest first. @throws {Problem} `token_outdated` */
export async function listSessions(
  app: App,
  actor: UserActor,
  page: { limit: number; cursor: string | null },
): Promise<Page<Session>> {
  const [probe, rows = []] = await app.directory.batch([
    sessionProbe(actor),
    selectSessions(app, actor.id, page),
  ])
  assertSignedIn(actor, probe)
  return pageOf(
    rows.map((row) => sessionOf(row, actor)),
    page.limit,
  )
}

/** A person's sessions that still live, for `sessionOf`: one more than the page has. */
export function selectSessions(
  app: App,
  user: string,
  page: { limit: number; cursor: string | null },
): Sql {
  const before = page.cursor === null ? sql`1` : sql`id < ${page.cursor}`
  return sql`SELECT id, userAgent, createdAt, lastUsedAt, expiresAt, impersonator FROM sessions
WHERE user = ${user} AND revokedAt IS NULL AND expiresAt > ${iso(app.now())} AND ${before} ORDER BY id DESC LIMIT CAST(${page.limit + 1} AS INTEGER)`
}

export const sessionOf = (row: Row, actor: UserActor): Session => ({
  ...(row as unknown as Session),
  impersonator: row.impersonator !== null,
  current: row.id === actor.session,
})

/**
 * Ends one of the actor's own sessions: its refresh tokens, and in the same moment its access token wherever rows are
 * read or written. Ending it again is no error, so that a failed call can be repeated.
 *
 * @throws {Problem} `not_found` for a session that is not the actor's; `forbidden` for impersonators, but for the session
 * that they act in; `token_outdated`
 */
export async function endSession(app: App, actor: UserActor, session: string): Promise<void> {
  if (session !== actor.session) assertOwnName(actor)
  const asks = sql`SELECT u.epoch FROM sessions s JOIN users u ON u.id = s.user
WHERE s.id = ${actor.session} AND s.user = ${actor.id} AND (s.revokedAt IS NULL OR s.id = ${session})`
  const living = sql`EXISTS (SELECT 1 FROM sessions WHERE id = ${session} AND user = ${actor.id} AND revokedAt IS NULL)`
  const [probe, , found, databases = []] = await app.directory.batch([
    asks,
    auditEvent(
      app,
      { kind: "session.ended", user: actor.id, actor, session },
      sql`${living} AND EXISTS (${asks} AND u.epoch = ${actor.epoch})`,
    ),
    sql`UPDATE sessions SET revokedAt = coalesce(revokedAt, ${iso(app.now())})
WHERE id = ${session} AND user = ${actor.id} AND EXISTS (${asks} AND u.epoch = ${actor.epoch})
RETURNING id`,
    sql`SELECT database FROM organisations WHERE id IN (SELECT organisation FROM organisation_members WHERE user = ${actor.id} UNION SELECT organisation FROM sessions WHERE id = ${session})`,
  ])
  assertSignedIn(actor, probe)
  if (!found?.[0]) throw new Problem("not_found")
  await outlaw(
    app,
    session,
    databases.map(({ database }) => database as string),
  )
  app.log("info", "session ended", { user: actor.id, session })
}

export const databaseOf = (membership: Membership | null): string => membership?.database ?? "main"

async function tokensOf(
  app: App,
  person: Person,
  membership: Membership | null,
  session: string,
  refreshToken: RefreshToken,
  proof: Proof,
): Promise<Tokens> {
  const accessToken = await accessTokenFor(app, person, membership, session, proof)
  return { ...accessToken, refreshToken: refreshToken.text }
}

type Proof = Pick<UserActor, "methods" | "authenticatedAt" | "impersonator">

/** An access token that speaks for the person in that organisation, or in none. */
export async function accessTokenFor(
  app: App,
  person: Person,
  membership: Membership | null,
  session: string,
  { methods, authenticatedAt, impersonator }: Proof,
): Promise<Omit<Tokens, "refreshToken">> {
  const actor: UserActor = {
    kind: "user",
    id: person.id,
    email: person.email,
    roles: effectiveRoles(person, membership),
    organisation: membership?.organisation ?? null,
    database: databaseOf(membership),
    epoch: person.epoch,
    session,
    methods,
    authenticatedAt,
    impersonator,
    ...(person.kind === "anonymous" && { anonymous: true }),
  }
  const accessToken = await signAccessToken(app.settings, actor, app.now())
  return { accessToken, expiresIn: accessTokenSeconds }
}

/** Those of the deployment and those of the organisation. No organisation can make an administrator of the deployment. */
export function effectiveRoles(person: Person, membership: Membership | null): string[] {
  const inherited = membership?.roles.filter((role) => role !== administratorRole) ?? []
  return [...new Set([...person.roles, ...inherited])]
}

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString()
