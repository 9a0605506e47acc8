import { join, raw, type Sql, type SqlValue, sql } from "../../platform/sql.ts"

/**
 * SQL with the height of its expression tree, because D1 refuses trees above 100. Heights are at least
 * SQLite's own: a leaf counts 2 (a parameter may become `json_extract(…)` when there are too many).
 */
export interface Term extends Sql {
  readonly height: number
}

/** Template tag like `sql`: one operator, one function or one subquery around its highest operand. */
export function term(strings: TemplateStringsArray, ...values: (Term | Sql | SqlValue)[]): Term {
  const heights = values.map((value) => heightOf(value))
  return { ...sql(strings, ...values), height: Math.max(leafHeight, ...heights) + 1 }
}

const leafHeight = 2

const heightOf = (value: Term | Sql | SqlValue): number =>
  value !== null && typeof value === "object" && "height" in value ? value.height : leafHeight

/** A column or a parameter. */
export const leaf = (fragment: Sql): Term => ({ ...fragment, height: leafHeight })

export const parameter = (value: SqlValue): Term => leaf(sql`${value}`)

/** Terms side by side, as in a list. */
export const listed = (parts: readonly Term[]): Term => ({
  ...join(parts),
  height: Math.max(leafHeight, ...parts.map((part) => part.height)),
})

/** All of them, in a tree as low as can be. */
export const every = (parts: readonly Term[]): Term => lowest(parts, " AND ", "1")
/** Any of them, in a tree as low as can be. */
export const some = (parts: readonly Term[]): Term => lowest(parts, " OR ", "0")

/**
 * Joins the two lowest again and again. Halving the list (as `allOf` does) would add two levels for each
 * level of nesting, where one high part stands beside several low ones: this adds one.
 */
function lowest(parts: readonly Term[], operator: string, empty: string): Term {
  const queue = [...parts].sort((a, b) => a.height - b.height)
  while (queue.length > 1) {
    const [a, b] = queue.splice(0, 2) as [Term, Term]
    const pair = term`(${a}${raw(operator)}${b})`
    const place = queue.findIndex((other) => other.height > pair.height)
    queue.splice(place < 0 ? queue.length : place, 0, pair)
  }
  return queue[0] ?? leaf(raw(empty))
}
