import { Buffer } from "node:buffer"
import type { z } from "zod"
import type { App, UserActor } from "../../platform/app.ts"
import { Refusal, type Row } from "../../platform/database.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { allOf, join, type Sql, sql } from "../../platform/sql.ts"
import { refuse } from "../identity/directory-guard.ts"
import { assertEpoch, epochProbe, epochRefusal } from "../identity/epoch.ts"
import { seal } from "../identity/secrets-at-rest.ts"
import { standingKey } from "../identity/standing-actor.ts"
import type { LinkedCollections } from "../records/link.ts"
import { isOwn, isVisible } from "./access.ts"
import { now } from "./announce.ts"
import { assertSound } from "./draft.ts"
import { emptyEndpoints } from "./removal.ts"
import type {
  newSecretRotation,
  newWebhookEndpoint,
  webhookEndpoint,
  webhookEndpointPatch,
} from "./schema.ts"
import { makeSecret, owner } from "./signatures.ts"
import { type StoredEndpoint, storedEndpoint } from "./stored-endpoint.ts"

export type Endpoint = z.output<typeof webhookEndpoint>
export type IssuedEndpoint = Endpoint & { readonly secret: string | null }

const maxEndpoints = 100
const defaultRate = 20
const defaultOverlapSeconds = 24 * 3_600

/**
 * An endpoint of the actor's own, within the organisation that they act in; it hears of what is written from now on. One
 * trip.
 *
 * @throws {Problem} `invalid_input`, `invalid_expression`; `forbidden` for impersonators; `conflict` beyond a hundred,
 * and beyond what the deployment lets a database have; `token_outdated`
 */
export async function createEndpoint(
  app: App,
  actor: UserActor,
  collections: LinkedCollections,
  draft: z.output<typeof newWebhookEndpoint>,
): Promise<IssuedEndpoint> {
  assertSelf(actor)
  assertSound(app, actor, collections, draft)
  const id = app.newId()
  const scheme = draft.scheme ?? "v1"
  const { secret, sealed, publicKey } = await makeSecret(app.settings, id, scheme, draft.secret)
  const { headers, headerNames } = await sealHeaders(app, id, draft.headers ?? null)
  const at = now(app)
  const key = actor.key ? JSON.stringify(actor.key) : null
  const [rows] = await guarded(app, actor, [
    refuse(
      "full",
      sql`(SELECT count(*) FROM webhook_endpoints WHERE owner = ${actor.id} AND organisation IS ${actor.organisation} AND deletedAt IS NULL) >= CAST(${maxEndpoints} AS INTEGER)`,
    ),
    // However many people there are: each line of the log is queued for all that listen to it.
    refuse(
      "crowded",
      sql`(SELECT count(*) FROM webhook_endpoints WHERE deletedAt IS NULL) >= CAST(${app.settings.webhookEndpoints} AS INTEGER)`,
    ),
    sql`INSERT INTO webhook_endpoints (id, owner, organisation, "key", url, description, events, filter, fields, headers, headerNames, scheme, secret, publicKey, ratePerSecond, enabled, since, failures, createdAt, updatedAt)
SELECT ${id}, ${actor.id}, ${actor.organisation}, ${key}, ${new URL(draft.url).href}, ${draft.description ?? null}, ${JSON.stringify(draft.events)}, ${draft.filter ?? null}, ${draft.fields ? JSON.stringify(draft.fields) : null}, ${headers}, ${headerNames}, ${scheme}, ${sealed}, ${publicKey}, CAST(${draft.ratePerSecond ?? defaultRate} AS INTEGER), 1, (SELECT ifnull(max(seq), 0) FROM changes), 0, ${at}, ${at}`,
    ...subscribe(id, draft.events),
    sql`INSERT INTO change_followers (name, seq) SELECT 'webhooks', ifnull(max(seq), 0) FROM changes WHERE true ON CONFLICT (name) DO NOTHING`,
    sql`SELECT * FROM webhook_endpoints WHERE id = ${id} AND deletedAt IS NULL`,
  ])
  await app.followed()
  app.log("info", "webhook endpoint created", { endpoint: id, owner: actor.id })
  return { ...toEndpoint(storedEndpoint(rows?.[0] as Row)), secret }
}

