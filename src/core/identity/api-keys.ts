import type { App, UserActor } from "../../platform/app.ts"
import { Refusal } from "../../platform/database.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { endStates, type KeyWrites, keyState, writeKeys } from "./api-key-states.ts"
import { keyHash, keyHint, makeKeyText } from "./api-key-text.ts"
import { auditEvent } from "./audit.ts"
import { assertSignedIn, refuse, sessionProbe, sessionRefusal } from "./directory-guard.ts"
import { assertFound, findHolder, mayIssueFor, oversees, type Standing } from "./key-holders.ts"
import { tellPerson, wakeMail } from "./mails.ts"
import { secondFactorRequired } from "./organisation-access.ts"
import { admits } from "./organisation-policy.ts"
import type { Calling } from "./organisations.ts"
import type { Membership, Person } from "./person.ts"
import { effectiveRoles } from "./sessions.ts"
import { assertOwnName, assertRecent } from "./step-up.ts"

export interface ApiKey {
  readonly id: string
  readonly user: string
  readonly organisation: string | null
  readonly name: string
  /** Its last characters. */
  readonly hint: string
  readonly scopes: readonly string[]
  readonly createdAt: string
  readonly createdBy: string
  readonly expiresAt: string | null
  /** To the hour. */
  readonly lastUsedAt: string | null
  readonly revokedAt: string | null
}

/** With its text, which is shown this once. */
export interface IssuedApiKey extends ApiKey {
  readonly key: string
}

export interface NewApiKey {
  readonly name: string
  readonly scopes: readonly string[]
  readonly expiresAt?: string | null | undefined
  readonly organisation?: string | null | undefined
  readonly user?: string | undefined
}

/** More keys than this nobody keeps in mind. */
export const maxKeys = 100
const defaultDays = 90
const defaultOverlapSeconds = 24 * 60 * 60
const dayMilliseconds = 24 * 60 * 60 * 1_000

/**
 * A key for oneself, or for a service account that one manages. Two trips; one more where records and people lie in two
 * databases.
 *
 * @throws {Problem} `step_up_required`, `forbidden`; `not_found` for another's account and for an organisation that the
 * holder is not in; `second_factor_required` by its policy; `invalid_input` for an end in the past; `conflict` beyond 100 keys; `token_outdated`
 */
export async function createApiKey(
  app: App,
  calling: Calling,
  draft: NewApiKey,
): Promise<IssuedApiKey> {
  const { actor, caller } = calling
  assertRecent(app, actor)
  const expiresAt = endOf(app, draft.expiresAt)
  const { holder, standing } = await findHolder(app, calling, sql`${draft.user ?? actor.id}`)
  assertFound(holder !== null && mayIssueFor(standing, holder))
  const membership = membershipFor(holder, actor, draft)
  const { name, scopes } = draft
  const issued = issue(app, actor, holder, membership, { name, scopes, expiresAt })
  await commit(app, actor, holder, membership, {
    writes: [
      refuse(
        "full",
        sql`(SELECT count(*) FROM api_keys WHERE user = ${holder.id} AND revokedAt IS NULL AND (expiresAt IS NULL OR expiresAt > ${now(app)})) >= CAST(${maxKeys} AS INTEGER)`,
      ),
      insertKey(issued),
      auditEvent(app, {
        kind: "apiKey.created",
        user: holder.id,
        actor,
        organisation: issued.organisation,
        session: actor.session,
        caller,
        detail: { key: issued.id, name, scopes: issued.scopes, expiresAt },
      }),
      ...keyNotice(app, holder, name),
    ],
    begins: [keyState(issued.id, keyHash(issued.key), expiresAt)],
  })
  app.log("info", "api key created", { user: holder.id, key: issued.id })
  return issued
}

/**
 * A new key with the same name, scopes and length of life. The old one stays good for `overlapSeconds`, so that programs
 * can be told one after the other, and no longer than it would have been.
 *
 * @throws {Problem} `step_up_required`, `forbidden`; `not_found`; `conflict` for a key that has ended; `token_outdated`
 */
