import { expect, test } from "vitest"
import { ExpressionError } from "../../../src/core/expression/error.ts"
import { parseExpression, parseOperand } from "../../../src/core/expression/parse.ts"

const accepted = [
  `status = "open" && (priority >= 3 || assignee.name ~ "ann") && createdAt > @now - 7d`,
  "a=1",
  "  a\n=\t1  ",
  "!a = 1",
  "!!(a = 1)",
  "published",
  "true",
  "a = -1.5e3",
  "a = - 1",
  "3 < a",
  `a = 'it\\'s "so"'`,
  `a = "\\u00e9\\ud83d\\ude00\\n\\\\"`,
  `a in (1, -2, null, @me.id, b.c)`,
  `a !in ("x")`,
  `a ! in ("x")`,
  `a !~ "x%"`,
  "a = @now+7d-3h + 15m",
  "a = @today",
  "@me.email = null",
  `has(@me.roles, "editor")`,
  `has(editors, @me.id)`,
  "any(comments, author = @me.id && all(likes, weight > 1))",
  "none(a.b.c, true)",
  "count(comments) > 3",
  "count(comments, stars = 5) >= count(reviews)",
  "lower(title) = lower(name)",
  "length(lower(title)) < 3",
  "year(createdAt) = 2026",
  "@new.owner = @me.id && !@changed(owner)",
  "any(@new.members, id = @me.id)",
  "in = 1",
  "any = 1 && count = 2 && has = 3 && trueish = 4",
  "constructor = 1",
]

test.each(accepted)("%s is understood", (text) => {
  expect(parseExpression(text)).toBeTypeOf("object")
})

const refused: readonly (readonly [text: string, position: number, message: string])[] = [
  ["", 0, "Found the end at 0; expected a condition"],
  ["   ", 3, "Found the end at 3"],
  ["a =", 3, "Found the end at 3; expected a field or a value"],
  ["a = = 1", 4, 'Found "=" at 4'],
  ["a == 1", 3, 'Found "=" at 3; expected a field or a value'],
  ["a = 1 b = 2", 6, 'Found "b" at 6; expected "&&", "||" or the end'],
  ["a = 1 & b = 2", 6, 'Unexpected "&" at 6; write "&&"'],
  ["a = 1 | b = 2", 6, 'Unexpected "|" at 6; write "||"'],
  ["a = 1 && ", 9, "Found the end at 9; expected a condition"],
  ["|| a = 1", 0, 'Found "||" at 0'],
  ["(a = 1", 6, 'Found the end at 6; expected "&&", "||" or ")"'],
  ["a = 1)", 5, 'Found ")" at 5; expected "&&", "||" or the end'],
  ["()", 1, 'Found ")" at 1; expected a condition'],
  ["a.b. = 1", 5, 'Found "=" at 5; expected the name of a field'],
  [".a = 1", 0, 'Found "." at 0'],
  ["a..b = 1", 2, 'Found "." at 2'],
  [`a = "x`, 4, 'Text without an end at 4; expected "'],
  [`a = 'x"`, 4, "Text without an end at 4; expected '"],
  [`a = "\\x"`, 5, 'Unknown escape "\\x" at 5'],
  [`a = "\\u12"`, 5, 'Unknown escape "\\u" at 5'],
  [`a = "\\u0000"`, 4, "NUL or half a surrogate pair in text at 4"],
  [`a = "\\ud800"`, 4, "NUL or half a surrogate pair in text at 4"],
  ["a = \0", 4, "NUL or half a surrogate pair at 4"],
  ["a = '\ud800'", 5, "NUL or half a surrogate pair at 5"],
  ["a = 1x", 5, 'Unexpected "x" after a number at 5'],
  ["a = 1e999", 4, "The number 1e999 is too large at 4"],
  ["a = 1.", 5, 'Found "." at 5'],
  ["a = --1", 4, 'Found "-" at 4'],
  ["a - 1 = 2", 2, 'Found "-" at 2'],
  ["a = 7d", 4, 'Found "7d" at 4; expected a field or a value'],
  ["a > @now - 7", 11, 'Found "7" at 11; expected a duration such as 7d, 3h or 15m'],
  ["a > @now - 7w", 12, 'Unexpected "w" after a number at 12; durations end in d, h or m'],
  ["a > @now - 999999999d", 11, 'The duration "999999999d" is too long at 11'],
  ["a > @yesterday", 4, 'Unknown value "@yesterday" at 4'],
  ["@me = 1", 0, 'Unknown value "@me" at 0'],
  ["@me.password = 1", 0, 'Unknown value "@me.password" at 0'],
  [`@me.roles = "x"`, 0, 'Unknown value "@me.roles" at 0; ask has(@me.roles, "…")'],
  [`has(@me.id, "x")`, 4, '"@me.id" is no list at 4; expected @me.roles or a relation to many'],
  [`has(@me.roles)`, 13, 'Found ")" at 13; expected ","'],
  [`has(a, "x") = true`, 12, 'Found "=" at 12; expected "&&", "||" or the end'],
  [`a = has(b, "x")`, 4, '"has" is a condition, not a value at 4'],
  ["a = @changed(b)", 4, '"@changed" is a condition, not a value at 4'],
  ["@changed(a.b)", 10, 'Found "." at 10; expected ")"'],
  ["@new = 1", 5, 'Found "=" at 5; expected a field, as in "@new.status"'],
  ["any(comments)", 12, 'Found ")" at 12; expected ","'],
  ["any(comments, author)) ", 21, 'Found ")" at 21'],
  ["any(@me.roles, true)", 4, 'Found "@me" at 4; expected the name of a field'],
  ["count() > 1", 6, 'Found ")" at 6; expected the name of a field'],
  ["upper(a) = 1", 0, 'Unknown function "upper" at 0; expected lower'],
  ["lower(a, b) = 1", 7, 'Found "," at 7; expected ")"'],
  ["a in ()", 6, 'Found ")" at 6; expected a field or a value'],
  ["a in (1,)", 8, 'Found ")" at 8'],
  ["a in 1", 5, 'Found "1" at 5; expected "("'],
  ["a not in (1)", 2, 'Found "not" at 2'],
  ["a = 1; DROP TABLE x", 5, 'Unexpected ";" at 5'],
  ["a = 1 -- x", 6, 'Found "-" at 6'],
  ["a = 😀", 4, 'Unexpected "😀" at 4'],
  ["é = 1", 0, 'Unexpected "é" at 0'],
  ['a = "x" "y"', 8, 'Found "y" at 8; expected "&&", "||" or the end'],
]

