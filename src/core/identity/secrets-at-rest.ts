import { Buffer } from "node:buffer"
import { hkdfSync } from "node:crypto"
import { Problem } from "../../platform/problem.ts"
import type { Settings } from "../../platform/settings.ts"

/*
 * Secrets that we must be able to read again: AES-256-GCM with a key that HKDF derives from the deployment's SECRET. The
 * owner's id is associated data, so that a row copied to another person does not open there. A thief of the database
 * alone gets nothing.
 * @see NIST SP 800-38D, RFC 5869
 */
const prefix = "v1."
const nonceBytes = 12
const algorithm = "AES-GCM"

/** `v1.` and base64url of nonce, ciphertext and tag. */
export async function seal(settings: Settings, owner: string, secret: Uint8Array): Promise<string> {
  const nonce = crypto.getRandomValues(new Uint8Array(nonceBytes))
  const sealed = await crypto.subtle.encrypt(
    { name: algorithm, iv: nonce, additionalData: Buffer.from(owner) },
    await keyOf(settings),
    Buffer.from(secret),
  )
  return prefix + Buffer.concat([nonce, Buffer.from(sealed)]).toString("base64url")
}

/** @throws {Problem} `misconfigured` when it does not open: SECRET was changed, or the row is another's. */
export async function unseal(settings: Settings, owner: string, text: string): Promise<Buffer> {
  const bytes = Buffer.from(text.slice(prefix.length), "base64url")
  try {
    const opened = await crypto.subtle.decrypt(
      {
        name: algorithm,
        iv: bytes.subarray(0, nonceBytes),
        additionalData: Buffer.from(owner),
      },
      await keyOf(settings),
      bytes.subarray(nonceBytes),
    )
    return Buffer.from(opened)
  } catch {
    // The cause is not passed on: an error about a key may quote it.
    throw new Problem("misconfigured", { cause: new Error("a secret at rest does not open") })
  }
}

const keys = new WeakMap<Settings, CryptoKey>()

/** Keys are kept, promises are not: one that was made in another request must not be awaited in this one. */
async function keyOf(settings: Settings): Promise<CryptoKey> {
  const known = keys.get(settings)
  if (known) return known
  const material = hkdfSync("sha256", settings.secret, "", "hinterland secrets at rest v1", 32)
  const key = await crypto.subtle.importKey("raw", material, algorithm, false, [
    "encrypt",
    "decrypt",
  ])
  keys.set(settings, key)
  return key
}
