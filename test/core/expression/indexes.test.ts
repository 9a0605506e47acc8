import { expect, test } from "vitest"
import { compileExpression } from "../../../src/core/expression/to-sql.ts"
import { sql } from "../../../src/platform/sql.ts"
import { actor, organisation, run, scope, tableRow, understand } from "./laboratory.ts"
import { workshop } from "./workshop.ts"

const lab = workshop()
// Enough rows for statistics: without them SQLite thinks that any index on the organisation will do.
fill("people", "c_name, c_boss", "'n' || n, 'p' || (n / 10)")
fill("projects", "c_name, c_owner, c_budget", "'n' || n, 'p' || (n / 3), n")
fill(
  "tasks",
  "c_title, c_priority, c_done, c_dueOn, c_createdAt, c_owner, c_project",
  "'t' || n, n, n % 2, 'd' || n, 'c' || n, 'p' || (n / 3), 'p' || (n / 2)",
)
fill("comments", "c_task, c_author, c_stars", "'p' || (n / 4), 'p' || (n / 5), n / 3")
lab.database.exec(
  `INSERT INTO tasks_watchers SELECT id, 'p' || (pk / 3), 0 FROM tasks WHERE id LIKE 'n%'`,
)
lab.database.exec("ANALYZE")

const context = actor({ id: "ann", roles: ["ann", "bob"] })

const byIndex: readonly (readonly [expression: string, indexes: readonly string[]])[] = [
  [`title = "x"`, ["t tasks_title"]],
  [`"x" = title`, ["t tasks_title"]],
  [`!(title != "x")`, ["t tasks_title"]],
  ["title = null", ["t tasks_title"]],
  ["owner = @me.id", ["t tasks_owner"]],
  ["owner in ('a', 'b')", ["t tasks_owner"]],
  ["has(@me.roles, owner)", ["t tasks_owner"]],
  ["@me.id in (owner, project)", ["t tasks_owner", "t tasks_project"]],
  ["priority > 3", ["t tasks_priority"]],
  ["3 >= priority", ["t tasks_priority"]],
  ["!(priority > 3)", ["t tasks_priority"]],
  ["!(priority < 3 || priority > 5)", ["t tasks_priority"]],
  ["done", ["t tasks_done"]],
  [`dueOn = "2026-11-21"`, ["t tasks_dueOn"]],
  ["dueOn <= @now - 7d", ["t tasks_dueOn"]],
  ["createdAt > @today", ["t tasks_createdAt"]],
  ["title = 'x' || priority = 3", ["t tasks_title", "t tasks_priority"]],
  ["title = 'x' && length(title) > 3", ["t tasks_title"]],
  ["project = 'p1'", ["t tasks_project"]],
  ["project.name = 'Alpha'", ["t tasks_project", "e1 projects_name"]],
  ["project.name in ('Alpha', 'Beta')", ["t tasks_project", "e1 projects_name"]],
  ["project.owner.name = 'Ann'", ["t tasks_project", "e2 people_name", "e1 projects_owner"]],
  ["any(comments, author = @me.id)", ["t sqlite_autoindex_tasks_1", "e1 comments_author"]],
  ["any(comments, stars = 1 && body ~ 'x')", ["t sqlite_autoindex_tasks_1", "e1 comments_stars"]],
  ["has(watchers, @me.id)", ["t sqlite_autoindex_tasks_1", "e2 tasks_watchers_target"]],
  ["any(project.tasks, priority = 3)", ["t tasks_project", "e2 tasks_priority"]],
]

test.each(byIndex)("%s is found by an index", (text, indexes) => {
  const steps = plan(text, false)
  expect(steps.filter((step) => /^SCAN (t|e\d+)\b/.test(step))).toEqual([])
  for (const index of indexes) {
    const [alias, name] = index.split(" ")
    const uses = new RegExp(`^SEARCH ${alias} USING (COVERING )?INDEX ${name}\\b`)
    expect(
      steps.filter((step) => uses.test(step)),
      steps.join("\n"),
    ).not.toEqual([])
  }
})

const inside: readonly (readonly [expression: string, index: string])[] = [
  ["any(comments, body ~ 'x')", "e1 comments_task"],
  ["none(comments, author = @me.id)", "e1 comments_"],
  ["count(comments) > 3", "e1 comments_task"],
  ["project.budget > 3", "e1 sqlite_autoindex_projects_1"],
]

test.each(inside)("%s follows its relation by an index", (text, index) => {
  const steps = plan(text, false)
  expect(steps.filter((step) => /^SCAN e\d+\b/.test(step))).toEqual([])
  expect(steps.join("\n")).toMatch(
    new RegExp(index.replace(" ", " (EXISTS )?USING (COVERING )?INDEX ")),
  )
})

test("a rule about one row starts from that row", () => {
  const steps = plan("any(comments, author = @me.id)", true).join("\n")
  expect(steps).toMatch(/e1 (EXISTS )?USING (COVERING )?INDEX comments_(task|author)/)
  expect(steps).not.toContain("LIST SUBQUERY")
})

function fill(table: string, columns: string, values: string): void {
  lab.database.exec(
    `WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
      INSERT INTO ${table} (id, organisation, ${columns}) SELECT 'n' || n, 'acme', ${values} FROM n`,
  )
}

function plan(text: string, oneRow: boolean): string[] {
  const checked = understand(lab, text, { collection: "tasks" })
  const condition = compileExpression(checked, { context, scope, source: tableRow("t"), oneRow })
  const statement = sql`EXPLAIN QUERY PLAN SELECT t.pk FROM tasks t WHERE t.organisation = ${organisation} AND ${condition}`
  return run(lab.database, statement).map((step) => String(step.detail))
}