export async function rotateApiKey(
  app: App,
  calling: Calling,
  id: string,
  overlapSeconds = defaultOverlapSeconds,
): Promise<IssuedApiKey> {
  const { actor, caller } = calling
  assertRecent(app, actor)
  const { key: old, holder, standing } = await getApiKey(app, calling, id)
  assertFound(mayIssueFor(standing, holder))
  const at = now(app)
  if (old.revokedAt !== null || (old.expiresAt !== null && old.expiresAt <= at)) {
    throw new Problem("conflict", "This key has ended: make a new one.")
  }
  const membership = holder.memberships.find((one) => one.organisation === old.organisation) ?? null
  if (old.organisation !== null && !membership) throw new Problem("not_found")
  assertAdmitted(actor, holder, membership)
  const life = old.expiresAt === null ? null : Date.parse(old.expiresAt) - Date.parse(old.createdAt)
  const expiresAt = life === null ? null : iso(app.now() + life)
  const overlapEnd = iso(app.now() + overlapSeconds * 1_000)
  const endsAt = old.expiresAt !== null && old.expiresAt < overlapEnd ? old.expiresAt : overlapEnd
  const { name, scopes } = old
  const issued = issue(app, actor, holder, membership, { name, scopes, expiresAt })
  await commit(app, actor, holder, membership, {
    writes: [
      refuse(
        "ended",
        sql`NOT EXISTS (SELECT 1 FROM api_keys WHERE id = ${id} AND revokedAt IS NULL AND (expiresAt IS NULL OR expiresAt > ${at}))`,
      ),
      sql`UPDATE api_keys SET expiresAt = ${endsAt} WHERE id = ${id}`,
      insertKey(issued),
      auditEvent(app, {
        kind: "apiKey.rotated",
        user: holder.id,
        actor,
        organisation: issued.organisation,
        session: actor.session,
        caller,
        detail: { key: issued.id, replaces: id, endsAt },
      }),
      ...keyNotice(app, holder, name),
    ],
    ends: [endStates([{ id, hash: old.hash }], endsAt)],
    begins: [keyState(issued.id, keyHash(issued.key), expiresAt)],
  })
  app.log("info", "api key rotated", { user: holder.id, key: issued.id, replaces: id })
  return issued
}

/**
 * Ends a key at once, wherever it is used: the next read and the next write are refused. To end it again is no error.
 *
 * @throws {Problem} `not_found`, `forbidden` for impersonators, `token_outdated`
 */
export async function revokeApiKey(app: App, calling: Calling, id: string): Promise<void> {
  const { actor, caller } = calling
  assertOwnName(actor)
  const { key, holder, standing } = await getApiKey(app, calling, id)
  assertFound(oversees(standing, holder))
  const at = now(app)
  const first = key.revokedAt === null
  const event = auditEvent(app, {
    kind: "apiKey.revoked",
    user: holder.id,
    actor,
    organisation: key.organisation,
    session: actor.session,
    caller,
    detail: { key: id },
  })
  await write(app, key.database, {
    writes: [
      refuse("outdated", sessionRefusal(actor)),
      sql`UPDATE api_keys SET revokedAt = ${at} WHERE id = ${id} AND revokedAt IS NULL`,
      ...(first ? [event] : []),
    ],
    ends: [endStates([{ id, hash: key.hash }], at)],
  })
  app.log("info", "api key revoked", { user: holder.id, key: id })
}

/**
 * Keys of one account that were not revoked, the newest first: one's own unless told.
 *
 * @throws {Problem} `not_found` for an account that the caller does not oversee; `token_outdated`
 */
export async function listApiKeys(
  app: App,
  calling: Calling,
  { limit, cursor, ...of }: { limit: number; cursor: string | null; user?: string },
): Promise<Page<ApiKey>> {
  const { actor } = calling
  const { user = actor.id } = of
  const before = cursor === null ? sql`1` : sql`id < ${cursor}`
  const keys = sql`SELECT ${keyColumns} FROM api_keys WHERE user = ${user} AND revokedAt IS NULL AND ${before} ORDER BY id DESC LIMIT CAST(${limit + 1} AS INTEGER)`
  if (user === actor.id) {
    const [session, rows] = await app.directory.batch([sessionProbe(actor), keys])
    assertSignedIn(actor, session)
    return pageOf((rows ?? []).map(toApiKey), limit)
  }
  const { holder, standing, rows } = await findHolder(app, calling, sql`${user}`, keys)
  assertFound(holder !== null && oversees(standing, holder))
  return pageOf(rows.map(toApiKey), limit)
}

interface StoredKey extends ApiKey {
  readonly hash: string
  /** Where it is good. */
  readonly database: string
}

/** A key as it is stored, whosever it is, and whose it is. @throws {Problem} `not_found`, `token_outdated` */
async function getApiKey(
  app: App,
  calling: Calling,
  id: string,
): Promise<{ key: StoredKey; holder: Person; standing: Standing }> {
  const { holder, standing, rows } = await findHolder(
    app,
    calling,
    sql`(SELECT user FROM api_keys WHERE id = ${id})`,
    sql`SELECT ${keyColumns}, hash, (SELECT database FROM organisations o WHERE o.id = api_keys.organisation) AS database FROM api_keys WHERE id = ${id}`,
  )
  const [row] = rows
  if (!row || !holder) throw new Problem("not_found")
  const database = (row.database as string | null) ?? "main"
  return { key: { ...toApiKey(row), hash: row.hash as string, database }, holder, standing }
}

const keyColumns = sql`id, user, organisation, name, hint, scopes, createdAt, createdBy, expiresAt, lastUsedAt, revokedAt`

