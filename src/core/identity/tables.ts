import { sql } from "drizzle-orm"
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core"

/*
 * The directory (`app.directory`) and, at the end, two tables that identity keeps in each database of records.
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
    /** PHC string with Argon2id, after `pepper=<version>;` where there is one; null for a person who has no password. */
    passwordHash: text(),
    /** JSON array of names, sorted. The index below finds `administrator` in this text. */
    roles: text({ mode: "json" }).$type<string[]>().notNull(),
    /** Rises when what a token says of the person is no longer true: roles, memberships, password. */
    epoch: integer().notNull(),
    /** Rises with every change that the projection must follow; the projection carries it as its own version. */
    version: integer().notNull(),
    createdAt: text().notNull(),
    updatedAt: text().notNull(),
    /** Anonymous people and services have no address: theirs is `<kind>:<id>`, which no address looks like. */
    kind: text({ enum: ["person", "anonymous", "service"] }).notNull(),
    emailVerifiedAt: text(),
    /** Signs in no more; whoever sets it raises the epoch. */
    disabledAt: text(),
    /** Language of mails, as BCP 47. */
    locale: text(),
  },
  (table) => [
    uniqueIndex("users_emailNormalised").on(table.emailNormalised),
    index("users_kind").on(table.kind, table.id),
    index("users_accounts").on(table.id).where(sql`kind <> 'anonymous'`),
    index("users_services").on(table.id).where(sql`kind = 'service'`),
    // Without regard to case (COLLATE NOCASE), for the search by administrators.
    index("users_name").on(table.name),
    index("users_administrators").on(table.id).where(sql`instr(roles, '"administrator"') > 0`),
  ],
)

