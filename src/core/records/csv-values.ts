import { type Cell, defused, restored } from "./csv.ts"
import type { LinkedField } from "./link.ts"

/*
 * Values of fields as cells of CSV and back, so that what is exported is imported as what it was. Null is an empty cell;
 * to-many fields, points and `json` are JSON; only texts are defused, so numbers stay numbers. No I/O.
 */

type Kind = LinkedField["kind"]

/** A value of the API as a cell. */
export function cellOf(kind: Kind, value: unknown): Cell {
  if (value === null || value === undefined) return null
  if (kind === "json" || typeof value === "object") return JSON.stringify(value)
  return typeof value === "string" ? defused(value) : String(value)
}

const texts: ReadonlySet<Kind> = new Set(["text", "markdown", "email", "url", "choice"])

/**
 * A cell as a value of the API, not yet validated: what cannot be one is left as the text that it is. An empty cell is
 * null; where null cannot be, it is absent, so that defaults are filled in.
 *
 * @throws {SyntaxError} for what has to be JSON, and is not.
 */
export function valueOfCell({ kind, required }: LinkedField, cell: Cell): unknown {
  // Some programs put quotes round every cell: only a text can be empty.
  if (cell === null || (cell === "" && !texts.has(kind))) {
    if (kind === "relations") return []
    return required ? undefined : null
  }
  switch (kind) {
    case "integer":
    case "number":
      return /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(cell) ? Number(cell) : cell
    case "boolean":
      return booleans[cell.toLowerCase()] ?? cell
    case "json":
    case "point":
    case "relations":
      return JSON.parse(cell)
    default:
      return texts.has(kind) ? restored(cell) : cell
  }
}

/** Spreadsheets write them in capitals. */
const booleans: Readonly<Record<string, boolean>> = { true: true, false: false }
