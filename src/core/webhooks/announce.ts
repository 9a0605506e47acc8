import type { App } from "../../platform/app.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import type { Announce } from "../changes/pump.ts"
import { wakeEndpoints } from "./wake.ts"

/** Lines of one statement, and endpoints times lines of it: no number of endpoints makes a statement that D1 gives up. */
const linesAtATime = 1_000
const rowsAtATime = 10_000

/**
 * Queues the lines after `from`, up to `to`, for the endpoints that listen to them. Of whether their owners may hear of
 * them nothing is asked yet: that is for the moment of delivery. One trip for a batch of the pump, as long as there are a
 * hundred endpoints; what was queued before stays as it is.
 */
export const announce: Announce = async (app, from, to) => {
  for (let after = from; after < to; ) {
    // Asked in each statement, so that it takes no trip of its own.
    const until = sql`min(CAST(${to} AS INTEGER), CAST(${after} AS INTEGER) + max(1, min(${raw(String(linesAtATime))}, ${raw(String(rowsAtATime))} / max(1, (SELECT count(*) FROM webhook_endpoints)))))`
    const [[stretch] = [], endpoints = []] = await app.db.batch([
      sql`SELECT ${until} AS until`,
      sql`SELECT DISTINCT e.id AS endpoint ${listening(after, until)}`,
      sql`INSERT INTO webhook_deliveries (id, endpoint, seq, change, type, state, attempts, nextAt, createdAt)
SELECT ${deliveryId(app, sql`CAST(${after} AS INTEGER)`)}, e.id, c.seq, c.id, c.subject || '.' || c.kind, 'queued', 0, ${now(app)}, ${now(app)} ${listening(after, until)} ORDER BY c.seq
ON CONFLICT (endpoint, seq) DO NOTHING`,
    ])
    // Before the pump's mark passes them: a killed process leaves nothing waiting for somebody to come by.
    await wakeEndpoints(
      app,
      endpoints.map(({ endpoint }) => endpoint as string),
    )
    after = stretch?.until as number
  }
}

/** SQL about `c`, a line of the log: true while an endpoint may still be told of it. */
export const awaited = raw(
  "EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.seq = c.seq AND d.finishedAt IS NULL)",
)

/** Lines of a stretch and who listens to them: of their own organisation, or of none. */
const listening = (after: number, until: Sql) =>
  sql`FROM changes c JOIN webhook_subscriptions s ON s.subject = c.subject AND s.kind = c.kind JOIN webhook_endpoints e ON e.id = s.endpoint
WHERE c.seq > CAST(${after} AS INTEGER) AND c.seq <= ${until} AND e.enabled = 1 AND c.seq > e.since AND (c.organisation IS NULL OR c.organisation = e.organisation)`

/**
 * SQL for a UUIDv7 a line `c` of the log: the app's milliseconds, then what the line's number says, so that the log of
 * deliveries has the lines of one instant in their order (RFC 9562, 6.2, method 1), then random bits.
 *
 * @param first a number that is not above the lines'
 */
export function deliveryId(app: App, first: Sql): Sql {
  // What twelve bits do not hold is carried into the time.
  const time = sql`CAST(${app.now()} AS INTEGER) + (c.seq >> 12) - (${first} >> 12)`
  const random = raw(
    "substr('89ab', 1 + (random() & 3), 1) || substr(lower(hex(randomblob(2))), 2) || '-' || lower(hex(randomblob(6)))",
  )
  return sql`printf('%08x-%04x-7%03x-', (${time}) >> 16, (${time}) & 65535, c.seq & 4095) || ${random}`
}

export const now = (app: App): string => new Date(app.now()).toISOString()
