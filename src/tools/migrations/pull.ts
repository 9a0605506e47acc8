import { mkdirSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { quoted } from "./contents.ts"
import { MigrationError } from "./files.ts"
import { significant } from "./tokens.ts"

/** Asks a D1 database in the account; answers the rows. */
export type Ask = (sql: string) => Promise<Record<string, unknown>[]>

/** A database that is too large to be read through the API for a rehearsal. */
export class TooManyRows extends MigrationError {}

interface Master {
  type: string
  name: string
  sql: string
}

/** Rows a page: an answer of the API has to fit into its memory. */
const pageRows = 1_000

/** Beyond this, reading every row through the API takes more than some minutes. */
export const pullableRows = 200_000

/**
 * Copies a D1 database of the account into a file: `wrangler d1 export` refuses those with full-text search. Values
 * travel as SQL literals, so integers and reals arrive as they are.
 *
 * @throws {MigrationError} when it has more rows than `most`.
 */
export async function pullDatabase(ask: Ask, file: string, most = pullableRows): Promise<void> {
  mkdirSync(dirname(file), { recursive: true })
  rmSync(file, { force: true })
  const { objects, virtual, tables } = await listObjects(ask)
  if (tables.length > 0) await assertPullable(ask, tables, most)
  const copy = new DatabaseSync(file)
  try {
    copy.exec("PRAGMA foreign_keys = OFF")
    copy.exec("BEGIN")
    for (const { sql } of tables) copy.exec(sql)
    for (const { name, sql } of tables) await pullTable(ask, copy, name, sql)
    for (const { name, sql } of virtual) {
      copy.exec(sql)
      if (/\bcontent='/.test(sql)) {
        copy.exec(`INSERT INTO ${quoted(name)} (${quoted(name)}) VALUES ('rebuild')`)
      }
    }
    for (const { sql } of objects.filter(({ type }) => type !== "table")) copy.exec(sql)
    copy.exec("COMMIT")
  } finally {
    copy.close()
  }
}

/** What a database of the account is made of. */
export async function listObjects(ask: Ask) {
  const objects = (await ask(
    `SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow') ORDER BY rowid`,
  )) as unknown as Master[]
  const virtual = objects.filter(({ sql }) => significant(sql)[1] === "VIRTUAL")
  const tables = objects.filter((object) => object.type === "table" && !virtual.includes(object))
  return { objects, virtual, tables }
}

/** The number of rows of each table, by its name in lower case. Asks one table at a time, as counting reads them whole. */
export async function countRows(
  ask: Ask,
  tables: readonly { readonly name: string }[],
): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const { name } of tables) {
    const [answer] = await ask(`SELECT count(*) AS n FROM ${quoted(name)}`)
    counts.set(name.toLowerCase(), Number(answer?.n ?? 0))
  }
  return counts
}

async function assertPullable(ask: Ask, tables: readonly Master[], most: number): Promise<void> {
  const counts = await countRows(ask, tables)
  const rows = [...counts.values()].reduce((sum, count) => sum + count, 0)
  if (rows <= most) return
  throw new TooManyRows(
    `The database has ${rows.toLocaleString("en")} rows, and a rehearsal reads them all: more than ${most.toLocaleString("en")} take many minutes. To do so, add --most ${rows * 2}; to apply without a rehearsal, add --unrehearsed.`,
  )
}

async function pullTable(ask: Ask, copy: DatabaseSync, name: string, sql: string): Promise<void> {
  const columns = (
    copy.prepare("SELECT name, hidden, pk FROM pragma_table_xinfo(?)").all(name) as {
      name: string
      hidden: number
      pk: number
    }[]
  ).filter(({ hidden }) => hidden === 0)
  const list = columns.map((column) => quoted(column.name))
  const literals = concatenated(list.map((column) => `quote(${column})`))
  const withoutRowid = /WITHOUT\s+ROWID/i.test(sql)
  const order = withoutRowid
    ? columns
        .filter(({ pk }) => pk > 0)
        .map((column) => quoted(column.name))
        .join(", ")
    : "rowid"
  for (let last = "-9223372036854775808", offset = 0; ; offset += pageRows) {
    const page = withoutRowid
      ? `SELECT ${literals} AS row FROM ${quoted(name)} ORDER BY ${order} LIMIT ${pageRows} OFFSET ${offset}`
      : `SELECT ${literals} AS row, CAST(rowid AS TEXT) AS place FROM ${quoted(name)} WHERE rowid > ${last} ORDER BY rowid LIMIT ${pageRows}`
    const rows = await ask(page)
    for (const { row } of rows) {
      copy.exec(`INSERT INTO ${quoted(name)} (${list.join(", ")}) VALUES (${row})`)
    }
    if (rows.length < pageRows) return
    last = String(rows.at(-1)?.place)
  }
}

/** A balanced tree, because SQLite's expressions end at a depth of 100. */
function concatenated(parts: readonly string[]): string {
  if (parts.length < 2) return parts[0] ?? "''"
  const middle = parts.length >> 1
  return `(${concatenated(parts.slice(0, middle))} || ',' || ${concatenated(parts.slice(middle))})`
}
