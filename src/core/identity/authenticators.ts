import type { App, UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { assertUnlocked, codeAttemptKeys, forgiveAttempt, reserveAttempt } from "./attempts.ts"
import { auditEvent } from "./audit.ts"
import { toBase32 } from "./base32.ts"
import type { Caller } from "./caller.ts"
import { assertSignedIn, refuse, sessionProbe } from "./directory-guard.ts"
import { changeFactors, maxFactors } from "./factor-guard.ts"
import {
  dropUselessRecoveryCodes,
  newRecoveryCodes,
  storeFirstRecoveryCodes,
} from "./recovery-codes.ts"
import { seal, unseal } from "./secrets-at-rest.ts"
import { assertRecent } from "./step-up.ts"
import { digits, matchingStep, secretBytes, stepSeconds } from "./totp.ts"

export interface Authenticator {
  readonly id: string
  readonly name: string
  readonly createdAt: string
  /** Null until a first code has proved that the app has the secret; it counts for nothing before. */
  readonly confirmedAt: string | null
}

/**
 * A new authenticator with its secret, which is shown this once. It counts after its confirmation; one that the person
 * began before and did not confirm is gone. One trip.
 *
 * @throws {Problem} `conflict` beyond `maxFactors`; as `changeFactors`
 */
export async function startAuthenticator(
  app: App,
  actor: UserActor,
  name: string,
): Promise<Authenticator & { secret: string; uri: string }> {
  assertRecent(app, actor)
  const secret = crypto.getRandomValues(new Uint8Array(secretBytes))
  const authenticator = { id: app.newId(), name, createdAt: iso(app), confirmedAt: null }
  const sealed = await seal(app.settings, actor.id, secret)
  await changeFactors(app, actor, [
    refuse(
      "full",
      sql`(SELECT count(*) FROM authenticators WHERE user = ${actor.id} AND confirmedAt IS NOT NULL) >= ${maxFactors}`,
    ),
    sql`DELETE FROM authenticators WHERE user = ${actor.id} AND confirmedAt IS NULL`,
    sql`INSERT INTO authenticators (id, user, secret, name, lastStep, createdAt) VALUES (${authenticator.id}, ${actor.id}, ${sealed}, ${name}, 0, ${authenticator.createdAt})`,
  ])
  const text = toBase32(secret)
  return { ...authenticator, secret: text, uri: uriOf(app, actor.email, text) }
}

/** What a QR code of it shows. @see https://github.com/google/google-authenticator/wiki/Key-Uri-Format */
function uriOf(app: App, email: string, secret: string): string {
  const { publicUrl } = app.settings
  const issuer = encodeURIComponent(publicUrl ? new URL(publicUrl).host : "Hinterland")
  return `otpauth://totp/${issuer}:${encodeURIComponent(email)}?secret=${secret}&issuer=${issuer}&algorithm=SHA1&digits=${digits}&period=${stepSeconds}`
}

/**
 * Makes an authenticator count, by a code that proves that the person's app has the secret. From then on sign-in asks
 * for it. With the first factor come recovery codes, shown this once. Two trips: guesses are counted before they are
 * looked at.
 *
 * @throws {Problem} `not_found`, also when it is confirmed already; `code_invalid`; `locked`; as `changeFactors`
 */
export async function confirmAuthenticator(
  app: App,
  actor: UserActor,
  id: string,
  code: string,
  caller: Caller,
): Promise<Authenticator & { recoveryCodes: string[] | null }> {
  assertRecent(app, actor)
  const { id: user, session } = actor
  const now = app.now()
  const keys = codeAttemptKeys(app.settings.secret, user, caller.address)
  const rows = await app.directory.batch([
    ...reserveAttempt(keys, now),
    sessionProbe(actor),
    sql`SELECT id, name, secret, createdAt FROM authenticators WHERE id = ${id} AND user = ${user} AND confirmedAt IS NULL`,
  ])
  const [counts, probe, found] = rows.slice(-3) as [Row[], Row[], Row[]]
  assertSignedIn(actor, probe)
  assertUnlocked(counts, keys, now)
  const row = found[0]
  if (!row) throw new Problem("not_found")
  const secret = await unseal(app.settings, user, row.secret as string)
  const step = matchingStep(secret, code, 0, now)
  if (step === null) throw new Problem("code_invalid")

  const codes = newRecoveryCodes()
  const confirmedAt = iso(app)
  const written = await changeFactors(
    app,
    actor,
    [
      refuse(
        "not_found",
        sql`NOT EXISTS (SELECT 1 FROM authenticators WHERE id = ${id} AND user = ${user} AND confirmedAt IS NULL)`,
      ),
      sql`UPDATE authenticators SET confirmedAt = ${confirmedAt}, lastStep = ${step} WHERE id = ${id}`,
      storeFirstRecoveryCodes(app, user, codes),
      auditEvent(app, {
        kind: "authenticator.added",
        user,
        actor,
        session,
        caller,
        detail: { authenticator: id },
      }),
      ...forgiveAttempt(keys),
    ],
    "factorAdded",
  )
  return {
    id,
    name: row.name as string,
    createdAt: row.createdAt as string,
    confirmedAt,
    recoveryCodes: written[2]?.length ? codes : null,
  }
}

/** All of a person's authenticators, the oldest first. One trip. @throws {Problem} `token_outdated` */
export async function listAuthenticators(app: App, actor: UserActor): Promise<Authenticator[]> {
  const [session, rows] = await app.directory.batch([
    sessionProbe(actor),
    sql`SELECT id, name, createdAt, confirmedAt FROM authenticators WHERE user = ${actor.id} ORDER BY id`,
  ])
  assertSignedIn(actor, session)
  return rows as unknown as Authenticator[]
}

/** One trip. @throws {Problem} `not_found`; as `changeFactors` */
export async function deleteAuthenticator(
  app: App,
  actor: UserActor,
  id: string,
  caller: Caller,
): Promise<void> {
  const { id: user, session } = actor
  await changeFactors(
    app,
    actor,
    [
      refuse(
        "not_found",
        sql`NOT EXISTS (SELECT 1 FROM authenticators WHERE id = ${id} AND user = ${user})`,
      ),
      sql`DELETE FROM authenticators WHERE id = ${id} AND user = ${user}`,
      dropUselessRecoveryCodes(user),
      auditEvent(app, {
        kind: "authenticator.removed",
        user,
        actor,
        session,
        caller,
        detail: { authenticator: id },
      }),
    ],
    "factorRemoved",
  )
}

/** What `matchingCode` looks through. */
export const selectAuthenticators = (user: string): Sql =>
  sql`SELECT id, secret, lastStep FROM authenticators WHERE user = ${user} AND confirmedAt IS NOT NULL ORDER BY id`

/**
 * The authenticator of the person whose code this is, and the statements that use the code up: they refuse the batch as
 * `used` when it was accepted elsewhere in the meantime. Null when it is the code of none.
 */
export async function matchingCode(
  app: App,
  user: string,
  rows: readonly Row[],
  code: string,
): Promise<readonly Sql[] | null> {
  for (const row of rows) {
    const secret = await unseal(app.settings, user, row.secret as string)
    const step = matchingStep(secret, code, row.lastStep as number, app.now())
    if (step === null) continue
    const id = row.id as string
    return [
      refuse(
        "used",
        sql`NOT EXISTS (SELECT 1 FROM authenticators WHERE id = ${id} AND user = ${user} AND lastStep < ${step})`,
      ),
      sql`UPDATE authenticators SET lastStep = ${step} WHERE id = ${id}`,
    ]
  }
  return null
}

const iso = (app: App): string => new Date(app.now()).toISOString()
