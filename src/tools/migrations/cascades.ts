import type { DatabaseSync } from "node:sqlite"
import { quoted, tablesOf } from "./contents.ts"
import { count } from "./loss.ts"
import { splitStatements } from "./split.ts"
import { significant, unquote } from "./tokens.ts"

/**
 * The rows that a migration puts at risk because its statements drop a table, or delete from one, to which others
 * point: with ON DELETE CASCADE they go, with SET NULL they lose what they point at. `PRAGMA foreign_keys = OFF` does
 * not hold this up on D1: it is ignored within a transaction.
 *
 * @param database as it is before the migration
 */
export function findCascades(database: DatabaseSync, sql: string): string[] {
  const emptied = new Set<string>()
  for (const statement of splitStatements(sql)) {
    const tokens = significant(statement)
    const [verb, second] = tokens
    if (verb === "DROP" && second === "TABLE") {
      emptied.add(name(tokens.slice(2).find((token) => token !== "IF" && token !== "EXISTS")))
    }
    if (verb === "DELETE") emptied.add(name(tokens[2]))
  }
  return [...emptied].flatMap((table) => hit(database, table, new Set([table])))
}

const name = (token: string | undefined): string => unquote(token ?? "").toLowerCase()

function hit(database: DatabaseSync, parent: string, seen: Set<string>): string[] {
  return tablesOf(database).flatMap((table) => {
    const keys = database
      .prepare(
        `SELECT "from", on_delete AS action FROM pragma_foreign_key_list(?) WHERE lower("table") = ?`,
      )
      .all(table.name, parent) as { from: string; action: string }[]
    return keys
      .filter(({ action }) => action === "CASCADE" || action.startsWith("SET "))
      .flatMap(({ from, action }) => {
        const { n } = database
          .prepare(`SELECT count(${quoted(from)}) AS n FROM ${quoted(table.name)}`)
          .get() as { n: number }
        const line = `${parent} is emptied on the way, and ${table.name}.${from} points at it ON DELETE ${action}: ${count(n, "row")} at risk.`
        const child = table.name.toLowerCase()
        if (action !== "CASCADE" || seen.has(child)) return [line]
        seen.add(child)
        return [line, ...hit(database, child, seen)]
      })
  })
}
