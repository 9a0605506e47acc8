import { columnsOf } from "../../core/records/columns.ts"
import { columnSql } from "../../core/records/ddl.ts"
import type { LinkedCollections } from "../../core/records/link.ts"
import { literal } from "../../platform/sql.ts"
import type { Dialogue } from "./answers.ts"
import type { Difference, TableDifference } from "./compare.ts"
import { rebuildStatements } from "./rebuild.ts"
import { fieldOf, ownerOf } from "./renames.ts"
import { derivedColumns, type Schema, type Table } from "./schema.ts"
import type { TableColumn } from "./table.ts"

/** A change to tables that exist, ready to be written. */
export interface Alteration {
  readonly comment: string
  readonly statements: readonly string[]
  /** Needs foreign keys to be checked at the end only. */
  readonly deferred?: boolean
  /** The table that is made anew. */
  readonly rebuilds?: string
}

/**
 * How existing tables change, in an order that SQLite accepts: columns in, tables made anew, columns out, tables out.
 * What would lose data, or cannot work, becomes a refusal unless the developer has said so.
 */
export function planAlterations(
  present: Schema,
  difference: Difference,
  collections: LinkedCollections,
  dialogue: Dialogue,
): Alteration[] {
  const { refusals } = dialogue
  for (const name of difference.conflicts) {
    refusals.push(
      `The table "${name}" exists already, written by hand: name the collection differently.`,
    )
  }
  const added: Alteration[] = []
  const rebuilt: Alteration[] = []
  const dropped: Alteration[] = []
  const joins: Alteration[] = []
  for (const change of difference.changedTables) {
    if (change.desired.origin === "join") {
      joins.push(...replaceJoin(change, dialogue))
      continue
    }
    checkAdded(change, dialogue)
    const lost = checkDropped(change, present, dialogue)
    const reasons = rebuildReasons(change)
    if (reasons.length > 0) rebuilt.push(...rebuild(change, reasons, present, dialogue))
    else {
      added.push(...change.added.map((column) => addColumn(change, column, collections)))
      dropped.push(...lost.map((column) => dropColumn(change, column)))
    }
  }
  const checks = rebuilt.flatMap(({ rebuilds }) => checkReferences(rebuilds, difference))
  return [
    ...added,
    ...rebuilt,
    ...dropped,
    ...joins,
    ...dropTables(present, difference, dialogue),
    ...checks,
  ]
}

