import { identifier, raw, type Sql, sql } from "../../platform/sql.ts"
import { searchColumnsOf, searchTableOf } from "./columns.ts"
import type { LinkedCollection } from "./link.ts"
import { searchable } from "./search.ts"
import type { View } from "./view.ts"

/*
 * Where the words of a search occur in a record, as parts of its text and not as HTML: whoever shows them has nothing to
 * escape twice, and nothing to trust.
 */

/** A piece of a field's text; `match` where it is a word that was looked for. */
export interface Part {
  readonly text: string
  readonly match?: true
}

/** What stands before and after a match on its way out of SQLite. */
export interface Marks {
  readonly open: string
  readonly close: string
}

/** Never guessed, so that no stored text can hold them. */
export const newMarks = (): Marks => ({
  open: `\u0001${crypto.randomUUID()}\u0001`,
  close: `\u0002${crypto.randomUUID()}\u0002`,
})

/** Words around the best place of a text. */
const snippetTokens = raw("24")

const columnName = (field: string): string => `~mark.${field}`

/** A column for each field that the actor may search, over the full-text index in the statement. */
export function markedFields(view: View, collection: LinkedCollection, marks: Marks): Sql[] {
  const table = identifier(searchTableOf(collection.name))
  const columns = searchColumnsOf(collection)
  return searchable(view, collection).map((field) => {
    const at = raw(String(columns.indexOf(field)))
    return sql`snippet(${table}, ${at}, ${marks.open}, ${marks.close}, '\u2026', ${snippetTokens}) AS ${identifier(columnName(field))}`
  })
}

/** The parts of each field in which something matched. */
export function highlightsOf(
  view: View,
  collection: LinkedCollection,
  marks: Marks,
  row: Readonly<Record<string, unknown>>,
): Record<string, readonly Part[]> {
  const found = searchable(view, collection).flatMap((field) => {
    const marked = row[columnName(field)]
    return typeof marked === "string" && marked.includes(marks.open)
      ? [[field, partsOf(marked, marks)] as const]
      : []
  })
  return Object.fromEntries(found)
}

/** `before <open>match<close> after` in parts. */
export function partsOf(marked: string, { open, close }: Marks): Part[] {
  const [before = "", ...rest] = marked.split(open)
  const parts: Part[] = [{ text: before }]
  for (const piece of rest) {
    const [match = "", after = ""] = piece.split(close)
    parts.push({ text: match, match: true }, { text: after })
  }
  return parts.filter(({ text }) => text !== "")
}
