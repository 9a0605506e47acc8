import { literal } from "../../platform/sql.ts"
import { bandColumn, longitudeColumn } from "../expression/geo.ts"
import { type Column, columnsOf, joinTableOf, searchColumnsOf, searchTableOf } from "./columns.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"
import { summaryObjects } from "./summaries.ts"

/**
 * What a set of collections looks like on disk, as statements: the one description from which migrations are
 * generated and test databases are made. Objects are compared by their text, so the text is canonical.
 */
export interface SchemaObject {
  readonly kind: "table" | "joinTable" | "index" | "trigger" | "search" | "summary"
  readonly name: string
  /** The table that it belongs to. */
  readonly table: string
  readonly sql: string
}

/** All objects, in an order in which they can be created. Built-in collections have hand-written migrations, views no table. */
export function schemaObjects(collections: Iterable<LinkedCollection>): SchemaObject[] {
  const own = [...collections].filter(
    ({ builtIn, definition }) => !builtIn && definition.options.sql === undefined,
  )
  return [
    ...own.map(tableObject),
    ...own.flatMap(joinTableObjects),
    ...own.flatMap(indexObjects),
    ...own.flatMap(searchObjects),
    ...own.flatMap(rollupTriggers),
    ...own.flatMap(summaryObjects),
  ]
}

const quote = (name: string) => `"${name}"`

export function columnSql(column: Column): string {
  const parts = [quote(column.name), column.type]
  if (column.primaryKey) parts.push("PRIMARY KEY")
  if (column.notNull) parts.push("NOT NULL")
  if (column.unique) parts.push("UNIQUE")
  if (column.default !== undefined) parts.push(`DEFAULT ${column.default}`)
  if (column.check) parts.push(`CHECK (${column.check})`)
  if (column.references) parts.push(`REFERENCES ${quote(column.references)} ("id")`)
  if (column.generated) parts.push(`GENERATED ALWAYS AS (${column.generated}) VIRTUAL`)
  return parts.join(" ")
}

export function tableObject(collection: LinkedCollection): SchemaObject {
  const columns = columnsOf(collection).map((column) => `  ${columnSql(column)}`)
  return {
    kind: "table",
    name: collection.name,
    table: collection.name,
    sql: `CREATE TABLE ${quote(collection.name)} (\n${columns.join(",\n")}\n) STRICT`,
  }
}

/** `position` keeps the order of the ids; the second index finds who points at a record. */
function joinTableObjects(collection: LinkedCollection): SchemaObject[] {
  return fieldsOf(collection, "relations").flatMap((field) => {
    const name = joinTableOf(collection.name, field.name)
    return [
      {
        kind: "joinTable",
        name,
        table: name,
        sql: `CREATE TABLE ${quote(name)} (
  "source" TEXT NOT NULL REFERENCES ${quote(collection.name)} ("id"),
  "target" TEXT NOT NULL REFERENCES ${quote(field.options.target as string)} ("id"),
  "position" INTEGER NOT NULL,
  PRIMARY KEY ("source", "target")
) STRICT, WITHOUT ROWID`,
      },
      {
        kind: "index",
        name: `${name}_target`,
        table: name,
        sql: `CREATE INDEX ${quote(`${name}_target`)} ON ${quote(name)} ("target", "source")`,
      },
    ]
  })
}

