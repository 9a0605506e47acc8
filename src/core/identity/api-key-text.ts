import { Buffer } from "node:buffer"
import { createCipheriv, createDecipheriv, createHash, createHmac } from "node:crypto"
import { crc32 } from "node:zlib"
import * as z from "zod"

/*
 * API keys: `hlk_`, base64url of 32 random bytes, the sealed claims and their tag, and six digits of a checksum.
 * Pure: no clock, no I/O.
 *
 * - The claims are sealed with the deployment's secret (AES-256-GCM), so a key says for whom it acts before any
 *   trip, nobody else can make one, and who finds one reads no address in it.
 * - The random bytes are the nonce and what is authenticated beside the claims. They make the stored hash one that
 *   nobody can guess, with the deployment's secret or without.
 * - The checksum is CRC-32 in base 62, as in GitHub's tokens: scanners tell a key from noise offline, and a key with a
 *   typing error is refused before anything is deciphered.
 *
 * @see https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
 */
export const keyPrefix = "hlk_"

/** For secret scanners: the last six characters are the checksum of all before them. */
export const keyPattern = /\bhlk_[\w-]{150,4000}[0-9A-Za-z]{6}\b/

const claimsShape = z.tuple([
  z.string(),
  z.string(),
  z.string().nullable(),
  z.string(),
  z.string(),
  z.array(z.string()),
  z.int(),
  z.array(z.string()),
  z.number().nullable(),
  z.boolean(),
])

/** What a key says of itself. What may change since (roles, address) is true as of `epoch`. */
export interface KeyClaims {
  readonly id: string
  readonly user: string
  readonly organisation: string | null
  /** Name of the database that holds the organisation's records. */
  readonly database: string
  readonly email: string
  readonly roles: readonly string[]
  readonly epoch: number
  readonly scopes: readonly string[]
  /** Milliseconds since the epoch; null for a key that does not expire. */
  readonly expiresAt: number | null
  /** Whether its holder is a service account. */
  readonly service: boolean
}

const randomBytes = 32
const nonceBytes = 12
const tagBytes = 16
const checksumDigits = 6
export const maxKeyLength = 4_096

/** The text of a new key. It is shown once: only `keyHash` of it is kept. */
export function makeKeyText(secret: string, claims: KeyClaims): string {
  const random = crypto.getRandomValues(Buffer.alloc(randomBytes))
  const cipher = createCipheriv("aes-256-gcm", sealOf(secret), random.subarray(0, nonceBytes))
  cipher.setAAD(random)
  const { id, user, organisation, database, email, roles, epoch, scopes, expiresAt, service } =
    claims
  const listed: z.input<typeof claimsShape> = [
    id,
    user,
    organisation,
    database,
    email,
    [...roles],
    epoch,
    [...scopes],
    expiresAt,
    service,
  ]
  const sealed = Buffer.concat([cipher.update(JSON.stringify(listed), "utf8"), cipher.final()])
  const bytes = Buffer.concat([random, sealed, cipher.getAuthTag()])
  const body = keyPrefix + bytes.toString("base64url")
  return body + checksumOf(body)
}

/** Null for anything that this deployment did not issue, in every character. */
export function parseKeyText(secret: string, text: string): KeyClaims | null {
  if (!hasKeyForm(text)) return null
  const encoded = text.slice(keyPrefix.length, -checksumDigits)
  const bytes = Buffer.from(encoded, "base64url")
  // The one canonical form: else a changed last letter could pass.
  if (bytes.toString("base64url") !== encoded) return null
  if (bytes.length <= randomBytes + tagBytes) return null
  const random = bytes.subarray(0, randomBytes)
  const decipher = createDecipheriv("aes-256-gcm", sealOf(secret), random.subarray(0, nonceBytes))
  decipher.setAAD(random)
  decipher.setAuthTag(bytes.subarray(-tagBytes))
  try {
    const sealed = decipher.update(bytes.subarray(randomBytes, -tagBytes))
    return claimsOf(Buffer.concat([sealed, decipher.final()]).toString("utf8"))
  } catch {
    return null
  }
}

/** Prefix and checksum: what a scanner can see without the deployment. */
export const hasKeyForm = (text: string): boolean =>
  text.length <= maxKeyLength &&
  text.startsWith(keyPrefix) &&
  checksumOf(text.slice(0, -checksumDigits)) === text.slice(-checksumDigits)

/** What is stored of a key. SHA-256 is enough: its input has 256 random bits. */
export const keyHash = (text: string): string => createHash("sha256").update(text).digest("hex")

/** Its last characters, to tell keys apart: of the checksum, which is no secret. */
export const keyHint = (text: string): string => text.slice(-4)

function claimsOf(json: string): KeyClaims | null {
  const parsed = claimsShape.safeParse(JSON.parse(json))
  if (!parsed.success) return null
  const [id, user, organisation, database, email, roles, epoch, scopes, expiresAt, service] =
    parsed.data
  return { id, user, organisation, database, email, roles, epoch, scopes, expiresAt, service }
}

const sealOf = (secret: string): Buffer =>
  createHmac("sha256", secret).update("api-key-seal\n").digest()

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

function checksumOf(text: string): string {
  let rest = crc32(text)
  let checksum = ""
  for (let i = 0; i < checksumDigits; i++) {
    checksum = digits.charAt(rest % 62) + checksum
    rest = Math.floor(rest / 62)
  }
  return checksum
}
