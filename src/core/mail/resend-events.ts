import { Buffer } from "node:buffer"
import { createHmac, timingSafeEqual } from "node:crypto"
import * as z from "zod"
import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { parseJson } from "../../platform/validate.ts"
import { suppress } from "./suppressions.ts"

/*
 * What Resend tells of mails that it has taken: bounces and complaints. Signed as Svix and Standard Webhooks do: HMAC-SHA256
 * over `id.timestamp.body`.
 * @see https://www.standardwebhooks.com, https://resend.com/docs/webhooks/emails/bounced
 */

const toleranceSeconds = 300

/**
 * The body, when Resend signed it within the last five minutes.
 *
 * @throws {Problem} `forbidden`
 */
export function verifiedEvent(secret: string, headers: Headers, body: string, now: number): string {
  const id = headers.get("svix-id") ?? ""
  const timestamp = headers.get("svix-timestamp") ?? ""
  const age = Math.abs(now / 1_000 - Number(timestamp))
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64")
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest()
  const signatures = (headers.get("svix-signature") ?? "").split(" ").slice(0, 10)
  const signed = signatures.some((entry) => {
    const [version, signature = ""] = entry.split(",")
    const given = Buffer.from(signature, "base64")
    return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected)
  })
  if (!id || !/^\d{1,12}$/.test(timestamp) || !(age <= toleranceSeconds) || !signed) {
    throw new Problem("forbidden", "The signature is not good, or too old.")
  }
  return body
}

const event = z.object({
  type: z.string(),
  data: z.looseObject({
    to: z.array(z.string()).optional(),
    bounce: z.looseObject({ type: z.string(), message: z.string().optional() }).optional(),
  }),
})

/**
 * Puts the address on the list when mail to it bounces for good, or its owner complains. All other events, and the same
 * one again, change nothing.
 */
export async function applyEvent(app: App, body: string): Promise<void> {
  const parsed = event.safeParse(parseJson(body))
  if (!parsed.success) return
  const { type, data } = parsed.data
  const [address, ...others] = data.to ?? []
  // Our mails have one recipient each. Of several, it does not say which one it was.
  if (address === undefined || others.length > 0) return
  const detail = data.bounce?.message ?? null
  if (type === "email.complained") {
    await suppress(app, { address, list: null, reason: "complaint", detail })
  } else if (type === "email.bounced" && data.bounce?.type === "Permanent") {
    await suppress(app, { address, list: null, reason: "bounce", detail })
  }
}
