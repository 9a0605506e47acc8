import { createHmac } from "node:crypto"
import fc from "fast-check"
import { expect, test } from "vitest"
import { github } from "../../../src/core/inbound/schemes/github.ts"
import { gitlab } from "../../../src/core/inbound/schemes/gitlab.ts"
import { hmac } from "../../../src/core/inbound/schemes/hmac.ts"
import type { Scheme } from "../../../src/core/inbound/schemes/scheme.ts"
import { shopify } from "../../../src/core/inbound/schemes/shopify.ts"
import { slack } from "../../../src/core/inbound/schemes/slack.ts"
import { standardWebhooks } from "../../../src/core/inbound/schemes/standard-webhooks.ts"
import { stripe } from "../../../src/core/inbound/schemes/stripe.ts"

const settings = (import.meta as unknown as { env: Record<string, string | undefined> }).env
const seed = Number(settings.VITE_SEED ?? Math.floor(Math.random() * 2 ** 30))
console.log(`seed ${seed}`)

/** How a sender signs: headers by name, over a body, at a moment in whole seconds. */
interface Sender {
  readonly scheme: Scheme
  /** Headers in which every bit counts. */
  readonly signed: readonly string[]
  send(body: Uint8Array, secret: Buffer, at: number): Record<string, string>
  secretText(secret: Buffer): string
}

const digest = (secret: string | Buffer, before: string, body: Uint8Array, how: "hex" | "base64") =>
  createHmac("sha256", secret).update(before).update(body).digest(how)
const hex = (secret: Buffer) => secret.toString("hex")
const whsec = (secret: Buffer) => `whsec_${secret.toString("base64")}`

const standard = (scheme: Scheme): Sender => ({
  scheme,
  signed: ["webhook-id", "webhook-timestamp", "webhook-signature"],
  secretText: whsec,
  send: (body, secret, at) => ({
    "webhook-id": "msg_1",
    "webhook-timestamp": String(at),
    "webhook-signature": `v1,${digest(secret, `msg_1.${at}.`, body, "base64")}`,
  }),
})

const senders: Readonly<Record<string, Sender>> = {
  "Standard Webhooks": standard(standardWebhooks()),
  "GitLab, signing": standard(gitlab()),
  Stripe: {
    scheme: stripe(),
    signed: ["stripe-signature"],
    secretText: hex,
    send: (body, secret, at) => ({
      "stripe-signature": `t=${at},v1=${digest(hex(secret), `${at}.`, body, "hex")}`,
    }),
  },
  GitHub: {
    scheme: github(),
    signed: ["x-hub-signature-256"],
    secretText: hex,
    send: (body, secret) => ({
      "x-hub-signature-256": `sha256=${digest(hex(secret), "", body, "hex")}`,
    }),
  },
  Slack: {
    scheme: slack(),
    signed: ["x-slack-signature", "x-slack-request-timestamp"],
    secretText: hex,
    send: (body, secret, at) => ({
      "x-slack-request-timestamp": String(at),
      "x-slack-signature": `v0=${digest(hex(secret), `v0:${at}:`, body, "hex")}`,
    }),
  },
  Shopify: {
    scheme: shopify(),
    signed: ["x-shopify-hmac-sha256"],
    secretText: hex,
    send: (body, secret) => ({
      "x-shopify-hmac-sha256": digest(hex(secret), "", body, "base64"),
    }),
  },
  "any HMAC with a moment": {
    scheme: hmac({
      header: "x-sig",
      encoding: "base64",
      prefix: "s:",
      timestamp: { header: "x-at" },
    }),
    signed: ["x-sig", "x-at"],
    secretText: hex,
    send: (body, secret, at) => ({
      "x-at": String(at),
      "x-sig": `s:${digest(hex(secret), `${at}.`, body, "base64")}`,
    }),
  },
}

const flipped = (bytes: Uint8Array, at: number): Uint8Array<ArrayBuffer> => {
  const changed = Uint8Array.from(bytes)
  const index = Math.floor(at / 8) % bytes.length
  changed[index] = (changed[index] as number) ^ (1 << (at % 8))
  return changed
}

/** As text of one byte a character, which is what a header can hold; null when it can not hold this one. */
const flippedText = (text: string, at: number): string | null => {
  const changed = Buffer.from(flipped(Buffer.from(text, "latin1"), at)).toString("latin1")
  // Spaces at either end of a header are no part of it.
  return /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(changed) ? changed : null
}

test.each(Object.entries(senders))(
  "%s: what is signed verifies, and with any one bit flipped it does not",
  async (_, { scheme, signed, send, secretText }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.uint8Array({ minLength: 24, maxLength: 64 }),
        fc.integer({ min: 1_000_000_000, max: 4_000_000_000 }),
        fc.nat(100_000),
        async (body, bytes, at, bit) => {
          const secret = Buffer.from(bytes)
          const headers = send(body, secret, at)
          const verifies = (changed: object, what = body, key = secret) =>
            scheme.isSigned(
              { headers: new Headers({ ...headers, ...changed }), body: what },
              secretText(key),
              at * 1_000,
            )
          expect(await verifies({})).toBe(true)
          expect(await verifies({}, flipped(body, bit))).toBe(false)
          expect(await verifies({}, body, Buffer.from(flipped(secret, bit)))).toBe(false)
          for (const name of signed) {
            const changed = flippedText(headers[name] as string, bit)
            if (changed !== null)
              expect([name, await verifies({ [name]: changed })]).toEqual([name, false])
          }
        },
      ),
      { seed, numRuns: 300 },
    )
  },
)
