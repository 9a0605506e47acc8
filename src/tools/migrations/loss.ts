import type { DatabaseSync } from "node:sqlite"
import { quoted, type StoredColumn, type StoredTable, sumOf, tablesOf } from "./contents.ts"
import type { Lineage } from "./lineage.ts"
import type { Said } from "./said.ts"
import { derivedColumns, readSchema } from "./schema.ts"

/** What a migration did to the data of a table. */
export interface Finding {
  /** `loss`: something is gone or different that nobody has said may go. `said`: it was. `note`: nothing is lost. */
  readonly kind: "loss" | "said" | "note"
  readonly table: string
  /** One sentence, with its mend where it is a loss. */
  readonly text: string
}

/** A table before and after, over the columns that both have. */
export interface Comparison {
  readonly table: string
  readonly rowsBefore: number
  readonly rowsAfter: number
  readonly checksumBefore: string
  readonly checksumAfter: string
  readonly findings: readonly Finding[]
}

interface Options {
  readonly lineage: Lineage
  readonly said: Said
  /** Lines of the change log after this one come from people who wrote meanwhile: what they touched is not compared. */
  readonly livingSince?: number
}

/**
 * Compares every table of the attached schema `before` with what has become of it in `main`. Counts and checksums decide;
 * only where they differ are rows and values laid side by side, by key.
 */
export function compareContents(database: DatabaseSync, options: Options): Comparison[] {
  const after = new Map(tablesOf(database).map((table) => [table.name.toLowerCase(), table]))
  return tablesOf(database, "before").map((table) => {
    const heir = after.get(options.lineage.table(table.name.toLowerCase()))
    return heir ? compareTable(database, table, heir, options) : goneTable(database, table, options)
  })
}

function goneTable(database: DatabaseSync, { name, columns }: StoredTable, { said }: Options) {
  const all = columns.map((column) => column.name)
  const { rows, checksum } = sumOf(database, name, all, "before")
  // A to-many field is a table of its own: it goes with its field, or with its collection.
  const [owner = ""] = name.split("_")
  const allowed =
    said.allows("drop-table", name) ||
    said.allows("drop-table", owner) ||
    said.allows("drop", name.replace("_", "."))
  const findings: Finding[] = []
  if (rows > 0 && allowed) {
    findings.push({
      kind: "said",
      table: name,
      text: `${name} goes, with its ${count(rows, "row")}.`,
    })
  } else if (rows > 0) {
    findings.push({
      kind: "loss",
      table: name,
      text: `The table ${name} would go, with its ${count(rows, "row")}. If it has another name now, write ALTER TABLE ${quoted(name)} RENAME TO …; if it may go, say so in the migration's header: -- --drop-table ${name}`,
    })
  }
  return {
    table: name,
    rowsBefore: rows,
    rowsAfter: 0,
    checksumBefore: checksum,
    checksumAfter: "",
    findings,
  }
}

interface Pair {
  readonly before: string
  readonly after: string
  readonly typeChanged: boolean
}

function compareTable(
  database: DatabaseSync,
  table: StoredTable,
  heir: StoredTable,
  options: Options,
): Comparison {
  const { lineage } = options
  // Rollups are kept by triggers: they follow from other rows, and may go and be computed anew.
  const derived = derivedColumns(readSchema(database), heir.name)
  const wasDerived = derivedColumns(readSchema(database, "before"), table.name)
  const columns = new Map(heir.columns.map((column) => [column.name.toLowerCase(), column]))
  const pairs: Pair[] = []
  const known = new Set<string>()
  const gone: StoredColumn[] = []
  for (const { name, type } of table.columns) {
    const into = columns.get(lineage.column(table.name.toLowerCase(), name.toLowerCase()))
    if (into) known.add(into.name)
    if (!into) gone.push(...(wasDerived.has(name) ? [] : [{ name, type }]))
    else if (!derived.has(into.name)) {
      const typeChanged = into.type.toUpperCase() !== type.toUpperCase()
      pairs.push({ before: name, after: into.name, typeChanged })
    }
  }
  const names = (side: "before" | "after") => pairs.map((pair) => pair[side])
  const before = sumOf(database, table.name, names("before"), "before")
  const after = sumOf(database, heir.name, names("after"))
  const same = before.rows === after.rows && before.checksum === after.checksum
  const added = heir.columns.filter(({ name }) => !known.has(name))
  return {
    table: table.name,
    rowsBefore: before.rows,
    rowsAfter: after.rows,
    checksumBefore: before.checksum,
    checksumAfter: after.checksum,
    findings: [
      ...goneColumns(database, table, gone, added, options),
      ...(same ? [] : differences(database, table, heir, pairs, options)),
    ],
  }
}

function goneColumns(
  database: DatabaseSync,
  { name: table }: StoredTable,
  gone: readonly StoredColumn[],
  added: readonly StoredColumn[],
  { said }: Options,
): Finding[] {
  return gone.flatMap(({ name: column, type }): Finding[] => {
    const held = number(
      database,
      `SELECT count(${quoted(column)}) AS n FROM before.${quoted(table)}`,
    )
    if (held === 0) return []
    const name = `${table}.${column}`
    const values = `${count(held, "row")} ${held === 1 ? "has" : "have"} a value in it`
    if (said.allows("drop", name)) {
      return [{ kind: "said", table, text: `${name} goes: ${values}.` }]
    }
    const drop = `say so in the migration's header: -- --drop ${name}`
    const heir = added.find((candidate) => candidate.type === type)
    const text = heir
      ? `${name} would go, and ${heir.name} is new: ${values}. If it was renamed, write ALTER TABLE ${quoted(table)} RENAME COLUMN ${quoted(column)} TO ${quoted(heir.name)} instead of dropping and adding; if it may go, ${drop}`
      : `${name} would go: ${values}. If it may, ${drop}`
    return [{ kind: "loss", table, text }]
  })
}

