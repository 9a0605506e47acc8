import { Webhook } from "standardwebhooks"
import Stripe from "stripe"
import { describe, expect, test } from "vitest"
import { github } from "../../src/core/inbound/schemes/github.ts"
import { gitlab } from "../../src/core/inbound/schemes/gitlab.ts"
import type { Received } from "../../src/core/inbound/schemes/scheme.ts"
import { slack } from "../../src/core/inbound/schemes/slack.ts"
import { standardWebhooks } from "../../src/core/inbound/schemes/standard-webhooks.ts"
import { stripe } from "../../src/core/inbound/schemes/stripe.ts"

/* Examples that the senders themselves have published, and what their own libraries sign. */

const request = (headers: Record<string, string>, body: string): Received => ({
  headers: new Headers(headers),
  body: new TextEncoder().encode(body),
})

/** From the specification's own test suite. */
const vector = {
  secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  seconds: 1_614_265_330,
  body: '{"test": 2432232314}',
  signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
const standard = (changed: Record<string, string> = {}, body = vector.body) =>
  request(
    {
      "webhook-id": vector.id,
      "webhook-timestamp": String(vector.seconds),
      "webhook-signature": vector.signature,
      ...changed,
    },
    body,
  )

describe("Standard Webhooks", () => {
  const at = vector.seconds * 1_000
  const isSigned = (what: Received, secret = vector.secret, now = at) =>
    standardWebhooks().isSigned(what, secret, now)

  test("the official vector verifies, with and without the prefix of its secret", async () => {
    expect(await isSigned(standard())).toBe(true)
    expect(await isSigned(standard(), vector.secret.slice("whsec_".length))).toBe(true)
  })

  test("what the official library signs verifies", async () => {
    const body = '{"type":"film.announced","data":{"title":"Métropolis"}}'
    const signature = new Webhook(vector.secret).sign("msg_1", new Date(at), body)
    const what = standard({ "webhook-id": "msg_1", "webhook-signature": signature }, body)
    expect(await isSigned(what)).toBe(true)
  })

  test.each([
    ["another body", standard({}, '{"test": 2432232315}')],
    ["another id", standard({ "webhook-id": "msg_2" })],
    ["no id", standard({ "webhook-id": "" })],
    ["another moment", standard({ "webhook-timestamp": "1614265331" })],
    ["a moment that is no number", standard({ "webhook-timestamp": "1614265330.0" })],
    ["no moment", standard({ "webhook-timestamp": "" })],
    ["no signature", standard({ "webhook-signature": "" })],
    ["an empty signature", standard({ "webhook-signature": "v1," })],
    ["another version", standard({ "webhook-signature": vector.signature.replace("v1", "v2") })],
    ["no version", standard({ "webhook-signature": vector.signature.slice(3) })],
  ])("%s is refused", async (_, what) => {
    expect(await isSigned(what)).toBe(false)
  })

  test.each([
    ["five minutes old", 300, true],
    ["older", 301, false],
    ["five minutes ahead", -300, true],
    ["further ahead", -301, false],
  ])("%s: %i s", async (_, seconds, expected) => {
    expect(await isSigned(standard(), vector.secret, at + seconds * 1_000)).toBe(expected)
  })

  test("one good signature among several is enough, up to ten", async () => {
    const bad = (count: number) => "v1,AAAA ".repeat(count)
    const among = (count: number) =>
      standard({ "webhook-signature": `${bad(count)}${vector.signature}` })
    expect(await isSigned(among(9))).toBe(true)
    expect(await isSigned(among(10))).toBe(false)
  })

  test.each(["whsec_", "", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whpk_AAAA", "whpk_"])(
    "the secret %j signs nothing of it",
    async (secret) => {
      expect(await isSigned(standard(), secret)).toBe(false)
    },
  )

  test("a signature of Ed25519 verifies with the public key, and no other", async () => {
    const pair = (await crypto.subtle.generateKey("Ed25519", true, [
      "sign",
      "verify",
    ])) as CryptoKeyPair
    const raw = (await crypto.subtle.exportKey("raw", pair.publicKey)) as ArrayBuffer
    const secret = `whpk_${Buffer.from(raw).toString("base64")}`
    const signed = new TextEncoder().encode(`${vector.id}.${vector.seconds}.${vector.body}`)
    const bytes = await crypto.subtle.sign("Ed25519", pair.privateKey, signed)
    const signature = `v1a,${Buffer.from(bytes).toString("base64")}`
    expect(await isSigned(standard({ "webhook-signature": signature }), secret)).toBe(true)
    expect(await isSigned(standard({ "webhook-signature": signature }, "{}"), secret)).toBe(false)
    expect(await isSigned(standard(), secret)).toBe(false)
    expect(await isSigned(standard({ "webhook-signature": signature }))).toBe(false)
  })
})

describe("Stripe", () => {
  const client = new Stripe("sk_test_none")
  const secret = "whsec_test_secret"
  const body = '{"id":"evt_1","object":"event","type":"invoice.paid"}'
  const seconds = 1_700_000_000
  const signed = async (options: { timestamp?: number; scheme?: string; secret?: string } = {}) =>
    client.webhooks.generateTestHeaderStringAsync({
      payload: body,
      secret,
      timestamp: seconds,
      ...options,
    } as Parameters<typeof client.webhooks.generateTestHeaderStringAsync>[0])
  const isSigned = (header: string, payload = body, now = seconds * 1_000) =>
    stripe().isSigned(request({ "stripe-signature": header }, payload), secret, now)

  test("what Stripe's library signs verifies, and is known by the event's id", async () => {
    const header = await signed()
    expect(isSigned(header)).toBe(true)
    expect(stripe().identify(request({}, body))).toEqual({ eventId: "evt_1", type: "invoice.paid" })
  })

  test("while a secret is rotated, one good signature of two is enough", async () => {
    const old = (await signed({ secret: "whsec_old" })).split("v1=")[1]
    expect(isSigned((await signed()).replace("v1=", `v1=${old},v1=`))).toBe(true)
  })

  test("what is tampered with is refused", async () => {
    const header = await signed()
    const refused = [
      isSigned(header, body.replace("paid", "void")),
      isSigned(header.replace(String(seconds), String(seconds + 1))),
      isSigned(header, body, (seconds + 301) * 1_000),
      isSigned(await signed({ secret: "whsec_other" })),
      isSigned(header.replace("v1=", "v0=")),
      isSigned(header.toUpperCase()),
      isSigned(`t=${seconds - 9_999},${header}`, body, (seconds - 9_999) * 1_000),
      isSigned(`t=${seconds},v1=`),
      isSigned(`t=${seconds}`),
      isSigned(header.slice(header.indexOf("v1="))),
      isSigned(""),
    ]
    expect(refused).toEqual(refused.map(() => false))
  })
})

describe("GitHub", () => {
  const secret = "It's a Secret to Everybody"
  const example = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
  const isSigned = (signature: string, body = "Hello, World!", by = secret) =>
    github().isSigned(request({ "x-hub-signature-256": signature }, body), by, 0)

  test("the documented example verifies", () => {
    expect(isSigned(example)).toBe(true)
  })

  test("what is tampered with is refused", () => {
    const refused = [
      isSigned(example, "Hello, World?"),
      isSigned(example, "Hello, World!", "another"),
      isSigned(example.replace("sha256=", "")),
      isSigned(example.replace("sha256", "sha1")),
      isSigned(example.toUpperCase()),
      isSigned(`${example},${example}`),
      isSigned("sha256="),
      isSigned(""),
    ]
    expect(refused).toEqual(refused.map(() => false))
  })
})

describe("Slack", () => {
  const secret = "8f742231b10e8888abcd99yyyzzz85a5"
  const seconds = 1_531_420_618
  const body =
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
  const example = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
  const isSigned = (
    signature: string,
    { payload = body, at = String(seconds), now = seconds, by = secret } = {},
  ) =>
    slack().isSigned(
      request({ "x-slack-signature": signature, "x-slack-request-timestamp": at }, payload),
      by,
      now * 1_000,
    )

  test("the documented example verifies", () => {
    expect(isSigned(example)).toBe(true)
  })

  test("what is tampered with is refused", () => {
    const refused = [
      isSigned(example, { payload: `${body}&text=more` }),
      isSigned(example, { at: String(seconds + 1) }),
      isSigned(example, { now: seconds + 301 }),
      isSigned(example, { by: "another" }),
      isSigned(example.replace("v0=", "v1=")),
      isSigned("v0="),
      isSigned(""),
    ]
    expect(refused).toEqual(refused.map(() => false))
  })
})

describe("GitLab", () => {
  const token = "a token of GitLab's"
  const isSigned = (what: Received, secret: string, now = vector.seconds * 1_000) =>
    gitlab().isSigned(what, secret, now)

  test("a secret token is compared, and a signing token has to have signed", async () => {
    expect(await isSigned(request({ "x-gitlab-token": token }, "{}"), token)).toBe(true)
    expect(await isSigned(standard(), vector.secret)).toBe(true)
  })

  test("neither stands in for the other", async () => {
    const refused = [
      await isSigned(request({ "x-gitlab-token": `${token} ` }, "{}"), `${token}s`),
      await isSigned(request({ "x-gitlab-token": token.slice(1) }, "{}"), token),
      await isSigned(request({ "x-gitlab-token": "" }, "{}"), token),
      await isSigned(request({}, "{}"), token),
      await isSigned(request({ "x-gitlab-token": vector.secret }, vector.body), vector.secret),
      await isSigned(standard({}, "{}"), vector.secret),
    ]
    expect(refused).toEqual(refused.map(() => false))
  })
})
