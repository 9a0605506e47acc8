import { Webhook } from "standardwebhooks"
import { Webhook as Svix } from "svix"
import { describe, expect, test } from "vitest"
import { makeSecret, signer } from "../../src/core/webhooks/signatures.ts"
import { toolApp } from "../core/records/workshop.ts"

const { settings } = toolApp()
const nowSeconds = () => Math.floor(Date.now() / 1_000)

/** Published with the specification and its libraries. */
const vector = {
  secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  timestamp: 1_614_265_330,
  body: '{"test": 2432232314}',
  signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}

const secretOf = (endpoint: string, given?: string) => makeSecret(settings, endpoint, "v1", given)

describe("Standard Webhooks 1.0", () => {
  test("the published vector is signed as published", async () => {
    const { sealed } = await secretOf("e", vector.secret)
    expect(sealed).not.toContain("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    expect(await (await signer(settings, "e", [sealed]))(vector)).toBe(vector.signature)
  })

  test.each([
    ["standardwebhooks", (secret: string) => new Webhook(secret), "webhook"],
    ["svix", (secret: string) => new Svix(secret), "webhook"],
    ["svix by its own names", (secret: string) => new Svix(secret), "svix"],
  ] as const)(
    "%s verifies what we sign, and refuses what was tampered with",
    async (_, verifier, prefix) => {
      const { sealed, secret } = await secretOf("e")
      const message = {
        id: "msg_1",
        timestamp: nowSeconds(),
        body: '{"type":"a.b","data":{"ä":"✓"}}',
      }
      const signature = await (await signer(settings, "e", [sealed]))(message)
      const headers = {
        [`${prefix}-id`]: message.id,
        [`${prefix}-timestamp`]: String(message.timestamp),
        [`${prefix}-signature`]: signature,
      }
      const verify = (body: string, changed: object = {}) =>
        verifier(secret as string).verify(body, { ...headers, ...changed })
      expect(verify(message.body)).toEqual(JSON.parse(message.body))
      expect(() => verify(`${message.body} `)).toThrow()
      expect(() => verify(message.body, { [`${prefix}-id`]: "msg_2" })).toThrow()
      expect(() =>
        verify(message.body, { [`${prefix}-timestamp`]: String(message.timestamp - 1) }),
      ).toThrow()
      expect(() => verify(message.body, { [`${prefix}-signature`]: "v1,AAAA" })).toThrow()
    },
  )

  test("while a secret is replaced, either one verifies", async () => {
    const [fresh, old] = [await secretOf("e"), await secretOf("e")]
    const message = { id: "msg_1", timestamp: nowSeconds(), body: "{}" }
    const signature = await (await signer(settings, "e", [fresh.sealed, old.sealed]))(message)
    expect(signature.split(" ")).toHaveLength(2)
    const headers = {
      "webhook-id": message.id,
      "webhook-timestamp": String(message.timestamp),
      "webhook-signature": signature,
    }
    for (const { secret } of [fresh, old]) {
      expect(new Webhook(secret as string).verify("{}", headers)).toEqual({})
      expect(new Svix(secret as string).verify("{}", headers)).toEqual({})
    }
  })

  test("Ed25519 signatures verify by the public key that is shown", async () => {
    const { sealed, secret, publicKey } = await makeSecret(settings, "e", "v1a")
    expect(secret).toBeNull()
    const message = { id: "msg_1", timestamp: 1_700_000_000, body: '{"a":1}' }
    const signature = await (await signer(settings, "e", [sealed]))(message)
    const [version, value = ""] = signature.split(",")
    expect(version).toBe("v1a")
    const key = await crypto.subtle.importKey(
      "raw",
      Uint8Array.from(atob((publicKey as string).slice(5)), (char) => char.charCodeAt(0)),
      "Ed25519",
      false,
      ["verify"],
    )
    const bytes = Uint8Array.from(atob(value), (char) => char.charCodeAt(0))
    const verify = (content: string) =>
      crypto.subtle.verify("Ed25519", key, bytes, new TextEncoder().encode(content))
    expect(await verify('msg_1.1700000000.{"a":1}')).toBe(true)
    expect(await verify('msg_1.1700000000.{"a":2}')).toBe(false)
  })

  test("a secret of another endpoint does not open", async () => {
    const { sealed } = await secretOf("mine")
    await expect(signer(settings, "yours", [sealed])).rejects.toThrow()
  })

  test.each([
    "whsec_",
    "whsec_c2hvcnQ=",
    `whsec_${btoa("x".repeat(23))}`,
    `whsec_${btoa("x".repeat(65))}`,
    "whsec_not base64 at all, but long enough to be one",
  ])("%s is no secret", async (text) => {
    await expect(secretOf("e", text)).rejects.toMatchObject({ code: "invalid_input" })
  })
})