/** Newest first. One trip. @throws {Problem} `token_outdated` */
export async function listEndpoints(
  app: App,
  actor: UserActor,
  { limit, cursor }: { limit: number; cursor: string | null },
): Promise<Page<Endpoint>> {
  const [rows = [], epoch] = await app.db.batch([
    sql`SELECT * FROM webhook_endpoints e WHERE ${allOf([isVisible(actor), ...(cursor ? [sql`e.id < ${cursor}`] : [])])} ORDER BY e.id DESC LIMIT CAST(${limit + 1} AS INTEGER)`,
    epochProbe(actor),
  ])
  assertEpoch(actor, epoch)
  return pageOf(rows.map(storedEndpoint).map(toEndpoint), limit)
}

/** One trip. @throws {Problem} `not_found`, `token_outdated` */
export async function getEndpoint(app: App, actor: UserActor, id: string): Promise<Endpoint> {
  return toEndpoint((await findVisible(app, actor, id)).endpoint)
}

/**
 * A change of an endpoint: two trips, and one more where what a key made is enabled. Of what is not their own, administrators may change whether it is disabled. Members
 * that are not given stay as others have changed them meanwhile.
 *
 * @throws {Problem} `not_found`, `forbidden`, `token_outdated`; `conflict` where the key has ended that it is for, and
 * where what a condition is about is being changed by others all the time; and as `createEndpoint`
 */
export async function changeEndpoint(
  app: App,
  actor: UserActor,
  collections: LinkedCollections,
  id: string,
  patch: z.output<typeof webhookEndpointPatch>,
): Promise<Endpoint> {
  assertSelf(actor)
  for (let look = 0; look < 3; look++) {
    const { endpoint, own } = await findVisible(app, actor, id)
    if (!own && (patch.enabled !== false || Object.keys(patch).length > 1)) throw notYours()
    const whole = { ...endpoint, ...defined(patch) }
    if (own) assertSound(app, actor, collections, { ...whole, headers: patch.headers ?? null })
    if (patch.enabled) await assertKeyStands(app, endpoint)
    const row = await writeChange(app, actor, endpoint, patch)
    if (row) {
      app.wake("webhooks")
      return toEndpoint(storedEndpoint(row))
    }
  }
  throw new Problem("conflict", "The endpoint is being changed by others.")
}

/** The next delivery would only disable it again. */
async function assertKeyStands(app: App, { key }: StoredEndpoint): Promise<void> {
  if (!key || (await app.directory.all(standingKey(app, key)))[0]) return
  throw new Problem(
    "conflict",
    "The API key that made this endpoint has ended, and by its rights everything was judged: make a new endpoint.",
  )
}

