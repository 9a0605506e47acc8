import { derivedColumns, type Part, type Schema, type Table } from "./schema.ts"
import type { TableColumn } from "./table.ts"

/** What would have to change in `present` for the collections to have what they want. Renames show as dropped and added. */
export interface Difference {
  readonly newTables: readonly Table[]
  readonly goneTables: readonly Table[]
  readonly changedTables: readonly TableDifference[]
  /** Tables written by hand whose name a collection wants. */
  readonly conflicts: readonly string[]
  /** Indexes, triggers and searches to drop, and to make. A changed one is in both. */
  readonly stale: readonly Part[]
  readonly missing: readonly Part[]
}

export interface TableDifference {
  readonly present: Table
  readonly desired: Table
  readonly added: readonly TableColumn[]
  readonly dropped: readonly TableColumn[]
  readonly changed: readonly { readonly from: TableColumn; readonly to: TableColumn }[]
  /** Constraints over several columns, or options of the table. */
  readonly restDiffers: boolean
}

export function compareSchemas(present: Schema, desired: Schema): Difference {
  const conflicts: string[] = []
  const newTables: Table[] = []
  const changedTables: TableDifference[] = []
  for (const table of desired.tables.values()) {
    const old = present.tables.get(table.name)
    if (!old) newTables.push(table)
    else if (old.origin !== table.origin) conflicts.push(table.name)
    else {
      const difference = compareTables(old, table, derivedColumns(desired, table.name))
      if (difference) changedTables.push(difference)
    }
  }
  const goneTables = [...present.tables.values()].filter(
    ({ name, origin }) => origin !== "other" && !desired.tables.has(name),
  )
  const stale = [...present.parts.values()].filter(
    (part) => part.managed && desired.parts.get(part.name)?.text !== part.text,
  )
  const missing = [...desired.parts.values()].filter(
    (part) => present.parts.get(part.name)?.text !== part.text,
  )
  return { newTables, goneTables, changedTables, conflicts, stale, missing }
}

export const isEmpty = (difference: Difference): boolean =>
  Object.values(difference).every((list: readonly unknown[]) => list.length === 0)

/** The order of columns is no difference: ALTER TABLE can only append, and everything names its columns. */
function compareTables(
  present: Table,
  desired: Table,
  derived: ReadonlySet<string>,
): TableDifference | null {
  const added = [...desired.columns.values()].filter(({ name }) => !present.columns.has(name))
  const dropped = [...present.columns.values()].filter(({ name }) => !desired.columns.has(name))
  const changed = [...present.columns.values()].flatMap((from) => {
    const to = desired.columns.get(from.name)
    return to && !storeAlike(from, to, derived.has(to.name)) ? [{ from, to }] : []
  })
  const restDiffers = present.rest !== desired.rest
  const same = added.length + dropped.length + changed.length === 0 && !restDiffers
  return same ? null : { present, desired, added, dropped, changed, restDiffers }
}

/**
 * A default is no difference, because the write path fills it in itself: the table's own only lets new columns meet
 * existing rows. Rollups are the exception: they start from it.
 */
const storeAlike = (from: TableColumn, to: TableColumn, isDerived: boolean): boolean =>
  from.signature === to.signature && (!isDerived || from.default === to.default)