function indexObjects(collection: LinkedCollection): SchemaObject[] {
  const { name: table, definition, scoped } = collection
  const objects = new Map<string, SchemaObject>()
  const add = (columns: readonly string[], unique: boolean, pointer = false) => {
    const leadingColumns = scoped
      ? pointer
        ? [...columns, "organisation"]
        : ["organisation", ...columns]
      : columns
    // `id` breaks ties in every list, so it ends every index that serves one.
    const all = unique || columns.includes("id") ? leadingColumns : [...leadingColumns, "id"]
    const suffix = columns.map((column) => column.replace(/^-(.*)$/, "$1_desc")).join("_")
    const name = `${table}_${suffix}${unique ? "_unique" : ""}`
    const terms = all.map((column) =>
      column.startsWith("-") ? `${quote(column.slice(1))} DESC` : quote(column),
    )
    objects.set(name, {
      kind: "index",
      name,
      table,
      sql: `CREATE ${unique ? "UNIQUE " : ""}INDEX ${quote(name)} ON ${quote(table)} (${terms.join(", ")})`,
    })
  }
  if (scoped) add(["id"], false)
  for (const fields of collection.uniques) add(fields, true)
  const servedByUnique = new Set(collection.uniques.map((fields) => fields[0]))
  for (const field of fieldsOf(collection, "relation")) {
    // Whoever is deleted is looked for in the records of all organisations, by foreign keys as well; people are not deleted.
    const pointer = scoped && field.target?.name !== "members"
    if (pointer || turnedRound(collection, field) || !servedByUnique.has(field.name))
      add([field.name], false, pointer)
  }
  for (const { name } of fieldsOf(collection, "point")) {
    add([bandColumn(name), longitudeColumn(name)], false)
  }
  for (const entry of definition.options.indexes ?? []) {
    add(typeof entry === "string" ? [entry] : entry, false)
  }
  return [...objects.values()]
}

/** Whether the target looks back through the field: then its records are asked for by id, a few at a time. */
const turnedRound = ({ name }: LinkedCollection, { target, name: field }: LinkedField) =>
  [...(target?.fields.values() ?? [])].some(
    ({ kind, options }) =>
      kind === "backRelation" && options.target === name && options.backField === field,
  )

/**
 * FTS5 over the table's own rows (external content on `pk`), kept by triggers. The organisation is a column of the index,
 * so that every MATCH can demand it. Rollups update the row without touching the index.
 */
function searchObjects(collection: LinkedCollection): SchemaObject[] {
  if (collection.searchFields.length === 0) return []
  const { name: table } = collection
  const name = searchTableOf(table)
  const columns = searchColumnsOf(collection)
  const list = columns.map(quote).join(", ")
  const values = (row: string) => columns.map((column) => `${row}.${quote(column)}`).join(", ")
  const insert = `INSERT INTO ${quote(name)} (rowid, ${list}) VALUES (new.pk, ${values("new")});`
  const remove = `INSERT INTO ${quote(name)} (${quote(name)}, rowid, ${list}) VALUES ('delete', old.pk, ${values("old")});`
  const trigger = (event: string, timing: string, body: string): SchemaObject => ({
    kind: "trigger",
    name: `${name}_${event}`,
    table,
    sql: `CREATE TRIGGER ${quote(`${name}_${event}`)} ${timing} ON ${quote(table)} BEGIN\n  ${body}\nEND`,
  })
  return [
    {
      kind: "search",
      name,
      table,
      sql: `CREATE VIRTUAL TABLE ${quote(name)} USING fts5 (${list}, content=${literal(table)}, content_rowid='pk', tokenize='unicode61 remove_diacritics 2', prefix='2 3')`,
    },
    trigger("insert", "AFTER INSERT", insert),
    trigger("delete", "AFTER DELETE", remove),
    trigger("update", `AFTER UPDATE OF ${list}`, `${remove}\n  ${insert}`),
  ]
}

/**
 * Triggers on the child's table that keep the parent's rollups. Exact whatever moves: the old parent loses what the
 * new one gains, in the transaction of the write itself.
 */
