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
 * Stripe: `Stripe-Signature: t=…,v1=…` over `t.body`; while a secret is rotated there are several `v1`. The secret is used
 * as it is written, `whsec_` included.
 *
 * @see https://docs.stripe.com/webhooks/signature
 */
export const stripe = (): Scheme => scheme

const scheme: Scheme = {
  keeps: [],
  isSigned({ headers, body }, secret, now) {
    const parts = (headers.get("stripe-signature") ?? "").split(",", maxSignatures)
    const valuesOf = (name: string) =>
      parts.flatMap((part) => (part.startsWith(`${name}=`) ? [part.slice(name.length + 1)] : []))
    const [timestamp = "", ...others] = valuesOf("t")
    // Of two moments, one would be signed and the other believed.
    if (others.length > 0 || !isRecent(timestamp, now)) return false
    const expected = sign("sha256", secret, `${timestamp}.`, body, "hex")
    return valuesOf("v1").some((signature) => isSame(signature, expected))
  },
  identify({ body }) {
    const { id, type } = membersOf(body)
    return { eventId: textOrNull(id), type: textOrNull(type) }
  },
}
