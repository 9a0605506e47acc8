import { Buffer } from "node:buffer"
import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { auditEvent } from "./audit.ts"
import { challengeSeconds } from "./challenges.ts"
import { refuse } from "./directory-guard.ts"
import type { RelyingParty } from "./relying-party.ts"
import type { AuthenticationResponseJSON } from "./webauthn.ts"

/** What a passkey answers, and what it must have signed. */
export interface GivenPasskey {
  readonly assertion: AuthenticationResponseJSON
  readonly challenge: string
  readonly party: RelyingParty
}

export interface KnownCredential {
  readonly id: string
  readonly type: "public-key"
  readonly transports: readonly string[]
}

/**
 * What a page hands to `navigator.credentials.get`. Without credentials the person chooses among those that the
 * authenticator itself finds for this site.
 *
 * @see https://www.w3.org/TR/webauthn-3/#dictdef-publickeycredentialrequestoptionsjson
 */
export const requestOptions = (
  challenge: string,
  party: RelyingParty,
  allowCredentials: readonly KnownCredential[],
) => ({
  challenge,
  rpId: party.id,
  timeout: challengeSeconds * 1000,
  userVerification: allowCredentials.length === 0 ? "required" : "preferred",
  allowCredentials,
})

/** From rows of `id` and `transports`. */
export const knownCredentials = (rows: readonly Row[]): KnownCredential[] =>
  rows.map((row) => ({
    id: row.id as string,
    type: "public-key",
    transports: JSON.parse(row.transports as string) as string[],
  }))

/** The row that `verifyAssertion` needs. */
export const selectPasskey = (id: string): Sql =>
  sql`SELECT id, user, publicKey, counter, secondFactor FROM passkeys WHERE id = ${id}`

/** The handle under which authenticators keep passkeys of a person: the id, which says nothing to others. */
export const userHandle = (user: string): string => Buffer.from(user).toString("base64url")

/**
 * Statements that write down the use of a passkey, for the batch of what it was shown for; they refuse the batch as
 * `used` when it was used elsewhere in the meantime. Null when the answer is wrong. No trip, except for a counter that
 * did not rise: then somebody may have copied the passkey (WebAuthn, 6.1.1), and the audit log says so.
 *
 * @param alone whether it has to prove by PIN or finger, too, that it is the person's hand that holds it
 */
export async function verifyAssertion(
  app: App,
  row: Row | undefined,
  { assertion, challenge, party }: GivenPasskey,
  alone: boolean,
): Promise<readonly Sql[] | null> {
  if (!row || row.id !== assertion.id) return null
  const user = row.user as string
  const handle = assertion.response.userHandle
  if (handle !== undefined && handle !== userHandle(user)) return null
  const { verifyAssertionOf } = await import("./webauthn.ts")
  const expected = { challenge, party, userVerification: alone }
  const verified = await verifyAssertionOf(assertion, row.publicKey as string, expected)
  if (!verified) return null

  const id = row.id as string
  const known = row.counter as number
  // Many keep none: it is 0 each time.
  if ((verified.counter > 0 || known > 0) && verified.counter <= known) {
    const detail = { passkey: id, counter: verified.counter, known }
    await app.directory.all(auditEvent(app, { kind: "passkey.counterRegressed", user, detail }))
    app.log("warn", "passkey counter did not rise", { user, passkey: id })
    return null
  }
  return [
    refuse(
      "used",
      sql`NOT EXISTS (SELECT 1 FROM passkeys WHERE id = ${id} AND user = ${user} AND counter = ${known})`,
    ),
    sql`UPDATE passkeys SET counter = ${verified.counter}, backedUp = ${verified.backedUp}, lastUsedAt = ${new Date(app.now()).toISOString()} WHERE id = ${id}`,
  ]
}
