import fc from "fast-check"
import { expect, test } from "vitest"
import { normaliseAddress } from "../../../src/core/mail/address.ts"
import { newMail } from "../../../src/core/mail/new-mail.ts"
import { Problem } from "../../../src/platform/problem.ts"
import { everything, note } from "./cast.ts"

const cause = "c"
const url = "https://example.com/"

/** The path that the refusal names; null when there is none. */
function refusedPath(make: () => unknown): string | null {
  try {
    make()
    return null
  } catch (error) {
    expect(error).toBeInstanceOf(Problem)
    expect((error as Problem).code).toBe("invalid_input")
    return (error as Problem).details.errors?.[0]?.path ?? ""
  }
}

const injections = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  "\u000b",
  "\u000c",
  "\u0085",
  "\u2028",
  "\u2029",
  "\t",
  "\u007f",
  "\ud800",
]

test.each(injections)("%j begins no header: in subject, name, address or list", (bad) => {
  const to = { email: "ann@example.com" }
  const hostile = `x${bad}Bcc: victim@example.com`
  const make = {
    subject: () => newMail(everything, to, { text: hostile, url }, { cause }),
    name: () => newMail(note, { ...to, name: hostile }, { text: "" }, { cause }),
    email: () => newMail(note, { email: `ann@example.com${bad}` }, { text: "" }, { cause }),
    list: () => newMail(note, to, { text: "" }, { cause, list: hostile }),
  }
  for (const [path, attempt] of Object.entries(make)) {
    // The halves of a pair are refused wherever they stand, so the block that holds them is first.
    const expected = bad === "\0" || bad === "\ud800" ? [path, "text"] : [path]
    expect(expected).toContain(refusedPath(attempt))
  }
})

test("whatever the subject is, it is one line or refused", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
      const refused = refusedPath(() =>
        newMail(everything, { email: "ann@example.com" }, { text, url }, { cause }),
      )
      expect(refused === null).toBe(!/\p{Cc}|[\u2028\u2029]/u.test(text) && text.isWellFormed())
    }),
  )
})

test.each([
  ["ann@example.com", true],
  ["ann+films@sub.example.co.uk", true],
  ["o'neill@example.com", true],
  ["jörg@bücher.example", true],
  ["ann", false],
  ["", false],
  ["@example.com", false],
  ["ann@", false],
  ["ann@example.com, bob@example.com", false],
  ["ann@example.com,bob@example.com", false],
  ["ann@example.com> RCPT TO:<bob@example.com", false],
  ["ann@example.com>", false],
  ["<ann@example.com>", false],
  ["Ann <ann@example.com>", false],
  ['"ann"@example.com', false],
  ["ann@exam ple.com", false],
  ["ann@example.com SIZE=1", false],
  ["ann@example..com", false],
  ["ann@-example.com", false],
  ["ann@example.com/x", false],
  ["ann@[127.0.0.1]", false],
  ["ann@a@example.com", false],
  [`${"a".repeat(65)}@example.com`, false],
  [`ann@${"a".repeat(250)}.com`, false],
])("mail to %j: %s", (email, fine) => {
  expect(refusedPath(() => newMail(note, { email }, { text: "" }, { cause }))).toBe(
    fine ? null : "email",
  )
})

test.each([
  ["Ann@Example.COM", "ann@example.com"],
  [" ann@example.com ", "ann@example.com"],
  ["jo\u0308rg@example.com", "jörg@example.com"],
  ["ann@BÜCHER.example", "ann@xn--bcher-kva.example"],
  ["nonsense", "nonsense"],
])("%j is the address %j", (email, normalised) => {
  expect(normaliseAddress(email)).toBe(normalised)
})

test("a mail names its cause", () => {
  const to = { email: "ann@example.com" }
  expect(refusedPath(() => newMail(note, to, { text: "" }, { cause: "" }))).toBe("cause")
  expect(refusedPath(() => newMail(note, to, { text: "" }, { cause: "x".repeat(501) }))).toBe(
    "cause",
  )
})

test("what is made is plain data", () => {
  const mail = newMail(note, { user: "u" }, { text: "Hi" }, { cause, locale: "de-AT" })
  expect(JSON.parse(JSON.stringify(mail))).toEqual(mail)
  expect(mail).toMatchObject({ template: "note", locale: "de", recipient: "u", address: null })
})
