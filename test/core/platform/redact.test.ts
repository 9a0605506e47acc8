import { describe, expect, test, vi } from "vitest"
import { createLog, describeError } from "../../../src/platform/log.ts"
import { redact } from "../../../src/platform/redact.ts"

const jwt = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl_-"
const opaque = "Zk3pQ9vX1mT7bW5yL0sD2fG4hJ6kN8rC"

describe("what is written to the log", () => {
  test.each([
    ["a bearer token", `Authorization: Bearer ${opaque}`, opaque],
    ["a token after another word", `sent "bearer ${jwt}" away`, jwt],
    ["basic credentials", "authorization=Basic YW5uOnNlY3JldA==", "YW5uOnNlY3JldA"],
    ["a JWT on its own", `got ${jwt}, which has expired`, "c2lnbmF0dXJl"],
    ["an unfinished JWT", "eyJhbGciOiJFZERTQSJ9.eyJzdWI", "eyJzdWI"],
    ["a JWT in a cookie", `cookie: __Host-access=${jwt}; theme=dark`, jwt],
    ["a password in an address", "connect smtps://ann:s3cr%74@mail.test:465", "s3cr"],
    ["a password with an at sign", "postgres://ann:p@ss@db.test/x", "ss@db"],
    ["a user name alone in an address", "https://token123@api.test/x", "token123"],
    ["password in a query", "GET /x?password=hunter2&a=1", "hunter2"],
    ["token in a query", "/x?a=1&access_token=abc123", "abc123"],
    ["secret with capitals", "/x?clientSecret=abc123", "abc123"],
    ["key in a query", "/x?key=abc123", "abc123"],
    ["an authorization code", "/callback?code=abc123&state=s", "abc123"],
    ["JSON", '{"password":"hunter2","name":"x"}', "hunter2"],
    ["JSON with spaces", '{ "refreshToken" : "hunter2" }', "hunter2"],
    ["a header of a key", "X-Api-Key: hunter2", "hunter2"],
    ["our refresh token", `refresh failed: hrt_${opaque}`, opaque],
    ["a webhook's secret", "signing with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8G"],
    ["a mail service's key", "key re_123456789abcdefgh refused", "123456789abc"],
    ["a payment service's key", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "4eC39Hq"],
    ["a webhook's short secret", "whsec_a1b2c3d4e5f6", "a1b2c3"],
    ["a key with dashes", "sk-proj-a1b2c3d4e5f6", "a1b2c3"],
    ["a short GitHub token", "ghp_16C7e42F292c6912E7", "16C7e42"],
    ["a key of no known kind", `used ${opaque} twice`, opaque],
    ["base64 of 32 bytes", "secret was q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=", "q83vEj"],
    ["an e-mail address", "no such mailbox: Ann.Lee+films@mail.example.test", "films@mail"],
    ["an e-mail address in brackets", "to <ann@example.test>, please", "ann@"],
    ["an e-mail address in a query", "/x?to=ann%40example.test&b=1", "ann%40"],
    ["an e-mail address of another script", "an Jörg@Müller.example und", "Jörg"],
  ])("does not show %s", (_, text, secret) => {
    const redacted = redact(text)
    expect(redacted).not.toContain(secret)
    expect(redacted).toContain("[redacted]")
    expect(redact(redacted)).toBe(redacted)
  })

  test.each([
    "UNIQUE constraint failed: users.emailNormalised",
    "no such table: session_revocations_by_session_and_expiry",
    "request 019aa2c5-7d00-7000-8000-000000000001 failed",
    "https://api.example.test:8443/v1/things?page=2&sort=-createdAt",
    "at parseToken (file:///srv/node_modules/@scope/package/dist/access-tokens.js:120:13)",
    "at hono@4.13.19/dist/index.js:1:2",
    "D1_ERROR: refused|0|forbidden||: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_TRIGGER)",
    "2026-11-21T09:30:00.000Z version 12, 40 % of 3.5 s",
    "the token has expired",
    "api-gateway-eu-west-1 was re-entered-for-the-2nd-time",
    "the column re_indexed_on_something is missing",
    "GET /records/:collection/:id",
  ])("keeps what helps to find the error: %s", (text) => {
    expect(redact(text)).toBe(text)
  })

  test("goes through both ways into the log", () => {
    const lines: string[] = []
    const spy = vi.spyOn(console, "error").mockImplementation((line) => void lines.push(line))
    const cause = new Error("POST https://ann:pw@mail.test/?token=abc123 answered 500")
    createLog("r-1")("error", `failed for ann@example.test`, {
      error: describeError(new Error("mail", { cause })),
      token: `Bearer ${jwt}`,
      attempts: 3,
    })
    spy.mockRestore()
    expect(lines[0]).not.toMatch(/ann|pw@|abc123|eyJ/)
    expect(JSON.parse(lines[0] as string)).toMatchObject({ requestId: "r-1", attempts: 3 })
  })

  test.each([
    ["e", "eyJ"],
    ["dots", "eyJa."],
    ["at signs", "a@"],
    ["percents", "a%40"],
    ["domains", "a@b."],
    ["one long word", "a"],
    ["one long mixed word", "aA1"],
    ["names of secrets", "token"],
    ["names of secrets, apart", "token-"],
    ["names without a value", "token= "],
    ["quotes", `token":"`],
    ["slashes", "://"],
    ["authorities", "://a:"],
    ["bearers", "bearer "],
    ["bearers and tabs", "bearer\t\t\t\t\t"],
    ["prefixes", "re_"],
    ["prefixes and dashes", "sk-"],
    ["queries", "?key="],
    ["spaces", " "],
  ])("is clean in no time, however long: %s", (_, part) => {
    const text = part.repeat(Math.ceil(300_000 / part.length))
    const started = performance.now()
    redact(text)
    redact(`${text}!`)
    expect(performance.now() - started).toBeLessThan(1_500)
  })
})
