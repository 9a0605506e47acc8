import { Buffer } from "node:buffer"
import { createHmac, timingSafeEqual } from "node:crypto"

/*
 * One-time codes of authenticator apps: SHA-1, 6 digits, 30 s, because those are what all apps understand, and some
 * silently take for given. SHA-1 is sound inside HMAC. Pure: no clock, no I/O.
 * @see RFC 6238 (TOTP), RFC 4226 (HOTP)
 */
export const stepSeconds = 30
export const digits = 6

/** Steps that a person's clock may be wrong by, in either direction (RFC 6238, 5.2 and 6). */
const drift = 1

/** As long as SHA-1's output (RFC 4226, 4, R6). */
export const secretBytes = 20

export const stepAt = (milliseconds: number): number =>
  Math.floor(milliseconds / 1000 / stepSeconds)

/** HOTP: the code of a counter (RFC 4226, 5.3). */
export function codeAt(secret: Uint8Array, counter: number, length = digits): string {
  const message = Buffer.alloc(8)
  message.writeBigUInt64BE(BigInt(counter))
  const mac = createHmac("sha1", secret).update(message).digest()
  const offset = (mac[19] as number) & 15
  const number = mac.readUInt32BE(offset) & 0x7fff_ffff
  return String(number % 10 ** length).padStart(length, "0")
}

/**
 * The step whose code `code` is, among those near `now`; null when it is none of them, or none after `lastStep`: a code
 * that was accepted once, or is older than one that was, is worth nothing to whoever looked over a shoulder.
 */
export function matchingStep(
  secret: Uint8Array,
  code: string,
  lastStep: number,
  now: number,
): number | null {
  const current = stepAt(now)
  let found: number | null = null
  // All steps are looked at, so that time does not tell which one it was.
  for (let step = current - drift; step <= current + drift; step++) {
    if (isSame(codeAt(secret, step), code) && step > lastStep) found ??= step
  }
  return found
}

function isSame(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}
