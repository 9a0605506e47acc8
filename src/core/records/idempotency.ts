import type { Actor, App } from "../../platform/app.ts"
import { Refusal } from "../../platform/database.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import { identifier, raw, type Sql, sql } from "../../platform/sql.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { guard } from "./guard.ts"
import { imageSource } from "./image.ts"
import type { LinkedCollection } from "./link.ts"
import {
  type ApiRecord,
  decodeRow,
  type Selection,
  select,
  selectList,
  visibility,
} from "./selection.ts"
import type { View } from "./view.ts"

/** What makes a repeated POST the same POST. Belongs to its actor and route. */
export interface Idempotency {
  readonly route: string
  readonly key: string
  /** SHA-256 of the body, hex. */
  readonly requestHash: string
  /** It makes a list of results, and not one record. */
  readonly several?: boolean
}

type Used = Pick<Idempotency, "route" | "key">

const keptMilliseconds = 24 * 60 * 60 * 1_000

/** @throws {Problem} for a key that is empty, too long, or no visible ASCII. */
export function idempotencyKey(request: Request): string | null {
  const key = request.headers.get("idempotency-key")
  if (key === null) return null
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw invalidInput({
      path: "headers.idempotency-key",
      code: "format",
      message: "Idempotency-Key: 1 to 255 visible ASCII characters.",
    })
  }
  return key
}

/** @throws {Problem} as `idempotencyKey` does. */
export async function readIdempotency(
  request: Request,
  route: string,
  body: string,
): Promise<Idempotency | null> {
  const key = idempotencyKey(request)
  if (key === null) return null
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body))
  return {
    route,
    key,
    requestHash: Array.from(new Uint8Array(hash), (byte) =>
      byte.toString(16).padStart(2, "0"),
    ).join(""),
  }
}

/** Within an organisation, and with an API key, a person is another actor: what one has made must not answer the other. */
const actorKey = (actor: Actor): string => {
  if (actor.kind !== "user") return actor.kind
  const parts = [actor.id, actor.organisation, actor.key?.id]
  return parts.filter((part) => typeof part === "string").join(" ")
}

const recent = (app: App): string => new Date(app.now() - keptMilliseconds).toISOString()

const keyColumns = raw(
  "actor, route, key, requestHash, status, record, version, createdAt, results",
)

/** Stops a batch whose key was used already: `isReplay`. */
export function assertUnused(app: App, actor: Actor, { route, key }: Used): Sql {
  const used = sql`EXISTS (SELECT 1 FROM idempotency_keys WHERE actor = ${actorKey(actor)} AND route = ${route} AND key = ${key} AND createdAt > ${recent(app)})`
  return guard(raw("0"), [{ outcome: "replayed", condition: used }], raw("(SELECT 1)")) as Sql
}

/** Keeps the key of what takes longer than a request, by the id of its operation; for the batch that begins it. */
export const keepOperation = (
  app: App,
  actor: Actor,
  { route, key, requestHash }: Idempotency,
  operation: string,
): Sql =>
  sql`INSERT OR REPLACE INTO idempotency_keys (${keyColumns}) VALUES (${actorKey(actor)}, ${route}, ${key}, ${requestHash}, 202, ${operation}, 0, ${new Date(app.now()).toISOString()}, NULL)`

/** The operation that a key began. @throws {Problem} `idempotency_mismatch` for another request. */
export async function operationOfKey(
  app: App,
  actor: Actor,
  { route, key, requestHash }: Idempotency,
): Promise<string> {
  const [found] = await app.db.all(
    sql`SELECT requestHash, record FROM idempotency_keys WHERE actor = ${actorKey(actor)} AND route = ${route} AND key = ${key}`,
  )
  if (found?.requestHash !== requestHash) throw new Problem("idempotency_mismatch")
  return found.record as string
}

/**
 * `guard` stops a batch whose key was used already. What keeps the key is part of the batch of the write itself, so that
 * it is kept exactly when the write is: `begin` before a list of writes, whose results follow one by one (`keepResult`);
 * `end` after a single one, with a few keys that have served their day and leave.
 */
export function idempotencyStatements(
  app: App,
  actor: Actor,
  { route, key, requestHash, several = false }: Idempotency,
  { collection, id }: { collection: LinkedCollection; id: string },
): { guard: Sql; begin: Sql[]; end: Sql[] } {
  const stop = assertUnused(app, actor, { route, key })
  const at = new Date(app.now()).toISOString()
  const columns = keyColumns
  const keep = several
    ? sql`INSERT OR REPLACE INTO idempotency_keys (${columns}) VALUES (${actorKey(actor)}, ${route}, ${key}, ${requestHash}, 200, '', 0, ${at}, '[]')`
    : sql`INSERT OR REPLACE INTO idempotency_keys (${columns}) SELECT ${actorKey(actor)}, ${route}, ${key}, ${requestHash}, 201, t."id", t."version", ${at}, NULL FROM ${identifier(collection.name)} t WHERE t."id" = ${id}`
  const sweep = sql`DELETE FROM idempotency_keys WHERE (actor, route, key) IN (SELECT actor, route, key FROM idempotency_keys WHERE createdAt <= ${recent(app)} LIMIT 5)`
  return { guard: stop, begin: several ? [keep] : [], end: several ? [sweep] : [keep, sweep] }
}

