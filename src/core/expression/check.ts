import type {
  Ast,
  ComparisonAst,
  HasAst,
  InAst,
  LiteralAst,
  OperandAst,
  QuantifierAst,
} from "./ast.ts"
import type { Checked, Match, Operand, OrderOperator } from "./checked.ts"
import { conjunction, constant, disjunction, negate } from "./checked.ts"
import { ExpressionError } from "./error.ts"
import { type Names, resolveChanged, resolveMany, resolvePoint } from "./names.ts"
import { checkOperandAst, describe, isConstant, type Pair, unify } from "./operands.ts"
import { likePattern, parsePattern } from "./pattern.ts"
import type { Access, Shape } from "./types.ts"

/**
 * Trusted: a rule, which sees everything. Client: a filter that somebody sent, through which only what
 * `access` allows can be seen. `write` adds `@new.field` and `@changed(field)`, for rules of writes. `event` is for conditions
 * on changes: they ask for own fields as they are after it (`@new.field` says the same), before it (`@old.field`), and
 * whether they differ. Evaluated with the state after it as the row, and the state before it as the next one.
 */
export type CheckOptions =
  | { readonly mode: "trusted"; readonly write?: boolean }
  | { readonly mode: "client"; readonly access: Access; readonly event?: true }

/**
 * Resolves the names of an expression and checks its types, for rows of one collection.
 *
 * In client mode the read rules of everything it touches are built into the answer: what the caller may not read
 * is absent there (null, no rows), and what it may never read is an unknown field.
 *
 * @throws {ExpressionError} naming the field and its position.
 */
export function checkExpression(ast: Ast, shape: Shape, options: CheckOptions): Checked {
  const trusted = options.mode === "trusted"
  const access = trusted ? null : options.access
  const event = !trusted && options.event === true
  const write = event || (trusted && options.write === true)
  return check(ast, { shape, top: shape, access, write, event })
}

function check(ast: Ast, names: Names): Checked {
  switch (ast.kind) {
    case "and":
      return conjunction(ast.parts.map((part) => check(part, names)))
    case "or":
      return disjunction(ast.parts.map((part) => check(part, names)))
    case "not":
      return negate(check(ast.part, names))
    case "truth":
      return checkTruth(ast.operand, names)
    case "comparison":
      return checkComparison(ast, names)
    case "in":
      return checkIn(ast, names)
    case "quantifier":
      return checkQuantifier(ast, names)
    case "has":
      return checkHas(ast, names)
    case "changed":
      return { kind: "changed", field: resolveChanged(ast.field, names), negated: false }
    case "within":
      return {
        kind: "within",
        operand: resolvePoint(ast.path, names),
        box: ast.box,
        negated: false,
      }
  }
}

const operandOf = (ast: OperandAst, names: Names): Operand => checkOperandAst(ast, names, check)

function checkTruth(ast: OperandAst, names: Names): Checked {
  const operand = operandOf(ast, names)
  if (operand.type !== "boolean") {
    const problem = `${describe(ast, operand.type)} is no condition`
    throw new ExpressionError("wrong_type", ast.position, problem, "compare it with something")
  }
  if (operand.kind === "value") return constant(operand.value === true)
  const right: Operand = { kind: "value", type: "boolean", value: true }
  return { kind: "comparison", operator: "=", left: operand, right, negated: false }
}

function checkComparison(ast: ComparisonAst, names: Names): Checked {
  const left = operandOf(ast.left, names)
  const right = operandOf(ast.right, names)
  switch (ast.operator) {
    case "=":
      return equality(left, ast.left, right, ast.right)
    case "!=":
      return negate(equality(left, ast.left, right, ast.right))
    case "~":
      return checkMatch(ast, left, right)
    case "!~":
      return negate(checkMatch(ast, left, right))
    default:
      return checkOrder(ast.operator, ast, left, right)
  }
}

/** `=`: only the literal `null` equals null. So `owner = @me.id` is false for nobody, whoever owns nothing. */
function equality(
  left: Operand,
  leftAst: OperandAst,
  right: Operand,
  rightAst: OperandAst,
): Checked {
  if (right.type === "null") return nullTest(left)
  if (left.type === "null") return nullTest(right)
  const pair = unify(left, leftAst, right, rightAst)
  if (!pair || isOpaque(pair.type)) throw mismatch(left, leftAst, right, rightAst)
  return comparison("=", pair)
}

const nullTest = (operand: Operand): Checked =>
  operand.kind === "value"
    ? constant(operand.value === null)
    : { kind: "isNull", operand, negated: false }

/** Nothing but null compares with these. */
const isOpaque = (type: Operand["type"]): boolean => type === "json" || type === "point"

