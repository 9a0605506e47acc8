import { searchTableOf } from "./columns.ts"
import type { LinkedCollection } from "./link.ts"
import { organisationOf, type View } from "./view.ts"

export { searchTableOf }

/**
 * The FTS5 query for what a person typed: all words, the last one as a prefix, in the fields that this actor may read
 * whatever the row. Null when nothing can match. The words are quoted, so that no character of FTS5's syntax gets through.
 *
 * The organisation is a term of every query, because term statistics are shared by all rows of an index.
 */
export function matchQuery(view: View, collection: LinkedCollection, typed: string): string | null {
  const words = typed.normalize("NFC").match(/[\p{L}\p{N}\p{M}]+/gu)
  const fields = collection.searchFields.filter((name) => {
    const field = collection.fields.get(name)
    return field && view.fieldRule(field) === true
  })
  if (!words || fields.length === 0) return null
  const terms = words.slice(0, maxWords).map((word, i) => {
    const last = i === Math.min(words.length, maxWords) - 1
    // A trailing space ends the last word: what is still being typed is a prefix.
    return `"${word}"${last && !/\s$/.test(typed) ? "*" : ""}`
  })
  const match = `{${fields.join(" ")}} : (${terms.join(" AND ")})`
  const organisation = organisationOf(view.actor)
  return collection.scoped && organisation !== null
    ? `organisation : "${organisation}" AND ${match}`
    : match
}

const maxWords = 32
