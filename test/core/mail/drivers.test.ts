import { afterEach, expect, test, vi } from "vitest"
import { createMailer, type Mailer, type Message } from "../../../src/core/mail/mailer.ts"
import { parseSettings } from "../../../src/platform/settings.ts"
import { bindings } from "./cast.ts"

const message: Message = {
  id: "019aa2c5-7d00-7000-8000-00000000000a",
  to: { email: "ann@bücher.example", name: 'Ann "A" <x@y>' },
  subject: "Grüße 🎬",
  text: "Text",
  html: "<p>HTML</p>",
  createdAt: "2026-11-21T04:00:00.000Z",
  headers: {
    "Auto-Submitted": "auto-generated",
    "List-Unsubscribe": "<https://app.example/mail/unsubscriptions?token=x>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
  },
}

const mailerWith = (variables: Record<string, unknown>): Mailer => {
  const env = { ...bindings, MAIL_FROM: "Filmklub <films@example.org>", ...variables }
  return createMailer(env, parseSettings(env))
}
const send = (mailer: Mailer, changes: Partial<Message> = {}) =>
  mailer.send({ ...message, ...changes }, new AbortController().signal)

afterEach(() => {
  vi.restoreAllMocks()
})

test("unless told otherwise, mail stays in the outbox", async () => {
  const mailer = createMailer(bindings, parseSettings(bindings))
  expect(mailer.driver).toBe("outbox")
  expect(await send(mailer)).toEqual({ kind: "sent", messageId: message.id })
})

test.each<[Record<string, string>, string]>([
  [{ MAIL_DRIVER: "smtp", SMTP_URL: "smtps://x:y@z" }, "MAIL_FROM"],
  [{ MAIL_DRIVER: "smtp", MAIL_FROM: "a@example.org" }, "SMTP_URL"],
  [{ MAIL_DRIVER: "smtp", MAIL_FROM: "a@example.org", SMTP_URL: "https://x" }, "SMTP_URL"],
  [{ MAIL_DRIVER: "resend", MAIL_FROM: "a@example.org" }, "RESEND_API_KEY"],
  [
    { MAIL_DRIVER: "resend", MAIL_FROM: "a@example.org\r\nBcc: x@y", RESEND_API_KEY: "re_secret" },
    "MAIL_FROM",
  ],
  [{ MAIL_DRIVER: "resend", MAIL_FROM: "nobody", RESEND_API_KEY: "re_secret" }, "MAIL_FROM"],
  [{ MAIL_DRIVER: "binding", MAIL_FROM: "a@example.org" }, "EMAIL"],
  [
    { MAIL_DRIVER: "smtp", MAIL_FROM: "a@example.org", SMTP_URL: "smtps://u:secret%zz@mx.example" },
    "SMTP_URL",
  ],
  [
    { MAIL_DRIVER: "resend", MAIL_FROM: "a@example.org", RESEND_API_KEY: "re_secret\n" },
    "RESEND_API_KEY",
  ],
  [{ MAIL_DRIVER: "pigeon" }, "MAIL_DRIVER"],
  [{ RESEND_WEBHOOK_SECRET: "x" }, "RESEND_WEBHOOK_SECRET"],
  [{ PUBLIC_URL: "javascript:alert(1)" }, "PUBLIC_URL"],
])("settings %j: %s is named, and no value", (variables, name) => {
  const parse = () => parseSettings({ ...bindings, ...variables })
  expect(parse).toThrow(expect.objectContaining({ code: "misconfigured" }))
  try {
    parse()
  } catch (error) {
    const { message: text } = (error as Error).cause as Error
    expect(text).toContain(name)
    expect(text).not.toContain("secret")
  }
})

test.each([
  ["films@example.org", { name: null, email: "films@example.org" }],
  ["Film Club <films@example.org>", { name: "Film Club", email: "films@example.org" }],
  ['"Film, Club" <films@example.org>', { name: "Film, Club", email: "films@example.org" }],
])("the sender %s", (from, expected) => {
  expect(parseSettings({ ...bindings, MAIL_FROM: from }).mail.from).toEqual(expected)
})

test.each([
  ["smtps://u:p%40ss@mx.example", 465, true, { user: "u", password: "p@ss" }],
  ["smtp://mx.example", 587, false, null],
  ["smtp://u%25@mx.example:25", 25, false, { user: "u%", password: "" }],
])("the server %s", (url, port, secure, credentials) => {
  const { mail } = parseSettings({ ...bindings, SMTP_URL: url })
  expect(mail.smtp).toEqual({ host: "mx.example", port, secure, credentials })
})

test("what cannot even be written has certainly not left", async () => {
  const smtp = mailerWith({ MAIL_DRIVER: "smtp", SMTP_URL: "smtp://127.0.0.1:1" })
  const text = null as unknown as string
  expect(await send(smtp, { createdAt: "never", text, html: text })).toMatchObject({
    kind: "deferred",
    reason: expect.stringContaining("could not be written"),
  })
})

