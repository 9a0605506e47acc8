import { sql } from "drizzle-orm"
import { check, index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core"

/** What an `Idempotency-Key` was used for, kept 24 hours. Written in the batch of the write itself. */
export const idempotencyKeys = sqliteTable(
  "idempotency_keys",
  {
    /** Id of the person, after it the organisation for which they act, if any; or `anonymous`. */
    actor: text().notNull(),
    route: text().notNull(),
    key: text().notNull(),
    /** SHA-256 of the request body: another body under the same key is a mistake. */
    requestHash: text().notNull(),
    status: integer().notNull(),
    record: text().notNull(),
    version: integer().notNull(),
    createdAt: text().notNull(),
    /** Of a list of writes: JSON, for each `[record, version, status]`; `record` and `version` say nothing then. */
    results: text(),
  },
  (table) => [
    primaryKey({ columns: [table.actor, table.route, table.key] }),
    index("idempotency_keys_createdAt").on(table.createdAt),
  ],
)

/** Holds nothing: a trigger aborts the batch of whoever inserts, with the inserted text as the message. */
export const refusals = sqliteTable("refusals", { refusal: text().notNull() })

/** What a deletion takes along, for the statements of its batch. Empty outside of a batch. */
export const cascades = sqliteTable(
  "cascades",
  {
    /** Collection and id. */
    subject: text().notNull(),
    record: text().notNull(),
    /** `deleted`; or `released`: it stays, without its reference to what goes. */
    fate: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.subject, table.record] }),
    check("cascades_fate", sql`${table.fate} IN ('deleted', 'released')`),
  ],
)

/** What is refused of many writes, while they are judged together. Empty outside of a batch. */
export const sifted = sqliteTable("sifted", {
  /** Position of the write. */
  place: integer().primaryKey(),
  /** 1 where what follows cannot be judged. */
  halts: integer().notNull(),
  refusal: text().notNull(),
})

/** In which organisations of this database a member has a place; the projection of the directory's own table. */
export const memberOrganisations = sqliteTable(
  "member_organisations",
  {
    organisation: text().notNull(),
    member: text().notNull(),
    /** JSON array. */
    roles: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.organisation, table.member] }),
    index("member_organisations_member").on(table.member, table.organisation),
    check("member_organisations_roles", sql`json_valid(${table.roles})`),
  ],
)
