import { createHmac } from "node:crypto"
import type { App, UserActor } from "../../platform/app.ts"
import { Refusal } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { assertSignedIn, refuse, sessionProbe } from "./directory-guard.ts"
import { changeFactors } from "./factor-guard.ts"
import { hasSecondFactor } from "./factors.ts"

/*
 * Recovery codes stand in for a second factor that was lost: ten, shown once, each good for one time. They have 50
 * random bits; what is stored is an HMAC with the deployment's secret, so that a copy of the table gives none away.
 */
const codesAtOnce = 10

/** Crockford's: without letters that look like digits. */
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

/** Ten new codes, `xxxxx-xxxxx`. */
export const newRecoveryCodes = (): string[] =>
  Array.from({ length: codesAtOnce }, () => {
    // 256 is a multiple of 32: every letter is as likely as any other.
    const letters = [...crypto.getRandomValues(new Uint8Array(10))].map(
      (byte) => alphabet[byte & 31],
    )
    return `${letters.slice(0, 5).join("")}-${letters.slice(5).join("")}`
  })

/** As typed, with or without the dash, in any case, with letters in place of the digits that they look like. */
const normalise = (code: string): string =>
  code.toLowerCase().replace(/[\s-]/g, "").replaceAll("o", "0").replace(/[il]/g, "1")

const hashOf = (secret: string, user: string, code: string): string =>
  createHmac("sha256", secret)
    .update(`recovery-code\n${user}\n${normalise(code)}`)
    .digest("hex")

/** The row of a code that is still good. */
export const selectRecoveryCode = (app: App, user: string, code: string): Sql =>
  sql`SELECT hash FROM recovery_codes WHERE user = ${user} AND hash = ${hashOf(app.settings.secret, user, code)} AND usedAt IS NULL`

/** Uses a code up; refuses the batch as `used` when another was faster. */
export const spendRecoveryCode = (app: App, user: string, hash: string): Sql[] => [
  refuse(
    "used",
    sql`NOT EXISTS (SELECT 1 FROM recovery_codes WHERE user = ${user} AND hash = ${hash} AND usedAt IS NULL)`,
  ),
  sql`UPDATE recovery_codes SET usedAt = ${iso(app)} WHERE user = ${user} AND hash = ${hash}`,
  auditEvent(app, { kind: "recoveryCodes.used", user, actor: { kind: "system" } }),
]

/** Stores the codes of a person who has none that is good; answers a row when it did. */
export function storeFirstRecoveryCodes(app: App, user: string, codes: readonly string[]): Sql {
  const none = sql`NOT EXISTS (SELECT 1 FROM recovery_codes WHERE user = ${user} AND usedAt IS NULL)`
  return sql`${insert(app, user, codes)} WHERE ${none} RETURNING hash`
}

function insert(app: App, user: string, codes: readonly string[]): Sql {
  const hashes = JSON.stringify(codes.map((code) => hashOf(app.settings.secret, user, code)))
  return sql`INSERT INTO recovery_codes (user, hash, createdAt) SELECT ${user}, value, ${iso(app)} FROM json_each(${hashes})`
}

/** For the batch that removes a factor: with the last one, the codes that stand in for it go too. */
export const dropUselessRecoveryCodes = (user: string): Sql =>
  sql`DELETE FROM recovery_codes WHERE user = ${user} AND NOT ${hasSecondFactor(sql`${user}`)}`

/**
 * New codes in place of all former ones. One trip.
 *
 * @throws {Problem} `conflict` without a second factor to stand in for; as `changeFactors`
 */
export async function replaceRecoveryCodes(
  app: App,
  actor: UserActor,
  caller: Caller,
): Promise<{ codes: string[] }> {
  const { id: user, session } = actor
  const codes = newRecoveryCodes()
  try {
    await changeFactors(
      app,
      actor,
      [
        refuse("without", sql`NOT ${hasSecondFactor(sql`${user}`)}`),
        sql`DELETE FROM recovery_codes WHERE user = ${user}`,
        insert(app, user, codes),
        auditEvent(app, { kind: "recoveryCodes.replaced", user, actor, session, caller }),
      ],
      "factorAdded",
    )
  } catch (error) {
    if (error instanceof Refusal && error.outcome === "without") {
      throw new Problem("conflict", "Recovery codes stand in for a second factor: add one first.")
    }
    throw error
  }
  return { codes }
}

/** How many codes are still good. One trip. @throws {Problem} `token_outdated` */
export async function countRecoveryCodes(
  app: App,
  actor: UserActor,
): Promise<{ remaining: number; createdAt: string | null }> {
  const [session, rows] = await app.directory.batch([
    sessionProbe(actor),
    sql`SELECT count(*) AS remaining, max(createdAt) AS createdAt FROM recovery_codes WHERE user = ${actor.id} AND usedAt IS NULL`,
  ])
  assertSignedIn(actor, session)
  return rows?.[0] as { remaining: number; createdAt: string | null }
}

const iso = (app: App): string => new Date(app.now()).toISOString()
