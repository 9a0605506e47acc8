import type { App, UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { allOf, type Sql, sql } from "../../platform/sql.ts"
import { assertSignedIn, sessionProbe } from "./directory-guard.ts"

/** A security event, as it is shown. */
export interface StoredEvent {
  readonly id: string
  readonly at: string
  readonly kind: string
  readonly user: string | null
  readonly actor: string | null
  readonly organisation: string | null
  readonly session: string | null
  readonly network: string | null
  readonly userAgent: string | null
  readonly detail: Readonly<Record<string, unknown>>
  readonly requestId: string
}

interface Asked {
  readonly limit: number
  readonly cursor: string | null
  readonly user?: string | undefined
  readonly kind?: string | undefined
}

/**
 * Security events, the newest first. One trip, and by an index whatever is asked for.
 *
 * @throws {Problem} `token_outdated`
 */
export async function listEvents(
  app: App,
  actor: UserActor,
  { limit, cursor, user, kind }: Asked,
): Promise<Page<StoredEvent>> {
  const conditions = [
    ...(user === undefined ? [] : [sql`user = ${user}`]),
    ...(kind === undefined ? [] : [sql`kind = ${kind}`]),
    ...(cursor === null ? [] : [sql`id < ${cursor}`]),
  ]
  const [session, rows = []] = await app.directory.batch([
    sessionProbe(actor),
    selectEvents(allOf(conditions), limit + 1),
  ])
  assertSignedIn(actor, session)
  return pageOf(rows.map(eventOf), limit)
}

/** A person's own events: who else did something to them is said, from where is not. */
export async function listOwnEvents(
  app: App,
  actor: UserActor,
  page: { limit: number; cursor: string | null },
): Promise<Page<StoredEvent>> {
  const found = await listEvents(app, actor, { ...page, user: actor.id })
  return { ...found, items: found.items.map((event) => forItsPerson(event)) }
}

/** Where an administrator sat, and with which browser, is theirs. */
export const forItsPerson = (event: StoredEvent): StoredEvent =>
  event.actor === null || event.actor === event.user
    ? event
    : { ...event, network: null, userAgent: null }

export const selectEvents = (where: Sql, limit: number): Sql =>
  sql`SELECT id, at, kind, user, actor, organisation, session, network, userAgent, detail, requestId FROM audit_events WHERE ${where} ORDER BY id DESC LIMIT CAST(${limit} AS INTEGER)`

export const eventOf = (row: Row): StoredEvent => ({
  ...(row as unknown as StoredEvent),
  detail: JSON.parse(row.detail as string) as Record<string, unknown>,
})
