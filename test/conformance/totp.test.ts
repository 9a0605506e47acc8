import { expect, test } from "vitest"
import { toBase32 } from "../../src/core/identity/base32.ts"
import { codeAt, matchingStep, stepAt } from "../../src/core/identity/totp.ts"

const secret = new TextEncoder().encode("12345678901234567890")

test.each(
  [
    "755224",
    "287082",
    "359152",
    "969429",
    "338314",
    "254676",
    "287922",
    "162583",
    "399871",
    "520489",
  ].map((code, counter) => [counter, code] as const),
)("RFC 4226, appendix D: the code of counter %i is %s", (counter, code) => {
  expect(codeAt(secret, counter)).toBe(code)
})

test.each([
  [59, "94287082"],
  [1111111109, "07081804"],
  [1111111111, "14050471"],
  [1234567890, "89005924"],
  [2000000000, "69279037"],
  [20000000000, "65353130"],
])("RFC 6238, appendix B: at %i s the code is %s", (seconds, code) => {
  expect(codeAt(secret, stepAt(seconds * 1000), 8)).toBe(code)
})

test.each([
  ["", ""],
  ["f", "MY"],
  ["fo", "MZXQ"],
  ["foo", "MZXW6"],
  ["foob", "MZXW6YQ"],
  ["fooba", "MZXW6YTB"],
  ["foobar", "MZXW6YTBOI"],
])("RFC 4648, 10: %j is %j in base32, without its padding", (text, encoded) => {
  expect(toBase32(new TextEncoder().encode(text))).toBe(encoded)
})

const now = 1_234_567_890_000
const current = stepAt(now)

test.each([
  ["the code of now", 0, 0, true],
  ["a code of a clock that is a step behind", -1, 0, true],
  ["a code of a clock that is a step ahead", 1, 0, true],
  ["a code two steps old", -2, 0, false],
  ["a code two steps ahead", 2, 0, false],
  ["the code that was accepted last", 0, current, false],
  ["a code older than the one that was accepted last", -1, current, false],
  ["a code newer than the one that was accepted last", 1, current, true],
])("%s (step %i, last %i): %s", (_, steps, lastStep, accepted) => {
  const step = matchingStep(secret, codeAt(secret, current + steps), lastStep, now)
  expect(step).toBe(accepted ? current + steps : null)
})

test.each(["", "1", "12345", "1234567", "      ", "１２３４５６"])("%j is no code", (code) => {
  expect(matchingStep(secret, code, 0, now)).toBeNull()
})