function rollupTriggers(parent: LinkedCollection): SchemaObject[] {
  const groups = new Map<string, LinkedField[]>()
  for (const field of fieldsOf(parent, "rollup")) {
    const key = `${field.rollup?.child.name}_${field.rollup?.backField}`
    groups.set(key, [...(groups.get(key) ?? []), field])
  }
  return [...groups].flatMap(([key, rollups]) => {
    const first = rollups[0]?.rollup
    if (!first) return []
    const child = first.child.name
    const back = quote(first.backField)
    const change = (row: "old" | "new") =>
      `UPDATE ${quote(parent.name)} SET ${rollups.map((field) => rollupChange(field, row)).join(", ")} WHERE "id" = ${row}.${back};`
    const watched = [
      ...new Set([first.backField, ...rollups.flatMap(({ rollup }) => rollup?.valueField ?? [])]),
    ]
    const differs = watched.map((column) => `old.${quote(column)} IS NOT new.${quote(column)}`)
    const name = `${parent.name}_rollup_${key}`
    const trigger = (event: string, timing: string, body: string): SchemaObject => ({
      kind: "trigger",
      name: `${name}_${event}`,
      table: child,
      sql: `CREATE TRIGGER ${quote(`${name}_${event}`)} ${timing} BEGIN\n  ${body}\nEND`,
    })
    return [
      trigger("insert", `AFTER INSERT ON ${quote(child)}`, change("new")),
      trigger("delete", `AFTER DELETE ON ${quote(child)}`, change("old")),
      trigger(
        "update",
        `AFTER UPDATE OF ${watched.map(quote).join(", ")} ON ${quote(child)} WHEN ${differs.join(" OR ")}`,
        `${change("old")}\n  ${change("new")}`,
      ),
    ]
  })
}

/** Assignments that take one child row out of (`old`) or into (`new`) a rollup. */
function rollupChange(field: LinkedField, row: "old" | "new"): string {
  const { rollup, name } = field
  if (!rollup) return ""
  const sign = row === "old" ? "-" : "+"
  if (rollup.measure === "count") return `${quote(name)} = ${quote(name)} ${sign} 1`
  if (!rollup.exact)
    return `${quote(name)} = ${rollupQuery(field, `${row}.${quote(rollup.backField)}`)}`
  const value = `${row}.${quote(rollup.valueField as string)}`
  const sum = rollup.measure === "sum" ? name : `${name}_sum`
  const assignments = [`${quote(sum)} = ${quote(sum)} ${sign} ifnull(${value}, 0)`]
  if (rollup.measure === "avg") {
    const count = quote(`${name}_count`)
    assignments.push(`${count} = ${count} ${sign} (${value} IS NOT NULL)`)
  }
  return assignments.join(", ")
}

function rollupQuery({ rollup }: LinkedField, parentId: string): string {
  if (!rollup) return ""
  const value = rollup.valueField ? quote(rollup.valueField) : "*"
  const measure = { count: "count(*)", sum: `ifnull(sum(${value}), 0)`, avg: `avg(${value})` }
  return `(SELECT ${measure[rollup.measure]} FROM ${quote(rollup.child.name)} WHERE ${quote(rollup.backField)} = ${parentId})`
}

/** A statement that computes all rollups of a collection anew: after a migration adds one, or to check them. */
export function recomputeRollups(collection: LinkedCollection): string | null {
  const parent = `${quote(collection.name)}."id"`
  const assignments = fieldsOf(collection, "rollup").flatMap((field) => {
    const { rollup, name } = field
    if (!rollup) return []
    if (rollup.measure !== "avg" || !rollup.exact)
      return [`${quote(name)} = ${rollupQuery(field, parent)}`]
    const from = `FROM ${quote(rollup.child.name)} WHERE ${quote(rollup.backField)} = ${parent}`
    const value = quote(rollup.valueField as string)
    return [
      `${quote(`${name}_sum`)} = (SELECT ifnull(sum(${value}), 0) ${from})`,
      `${quote(`${name}_count`)} = (SELECT count(${value}) ${from})`,
    ]
  })
  return assignments.length
    ? `UPDATE ${quote(collection.name)} SET ${assignments.join(", ")}`
    : null
}

const fieldsOf = (collection: LinkedCollection, kind: LinkedField["kind"]): LinkedField[] =>
  [...collection.fields.values()].filter((field) => field.kind === kind)
