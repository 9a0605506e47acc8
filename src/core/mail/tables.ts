import { sql } from "drizzle-orm"
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core"
import { mailStates } from "./stored-mail.ts"
import { suppressionReasons } from "./suppressions.ts"

/*
 * Both tables are STRICT, and in every database; suppressions are kept in `main` alone, because they hold for the whole
 * deployment. Times are ISO 8601 UTC with milliseconds, so that they compare as text.
 */

/**
 * One mail to one recipient. After 30 days its subject, bodies, address and error are emptied; after 120 days the row
 * goes, and with it the memory of its cause (sweep.ts).
 */
export const mails = sqliteTable(
  "mails",
  {
    /** UUIDv7. The key of its first job, of its Message-ID, and of its request to a provider. */
    id: text().primaryKey(),
    /** What it is sent for, in the words of whoever sends it. There is no second mail for one cause. */
    cause: text().notNull(),
    template: text().notNull(),
    locale: text().notNull(),
    /** Of the list that one can unsubscribe from; null for what belongs to using the product. */
    list: text(),
    organisation: text(),
    /** Id of a person, whose address is looked up when the mail leaves; null for mail to an address. */
    recipient: text(),
    /** As written; null until it is known. What a driver has had may only be asked for again with this one. */
    address: text(),
    /** `normaliseAddress` of it: what the rate and filters compare. */
    addressNormalised: text(),
    name: text(),
    /** Empty once the mail is no longer readable, and never before. */
    subject: text().notNull(),
    /** Emptied when a driver other than the outbox has sent it: it may hold links that let one in. */
    text: text().notNull(),
    html: text().notNull(),
    /**
     * `waiting` for its job. `sending`: a driver has it. `sent`: accepted. `suppressed`: its address is on the list.
     * `failed`: refused for good, or too often. `uncertain`: it may have left, so it does not leave again by itself.
     */
    state: text({ enum: mailStates }).notNull(),
    /** How often a driver was given it. Whoever records an outcome names it, so that no late answer undoes a newer one. */
    attempts: integer().notNull().default(0),
    /** The last driver that was given it. */
    driver: text(),
    /** What the provider calls it. */
    messageId: text(),
    /** Why it was not accepted, for administrators. */
    error: text(),
    requestId: text().notNull(),
    createdAt: text().notNull(),
    /** Since when a driver may have had it; null when it certainly has not accepted it. Counts for the rate. */
    claimedAt: text(),
    sentAt: text(),
  },
  (table) => [
    uniqueIndex("mails_cause").on(table.cause),
    index("mails_state").on(table.state, table.id),
    index("mails_readable").on(table.id).where(sql`subject <> ''`),
    index("mails_template").on(table.template, table.id),
    index("mails_address")
      .on(table.addressNormalised, table.id)
      .where(sql`addressNormalised IS NOT NULL`),
    index("mails_claimed")
      .on(table.addressNormalised, table.claimedAt)
      .where(sql`claimedAt IS NOT NULL`),
  ],
)

/** Whom no mail is sent to. */
export const mailSuppressions = sqliteTable(
  "mail_suppressions",
  {
    id: text().primaryKey(),
    /** `normaliseAddress` of it. */
    address: text().notNull(),
    /** The list that is no longer wanted; empty for no mail at all. */
    list: text().notNull(),
    reason: text({ enum: suppressionReasons }).notNull(),
    /** What the other side said. */
    detail: text(),
    createdAt: text().notNull(),
  },
  (table) => [uniqueIndex("mail_suppressions_address").on(table.address, table.list)],
)