export const organisations = sqliteTable("organisations", {
  id: text().primaryKey(),
  name: text().notNull(),
  /** Where its records lie: `main`, or the lower-case name of a binding `DB_<NAME>`. */
  database: text().notNull(),
  createdAt: text().notNull(),
  /** JSON: what it demands of its members (organisation-policy.ts). */
  policy: text({ mode: "json" }).notNull(),
  version: integer().notNull(),
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
    /** JSON array: how the person proved who they are (RFC 8176). */
    methods: text({ mode: "json" }).$type<string[]>().notNull(),
    /** When they last did. */
    authenticatedAt: text().notNull(),
    /** Id of the administrator who acts in the person's name. */
    impersonator: text(),
  },
  (table) => [
    index("sessions_user").on(table.user, table.id),
    index("sessions_impersonator")
      .on(table.impersonator)
      .where(sql`${table.impersonator} IS NOT NULL`),
  ],
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

/**
 * In each database of records: its API keys, so that the trip of a request itself says whether its key is good. A key that
 * has ended keeps its row: the row is what says so.
 */
export const apiKeyStates = sqliteTable("api_key_states", {
  /** Of `api_keys`. */
  id: text().primaryKey(),
  /** The same as there: whoever could forge a key's signature would still need the one that was given out. */
  hash: text().notNull(),
  /** Null for a key that does not expire. Compared with the clock of the database. */
  endsAt: text(),
})

/**
 * Whatever is sent by mail and used once: links and codes. A token is deleted by the batch that uses it. With the purpose
 * `challenge` it is the other way round: the row says that a challenge was used (challenges.ts).
 */
export const accountTokens = sqliteTable(
  "account_tokens",
  {
    /** SHA-256 (hex) of a token of 256 random bits; for short codes an HMAC with the deployment's secret. */
    hash: text().primaryKey(),
    purpose: text().notNull(),
    user: text().references(() => users.id),
    /** JSON: what the purpose needs, such as a new address. */
    data: text({ mode: "json" }).notNull(),
    /** Wrong codes so far. */
    attempts: integer().notNull(),
    createdAt: text().notNull(),
    expiresAt: text().notNull(),
  },
  (table) => [
    index("account_tokens_user").on(table.user, table.purpose),
    index("account_tokens_expiresAt").on(table.expiresAt),
  ],
)

/** WebAuthn credentials. */
export const passkeys = sqliteTable(
  "passkeys",
  {
    /** The credential's id, base64url. */
    id: text().primaryKey(),
    user: text()
      .notNull()
      .references(() => users.id),
    /** COSE, base64url. */
    publicKey: text().notNull(),
    /** Signatures so far, as the authenticator counts them; 0 where it does not. */
    counter: integer().notNull(),
    transports: text({ mode: "json" }).$type<string[]>().notNull(),
    backedUp: integer().notNull(),
    name: text().notNull(),
    createdAt: text().notNull(),
    lastUsedAt: text(),
    /** 1: sign-in by other ways asks for it. Else it is one more way to sign in, and a password is enough. */
    secondFactor: integer().notNull(),
  },
  (table) => [index("passkeys_user").on(table.user, table.createdAt)],
)

/** TOTP (RFC 6238). */
export const authenticators = sqliteTable(
  "authenticators",
  {
    id: text().primaryKey(),
    user: text()
      .notNull()
      .references(() => users.id),
    /** Encrypted: AES-GCM with a key that is derived from the deployment's secret. */
    secret: text().notNull(),
    name: text().notNull(),
    /** Time step of the last code that was accepted: none is accepted twice. */
    lastStep: integer().notNull(),
    createdAt: text().notNull(),
    /** Before it, the authenticator does not count. */
    confirmedAt: text(),
  },
  (table) => [index("authenticators_user").on(table.user)],
)

export const recoveryCodes = sqliteTable(
  "recovery_codes",
  {
    user: text()
      .notNull()
      .references(() => users.id),
    /** HMAC with the deployment's secret. */
    hash: text().notNull(),
    createdAt: text().notNull(),
    usedAt: text(),
  },
  (table) => [primaryKey({ columns: [table.user, table.hash] })],
)

/** Whom an identity provider (Google, GitHub, any OIDC issuer) knows a person as: one more way to sign in. */
export const identities = sqliteTable(
  "identities",
  {
    /** UUIDv7. */
    id: text().primaryKey(),
    user: text()
      .notNull()
      .references(() => users.id),
    /** What the deployment's settings called the provider when it was linked; for show. */
    provider: text().notNull(),
    /** Who vouches: a provider may get another name here, but no other issuer gets its people. */
    issuer: text().notNull(),
    /** Whom the issuer means, for ever. Never an address: those change hands. */
    subject: text().notNull(),
    /** The verified address that the issuer told when it was linked; for show. */
    email: text().notNull(),
    createdAt: text().notNull(),
    lastUsedAt: text(),
  },
  (table) => [
    uniqueIndex("identities_subject").on(table.issuer, table.subject),
    index("identities_user").on(table.user, table.createdAt),
  ],
)

/** Credentials of programs. */
export const apiKeys = sqliteTable(
  "api_keys",
  {
    id: text().primaryKey(),
    /** A person, or a service account. */
    user: text()
      .notNull()
      .references(() => users.id),
    organisation: text().references(() => organisations.id),
    name: text().notNull(),
    /** SHA-256 (hex) of the whole key, which has 256 random bits. */
    hash: text().notNull(),
    /** Its last characters, to tell keys apart. */
    hint: text().notNull(),
    /** JSON array: `<collection or *>:<read, create, update, delete or *>`. */
    scopes: text({ mode: "json" }).$type<string[]>().notNull(),
    createdAt: text().notNull(),
    createdBy: text().notNull(),
    expiresAt: text(),
    /** To the hour: a key in use must not write at each call. */
    lastUsedAt: text(),
    revokedAt: text(),
  },
  (table) => [
    uniqueIndex("api_keys_hash").on(table.hash),
    index("api_keys_user").on(table.user, table.id),
  ],
)

export const invitations = sqliteTable(
  "invitations",
  {
    id: text().primaryKey(),
    organisation: text()
      .notNull()
      .references(() => organisations.id),
    email: text().notNull(),
    emailNormalised: text().notNull(),
    roles: text({ mode: "json" }).$type<string[]>().notNull(),
    /** SHA-256 (hex) of the token in the link. */
    hash: text().notNull(),
    invitedBy: text().notNull(),
    createdAt: text().notNull(),
    expiresAt: text().notNull(),
    acceptedAt: text(),
    revokedAt: text(),
  },
  (table) => [
    uniqueIndex("invitations_hash").on(table.hash),
    index("invitations_organisation").on(table.organisation, table.id),
  ],
)

/** Invitations to the deployment. Open ones alone: what has ended has no row. */
export const userInvitations = sqliteTable(
  "user_invitations",
  {
    /** UUIDv7. */
    id: text().primaryKey(),
    /** As whoever invited has typed it. */
    email: text().notNull(),
    emailNormalised: text().notNull(),
    /** JSON array: the deployment's roles that whoever accepts gets. */
    roles: text({ mode: "json" }).$type<string[]>().notNull(),
    /** SHA-256 (hex) of the token in the link. */
    hash: text().notNull(),
    /** It is good while this person administers the deployment. */
    invitedBy: text().notNull(),
    createdAt: text().notNull(),
    expiresAt: text().notNull(),
  },
  (table) => [
    uniqueIndex("user_invitations_hash").on(table.hash),
    uniqueIndex("user_invitations_emailNormalised").on(table.emailNormalised),
    index("user_invitations_expiresAt").on(table.expiresAt),
  ],
)

/** Security events of people and organisations; written in the batch of what they tell of, and never changed. */
export const auditEvents = sqliteTable(
  "audit_events",
  {
    /** UUIDv7. */
    id: text().primaryKey(),
    at: text().notNull(),
    kind: text().notNull(),
    /** Whom it concerns. */
    user: text(),
    /** Who did it; null for the system. */
    actor: text(),
    organisation: text(),
    session: text(),
    /** The neighbourhood of the network address: /24, or /48. */
    network: text(),
    userAgent: text(),
    /** JSON, without secrets and addresses. */
    detail: text({ mode: "json" }).notNull(),
    requestId: text().notNull(),
  },
  (table) => [
    index("audit_events_kind").on(table.kind, table.id),
    index("audit_events_user").on(table.user, table.id).where(sql`${table.user} IS NOT NULL`),
    index("audit_events_organisation")
      .on(table.organisation, table.id)
      .where(sql`${table.organisation} IS NOT NULL`),
  ],
)
