import { sql } from "drizzle-orm"
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core"

/**
 * The one log. Every write of every collection and domain leaves a line here, in the batch of the write itself.
 * `payload` is the record as stored after the write (before it, when `kind` is `deleted`): text that is later hashed as
 * bytes, with `salt`, so that both can be erased while the chain of hashes holds.
 */
export const changes = sqliteTable(
  "changes",
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    /** A UUIDv7 that outlives the database's own numbering; not indexed, because every write would pay for it. */
    id: text().notNull(),
    /** ISO 8601 UTC. */
    at: text().notNull(),
    /** Id of the person; null for the system and for anonymous callers. */
    actor: text(),
    organisation: text(),
    /** Name of the collection, or a domain's type. */
    subject: text().notNull(),
    record: text().notNull(),
    version: integer().notNull(),
    kind: text({ enum: ["created", "updated", "deleted"] }).notNull(),
    /** What allowed the write: its rule, an administrator's pass over the rule, or the system itself. */
    authority: text({ enum: ["rule", "administrator", "system"] }).notNull(),
    requestId: text().notNull(),
    salt: text().notNull(),
    payload: text().notNull(),
    /** Id of the administrator who acted in the actor's name. */
    impersonator: text(),
  },
  (table) => [
    uniqueIndex("changes_record").on(table.subject, table.record, table.version),
    index("changes_organisation")
      .on(table.organisation, table.seq)
      .where(sql`${table.organisation} IS NOT NULL`),
    /** The bin of a collection. */
    index("changes_deleted").on(table.subject, table.seq).where(sql`${table.kind} = 'deleted'`),
    /** What one request deleted. */
    index("changes_deleted_together").on(table.requestId).where(sql`${table.kind} = 'deleted'`),
  ],
)

/** An object of NDJSON in R2 with lines that have left `changes`. */
export const changeSegments = sqliteTable("change_segments", {
  id: integer().primaryKey(),
  key: text().notNull().unique(),
  /** Hex. What is read must have it: else it is not what was archived. */
  sha256: text().notNull(),
  bytes: integer().notNull(),
  lines: integer().notNull(),
  createdAt: text().notNull(),
})

/** Says which segment holds a line: enough to find it by its record, its time, and its place in the log. */
export const archivedChanges = sqliteTable(
  "archived_changes",
  {
    seq: integer().primaryKey(),
    subject: text().notNull(),
    record: text().notNull(),
    version: integer().notNull(),
    at: text().notNull(),
    organisation: text(),
    segment: integer()
      .notNull()
      .references(() => changeSegments.id),
  },
  (table) => [
    uniqueIndex("archived_changes_record").on(table.subject, table.record, table.version),
  ],
)

/** Up to which line of the log those of a collection have been looked at by whoever moves them. */
export const archivePositions = sqliteTable("archive_positions", {
  subject: text().primaryKey().notNull(),
  seq: integer().notNull(),
})

/** Who follows the log beside the listeners in code: while there is nobody, the pump tells nobody. */
export const changeFollowers = sqliteTable("change_followers", {
  name: text().primaryKey().notNull(),
  /** Line up to which it has noted what it has to do. */
  seq: integer(),
})
