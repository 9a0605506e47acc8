import { Buffer } from "node:buffer"
import { createHash, createHmac, timingSafeEqual } from "node:crypto"

/*
 * Refresh tokens: `hrt_` and base64url of session id (16 bytes), 32 secret bytes, and a tag (16 bytes). Pure: no clock, no I/O.
 *
 * - The tag is a MAC with the deployment's secret. What we never issued is refused without a trip, so that strangers
 *   can neither drive the database nor end a family whose session id they saw.
 * - The secret bytes of a successor are a MAC over its predecessor. Whoever presents the immediate predecessor again can
 *   thus be handed the same successor, though nothing is stored but a hash; and the stored hash with the deployment's
 *   secret does not give a token away.
 */
export interface RefreshToken {
  readonly text: string
  readonly session: string
}

const prefix = "hrt_"
const length = 64

/** The first token of a session's family. */
export const firstRefreshToken = (secret: string, session: string): RefreshToken =>
  build(secret, session, crypto.getRandomValues(Buffer.alloc(32)))

/** The one token that follows `token`. */
export const successorOf = (secret: string, token: RefreshToken): RefreshToken =>
  build(secret, token.session, mac(secret, "refresh-successor", Buffer.from(token.text)))

/** Null for anything that this deployment did not issue. */
export function parseRefreshToken(secret: string, text: string): RefreshToken | null {
  if (!text.startsWith(prefix) || text.length > 200) return null
  const bytes = Buffer.from(text.slice(prefix.length), "base64url")
  if (bytes.length !== length || encode(bytes) !== text) return null
  const body = bytes.subarray(0, 48)
  if (!timingSafeEqual(tagOf(secret, body), bytes.subarray(48))) return null
  const hex = bytes.toString("hex", 0, 16)
  const session = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")
  return { text, session }
}

/** What is stored of a token. SHA-256 is enough: its input has 256 random bits. */
export const refreshHash = (token: RefreshToken): string =>
  createHash("sha256").update(token.text).digest("hex")

function build(secret: string, session: string, random: Uint8Array): RefreshToken {
  const body = Buffer.concat([Buffer.from(session.replaceAll("-", ""), "hex"), random])
  return { text: encode(Buffer.concat([body, tagOf(secret, body)])), session }
}

const encode = (bytes: Buffer) => prefix + bytes.toString("base64url")

const tagOf = (secret: string, body: Uint8Array): Buffer =>
  mac(secret, "refresh-tag", body).subarray(0, 16)

const mac = (secret: string, purpose: string, message: Uint8Array): Buffer =>
  createHmac("sha256", secret).update(`${purpose}\n`).update(message).digest()
