import type { Dialogue } from "./answers.ts"
import { compareSchemas } from "./compare.ts"
import { derivedColumns, type Schema, type Table } from "./schema.ts"

/** A table, or a field of one, that goes by another name now. */
export interface Rename {
  readonly from: string
  readonly to: string
}
export interface ColumnRename extends Rename {
  readonly table: string
}

/** A table that is gone and one that is new may be the same. Only the developer knows. */
export async function findTableRenames(
  present: Schema,
  desired: Schema,
  dialogue: Dialogue,
): Promise<Rename[]> {
  const { goneTables, newTables } = compareSchemas(present, desired)
  const ofCollections = (tables: readonly Table[]) =>
    tables.filter(({ origin }) => origin === "collection")
  const renames: Rename[] = []
  for (const gone of ofCollections(goneTables)) {
    const candidates = ofCollections(newTables)
      .filter(({ name }) => !renames.some(({ to }) => to === name))
      .sort((a, b) => sharedColumns(gone, b) - sharedColumns(gone, a))
      .map(({ name }) => name)
    const to = await choose({
      from: gone.name,
      candidates,
      flag: "rename-table",
      dropFlag: "drop-table",
      label: (name) => name,
      what: "collection",
      dialogue,
    })
    if (to) renames.push({ from: gone.name, to })
  }
  return renames
}

const sharedColumns = (a: Table, b: Table): number =>
  [...a.columns.keys()].filter((column) => b.columns.has(column)).length

/** Columns that are gone and columns that are new and hold the same (type, and where a relation leads), within one table. */
export async function findColumnRenames(
  present: Schema,
  desired: Schema,
  dialogue: Dialogue,
): Promise<ColumnRename[]> {
  const renames: ColumnRename[] = []
  for (const { present: table, added, dropped } of compareSchemas(present, desired).changedTables) {
    if (table.origin !== "collection") continue
    const oldDerived = derivedColumns(present, table.name)
    const newDerived = derivedColumns(desired, table.name)
    for (const column of dropped) {
      if (oldDerived.has(column.name)) continue
      const candidates = added
        .filter(({ name }) => !newDerived.has(name))
        .filter(({ type, references }) => type === column.type && references === column.references)
        .map(({ name }) => name)
        .filter((name) => !renames.some(({ table: t, to }) => t === table.name && to === name))
      const to = await chooseField(table.name, column.name, candidates, dialogue)
      if (to) renames.push({ table: table.name, from: column.name, to })
    }
  }
  return renames
}

/** To-many fields are tables of their own: a renamed field is a join table of the same two collections. */
export async function findJoinRenames(
  present: Schema,
  desired: Schema,
  dialogue: Dialogue,
): Promise<Rename[]> {
  const { goneTables, newTables } = compareSchemas(present, desired)
  const renames: Rename[] = []
  for (const gone of goneTables) {
    const owner = ownerOf(gone)
    if (gone.origin !== "join" || !desired.tables.has(owner)) continue
    const candidates = newTables
      .filter((table) => table.origin === "join" && endsOf(table) === endsOf(gone))
      .filter(({ name }) => !renames.some(({ to }) => to === name))
      .map(fieldOf)
    const to = await chooseField(owner, fieldOf(gone), candidates, dialogue)
    if (to) renames.push({ from: gone.name, to: `${owner}_${to}` })
  }
  return renames
}

/** The collection whose to-many field a join table holds, and the field's name. */
export const ownerOf = (join: Table): string => join.columns.get("source")?.references ?? ""
export const fieldOf = (join: Table): string => join.name.slice(ownerOf(join).length + 1)
const endsOf = (join: Table): string => `${ownerOf(join)} ${join.columns.get("target")?.references}`

const chooseField = (
  table: string,
  from: string,
  candidates: readonly string[],
  dialogue: Dialogue,
) =>
  choose({
    from: `${table}.${from}`,
    candidates,
    flag: "rename",
    dropFlag: "drop",
    label: (name) => `${table}.${name}`,
    what: "field",
    dialogue,
  })

interface Choice {
  from: string
  candidates: readonly string[]
  flag: "rename" | "rename-table"
  dropFlag: "drop" | "drop-table"
  label: (name: string) => string
  what: "field" | "collection"
  dialogue: Dialogue
}

async function choose(choice: Choice): Promise<string | null> {
  const { from, candidates, flag, dropFlag, label, what, dialogue } = choice
  const { told, ask, refusals } = dialogue
  const answer = told.renamed(flag, from)
  if (answer !== undefined) {
    if (candidates.includes(answer)) return answer
    const fit = candidates.length ? `: ${candidates.join(", ")} would fit` : ""
    refusals.push(
      `--${flag} ${from}=${answer}: ${answer} is no new ${what} of the same kind${fit}.`,
    )
    return null
  }
  // A change of case alone cannot be a drop: SQLite takes both for the same column.
  const bare = from.split(".").at(-1)?.toLowerCase()
  const recased = candidates.find((name) => name.toLowerCase() === bare)
  if (recased) return recased
  if (candidates.length === 0 || told.allowed(dropFlag, from)) return null
  if (!ask) {
    const renames = candidates.map((name) => `--${flag} ${from}=${name}`).join(" or ")
    refusals.push(
      `${from} is gone, and ${candidates.map(label).join(", ")} ${candidates.length > 1 ? "are" : "is"} new. Was it renamed? Then add ${renames}. Otherwise add --${dropFlag} ${from}, which deletes what it holds.`,
    )
    return null
  }
  for (const name of candidates) {
    if (await ask(`Is ${from} now called ${label(name)}? Its data stays.`)) return name
  }
  return null
}
