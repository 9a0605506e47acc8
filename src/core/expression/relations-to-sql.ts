import { identifier, raw, type Sql } from "../../platform/sql.ts"
import type { Checked, ManyPath, Operand, Path, Step } from "./checked.ts"
import type { Compiler } from "./compiler.ts"
import { every, leaf, subquery, type Term, term } from "./terms.ts"
import type { RowSource, Shape } from "./types.ts"

/** The joined tables of a chain of relations, ready to stand in a subquery. */
interface Chain {
  readonly tables: readonly Sql[]
  /** What the rows must satisfy, the link to the outer row excepted. */
  readonly conditions: readonly Term[]
  /** What ties the first table to the outer row; null when a condition already does. */
  readonly link: Link | null
  /** The row at the end. */
  readonly end: RowSource
}

/** Two columns that must be equal: one of the outer row, one of the chain's first table. */
interface Link {
  readonly outer: Term
  readonly inner: Term
}

/** A column that reads as null where the rule of its field fails. */
export function guardedColumn(
  compiler: Compiler,
  row: RowSource,
  column: string,
  rule: Checked | true,
): Term {
  const bare = leaf(row.column(column))
  return rule === true ? bare : term`CASE WHEN ${compiler.condition(rule, row)} THEN ${bare} END`
}

/** The value at the end of a path: a column, or a subquery of one value. */
export function pathValue(compiler: Compiler, path: Path, row: RowSource): Term {
  const root = compiler.rootOf(path, row)
  if (path.steps.length === 0)
    return guardedColumn(compiler, root, path.field.column, path.fieldRule)
  const chain = follow(compiler, path.steps, root)
  const value = guardedColumn(compiler, chain.end, path.field.column, path.fieldRule)
  const where = every([...linkConditions(chain), ...chain.conditions])
  return term`${subquery`(SELECT ${value} FROM ${tablesOf(chain)} WHERE ${where})`}`
}

/**
 * A condition on the value at the end of a path that is true for no null: `col IN (SELECT id …)`, so
 * that an index of the target can drive it. Null where a plain subquery serves better.
 */
export function pathCondition(
  compiler: Compiler,
  operand: Operand,
  row: RowSource,
  test: (value: Term) => Term,
): Term | null {
  if (operand.kind !== "path" || operand.steps.length === 0) return null
  if (!operand.field.indexed || compiler.oneRow) return null
  const chain = follow(compiler, operand.steps, compiler.rootOf(operand, row))
  const value = guardedColumn(compiler, chain.end, operand.field.column, operand.fieldRule)
  return chain.link && memberOf(chain, chain.link, [...chain.conditions, test(value)])
}

/** Whether one of the many satisfies the condition. */
export function manyExists(
  compiler: Compiler,
  many: ManyPath,
  row: RowSource,
  member: Operand | null,
  condition: Checked,
  negated: boolean,
): Term {
  const { chain, guards } = reachMany(compiler, many, row)
  const conditions = [...chain.conditions]
  if (member) {
    conditions.push(term`${chain.end.column("id")} = ${compiler.operand(member, row)}`)
  }
  if (condition.kind !== "constant") conditions.push(compiler.condition(condition, chain.end))
  if (!negated && !compiler.oneRow && chain.link && isSelective(member, condition)) {
    return every([...guards, memberOf(chain, chain.link, conditions)])
  }
  const where = every([...guards, ...linkConditions(chain), ...conditions])
  const exists = term`EXISTS ${subquery`(SELECT 1 FROM ${tablesOf(chain)} WHERE ${where})`}`
  return negated ? term`NOT ${exists}` : exists
}

/** How many there are that satisfy the condition. */
export function manyCount(
  compiler: Compiler,
  many: ManyPath,
  row: RowSource,
  condition: Checked,
): Term {
  const { chain, guards } = reachMany(compiler, many, row)
  const conditions = [...guards, ...linkConditions(chain), ...chain.conditions]
  if (condition.kind !== "constant") conditions.push(compiler.condition(condition, chain.end))
  const where = every(conditions)
  return term`${subquery`(SELECT count(*) FROM ${tablesOf(chain)} WHERE ${where})`}`
}

/** The ids of a relation to many in their order, as a JSON array; for comparing before with after. */
export function orderedIds(field: ManyPath["field"], row: RowSource): Term {
  const held = row.ids?.(field.name) ?? null
  if (held) return term`coalesce(json(${held}), '[]')`
  const { through } = field
  if (!("joinTable" in through)) throw new Error(`${field.name} is kept by other records`)
  return term`${subquery`(SELECT json_group_array("target") FROM (SELECT "target" FROM ${identifier(through.joinTable)} WHERE "source" = ${row.column("id")} ORDER BY "position"))`}`
}

