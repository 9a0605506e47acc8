import { createHash } from "node:crypto"
import type { DatabaseSync } from "node:sqlite"
import { isSummaryTable } from "../../core/records/summaries.ts"

/** A table with rows of its own, as a database has it. */
export interface StoredTable {
  readonly name: string
  readonly columns: readonly StoredColumn[]
  /** What tells its rows apart whatever happens to the table: `id` where there is one, else the primary key. */
  readonly key: readonly string[]
}

export interface StoredColumn {
  readonly name: string
  readonly type: string
}

/** What migrations themselves write down is no data. */
const bookkeeping = ["d1_migrations", "hinterland_migrations"]

/** All tables that hold rows: no search indexes and summaries, which are made from them, and nothing of the platform's. */
export function tablesOf(database: DatabaseSync, schema = "main"): StoredTable[] {
  const names = database
    .prepare(
      `SELECT m.name, m.sql FROM "${schema}".sqlite_master m
       JOIN pragma_table_list l ON l.schema = '${schema}' AND l.name = m.name AND l.type = 'table'
       WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND m.name NOT LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY m.name`,
    )
    .all() as { name: string; sql: string }[]
  return names
    .filter(({ name, sql }) => !bookkeeping.includes(name) && !isSummaryTable(sql))
    .map(({ name }) => {
      const columns = database
        .prepare(`SELECT name, type, pk, hidden FROM pragma_table_xinfo(?, ?)`)
        .all(name, schema) as { name: string; type: string; pk: number; hidden: number }[]
      const primary = columns.filter(({ pk }) => pk > 0).map((column) => column.name)
      return {
        name,
        // Generated columns follow from the others.
        columns: columns.filter(({ hidden }) => hidden === 0),
        key: columns.some((column) => column.name === "id") ? ["id"] : primary,
      }
    })
}

export interface Sum {
  readonly rows: number
  /** Hexadecimal; the same for the same rows, in whatever order they lie. */
  readonly checksum: string
}

/**
 * Counts the rows of a table and adds up the SHA-256 of each, over the columns given. Values of different types differ,
 * and no text can be taken for two.
 */
export function sumOf(
  database: DatabaseSync,
  table: string,
  columns: readonly string[],
  schema = "main",
): Sum {
  const list = columns.map(quoted).join(", ") || "1"
  const statement = database.prepare(`SELECT ${list} FROM "${schema}".${quoted(table)}`)
  statement.setReadBigInts(true)
  statement.setReturnArrays(true)
  let rows = 0
  let sum = 0n
  for (const row of statement.iterate() as Iterable<unknown>) {
    rows++
    const hash = createHash("sha256")
    for (const value of row as readonly SqliteValue[]) hash.update(encoded(value))
    sum = (sum + hash.digest().readBigUInt64BE()) & 0xffff_ffff_ffff_ffffn
  }
  return { rows, checksum: sum.toString(16).padStart(16, "0") }
}

type SqliteValue = null | bigint | number | string | Uint8Array

function encoded(value: SqliteValue): string | Uint8Array {
  if (value === null) return "n;"
  if (typeof value === "string") return `s${value.length}:${value}`
  if (value instanceof Uint8Array) return `b${Buffer.from(value).toString("hex")};`
  return `${typeof value === "bigint" ? "i" : "r"}${value};`
}

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** Whether any table has a row: where none has, nothing can be lost. */
export const hasRows = (database: DatabaseSync): boolean =>
  tablesOf(database).some(
    ({ name }) => database.prepare(`SELECT 1 FROM ${quoted(name)} LIMIT 1`).get() !== undefined,
  )
