import { expect, test } from "vitest"
import { filter } from "../../src/client/filter.ts"
import { parseExpression } from "../../src/core/expression/parse.ts"

test.each([
  [filter`title = ${"Alien"}`, 'title = "Alien"'],
  [filter`title = ${'" || true || "'}`, String.raw`title = "\" || true || \""`],
  [filter`title = ${"a\\"}`, String.raw`title = "a\\"`],
  [filter`title = ${"a\nb\u0007\u2028"}`, String.raw`title = "a\u000ab\u0007\u2028"`],
  [filter`title = ${"naïve 🎬"}`, 'title = "naïve 🎬"'],
  [filter`stars >= ${3} && votes < ${-1.5}`, "stars >= 3 && votes < -1.5"],
  [filter`seen = ${true} || seen = ${null}`, "seen = true || seen = null"],
  [filter`at > ${new Date(Date.UTC(2026, 0, 2))}`, 'at > "2026-01-02T00:00:00.000Z"'],
  [filter`genre in ${["Drama", "Musical"]}`, 'genre in ("Drama", "Musical")'],
  [filter`${filter`a = 1 || b = 2`} && c = ${3}`, "(a = 1 || b = 2) && c = 3"],
])("a filter reads as meant: %s", (made, expected) => {
  expect(String(made)).toBe(expected)
  expect(made.expression).toBe(expected)
})

test("every text survives the server's parser unchanged", () => {
  for (const text of [
    '"',
    "\\",
    "\\n",
    "'",
    "\r\n\t",
    "%_",
    "\u0085\u2029",
    '\\"',
    "@me.id",
    "🎬",
  ]) {
    expect(parseExpression(filter`title = ${text}`.expression)).toMatchObject({
      right: { kind: "literal", value: text },
    })
  }
})

test.each([[Number.NaN], [Number.POSITIVE_INFINITY]])("%s is refused", (value) => {
  expect(() => filter`stars > ${value}`).toThrow(TypeError)
})

test("an empty list is refused, as the language has none", () => {
  expect(() => filter`id in ${[]}`).toThrow(/at least one/)
})
