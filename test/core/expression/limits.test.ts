import { convertV4MiniflareOptions, Miniflare } from "miniflare"
import { afterAll, beforeAll, expect, test } from "vitest"
import { checkExpression } from "../../../src/core/expression/check.ts"
import { ExpressionError } from "../../../src/core/expression/error.ts"
import { parseExpression } from "../../../src/core/expression/parse.ts"
import { compileExpression } from "../../../src/core/expression/to-sql.ts"
import type { Access } from "../../../src/core/expression/types.ts"
import { type Sql, spill, sql } from "../../../src/platform/sql.ts"
import { actor, scope, tableRow, understand } from "./laboratory.ts"
import { workshop } from "./workshop.ts"

/** The real limits: local D1 has the depth of 100 and the 100 KB that production has; node:sqlite does not. */
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    modules: true,
    script: "export default {}",
    compatibilityDate: "2026-11-01",
    d1Databases: { DB: "limits" },
  }),
)
const lab = workshop()
type Database = Awaited<ReturnType<Miniflare["getD1Database"]>>
let database: Database

beforeAll(async () => {
  database = await miniflare.getD1Database("DB")
  const tables = lab.database
    .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
    .all() as { sql: string }[]
  await database.batch(tables.map((table) => database.prepare(table.sql)))
})
afterAll(() => miniflare.dispose())

const repeat = (count: number, part: (n: number) => string, separator: string): string =>
  Array.from({ length: count }, (_, n) => part(n)).join(separator)
const nested = (count: number, open: (n: number) => string, inner: string): string => {
  const opened = repeat(count, open, "") + inner
  return opened + ")".repeat(opened.split("(").length - opened.split(")").length)
}

const cases: readonly (readonly [title: string, expression: string])[] = [
  ["100 comparisons with &&", repeat(100, (n) => `title!="${n}"`, " && ")],
  ["100 comparisons with ||", repeat(100, (n) => `priority>${n}`, " || ")],
  ["100 negated comparisons", `!(${repeat(100, (n) => `priority>${n}`, " || ")})`],
  ["100 general patterns", repeat(100, (n) => `title!~"a%${n}%b"`, " && ")],
  ["100 paths", repeat(100, (n) => `project.owner.name>"${n}"`, " && ")],
  ["100 counts", repeat(100, (n) => `count(comments)!=${n}`, " && ")],
  ["100 quantifiers", repeat(100, (n) => `none(comments,stars=${n})`, "&&")],
  ["a list of 800 values", `priority in (${repeat(800, (n) => String(n), ",")})`],
  ["a path of 30 names", `owner.${"boss.".repeat(28)}name = "x"`],
  [
    "alternating && and || 30 deep, with three comparisons each",
    nested(
      30,
      (n) => `(done && priority=${n} ${n % 2 ? "&&" : "||"} title="x" ${n % 2 ? "||" : "&&"} `,
      "done",
    ),
  ],
  [
    "negation 15 deep, with six comparisons each",
    nested(
      15,
      (n) => `!(${repeat(6, (m) => `priority=${n + m}`, n % 2 ? "&&" : "||")} || `,
      "done",
    ),
  ],
  ["lower, 29 deep", `${"lower(".repeat(29)}title${")".repeat(29)} ~ "x"`],
]

const context = actor({ id: "ann" })
const rule = (text: string, collection: string) => understand(lab, text, { collection })
const access: Access = {
  readRule: (shape) => {
    if (shape.name === "tasks") return rule(`owner = @me.id || done`, "tasks")
    return shape.name === "people" ? rule(`name != "x"`, "people") : true
  },
  fieldRule: (shape, field) =>
    shape.name === "tasks" && field !== "id" ? rule("owner = @me.id", "tasks") : true,
}

/** As the records engine wraps a filter: the organisation, a rule, a keyset, an existence. */
async function answer(condition: Sql): Promise<unknown> {
  const { text, params } = spill(
    sql`SELECT CASE WHEN EXISTS (SELECT 1 FROM tasks t WHERE t.organisation = ${"acme"} AND (t.pk > 0 OR (t.pk = 0 AND (t.id > ${"x"} AND (${condition}))))) THEN 1 ELSE 0 END AS found`,
  )
  expect(text.length).toBeLessThan(90_000)
  return database
    .prepare(text)
    .bind(...params)
    .first("found")
}

const compile = (text: string, client: boolean) => {
  const options = client ? ({ mode: "client", access } as const) : ({ mode: "trusted" } as const)
  const checked = checkExpression(parseExpression(text), lab.shape("tasks"), options)
  return compileExpression(checked, { context, scope, source: tableRow("t") })
}

test.each(cases)("%s: D1 takes it, of a rule and of a client", async (_, text) => {
  expect(await answer(compile(text, false))).toBe(0)
  expect(await answer(compile(text, true))).toBe(0)
})

const nests: readonly (readonly [title: string, nest: (depth: number) => string])[] = [
  [
    "any",
    (depth) => nested(depth, (n) => `any(${n % 2 ? "author.tasks" : "comments"}, `, lastOf(depth)),
  ],
  [
    "all",
    (depth) => nested(depth, (n) => `all(${n % 2 ? "author.tasks" : "comments"}, `, lastOf(depth)),
  ],
  [
    "any and all by turns",
    (depth) =>
      nested(depth, (n) => (n % 2 ? "all(author.tasks, " : "any(comments, "), lastOf(depth)),
  ],
  [
    "any beside other conditions",
    (depth) =>
      repeat(depth, (n) => `id > "a" && any(${n % 2 ? "author.tasks" : "comments"}, `, "") +
      lastOf(depth) +
      ")".repeat(depth),
  ],
  [
    "count",
    (depth) =>
      repeat(depth, (n) => `count(${n % 2 ? "author.tasks" : "comments"}, `, "") +
      lastOf(depth) +
      repeat(depth, () => ") > 0", ""),
  ],
]
const lastOf = (depth: number): string => (depth % 2 ? "stars > 1" : "done")

test.each(nests)(
  "%s within itself works four deep; deeper, it works or is refused",
  async (_, nest) => {
    for (let depth = 1; depth <= 15; depth++) {
      for (const client of [false, true]) {
        const condition = compiledOrRefused(nest(depth), client)
        if (condition) expect([0, 1]).toContain(await answer(condition))
        else expect(depth, client ? "client" : "trusted").toBeGreaterThan(client ? 3 : 4)
      }
    }
  },
)

function compiledOrRefused(text: string, client: boolean): Sql | null {
  try {
    return compile(text, client)
  } catch (error) {
    expect(error).toBeInstanceOf(ExpressionError)
    expect((error as ExpressionError).code).toBe("too_complex")
    return null
  }
}
