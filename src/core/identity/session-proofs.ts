import type Argon2 from "@phi-ag/argon2"
import type { App, UserActor } from "../../platform/app.ts"
import { Refusal, type Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { accessTokenSeconds, signAccessToken } from "./access-tokens.ts"
import { knownCredentials, requestOptions } from "./assertions.ts"
import {
  assertUnlocked,
  attemptKeys,
  codeAttemptKeys,
  forgiveAttempt,
  reserveAttempt,
} from "./attempts.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { createChallenge, openOwnChallenge, spendChallenge } from "./challenges.ts"
import { assertSignedIn, refuse, sessionProbe, sessionRefusal } from "./directory-guard.ts"
import { normaliseEmail } from "./email.ts"
import { parseSecondFactors, secondFactorNames } from "./factors.ts"
import { verifyPassword } from "./passwords.ts"
import { codeRefused, type GivenFactor, prove, selectForProof } from "./proofs.ts"
import type { RelyingParty } from "./relying-party.ts"

/*
 * Step-up: the person of a session proves once more that it is them. The refresh token stays: it is not at hand here, and
 * its successor has to follow from it (refresh-tokens.ts); a new one would end the session in the person's other tabs.
 * What the proof is worth stands in the session's row, so that the next refresh knows it too.
 */
export interface Proved {
  readonly accessToken: string
  /** Seconds until the access token expires. */
  readonly expiresIn: number
}

export type GivenProof = GivenFactor | { readonly kind: "password"; readonly password: string }

/** Options for a page that proves with one of the person's passkeys. One trip. @throws {Problem} `token_outdated` */
export async function proofOptions(
  app: App,
  actor: UserActor,
  party: RelyingParty,
): Promise<ReturnType<typeof requestOptions>> {
  const [session, rows = []] = await app.directory.batch([
    sessionProbe(actor),
    sql`SELECT id, transports FROM passkeys WHERE user = ${actor.id} ORDER BY createdAt, id`,
  ])
  assertSignedIn(actor, session)
  const challenge = createChallenge(app, "proof", { session: actor.session })
  return requestOptions(challenge, party, knownCredentials(rows))
}

/**
 * Renews when and how the person of this session proved who they are, and answers an access token that says so. A
 * password does for those who have no second factor; the others show that one. Two trips: the first counts the guess.
 *
 * @throws {Problem} `forbidden` for impersonators; `invalid_credentials`, `code_invalid`; `token_invalid` for a challenge;
 * `second_factor_required` for a password where there is more; `locked`, `rate_limited`; `token_outdated`
 */
export async function renewProof(
  app: App,
  argon2: () => Argon2,
  actor: UserActor,
  given: GivenProof,
  caller: Caller,
): Promise<Proved> {
  if (actor.impersonator !== null) {
    throw new Problem("forbidden", "Nobody may do this in another's name.")
  }
  const { id: user, session } = actor
  const now = app.now()
  const challenge =
    given.kind === "passkey" ? openOwnChallenge(app, actor, given.challenge, "proof") : null
  const keys =
    given.kind === "password"
      ? attemptKeys(app.settings.secret, normaliseEmail(actor.email), caller.address)
      : codeAttemptKeys(app.settings.secret, user, caller.address)
  const rows = await app.directory.batch([
    ...reserveAttempt(keys, now),
    sessionProbe(actor),
    sql`SELECT methods FROM sessions WHERE id = ${session}`,
    given.kind === "password"
      ? sql`SELECT passwordHash, ${secondFactorNames(sql`${user}`)} AS secondFactors FROM users WHERE id = ${user}`
      : selectForProof(app, user, given),
  ])
  const [counts, probe, sessions, kept] = rows.slice(-4) as [Row[], Row[], Row[], Row[]]
  assertSignedIn(actor, probe)
  assertUnlocked(counts, keys, now)
  const proof =
    given.kind === "password"
      ? provePassword(app, argon2(), kept[0], given.password)
      : await prove(app, user, given, kept)

  const before = JSON.parse(sessions[0]?.methods as string) as string[]
  const methods = [...new Set([...before, proof.method])]
  await commitProof(app, actor, [
    ...proof.writes,
    ...(challenge ? spendChallenge(app, challenge) : []),
    ...forgiveAttempt(keys),
    sql`UPDATE sessions SET methods = ${JSON.stringify(methods)}, authenticatedAt = ${new Date(now).toISOString()} WHERE id = ${session}`,
    auditEvent(app, {
      kind: "session.proved",
      user,
      actor,
      session,
      organisation: actor.organisation,
      caller,
      detail: { method: proof.method },
    }),
  ])
  const proved: UserActor = { ...actor, methods, authenticatedAt: now }
  const accessToken = await signAccessToken(app.settings, proved, now)
  return { accessToken, expiresIn: accessTokenSeconds }
}

function provePassword(app: App, argon2: Argon2, row: Row | undefined, password: string) {
  const methods = parseSecondFactors(row?.secondFactors as string)
  if (methods.length > 0) {
    throw new Problem("second_factor_required", {
      detail: "Prove it with your second factor.",
      extensions: { methods },
    })
  }
  const stored = row?.passwordHash as string | null
  if (!verifyPassword(argon2, stored, password, app.settings.passwordPeppers)) {
    throw new Problem("invalid_credentials")
  }
  return { method: "pwd", writes: [] as readonly Sql[] }
}

async function commitProof(app: App, actor: UserActor, writes: readonly Sql[]): Promise<void> {
  try {
    await app.directory.batch([refuse("outdated", sessionRefusal(actor)), ...writes])
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.outcome === "outdated") throw new Problem("token_outdated")
    throw error.outcome === "used" ? codeRefused() : error
  }
}
