import {
  type AuthenticationResponseJSON,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from "@simplewebauthn/server"
import { decodeAttestationObject, isoBase64URL } from "@simplewebauthn/server/helpers"
import type { RelyingParty } from "./relying-party.ts"

/*
 * What @simplewebauthn/server says of the answers of passkeys. Imported only when there is one to look at: reading these
 * 300 KB would be a good part of the Worker's start-up. No trip, no clock.
 * @see https://www.w3.org/TR/webauthn-3/#sctn-registering-a-new-credential and 7.2 for what is checked
 */

/** EdDSA, ES256, RS256, the best first (COSE). */
export const algorithms = [-8, -7, -257]

export type { AuthenticationResponseJSON, RegistrationResponseJSON }

export interface NewCredential {
  readonly id: string
  /** COSE, base64url. */
  readonly publicKey: string
  readonly counter: number
  readonly backedUp: boolean
}

export interface Expected {
  /** The challenge that was signed. */
  readonly challenge: string
  readonly party: RelyingParty
  readonly userVerification: boolean
}

/** Null for whatever is wrong with it. */
export async function verifyRegistration(
  response: RegistrationResponseJSON,
  { challenge, party, userVerification }: Expected,
): Promise<NewCredential | null> {
  try {
    if (isFramed(response.response.clientDataJSON) || isAttested(response)) return null
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: party.origin,
      expectedRPID: party.id,
      requireUserVerification: userVerification,
      supportedAlgorithmIDs: algorithms,
    })
    if (!verified || !registrationInfo) return null
    const { credential, credentialBackedUp } = registrationInfo
    return {
      id: credential.id,
      publicKey: isoBase64URL.fromBuffer(credential.publicKey),
      counter: credential.counter,
      backedUp: credentialBackedUp,
    }
  } catch {
    return null
  }
}

/** Null for whatever is wrong with it. The counter is for the caller to compare. */
export async function verifyAssertionOf(
  response: AuthenticationResponseJSON,
  publicKey: string,
  { challenge, party, userVerification }: Expected,
): Promise<{ counter: number; backedUp: boolean } | null> {
  try {
    if (isFramed(response.response.clientDataJSON)) return null
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: party.origin,
      expectedRPID: party.id,
      credential: { id: response.id, publicKey: isoBase64URL.toBuffer(publicKey), counter: 0 },
      requireUserVerification: userVerification,
    })
    if (!verified) return null
    const { newCounter, credentialBackedUp } = authenticationInfo
    return { counter: newCounter, backedUp: credentialBackedUp }
  } catch {
    return null
  }
}

/** Inside a frame of another site somebody else may have led the person's hand; the library lets some through. */
const isFramed = (clientDataJSON: string): boolean =>
  (JSON.parse(isoBase64URL.toUTF8String(clientDataJSON)) as { crossOrigin?: unknown })
    .crossOrigin === true

/**
 * With certificates, for which we did not ask. They are refused unread: the library would fetch the revocation lists that
 * they name, from wherever a stranger's certificate says.
 */
const isAttested = ({ response }: RegistrationResponseJSON): boolean => {
  const bytes = isoBase64URL.toBuffer(response.attestationObject)
  const decoded = decodeAttestationObject(bytes)
  const format = decoded.get("fmt")
  return (
    format !== "none" && (format !== "packed" || decoded.get("attStmt").get("x5c") !== undefined)
  )
}
