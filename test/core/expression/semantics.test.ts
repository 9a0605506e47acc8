import { expect, test } from "vitest"
import { checkExpression } from "../../../src/core/expression/check.ts"
import { negate } from "../../../src/core/expression/checked.ts"
import { checkOperand, evaluateOperand } from "../../../src/core/expression/default-value.ts"
import { ExpressionError } from "../../../src/core/expression/error.ts"
import { foldConstant } from "../../../src/core/expression/fold.ts"
import { parseExpression, parseOperand } from "../../../src/core/expression/parse.ts"
import { actor, laboratory, memoryIds, sqlIds, understand } from "./laboratory.ts"
import { workshop } from "./workshop.ts"

const lab = workshop()
const ann = actor({ id: "ann", email: "a%@x", kind: "person", roles: ["editor", "ann"] })
const nobody = actor()

/** Which of the tasks t1, t2, t3 (all null) are found by Ann. */
const found: readonly (readonly [expression: string, tasks: string])[] = [
  // Equality and null.
  [`title = "Fix the 50% bug"`, "1"],
  [`title != "Fix the 50% bug"`, "23"],
  [`!(title = "Fix the 50% bug")`, "23"],
  ["title = null", "3"],
  ["title != null", "12"],
  ["null = title", "3"],
  ["null = null", "123"],
  ["title = owner", ""],
  ["title != owner", "123"],
  ["owner = @me.id", "1"],
  ["@me.id = owner", "1"],
  ["@org.id = null", ""],
  [`@me.kind = "person" && "a" = "a"`, "123"],
  // Order.
  ["priority > 2", "1"],
  ["2 < priority", "1"],
  ["priority <= 3", "12"],
  ["priority > -1.5", "12"],
  ["!(priority > 2)", "23"],
  ["!(2 <= priority)", "23"],
  ["priority > null", ""],
  ["!(priority > null)", "123"],
  [`title > "Fix"`, "12"],
  [`title < "a_b 😀 É"`, "1"],
  [`title <= "a_b \ufffd"`, "1"],
  ["!!(priority > 2)", "1"],
  // Text.
  [`title ~ "THE 50%"`, ""],
  [`title ~ "fix the 50%"`, "1"],
  [`title ~ "FIX"`, "1"],
  [`title ~ "É"`, "2"],
  [`title ~ "é"`, ""],
  [`title ~ "_"`, "2"],
  [`title ~ "A_B%"`, "2"],
  [`title ~ "a%b%É"`, "2"],
  [`title ~ "aXb%"`, ""],
  [`title ~ "%bug"`, "1"],
  [`title ~ "%BU%"`, "1"],
  [`title ~ "bug%"`, ""],
  [`title ~ "%"`, "12"],
  [`title ~ "%%"`, "12"],
  [`title ~ ""`, "12"],
  [`title !~ "FIX"`, "23"],
  [`!(title ~ "FIX")`, "23"],
  [`title !~ "%"`, "3"],
  [`title ~ null`, ""],
  [`"Anna" ~ "ann"`, "123"],
  ["title ~ @me.email", ""],
  [`lower(title) = "fix the 50% bug"`, "1"],
  [`lower(title) = "a_b 😀 É"`, "2"],
  [`lower("A") = "a"`, "123"],
  ["length(title) = 7", "2"],
  ["length(title) > 7", "1"],
  // Lists.
  [`owner in ("ann", "x")`, "1"],
  [`owner in (@me.id, null)`, "13"],
  [`owner !in ("ann")`, "23"],
  [`owner !in ("ann", null)`, "2"],
  ["@me.id in (owner, project.owner)", "1"],
  [`"p1" in (owner, project)`, "1"],
  [`"p1" !in (owner, project)`, "23"],
  [`priority in (-1, 3)`, "12"],
  // Booleans.
  ["done", "1"],
  ["!done", "23"],
  ["done = false", "2"],
  ["done != false", "13"],
  ["true", "123"],
  ["false || done", "1"],
  // Dates; it is 10:30 UTC on 21 November 2026.
  [`dueOn = "2026-11-21"`, "1"],
  [`dueOn < "2026-11-21T00:00:00.001Z"`, "12"],
  [`dueOn >= "2026-11-21T01:00:00+01:00"`, "1"],
  [`dueOn > "2026-11-20T23:59:59Z"`, "1"],
  ["dueOn = @today", "1"],
  ["dueOn < @now", "12"],
  ["dueOn <= @today - 7d", "2"],
  ["createdAt = dueOn", "1"],
  ["dueOn < createdAt", "2"],
  [`createdAt = "2026-11-14 10:30"`, "2"],
  [`createdAt >= @now - 7d`, "12"],
  [`createdAt > @now - 7d`, "1"],
  [`createdAt > @now - 168h - 1m`, "12"],
  [`createdAt in ("2026-11-21", "2026-11-14T11:30+01:00")`, "12"],
  [`@now > "2026-11-21T10:29:59.999Z" && @today = "2026-11-21"`, "123"],
  ["day(dueOn) = 21", "1"],
  ["month(createdAt) = 11", "12"],
  ["year(createdAt) != 2026", "3"],
  [`year("2024-02-29") = 2024`, "123"],
  // JSON.
  ["notes = null", "23"],
  ["notes != null", "1"],
  // Relations to one.
  [`project = "p1"`, "1"],
  [`project.name = "Alpha"`, "1"],
  [`project.name != "Alpha"`, "23"],
  [`!(project.budget > 0)`, "23"],
  [`project.name = null`, "23"],
  [`project.owner.name ~ "ANN"`, "1"],
  [`owner.boss.name = "Ann"`, "2"],
  [`project.owner = owner`, "12"],
  [`project.name in ("Alpha", "Beta")`, "1"],
  // Relations to many. Ann sees nothing of the rival organisation.
  ["any(comments, true)", "12"],
  ["any(comments, author = @me.id)", "1"],
  ["any(comments, stars = 5 && body ~ 'good')", "1"],
  ["all(comments, stars = 1)", "23"],
  ["none(comments, stars = 1)", "3"],
  ["!any(comments, stars = 1)", "3"],
  ["!all(comments, stars = 1)", "1"],
  ["count(comments) = 2", "1"],
  ["count(comments) >= 0", "123"],
  ["count(comments, stars = 1) = 1", "12"],
  ["count(watchers) = 1", "1"],
  [`has(watchers, "bob")`, "13"],
  [`has(watchers, "spy")`, ""],
  [`has(watchers, @me.id)`, "3"],
  ["has(watchers, owner)", ""],
  ["!has(watchers, owner)", "123"],
  ["has(project.members, owner)", "1"],
  ["any(watchers, boss.name = 'Ann')", "13"],
  ["any(project.tasks, title ~ 'bug')", "1"],
  ["all(project.tasks, done)", "13"],
  ["count(project.members) = 0", "23"],
  ["any(comments, any(author.tasks, title ~ 'bug'))", "1"],
  ["any(comments, none(task.watchers, name ~ 'bob'))", "2"],
  // The actor.
  [`has(@me.roles, "editor")`, "123"],
  [`has(@me.roles, "Editor")`, ""],
  ["has(@me.roles, owner)", "1"],
  ["!has(@me.roles, owner)", "23"],
]

