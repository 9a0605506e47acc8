import type { App } from "../../platform/app.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { now } from "./announce.ts"

/*
 * How an endpoint goes. First all that it says, with what it listens to, in one batch; and then, by the clock, what was sent
 * to it, because that may be more than one transaction takes.
 */

/** Deliveries of one transaction. */
const removedRows = 1_000

/** Statements after which the endpoints that `which` names (SQL about `webhook_endpoints`) say nothing any more. */
export function emptyEndpoints(app: App, which: Sql): Sql[] {
  const at = now(app)
  const these = sql`SELECT id FROM webhook_endpoints WHERE ${which}`
  return [
    sql`DELETE FROM webhook_subscriptions WHERE endpoint IN (${these})`,
    sql`UPDATE webhook_endpoints SET enabled = 0, disabledReason = 'request', disabledAt = ${at}, deletedAt = ${at}, url = '', description = NULL, events = '[]', filter = NULL, fields = NULL, headers = NULL, headerNames = '[]', secret = '', publicKey = NULL, previousSecret = NULL, previousUntil = NULL WHERE ${which}`,
    // Nothing to wait for.
    raw(
      "DELETE FROM webhook_endpoints WHERE deletedAt IS NOT NULL AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint = webhook_endpoints.id) AND NOT EXISTS (SELECT 1 FROM webhook_subscriptions s WHERE s.endpoint = webhook_endpoints.id)",
    ),
    raw(
      "DELETE FROM change_followers WHERE name = 'webhooks' AND NOT EXISTS (SELECT 1 FROM webhook_endpoints WHERE deletedAt IS NULL)",
    ),
  ]
}

/** Deletes deliveries with their attempts, a thousand in a trip. `old` selects the ids of all of them, in some order. */
export async function deleteDeliveries(app: App, old: Sql): Promise<void> {
  const some = sql`${old} LIMIT CAST(${removedRows} AS INTEGER)`
  for (let full = true; full; ) {
    const results = await app.db.batch([
      sql`DELETE FROM webhook_attempts WHERE delivery IN (${some})`,
      sql`DELETE FROM webhook_deliveries WHERE id IN (${some}) RETURNING id`,
    ])
    full = results[1]?.length === removedRows
  }
}

/**
 * Empties endpoints whose owner's account or organisation is not there any more, and removes all that was emptied, with
 * what was sent. Two trips, and more where there is something to remove.
 */
export async function removeEndpoints(app: App): Promise<void> {
  const known = await app.db.all(
    raw("SELECT DISTINCT owner, organisation FROM webhook_endpoints WHERE deletedAt IS NULL"),
  )
  const left = await app.directory.all(
    sql`SELECT value ->> 0 AS owner, value ->> 1 AS organisation FROM json_each(${JSON.stringify(known.map(({ owner, organisation }) => [owner, organisation]))})
WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = value ->> 0 AND u.email <> 'deleted:' || u.id AND (u.kind <> 'service' OR u.disabledAt IS NULL)) OR value ->> 1 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM organisations o WHERE o.id = value ->> 1)`,
  )
  if (left.length > 0) {
    const pairs = JSON.stringify(left.map(({ owner, organisation }) => [owner, organisation]))
    await app.db.batch(
      emptyEndpoints(
        app,
        sql`deletedAt IS NULL AND EXISTS (SELECT 1 FROM json_each(${pairs}) WHERE value ->> 0 = owner AND value ->> 1 IS organisation)`,
      ),
    )
    app.log("info", "webhook endpoints of nobody removed", { holders: left.length })
  }
  const emptied = await app.db.all(
    raw("SELECT id FROM webhook_endpoints WHERE deletedAt IS NOT NULL ORDER BY id"),
  )
  for (const { id } of emptied) {
    const endpoint = id as string
    await deleteDeliveries(
      app,
      sql`SELECT id FROM webhook_deliveries WHERE endpoint = ${endpoint} ORDER BY seq, id`,
    )
    await app.db.batch(emptyEndpoints(app, sql`id = ${endpoint} AND deletedAt IS NOT NULL`))
  }
}
