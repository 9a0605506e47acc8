import Argon2 from "@phi-ag/argon2"
import { afterEach, expect, test, vi } from "vitest"
import { loadArgon2 } from "../../../src/core/identity/argon2.ts"
import {
  hashPassword,
  isOutdatedHash,
  verifyPassword,
} from "../../../src/core/identity/passwords.ts"
import { parseSettings } from "../../../src/platform/settings.ts"
import { sql } from "../../../src/platform/sql.ts"
import { bindings, call, json, password, query, refusal, signUp, trips } from "./cast.ts"
import { guarded } from "./factors-cast.ts"

afterEach(() => {
  vi.restoreAllMocks()
})

const argon2 = loadArgon2()
const first = { version: 1, secret: "the first pepper, of 32 characters" }
const second = { version: 2, secret: "another pepper, of 32 characters, too" }

test("a peppered hash names its version, and is good with that pepper only", () => {
  const hash = hashPassword(argon2, "пароль12", [second, first])
  expect(hash).toMatch(/^pepper=2;\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  for (const [peppers, expected] of [
    [[second, first], true],
    [[second], true],
    [[first], false],
    [[{ ...first, version: 2 }], false],
    [[], false],
  ] as const) {
    expect(verifyPassword(argon2, hash, "пароль12", peppers)).toBe(expected)
  }
  expect(verifyPassword(argon2, hash, "пароль13", [second])).toBe(false)
  // Without its prefix it is a hash of something that nobody knows.
  expect(verifyPassword(argon2, hash.replace("pepper=2;", ""), "пароль12", [second])).toBe(false)
})

test("a hash without pepper stays readable", () => {
  expect(verifyPassword(argon2, hashPassword(argon2, password), password, [first])).toBe(true)
})

test.each([
  ["of today", "$argon2id$v=19$m=19456,t=2,p=1$a$b", [], false],
  ["of another cost", "$argon2id$v=19$m=9216,t=4,p=1$a$b", [], true],
  ["without the pepper that there is", "$argon2id$v=19$m=19456,t=2,p=1$a$b", [first], true],
  ["with the newest pepper", "pepper=2;$argon2id$v=19$m=19456,t=2,p=1$a$b", [second, first], false],
  ["with an older pepper", "pepper=1;$argon2id$v=19$m=19456,t=2,p=1$a$b", [second, first], true],
  ["with a pepper, at another cost", "pepper=2;$argon2id$v=19$m=1,t=1,p=1$a$b", [second], true],
])("a hash %s: outdated or not", (_, hash, peppers, expected) => {
  expect(isOutdatedHash(hash, peppers)).toBe(expected)
})

const env = (peppers: object) => ({ ...bindings, PASSWORD_PEPPERS: JSON.stringify(peppers) })
const signInWith = (bound: object, name: string, tried = password) =>
  call("/auth/sessions", { env: bound, body: { email: `${name}@example.com`, password: tried } })
const hashOf = async (name: string) =>
  (await query(sql`SELECT passwordHash FROM users WHERE name = ${name}`))[0]?.passwordHash as string

test("a sign-in brings the hash up to date in its second trip, with one more hash, once", async () => {
  await signUp("ann")
  const hash = vi.spyOn(Argon2.prototype, "tryHash")
  const peppered = env({ 1: first.secret, 2: second.secret })
  expect(await refusal(signInWith(peppered, "ann", "wrong"), 401)).toBe("invalid_credentials")
  expect(await hashOf("ann")).toMatch(/^\$argon2id/)
  for (const hashes of [1, 0]) {
    hash.mockClear()
    const answered = await signInWith(peppered, "ann")
    expect(trips(answered)).toBe("2")
    await json(answered, 201)
    expect(hash).toHaveBeenCalledTimes(hashes)
    expect(await hashOf("ann")).toMatch(/^pepper=2;/)
  }
  expect(await refusal(signInWith(bindings, "ann"), 401)).toBe("invalid_credentials")
})

test("the hash of somebody with a second factor is brought up to date after the first", async () => {
  await guarded("bob")
  const peppered = env({ 1: first.secret })
  for (const cost of ["2", "1"]) {
    const answered = await signInWith(peppered, "bob")
    expect(trips(answered)).toBe(cost)
    expect(await refusal(answered, 401)).toBe("second_factor_required")
    expect(await hashOf("bob")).toMatch(/^pepper=1;/)
  }
})

test("whoever signs up gets the newest pepper, by number and not by name", async () => {
  const peppered = env({ 10: second.secret, 9: first.secret })
  const body = { email: "carol@example.com", password, name: "carol" }
  await json(call("/auth/users", { env: peppered, body }), 201)
  expect(await hashOf("carol")).toMatch(/^pepper=10;/)
})

test.each([
  ["no JSON", "x"],
  ["a list", "[]"],
  ["a version that is no number", JSON.stringify({ a: first.secret })],
  ["a short secret", JSON.stringify({ 1: "short" })],
])("PASSWORD_PEPPERS as %s is misconfigured, and not quoted", (_, text) => {
  try {
    parseSettings({ ...bindings, PASSWORD_PEPPERS: text })
    expect.unreachable()
  } catch (error) {
    expect(error).toMatchObject({ code: "misconfigured" })
    expect(String((error as Error).cause)).toContain("PASSWORD_PEPPERS")
    expect(String((error as Error).cause)).not.toContain(first.secret)
  }
})