test.each(found)("%s finds the tasks %s", (text, tasks) => {
  for (const oneRow of [false, true]) {
    const question = { collection: "tasks", context: ann, oneRow }
    const checked = understand(lab, text, question)
    const expected = [...tasks].map((n) => `t${n}`)
    const rest = ["t1", "t2", "t3"].filter((id) => !expected.includes(id))
    expect(memoryIds(lab, checked, question)).toEqual(expected)
    expect(sqlIds(lab, checked, question)).toEqual(expected)
    expect(memoryIds(lab, negate(checked), question)).toEqual(rest)
    expect(sqlIds(lab, negate(checked), question)).toEqual(rest)
  }
})

test("the ends of a long pattern do not overlap in the text, and LIKE's limit does not matter", () => {
  const texts = {
    short: "X".repeat(50),
    exact: "x".repeat(80),
    long: `${"x".repeat(90)}`,
    other: "y",
  }
  const rows = Object.entries(texts).map(([id, text]) => ({ id, text }))
  const notes = laboratory({ notes: { text: { type: "text" } } }, { notes: rows })
  const question = { collection: "notes" }
  for (const [pattern, expected] of [
    [`${"x".repeat(40)}%${"X".repeat(40)}`, ["exact", "long"]],
    [`${"x".repeat(60)}%`, ["exact", "long"]],
    [`%${"x".repeat(81)}`, ["long"]],
    ["x".repeat(50), ["exact", "long", "short"]],
  ] as const) {
    const checked = understand(notes, `text ~ "${pattern}"`, question)
    expect(sqlIds(notes, checked, question), pattern).toEqual(expected)
    expect(memoryIds(notes, checked, question), pattern).toEqual(expected)
  }
})

