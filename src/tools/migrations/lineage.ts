import type { Said } from "./said.ts"
import { splitStatements } from "./split.ts"
import { significant, unquote } from "./tokens.ts"

/** Under which names the tables and columns of before are found after. All names in lower case. No I/O. */
export interface Lineage {
  table(before: string): string
  column(table: string, before: string): string
}

interface Followed {
  /** What it was called before; null for a table that is new. */
  readonly origin: string | null
  /** Columns of before, by the name that they have now. */
  readonly columns: Map<string, string>
}

/** Follows the renames of some migrations, statement by statement, and what their authors say beside them. */
export function traceNames(migrations: readonly { readonly sql: string }[], said: Said): Lineage {
  const now = new Map<string, Followed>()
  const at = (name: string): Followed => {
    const known = now.get(name) ?? { origin: name, columns: new Map<string, string>() }
    now.set(name, known)
    return known
  }
  for (const { sql } of migrations) {
    for (const statement of splitStatements(sql)) follow(significant(statement), now, at)
  }
  const places = new Map([...now].flatMap(([name, { origin }]) => (origin ? [[origin, name]] : [])))
  const table = (before: string) => places.get(before) ?? said.tableRenames.get(before) ?? before
  return {
    table,
    column(of, before) {
      const names = [...(now.get(table(of))?.columns ?? [])]
      const renamed = names.find(([, origin]) => origin === before)?.[0]
      const told =
        said.columnRenames.get(`${of}.${before}`) ??
        said.columnRenames.get(`${table(of)}.${before}`)
      return renamed ?? told ?? before
    },
  }
}

const nameOf = (token: string | undefined): string => unquote(token ?? "").toLowerCase()

function follow(
  tokens: readonly string[],
  now: Map<string, Followed>,
  at: (name: string) => Followed,
): void {
  const [verb, kind] = tokens
  if (kind !== "TABLE") return
  const name = nameOf(tokens.slice(2).find((token) => !["IF", "NOT", "EXISTS"].includes(token)))
  if (verb === "CREATE" || verb === "DROP") {
    now.set(name, { origin: null, columns: new Map() })
    if (verb === "DROP") now.delete(name)
  }
  if (verb !== "ALTER" || tokens[3] !== "RENAME") return
  const table = at(name)
  if (tokens[4] === "TO") {
    now.delete(name)
    now.set(nameOf(tokens[5]), table)
    return
  }
  const [from, , to] = tokens.slice(tokens[4] === "COLUMN" ? 5 : 4)
  const origin = table.columns.get(nameOf(from)) ?? nameOf(from)
  table.columns.delete(nameOf(from))
  table.columns.set(nameOf(to), origin)
}