/** Without this, D1 would find the broken reference when the transaction ends, and say "internal error". */
function checkReferences(table: string | undefined, { changedTables }: Difference): Alteration[] {
  const change = changedTables.find(({ desired }) => desired.name === table)
  const columns = change ? [...change.changed.map(({ to }) => to), ...change.added] : []
  if (!columns.some(({ references }) => references)) return []
  return [
    {
      comment: `${table}: every relation leads to a record, or nothing of this migration happens`,
      statements: [
        `INSERT INTO refusals SELECT ${literal(`a row of ${table} (pk `)} || rowid || ') points at a row of ' || parent || ' that does not exist' FROM pragma_foreign_key_check(${literal(table ?? "")}) LIMIT 1`,
      ],
    },
  ]
}

function checkAdded({ desired, added }: TableDifference, { refusals }: Dialogue): void {
  for (const column of added) {
    if (!column.notNull || column.default !== null || column.generated) continue
    refusals.push(
      column.name === "organisation"
        ? `${desired.name} would belong to organisations, but its records have none. Make a new collection with that scope, copy the records in a job, then drop this one.`
        : `${desired.name}.${column.name} is required and has no constant default, but records may exist already. Give it a default; or make it optional, fill it, and require it in a later migration.`,
    )
  }
}

/** Answers the columns that may go, generated ones first: they read the others. */
function checkDropped(
  { present: table, dropped }: TableDifference,
  present: Schema,
  { told, refusals }: Dialogue,
): TableColumn[] {
  const derived = derivedColumns(present, table.name)
  for (const { name } of dropped) {
    if (derived.has(name) || told.allowed("drop", `${table.name}.${name}`)) continue
    refusals.push(
      `${table.name}.${name} is gone: dropping it deletes its values in every record (the change log keeps those it has seen). To do so, add --drop ${table.name}.${name}.`,
    )
  }
  return [...dropped].sort((a, b) => Number(b.generated) - Number(a.generated))
}

const rebuildReasons = ({ changed, added }: TableDifference): string[] => [
  ...changed.map(({ from, to }) => `${to.name} goes from ${from.signature} to ${to.signature}`),
  // ALTER TABLE adds a foreign key only where it starts as null.
  ...added
    .filter((column) => column.references && column.notNull && column.default !== null)
    .map(({ name }) => `${name} is a required relation`),
]

function rebuild(
  { present: from, desired: to }: TableDifference,
  reasons: readonly string[],
  present: Schema,
  { told, refusals }: Dialogue,
): Alteration[] {
  const { name } = to
  const danger = [...present.tables.values()].flatMap((table) =>
    table.foreignKeys
      .filter((key) => key.table === name && key.onDelete !== "NO ACTION")
      .map((key) => `${table.name} (ON DELETE ${key.onDelete})`),
  )
  if (danger.length > 0) {
    refusals.push(
      `${name} must be made anew (${reasons.join("; ")}), and that would set off the foreign keys of ${danger.join(", ")}: D1 cannot switch them off, so rows there would go. Take the ON DELETE out of those tables first, in a migration of your own.`,
    )
  } else if (!told.allowed("rebuild", name)) {
    refusals.push(
      `${name} must be made anew (${reasons.join("; ")}): every row is written twice and, if one does not fit, nothing happens at all. To do so, add --rebuild ${name}.`,
    )
  }
  const comment = `${name} is made anew: ${reasons.join("; ")}. Rows are set aside and put back under the same name, which is what keeps rows that point at them; one that does not fit undoes everything`
  return [{ comment, statements: rebuildStatements(from, to), deferred: true, rebuilds: name }]
}

function addColumn(
  { desired }: TableDifference,
  column: TableColumn,
  collections: LinkedCollections,
): Alteration {
  const collection = collections.get(desired.name)
  const definition = collection && columnsOf(collection).find(({ name }) => name === column.name)
  if (!definition) throw new Error(`no column ${desired.name}.${column.name} in the definitions`)
  // SQLite refuses a foreign key that starts with a value; new records get theirs from the write path.
  const { default: _, ...withoutDefault } = definition
  const text = columnSql(definition.references ? withoutDefault : definition)
  const start = definition.generated ? "computed" : (column.default ?? "null")
  return {
    comment: `${desired.name}: new ${column.name}; in records that exist: ${definition.references ? "null" : start}`,
    statements: [`ALTER TABLE "${desired.name}" ADD COLUMN ${text}`],
  }
}

const dropColumn = ({ desired }: TableDifference, { name }: TableColumn): Alteration => ({
  comment: `${desired.name}.${name} goes, with its values`,
  statements: [`ALTER TABLE "${desired.name}" DROP COLUMN "${name}"`],
})

/** A to-many field that leads elsewhere: the ids it holds mean nothing there. */
function replaceJoin(
  { present, desired }: TableDifference,
  { told, refusals }: Dialogue,
): Alteration[] {
  const field = `${ownerOf(present)}.${fieldOf(present)}`
  if (!told.allowed("drop", field)) {
    refusals.push(
      `${field} now leads to another collection: what it holds would be deleted. To do so, add --drop ${field}.`,
    )
  }
  return [
    {
      comment: `${field} leads to another collection, and starts empty`,
      statements: [`DROP TABLE "${present.name}"`, desired.sql],
    },
  ]
}

function dropTables(present: Schema, { goneTables }: Difference, dialogue: Dialogue): Alteration[] {
  const gone = new Set(goneTables.map(({ name }) => name))
  for (const table of goneTables) checkGone(table, gone, present, dialogue)
  return childrenFirst(goneTables).map((table) => ({
    comment:
      table.origin === "join"
        ? `${ownerOf(table)}.${fieldOf(table)} goes, with what it holds`
        : `${table.name} goes, with its records`,
    statements: [`DROP TABLE "${table.name}"`],
    deferred: table.origin === "collection",
  }))
}

function checkGone(
  table: Table,
  gone: ReadonlySet<string>,
  present: Schema,
  { told, refusals }: Dialogue,
): void {
  if (table.origin === "join") {
    const field = `${ownerOf(table)}.${fieldOf(table)}`
    if (gone.has(ownerOf(table)) || told.allowed("drop", field)) return
    refusals.push(
      `${field} is gone: dropping it deletes what it holds in every record (the change log keeps what it has seen). To do so, add --drop ${field}.`,
    )
    return
  }
  const held = [...present.tables.values()].filter(
    ({ origin, foreignKeys }) =>
      origin === "other" && foreignKeys.some((key) => key.table === table.name),
  )
  if (held.length > 0) {
    refusals.push(
      `${table.name} is gone, but ${held.map(({ name }) => name).join(", ")}, written by hand, still points at it: change that first, in a migration of your own.`,
    )
  } else if (!told.allowed("drop-table", table.name)) {
    refusals.push(
      `The collection ${table.name} is gone: dropping its table deletes its records (the change log keeps those it has seen). To do so, add --drop-table ${table.name}; to keep them, list it again in src/app/collections.ts.`,
    )
  }
}

/** Tables before those that they point at; in a circle the order does not matter, because foreign keys are deferred. */
function childrenFirst(tables: readonly Table[]): Table[] {
  const left = new Set(tables)
  const ordered: Table[] = []
  while (left.size > 0) {
    const free = [...left].find(({ name }) =>
      [...left].every(
        (other) => other.name === name || other.foreignKeys.every((key) => key.table !== name),
      ),
    )
    const next = free ?? ([...left][0] as Table)
    left.delete(next)
    ordered.push(next)
  }
  return ordered
}