const toApiKey = (row: Record<string, unknown>): ApiKey => {
  const { id, user, organisation, name, hint, createdAt, createdBy, ...rest } =
    row as unknown as ApiKey
  const { expiresAt, lastUsedAt, revokedAt } = rest
  const scopes = JSON.parse(row.scopes as string) as string[]
  return {
    id,
    user,
    organisation,
    name,
    hint,
    scopes,
    createdAt,
    createdBy,
    expiresAt,
    lastUsedAt,
    revokedAt,
  }
}

const insertKey = (issued: IssuedApiKey): Sql =>
  sql`INSERT INTO api_keys (id, user, organisation, name, hash, hint, scopes, createdAt, createdBy, expiresAt)
VALUES (${issued.id}, ${issued.user}, ${issued.organisation}, ${issued.name}, ${keyHash(issued.key)}, ${issued.hint}, ${JSON.stringify(issued.scopes)}, ${issued.createdAt}, ${issued.createdBy}, ${issued.expiresAt})`

/** The key itself: what it says of its holder is true as of their present epoch. */
function issue(
  app: App,
  actor: UserActor,
  holder: Person,
  membership: Membership | null,
  draft: { name: string; scopes: readonly string[]; expiresAt: string | null },
): IssuedApiKey {
  const id = app.newId()
  const organisation = membership?.organisation ?? null
  const scopes = [...new Set(draft.scopes)].sort()
  const { name, expiresAt } = draft
  const key = makeKeyText(app.settings.secret, {
    id,
    user: holder.id,
    organisation,
    database: membership?.database ?? "main",
    email: holder.email,
    roles: effectiveRoles(holder, membership),
    epoch: holder.epoch,
    scopes,
    expiresAt: expiresAt === null ? null : Date.parse(expiresAt),
    service: holder.kind === "service",
  })
  return {
    id,
    key,
    user: holder.id,
    organisation,
    name,
    hint: keyHint(key),
    scopes,
    createdAt: now(app),
    createdBy: actor.id,
    expiresAt,
    lastUsedAt: null,
    revokedAt: null,
  }
}

/** Writes while caller and holder are as they were read. */
async function commit(
  app: App,
  actor: UserActor,
  holder: Person,
  membership: Membership | null,
  { writes, ...states }: { writes: Sql[]; ends?: Sql[]; begins: Sql[] },
): Promise<void> {
  const guards = [
    refuse("outdated", sessionRefusal(actor)),
    refuse(
      "outdated",
      sql`NOT EXISTS (SELECT 1 FROM users WHERE id = ${holder.id} AND epoch = ${holder.epoch} AND disabledAt IS NULL)`,
    ),
  ]
  const database = membership?.database ?? "main"
  await write(app, database, { writes: [...guards, ...writes], person: holder, ...states })
  wakeMail(app)
}

/** Programs read no mail; whoever made a key for one sees it in the audit log. */
const keyNotice = (app: App, holder: Person, name: string): Sql[] =>
  holder.kind === "person"
    ? insertMails(app, [tellPerson(app, holder, "keyCreated", { detail: name })])
    : []

/** `writeKeys`, whose refusals are problems. */
async function write(app: App, database: string, writes: KeyWrites): Promise<void> {
  try {
    await writeKeys(app, database, writes)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.outcome === "outdated") throw new Problem("token_outdated")
    if (error.outcome === "full") {
      throw new Problem(
        "conflict",
        `There are ${maxKeys} keys already: revoke one that is not used.`,
      )
    }
    if (error.outcome === "ended") {
      throw new Problem("conflict", "This key has ended: make a new one.")
    }
    throw error
  }
}

/** A service account acts where it belongs. @throws {Problem} `not_found` */
function membershipFor(holder: Person, actor: UserActor, draft: NewApiKey): Membership | null {
  const own = holder.kind === "service" ? holder.memberships[0]?.organisation : actor.organisation
  const wanted = draft.organisation === undefined ? (own ?? null) : draft.organisation
  const membership = holder.memberships.find((one) => one.organisation === wanted) ?? null
  if (wanted !== null && !membership)
    throw new Problem("not_found", "There is no such organisation.")
  assertAdmitted(actor, holder, membership)
  return membership
}

/**
 * A key must not open what the session that makes it cannot. For service accounts `leads` has asked.
 *
 * @throws {Problem} `second_factor_required`
 */
function assertAdmitted(actor: UserActor, holder: Person, membership: Membership | null): void {
  if (holder.id !== actor.id || membership === null) return
  if (!admits(membership.policy, actor.methods)) throw secondFactorRequired()
}

/** @throws {Problem} `invalid_input` */
function endOf(app: App, asked: string | null | undefined): string | null {
  if (asked === undefined) return iso(app.now() + defaultDays * dayMilliseconds)
  if (asked === null) return null
  const end = Date.parse(asked)
  if (end > app.now()) return iso(end)
  const message = "expiresAt has to be in the future."
  throw invalidInput({ path: "expiresAt", code: "range", message })
}

const now = (app: App): string => iso(app.now())
const iso = (milliseconds: number): string => new Date(milliseconds).toISOString()
