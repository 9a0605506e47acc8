import { raw, type Sql } from "../../platform/sql.ts"
import type { Call, Checked, Comparison, Operand, OrderOperator, Value } from "./checked.ts"
import type { Compiler } from "./compiler.ts"
import { dateAsDatetime, datePartSpan } from "./dates.ts"
import { ExpressionError } from "./error.ts"
import { bind, bindOperand } from "./fold.ts"
import { boxAround } from "./geo.ts"
import { distanceToSql, narrowing, withinToSql } from "./geo-to-sql.ts"
import { matchToSql } from "./match-to-sql.ts"
import { manyCount, manyExists, orderedIds, pathCondition, pathValue } from "./relations-to-sql.ts"
import { depthOf, every, leaf, listed, parameter, some, type Term, term } from "./terms.ts"
import type { Context, RowSource, Scope, ShapeField } from "./types.ts"

export interface CompileEnvironment {
  readonly context: Context
  /** The row that the expression is about. */
  readonly source: RowSource
  /** The row as it will be, for `@new` and `@changed`. */
  readonly next?: RowSource | undefined
  readonly scope: Scope
  /**
   * Set where the statement looks at a single row (get, guard of a write): relations are then followed
   * from that row, instead of first finding all rows that an index of the target leads to.
   */
  readonly oneRow?: boolean | undefined
}

/** D1's expression depth is 100; the rest is for the statement around. */
const maxDepth = 90
/** D1's statement is 100 KB; a parameter may have to become `json_extract(?1,'$[99]')`. */
const maxCharacters = 64_000
const charactersPerParameter = 24

/**
 * An expression as SQL that is 1 where it holds, and 0 or NULL where it does not.
 *
 * So it can stand in WHERE, ON, CASE WHEN and EXISTS; to find the rows where it does *not* hold, compile
 * `negate(checked)` or ask `(…) IS NOT TRUE`: `NOT (…)` would lose the NULLs. Comparisons stand bare, so that
 * indexes serve them. Identifiers come from the Shape alone, everything else is bound (see `spill` for more than
 * 100). Subqueries use the aliases e1, e2, …, which the statement around must not use.
 *
 * @throws {ExpressionError} `too_complex` when D1 would refuse the size or depth, read rules included. Quantifiers
 * fit six deep or so, parentheses as deep as the parser lets them.
 */
export function compileExpression(checked: Checked, environment: CompileEnvironment): Sql {
  const bound = bind(checked, environment.context)
  return fitting(compilerFor(environment).condition(bound, environment.source))
}

/**
 * The value of an operand as SQL; NULL where a rule on the way hides it.
 *
 * @throws {ExpressionError} `too_complex`, as `compileExpression` does.
 */
export function compileOperand(operand: Operand, environment: CompileEnvironment): Sql {
  const bound = bindOperand(operand, environment.context)
  return fitting(compilerFor(environment).operand(bound, environment.source))
}

/** @throws {ExpressionError} `too_complex` where D1 would refuse it. */
function fitting(whole: Term): Sql {
  const { text, params } = whole
  const size = text.length + params.length * charactersPerParameter
  // Its own height again, so that the statement may put it into one subquery (a guard's EXISTS).
  if (depthOf(whole) + whole.height > maxDepth || size > maxCharacters) {
    const hint = "use fewer conditions, or fewer relations inside of relations"
    throw new ExpressionError("too_complex", 0, "Too complex for one query", hint)
  }
  return { text, params }
}

function compilerFor({ source, next, scope, oneRow = false }: CompileEnvironment): Compiler {
  let aliases = 0
  const compiler: Compiler = {
    scope,
    oneRow,
    top: source,
    newAlias: () => `e${++aliases}`,
    rootOf: ({ root }, row) => (root === "new" ? given(next) : row),
    condition: (node, row) => condition(compiler, node, row),
    operand: (operand, row) => operandToSql(compiler, operand, row),
  }
  return compiler
}

function given(next: RowSource | undefined): RowSource {
  if (!next) throw new Error("The expression reads @new or @changed, but no new row was given")
  return next
}

