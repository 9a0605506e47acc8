import type { App } from "../../platform/app.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"

/** Lines of one statement, and endpoints times lines of it: no number of endpoints makes a statement that D1 gives up. */
const linesAtATime = 1_000
const rowsAtATime = { all: 10_000, some: 200 }

/** As much of what there is to do as one statement or turn takes, or so little that requests beside it hardly notice. */
export type Portion = keyof typeof rowsAtATime

/** Up to which line of the log deliveries are queued; NULL where nobody listens. */
const position = raw("(SELECT seq FROM change_followers WHERE name = 'webhooks')")

/**
 * Two statements, for one batch: they queue the next lines of the log for the endpoints that listen to them, and write down
 * up to where, so that each line is queued once, whoever dies. Of whether their owners may hear of them nothing is asked
 * yet: that is for the moment of delivery. The second answers a row where there were any, with `behind`: 1 where there
 * are more.
 */
export function announcement(app: App, portion: Portion = "all"): [Sql, Sql] {
  // Asked in each statement, so that it takes no trip of its own.
  const until = sql`min((SELECT max(seq) FROM changes), ${position} + max(1, min(${raw(String(linesAtATime))}, ${raw(String(rowsAtATime[portion]))} / max(1, (SELECT count(*) FROM webhook_endpoints)))))`
  return [
    sql`INSERT INTO webhook_deliveries (id, endpoint, seq, change, type, state, attempts, nextAt, createdAt)
SELECT ${deliveryId(app, position)}, e.id, c.seq, c.id, c.subject || '.' || c.kind, 'queued', 0, ${now(app)}, ${now(app)}
FROM changes c NOT INDEXED CROSS JOIN webhook_subscriptions s ON s.subject = c.subject AND s.kind = c.kind JOIN webhook_endpoints e ON e.id = s.endpoint
WHERE c.seq > ${position} AND c.seq <= ${until} AND e.enabled = 1 AND c.seq > e.since AND (c.organisation IS NULL OR c.organisation = e.organisation) ORDER BY c.seq
ON CONFLICT (endpoint, seq) DO NOTHING`,
    sql`UPDATE change_followers SET seq = ${until} WHERE name = 'webhooks' AND seq < (SELECT max(seq) FROM changes) RETURNING seq < (SELECT max(seq) FROM changes) AS behind`,
  ]
}

/** SQL about `c`, a line of the log: true while an endpoint may still be told of it. */
export const awaited = raw(
  "(EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.seq = c.seq AND d.finishedAt IS NULL) OR c.seq > ifnull((SELECT seq FROM change_followers WHERE name = 'webhooks'), 9e15))",
)

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
