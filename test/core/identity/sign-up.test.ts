import { describe, expect, test } from "vitest"
import { sql } from "../../../src/platform/sql.ts"
import { call, json, password, query, refusal, signIn, signUp, trips } from "./cast.ts"

test("signing up answers the person, and where to find them", async () => {
  const answer = await call("/auth/users", {
    body: { email: " Ann@Example.com ", password, name: "Ann" },
  })
  expect(answer.headers.get("location")).toBe("/auth/me")
  expect(answer.headers.get("cache-control")).toBe("private, no-store")
  // One counts it, one writes it.
  expect(trips(answer)).toBe("2")
  const user = await json(answer, 201)
  expect(user).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
    email: "Ann@Example.com",
    name: "Ann",
    roles: [],
    emailVerifiedAt: null,
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  })
})

test("a person without a name has null for one", async () => {
  const user = await json(
    call("/auth/users", { body: { email: "noname@example.com", password } }),
    201,
  )
  expect(user.name).toBeNull()
})

test("one address is one account, in whatever case it is typed", async () => {
  await signUp("bob")
  for (const email of ["bob@example.com", "BOB@Example.COM", " bob@example.com"]) {
    expect(await refusal(call("/auth/users", { body: { email, password } }), 409)).toBe("conflict")
  }
  const rows = await query(sql`SELECT id FROM users WHERE emailNormalised = ${"bob@example.com"}`)
  expect(rows).toHaveLength(1)
})

test("ten sign-ups at once with one address make one account", async () => {
  const body = { email: "race@example.com", password }
  const answers = await Promise.all(Array.from({ length: 10 }, () => call("/auth/users", { body })))
  expect(answers.map((answer) => answer.status).sort()).toEqual([201, ...Array(9).fill(409)])
})

test("a network is told fifty times that an address is taken, however fast it asks, and nothing more", async () => {
  await signUp("taken")
  const from = (address: string, name: string) =>
    call("/auth/users", {
      headers: { "cf-connecting-ip": address },
      body: { email: `${name}@example.com`, password },
    })
  // Those that succeed are taken back.
  for (const name of ["first", "second", "third"]) {
    expect((await from("192.0.2.7", name)).status).toBe(201)
  }
  const tries = Array.from({ length: 70 }, () => from("192.0.2.7", "taken"))
  const statuses = (await Promise.all(tries)).map((answer) => answer.status).sort()
  expect(statuses).toEqual([...Array(50).fill(409), ...Array(20).fill(429)])
  const more = await from("192.0.2.7", "nobody-yet")
  expect(Number(more.headers.get("retry-after"))).toBeGreaterThan(0)
  expect(await refusal(more, 429)).toBe("rate_limited")
  expect(await refusal(from("198.51.100.7", "taken"), 409)).toBe("conflict")
})

test("who signed up is a member, and the log says so without address or hash", async () => {
  const { id } = await signUp("carol")
  const [member] = await query(sql`SELECT * FROM members WHERE id = ${id}`)
  expect(member).toMatchObject({ name: "carol", roles: "[]", epoch: 1, version: 1 })
  const lines = await query(sql`SELECT * FROM changes WHERE record = ${id}`)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({ subject: "members", kind: "created", authority: "system" })
  const { pk: _, ...stored } = member as Record<string, unknown>
  expect(JSON.parse(lines[0]?.payload as string)).toEqual(stored)
  expect(JSON.stringify(lines)).not.toMatch(/example\.com|argon2/)
})

describe("what is refused", () => {
  test.each<[string, unknown, string, string]>([
    ["no address", { password }, "email", "required"],
    ["no password", { email: "x@example.com" }, "password", "required"],
    ["an address without @", { email: "example.com", password }, "email", "invalid_format"],
    ["an address with NUL", { email: "a\0b@example.com", password }, "email", "invalid_text"],
    [
      "an address that is too long",
      { email: `a@${"e".repeat(250)}.com`, password },
      "email",
      "too_big",
    ],
    ["an address no mail reaches", { email: "a@b..c", password }, "email", "invalid_address"],
    ["an address with a comma", { email: "a,b@example.com", password }, "email", "invalid_format"],
    [
      "a name of two lines",
      { email: "x@example.com", password, name: "Ann\n\nYou have won" },
      "name",
      "invalid_format",
    ],
    ["seven characters", { email: "x@example.com", password: "1234567" }, "password", "too_small"],
    ["seven emoji", { email: "x@example.com", password: "🔑".repeat(7) }, "password", "too_small"],
    [
      "257 characters",
      { email: "x@example.com", password: "x".repeat(257) },
      "password",
      "too_big",
    ],
    [
      "NUL in the password",
      { email: "x@example.com", password: "1234567\0" },
      "password",
      "invalid_text",
    ],
    [
      "a lone surrogate",
      { email: "x@example.com", password: "1234567\ud800" },
      "password",
      "invalid_text",
    ],
    [
      "roles",
      { email: "x@example.com", password, roles: ["administrator"] },
      "roles",
      "unknown_field",
    ],
    ["a list", [], "body", "invalid_type"],
    ["null", null, "body", "invalid_type"],
  ])("%s", async (_, body, path, code) => {
    const problem = await json(call("/auth/users", { body }), 400)
    expect(problem).toMatchObject({ code: "invalid_input", errors: [{ path, code }] })
  })

  test.each([
    ["malformed JSON", "{", "application/json", 400, "invalid_input"],
    ["another media type", "{}", "text/plain", 415, "unsupported_media_type"],
    ["a form", "email=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"],
    ["a megabyte", `"${"x".repeat(1_048_576)}"`, "application/json", 413, "payload_too_large"],
  ])("%s", async (_, body, type, status, code) => {
    const answer = call("/auth/users", { body, headers: { "content-type": type } })
    expect(await refusal(answer, status)).toBe(code)
  })
})

test("eight emoji and 256 letters are passwords", async () => {
  for (const [email, chosen] of [
    ["emoji@example.com", "🔑".repeat(8)],
    ["long@example.com", "é".repeat(256)],
  ]) {
    await json(call("/auth/users", { body: { email, password: chosen } }), 201)
    await json(call("/auth/sessions", { body: { email, password: chosen } }), 201)
  }
})

test("what was typed at sign-up signs in, in whatever case", async () => {
  await signUp("dave")
  const answer = await signIn("DAVE")
  expect(answer.user.email).toBe("dave@example.com")
})
