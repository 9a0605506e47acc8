import type { DatabaseSync } from "node:sqlite"
import { quoted, tablesOf } from "./contents.ts"
import { count } from "./loss.ts"

/**
 * What to do about a migration that does not apply, from what SQLite says and from the data that it met; null when
 * SQLite's own words have to do.
 *
 * @param database the data that the migration met
 */
export function mendFor(database: DatabaseSync, message: string): string | null {
  if (/Cannot add a NOT NULL column with default value NULL/i.test(message)) {
    return "Records exist already, and the new column would be empty in them. Give it a DEFAULT; or make it optional, fill it, and require it in a later migration."
  }
  const [, table = "", columns = ""] =
    /(?:NOT NULL|UNIQUE) constraint failed: (?:index '[^']*'|([\w$]+)\.(.+?))(?::|$)/i.exec(
      message,
    ) ?? []
  if (/NOT NULL constraint failed/i.test(message)) return emptyValues(database, table, columns)
  if (/UNIQUE constraint failed/i.test(message)) {
    const fields = columns.split(/,\s*(?:[\w$]+\.)?/)
    return duplicates(database, table, fields)
  }
  const [, from, to, place = ""] =
    /cannot store (\w+) value in (\w+) column ([\w$]+\.[\w$]+)/i.exec(message) ?? []
  if (from) {
    return `Some values of ${place} are ${from} and do not fit into ${to}. Keep the column, add one of the new type beside it, and fill that where the value fits; or mend the values first.`
  }
  if (/FOREIGN KEY constraint failed|internal error/i.test(message)) {
    return `When the migration ends, rows point at rows that are not there. A table that others point at cannot be dropped and replaced by another that is renamed: D1 ignores PRAGMA foreign_keys = OFF, so what points at it stays broken. "npm run migrate:new <name> -- --rebuild <collection>" writes a rebuild that D1 can bear.`
  }
  if (/transaction|SAVEPOINT|state\.storage/i.test(message)) {
    return "A migration runs in a transaction of its own: take BEGIN, COMMIT and SAVEPOINT out."
  }
  return null
}

function emptyValues(database: DatabaseSync, table: string, column: string): string {
  const fill = `Fill them first, in the same migration (UPDATE ${quoted(table)} SET ${quoted(column)} = … WHERE ${quoted(column)} IS NULL), or give the column a DEFAULT.`
  const known = tablesOf(database).find(({ name }) => name === table)
  if (!known?.columns.some(({ name }) => name === column)) {
    return `Records exist already, and ${table}.${column} would be empty in them. ${fill}`
  }
  const { n } = database
    .prepare(`SELECT count(*) AS n FROM ${quoted(table)} WHERE ${quoted(column)} IS NULL`)
    .get() as { n: number }
  return `${count(n, "row")} of ${table} ${n === 1 ? "has" : "have"} no ${column}. ${fill}`
}

function duplicates(database: DatabaseSync, table: string, fields: readonly string[]): string {
  const list = fields.map(quoted).join(", ")
  const mend = `Merge or change them first, in a migration of its own or by hand; then make it unique.`
  const known = tablesOf(database).find(({ name }) => name === table)
  const names = new Set(known?.columns.map(({ name }) => name))
  if (!fields.every((field) => names.has(field))) {
    return `Rows of ${table} share ${fields.join(" and ")}. ${mend}`
  }
  const groups = `SELECT ${list}, count(*) AS n FROM ${quoted(table)} WHERE ${fields.map((field) => `${quoted(field)} IS NOT NULL`).join(" AND ")} GROUP BY ${list} HAVING count(*) > 1`
  const { n, rows } = database
    .prepare(`SELECT count(*) AS n, ifnull(sum(n), 0) AS rows FROM (${groups})`)
    .get() as { n: number; rows: number }
  const example = database.prepare(`${groups} ORDER BY n DESC LIMIT 1`).get()
  const shown = fields.map((field) => `${field} ${JSON.stringify(example?.[field])}`).join(", ")
  return `${count(rows, "row")} of ${table} share their ${fields.join(" and ")} with another (${count(n, "group")}, such as ${shown}). ${mend}`
}