test("what belongs to nobody does not belong to everybody without a name", () => {
  const question = { collection: "tasks", context: nobody }
  for (const [text, expected] of [
    ["owner = @me.id", []],
    ["owner in (@me.id)", []],
    ["owner != @me.id", ["t1", "t2", "t3"]],
    ["has(watchers, @me.id)", []],
    ["@me.id = null", ["t1", "t2", "t3"]],
  ] as const) {
    const checked = understand(lab, text, question)
    expect(sqlIds(lab, checked, question), text).toEqual(expected)
    expect(memoryIds(lab, checked, question), text).toEqual(expected)
  }
})

const refused: readonly (readonly [expression: string, position: number, message: string])[] = [
  [`titel = "x"`, 0, 'Unknown field "titel" at 0; did you mean "title"?'],
  ["zzzzzz = 1", 0, 'Unknown field "zzzzzz" at 0'],
  [`project.nam = "x"`, 8, 'Unknown field "project.nam" at 8; did you mean "name"?'],
  ["any(comments, title = null)", 14, 'Unknown field "title" at 14'],
  [`title.length = 1`, 0, '"title" has no fields at 0; it is no relation'],
  ["comments = null", 0, '"comments" holds many records at 0; ask any(comments, …)'],
  ["comments.stars = 1", 0, '"comments" holds many records at 0; ask any(comments, …)'],
  ["project.tasks in (1)", 0, '"project.tasks" holds many records at 0'],
  ["any(project, true)", 4, '"project" is no relation to many at 4'],
  [`priority = "3"`, 11, 'Cannot compare "priority" (number) with "3" at 11'],
  ["title = 3", 8, 'Cannot compare "title" (text) with "3" at 8'],
  ["title > priority", 8, 'Cannot compare "title" (text) with "priority" (number) at 8'],
  ["done = 1", 7, 'Cannot compare "done" (boolean) with "1" at 7'],
  ["done > false", 7, 'Cannot compare "done" (boolean)'],
  ["notes = 'x'", 8, "json only compares with null"],
  ["notes > null", 8, "json only compares with null"],
  ["priority ~ 'x'", 0, '"~" compares text, found "priority" (number) at 0'],
  ["title !~ 3", 9, '"!~" compares text, found "3" at 9'],
  ["title ~ owner", 8, 'The pattern of "~" cannot be "owner" (text) at 8; expected a text'],
  [`title ~ "${"ä%".repeat(20)}"`, 8, "too long at 8; with % in the middle"],
  ["title", 0, '"title" (text) is no condition at 0; compare it with something'],
  ["null", 0, '"null" is no condition at 0'],
  [`"x" && done`, 0, '"x" is no condition at 0'],
  [`dueOn = "2026-02-30"`, 8, '"2026-02-30" is no date at 8; expected YYYY-MM-DD'],
  [`createdAt > "yesterday"`, 12, '"yesterday" is no date at 12'],
  [`createdAt in ("2026-01-01", "x")`, 28, '"x" is no date at 28'],
  ["createdAt = @me.id", 12, 'Cannot compare "createdAt" (datetime) with @me.id (text) at 12'],
  ["title = @now", 8, 'Cannot compare "title" (text) with @now at 8'],
  ["day(title) = 1", 4, 'day() takes a date, found "title" (text) at 4'],
  [`day("x") = 1`, 4, '"x" is no date at 4'],
  ["length(priority) = 1", 7, 'length() takes text, found "priority" (number) at 7'],
  ["lower(null) = null", 6, 'lower() takes text, found "null" at 6'],
  ["has(@me.roles, 3)", 15, 'has() looks for text, found "3" at 15'],
  ["has(title, 'x')", 4, '"title" is no relation to many at 4'],
  ["@new.title = null", 0, '"@new" has no meaning at 0; only rules of writes know what changes'],
  ["@changed(title)", 9, '"@changed" has no meaning at 9'],
]

