import { Buffer } from "node:buffer"
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import type { App, UserActor } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import type { Authorization } from "./authorizations.ts"
import { refuse } from "./directory-guard.ts"

/*
 * Challenges: base64url of JSON and its MAC with the deployment's secret. They say what they are for, so that none can
 * stand in for another. Nothing is stored when one is made: strangers would drive the database. Each can be used once:
 * the batch that uses it leaves its hash behind, which refuses the next. A challenge is also what a passkey signs.
 */
export const challengeSeconds = 5 * 60

interface Purposes {
  /** The first factor was right; the second is missing. */
  secondFactor: {
    readonly user: string
    /** A challenge from before a new password is void. */
    readonly epoch: number
    /** How the first factor was proved (RFC 8176). */
    readonly methods: readonly string[]
    /** As asked for at sign-in; absent when nothing was. */
    readonly organisation?: string | null
  }
  /** Sign-in with a passkey, by whoever it turns out to be. */
  passkeySignIn: object
  passkeyRegistration: { readonly session: string; readonly secondFactor: boolean }
  /** Step-up with a passkey. */
  proof: { readonly session: string }
  /** Somebody was sent to an identity provider (authorizations.ts). */
  authorization: Authorization
}

export type Purpose = keyof Purposes

export type Challenge<P extends Purpose = Purpose> = {
  [One in P]: Purposes[One] & {
    readonly purpose: One
    readonly id: string
    /** Milliseconds since the epoch. */
    readonly expiresAt: number
    readonly text: string
  }
}[P]

export function createChallenge<P extends Purpose>(
  app: App,
  purpose: P,
  data: Purposes[P],
  seconds = challengeSeconds,
): string {
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64url")
  const expiresAt = app.now() + seconds * 1000
  const body = Buffer.from(JSON.stringify({ ...data, purpose, id, expiresAt }))
  return Buffer.concat([body, macOf(app, body)]).toString("base64url")
}

/**
 * What a challenge holds, when it is ours, for one of these purposes, and not expired.
 *
 * @throws {Problem} `token_invalid`: ask for a new one. It does not say why.
 */
export function openChallenge<P extends Purpose>(
  app: App,
  text: string,
  ...purposes: readonly P[]
): Challenge<P> {
  const bytes = Buffer.from(text, "base64url")
  // Only the one canonical form of its bytes: else a changed last letter would make another hash of the same challenge.
  if (bytes.length <= macBytes || bytes.toString("base64url") !== text) throw refused()
  const body = bytes.subarray(0, -macBytes)
  if (!timingSafeEqual(macOf(app, body), bytes.subarray(-macBytes))) throw refused()
  const challenge = JSON.parse(body.toString("utf8")) as Challenge<P>
  if (!purposes.includes(challenge.purpose as P)) throw refused()
  if (challenge.expiresAt <= app.now()) throw refused()
  return { ...challenge, text }
}

/** As `openChallenge`, for challenges that were made for one session: another's page gets nothing out of it. */
export function openOwnChallenge<P extends "passkeyRegistration" | "proof">(
  app: App,
  actor: UserActor,
  text: string,
  purpose: P,
): Challenge<P> {
  const challenge = openChallenge(app, text, purpose)
  if ((challenge as { session: string }).session !== actor.session) throw refused()
  return challenge
}

export const challengeRefused = (): Problem =>
  new Problem("token_invalid", "The challenge is not valid, or not any more: ask for a new one.")

const refused = challengeRefused

/** Uses the challenge up: the batch is refused as `used` when that happened before. */
export function spendChallenge(app: App, { text, expiresAt }: Challenge): Sql[] {
  const hash = createHash("sha256").update(text).digest("hex")
  const at = new Date(app.now()).toISOString()
  return [
    sql`DELETE FROM account_tokens WHERE hash IN (SELECT hash FROM account_tokens WHERE expiresAt <= ${at} AND purpose = 'challenge' LIMIT 20)`,
    refuse("used", sql`EXISTS (SELECT 1 FROM account_tokens WHERE hash = ${hash})`),
    sql`INSERT INTO account_tokens (hash, purpose, user, data, attempts, createdAt, expiresAt)
VALUES (${hash}, 'challenge', NULL, '{}', 0, ${at}, ${new Date(expiresAt).toISOString()})`,
  ]
}

const macBytes = 32

const macOf = (app: App, body: Uint8Array): Buffer =>
  createHmac("sha256", app.settings.secret).update("challenge\n").update(body).digest()
