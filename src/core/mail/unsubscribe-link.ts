import { Buffer } from "node:buffer"
import { createHmac } from "node:crypto"
import * as z from "zod"
import type { Settings } from "../../platform/settings.ts"
import { type Locale, locales } from "./locale.ts"

/**
 * Stands where the link will be: a mail is written when it is caused, and its address may be known only when it leaves.
 * `.invalid` is nobody's (RFC 2606), and the text is the same in HTML.
 */
export const unsubscribePlaceholder = "https://unsubscribe.invalid/"

/** What a link says: who wants no more of what. */
export interface Unsubscription {
  readonly address: string
  readonly list: string
  readonly locale: Locale
}

/**
 * The link of one address and one list, in one mail. Sealed (AES-256-GCM), not only signed: links end up in logs and
 * histories, and shall tell nobody the address. No expiry: who reads an old mail may still want no more of them.
 *
 * The same whenever a mail asks for it, so that a provider that was given the mail before knows it again: the IV is made
 * of what is sealed and of the mail's id, by HMAC, so it comes twice only with the very same text.
 */
export async function unsubscribeLink(
  settings: Settings,
  origin: string,
  unsubscription: Unsubscription,
  mail: string,
): Promise<string> {
  const sentence = JSON.stringify(unsubscription)
  const iv = createHmac("sha256", `unsubscribe iv\n${settings.secret}`)
    .update(`${mail}\n${sentence}`)
    .digest()
    .subarray(0, ivBytes)
  const text = new TextEncoder().encode(sentence)
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await keyOf(settings), text)
  const token = Buffer.concat([iv, Buffer.from(sealed)]).toString("base64url")
  return `${origin}/mail/unsubscriptions?token=${token}`
}

const shape = z.object({ address: z.string(), list: z.string(), locale: z.enum(locales) })
const ivBytes = 12
const maxTokenCharacters = 2_000

/** What a token says; null when it was not made here. The seal is compared in constant time, by the platform. */
export async function openUnsubscribeToken(
  settings: Settings,
  token: string,
): Promise<Unsubscription | null> {
  const bytes = token.length > maxTokenCharacters ? null : Buffer.from(token, "base64url")
  if (!bytes || bytes.length <= ivBytes) return null
  try {
    const text = await crypto.subtle.decrypt(
      { name: "AES-GCM", iv: bytes.subarray(0, ivBytes) },
      await keyOf(settings),
      bytes.subarray(ivBytes),
    )
    return shape.parse(JSON.parse(new TextDecoder().decode(text)))
  } catch {
    return null
  }
}

/** A key of its own from the deployment's secret, so that nothing sealed for another purpose opens here. */
async function keyOf({ secret }: Settings): Promise<CryptoKey> {
  const material = new TextEncoder().encode(`unsubscribe\n${secret}`)
  const bytes = await crypto.subtle.digest("SHA-256", material)
  return crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"])
}