function condition(compiler: Compiler, node: Checked, row: RowSource): Term {
  switch (node.kind) {
    case "constant":
      return leaf(raw(node.value ? "1" : "0"))
    case "and":
      return every(node.parts.map((part) => compiler.condition(part, row)))
    case "or":
      return some(node.parts.map((part) => compiler.condition(part, row)))
    case "isNull": {
      const value = compiler.operand(node.operand, row)
      return node.negated ? term`${value} IS NOT NULL` : term`${value} IS NULL`
    }
    case "comparison":
      return node.negated ? notComparison(compiler, node, row) : comparison(compiler, node, row)
    case "match": {
      const test = matchToSql(compiler.operand(node.operand, row), node.pattern)
      return node.negated ? isNotTrue(test) : test
    }
    case "membership":
      return membership(compiler, node, row)
    case "any":
      return manyExists(compiler, node.many, row, node.member, node.condition, node.negated)
    case "changed": {
      const before = stateOf(node.field, compiler.top)
      const after = stateOf(node.field, compiler.rootOf({ root: "new" }, row))
      return node.negated ? term`${before} IS ${after}` : term`${before} IS NOT ${after}`
    }
    case "within": {
      const test = withinToSql(compiler.operand(node.operand, row), node.box)
      if (node.negated) return isNotTrue(test)
      const narrow = narrowing(node.operand, node.box, row, compiler.oneRow)
      return narrow ? every([narrow, test]) : test
    }
    case "roleTest":
      throw new Error("The roles are not bound")
  }
}

/** True for false and for NULL. Keeps indexes from being used, which a negation seldom could. */
const isNotTrue = (test: Term): Term => term`(${test}) IS NOT TRUE`

const stateOf = (field: ShapeField, row: RowSource): Term =>
  field.kind === "many" ? orderedIds(field, row) : leaf(row.column(field.column))

function comparison(compiler: Compiler, node: Comparison, row: RowSource): Term {
  const { left, right } = node
  if (node.operator === "=" && right.kind === "value") {
    const driven = pathCondition(
      compiler,
      left,
      row,
      (value) => term`${value} = ${bindable(right.value)}`,
    )
    if (driven) return driven
  }
  const test = ordered(compiler.operand(left, row), node.operator, compiler.operand(right, row))
  const near = left.kind === "distance" && right.kind === "value" && node.operator !== ">"
  const box = near && node.operator !== ">=" ? boxAround(left.from, Number(right.value)) : null
  const narrow = box && near ? narrowing(left.point, box, row, compiler.oneRow) : null
  return narrow ? every([narrow, test]) : test
}

function ordered(left: Term, operator: OrderOperator, right: Term): Term {
  switch (operator) {
    case "=":
      return term`${left} = ${right}`
    case ">":
      return term`${left} > ${right}`
    case ">=":
      return term`${left} >= ${right}`
    case "<":
      return term`${left} < ${right}`
    case "<=":
      return term`${left} <= ${right}`
  }
}

const opposite: Readonly<Record<OrderOperator, OrderOperator>> = {
  "=": "=",
  ">": "<=",
  ">=": "<",
  "<": ">=",
  "<=": ">",
}

function notComparison(compiler: Compiler, node: Comparison, row: RowSource): Term {
  const left = compiler.operand(node.left, row)
  const right = compiler.operand(node.right, row)
  if (node.right.kind !== "value") return isNotTrue(ordered(left, node.operator, right))
  if (node.operator === "=") return term`${left} IS NOT ${right}`
  // Only a bare column is worth naming twice: both halves can then use its index.
  if (node.left.kind !== "path" || node.left.steps.length > 0 || node.left.fieldRule !== true) {
    return isNotTrue(ordered(left, node.operator, right))
  }
  return some([ordered(left, opposite[node.operator], right), term`${left} IS NULL`])
}

function membership(
  compiler: Compiler,
  node: Extract<Checked, { kind: "membership" }>,
  row: RowSource,
): Term {
  const values = listed(
    node.values.map((value) => parameter(value.kind === "value" ? bindable(value.value) : null)),
  )
  const test = (value: Term): Term => term`${value} IN (${values})`
  const driven = node.negated ? null : pathCondition(compiler, node.operand, row, test)
  if (driven) return driven
  const plain = test(compiler.operand(node.operand, row))
  return node.negated ? isNotTrue(plain) : plain
}

const bindable = (value: Value): string | number | null =>
  typeof value === "boolean" ? (value ? 1 : 0) : value

function operandToSql(compiler: Compiler, operand: Operand, row: RowSource): Term {
  switch (operand.kind) {
    case "value":
      return parameter(bindable(operand.value))
    case "path":
      return pathValue(compiler, operand, row)
    case "call":
      return call(operand.name, compiler.operand(operand.argument, row))
    case "count":
      return manyCount(compiler, operand.many, row, operand.condition)
    case "distance":
      return distanceToSql(compiler.operand(operand.point, row), operand.from)
    default:
      throw new Error(`The operand ${operand.kind} is not bound`)
  }
}

function call(name: Call["name"], argument: Term): Term {
  switch (name) {
    case "lower":
      return term`lower(${argument})`
    case "length":
      return term`length(${argument})`
    case "dateAsDatetime":
      return term`(${argument} || ${dateAsDatetime("")})`
    case "datetimeAmongDates":
      throw new Error("Only constants are cut to dates")
    default: {
      const span = raw(datePartSpan[name].join(", "))
      return term`CAST(${term`substr(${argument}, ${span})`} AS INTEGER)`
    }
  }
}
