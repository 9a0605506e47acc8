import type { App, UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"
import { knownCredentials, userHandle } from "./assertions.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import {
  challengeSeconds,
  createChallenge,
  openOwnChallenge,
  spendChallenge,
} from "./challenges.ts"
import { assertSignedIn, refuse, sessionProbe, sessionRefusal } from "./directory-guard.ts"
import { changeFactors, maxFactors } from "./factor-guard.ts"
import {
  dropUselessRecoveryCodes,
  newRecoveryCodes,
  storeFirstRecoveryCodes,
} from "./recovery-codes.ts"
import type { RelyingParty } from "./relying-party.ts"
import { assertRecent } from "./step-up.ts"
import type { RegistrationResponseJSON } from "./webauthn.ts"

export interface Passkey {
  readonly id: string
  readonly name: string
  /** Whether sign-in by other ways asks for it. */
  readonly secondFactor: boolean
  /** Whether its owner's other devices have it too. */
  readonly backedUp: boolean
  readonly createdAt: string
  readonly lastUsedAt: string | null
}

/**
 * What a page hands to `navigator.credentials.create`. A passkey that signs in alone has to be found without a name and
 * to know its owner; as a second factor, a simple security key will do. One trip.
 *
 * @throws {Problem} `step_up_required`, `forbidden`, `token_outdated`
 * @see https://www.w3.org/TR/webauthn-3/#dictdef-publickeycredentialcreationoptionsjson
 */
export async function registrationOptions(
  app: App,
  actor: UserActor,
  party: RelyingParty,
  secondFactor: boolean,
) {
  assertRecent(app, actor)
  const [session, rows = []] = await app.directory.batch([
    sessionProbe(actor),
    sql`SELECT id, transports FROM passkeys WHERE user = ${actor.id} ORDER BY createdAt, id`,
  ])
  assertSignedIn(actor, session)
  const { algorithms } = await import("./webauthn.ts")
  const demand = secondFactor ? "preferred" : "required"
  return {
    challenge: createChallenge(app, "passkeyRegistration", {
      session: actor.session,
      secondFactor,
    }),
    rp: { id: party.id, name: party.id },
    user: { id: userHandle(actor.id), name: actor.email, displayName: actor.email },
    pubKeyCredParams: algorithms.map((alg) => ({ type: "public-key", alg })),
    timeout: challengeSeconds * 1000,
    attestation: "none",
    excludeCredentials: knownCredentials(rows),
    authenticatorSelection: {
      residentKey: demand,
      requireResidentKey: !secondFactor,
      userVerification: demand,
    },
  }
}

export interface NewPasskey {
  readonly challenge: string
  readonly response: RegistrationResponseJSON
  readonly name: string
}

/**
 * Keeps a passkey that was made for the challenge of `registrationOptions`. With the first second factor come recovery
 * codes, shown this once. One trip.
 *
 * @throws {Problem} `token_invalid` for the challenge; `code_invalid` for the answer; `conflict` for a passkey that is known
 * already, or beyond `maxFactors`; as `changeFactors`
 */
export async function addPasskey(
  app: App,
  actor: UserActor,
  { challenge: presented, response, name }: NewPasskey,
  party: RelyingParty,
  caller: Caller,
): Promise<Passkey & { recoveryCodes: string[] | null }> {
  assertRecent(app, actor)
  const challenge = openOwnChallenge(app, actor, presented, "passkeyRegistration")
  const { secondFactor } = challenge
  const { verifyRegistration } = await import("./webauthn.ts")
  const expected = { challenge: presented, party, userVerification: !secondFactor }
  const made = await verifyRegistration(response, expected)
  if (!made) throw new Problem("code_invalid", "The passkey's answer is not valid.")

  const { id: user, session } = actor
  const createdAt = new Date(app.now()).toISOString()
  const transports = JSON.stringify(response.response.transports ?? [])
  const codes = newRecoveryCodes()
  const rows = await changeFactors(
    app,
    actor,
    [
      refuse("full", sql`(SELECT count(*) FROM passkeys WHERE user = ${user}) >= ${maxFactors}`),
      ...spendChallenge(app, challenge),
      sql`INSERT INTO passkeys (id, user, publicKey, counter, transports, backedUp, name, createdAt, secondFactor)
VALUES (${made.id}, ${user}, ${made.publicKey}, ${made.counter}, ${transports}, ${made.backedUp}, ${name}, ${createdAt}, ${secondFactor})`,
      auditEvent(app, {
        kind: "passkey.added",
        user,
        actor,
        session,
        caller,
        detail: { passkey: made.id, secondFactor },
      }),
      ...(secondFactor ? [storeFirstRecoveryCodes(app, user, codes)] : []),
    ],
    "factorAdded",
  )
  return {
    id: made.id,
    name,
    secondFactor,
    backedUp: made.backedUp,
    createdAt,
    lastUsedAt: null,
    recoveryCodes: secondFactor && rows.at(-1)?.length ? codes : null,
  }
}

const columns = sql`id, name, secondFactor, backedUp, createdAt, lastUsedAt`

const passkeyOf = (row: Row): Passkey => ({
  ...(row as unknown as Passkey),
  secondFactor: row.secondFactor === 1,
  backedUp: row.backedUp === 1,
})

/** All of a person's passkeys, the oldest first. One trip. @throws {Problem} `token_outdated` */
export async function listPasskeys(app: App, actor: UserActor): Promise<Passkey[]> {
  const [session, rows = []] = await app.directory.batch([
    sessionProbe(actor),
    sql`SELECT ${columns} FROM passkeys WHERE user = ${actor.id} ORDER BY createdAt, id`,
  ])
  assertSignedIn(actor, session)
  return rows.map(passkeyOf)
}

/** A name opens nothing, so it needs no recent proof. One trip. @throws {Problem} `not_found`, `token_outdated` */
export async function renamePasskey(
  app: App,
  actor: UserActor,
  id: string,
  name: string,
): Promise<Passkey> {
  const [session, rows] = await app.directory.batch([
    sessionProbe(actor),
    sql`UPDATE passkeys SET name = ${name} WHERE id = ${id} AND user = ${actor.id} AND NOT ${sessionRefusal(actor)} RETURNING ${columns}`,
  ])
  assertSignedIn(actor, session)
  const row = rows?.[0]
  if (!row) throw new Problem("not_found")
  return passkeyOf(row)
}

/** One trip. @throws {Problem} `not_found`; as `changeFactors` */
export async function deletePasskey(
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
        sql`NOT EXISTS (SELECT 1 FROM passkeys WHERE id = ${id} AND user = ${user})`,
      ),
      sql`DELETE FROM passkeys WHERE id = ${id} AND user = ${user}`,
      dropUselessRecoveryCodes(user),
      auditEvent(app, {
        kind: "passkey.removed",
        user,
        actor,
        session,
        caller,
        detail: { passkey: id },
      }),
    ],
    "factorRemoved",
  )
}