test.each(refused)("%s is refused at %i: %s", (text, position, message) => {
  const error = failure(() => understand(lab, text, { collection: "tasks" }))
  expect(error.message).toContain(message)
  expect(error.position).toBe(position)
})

test("a rule of writes may ask for the new row and what changed, but not what others keep", () => {
  const check = (text: string) =>
    checkExpression(parseExpression(text), lab.shape("tasks"), { mode: "trusted", write: true })
  expect(check("@new.owner = @me.id && !@changed(title)").kind).toBe("and")
  expect(failure(() => check("@changed(comments)")).message).toContain("kept by other records at 9")
  expect(failure(() => check("@new.nothing = 1")).message).toContain('field "@new.nothing" at 5')
})

test("only what looks at the row depends on the row", () => {
  const check = (text: string) => understand(lab, text, { collection: "tasks" })
  const text = `has(@me.roles, "editor") || owner = @me.id`
  expect(foldConstant(check(text), ann)).toBe(true)
  expect(foldConstant(check(text), nobody)).toBe(false)
  expect(foldConstant(check(text), actor({ id: "bob" }))).toBe(null)
  expect(foldConstant(check("any(comments, @me.id = null)"), ann)).toBe(false)
  expect(foldConstant(check(`@me.email ~ "%@x" && @now > "2020-01-01"`), ann)).toBe(true)
  expect(foldConstant(check("count(comments) = 0"), ann)).toBe(null)
})

test.each([
  ["@me.id", "text", "ann"],
  [`lower("ÄX")`, "text", "Äx"],
  ["@now", "datetime", "2026-11-21T10:30:00.000Z"],
  ["@today + 3h", "datetime", "2026-11-21T03:00:00.000Z"],
  ["@today", "date", "2026-11-21"],
  ["@now + 14h", "date", "2026-11-22"],
  [`"2026-01-02"`, "date", "2026-01-02"],
  [`"2026-01-02"`, "datetime", "2026-01-02T00:00:00.000Z"],
  ["-3.5", "number", -3.5],
  ["false", "boolean", false],
  ["null", "json", null],
] as const)("the default %s of a field of type %s is %s", (text, type, value) => {
  expect(evaluateOperand(checkOperand(parseOperand(text), type), ann)).toBe(value)
})

test.each([
  ["title", "text", 'Unknown field "title" at 0'],
  ["count(comments)", "number", 'Unknown field "comments" at 6'],
  ["@now", "text", "@now is no default for a field of type text at 0"],
  [`"soon"`, "date", '"soon" is no date at 0'],
  ["3", "json", '"3" is no default for a field of type json at 0'],
] as const)("the default %s of a field of type %s is refused: %s", (text, type, message) => {
  expect(failure(() => checkOperand(parseOperand(text), type)).message).toContain(message)
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
