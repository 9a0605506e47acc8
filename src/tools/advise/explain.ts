import { type Explained, type Finding, judge, unusedIndexes } from "../../core/advisor/findings.ts"
import { type Plan, readPlan } from "../../core/advisor/plan.ts"
import { schemaObjects } from "../../core/records/ddl.ts"
import type { LinkedCollections } from "../../core/records/link.ts"
import type { App } from "../../platform/app.ts"
import { raw, type Sql, spill, sql } from "../../platform/sql.ts"
import type { Question } from "./questions.ts"

export interface Advice {
  readonly explained: readonly {
    readonly question: Explained
    readonly findings: readonly Finding[]
  }[]
  readonly unused: readonly string[]
  /** Rows of all collections together. */
  readonly rows: number
}

/** Explains each question, asks it, and judges what it cost. */
export async function adviseOn(
  app: App,
  collections: LinkedCollections,
  questions: readonly Question[],
): Promise<Advice> {
  const counts = new Map<string, number>()
  for (const { table } of tablesOf(collections)) {
    const [row] = await app.db.all(raw(`SELECT count(*) AS n FROM "${table}"`))
    counts.set(table, Number(row?.n ?? 0))
  }
  const rowsOf = (table: string) => counts.get(table) ?? 0
  const used = new Set<string>()
  const explained: Advice["explained"][number][] = []
  for (const question of questions) {
    const whole = await explain(app, question)
    for (const index of whole.used) used.add(index)
    explained.push({ question: whole.explained, findings: judge(whole.explained, rowsOf) })
  }
  const rows = [...collections.keys()].reduce((sum, name) => sum + rowsOf(name), 0)
  return { explained, unused: unusedIndexes(declaredIndexes(collections), used), rows }
}

const tablesOf = (collections: LinkedCollections) => [
  { table: "members" },
  ...schemaObjects(collections.values()).filter(
    ({ kind }) => kind === "table" || kind === "joinTable",
  ),
]

/** Those that a collection asks for: what unique fields and relations need is not for choosing. */
function declaredIndexes(collections: LinkedCollections): string[] {
  return [...collections.values()].flatMap((collection) => {
    const needed = [...collection.fields.values()]
      .filter(({ kind }) => kind === "relation")
      .map(({ name }) => `${collection.name}_${name}`)
    return schemaObjects([collection])
      .filter(
        ({ kind, table, sql }) =>
          kind === "index" && table === collection.name && !sql.startsWith("CREATE UNIQUE"),
      )
      .map(({ name }) => name)
      .filter((name) => !needed.includes(name) && name !== `${collection.name}_id`)
  })
}

async function explain(
  app: App,
  question: Question,
): Promise<{ explained: Explained; used: readonly string[] }> {
  const finding = question.statements.filter((statement) => statement !== question.counting)
  const plans: Plan[] = []
  let rowsRead = 0
  for (const statement of finding) {
    plans.push(await planOf(app, statement))
    rowsRead += await rowsReadBy(app, statement)
  }
  const rowsCounted = question.counting && (await rowsReadBy(app, question.counting))
  const { collection, title, persona, limit, wanted } = question
  const plan: Plan = {
    scans: plans.flatMap(({ scans }) => scans),
    indexes: plans.flatMap(({ indexes }) => indexes),
    automatic: plans.flatMap(({ automatic }) => automatic),
    sorts: plans.some(({ sorts }) => sorts),
  }
  return {
    explained: { collection, title, persona, limit, wanted, plan, rowsRead, rowsCounted },
    used: plan.indexes,
  }
}

async function planOf(app: App, statement: Sql): Promise<Plan> {
  const spilt = spill(statement)
  const lines = await app.db.all(
    sql`EXPLAIN QUERY PLAN ${{ text: spilt.text, params: spilt.params }}`,
  )
  return readPlan(
    lines.map(({ detail }) => String(detail)),
    spilt.text,
  )
}

async function rowsReadBy(app: App, statement: Sql): Promise<number> {
  const before = app.cost.rowsRead
  await app.db.all(statement)
  return app.cost.rowsRead - before
}