function mismatch(
  left: Operand,
  leftAst: OperandAst,
  right: Operand,
  rightAst: OperandAst,
): ExpressionError {
  const sides = `${describe(leftAst, left.type)} with ${describe(rightAst, right.type)}`
  const opaque = [left.type, right.type].find(isOpaque)
  const hint = opaque ? `${opaque} only compares with null` : ""
  return new ExpressionError("wrong_type", rightAst.position, `Cannot compare ${sides}`, hint)
}

const mirrored: Readonly<Record<OrderOperator, OrderOperator>> = {
  "=": "=",
  ">": "<",
  ">=": "<=",
  "<": ">",
  "<=": ">=",
}

function comparison(operator: OrderOperator, { left, right }: Pair): Checked {
  const swap = isConstant(left) && !isConstant(right)
  return swap
    ? { kind: "comparison", operator: mirrored[operator], left: right, right: left, negated: false }
    : { kind: "comparison", operator, left, right, negated: false }
}

function checkOrder(
  operator: OrderOperator,
  ast: ComparisonAst,
  left: Operand,
  right: Operand,
): Checked {
  const orderless = [left.type, right.type].some((type) => isOpaque(type) || type === "boolean")
  if (!orderless && (left.type === "null" || right.type === "null")) return constant(false)
  const pair = orderless ? null : unify(left, ast.left, right, ast.right)
  if (!pair) throw mismatch(left, ast.left, right, ast.right)
  return comparison(operator, pair)
}

function checkMatch(ast: ComparisonAst, left: Operand, right: Operand): Checked {
  for (const [operand, side] of [
    [left, ast.left],
    [right, ast.right],
  ] as const) {
    if (operand.type !== "text" && operand.type !== "null") {
      const problem = `"${ast.operator}" compares text, found ${describe(side, operand.type)}`
      throw new ExpressionError("wrong_type", side.position, problem)
    }
  }
  if (!isConstant(right)) {
    const problem = `The pattern of "${ast.operator}" cannot be ${describe(ast.right, right.type)}`
    throw new ExpressionError("not_allowed", ast.right.position, problem, "expected a text")
  }
  if (left.type === "null" || right.type === "null") return constant(false)
  const pattern = ast.right.kind === "literal" ? writtenPattern(ast.right) : right
  return { kind: "match", operand: left, pattern, negated: false }
}

function writtenPattern(ast: LiteralAst): Match["pattern"] {
  const pattern = parsePattern(String(ast.value))
  // Two parts need no LIKE; with more, there is no other way to ask SQLite.
  if (pattern.kind === "parts" && pattern.parts.length > 2 && likePattern(pattern.parts) === null) {
    const problem = `The pattern ${ast.source} is too long`
    const hint = "with % in the middle of other parts it takes at most 50 bytes"
    throw new ExpressionError("bad_pattern", ast.position, problem, hint)
  }
  return pattern
}

/** `x in (a, b)` is `x = a || x = b`; the constants among the items become one list. */
function checkIn(ast: InAst, names: Names): Checked {
  const left = operandOf(ast.left, names)
  const alternatives: Checked[] = []
  const groups = new Map<Operand["type"], { operand: Operand; values: Operand[] }>()
  for (const itemAst of ast.list) {
    const equal = equality(left, ast.left, operandOf(itemAst, names), itemAst)
    // A constant on the left has changed sides with the item: `@me.id in (owner, reviewer)`.
    if (equal.kind !== "comparison" || isConstant(left) || !isConstant(equal.right)) {
      alternatives.push(equal)
      continue
    }
    const group = groups.get(equal.right.type)
    if (group) group.values.push(equal.right)
    else groups.set(equal.right.type, { operand: equal.left, values: [equal.right] })
  }
  for (const { operand, values } of groups.values()) {
    alternatives.push({ kind: "membership", operand, values, negated: false })
  }
  const any = disjunction(alternatives)
  return ast.negated ? negate(any) : any
}

function checkQuantifier(ast: QuantifierAst, names: Names): Checked {
  const many = resolveMany(ast.path, names)
  const condition = check(ast.condition, { ...names, shape: many.target })
  const all = ast.quantifier === "all"
  return {
    kind: "any",
    many,
    member: null,
    condition: all ? negate(condition) : condition,
    negated: ast.quantifier !== "any",
  }
}

function checkHas(ast: HasAst, names: Names): Checked {
  const many = ast.path && resolveMany(ast.path, names)
  const value = operandOf(ast.value, names)
  if (value.type === "null") return constant(false)
  if (value.type !== "text") {
    const problem = `has() looks for text, found ${describe(ast.value, value.type)}`
    throw new ExpressionError("wrong_type", ast.value.position, problem)
  }
  if (many) return { kind: "any", many, member: value, condition: constant(true), negated: false }
  return { kind: "roleTest", operand: value, negated: false }
}
