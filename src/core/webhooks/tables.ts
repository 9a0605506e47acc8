import { sql } from "drizzle-orm"
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core"

/*
 * In each database of records: endpoints hear of the log of the database in which they stand.
 */

export const webhookEndpoints = sqliteTable(
  "webhook_endpoints",
  {
    id: text().primaryKey().notNull(),
    /** Account by whose rights everything that leaves is judged. */
    owner: text().notNull(),
    organisation: text(),
    /** JSON of `ActingKey`, where a key made it: narrower than its holder, and gone with the key. */
    key: text(),
    url: text().notNull(),
    description: text(),
    /** JSON array of types, such as `films.created`. */
    events: text().notNull(),
    filter: text(),
    /** JSON array of names; null: all that the owner may read. */
    fields: text(),
    /** Sealed JSON object: they may carry credentials. */
    headers: text(),
    /** JSON array: what of them is shown. */
    headerNames: text().notNull(),
    /** `v1`: HMAC-SHA256. `v1a`: Ed25519. */
    scheme: text({ enum: ["v1", "v1a"] }).notNull(),
    /** Sealed: the bytes of the HMAC's key, or the JWK. */
    secret: text().notNull(),
    publicKey: text(),
    /** What was in its place, signing too until then. */
    previousSecret: text(),
    previousUntil: text(),
    ratePerSecond: integer().notNull(),
    enabled: integer().notNull(),
    disabledReason: text(),
    disabledAt: text(),
    /** Line of the log after which it began to listen. */
    since: integer().notNull(),
    /** In a row. */
    failures: integer().notNull(),
    /** Of the first of them. */
    failingSince: text(),
    /** Nothing is sent before: the circuit is open, or the receiver asked for it. */
    pausedUntil: text(),
    createdAt: text().notNull(),
    updatedAt: text().notNull(),
    /** The last of the failures in a row. */
    failedAt: text(),
    /** Then there is nothing of it to be seen, and it waits for the sweep of its deliveries. */
    deletedAt: text(),
  },
  (table) => [index("webhook_endpoints_owner").on(table.owner, table.organisation, table.id)],
)

/** `events` of the endpoints that are enabled, as the pump asks for them. */
export const webhookSubscriptions = sqliteTable(
  "webhook_subscriptions",
  {
    subject: text().notNull(),
    kind: text({ enum: ["created", "updated", "deleted"] }).notNull(),
    endpoint: text()
      .notNull()
      .references(() => webhookEndpoints.id),
  },
  (table) => [
    primaryKey({ columns: [table.subject, table.kind, table.endpoint] }),
    index("webhook_subscriptions_endpoint").on(table.endpoint),
  ],
)

/** One line of the log that one endpoint may be told of, or a test of it. */
export const webhookDeliveries = sqliteTable(
  "webhook_deliveries",
  {
    /** UUIDv7. */
    id: text().primaryKey().notNull(),
    endpoint: text()
      .notNull()
      .references(() => webhookEndpoints.id),
    /** The line; null of a test. */
    seq: integer(),
    /** Id of the line, from which that of the event follows; of a test, its own. */
    change: text().notNull(),
    type: text().notNull(),
    /**
     * `queued`: nobody has asked yet whether its owner may hear of it, so it is shown to nobody. `waiting` for its next
     * attempt, with those behind it; `retrying`: it has stepped aside, and those behind it go on. Then `succeeded`,
     * `failed`, or `withheld`: its owner may not read it any more.
     */
    state: text({
      enum: ["queued", "waiting", "retrying", "succeeded", "failed", "withheld"],
    }).notNull(),
    /** Failed ones, since it was last asked for. */
    attempts: integer().notNull(),
    nextAt: text().notNull(),
    /** As it was last sent, where it is short enough to keep. */
    body: text(),
    createdAt: text().notNull(),
    finishedAt: text(),
  },
  (table) => [
    uniqueIndex("webhook_deliveries_line").on(table.endpoint, table.seq),
    index("webhook_deliveries_endpoint")
      .on(table.endpoint, table.id)
      .where(sql`${table.state} <> 'queued'`),
    index("webhook_deliveries_queue")
      .on(table.endpoint, table.seq)
      .where(sql`${table.state} IN ('queued', 'waiting')`),
    index("webhook_deliveries_aside")
      .on(table.endpoint, table.nextAt)
      .where(sql`${table.state} = 'retrying'`),
    /** Lines that somebody may still be told of do not leave for the archive. */
    index("webhook_deliveries_unfinished").on(table.seq).where(sql`${table.finishedAt} IS NULL`),
    index("webhook_deliveries_finishedAt")
      .on(table.finishedAt)
      .where(sql`${table.finishedAt} IS NOT NULL`),
  ],
)

/** What a receiver said. */
export const webhookAttempts = sqliteTable(
  "webhook_attempts",
  {
    id: integer().primaryKey().notNull(),
    delivery: text()
      .notNull()
      .references(() => webhookDeliveries.id),
    at: text().notNull(),
    milliseconds: integer().notNull(),
    /** Null where there was no answer. */
    status: integer(),
    /** JSON object. */
    headers: text(),
    /** Its first KB. */
    body: text(),
    /** Why there was no answer, or why it does not count. */
    error: text(),
  },
  (table) => [index("webhook_attempts_delivery").on(table.delivery)],
)