/** Adds the result of one write of a list, right after it: whose record, which version, and the status of its answer. */
export const keepResult = (
  actor: Actor,
  { route, key }: Idempotency,
  { collection, id }: { collection: LinkedCollection; id: string },
  status: Sql,
): Sql =>
  sql`UPDATE idempotency_keys SET results = json_insert(results, '$[#]', json_array(${id}, (SELECT t."version" FROM ${identifier(collection.name)} t WHERE t."id" = ${id}), ${status})) WHERE actor = ${actorKey(actor)} AND route = ${route} AND key = ${key}`

export const isReplay = (error: unknown): boolean =>
  error instanceof Refusal && error.outcome === "replayed"

/**
 * The answer of the first request, for a repeated one: the version that it made, under today's rights. Rollups are as
 * they are now, because they belong to no version.
 *
 * @throws {Problem} `idempotency_mismatch` for another body; `not_found` when the record is gone or hidden by now.
 */
export async function replay(
  app: App,
  view: View,
  collection: LinkedCollection,
  { route, key, requestHash }: Idempotency,
): Promise<{ id: string; version: number; record: ApiRecord | null }> {
  const { actor } = view
  const used = sql`FROM idempotency_keys k WHERE k.actor = ${actorKey(actor)} AND k.route = ${route} AND k.key = ${key}`
  const selection = select(view, collection, { fields: null, expand: [] })
  const [keys, rows, epoch] = await app.db.batch([
    sql`SELECT k.requestHash, k.record, k.version ${used}`,
    sql`SELECT ${selectList(view, selection, "t0", imageSource(collection, "c", "t0"))} FROM (SELECT k.* ${used}) k JOIN changes c ON c.subject = ${collection.name} AND c.record = k.record AND c.version = k.version JOIN ${raw(`"${collection.name}"`)} t0 ON t0."id" = k.record WHERE ${visibility(view, collection, "t0", true)}`,
    ...(actor.kind === "user" ? [epochProbe(actor)] : []),
  ])
  assertEpoch(actor, epoch)
  const found = keys?.[0]
  if (found && found.requestHash !== requestHash) throw new Problem("idempotency_mismatch")
  const row = rows?.[0]
  // Who may never read what it writes was answered the id alone, and is so again.
  if (found && view.readRule(collection) === false)
    return { id: found.record as string, version: found.version as number, record: null }
  if (!found || !row) throw new Problem("not_found")
  return {
    id: found.record as string,
    version: found.version as number,
    record: decodeRow(view, selection, row),
  }
}

/**
 * The answers of the first request to a list of writes, for a repeated one, each as `replay` has it; but where the record
 * is gone or hidden by now, its id alone: what became of one must not hide the others. One trip.
 *
 * @throws {Problem} `idempotency_mismatch` for another body.
 */
export async function replaySeveral(
  app: App,
  view: View,
  subjects: readonly LinkedCollection[],
  { route, key, requestHash }: Idempotency,
): Promise<{ id: string; status: number; version: number | null; record: ApiRecord | null }[]> {
  const { actor } = view
  const used = sql`FROM idempotency_keys k WHERE k.actor = ${actorKey(actor)} AND k.route = ${route} AND k.key = ${key}`
  const selections = subjects.map((it) => select(view, it, { fields: null, expand: [] }))
  const results = await app.db.batch([
    sql`SELECT k.requestHash, k.results ${used}`,
    ...(actor.kind === "user" ? [epochProbe(actor)] : []),
    ...subjects.map((collection, at) => {
      const kept = (member: number) => raw(`json_extract(k.results, '$[${at}][${member}]')`)
      return sql`SELECT ${selectList(view, selections[at] as Selection, "t0", imageSource(collection, "c", "t0"))} FROM (SELECT k.* ${used}) k JOIN changes c ON c.subject = ${collection.name} AND c.record = ${kept(0)} AND c.version = ${kept(1)} JOIN ${identifier(collection.name)} t0 ON t0."id" = c.record WHERE ${visibility(view, collection, "t0", true)}`
    }),
  ])
  const found = results.shift()?.[0]
  if (actor.kind === "user") assertEpoch(actor, results.shift())
  if (found?.requestHash !== requestHash) throw new Problem("idempotency_mismatch")
  const kept = JSON.parse(found.results as string) as [string, number | null, number][]
  return kept.map(([id, version, status], at) => {
    const row = results[at]?.[0]
    const record = row ? decodeRow(view, selections[at] as Selection, row) : null
    return { id, status, version: record ? version : null, record }
  })
}
