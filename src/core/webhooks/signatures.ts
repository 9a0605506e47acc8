import { Buffer } from "node:buffer"
import { invalidInput, type Problem } from "../../platform/problem.ts"
import type { Settings } from "../../platform/settings.ts"
import { seal, unseal } from "../identity/secrets-at-rest.ts"

/*
 * Standard Webhooks 1.0: `v1,` HMAC-SHA256 with a secret of 24 to 64 bytes, `v1a,` Ed25519, each over
 * `id.timestamp.body`, base64. Secrets are sealed with the deployment's own, for their endpoint.
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */

export type Scheme = "v1" | "v1a"

export interface NewSecret {
  /** As it is stored. */
  readonly sealed: string
  /** `whsec_…`, to be shown this once; null of a key pair, whose private half nobody needs. */
  readonly secret: string | null
  /** `whpk_…` */
  readonly publicKey: string | null
}

const secretBytes = 32

/**
 * @param given `whsec_…` of the caller's own
 * @throws {Problem} `invalid_input` for one that is no secret of 24 to 64 bytes
 */
export async function makeSecret(
  settings: Settings,
  endpoint: string,
  scheme: Scheme,
  given?: string,
): Promise<NewSecret> {
  if (scheme === "v1a") return makeKeyPair(settings, endpoint, given)
  const bytes = given === undefined ? randomSecret() : parseSecret(given)
  return {
    sealed: await seal(settings, owner(endpoint), bytes),
    secret: `whsec_${Buffer.from(bytes).toString("base64")}`,
    publicKey: null,
  }
}

/** For `seal`: what is another endpoint's does not open. */
export const owner = (endpoint: string): string => `webhook ${endpoint}`

const randomSecret = (): Uint8Array => crypto.getRandomValues(new Uint8Array(secretBytes))

async function makeKeyPair(
  settings: Settings,
  endpoint: string,
  given?: string,
): Promise<NewSecret> {
  if (given !== undefined) throw wrongSecret("goes with the scheme v1 alone.")
  const { privateKey } = (await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair
  const { d, x } = (await crypto.subtle.exportKey("jwk", privateKey)) as JsonWebKey
  const jwk = JSON.stringify({ kty: "OKP", crv: "Ed25519", d, x })
  return {
    sealed: await seal(settings, owner(endpoint), Buffer.from(jwk)),
    secret: null,
    publicKey: `whpk_${Buffer.from(x as string, "base64url").toString("base64")}`,
  }
}

function parseSecret(text: string): Uint8Array {
  const encoded = text.startsWith("whsec_") ? text.slice(6) : text
  const bytes = Buffer.from(encoded, "base64")
  const whole = bytes.toString("base64").replace(/=+$/, "") === encoded.replace(/=+$/, "")
  if (!whole || bytes.length < 24 || bytes.length > 64) {
    throw wrongSecret("has to be whsec_ and base64 of 24 to 64 bytes.")
  }
  return bytes
}

const wrongSecret = (what: string): Problem =>
  invalidInput({ path: "secret", code: "invalid_secret", message: `secret ${what}` })

/** Signs for one endpoint. */
export type Sign = (message: { id: string; timestamp: number; body: string }) => Promise<string>

/**
 * Answers the value of `webhook-signature`: one by each of the sealed secrets, the newest first. The timestamp is in seconds
 * since the epoch.
 *
 * @throws {Problem} `misconfigured` for a secret that does not open
 */
export async function signer(
  settings: Settings,
  endpoint: string,
  sealed: readonly string[],
): Promise<Sign> {
  const keys = await Promise.all(
    sealed.map(async (text) =>
      importSecret(new Uint8Array(await unseal(settings, owner(endpoint), text))),
    ),
  )
  return async ({ id, timestamp, body }) => {
    const content = new TextEncoder().encode(`${id}.${timestamp}.${body}`)
    const signatures = await Promise.all(keys.map((key) => signatureBy(key, content)))
    return signatures.join(" ")
  }
}

function importSecret(secret: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  // A JWK begins with a brace, and is longer than any secret.
  if (secret.length > 64) {
    const jwk = JSON.parse(new TextDecoder().decode(secret)) as JsonWebKey
    return crypto.subtle.importKey("jwk", jwk, "Ed25519", false, ["sign"])
  }
  const algorithm = { name: "HMAC", hash: "SHA-256" }
  return crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"])
}

async function signatureBy(key: CryptoKey, content: Uint8Array<ArrayBuffer>): Promise<string> {
  const { name } = key.algorithm
  const signature = Buffer.from(await crypto.subtle.sign(name, key, content)).toString("base64")
  return `${name === "Ed25519" ? "v1a" : "v1"},${signature}`
}
