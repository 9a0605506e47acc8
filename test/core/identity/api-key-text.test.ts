import fc from "fast-check"
import { expect, test } from "vitest"
import {
  hasKeyForm,
  type KeyClaims,
  keyHash,
  keyPattern,
  makeKeyText,
  parseKeyText,
} from "../../../src/core/identity/api-key-text.ts"
import { redact } from "../../../src/platform/redact.ts"

const secret = "s".repeat(40)
const claims: KeyClaims = {
  id: "019aa2c5-7d00-7000-8000-000000000001",
  user: "019aa2c5-7d00-7000-8000-000000000002",
  organisation: null,
  database: "main",
  email: "ann@example.com",
  roles: ["editor"],
  epoch: 3,
  scopes: ["articles:read"],
  expiresAt: 1_800_000_000_000,
  service: false,
}

const alphabet = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \0é"]
const seed = Math.floor(Math.random() * 2 ** 30)

test("a key says what was put into it, to whoever has the deployment's secret", () => {
  const text = makeKeyText(secret, claims)
  expect(parseKeyText(secret, text)).toEqual(claims)
  expect(parseKeyText(`${secret}!`, text)).toBe(null)
  expect(makeKeyText(secret, claims)).not.toBe(text)
  expect(keyHash(text)).toMatch(/^[0-9a-f]{64}$/)
})

test("nothing that it says can be read in it", () => {
  const text = makeKeyText(secret, claims)
  const decoded = atob(text.slice(4, -6).replaceAll("-", "+").replaceAll("_", "/").slice(0, -3))
  expect(decoded).not.toContain("ann@example.com")
  expect(decoded).not.toContain("editor")
})

test("scanners know it by its pattern and checksum, with no secret; the log's redaction does too", () => {
  for (let n = 0; n < 200; n++) {
    const text = makeKeyText(secret, claims)
    const source = `const key = "${text}" // do not commit`
    const [found] = keyPattern.exec(source) ?? []
    expect(found).toBe(text)
    expect(hasKeyForm(text)).toBe(true)
    expect(redact(`failed: ${text}`)).not.toContain(text.slice(4))
  }
})

test(`each change of a single character is refused (seed ${seed})`, () => {
  const text = makeKeyText(secret, claims)
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom(...alphabet), (at, character) => {
      const changed = text.slice(0, at) + character + text.slice(at + 1)
      if (changed !== text) expect(parseKeyText(secret, changed)).toBe(null)
    }),
    { seed, numRuns: 2_000 },
  )
})

test(`so is each text that lost or gained one, and whatever else there is (seed ${seed})`, () => {
  const text = makeKeyText(secret, claims)
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom(...alphabet), (at, character) => {
      expect(parseKeyText(secret, text.slice(0, at) + text.slice(at + 1))).toBe(null)
      expect(parseKeyText(secret, text.slice(0, at) + character + text.slice(at))).toBe(null)
    }),
    { seed, numRuns: 1_000 },
  )
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 400 }), (noise) => {
      expect(parseKeyText(secret, noise)).toBe(null)
      expect(parseKeyText(secret, `hlk_${noise}`)).toBe(null)
    }),
    { seed, numRuns: 500 },
  )
})
