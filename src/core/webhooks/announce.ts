import type { App } from "../../platform/app.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import type { Announce } from "../changes/pump.ts"

/** Statements of one transaction; lines in one of them. A batch of the pump has a hundred. */
const linesAtATime = 1_000

/**
 * Queues the lines after `from`, up to `to`, for the endpoints that listen to them. Of whether their owners may hear of
 * them nothing is asked yet: that is for the moment of delivery. One trip for a batch of the pump, however many endpoints
 * there are; what was queued before stays as it is.
 */
export const announce: Announce = async (app, from, to) => {
  for (let after = from; after < to; after += linesAtATime) {
    const until = Math.min(to, after + linesAtATime)
    const [endpoints = []] = await app.db.batch([
      sql`SELECT DISTINCT e.id AS endpoint ${listening(after, until)}`,
      sql`INSERT INTO webhook_deliveries (id, endpoint, seq, change, type, state, attempts, nextAt, createdAt)
SELECT ${deliveryId(app, sql`CAST(${after} AS INTEGER)`)}, e.id, c.seq, c.id, c.subject || '.' || c.kind, 'queued', 0, ${now(app)}, ${now(app)} ${listening(after, until)} ORDER BY c.seq
ON CONFLICT (endpoint, seq) DO NOTHING`,
    ])
    // Before the pump's mark passes them: a killed process leaves nothing waiting for somebody to come by.
    await Promise.all(endpoints.map(({ endpoint }) => app.wakeEndpoint(endpoint as string)))
  }
}

/** Lines of a stretch and who listens to them: of their own organisation, or of none. */
const listening = (after: number, until: number) =>
  sql`FROM changes c JOIN webhook_subscriptions s ON s.subject = c.subject AND s.kind = c.kind JOIN webhook_endpoints e ON e.id = s.endpoint
WHERE c.seq > CAST(${after} AS INTEGER) AND c.seq <= CAST(${until} AS INTEGER) AND e.enabled = 1 AND c.seq > e.since AND (c.organisation IS NULL OR c.organisation = e.organisation)`

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
