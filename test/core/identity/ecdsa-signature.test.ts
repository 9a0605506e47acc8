import { ECDSASigValue } from "@peculiar/asn1-ecc"
import { AsnParser } from "@peculiar/asn1-schema"
import { getCertificateInfo } from "@simplewebauthn/server/helpers"
import fc from "fast-check"
import { expect, test } from "vitest"
import * as own from "../../../src/core/identity/ecdsa-signature.ts"

const parse = (bytes: Uint8Array) => own.AsnParser.parse(bytes, own.ECDSASigValue)
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"))

test.each([
  ["30 06 02 01 01 02 01 7f", "01", "7f"],
  ["30 07 02 02 00 80 02 01 00", "0080", "00"],
  [`30 44 02 20 ${"7f".repeat(32)} 02 20 ${"01".repeat(32)}`, "7f".repeat(32), "01".repeat(32)],
  // P-521: more than 127 bytes, so the length takes one byte more.
  [
    `30 81 88 02 42 01 ${"ff".repeat(65)} 02 42 ${"01".repeat(66)}`,
    `01${"ff".repeat(65)}`,
    "01".repeat(66),
  ],
])("%s is a signature", (text, r, s) => {
  const signature = parse(bytesOf(text))
  expect([hex(signature.r), hex(signature.s)]).toEqual([r, s])
})

test.each([
  ["", "nothing"],
  ["30", "no length"],
  ["30 00", "no integers"],
  ["30 03 02 01 01", "one integer"],
  ["30 09 02 01 01 02 01 01 02 01 01", "three integers"],
  ["30 06 02 01 01 02 01 01 00", "something behind"],
  ["30 07 02 01 01 02 01 01 00", "something inside, behind"],
  ["30 05 02 01 01 02 01 01", "a length that is too short"],
  ["30 07 02 01 01 02 01 01", "a length that is too long"],
  ["30 06 02 01 01 02 02 01", "an integer that ends outside"],
  ["30 06 02 04 01 02 01 01", "an integer that swallows the other"],
  ["31 06 02 01 01 02 01 01", "a set"],
  ["10 06 02 01 01 02 01 01", "no constructed sequence"],
  ["30 06 03 01 01 02 01 01", "a bit string"],
  ["30 05 02 00 02 01 01", "an empty integer"],
  ["30 06 02 01 80 02 01 01", "a negative integer"],
  ["30 07 02 02 00 7f 02 01 01", "an integer with a zero too many"],
  ["30 07 02 02 00 00 02 01 01", "a zero with a zero too many"],
  ["30 81 06 02 01 01 02 01 01", "a long length where a short one does"],
  ["30 82 00 06 02 01 01 02 01 01", "a length of two bytes"],
  ["30 80 02 01 01 02 01 01 00 00", "a length that is not told"],
  ["30 81", "a long length that is missing"],
])("%s is none: %s", (text) => {
  expect(() => parse(bytesOf(text))).toThrow("This is no ECDSA signature in DER.")
})

const encoded = (...integers: Uint8Array[]): string => {
  const content = integers.map((one) => `02${hex(Uint8Array.of(one.length))}${hex(one)}`).join("")
  const length = content.length / 2
  return `30${length > 127 ? "81" : ""}${hex(Uint8Array.of(length))}${content}`
}

test("whatever is read has one spelling only, and what has it is read", () => {
  const integer = fc.uint8Array({ minLength: 1, maxLength: 66 }).map((bytes) => {
    const from = bytes.findIndex((byte) => byte > 0)
    const short = from < 0 ? Uint8Array.of(0) : bytes.slice(from)
    return (short[0] ?? 0) > 127 ? Uint8Array.of(0, ...short) : short
  })
  const change = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) })
  fc.assert(
    fc.property(integer, integer, fc.array(change, { maxLength: 3 }), (r, s, changes) => {
      const bytes = bytesOf(encoded(r, s))
      expect(parse(bytes)).toEqual({ r, s })
      for (const { at, byte } of changes) bytes[at % bytes.length] = byte
      const read = attempt(bytes)
      if (read) expect(encoded(read.r, read.s)).toBe(hex(bytes))
    }),
    { numRuns: 2000 },
  )
})

function attempt(bytes: Uint8Array) {
  try {
    return parse(bytes)
  } catch {
    return null
  }
}

test("the tests run on the stand-ins of the bundle, which read no certificate", () => {
  expect([AsnParser, ECDSASigValue]).toEqual([own.AsnParser, own.ECDSASigValue])
  expect(() => getCertificateInfo(Uint8Array.of(0x30, 0))).toThrow("Only signatures are read here.")
})
