import { join, raw, type Sql, type SqlValue, sql } from "../../platform/sql.ts"

/**
 * SQL with its weight in SQLite's expression depth, of which D1 allows 100. A subquery weighs twice: in the
 * height of the tree around it, and again by itself, because SQLite adds the heights of all trees that
 * enclose a subquery while it resolves names (`sqlite3ResolveExprNames`). Never less than SQLite counts.
 */
export interface Term extends Sql {
  /** Of the tree. A leaf counts 2: a parameter may become `json_extract(…)` when there are too many. */
  readonly height: number
  /** The most that the subqueries inside add to it. */
  readonly nested: number
}

/** What SQLite holds against its limit when the term stands alone. */
export const depthOf = (part: Term): number => part.height + part.nested

type Part = Term | Sql | SqlValue

/** Template tag like `sql`: one operator, function or EXISTS around its highest operand. */
export function term(strings: TemplateStringsArray, ...parts: Part[]): Term {
  const { height, nested } = heaviest(parts.filter(isTerm))
  return { ...sql(strings, ...parts), height: height + 1, nested }
}

/** Template tag for `(SELECT …)`, each of whose terms is a tree of its own; to be placed inside of a `term`. */
export function subquery(strings: TemplateStringsArray, ...parts: Part[]): Term {
  const terms = parts.filter(isTerm)
  const nested = Math.max(leafHeight, ...terms.map(depthOf))
  return { ...sql(strings, ...parts), height: heaviest(terms).height, nested }
}

const leafHeight = 2

const isTerm = (part: Part): part is Term =>
  part !== null && typeof part === "object" && "height" in part

const heaviest = (terms: readonly Term[]): { height: number; nested: number } => ({
  height: Math.max(leafHeight, ...terms.map((part) => part.height)),
  nested: Math.max(0, ...terms.map((part) => part.nested)),
})

/** A column or a parameter. */
export const leaf = (fragment: Sql): Term => ({ ...fragment, height: leafHeight, nested: 0 })

export const parameter = (value: SqlValue): Term => leaf(sql`${value}`)

/** Terms side by side, as in a list. */
export const listed = (parts: readonly Term[]): Term => ({ ...join(parts), ...heaviest(parts) })

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
