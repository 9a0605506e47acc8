import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ruleInWords } from "../../src/console/data/rule-words.ts"
import { de } from "../../src/console/messages-de.ts"
import { en } from "../../src/console/messages-en.ts"
import { parseExpression } from "../../src/core/expression/parse.ts"

const told = (rule: string | undefined, language = en): string[] | null =>
  ruleInWords(rule, language)?.map((words) =>
    words.map((piece) => (typeof piece === "string" ? piece : `[${piece.code}]`)).join(""),
  ) ?? null

/** Whether a rule is `true`, in parentheses or not. */
function isAlwaysTrue(text: string): boolean {
  const ast = parseExpression(text)
  return ast.kind === "truth" && ast.operand.kind === "literal" && ast.operand.value === true
}

const name = fc.constantFrom("owner", "status", "film", "in", "has", "createdBy", "a1")
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("."))
const literal = fc.oneof(
  fc.string({ maxLength: 6 }).map((text) => `"${text.replace(/["\\]/g, "\\$&")}"`),
  fc.constantFrom("'user'", "'it\\'s'", "true", "false", "null", "3", "0.5"),
)
const operand = fc.oneof(
  path,
  literal,
  fc.constantFrom("@me.id", "@me.kind", "@me.email", "@org.id", "@now", "@today"),
  path.map((it) => `@new.${it}`),
  path.map((it) => `@old.${it}`),
)
const space = fc.constantFrom("", " ", "\n")

/** Conditions of each kind that there are words for. */
const { condition } = fc.letrec<{ condition: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    fc
      .tuple(operand, space, fc.constantFrom("=", "!=", ">", ">=", "<", "<=", "~", "!~"), operand)
      .map(([left, gap, operator, right]) => `${left}${gap} ${operator}${gap}${right}`),
    operand,
    fc
      .tuple(path, fc.array(operand, { minLength: 1, maxLength: 3 }), fc.boolean())
      .map(([left, list, negated]) => `${left} ${negated ? "!in" : "in"} (${list.join(", ")})`),
    fc.tuple(path, operand).map(([list, value]) => `has(${list}, ${value})`),
    literal.map((role) => `has(@me.roles, ${role})`),
    name.map((field) => `@changed(${field})`),
  ),
  condition: fc.oneof(
    { maxDepth: 3 },
    tie("atom"),
    fc
      .array(tie("condition"), { minLength: 2, maxLength: 3 })
      .map((parts) => `(${parts.join(" && ")})`),
    fc
      .array(tie("condition"), { minLength: 2, maxLength: 3 })
      .map((parts) => `(${parts.join(" || ")})`),
    tie("condition").map((part) => `!(${part})`),
  ),
}))

describe("a rule in words", () => {
  test("says everybody of true alone, in either language", () => {
    fc.assert(
      fc.property(
        fc.oneof(condition, fc.constantFrom("true", " ( true )", "!false", "true || a", "1 = 1")),
        (text) => {
          const isTrue = isAlwaysTrue(text)
          for (const language of [en, de]) {
            const words = told(text, language) ?? []
            expect(words.includes(language.rule.everybody)).toBe(isTrue)
            if (isTrue) continue
            // Without what is quoted from the rule itself.
            const own = (ruleInWords(text, language) ?? []).flat().filter(isOwn).join(" ")
            expect(own).not.toMatch(/every(body|one)|anybody|\balle\b|jede/i)
          }
        },
      ),
    )
  })

  test.each<[string | undefined, string[] | null, string[] | null]>([
    [undefined, ["Nobody"], ["Niemand"]],
    ["false", ["Nobody"], ["Niemand"]],
    ["true", ["Everybody, also without signing in"], ["Alle, auch ohne Anmeldung"]],
    ["@me.id != null", ["Whoever is signed in"], ["Wer angemeldet ist"]],
    [
      'has(@me.roles, "editor") || owner = @me.id',
      ["Whoever has the role [editor]", "Whoever is the person in [owner]"],
      ["Wer die Rolle [editor] hat", "Wer die Person in [owner] ist"],
    ],
    [
      'status = "published" && @me.id != null',
      ["Whoever is signed in, only where [status] is “published”"],
      ["Wer angemeldet ist, nur wo [status] gleich „published“ ist"],
    ],
    [
      "@me.id != null && (@me.kind != 'anonymous' || id = @me.id)",
      ["Whoever is signed in and has an account", "Whoever is signed in and is that person"],
      ["Wer angemeldet ist und ein Konto hat", "Wer angemeldet ist und diese Person ist"],
    ],
    [
      "open = true && seats > 3 && note = null",
      ["Whoever asks, only where [open] is true and [seats] is more than 3 and [note] is empty"],
      [
        "Wer auch immer fragt, nur wo [open] wahr ist und [seats] mehr als 3 ist und [note] leer ist",
      ],
    ],
    [
      "@me.id = film.author && startsAt > @now && !@changed(status)",
      [
        "Whoever is the person in [film.author], only where [startsAt] is later than now and [status] stays as it is",
      ],
      [
        "Wer die Person in [film.author] ist, nur wo [startsAt] später als jetzt ist und [status] bleibt, wie es ist",
      ],
    ],
    [
      'has(people, @me.id) && !has(@me.roles, "guest")',
      ["Whoever is among [people] and does not have the role [guest]"],
      ["Wer unter [people] ist und die Rolle [guest] nicht hat"],
    ],
    [
      'status in ("open", "new")',
      ["Whoever asks, only where [status] is one of “open”, “new”"],
      ["Wer auch immer fragt, nur wo [status] eines von „open“, „new“ ist"],
    ],
    [
      "seats > -1e3",
      ["Whoever asks, only where [seats] is more than -1000"],
      ["Wer auch immer fragt, nur wo [seats] mehr als -1000 ist"],
    ],
    [
      "@new.owner = @me.id",
      ["Whoever is the person in the new [owner]"],
      ["Wer die Person in [owner] (neu) ist"],
    ],
    // There are no words for these.
    ["true || owner = @me.id", null, null],
    ["!(owner = @me.id)", null, null],
    ["any(members, person = @me.id)", null, null],
    ["count(comments) > 3", null, null],
    ["createdAt > @now - 7d", null, null],
    ["within(place, 1, 2, 3, 4)", null, null],
    ["lower(status) = 'open'", null, null],
    // No text of the language at all.
    ["owner owner", null, null],
    ["published != true", null, null],
    [Array.from("abcdefg", (field) => `${field} = @me.id`).join(" || "), null, null],
  ])("%s", (rule, english, german) => {
    expect(told(rule)).toEqual(english)
    expect(told(rule, de)).toEqual(german)
  })
})

const isOwn = (piece: string | { code: string }): piece is string =>
  typeof piece === "string" && !/[“„]/.test(piece)