/** Rows and values side by side, exactly, in SQL. */
function differences(
  database: DatabaseSync,
  table: StoredTable,
  heir: StoredTable,
  pairs: readonly Pair[],
  options: Options,
): Finding[] {
  const { said, livingSince } = options
  const key = pairs.filter(({ before }) => table.key.includes(before))
  if (key.length === 0 || key.length < table.key.length) {
    return [
      {
        kind: said.allows("delete", table.name) ? "said" : "loss",
        table: table.name,
        text: `${table.name} is not the same as before, and its rows cannot be told apart: its primary key is gone.`,
      },
    ]
  }
  const on = key.map((pair) => `b.${quoted(pair.before)} IS a.${quoted(pair.after)}`).join(" AND ")
  const from = `before.${quoted(table.name)} b LEFT JOIN main.${quoted(heir.name)} a ON ${on}`
  const settled = untouched(database, table, livingSince)
  if (settled === null) {
    const text = `${table.name} is not the same as before: people may have written meanwhile.`
    return [{ kind: "note", table: table.name, text }]
  }
  const absent = `a.${quoted(key[0]?.after ?? "")} IS NULL`
  const missing = number(
    database,
    `SELECT count(*) AS n FROM ${from} WHERE ${absent} AND ${settled}`,
  )
  const findings: Finding[] = []
  if (missing > 0) findings.push(missingRows(table.name, missing, options))
  for (const pair of pairs) {
    const finding = changedValues(
      database,
      table,
      pair,
      `${from} WHERE NOT ${absent} AND ${settled}`,
      options,
    )
    if (finding) findings.push(finding)
  }
  return findings
}

/**
 * People may write while a deployment is migrated. The log names the records that they touched; tables that are not
 * logged cannot be told from what people did: null.
 */
function untouched(
  database: DatabaseSync,
  table: StoredTable,
  livingSince: number | undefined,
): string | null {
  if (livingSince === undefined) return "1"
  const collection =
    table.key.join() === "id" && table.columns.some(({ name }) => name === "version")
  if (
    !collection ||
    !database.prepare("SELECT 1 FROM main.sqlite_master WHERE name = 'changes'").get()
  ) {
    return null
  }
  return `b."id" NOT IN (SELECT record FROM main.changes WHERE subject = '${table.name}' AND seq > ${livingSince})`
}

function missingRows(table: string, missing: number, { said }: Options): Finding {
  if (said.allows("delete", table) || said.allows("drop", table.replace("_", "."))) {
    return { kind: "said", table, text: `${count(missing, "row")} of ${table} ${go(missing)}.` }
  }
  return {
    kind: "loss",
    table,
    text: `${count(missing, "row")} of ${table} would go. If that is meant, say so in the migration's header: -- --delete ${table}`,
  }
}

function changedValues(
  database: DatabaseSync,
  table: StoredTable,
  { before, after, typeChanged }: Pair,
  from: string,
  { said }: Options,
): Finding | null {
  const [was, is] = [`b.${quoted(before)}`, `a.${quoted(after)}`]
  // The same value in another type is no loss, if it can be turned back.
  const alike = typeChanged
    ? `(${was} IS ${is} OR CAST(${was} AS TEXT) IS CAST(${is} AS TEXT) OR (typeof(${was}) IN ('integer', 'real') AND ${was} = ${is}))`
    : `(${was} IS ${is} AND typeof(${was}) = typeof(${is}))`
  const differs = `${from} AND NOT ${alike}`
  const filled = number(database, `SELECT count(*) AS n FROM ${differs} AND ${was} IS NULL`)
  const changed = number(database, `SELECT count(*) AS n FROM ${differs} AND ${was} IS NOT NULL`)
  const name = `${table.name}.${before}`
  if (changed > 0) {
    if (said.allows("change", name)) {
      return {
        kind: "said",
        table: table.name,
        text: `${count(changed, "value")} of ${name} ${changed === 1 ? "changes" : "change"}.`,
      }
    }
    const example = database
      .prepare(
        `SELECT quote(${was}) AS was, quote(${is}) AS "is" FROM ${differs} AND ${was} IS NOT NULL LIMIT 1`,
      )
      .get() as { was: string; is: string }
    return {
      kind: "loss",
      table: table.name,
      text: `${count(changed, "value")} of ${name} would not be what ${changed === 1 ? "it was" : "they were"}: ${short(example.was)} becomes ${short(example.is)}. ${typeChanged ? `Keep ${before}, add a column of the new type beside it, and fill that where the value fits. ` : ""}If it is meant, say so in the migration's header: -- --change ${name}`,
    }
  }
  if (filled === 0) return null
  return {
    kind: "note",
    table: table.name,
    text: `${count(filled, "row")} had no ${name}, and ${filled === 1 ? "has" : "have"} one now.`,
  }
}

const short = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text)
const go = (n: number): string => (n === 1 ? "goes" : "go")

export const count = (n: number, noun: string): string =>
  `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`

const number = (database: DatabaseSync, query: string): number =>
  (database.prepare(query).get() as { n: number }).n
