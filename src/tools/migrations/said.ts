import { tokensOf } from "./tokens.ts"

/** What may go with a migration, because its author has said so: in its header, or on the command line. */
export interface Said {
  /** `drop` notes.body, `drop-table` notes, `delete` notes (some of its rows), `change` notes.body (its values). */
  allows(what: Loss, name: string): boolean
  /** `--rename notes.body=text`: where a rename does not show in the SQL, as in a table made anew. */
  readonly columnRenames: ReadonlyMap<string, string>
  /** `--rename-table notes=memos`. */
  readonly tableRenames: ReadonlyMap<string, string>
}

export type Loss = "drop" | "drop-table" | "delete" | "change"

const flag =
  /--(drop-table|drop|delete|change|rename-table|rename)[ =]+([\w$]+(?:\.[\w$]+)?)(?:=([\w$]+))?/g

/** Reads the flags in texts such as `-- --drop notes.body`. Names are told apart as SQLite does: without their case. */
export function readSaid(...texts: readonly string[]): Said {
  const allowed = new Set<string>()
  const columnRenames = new Map<string, string>()
  const tableRenames = new Map<string, string>()
  for (const [, word, name = "", to = ""] of texts.join("\n").matchAll(flag)) {
    const from = name.toLowerCase()
    if (word === "rename") columnRenames.set(from, to.toLowerCase())
    else if (word === "rename-table") tableRenames.set(from, to.toLowerCase())
    else allowed.add(`${word} ${from}`)
  }
  return {
    allows: (what, name) => allowed.has(`${what} ${name.toLowerCase()}`),
    columnRenames,
    tableRenames,
  }
}

/** The comments before the first statement: the only place where a migration says what may go. */
export function headerOf(sql: string): string {
  for (const token of tokensOf(sql)) if (token.kind !== "space") return sql.slice(0, token.start)
  return sql
}
