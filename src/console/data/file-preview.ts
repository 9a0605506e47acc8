/*
 * The first rows of a file, as far as they say what is in it: the server alone decides what a row is. No I/O.
 */

export interface FilePreview {
  readonly format: "csv" | "ndjson"
  /** Names of the columns, in the order of the file; of NDJSON, of the members that the first rows have. */
  readonly names: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** The sign that seems to part the columns, where it is not the comma that the server wants. */
  readonly separator: ";" | "\t" | null
}

const maxRows = 5

/** What `text`, the beginning of a file of that name, shows; `whole` when it is all of it. */
export function previewOf(name: string, text: string, whole: boolean): FilePreview {
  const start = text.replace(/^\ufeff/, "")
  return /\.(ndjson|jsonl)$/i.test(name) || /^\s*\{/.test(start)
    ? previewOfLines(start, whole)
    : previewOfCsv(start, whole)
}

function previewOfCsv(text: string, whole: boolean): FilePreview {
  const [names = [], ...rows] = csvRows(text, maxRows + 1, whole)
  const [only = ""] = names
  const separator =
    names.length > 1 ? null : only.includes(";") ? ";" : /\t/.test(only) ? "\t" : null
  return { format: "csv", names, rows, separator }
}

function previewOfLines(text: string, whole: boolean): FilePreview {
  const lines = text.split("\n")
  if (!whole) lines.pop()
  const objects = lines.slice(0, 50).flatMap((line): Record<string, unknown>[] => {
    try {
      const value: unknown = JSON.parse(line)
      return typeof value === "object" && value !== null && !Array.isArray(value)
        ? [value as Record<string, unknown>]
        : []
    } catch {
      return []
    }
  })
  const names = [...new Set(objects.flatMap((object) => Object.keys(object)))]
  const shown = (value: unknown): string =>
    value === undefined || value === null
      ? ""
      : typeof value === "string"
        ? value
        : JSON.stringify(value)
  const rows = objects.slice(0, maxRows).map((object) => names.map((name) => shown(object[name])))
  return { format: "ndjson", names, rows, separator: null }
}

/**
 * The first rows of a CSV text (RFC 4180): those that are complete, and the last where the text is `whole`. Whatever is no
 * CSV is taken as it stands.
 */
export function csvRows(text: string, most: number, whole: boolean): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let cell = ""
  let quoted = false
  const endRow = () => {
    row.push(cell)
    if (row.length > 1 || cell !== "") rows.push(row)
    row = []
    cell = ""
  }
  for (let at = 0; at < text.length && rows.length < most; at++) {
    const sign = text[at] as string
    if (quoted) {
      if (sign !== '"') cell += sign
      else if (text[at + 1] === '"') {
        cell += '"'
        at++
      } else quoted = false
    } else if (sign === '"' && cell === "") quoted = true
    else if (sign === ",") {
      row.push(cell)
      cell = ""
    } else if (sign === "\n" || sign === "\r") {
      if (sign === "\r" && text[at + 1] === "\n") at++
      endRow()
    } else cell += sign
  }
  if (whole && rows.length < most && (cell !== "" || row.length > 0)) endRow()
  return rows
}

/** For each column the field that is called like it, but for case and signs between words; none twice. */
export function guessFields(
  columns: readonly string[],
  fields: readonly string[],
): Record<string, string | null> {
  const plain = (name: string) => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "")
  const free = new Map(fields.map((name) => [plain(name), name]))
  const guesses: [string, string | null][] = columns.map((column) => {
    const name = free.get(plain(column)) ?? null
    if (name !== null) free.delete(plain(column))
    return [column, name]
  })
  return Object.fromEntries(guesses)
}
