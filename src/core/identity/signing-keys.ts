import { Problem } from "../../platform/problem.ts"
import type { Settings } from "../../platform/settings.ts"

type SigningKey = Settings["signingKeys"][number]

const algorithm = { name: "Ed25519" }
const signers = new WeakMap<SigningKey, CryptoKey>()
const verifiers = new WeakMap<SigningKey, CryptoKey>()

/** The key that signs now: the first of the settings. */
export async function signingKey(settings: Settings): Promise<{ kid: string; key: CryptoKey }> {
  const [jwk] = settings.signingKeys
  if (!jwk) throw new Problem("misconfigured", { cause: new Error("SIGNING_KEYS is empty") })
  const { kty, crv, x, d } = jwk
  return { kid: jwk.kid, key: await imported(signers, jwk, { kty, crv, x, d }, "sign") }
}

/** The public half of the key with that id; null when it is none of ours. */
export async function verifyingKey(settings: Settings, kid: string): Promise<CryptoKey | null> {
  const jwk = settings.signingKeys.find((candidate) => candidate.kid === kid)
  if (!jwk) return null
  const { kty, crv, x } = jwk
  return imported(verifiers, jwk, { kty, crv, x }, "verify")
}

/** Public keys of all signing keys. The private member `d` is never among what is named here. @see RFC 7517, RFC 8037 */
export const publicKeys = (settings: Settings) => ({
  keys: settings.signingKeys.map(({ kid, kty, crv, x }) => ({
    kid,
    kty,
    crv,
    x,
    alg: "EdDSA",
    use: "sig",
  })),
})

/** Keys are kept, promises are not: one that was made in another request must not be awaited in this one. */
async function imported(
  kept: WeakMap<SigningKey, CryptoKey>,
  jwk: SigningKey,
  material: JsonWebKey,
  usage: "sign" | "verify",
): Promise<CryptoKey> {
  const known = kept.get(jwk)
  if (known) return known
  try {
    const key = await crypto.subtle.importKey("jwk", material, algorithm, false, [usage])
    kept.set(jwk, key)
    return key
  } catch {
    // The cause is not passed on: an error about a key may quote it.
    throw new Problem("misconfigured", {
      cause: new Error(`signing key "${jwk.kid}" is not valid`),
    })
  }
}