/** Null where it is not any more what the change was judged by. @throws {Problem} `not_found`, `token_outdated` */
async function writeChange(
  app: App,
  actor: UserActor,
  { id, events, filter, fields }: StoredEndpoint,
  patch: z.output<typeof webhookEndpointPatch>,
): Promise<Row | null> {
  const at = now(app)
  const sealed = patch.headers === undefined ? null : await sealHeaders(app, id, patch.headers)
  const judged = [patch.events, patch.filter, patch.fields].some((one) => one !== undefined)
  const written = [
    sql`updatedAt = ${at}`,
    ...(patch.url === undefined ? [] : [sql`url = ${new URL(patch.url).href}`]),
    ...(patch.description === undefined ? [] : [sql`description = ${patch.description}`]),
    ...(patch.events === undefined ? [] : [sql`events = ${JSON.stringify(patch.events)}`]),
    ...(patch.filter === undefined ? [] : [sql`filter = ${patch.filter}`]),
    ...(patch.fields === undefined ? [] : [sql`fields = ${jsonOrNull(patch.fields)}`]),
    ...(patch.ratePerSecond === undefined
      ? []
      : [sql`ratePerSecond = CAST(${patch.ratePerSecond} AS INTEGER)`]),
    ...(sealed ? [sql`headers = ${sealed.headers}, headerNames = ${sealed.headerNames}`] : []),
  ]
  try {
    const [rows] = await guarded(app, actor, [
      ...(judged
        ? [
            refuse(
              "changed",
              sql`EXISTS (SELECT 1 FROM webhook_endpoints WHERE id = ${id} AND NOT (events = ${JSON.stringify(events)} AND filter IS ${filter} AND fields IS ${jsonOrNull(fields)}))`,
            ),
          ]
        : []),
      sql`UPDATE webhook_endpoints SET ${join(written)} WHERE id = ${id} AND deletedAt IS NULL`,
      ...switched(id, patch.enabled, at),
      ...(patch.events ? subscribe(id, patch.events) : []),
      sql`SELECT * FROM webhook_endpoints WHERE id = ${id} AND deletedAt IS NULL`,
    ])
    if (!rows?.[0]) throw new Problem("not_found")
    return rows[0]
  } catch (error) {
    if (error instanceof Refusal && error.outcome === "changed") return null
    throw error
  }
}

function switched(id: string, enabled: boolean | undefined, at: string): Sql[] {
  if (enabled === undefined) return []
  return enabled
    ? [
        sql`UPDATE webhook_endpoints SET enabled = 1, disabledReason = NULL, disabledAt = NULL, failures = 0, failingSince = NULL, failedAt = NULL, pausedUntil = NULL WHERE id = ${id} AND enabled = 0 AND deletedAt IS NULL`,
      ]
    : [
        sql`UPDATE webhook_endpoints SET enabled = 0, disabledReason = 'request', disabledAt = ${at} WHERE id = ${id} AND enabled = 1`,
      ]
}

const jsonOrNull = (value: readonly string[] | null): string | null =>
  value === null ? null : JSON.stringify(value)

/** At once for all who ask; its deliveries go by the clock. Two trips. @throws {Problem} `not_found`, `token_outdated` */
export async function deleteEndpoint(app: App, actor: UserActor, id: string): Promise<void> {
  assertSelf(actor)
  await findVisible(app, actor, id)
  await guarded(app, actor, emptyEndpoints(app, sql`id = ${id}`))
  app.log("info", "webhook endpoint deleted", { endpoint: id })
}

/**
 * A new secret, shown this once; the old one signs beside it for a while, so that the receiver can change over. Two trips.
 *
 * @throws {Problem} `not_found`, `forbidden` for what is not one's own, `invalid_input`, `token_outdated`
 */
export async function rotateSecret(
  app: App,
  actor: UserActor,
  id: string,
  {
    overlapSeconds = defaultOverlapSeconds,
    secret: given,
    scheme,
  }: z.output<typeof newSecretRotation>,
): Promise<IssuedEndpoint> {
  assertSelf(actor)
  const { endpoint, own } = await findVisible(app, actor, id)
  if (!own) throw notYours()
  const as = scheme ?? endpoint.scheme
  const { secret, sealed, publicKey } = await makeSecret(app.settings, id, as, given)
  const until = new Date(app.now() + overlapSeconds * 1_000).toISOString()
  const [rows] = await guarded(app, actor, [
    sql`UPDATE webhook_endpoints SET previousSecret = secret, previousUntil = ${until}, secret = ${sealed}, publicKey = ${publicKey}, scheme = ${as}, updatedAt = ${now(app)} WHERE id = ${id} AND deletedAt IS NULL`,
    sql`SELECT * FROM webhook_endpoints WHERE id = ${id} AND deletedAt IS NULL`,
  ])
  if (!rows?.[0]) throw new Problem("not_found")
  app.log("info", "webhook secret rotated", { endpoint: id })
  return { ...toEndpoint(storedEndpoint(rows[0])), secret }
}

