import { DatabaseSync } from "node:sqlite"
import { checkExpression } from "../../../src/core/expression/check.ts"
import type { Checked } from "../../../src/core/expression/checked.ts"
import type { MemoryRow, World } from "../../../src/core/expression/evaluate.ts"
import { evaluateExpression } from "../../../src/core/expression/evaluate.ts"
import { bandColumn, bandsPerDegree, longitudeColumn } from "../../../src/core/expression/geo.ts"
import { parseExpression } from "../../../src/core/expression/parse.ts"
import { compileExpression } from "../../../src/core/expression/to-sql.ts"
import type {
  Access,
  Context,
  RowSource,
  Shape,
  ShapeField,
  ValueType,
} from "../../../src/core/expression/types.ts"
import { identifier, raw, type Sql, spill, sql } from "../../../src/platform/sql.ts"

/** Collections and rows, in SQLite and in memory, so that an expression can be asked of both. */
export interface Laboratory {
  readonly database: DatabaseSync
  readonly shapes: ReadonlyMap<string, Shape>
  readonly collections: Collections
  readonly rows: Rows
  shape(name: string): Shape
}

export type FieldPlan =
  | { readonly type: ValueType; readonly indexed?: boolean }
  | { readonly one: string; readonly indexed?: boolean }
  | { readonly many: string; readonly back?: string }
export type Collections = Readonly<Record<string, Readonly<Record<string, FieldPlan>>>>
/** By collection; a relation to many through a join table is an array of ids in its row. */
export type Rows = Readonly<Record<string, readonly MemoryRow[]>>

export const organisation = "acme"
export const now = Date.parse("2026-11-21T10:30:00.000Z")

export const actor = (me: Partial<Context["me"]> = {}): Context => ({
  me: { id: null, email: null, kind: "anonymous", roles: [], ...me },
  organisation,
  now,
})

/** Columns are named differently from fields, so that a mix-up shows. */
export const columnOf = (field: string): string => (field === "id" ? "id" : `c_${field}`)

export function laboratory(collections: Collections, rows: Rows): Laboratory {
  const shapes = new Map<string, Shape>()
  for (const [name, fields] of Object.entries(collections)) {
    shapes.set(name, shapeOf(name, fields, shapes))
  }
  const database = new DatabaseSync(":memory:")
  for (const [name, fields] of Object.entries(collections)) {
    for (const statement of tablesFor(name, fields)) database.exec(statement)
    for (const row of rows[name] ?? []) insert(database, name, fields, row)
  }
  const shape = (name: string) => shapes.get(name) as Shape
  return { database, shapes, collections, rows, shape }
}

export const joinTable = (collection: string, field: string): string => `${collection}_${field}`

function shapeOf(
  name: string,
  fields: Readonly<Record<string, FieldPlan>>,
  shapes: ReadonlyMap<string, Shape>,
): Shape {
  const known = new Map<string, ShapeField>()
  known.set("id", { kind: "value", name: "id", column: "id", type: "text", indexed: true })
  for (const [field, plan] of Object.entries(fields)) {
    const column = columnOf(field)
    if ("type" in plan) {
      const indexed = plan.indexed === true || plan.type === "point"
      known.set(field, { kind: "value", name: field, column, type: plan.type, indexed })
    } else if ("one" in plan) {
      const target = () => shapes.get(plan.one) as Shape
      known.set(field, { kind: "one", name: field, column, indexed: plan.indexed === true, target })
    } else {
      const through = plan.back
        ? { backField: plan.back, backColumn: columnOf(plan.back) }
        : { joinTable: joinTable(name, field) }
      const target = () => shapes.get(plan.many) as Shape
      known.set(field, { kind: "many", name: field, indexed: false, target, through })
    }
  }
  return {
    name,
    table: name,
    field: (field) => known.get(field) ?? null,
    fieldNames: () => [...known.keys()],
  }
}

const affinity: Readonly<Record<ValueType, string>> = {
  text: "TEXT",
  number: "REAL",
  boolean: "INTEGER",
  date: "TEXT",
  datetime: "TEXT",
  json: "TEXT",
  point: "TEXT",
}

