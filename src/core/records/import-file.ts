import { invalidInput, type Problem } from "../../platform/problem.ts"
import { type Refusal, refusalOf } from "./bulk-report.ts"
import { type Cell, CsvError, createCsvReader } from "./csv.ts"
import { valueOfCell } from "./csv-values.ts"
import type { LinkedCollection } from "./link.ts"
import { knows } from "./selection.ts"
import { systemFieldNames } from "./shape.ts"
import { isWritable } from "./validators.ts"
import type { View } from "./view.ts"

export type FileFormat = "csv" | "ndjson"

/** A row of a file by name of field, not yet validated. */
export interface FileRow {
  /** In the file, from 1; of a row with line ends in it, the first. */
  readonly line: number
  /** How long its text was. */
  readonly characters: number
  readonly values: Readonly<Record<string, unknown>>
  /** Fields whose cell is empty, of those that only some may read: an export has that for what it may not show, too. */
  readonly perhapsHidden?: readonly string[]
}

/** Names in the file by which fields go; null for what is to be passed over. */
export type ColumnNames = ReadonlyMap<string, string | null>

/** A collection has 50 fields, and seven of the server's: what has more is another's file. */
const maxCells = 200
/** As much as a record may have when it comes alone. */
const maxRowCharacters = 1_000_000

/**
 * The rows of a file and what is wrong with some, in order, as its text comes in.
 *
 * @throws {Problem} `invalid_input` for what is wrong with all of it, or with all that follows: no header, columns that are no
 * fields, quotes that do not match.
 */
export async function* rowsOfFile(
  view: View,
  collection: LinkedCollection,
  format: FileFormat,
  names: ColumnNames,
  text: AsyncIterable<string>,
): AsyncGenerator<(FileRow | Refusal)[]> {
  if (format === "ndjson") {
    yield* rowsOfLines(names, text)
    return
  }
  const reader = createCsvReader({ maxCells, maxRowCharacters })
  let columns: (Column | null)[] | null = null
  const take = (rows: ReturnType<typeof reader.push>): (FileRow | Refusal)[] => {
    const found: (FileRow | Refusal)[] = []
    for (const { line, cells } of rows) {
      if (columns === null) columns = columnsOf(view, collection, names, cells)
      // A line for nothing is a row only where there is but one column for it.
      else if (columns.length === 1 || cells.length > 1 || cells[0] !== null) {
        found.push(rowOf(columns, line, cells))
      }
    }
    return found
  }
  try {
    for await (const piece of text) yield take(reader.push(piece))
    yield take(reader.end())
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    throw wrong(error.code, `Line ${error.line}: ${error.message}`)
  }
  if (columns === null)
    throw wrong("header", "The file is empty: its first line names the columns.")
}

const wrong = (code: string, message: string): Problem =>
  invalidInput({ path: "body", code, message })

interface Column {
  readonly name: string
  readonly hides: boolean
  value(cell: Cell): unknown
}

/** Fields that the server writes are passed over, as in a PUT of what a GET answered; the id is kept. */
function columnsOf(
  view: View,
  collection: LinkedCollection,
  renamed: ColumnNames,
  header: readonly Cell[],
): (Column | null)[] {
  const seen = new Set<string>()
  return header.map((cell, at) => {
    const title = cell ?? ""
    const name = renamed.has(title) ? (renamed.get(title) as string | null) : title
    if (name === null) return null
    const field = collection.fields.get(name)
    const system = systemFieldNames.includes(name) || field?.kind === "rollup"
    if (!name) throw wrong("header", `Column ${at + 1} has no name.`)
    if (!system && !(field && isWritable(field) && knows(view, collection, name))) {
      const separated = header.length === 1 && /[;\t]/.test(title)
      throw wrong(
        "unknown_field",
        separated
          ? "The columns are separated by something else than commas."
          : `There is no field "${name}": name another in "columns", or null to pass the column over.`,
      )
    }
    if (seen.has(name)) throw wrong("duplicate", `Two columns are for "${name}".`)
    seen.add(name)
    if (name === "id") return { name, hides: false, value: (id) => id || undefined }
    if (!field || field.kind === "rollup") return null
    return { name, hides: field.readable !== null, value: (value) => valueOfCell(field, value) }
  })
}

function rowOf(
  columns: readonly (Column | null)[],
  line: number,
  cells: readonly Cell[],
): FileRow | Refusal {
  if (cells.length !== columns.length) {
    const message = `The row has ${cells.length} cells, and the header ${columns.length}.`
    return refusalOf(line, invalidInput({ path: "body", code: "columns", message }))
  }
  const values: Record<string, unknown> = {}
  const perhapsHidden: string[] = []
  let characters = 0
  for (let at = 0; at < columns.length; at++) {
    const column = columns[at]
    if (!column) continue
    const cell = cells[at] as Cell
    if (cell !== null) characters += cell.length
    if (column.hides && !cell) perhapsHidden.push(column.name)
    try {
      const value = column.value(cell)
      if (value !== undefined) values[column.name] = value
    } catch {
      const { name } = column
      const message = `${name}: is not JSON.`
      return refusalOf(line, invalidInput({ path: name, code: "json", message }))
    }
  }
  return { line, characters, values, ...(perhapsHidden.length > 0 && { perhapsHidden }) }
}

/** NDJSON: a line is an object, a line for nothing is nothing. */
async function* rowsOfLines(
  names: ColumnNames,
  text: AsyncIterable<string>,
): AsyncGenerator<(FileRow | Refusal)[]> {
  let rest = ""
  let line = 0
  const take = (lines: readonly string[]): (FileRow | Refusal)[] =>
    lines.flatMap((one) => {
      line++
      return one.trim() === "" ? [] : [lineOf(names, line, one)]
    })
  for await (const piece of text) {
    const lines = (rest + piece).split("\n")
    rest = lines.pop() as string
    if (rest.length > maxRowCharacters) {
      throw wrong(
        "too_big",
        `Line ${line + lines.length + 1}: A line has more than ${maxRowCharacters} characters.`,
      )
    }
    yield take(lines)
  }
  if (rest) yield take([rest])
  if (line === 0) throw wrong("empty", "The file is empty.")
}

function lineOf(names: ColumnNames, line: number, text: string): FileRow | Refusal {
  const refuse = (code: string, message: string) =>
    refusalOf(line, invalidInput({ path: "body", code, message }))
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    return refuse("json", `The line is not JSON: ${(error as Error).message}`)
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return refuse("invalid_type", "The line is not a JSON object.")
  }
  if (names.size === 0)
    return { line, characters: text.length, values: parsed as FileRow["values"] }
  const values: Record<string, unknown> = {}
  for (const [title, value] of Object.entries(parsed)) {
    const name = names.has(title) ? names.get(title) : title
    if (name === null || name === undefined) continue
    if (Object.hasOwn(values, name)) return refuse("duplicate", `Two members are for "${name}".`)
    values[name] = value
  }
  return { line, characters: text.length, values }
}
