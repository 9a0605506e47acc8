import { sql } from "drizzle-orm"
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core"

/*
 * The directory (`app.directory`) and, at the end, the one table that identity keeps in each database of records.
 * All are STRICT and WITHOUT ROWID in the migration. Times are ISO 8601 UTC with milliseconds, so that they compare as
 * text. The projection `members` and `member_organisations` stands in the migration of the records.
 */

/** A person, as they sign in. */
export const users = sqliteTable(
  "users",
  {
    /** UUIDv7; also the id of the projection `members`. */
    id: text().primaryKey(),
    /** As typed, for display and for mail. */
    email: text().notNull(),
    /** `normaliseEmail` of it: what sign-in looks for. */
    emailNormalised: text().notNull(),
    name: text(),
    /** PHC string with Argon2id; null for a person who has no password. */
    passwordHash: text(),
    /** JSON array of names, sorted. The index below finds `administrator` in this text. */
    roles: text({ mode: "json" }).$type<string[]>().notNull(),
    /** Rises when what a token says of the person is no longer true: roles, memberships, password. */
    epoch: integer().notNull(),
    /** Rises with every change that the projection must follow; the projection carries it as its own version. */
    version: integer().notNull(),
    createdAt: text().notNull(),
    updatedAt: text().notNull(),
  },
  (table) => [
    uniqueIndex("users_emailNormalised").on(table.emailNormalised),
    index("users_administrators").on(table.id).where(sql`instr(roles, '"administrator"') > 0`),
  ],
)

export const organisations = sqliteTable("organisations", {
  id: text().primaryKey(),
  name: text().notNull(),
  /** Where its records lie: `main`, or the lower-case name of a binding `DB_<NAME>`. */
  database: text().notNull(),
  createdAt: text().notNull(),
})

/** Whoever writes here raises the person's epoch and version in the same batch. */
export const organisationMembers = sqliteTable(
  "organisation_members",
  {
    organisation: text()
      .notNull()
      .references(() => organisations.id),
    user: text()
      .notNull()
      .references(() => users.id),
    /** JSON array of names. They hold in tokens of this organisation only. */
    roles: text({ mode: "json" }).$type<string[]>().notNull(),
    createdAt: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.organisation, table.user] }),
    index("organisation_members_user").on(table.user, table.createdAt),
  ],
)

/** One sign-in on one device, and the family of refresh tokens that descends from it. */
export const sessions = sqliteTable(
  "sessions",
  {
    id: text().primaryKey(),
    user: text()
      .notNull()
      .references(() => users.id),
    /** The organisation that its tokens speak for. */
    organisation: text().references(() => organisations.id),
    /**
     * SHA-256 (hex) of the one refresh token that may be used now. Its predecessor needs no column: the successor is
     * derived from the token that is presented, so a replay is known by its successor's hash (refresh-tokens.ts).
     */
    refreshHash: text().notNull(),
    /** The first 200 characters, to tell devices apart. */
    userAgent: text(),
    createdAt: text().notNull(),
    /** The last rotation, or the sign-in. */
    lastUsedAt: text().notNull(),
    /** 30 days after the last rotation. */
    expiresAt: text().notNull(),
    revokedAt: text(),
  },
  (table) => [index("sessions_user").on(table.user, table.id)],
)

/** Failed sign-ins in a window, counted exactly, for accounts that exist and for those that do not. */
export const signInAttempts = sqliteTable(
  "sign_in_attempts",
  {
    /** HMAC of the address that was typed, or of the network address: neither can be read back. */
    key: text().primaryKey(),
    attempts: integer().notNull(),
    /** End of the window; afterwards the row counts for nothing. */
    expiresAt: text().notNull(),
  },
  (table) => [index("sign_in_attempts_expiresAt").on(table.expiresAt)],
)

/**
 * In each database of records: sessions that were ended while an access token of theirs was still good. Reads and writes
 * look here beside the epoch, so that one device can be signed out at once without disturbing the others.
 */
export const sessionRevocations = sqliteTable(
  "session_revocations",
  {
    session: text().primaryKey(),
    /** When the last access token of the session has expired, and the row may go. */
    expiresAt: text().notNull(),
  },
  (table) => [index("session_revocations_expiresAt").on(table.expiresAt)],
)
