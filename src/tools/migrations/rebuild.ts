import type { Table } from "./schema.ts"
import type { TableColumn } from "./table.ts"

/**
 * A table made anew, as D1 can bear it. The usual way (new table, copy, drop, rename) fails there as soon as a row
 * points at the table: dropping it leaves broken foreign keys behind, which a rename does not heal, and D1 ignores
 * `PRAGMA foreign_keys = OFF`. Rows that are inserted into a table of the same name do heal them. So the rows are set
 * aside, the table is dropped and made again under its name, and the rows come back with the same `pk` and `id`.
 * Needs `PRAGMA defer_foreign_keys = ON` in the same transaction.
 */
export function rebuildStatements(from: Table, to: Table): string[] {
  const aside = `"${to.name}__aside"`
  const list = (columns: readonly TableColumn[]) =>
    columns.map(({ name }) => `"${name}"`).join(", ")
  const written = [...to.columns.values()].filter(({ generated }) => !generated)
  const kept = written.filter(({ name }) => from.columns.has(name))
  return [
    `CREATE TABLE ${aside} AS SELECT ${list(kept)} FROM "${from.name}"`,
    `DROP TABLE "${from.name}"`,
    to.sql,
    `INSERT INTO "${to.name}" (${list(written)}) SELECT ${written.map((column) => restored(column, from)).join(", ")} FROM ${aside}`,
    `DROP TABLE ${aside}`,
  ]
}

/** A required column takes its default where there was none; without a default, a gap undoes the migration. */
function restored({ name, notNull, default: fallback }: TableColumn, from: Table): string {
  const old = from.columns.get(name)
  if (!old) return fallback ?? "NULL"
  return notNull && !old.notNull && fallback !== null
    ? `ifnull("${name}", ${fallback})`
    : `"${name}"`
}
