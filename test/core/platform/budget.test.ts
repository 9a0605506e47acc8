import { createExecutionContext } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { anonymous } from "../../../src/platform/app.ts"
import { budget } from "../../../src/platform/budget.ts"
import { createHttp } from "../../../src/platform/http.ts"
import { sql } from "../../../src/platform/sql.ts"

/* Routes that read a hundred rows of a table of its own, and may read more or less. */

const http = createHttp(() => anonymous)
const hundred = sql`SELECT count(*) AS n FROM budget_rows WHERE x >= 0`
http.get("/within", budget({ rowsRead: 500 }), async (c) =>
  c.json(await c.get("app").db.all(hundred)),
)
http.get("/beyond", budget({ rowsRead: 50 }), async (c) =>
  c.json(await c.get("app").db.all(hundred)),
)
http.get("/refused", budget({ rowsRead: 50, refuse: true }), async (c) =>
  c.json(await c.get("app").db.all(hundred)),
)
http.get("/written", budget({ rowsRead: 50, refuse: true }), async (c) => {
  await c.get("app").db.batch([hundred, sql`INSERT INTO budget_rows VALUES (1)`])
  return c.json("done")
})
http.post("/posted", budget({ rowsRead: 50, refuse: true }), async (c) =>
  c.json(await c.get("app").db.all(hundred)),
)
http.get("/failing", budget({ rowsRead: 50, refuse: true }), async (c) => {
  await c.get("app").db.all(hundred)
  return c.json({}, 404)
})

beforeEach(async () => {
  await env.DB.batch([
    env.DB.prepare("CREATE TABLE IF NOT EXISTS budget_rows (x INTEGER)"),
    env.DB.prepare("DELETE FROM budget_rows"),
    env.DB.prepare(
      "INSERT INTO budget_rows WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n WHERE x < 100) SELECT x FROM n",
    ),
  ])
  lines = []
  vi.spyOn(console, "warn").mockImplementation((line) => {
    lines.push(String(line))
  })
})
afterEach(() => vi.restoreAllMocks())

const call = async (path: string, environment = "development", method = "GET") =>
  http.fetch(
    new Request(`http://club.example${path}`, { method }),
    { ...env, ENVIRONMENT: environment },
    createExecutionContext(),
  )
let lines: string[]
const warnings = () => lines.map((line) => JSON.parse(line))

test.for([
  ["/within", "GET", 200, 0],
  ["/beyond", "GET", 200, 1],
  ["/refused", "GET", 422, 1],
  ["/written", "GET", 200, 1],
  ["/posted", "POST", 200, 1],
  ["/failing", "GET", 404, 0],
] as const)(
  "in development, %s %s is answered %i, with %i warnings",
  async ([path, method, status, count]) => {
    const response = await call(path, "development", method)
    expect(response.status).toBe(status)
    expect(warnings()).toHaveLength(count)
    for (const warning of warnings()) {
      expect(warning).toMatchObject({ message: "budget exceeded", path, budget: 50 })
      expect(warning.rowsRead).toBeGreaterThanOrEqual(100)
    }
  },
)

test("the budget stands in Server-Timing beside what was read", async () => {
  const timing = (await call("/beyond")).headers.get("server-timing")
  expect(timing).toMatch(/rows-read;desc="1\d\d".*, budget;desc="50"$/)
})

test("a refusal is a problem that does not tell how many rows there are", async () => {
  const response = await call("/refused", "production")
  expect(response.status).toBe(422)
  const problem = (await response.json()) as Record<string, unknown>
  expect(problem).toMatchObject({ code: "budget_exceeded" })
  expect(JSON.stringify(problem)).not.toMatch(/\b1\d\d\b/)
  expect(response.headers.get("server-timing")).toBeNull()
})

test("in production nothing is logged, and what is not to be refused is answered", async () => {
  expect((await call("/beyond", "production")).status).toBe(200)
  expect(warnings()).toEqual([])
})
