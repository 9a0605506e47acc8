import { sql } from "drizzle-orm"
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core"

/*
 * What takes longer than a request: imports, and changes of all that a filter finds. In the database of the records, so that
 * an operation moves on in the batch of the very writes that it counts. STRICT in the migration.
 */

export const bulkOperations = sqliteTable(
  "bulk_operations",
  {
    /** UUIDv7. */
    id: text().primaryKey(),
    kind: text({ enum: ["import", "update", "delete"] }).notNull(),
    collection: text().notNull(),
    /** Id of the person who asked for it, and alone may look at it. */
    owner: text().notNull(),
    organisation: text(),
    /** JSON: for whom it acts, with the roles and the epoch of when it was asked for. Without the address. */
    actor: text().notNull(),
    /** JSON: the way of an import; filter and patch of a change. */
    request: text().notNull(),
    /** `receiving` until all of the file is here. */
    state: text({ enum: ["receiving", "running", "succeeded", "failed"] }).notNull(),
    /** JSON: why it failed. */
    problem: text(),
    /** Rows of the file, or records that the filter found at first. */
    total: integer().notNull(),
    /** Where it goes on: the next part of the file, or the id after which the next records come. */
    place: text().notNull(),
    rows: integer().notNull(),
    created: integer().notNull(),
    updated: integer().notNull(),
    unchanged: integer().notNull(),
    deleted: integer().notNull(),
    refused: integer().notNull(),
    createdAt: text().notNull(),
    finishedAt: text(),
    /**
     * While it is `receiving`: when the last of it came, so that an upload that broke off can be told from a slow one. Empty
     * once it is given up: then its parts are being deleted.
     */
    receivedAt: text(),
  },
  (table) => [
    index("bulk_operations_createdAt").on(table.createdAt),
    index("bulk_operations_owner").on(table.owner, table.createdAt),
    index("bulk_operations_receiving")
      .on(table.receivedAt)
      .where(sql`${table.state} = 'receiving'`),
  ],
)

/** What of a file is still to be written: a batch each. Deleted in the batch that writes it. */
export const bulkParts = sqliteTable(
  "bulk_parts",
  {
    operation: text().notNull(),
    position: integer().notNull(),
    /** JSON: rows by field, with their lines; some refused already. At most 2 MB. */
    rows: text().notNull(),
  },
  (table) => [uniqueIndex("bulk_parts_position").on(table.operation, table.position)],
)

/** Each row or record that was refused, in the order in which it was found out. */
export const bulkRefusals = sqliteTable(
  "bulk_refusals",
  {
    operation: text().notNull(),
    position: integer().notNull(),
    /** JSON. */
    refusal: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.operation, table.position] })],
)