/** @throws {Problem} `not_found`, `token_outdated` */
export async function findVisible(
  app: App,
  actor: UserActor,
  id: string,
): Promise<{ endpoint: StoredEndpoint; own: boolean }> {
  const [rows, epoch] = await app.db.batch([
    sql`SELECT e.*, ${isOwn(actor)} AS own FROM webhook_endpoints e WHERE e.id = ${id} AND ${isVisible(actor)}`,
    epochProbe(actor),
  ])
  assertEpoch(actor, epoch)
  const row = rows?.[0]
  if (!row) throw new Problem("not_found")
  const { own, ...stored } = row
  return { endpoint: storedEndpoint(stored), own: own === 1 }
}

/** One batch, while the actor's token stands. Answers the rows of the last statement first. */
export async function guarded(
  app: App,
  actor: UserActor,
  statements: readonly Sql[],
): Promise<[Row[] | undefined, Row[][]]> {
  try {
    const results = await app.db.batch([refuse("outdated", epochRefusal(actor)), ...statements])
    return [results.at(-1), results]
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.outcome === "outdated") throw new Problem("token_outdated")
    if (error.outcome === "full") {
      throw new Problem("conflict", `There are ${maxEndpoints} endpoints already.`)
    }
    if (error.outcome === "crowded") {
      throw new Problem("conflict", "This deployment takes no more endpoints.")
    }
    throw error
  }
}

/** An administrator who acts in another's name must not leave something behind that goes on telling. */
function assertSelf(actor: UserActor): void {
  if (actor.impersonator !== null) {
    throw new Problem("forbidden", "Nobody may do this in another's name.")
  }
}

const notYours = (): Problem =>
  new Problem(
    "forbidden",
    "Of the endpoints of others, one may do no more than disable and delete them.",
  )

function subscribe(id: string, events: readonly string[]): Sql[] {
  const pairs = events.map((name) => {
    const at = name.lastIndexOf(".")
    return [name.slice(0, at), name.slice(at + 1)]
  })
  return [
    sql`DELETE FROM webhook_subscriptions WHERE endpoint = ${id}`,
    sql`INSERT INTO webhook_subscriptions (subject, kind, endpoint) SELECT DISTINCT value ->> 0, value ->> 1, ${id} FROM json_each(${JSON.stringify(pairs)})`,
  ]
}

async function sealHeaders(
  app: App,
  id: string,
  headers: Readonly<Record<string, string>> | null,
): Promise<{ headers: string | null; headerNames: string }> {
  const names = Object.keys(headers ?? {})
  if (names.length === 0) return { headers: null, headerNames: "[]" }
  const sealed = await seal(app.settings, owner(id), Buffer.from(JSON.stringify(headers)))
  return { headers: sealed, headerNames: JSON.stringify(names) }
}

/** Chosen member by member, so that no secret slips out. */
const toEndpoint = (endpoint: StoredEndpoint): Endpoint => ({
  id: endpoint.id,
  owner: endpoint.owner,
  organisation: endpoint.organisation,
  key: endpoint.key?.id ?? null,
  url: endpoint.url,
  description: endpoint.description,
  events: [...endpoint.events],
  filter: endpoint.filter,
  fields: endpoint.fields && [...endpoint.fields],
  headers: [...endpoint.headerNames],
  ratePerSecond: endpoint.ratePerSecond,
  scheme: endpoint.scheme,
  publicKey: endpoint.publicKey,
  overlapUntil: endpoint.previousUntil,
  enabled: endpoint.enabled,
  disabledReason: endpoint.disabledReason,
  disabledAt: endpoint.disabledAt,
  failures: endpoint.failures,
  failingSince: endpoint.failingSince,
  pausedUntil: endpoint.pausedUntil,
  createdAt: endpoint.createdAt,
  updatedAt: endpoint.updatedAt,
})

function defined<Value extends object>(
  value: Value,
): { [Name in keyof Value]: Exclude<Value[Name], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as {
    [Name in keyof Value]: Exclude<Value[Name], undefined>
  }
}
