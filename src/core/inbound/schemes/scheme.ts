import { Buffer } from "node:buffer"
import { createHmac, timingSafeEqual } from "node:crypto"

/* How a sender proves that a request is its own. No clock, no storage: the moment is passed in. */

/** A request as it came: its headers, and its body byte for byte, because that is what was signed. */
export interface Received {
  readonly headers: Headers
  readonly body: Uint8Array
}

/** What the sender calls the event; null where it does not say. */
export interface Identified {
  /** The same each time that the event is sent. */
  readonly eventId: string | null
  readonly type: string | null
}

/** A way of signing. */
export interface Scheme {
  /** Headers that are stored with the event, in small letters: those that say what it is, none that lets one in. */
  readonly keeps: readonly string[]
  /** Whether it was signed with this secret, and not too long ago at `now` (milliseconds since the epoch). */
  isSigned(request: Received, secret: string, now: number): boolean | Promise<boolean>
  /** Asked only of what is signed. */
  identify(request: Received): Identified
  /** What a sender that asks whether anybody is there wants to hear: then there is no event. */
  challenge?(request: Received): string | null
}

/** Either way, so that a clock that is slow or fast is no open door. */
export const toleranceSeconds = 300

/** More signatures than a rotation can bring are not looked at. */
export const maxSignatures = 10

export type Algorithm = "sha1" | "sha256" | "sha384" | "sha512"
export type Encoding = "hex" | "base64" | "base64url"

/** HMAC of a text and the body that follows it. */
export const sign = (
  algorithm: Algorithm,
  secret: string | Uint8Array,
  before: string,
  body: Uint8Array,
  encoding: Encoding,
): string => createHmac(algorithm, secret).update(before).update(body).digest(encoding)

/**
 * Compares signatures as they are written, in constant time. Decoded, two texts can be one signature: base64 has bits that
 * say nothing, and hexadecimal has two cases.
 */
export function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Compares secrets, whose lengths are nobody's business either. */
export const isSameSecret = (given: string, expected: string): boolean =>
  isSame(
    sign("sha256", expected, given, nothing, "hex"),
    sign("sha256", expected, expected, nothing, "hex"),
  )

const nothing = new Uint8Array()

/** Whether a moment in whole seconds, as it was signed, is near enough. */
export const isRecent = (seconds: string, now: number, tolerance = toleranceSeconds): boolean =>
  /^\d{1,12}$/.test(seconds) && Math.abs(now / 1_000 - Number(seconds)) <= tolerance

/** Members of a body that is a JSON object; none of any other. */
export function membersOf(body: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body))
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

export const textOrNull = (value: unknown): string | null =>
  typeof value === "string" && value !== "" ? value : null
