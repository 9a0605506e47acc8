import { DatabaseSync } from "node:sqlite"
import { schemaObjects } from "../../core/records/ddl.ts"
import type { LinkedCollections } from "../../core/records/link.ts"
import { systemFieldNames } from "../../core/records/shape.ts"
import { isSummaryTable } from "../../core/records/summaries.ts"
import { checkSqlViews } from "./sql-views.ts"
import { parseTable, type TableText } from "./table.ts"
import { normalForm, significant, unquote } from "./tokens.ts"

/**
 * What a database holds, read from the database itself: there is no snapshot file that could disagree with it.
 * What collections are made of is told from everything else by its form (`origin`, `managed`); the rest is left alone.
 */
export interface Schema {
  readonly tables: ReadonlyMap<string, Table>
  readonly parts: ReadonlyMap<string, Part>
}

export interface Table extends TableText {
  readonly name: string
  /** As `sqlite_master` keeps it, or as the definitions want it. */
  readonly sql: string
  /** `collection` and `join` are generated from collections, `other` is written by hand. */
  readonly origin: "collection" | "join" | "other"
  readonly foreignKeys: readonly { readonly table: string; readonly onDelete: string }[]
}

/** Something that hangs on a table and holds no data of its own: it can be dropped and made again. */
export interface Part {
  readonly kind: "index" | "trigger" | "search" | "summary"
  readonly name: string
  readonly table: string
  readonly sql: string
  /** In normal form, for comparison. */
  readonly text: string
  /** Generated from collections. */
  readonly managed: boolean
}

/** The schema that the collections want, made in a database in memory and read back like any other. */
export function desiredSchema(collections: LinkedCollections): Schema {
  const database = new DatabaseSync(":memory:")
  for (const object of schemaObjects(collections.values())) database.exec(object.sql)
  checkSqlViews(database, collections)
  const schema = readSchema(database)
  database.close()
  return schema
}

interface Master {
  type: string
  name: string
  tbl_name: string
  sql: string
}

export function readSchema(database: DatabaseSync, of = "main"): Schema {
  const rows = database
    .prepare(
      `SELECT type, name, tbl_name, sql FROM "${of}".sqlite_master
       WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
       AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow') ORDER BY rowid`,
    )
    .all() as unknown as Master[]
  const tables = new Map<string, Table>()
  const parts = new Map<string, Part>()
  for (const row of rows) {
    if (row.type === "table" && !isVirtual(row.sql) && !isSummaryTable(row.sql))
      tables.set(row.name, readTable(database, row, of))
    else if (row.type !== "view") parts.set(row.name, readPart(row))
  }
  return { tables, parts }
}

const isVirtual = (sql: string): boolean => significant(sql)[1] === "VIRTUAL"

function readTable(database: DatabaseSync, { name, sql }: Master, of: string): Table {
  const keys = database
    .prepare(`SELECT "table", on_delete AS onDelete FROM pragma_foreign_key_list(?, ?)`)
    .all(name, of) as unknown as Table["foreignKeys"]
  const parsed = parseTable(sql)
  return { name, sql, ...parsed, origin: originOf(sql, parsed), foreignKeys: keys }
}

/**
 * Generated tables quote every name; tables written by hand do not, or begin otherwise. `members`, whose migration is
 * written by hand, is left alone for that reason.
 */
function originOf(sql: string, { columns, rest }: TableText): Table["origin"] {
  const names = [...columns.keys()]
  const quoted = /^CREATE TABLE "\w+" \(\s*"(pk|source)"/.exec(sql)?.[1]
  if (quoted === "source" && names.join() === "source,target,position") return "join"
  const isCollection = systemFieldNames.every((field) => columns.has(field)) && rest === "STRICT"
  return quoted === "pk" && names[1] === "id" && isCollection ? "collection" : "other"
}

function readPart({ type, name, tbl_name, sql }: Master): Part {
  const text = normalForm(sql)
  if (type === "table" && isSummaryTable(sql)) {
    const table = name.slice(0, name.indexOf("_by_"))
    return { kind: "summary", name, table, sql, text, managed: true }
  }
  if (type === "table") {
    const content = /content='((?:[^']|'')*)'/.exec(sql)?.[1] ?? ""
    const managed = name === `${content}_search`
    return { kind: "search", name, table: content || name, sql, text, managed }
  }
  const kind = type === "index" ? "index" : "trigger"
  return { kind, name, table: tbl_name, sql, text, managed: isGenerated(kind, name, tbl_name, sql) }
}

/** Generated indexes and triggers are named for their table, in quotes. Others belong to whoever wrote them. */
function isGenerated(kind: Part["kind"], name: string, table: string, sql: string): boolean {
  const quoted = sql.includes(` "${name}" `) || sql.includes(`"${name}" `)
  if (kind === "index") return quoted && name.startsWith(`${table}_`)
  return quoted && /_(search|rollup_\w+|by_\w+)_(insert|update|delete)$/.test(name)
}

/**
 * Columns whose values triggers compute (rollups): they can be dropped and computed again. Known by the triggers that
 * assign them, because nothing in the table itself tells them apart.
 */
export function derivedColumns(schema: Schema, table: string): ReadonlySet<string> {
  const derived = new Set<string>()
  for (const part of schema.parts.values()) {
    if (part.kind !== "trigger" || !part.name.startsWith(`${table}_rollup_`)) continue
    for (const column of assignedColumns(part.sql)) derived.add(column)
  }
  const columns = schema.tables.get(table)?.columns.values() ?? []
  for (const column of columns) if (column.generated) derived.add(column.name)
  return derived
}

/** The columns that the UPDATEs of a trigger set: names before `=` that follow SET or a comma, outside of parentheses. */
function assignedColumns(trigger: string): string[] {
  const tokens = significant(trigger)
  let depth = 0
  return tokens.flatMap((token, index) => {
    if (token === "(") depth++
    if (token === ")") depth--
    const follows = tokens[index - 1] === "SET" || tokens[index - 1] === ","
    return depth === 0 && follows && tokens[index + 1] === "=" ? [unquote(token)] : []
  })
}
