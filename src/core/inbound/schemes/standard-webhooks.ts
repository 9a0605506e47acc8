import { Buffer } from "node:buffer"
import {
  isRecent,
  isSame,
  maxSignatures,
  membersOf,
  type Scheme,
  sign,
  textOrNull,
} from "./scheme.ts"

/**
 * Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp` and `webhook-signature` over `id.timestamp.body`. A secret is
 * `whsec_…` (HMAC-SHA256), or `whpk_…`, the public key of a sender that signs with Ed25519.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export const standardWebhooks = (): Scheme => scheme

const scheme: Scheme = {
  keeps: ["webhook-id", "webhook-timestamp"],
  isSigned({ headers, body }, secret, now) {
    const id = headers.get("webhook-id") ?? ""
    const timestamp = headers.get("webhook-timestamp") ?? ""
    if (id === "" || !isRecent(timestamp, now)) return false
    const before = `${id}.${timestamp}.`
    const given = signaturesOf(headers.get("webhook-signature") ?? "")
    if (secret.startsWith("whpk_")) return isSignedWithKey(given, secret, before, body)
    const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64")
    // An empty key would sign for everybody.
    if (key.length === 0) return false
    const expected = sign("sha256", key, before, body, "base64")
    return given.some(([version, signature]) => version === "v1" && isSame(signature, expected))
  },
  identify: ({ headers, body }) => ({
    eventId: headers.get("webhook-id"),
    type: textOrNull(membersOf(body).type),
  }),
}

const signaturesOf = (header: string): (readonly [version: string, signature: string])[] =>
  header
    .split(" ", maxSignatures)
    .map((entry) => [entry.slice(0, entry.indexOf(",")), entry.slice(entry.indexOf(",") + 1)])

async function isSignedWithKey(
  given: ReturnType<typeof signaturesOf>,
  secret: string,
  before: string,
  body: Uint8Array,
): Promise<boolean> {
  const signed = Buffer.concat([Buffer.from(before), body])
  try {
    const bytes = Buffer.from(secret.slice("whpk_".length), "base64")
    const key = await crypto.subtle.importKey("raw", bytes, "Ed25519", false, ["verify"])
    for (const [version, text] of given) {
      const signature = Buffer.from(text, "base64")
      if (version !== "v1a" || signature.toString("base64") !== text) continue
      if (await crypto.subtle.verify("Ed25519", key, signature, signed)) return true
    }
  } catch {
    // What is no key, or no signature, has signed nothing.
  }
  return false
}
