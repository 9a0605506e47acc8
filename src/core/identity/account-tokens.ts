import { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import type { App } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { refuse } from "./directory-guard.ts"

/*
 * What is mailed and used once: `hat_` and 256 random bits in base64url. Only SHA-256 of it is stored, which is enough for
 * so much chance; whoever reads the table can use none of them. A look-up by hash tells a guesser nothing by its time.
 */

/** For how many seconds each kind is good. */
export const tokenSeconds = {
  email_verification: 3 * 86_400,
  password_reset: 3_600,
  email_change: 86_400,
  /** Long enough for somebody who comes back from a holiday to find that their account was taken. */
  email_undo: 7 * 86_400,
  /** As long as the undoing that it is there for. Its hash is that of an address, and no token has it. */
  email_reservation: 7 * 86_400,
  mail_link: 600,
  mail_code: 600,
} as const

export type TokenPurpose = keyof typeof tokenSeconds

export interface AccountToken {
  /** For the mail alone. */
  readonly text: string
  /** SHA-256 in hex, for the table. */
  readonly hash: string
}

export function newAccountToken(): AccountToken {
  const random = crypto.getRandomValues(Buffer.alloc(32))
  const text = `hat_${random.toString("base64url")}`
  return { text, hash: tokenHash(text) }
}

export const tokenHash = (text: string): string => createHash("sha256").update(text).digest("hex")

interface NewToken {
  readonly hash: string
  readonly purpose: TokenPurpose
  /** Null for nobody: a row that nothing can be done with, so that both kinds of request write one. */
  readonly user: string | null
  readonly data?: Readonly<Record<string, string>>
}

/** Forgets a few that have expired, and keeps this one. */
export function insertToken(app: App, { hash, purpose, user, data = {} }: NewToken): Sql[] {
  const now = app.now()
  const end = iso(now + tokenSeconds[purpose] * 1_000)
  return [
    sql`DELETE FROM account_tokens WHERE hash IN (SELECT hash FROM account_tokens WHERE expiresAt <= ${iso(now)} LIMIT 20)`,
    sql`INSERT INTO account_tokens (hash, purpose, user, data, attempts, createdAt, expiresAt) VALUES (${hash}, ${purpose}, ${user}, ${JSON.stringify(data)}, CAST(0 AS INTEGER), ${iso(now)}, ${end})`,
  ]
}

/** The living token of that purpose, as `user` and `data`. */
export const selectToken = (app: App, hash: string, purpose: TokenPurpose): Sql =>
  sql`SELECT user, data FROM account_tokens WHERE hash = ${hash} AND purpose = ${purpose} AND expiresAt > ${iso(app.now())} AND user IS NOT NULL`

/**
 * Uses a token up, first in the batch of what it allows: of two at once, the second finds nothing and the batch is refused
 * with `code_invalid`.
 */
export const spendToken = (app: App, hash: string, purpose: TokenPurpose): Sql[] => [
  refuse("code_invalid", sql`NOT EXISTS (${selectToken(app, hash, purpose)})`),
  sql`DELETE FROM account_tokens WHERE hash = ${hash}`,
]

/** All that a person has of these kinds is void. */
export const voidTokens = (user: string, purposes: readonly TokenPurpose[]): Sql =>
  sql`DELETE FROM account_tokens WHERE user = ${user} AND purpose IN (SELECT value FROM json_each(${JSON.stringify(purposes)}))`

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString()
