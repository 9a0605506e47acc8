import { expect, test } from "vitest"
import { loadArgon2 } from "../../../src/core/identity/argon2.ts"
import { hashPassword, verifyPassword } from "../../../src/core/identity/passwords.ts"

const argon2 = loadArgon2()

test("a hash is a PHC string of Argon2id with 19 MiB, two passes, one lane and a salt of its own", () => {
  const hash = hashPassword(argon2, "correct horse")
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
  expect(hashPassword(argon2, "correct horse")).not.toBe(hash)
})

test.each([
  ["correct horse", "correct horse", true],
  ["correct horse", "correct horsf", false],
  ["correct horse", "correct horse ", false],
  ["correct horse", "", false],
  // Every byte counts, also of letters that take several.
  ["пароль12", "пароль12", true],
  ["пароль12", "пароль13", false],
  ["пароль12", "пароXXXX", false],
  ["🔑🔑🔑🔑🔑🔑🔑🔑", "🔑🔑🔑🔑🔑🔑🔑🔒", false],
  // One password in two compositions (NFC, NFD).
  ["\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9", "e\u0301".repeat(8), true],
])("%j, asked for %j: %s", (stored, presented, expected) => {
  expect(verifyPassword(argon2, hashPassword(argon2, stored), presented)).toBe(expected)
})

test("the hash of a password beyond ASCII is the one that Node's own Argon2 gives", () => {
  // crypto.argon2Sync("argon2id", { message, nonce: "0123456789abcdef", parallelism: 1, tagLength: 32, memory: 19456, passes: 2 })
  const phc =
    "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$55Q5LbN1ffSIZwRKE1SoCXzNdgFrgz57pemDlNZhbZI"
  expect(verifyPassword(argon2, phc, "пароль🔑pässword")).toBe(true)
})

test("where there is no account every password is wrong, also the one of the stand-in hash", () => {
  expect(verifyPassword(argon2, null, "correct horse")).toBe(false)
})
