import Argon2 from "@phi-ag/argon2"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { attemptKeys } from "../../../src/core/identity/attempts.ts"
import { networkOf } from "../../../src/platform/rate-limit.ts"
import { sql } from "../../../src/platform/sql.ts"
import {
  bindings,
  call,
  claimsOf,
  json,
  password,
  query,
  refusal,
  signIn,
  signUp,
  trips,
} from "./cast.ts"

/** Each test comes from an address of its own, so that no test locks out another. */
let address = ""
let counter = 0
beforeEach(() => {
  address = `192.0.2.${++counter}`
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const attempt = (email: string, tried: string, from = address) =>
  call("/auth/sessions", {
    body: { email, password: tried },
    headers: { "cf-connecting-ip": from },
  })

test("signing in answers the person and tokens that say who they are", async () => {
  const user = await signUp("ann")
  const answer = await signIn("ann", { headers: { "user-agent": "x".repeat(500) } })
  expect(answer).toEqual({
    user,
    accessToken: expect.any(String),
    expiresIn: 900,
    refreshToken: expect.stringMatching(/^hrt_[\w-]{86}$/),
  })
  const claims = claimsOf(answer.accessToken)
  expect(claims).toMatchObject({
    iss: "hinterland",
    aud: "hinterland",
    sub: user.id,
    email: "ann@example.com",
    roles: [],
    org: null,
    db: "main",
    epoch: 1,
  })
  expect(claims.exp - claims.iat).toBe(900)
  const [session] = await query(sql`SELECT * FROM sessions WHERE id = ${claims.sid as string}`)
  expect(session).toMatchObject({ user: user.id, userAgent: "x".repeat(200), revokedAt: null })
})

test("a sign-in costs one hash and two trips, whether it succeeds or not", async () => {
  await signUp("one-hash")
  const verify = vi.spyOn(Argon2.prototype, "tryVerify")
  const hash = vi.spyOn(Argon2.prototype, "tryHash")
  for (const [email, tried, cost] of [
    ["one-hash@example.com", password, "2"],
    ["one-hash@example.com", "wrong password", "1"],
    ["nobody@example.com", password, "1"],
  ] as const) {
    verify.mockClear()
    const answer = await attempt(email, tried)
    expect(trips(answer)).toBe(cost)
    expect(verify).toHaveBeenCalledTimes(1)
    expect(hash).not.toHaveBeenCalled()
    // The stand-in costs what a real hash costs.
    expect(verify.mock.calls[0]?.[0]).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  }
})

test("a wrong password and an unknown address get the same answer, byte for byte", async () => {
  await signUp("eve")
  const seen = await Promise.all(
    ["eve@example.com", "nobody-at-all@example.com"].map(async (email) => {
      const answer = await attempt(email, "wrong password")
      const id = answer.headers.get("x-request-id") as string
      const headers = [...answer.headers].filter(
        ([name]) => !["x-request-id", "server-timing", "x-bookmark", "set-cookie"].includes(name),
      )
      return { status: answer.status, headers, body: (await answer.text()).replace(id, "") }
    }),
  )
  expect(seen[0]?.status).toBe(401)
  expect(seen[0]).toEqual(seen[1])
})

test("of a thousand guesses at once, ten are looked at, for accounts that exist and for others", async () => {
  await signUp("target")
  for (const email of ["target@example.com", "no-target@example.com"]) {
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) =>
        // From many networks: else these would be refused before the account is.
        attempt(email, `guess number ${n}`, `10.0.0.${n % 40}`),
      ),
    )
    const codes = await Promise.all(
      answers.map(async (answer) => ((await answer.json()) as { code: string }).code),
    )
    expect(codes.filter((code) => code === "invalid_credentials")).toHaveLength(10)
    expect(codes.filter((code) => code === "locked")).toHaveLength(990)
    const wait = Number(answers.find((answer) => answer.status === 429)?.headers.get("retry-after"))
    expect(wait).toBeGreaterThan(800)
    expect(wait).toBeLessThanOrEqual(900)
  }
})