const tablesOf = (chain: Chain): Sql => {
  const tables = chain.tables.map((table) => table.text).join(", ")
  return { text: tables, params: chain.tables.flatMap((table) => table.params) }
}

const linkConditions = ({ link }: Chain): Term[] =>
  link ? [term`${link.inner} = ${link.outer}`] : []

const memberOf = (chain: Chain, { outer, inner }: Link, conditions: readonly Term[]): Term =>
  term`${outer} IN ${subquery`(SELECT ${inner} FROM ${tablesOf(chain)} WHERE ${every(conditions)})`}`

const rowAt = (alias: string): RowSource => ({
  stored: true,
  column: (name) => raw(`${alias}.${identifier(name).text}`),
})

/** One more table under an alias of its own, with what the scope and the read rule demand of its rows. */
function open(
  compiler: Compiler,
  shape: Shape,
  readRule: Checked | boolean,
): { table: Sql; row: RowSource; conditions: Term[] } {
  const alias = compiler.newAlias()
  const row = rowAt(alias)
  const conditions: Term[] = []
  const scope = compiler.scope(shape, alias)
  if (scope) conditions.push(term`(${scope})`)
  if (readRule === false) conditions.push(leaf(raw("0")))
  else if (readRule !== true) conditions.push(compiler.condition(readRule, row))
  return { table: raw(`${identifier(shape.table).text} ${alias}`), row, conditions }
}

/** The relations to one, joined. */
function follow(compiler: Compiler, steps: readonly Step[], root: RowSource): Chain {
  let chain: Chain | null = null
  for (const step of steps) {
    const holder: RowSource = chain ? chain.end : root
    const outer = guardedColumn(compiler, holder, step.field.column, step.fieldRule)
    const { table, row, conditions } = open(compiler, step.target, step.readRule)
    const link = { outer, inner: leaf(row.column("id")) }
    const next = { tables: [table], conditions, link, end: row }
    chain = chain ? extend(chain, next) : next
  }
  return chain as Chain
}

/** A chain that goes on where another ends. */
const extend = (chain: Chain, next: Chain): Chain => ({
  tables: [...chain.tables, ...next.tables],
  conditions: [...chain.conditions, ...linkConditions(next), ...next.conditions],
  link: chain.link,
  end: next.end,
})

/** The rows of a relation to many, and what the row that holds it must satisfy outside of the subquery. */
function reachMany(
  compiler: Compiler,
  many: ManyPath,
  row: RowSource,
): { chain: Chain; guards: Term[] } {
  const root = compiler.rootOf(many, row)
  const before = many.steps.length > 0 ? follow(compiler, many.steps, root) : null
  const holder = before?.end ?? root
  const guards = many.fieldRule === true ? [] : [compiler.condition(many.fieldRule, holder)]
  const last = openMany(compiler, many, holder)
  if (!before) return { chain: last, guards }
  return {
    chain: extend(before, { ...last, conditions: [...guards, ...last.conditions] }),
    guards: [],
  }
}

function openMany(compiler: Compiler, many: ManyPath, holder: RowSource): Chain {
  const { table, row, conditions } = open(compiler, many.target, many.readRule)
  const id = leaf(row.column("id"))
  const outer = leaf(holder.column("id"))
  const { through, name } = many.field
  if ("backColumn" in through) {
    const link = { outer, inner: leaf(row.column(through.backColumn)) }
    return { tables: [table], conditions, link, end: row }
  }
  const ids = holder.ids?.(name) ?? null
  if (ids) {
    const inside = term`${id} IN ${subquery`(SELECT value FROM json_each(${ids}))`}`
    return { tables: [table], conditions: [inside, ...conditions], link: null, end: row }
  }
  const alias = compiler.newAlias()
  const joined = rowAt(alias)
  return {
    tables: [raw(`${identifier(through.joinTable).text} ${alias}`), table],
    conditions: [term`${id} = ${joined.column("target")}`, ...conditions],
    link: { outer, inner: leaf(joined.column("source")) },
    end: row,
  }
}

/** Whether an index of the target finds the few rows that can satisfy the condition. */
function isSelective(member: Operand | null, condition: Checked): boolean {
  if (member) return member.kind === "value"
  if (condition.kind === "and") return condition.parts.some((part) => isSelective(null, part))
  if (condition.kind === "comparison" && condition.operator === "=" && !condition.negated) {
    return isIndexed(condition.left) && condition.right.kind === "value"
  }
  return condition.kind === "membership" && !condition.negated && isIndexed(condition.operand)
}

const isIndexed = (operand: Operand): boolean =>
  operand.kind === "path" &&
  operand.root === "row" &&
  operand.steps.length === 0 &&
  operand.fieldRule === true &&
  operand.field.indexed
