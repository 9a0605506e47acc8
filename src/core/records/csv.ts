/*
 * CSV as RFC 4180 has it, strictly: commas, quotes doubled within quotes, lines that end with CRLF (or LF, or CR). What a
 * spreadsheet would take for a formula is defused on the way out, and restored on the way in. Pure: no clock, no I/O.
 * @see https://www.rfc-editor.org/rfc/rfc4180
 */

/** Null where nothing stands between the commas, `""` where empty quotes do: so null and an empty text stay two things. */
export type Cell = string | null

export interface CsvRow {
  /** Where it starts: the first line is 1, and lines within quotes count. */
  readonly line: number
  readonly cells: readonly Cell[]
}

/** Why a text is no CSV. What comes after cannot be told apart any more. */
export class CsvError extends Error {
  readonly line: number
  readonly code: string

  constructor(line: number, code: string, message: string) {
    super(message)
    this.line = line
    this.code = code
  }
}

/** One row, with the end of its line. */
export const csvLine = (cells: readonly Cell[]): string => `${cells.map(quoted).join(",")}\r\n`

const quoted = (cell: Cell): string => {
  if (cell === null) return ""
  return cell === "" || /[",\r\n]/.test(cell) || /^\s|\s$/.test(cell)
    ? `"${cell.replaceAll('"', '""')}"`
    : cell
}

/** What spreadsheets run when a cell starts with it, some after a `'` that they take away. */
const formula = /^'*[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/

/** A text that no spreadsheet takes for a formula: those that could be one get a `'` in front. */
export const defused = (text: string): string => (formula.test(text) ? `'${text}` : text)

/** The text that was defused. One that never was comes out as it is, unless it starts with `'` and then a formula. */
export const restored = (text: string): string =>
  text.startsWith("'") && formula.test(text) ? text.slice(1) : text

export interface CsvReader {
  /** The rows that are complete by now. @throws {CsvError} */
  push(text: string): CsvRow[]
  /** The last row, whether its line ends or not. @throws {CsvError} also for a quote that nothing closes. */
  end(): CsvRow[]
}

interface CsvLimits {
  readonly maxCells: number
  readonly maxRowCharacters: number
}

const [comma, quote, lineFeed, carriageReturn] = [44, 34, 10, 13]

/** Reads text that comes in pieces. Holds no more than one row that is not complete. */
export function createCsvReader({ maxCells, maxRowCharacters }: CsvLimits): CsvReader {
  let text = ""
  let line = 1
  const read = (last: boolean): CsvRow[] => {
    const rows: CsvRow[] = []
    let at = 0
    while (at < text.length) {
      const row = readRow(text, at, last, line, maxCells)
      if (row === null) break
      rows.push({ line, cells: row.cells })
      line += row.lines
      at = row.next
    }
    text = text.slice(at)
    if (text.length > maxRowCharacters) {
      const message = `A row has more than ${maxRowCharacters} characters: is a quote missing?`
      throw new CsvError(line, "too_big", message)
    }
    return rows
  }
  return {
    push(more) {
      text += more
      return read(false)
    },
    end: () => read(true),
  }
}

interface ReadRow {
  readonly cells: Cell[]
  readonly next: number
  readonly lines: number
}

/** The row at a place of the text; null when more text could belong to it. */
function readRow(
  text: string,
  from: number,
  last: boolean,
  line: number,
  maxCells: number,
): ReadRow | null {
  const cells: Cell[] = []
  let at = from
  let lines = 1
  for (;;) {
    if (text.charCodeAt(at) === quote) {
      const end = closingQuote(text, at + 1, last)
      if (end === null) {
        if (!last) return null
        throw new CsvError(line, "quote", "A quote is opened and never closed.")
      }
      const inner = text.slice(at + 1, end)
      lines += inner.match(/\r\n|\r|\n/g)?.length ?? 0
      cells.push(inner.replaceAll('""', '"'))
      at = end + 1
    } else {
      const end = endOfPlain(text, at, line)
      cells.push(end === at ? null : text.slice(at, end))
      at = end
    }
    if (cells.length > maxCells) {
      throw new CsvError(line, "too_many", `A row has more than ${maxCells} cells.`)
    }
    if (at >= text.length) return last ? { cells, next: at, lines } : null
    const code = text.charCodeAt(at)
    if (code === comma) {
      at++
      if (at === text.length && !last) return null
    } else if (code === lineFeed) return { cells, next: at + 1, lines }
    else if (code === carriageReturn) {
      if (at + 1 === text.length && !last) return null
      return { cells, next: at + (text.charCodeAt(at + 1) === lineFeed ? 2 : 1), lines }
    } else throw new CsvError(line, "quote", "Text follows a closing quote.")
  }
}

/** Where the quote that closes stands; null when it has not come, or when the next character must tell. */
function closingQuote(text: string, from: number, last: boolean): number | null {
  for (let at = from; ; at += 2) {
    at = text.indexOf('"', at)
    if (at < 0 || (at + 1 === text.length && !last)) return null
    if (text.charCodeAt(at + 1) !== quote) return at
  }
}

function endOfPlain(text: string, from: number, line: number): number {
  let at = from
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === comma || code === lineFeed || code === carriageReturn) break
    if (code === quote) {
      throw new CsvError(line, "quote", "A quote stands in a cell that does not begin with one.")
    }
  }
  return at
}