const resend = () =>
  mailerWith({
    MAIL_DRIVER: "resend",
    RESEND_API_KEY: "re_key",
    RESEND_URL: "https://resend.test/",
  })

test("Resend gets a mail under its id", async () => {
  const fetched = vi.spyOn(globalThis, "fetch").mockResolvedValue(Response.json({ id: "r-1" }))
  expect(await send(resend())).toEqual({ kind: "sent", messageId: "r-1" })
  const [url, init] = fetched.mock.calls[0] as [string, RequestInit]
  expect([url, init.method, init.redirect]).toEqual([
    "https://resend.test/emails",
    "POST",
    "manual",
  ])
  expect(init.headers).toMatchObject({
    authorization: "Bearer re_key",
    "idempotency-key": message.id,
  })
  expect(JSON.parse(init.body as string)).toEqual({
    from: '"Filmklub" <films@example.org>',
    to: ['"Ann \\"A\\" <x@y>" <ann@xn--bcher-kva.example>'],
    subject: message.subject,
    text: message.text,
    html: message.html,
    headers: message.headers,
  })
})

test.each<[string, () => Response, object]>([
  [
    "too many requests",
    () => new Response("", { status: 429, headers: { "retry-after": "7" } }),
    { kind: "deferred", retryAfterSeconds: 7 },
  ],
  [
    "a used-up quota",
    () => Response.json({ name: "daily_quota_exceeded" }, { status: 429 }),
    { kind: "deferred" },
  ],
  [
    "a wrong key",
    () => Response.json({ name: "invalid_api_key" }, { status: 403 }),
    { kind: "deferred" },
  ],
  [
    "a redirect",
    () => new Response("", { status: 307, headers: { location: "https://evil.example" } }),
    { kind: "deferred" },
  ],
  [
    "what it cannot accept",
    () => Response.json({ name: "validation_error", message: "to" }, { status: 422 }),
    { kind: "refused", bounced: false, reason: "422 validation_error to" },
  ],
  [
    "the same request at work",
    () => Response.json({ name: "concurrent_idempotent_requests" }, { status: 409 }),
    { kind: "unknown" },
  ],
  [
    "another text under the same id",
    () => Response.json({ name: "invalid_idempotent_request" }, { status: 409 }),
    { kind: "unknown", lasting: true },
  ],
  ["a failure of theirs", () => new Response("<html>", { status: 502 }), { kind: "unknown" }],
  ["a success that says nothing", () => new Response("ok"), { kind: "unknown" }],
])("Resend answers %s", async (_, answer, expected) => {
  vi.spyOn(globalThis, "fetch").mockImplementation(async () => answer())
  expect(await send(resend())).toMatchObject(expected)
})

test("Resend does not answer", async () => {
  vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error("Network connection lost."))
  expect(await send(resend())).toMatchObject({ kind: "unknown" })
})

const withBinding = (binding: SendEmail["send"]) =>
  mailerWith({ MAIL_DRIVER: "binding", EMAIL: { send: binding } })

test("the binding gets what it knows", async () => {
  const given = vi.fn(async () => ({ messageId: "cf-1" }))
  const mailer = withBinding(given)
  expect(await send(mailer)).toEqual({ kind: "sent", messageId: "cf-1" })
  expect(given).toHaveBeenCalledWith({
    from: { email: "films@example.org", name: "Filmklub" },
    to: { email: "ann@xn--bcher-kva.example", name: message.to.name },
    subject: message.subject,
    text: message.text,
    html: message.html,
    headers: message.headers,
  })
  // It refuses a link without TLS, and the mail with it.
  const headers = { ...message.headers, "List-Unsubscribe": "<http://127.0.0.1:8787/x>" }
  await send(mailer, { headers, to: { email: "ann@example.com", name: null } })
  expect(given).toHaveBeenLastCalledWith(
    expect.objectContaining({
      to: "ann@example.com",
      headers: { "Auto-Submitted": "auto-generated" },
    }),
  )
})

test.each<[string | undefined, object]>([
  ["E_RATE_LIMIT_EXCEEDED", { kind: "deferred" }],
  ["E_SENDER_NOT_VERIFIED", { kind: "deferred" }],
  ["E_VALIDATION_ERROR", { kind: "refused", bounced: false }],
  ["E_HEADER_VALUE_TOO_LONG", { kind: "refused", bounced: false }],
  ["E_RECIPIENT_SUPPRESSED", { kind: "refused", bounced: true }],
  ["E_INTERNAL_SERVER_ERROR", { kind: "unknown" }],
  [undefined, { kind: "unknown" }],
])("the binding throws %s", async (code, expected) => {
  const mailer = withBinding(async () => {
    throw Object.assign(new Error("it says"), { code })
  })
  expect(await send(mailer)).toMatchObject(expected)
})
