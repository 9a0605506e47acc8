import { sql } from "drizzle-orm"
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core"

/**
 * What others have told this deployment, and proved to be theirs. In `main` alone; STRICT. Whether it has been applied is
 * said here; that it waits or was given up, by its job (`hooks.<source>`, whose key is the event's id). Times are ISO 8601
 * UTC with milliseconds.
 */
export const inboundEvents = sqliteTable(
  "inbound_events",
  {
    /** UUIDv7. */
    id: text().primaryKey(),
    source: text().notNull(),
    /** The sender's id, or `sha256:` and the hash of the body. There is no second event of a source with it. */
    eventId: text().notNull(),
    type: text(),
    /** JSON: those headers that say what it is. No signature, token or cookie. */
    headers: text().notNull(),
    /** As it came, where it is text that can be stored; else base64. May hold personal data: only administrators see it. */
    body: text().notNull(),
    encoding: text({ enum: ["utf8", "base64"] }).notNull(),
    /** Of the body as it came, in bytes. */
    sizeBytes: integer().notNull(),
    requestId: text().notNull(),
    receivedAt: text().notNull(),
    /** Null until it has been, and while it is replayed. */
    appliedAt: text(),
    /** How often somebody has asked for it to be applied again. */
    replays: integer().notNull().default(0),
  },
  (table) => [
    uniqueIndex("inbound_events_event").on(table.source, table.eventId),
    index("inbound_events_source").on(table.source, table.id),
    index("inbound_events_open").on(table.id).where(sql`appliedAt IS NULL`),
  ],
)
