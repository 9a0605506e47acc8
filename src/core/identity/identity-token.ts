import {
  createLocalJWKSet,
  decodeJwt,
  errors,
  importPKCS8,
  type JSONWebKeySet,
  jwtVerify,
  SignJWT,
} from "jose"

/*
 * What jose says of tokens of identity providers. Imported only when there is one to look at (as webauthn.ts). No trip,
 * no clock, no I/O.
 */

/** Signatures that only the issuer can make. Never `none`, nor a MAC: its key would be our client secret, or a public key. */
const algorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
]

/** Clocks differ. */
const toleranceSeconds = 60

export interface Expected {
  /** May hold `{tenantid}`. */
  readonly issuer: string
  readonly clientId: string
  readonly nonce: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

export type Claims = Readonly<Record<string, unknown>> & {
  readonly iss: string
  readonly sub: string
}

/** What came of it; `reason` is a code of jose or a claim's name, and nothing of the token. */
export type Verdict =
  | { readonly kind: "verified"; readonly claims: Claims }
  /** Signed with a key that is not among these. */
  | { readonly kind: "unknownKey" }
  /** Of another sign-in than the one that was begun: somebody may have slipped it in. */
  | { readonly kind: "foreign" }
  | { readonly kind: "refused"; readonly reason: string }

/** @see https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation */
export async function verifyIdentityToken(
  token: string,
  keys: JSONWebKeySet,
  { issuer, clientId, nonce, now }: Expected,
): Promise<Verdict> {
  try {
    const expectedIssuer = issuerFor(issuer, token)
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
      algorithms,
      issuer: expectedIssuer,
      audience: clientId,
      requiredClaims: ["sub", "iat", "exp", "nonce"],
      clockTolerance: toleranceSeconds,
      currentDate: new Date(now),
    })
    const { sub, aud, azp } = payload
    if (typeof sub !== "string" || sub === "" || sub.length > 255) return refused("sub")
    // Made for several: then it says for whom it was made (3.1.3.7, 4 and 5).
    if (Array.isArray(aud) && aud.length > 1 && azp !== clientId) return refused("azp")
    if (azp !== undefined && azp !== clientId) return refused("azp")
    if (payload.nonce !== nonce) return { kind: "foreign" }
    return { kind: "verified", claims: { ...payload, iss: expectedIssuer, sub } }
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return { kind: "unknownKey" }
    if (error instanceof errors.JWTClaimValidationFailed) return refused(error.claim)
    return refused(error instanceof errors.JOSEError ? error.code : "malformed")
  }
}

const refused = (reason: string): Verdict => ({ kind: "refused", reason })

/** Microsoft's accounts come from many issuers, one a tenant, and each token names its own. */
function issuerFor(issuer: string, token: string): string {
  if (!issuer.includes("{tenantid}")) return issuer
  const { tid } = decodeJwt(token)
  if (typeof tid !== "string" || !/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(tid)) {
    throw new errors.JWTClaimValidationFailed("tid", {}, "tid")
  }
  return issuer.replace("{tenantid}", tid)
}

export interface AppleClient {
  readonly clientId: string
  readonly teamId: string
  readonly keyId: string
  /** PKCS#8, PEM. */
  readonly privateKey: string
}

/**
 * Apple takes no fixed secret, but a statement that is signed anew each time.
 *
 * @see https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret
 */
export async function appleClientSecret(client: AppleClient, now: number): Promise<string> {
  const seconds = Math.floor(now / 1_000)
  return new SignJWT()
    .setProtectedHeader({ alg: "ES256", kid: client.keyId })
    .setIssuer(client.teamId)
    .setSubject(client.clientId)
    .setAudience("https://appleid.apple.com")
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + 300)
    .sign(await importPKCS8(client.privateKey, "ES256"))
}