function tablesFor(name: string, fields: Readonly<Record<string, FieldPlan>>): string[] {
  const columns = [
    "pk INTEGER PRIMARY KEY",
    "id TEXT NOT NULL UNIQUE",
    "organisation TEXT NOT NULL",
  ]
  const others: string[] = []
  for (const [field, plan] of Object.entries(fields)) {
    const column = columnOf(field)
    if ("many" in plan) {
      if (plan.back) continue
      const table = joinTable(name, field)
      others.push(
        `CREATE TABLE "${table}" (source TEXT NOT NULL, target TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (source, target)) STRICT, WITHOUT ROWID`,
        `CREATE INDEX "${table}_target" ON "${table}" (target, source)`,
      )
      continue
    }
    columns.push(`"${column}" ${"type" in plan ? affinity[plan.type] : "TEXT"}`)
    if ("type" in plan && plan.type === "point") {
      columns.push(
        `"${bandColumn(column)}" INTEGER AS (CAST((json_extract("${column}", '$.latitude') + 90) * ${bandsPerDegree} AS INTEGER))`,
        `"${longitudeColumn(column)}" REAL AS (json_extract("${column}", '$.longitude'))`,
      )
      others.push(
        `CREATE INDEX "${name}_${field}" ON "${name}" (organisation, "${bandColumn(column)}", "${longitudeColumn(column)}")`,
      )
      continue
    }
    if (plan.indexed) {
      others.push(`CREATE INDEX "${name}_${field}" ON "${name}" (organisation, "${column}")`)
    }
  }
  return [`CREATE TABLE "${name}" (${columns.join(", ")}) STRICT`, ...others]
}

function insert(
  database: DatabaseSync,
  name: string,
  fields: Readonly<Record<string, FieldPlan>>,
  row: MemoryRow,
): void {
  const columns = ["id", "organisation"]
  const values = [row.id as string, (row.organisation as string) ?? organisation]
  for (const [field, plan] of Object.entries(fields)) {
    if (!("many" in plan)) {
      columns.push(`"${columnOf(field)}"`)
      values.push(stored(row[field]) as string)
    } else if (!plan.back) {
      const statement = database.prepare(`INSERT INTO "${joinTable(name, field)}" VALUES (?, ?, ?)`)
      const ids = (row[field] ?? []) as string[]
      ids.forEach((id, position) => void statement.run(row.id as string, id, position))
    }
  }
  const places = columns.map(() => "?").join(", ")
  database.prepare(`INSERT INTO "${name}" (${columns}) VALUES (${places})`).run(...values)
}

const stored = (value: unknown): unknown => {
  if (typeof value === "boolean") return value ? 1 : 0
  return typeof value === "object" && value !== null ? JSON.stringify(value) : (value ?? null)
}

export const scope = (_: Shape, alias: string): Sql =>
  sql`${raw(alias)}.organisation = ${organisation}`

export const tableRow = (alias: string): RowSource => ({
  stored: true,
  column: (name) => raw(`${alias}.${identifier(name).text}`),
})

/** Related records in memory: those of the organisation. */
export function worldOf({ rows, collections }: Laboratory): World {
  const own = (name: string) =>
    (rows[name] ?? []).filter((row) => (row.organisation ?? organisation) === organisation)
  const byId = new Map<string, Map<unknown, MemoryRow>>()
  for (const name of Object.keys(collections)) {
    byId.set(name, new Map(own(name).map((row) => [row.id, row])))
  }
  const one = (shape: Shape, id: string) => byId.get(shape.name)?.get(id) ?? null
  return {
    one,
    many(field, row) {
      const target = field.target()
      if ("backField" in field.through) {
        const { backField } = field.through
        return own(target.name).filter((related) => related[backField] === row.id)
      }
      throw new Error(`${field.name} should have been in the row`)
    },
  }
}

export interface Question {
  readonly collection: string
  readonly context?: Context
  /** Client mode, when given. */
  readonly access?: Access
  readonly oneRow?: boolean
}

export function understand(lab: Laboratory, text: string, question: Question): Checked {
  const { access } = question
  const options = access ? ({ mode: "client", access } as const) : ({ mode: "trusted" } as const)
  return checkExpression(parseExpression(text), lab.shape(question.collection), options)
}

/** The statement that finds the ids of the rows for which the expression holds. */
export function statementFor(lab: Laboratory, checked: Checked, question: Question): Sql {
  const { context = actor(), collection, oneRow = false } = question
  const condition = compileExpression(checked, { context, scope, source: tableRow("t"), oneRow })
  return sql`SELECT t.id FROM ${identifier(lab.shape(collection).table)} t WHERE t.organisation = ${organisation} AND ${condition} ORDER BY t.id`
}

export const run = (database: DatabaseSync, statement: Sql): Record<string, unknown>[] => {
  const { text, params } = spill(statement)
  return database.prepare(text).all(...params) as Record<string, unknown>[]
}

export const sqlIds = (lab: Laboratory, checked: Checked, question: Question): string[] =>
  run(lab.database, statementFor(lab, checked, question)).map((row) => row.id as string)

export function memoryIds(lab: Laboratory, checked: Checked, question: Question): string[] {
  const { context = actor(), collection } = question
  const world = worldOf(lab)
  return (lab.rows[collection] ?? [])
    .filter((row) => (row.organisation ?? organisation) === organisation)
    .filter((row) => evaluateExpression(checked, row, { context, world }))
    .map((row) => row.id as string)
    .sort()
}
