import { createHmac } from "node:crypto"
import type { Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { networkOf } from "../../platform/rate-limit.ts"
import { type Sql, sql } from "../../platform/sql.ts"

/*
 * Exact limits on password guesses. An attempt is counted before the password is looked at, in the batch that reads the
 * hash, so that parallel guesses cannot slip past; a success takes its count back. An account that does not exist is
 * counted and locked like any other. Beyond the limit nothing is written, so a flood costs reads only.
 */
export const accountLimit = 10
export const addressLimit = 100
/** A code has a million values, of which three are right at a time: fewer guesses than of passwords. */
export const codeLimit = 5
export const windowSeconds = 15 * 60

/** How often within a window. */
export interface AttemptLimits {
  readonly account: number
  readonly address: number
}
const guesses: AttemptLimits = { account: accountLimit, address: addressLimit }

/** Of mails that somebody asks for: enough for those who look in the wrong folder first, too few to fill a mailbox. */
const mailLimits: AttemptLimits = { account: 5, address: 50 }

/** Of people without an account: of one network, and of all networks together. */
export const arrivalLimits: AttemptLimits = { account: 2_000, address: 20 }

export interface AttemptKeys {
  readonly account: string
  readonly address: string
  readonly limits: AttemptLimits
}

/** Of sign-ups that came to nothing, of one network: each tells that an address has an account. */
export const signUpLimit = 50

/** Keys without meaning to a reader of the table: MACs of the account's and the caller's address. Each purpose counts apart. */
export const attemptKeys = (
  secret: string,
  email: string,
  address: string,
  purpose = "sign-in",
): AttemptKeys => ({
  account: keyOf(secret, `${purpose}-account`, email),
  address: keyOf(secret, `${purpose}-address`, networkOf(address)),
  limits: purpose === "sign-in" ? guesses : mailLimits,
})

/** Of new anonymous sessions: what counts in the account's place is the whole deployment. */
export const arrivalKeys = (secret: string, address: string): AttemptKeys => ({
  ...attemptKeys(secret, "", address, "anonymous"),
  limits: arrivalLimits,
})

/** Of sign-ups: only the network counts. Who asks about an address must not keep its owner from signing up with it. */
export const signUpKeys = (secret: string, address: string): AttemptKeys => ({
  ...attemptKeys(secret, networkOf(address), address, "sign-up"),
  limits: { account: signUpLimit, address: signUpLimit },
})

/** The same for guesses of a person's codes, whichever way they come: a count of its own, which no password takes back. */
export const codeAttemptKeys = (secret: string, user: string, address: string): AttemptKeys => ({
  account: keyOf(secret, "sign-in-codes", user),
  address: keyOf(secret, "sign-in-address", networkOf(address)),
  limits: { account: codeLimit, address: addressLimit },
})

const keyOf = (secret: string, kind: string, value: string): string =>
  createHmac("sha256", secret).update(`${kind}\n${value}`).digest("base64url").slice(0, 32)

/** Sweeps, counts the attempt, and as the last statement selects the counts for `assertUnlocked`. */
export function reserveAttempt(keys: AttemptKeys, now: number): Sql[] {
  const at = new Date(now).toISOString()
  const end = new Date(now + windowSeconds * 1000).toISOString()
  // One above the limit stands for "refused"; there the count stops.
  const count = (key: string, limit: number, when: Sql) =>
    sql`INSERT INTO sign_in_attempts (key, attempts, expiresAt) SELECT ${key}, 1, ${end} WHERE ${when}
ON CONFLICT (key) DO UPDATE SET attempts = iif(expiresAt <= ${at}, 1, attempts + 1), expiresAt = iif(expiresAt <= ${at}, excluded.expiresAt, expiresAt)
WHERE attempts <= ${limit} OR expiresAt <= ${at}`
  return [
    sql`DELETE FROM sign_in_attempts WHERE key IN (SELECT key FROM sign_in_attempts WHERE expiresAt <= ${at} LIMIT 20)`,
    count(keys.address, keys.limits.address, sql`1`),
    // An address that is locked out must not lock out accounts any further.
    count(
      keys.account,
      keys.limits.account,
      sql`EXISTS (SELECT 1 FROM sign_in_attempts WHERE key = ${keys.address} AND attempts <= ${keys.limits.address})`,
    ),
    sql`SELECT key, attempts, expiresAt FROM sign_in_attempts WHERE key IN (${keys.account}, ${keys.address})`,
  ]
}

/** @throws {Problem} `rate_limited` (the caller's address) or `locked` (the account), with `Retry-After`. */
export function assertUnlocked(rows: readonly Row[], keys: AttemptKeys, now: number): void {
  for (const [key, limit, code] of [
    [keys.address, keys.limits.address, "rate_limited"],
    [keys.account, keys.limits.account, "locked"],
  ] as const) {
    const row = rows.find((candidate) => candidate.key === key)
    if (!row || (row.attempts as number) <= limit) continue
    const seconds = Math.ceil((Date.parse(row.expiresAt as string) - now) / 1000)
    throw new Problem(code, { headers: { "retry-after": String(Math.max(1, seconds)) } })
  }
}

/** Whether the account or the address has more attempts than that. Rows as `assertUnlocked` takes them. */
export const exceeds = (rows: readonly Row[], keys: AttemptKeys, limits: AttemptLimits): boolean =>
  rows.some(
    ({ key, attempts }) =>
      (attempts as number) > (key === keys.address ? limits.address : limits.account),
  )

/** `check`, where nobody is locked out: it is only too much of something. @throws {Problem} `rate_limited` */
export function asTooMany(detail: string, check: () => void): void {
  try {
    check()
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "locked") throw error
    const { headers } = error.details
    throw new Problem("rate_limited", { detail, ...(headers && { headers }) })
  }
}

/** After a success: the account starts anew, and the address gets its one attempt back. */
export const forgiveAttempt = (keys: AttemptKeys): Sql[] => [
  sql`DELETE FROM sign_in_attempts WHERE key = ${keys.account}`,
  sql`UPDATE sign_in_attempts SET attempts = attempts - 1 WHERE key = ${keys.address} AND attempts > 0`,
]
