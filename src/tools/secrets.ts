import { createHash, generateKeyPairSync, randomBytes } from "node:crypto"

/** What a deployment must keep to itself. Names are those of the Worker's variables. */
export interface Secrets {
  SECRET: string
  SIGNING_KEYS: string
}

/** Fresh secrets: 32 random bytes, and one Ed25519 key as a private JWK. */
export const generateSecrets = (): Secrets => ({
  SECRET: randomBytes(32).toString("base64url"),
  SIGNING_KEYS: JSON.stringify([generateSigningKey()]),
})

function generateSigningKey() {
  const { kty, crv, x, d } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" })
  return { kid: randomBytes(8).toString("hex"), kty, crv, x, d }
}

/** A code that a person types once, and the hash by which the deployment knows it. */
export function generateAdminCode(): { code: string; hash: string } {
  const code = randomBytes(20).toString("base64url")
  return { code, hash: createHash("sha256").update(code).digest("hex") }
}

/** A password for a person to copy: 18 random bytes. */
export const generatePassword = (): string => randomBytes(18).toString("base64url")