test("a locked account refuses the right password too, without a hash, until the window ends", async () => {
  await signUp("locked")
  for (let n = 0; n < 10; n++) await attempt("locked@example.com", "wrong password")
  const verify = vi.spyOn(Argon2.prototype, "tryVerify")
  expect(await refusal(attempt("locked@example.com", password), 429)).toBe("locked")
  expect(verify).not.toHaveBeenCalled()
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 901_000 })
  await json(attempt("locked@example.com", password), 201)
})

test("a success starts the account's count anew", async () => {
  await signUp("forgetful")
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 9; n++) {
      expect(await refusal(attempt("forgetful@example.com", "wrong"), 401)).toBe(
        "invalid_credentials",
      )
    }
    await json(attempt("forgetful@example.com", password), 201)
  }
})

test("of a thousand guesses at once from one network, each of another account, a hundred are looked at", async () => {
  const verify = vi.spyOn(Argon2.prototype, "tryVerify")
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, (_, n) => attempt(`sprayed-${n}@example.com`, "guess")),
  )
  const codes = await Promise.all(
    answers.map(async (answer) => ((await answer.json()) as { code: string }).code),
  )
  expect(codes.filter((code) => code === "invalid_credentials")).toHaveLength(100)
  expect(codes.filter((code) => code === "rate_limited")).toHaveLength(900)
  expect(verify).toHaveBeenCalledTimes(100)
})

test("an address may fail a hundred times over all accounts, and then locks out no one else", async () => {
  await signUp("bystander")
  await attempt("spray-1@example.com", "wrong")
  const { address: key } = attemptKeys(bindings.SECRET, "", address)
  // Stands in for 98 more hashes.
  await query(sql`UPDATE sign_in_attempts SET attempts = 99 WHERE key = ${key}`)
  expect(await refusal(attempt("spray-100@example.com", "wrong"), 401)).toBe("invalid_credentials")
  for (let n = 0; n < 20; n++) {
    expect(await refusal(attempt("bystander@example.com", "wrong"), 429)).toBe("rate_limited")
  }
  await json(attempt("bystander@example.com", password, "198.51.100.1"), 201)
})

test("a success is not held against its address", async () => {
  await signUp("regular")
  for (let n = 0; n < 5; n++) await json(attempt("regular@example.com", password), 201)
  const rows = await query(sql`SELECT attempts FROM sign_in_attempts WHERE attempts = 0`)
  expect(rows.length).toBeGreaterThan(0)
})

test("the table of attempts holds no address, and forgets those of past windows", async () => {
  await attempt("secret-visitor@example.com", "wrong")
  expect(JSON.stringify(await query(sql`SELECT * FROM sign_in_attempts`))).not.toMatch(
    /secret-visitor|192\.0\.2/,
  )
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 901_000 })
  for (let n = 0; n < 10; n++) await attempt(`later-${n}@example.com`, "wrong")
  const rows = await query(
    sql`SELECT count(*) AS stale FROM sign_in_attempts WHERE expiresAt <= ${new Date().toISOString()}`,
  )
  expect(rows[0]?.stale).toBe(0)
})

test.each([
  ["203.0.113.7", "203.0.113.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["2001:DB8:1:2::6", "2001:db8:1:2"],
  ["2001:db8::1", "2001:db8:0:0"],
  ["::1", "0:0:0:0"],
  ["2001:0db8:0001::", "2001:db8:1:0"],
  ["::ffff:203.0.113.7", "203.0.113.7"],
])("the network of %s is %s", (given, network) => {
  expect(networkOf(given)).toBe(network)
})

test.each([
  ["no password", { email: "x@example.com" }],
  ["an empty one", { email: "x@example.com", password: "" }],
  ["a number", { email: "x@example.com", password: 12345678 }],
  ["an object for an address", { email: { $ne: null }, password }],
  ["a field too many", { email: "x@example.com", password, admin: true }],
])("%s is invalid input, and counts for nothing", async (_, body) => {
  expect(await refusal(call("/auth/sessions", { body }), 400)).toBe("invalid_input")
})

test.each(["' OR 1=1 --", "%", "a\0b", "\ud800", '"; DROP TABLE users; --'])(
  "%j is nobody's address",
  async (email) => {
    const answer = await attempt(email, password)
    expect([400, 401]).toContain(answer.status)
  },
)