test.each(refused)("%j is refused at %i: %s", (text, position, message) => {
  const error = failure(() => parseExpression(text))
  expect(error.message).toContain(message)
  expect(error.position).toBe(position)
})

const repeat = (count: number, part: string, separator: string): string =>
  Array.from({ length: count }, () => part).join(separator)

const limits: readonly (readonly [
  title: string,
  allowed: string,
  refused: string,
  code: string,
])[] = [
  ["4,000 characters", `a="${"x".repeat(3_996)}"`, `a="${"x".repeat(3_997)}"`, "too_long"],
  ["4,000 astral characters", `a="${"😀".repeat(3_996)}"`, `a="${"😀".repeat(3_997)}"`, "too_long"],
  ["100 comparisons", repeat(100, "a=1", "&&"), repeat(101, "a=1", "||"), "too_many_comparisons"],
  [
    "100 fields in a list",
    `a in (${repeat(100, "b", ",")})`,
    `a in (${repeat(101, "b", ",")})`,
    "too_many_comparisons",
  ],
  ["30 parentheses", nest(30, "(", "a=1", ")"), nest(31, "(", "a=1", ")"), "too_deep"],
  ["30 negations", nest(30, "!", "a=1", ""), nest(31, "!", "a=1", ""), "too_deep"],
  ["30 quantifiers", nest(30, "any(a,", "b=1", ")"), nest(31, "any(a,", "b=1", ")"), "too_deep"],
  ["30 functions", `${nest(30, "lower(", "a", ")")}="x"`, nest(31, "lower(", "a", ")"), "too_deep"],
  ["30 names in a path", `${repeat(30, "a", ".")}=1`, `${repeat(31, "a", ".")}=1`, "too_deep"],
]

function nest(count: number, open: string, inner: string, close: string): string {
  return open.repeat(count) + inner + close.repeat(count)
}

test.each(limits)("%s are allowed, one more is refused", (_, allowed, refusedText, code) => {
  expect(parseExpression(allowed)).toBeTypeOf("object")
  expect(failure(() => parseExpression(refusedText)).code).toBe(code)
})

test("a list of constants counts as one comparison", () => {
  expect(parseExpression(`a in (${repeat(500, "1", ",")})`)).toBeTypeOf("object")
})

test("a hundred thousand parentheses are refused without exhausting the stack", () => {
  expect(failure(() => parseExpression("(".repeat(100_000))).code).toBe("too_long")
})

test("&& binds tighter than ||, and ! negates the comparison that follows", () => {
  const one = (name: string) => parseExpression(name)
  const [a, b, c] = [one("a"), one("b"), one("c")]
  expect(kinds(parseExpression("a || b && !c"))).toEqual(
    kinds({ kind: "or", parts: [a, { kind: "and", parts: [b, { kind: "not", part: c }] }] }),
  )
})

/** A tree without positions. */
const kinds = (ast: unknown): unknown =>
  JSON.parse(JSON.stringify(ast, (key, value) => (key === "position" ? undefined : value)))

test("a value alone is an operand, with nothing after it", () => {
  expect(parseOperand("@now + 7d")).toMatchObject({ kind: "time", offsetMilliseconds: 604_800_000 })
  expect(parseOperand(`lower("X")`)).toMatchObject({ kind: "call", name: "lower" })
  expect(failure(() => parseOperand("@me.id = 1")).position).toBe(7)
})

function failure(action: () => unknown): ExpressionError {
  try {
    action()
  } catch (error) {
    expect(error).toBeInstanceOf(ExpressionError)
    return error as ExpressionError
  }
  throw new Error("nothing was refused")
}
