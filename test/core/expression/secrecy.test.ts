import { expect, test } from "vitest"
import type { Checked } from "../../../src/core/expression/checked.ts"
import { ExpressionError } from "../../../src/core/expression/error.ts"
import type { Access, Shape } from "../../../src/core/expression/types.ts"
import {
  actor,
  type Laboratory,
  laboratory,
  memoryIds,
  type Rows,
  sqlIds,
  understand,
} from "./laboratory.ts"
import { workshop } from "./workshop.ts"

const bob = actor({ id: "bob", kind: "person" })
const original = workshop()

/**
 * Bob reads his own comments only, no project at all, of tasks not the notes, and the title where he
 * is the owner; of people not the e-mail address, and nobody's boss but his own.
 */
function accessOf(lab: Laboratory): Access {
  const rule = (text: string, collection: string) => understand(lab, text, { collection })
  const readRules = new Map<string, Checked | boolean>([
    ["comments", rule("author = @me.id", "comments")],
    ["projects", false],
  ])
  const fieldRules = new Map<string, Checked | boolean>([
    ["people.email", false],
    ["people.boss", rule("id = @me.id", "people")],
    ["tasks.notes", false],
    ["tasks.title", rule("owner = @me.id", "tasks")],
    ["comments.author", rule("stars < 5", "comments")],
  ])
  return {
    readRule: (shape) => readRules.get(shape.name) ?? true,
    fieldRule: (shape: Shape, field) => fieldRules.get(`${shape.name}.${field}`) ?? true,
  }
}

/** Everything that Bob may not read says something else; what he may read stays. */
function otherSecrets(): Laboratory {
  const { people = [], projects = [], tasks = [], comments = [] } = original.rows
  const rows: Rows = {
    people: people.map((row) => ({
      ...row,
      email: "secret@x",
      boss: row.id === "bob" ? row.boss : "bob",
    })),
    projects: projects.map((row) => ({ ...row, name: "Secret", budget: 7, members: ["bob"] })),
    tasks: tasks.map((row) =>
      row.owner === "bob" ? { ...row, notes: { b: 2 } } : { ...row, notes: {}, title: "Secret" },
    ),
    comments: [
      ...comments.map((row) => (row.author === "bob" ? row : { ...row, stars: 3, body: "secret" })),
      { id: "c0", task: "t3", author: "ann", stars: 2, body: "secret" },
    ],
  }
  return laboratory(original.collections, rows)
}

const filters = [
  `title = "Secret"`,
  `title != "Secret"`,
  `title ~ "e"`,
  `!(title ~ "e")`,
  `lower(title) = "secret"`,
  "length(title) > 5",
  "title = null",
  `title in ("Secret", null)`,
  `title > "M" || title < "M"`,
  `project.name = "Secret"`,
  "project.name != null",
  "project.budget > 0",
  "!(project.budget > 0)",
  "project.id = null",
  "project.owner.name = null",
  "any(project.members, true)",
  "count(project.tasks) > 0",
  `any(comments, body = "secret")`,
  "any(comments, stars = 3)",
  "all(comments, stars = 1)",
  "none(comments, stars = 3)",
  "count(comments) > 1",
  "count(comments, stars >= 2) = 0",
  `has(comments, "c0")`,
  "any(comments, author = null)",
  `any(watchers, boss = "bob")`,
  `owner.boss = "bob"`,
  "owner.boss.name != null",
  "any(watchers, any(tasks, title = 'Secret'))",
]

test.each(filters)("%s betrays nothing that the actor may not read", (text) => {
  const answers = [original, otherSecrets()].map((lab) => {
    const question = { collection: "tasks", context: bob, access: accessOf(lab) }
    const checked = understand(lab, text, question)
    const ids = sqlIds(lab, checked, question)
    expect(memoryIds(lab, checked, question)).toEqual(ids)
    return ids
  })
  expect(answers[1]).toEqual(answers[0])
})

test("what the actor may read is found", () => {
  const question = { collection: "tasks", context: bob, access: accessOf(original) }
  const ask = (text: string) => sqlIds(original, understand(original, text, question), question)
  expect(ask(`title ~ "a_b"`)).toEqual(["t2"])
  expect(ask(`project = "p1"`)).toEqual(["t1"])
  expect(ask("any(comments, stars = 1)")).toEqual(["t1", "t2"])
  expect(ask("count(comments) = 1")).toEqual(["t1", "t2"])
  expect(ask(`owner.boss.name = "Ann"`)).toEqual(["t2"])
  expect(ask("project.name = null")).toEqual(["t1", "t2", "t3"])
})

test("a back-relation does not tell what its field would not", () => {
  const access: Access = {
    readRule: () => true,
    fieldRule: (shape, field) => !(shape.name === "comments" && field === "task"),
  }
  const question = { collection: "tasks", context: bob, access }
  const checked = understand(original, "count(comments) > 0", question)
  expect(sqlIds(original, checked, question)).toEqual([])
})

test.each([
  ["HIDDEN = null", "notes"],
  ["HIDDEN.a = 1", "notes"],
  ["HIDDEN in (1)", "notes"],
  ["count(HIDDEN) = 1", "notes"],
  ["@me.id = HIDDEN", "notes"],
  ["owner.HIDDEN = null", "email"],
  ["any(watchers, HIDDEN ~ 'x')", "email"],
  ["count(watchers, lower(HIDDEN) = 'x') = 1", "email"],
  ["owner.HIDDEN.name = 1", "email"],
])("%s answers for a field that may not be read as for one that does not exist", (text, hidden) => {
  const question = { collection: "tasks", context: bob, access: accessOf(original) }
  const messages = [hidden, "x".repeat(hidden.length)].map((name) => {
    try {
      understand(original, text.replace("HIDDEN", name), question)
    } catch (error) {
      expect((error as ExpressionError).code).toBe("unknown_field")
      return (error as Error).message.replaceAll(name, "HIDDEN")
    }
    return "accepted"
  })
  expect(messages[1]).toBe(messages[0])
})

test("no hint names a field that may not be read", () => {
  const question = { collection: "tasks", context: bob, access: accessOf(original) }
  expect(() => understand(original, "emails = null", question)).toThrow(
    /^Unknown field "emails" at 0$/,
  )
  expect(() => understand(original, "titl = null", question)).toThrow(/did you mean "title"/)
})

test("a client knows nothing of the new row", () => {
  const question = { collection: "tasks", context: bob, access: accessOf(original) }
  expect(() => understand(original, "@new.title = null", question)).toThrow(ExpressionError)
  expect(() => understand(original, "@changed(title)", question)).toThrow(ExpressionError)
})
