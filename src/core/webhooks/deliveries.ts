import type { z } from "zod"
import type { App, UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { allOf, type Sql, sql } from "../../platform/sql.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { isOwn, showsLog } from "./access.ts"
import { messageId } from "./payload.ts"
import type { deliveriesQuery, webhookDelivery, webhookDeliveryDetails } from "./schema.ts"

/*
 * The log of what was sent. What is `queued` is in none of it: nobody has asked yet whether the owner may hear of it.
 */

export type Delivery = z.output<typeof webhookDelivery>
export type DeliveryDetails = z.output<typeof webhookDeliveryDetails>

const keptAttempts = 50

/** The newest first. One trip. @throws {Problem} `not_found`, `token_outdated` */
export async function listDeliveries(
  app: App,
  actor: UserActor,
  endpoint: string,
  {
    state,
    type,
    since,
    until,
    limit,
    cursor,
  }: Pick<z.output<typeof deliveriesQuery>, "state" | "type" | "since" | "until"> & {
    limit: number
    cursor: string | null
  },
): Promise<Page<Delivery>> {
  const conditions = [
    sql`d.endpoint = ${endpoint}`,
    sql`d.state <> 'queued'`,
    ...(state ? [sql`d.state = ${state}`] : []),
    ...(type === undefined ? [] : [sql`d.type = ${type}`]),
    ...(since === undefined ? [] : [sql`d.createdAt >= ${since}`]),
    ...(until === undefined ? [] : [sql`d.createdAt < ${until}`]),
    ...(cursor ? [sql`d.id < ${cursor}`] : []),
  ]
  const [found, rows = [], epoch] = await app.db.batch([
    visibleEndpoint(actor, endpoint),
    sql`SELECT d.id, d.change, d.type, d.state, d.attempts, d.nextAt, d.createdAt, d.finishedAt FROM webhook_deliveries d WHERE ${allOf(conditions)} ORDER BY d.id DESC LIMIT CAST(${limit + 1} AS INTEGER)`,
    epochProbe(actor),
  ])
  assertEpoch(actor, epoch)
  if (!found?.[0]) throw new Problem("not_found")
  return pageOf(
    rows.map((row) => deliveryOf(endpoint, row)),
    limit,
  )
}

/** One trip. What was sent is for the endpoint's owner alone. @throws {Problem} `not_found`, `token_outdated` */
export async function getDelivery(
  app: App,
  actor: UserActor,
  endpoint: string,
  id: string,
): Promise<DeliveryDetails> {
  const [found, rows, attempts = [], epoch] = await app.db.batch([
    visibleEndpoint(actor, endpoint),
    sql`SELECT * FROM webhook_deliveries WHERE id = ${id} AND endpoint = ${endpoint} AND state <> 'queued'`,
    sql`SELECT at, milliseconds, status, headers, body, error FROM webhook_attempts WHERE delivery = ${id} ORDER BY id DESC LIMIT CAST(${keptAttempts} AS INTEGER)`,
    epochProbe(actor),
  ])
  assertEpoch(actor, epoch)
  const row = rows?.[0]
  if (!found?.[0] || !row) throw new Problem("not_found")
  const own = found[0].own === 1
  return {
    ...deliveryOf(endpoint, row),
    body: own ? (row.body as string | null) : null,
    log: attempts.map(({ at, milliseconds, status, headers, body, error }) => ({
      at: at as string,
      milliseconds: milliseconds as number,
      status: status as number | null,
      headers: own && typeof headers === "string" ? JSON.parse(headers) : null,
      body: own ? (body as string | null) : null,
      error: error as string | null,
    })),
  }
}

const visibleEndpoint = (actor: UserActor, endpoint: string): Sql =>
  sql`SELECT ${isOwn(actor)} AS own FROM webhook_endpoints e WHERE e.id = ${endpoint} AND ${showsLog(actor)}`

const deliveryOf = (endpoint: string, row: Row): Delivery => ({
  id: row.id as string,
  messageId: messageId(endpoint, row.change as string),
  type: row.type as string,
  state: row.state as Delivery["state"],
  attempts: row.attempts as number,
  nextAt: row.finishedAt === null ? (row.nextAt as string) : null,
  createdAt: row.createdAt as string,
  finishedAt: row.finishedAt as string | null,
})
