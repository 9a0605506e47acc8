import type { CallAst, CountAst, LiteralAst, OperandAst } from "./ast.ts"
import type { Call, Checked, Count, Operand, OperandType } from "./checked.ts"
import { constant } from "./checked.ts"
import { datetimeAmongDates, parseInstant, storedDatetime } from "./dates.ts"
import { ExpressionError } from "./error.ts"
import { type Names, resolveMany, resolvePath, resolvePoint, written } from "./names.ts"
import type { ValueType } from "./types.ts"

/** Checks the condition inside of `count`; handed in, because conditions and operands contain each other. */
export type CheckCondition = (ast: CountAst["condition"] & object, names: Names) => Checked

/** Gives an operand its meaning and its type. */
export function checkOperandAst(ast: OperandAst, names: Names, inner: CheckCondition): Operand {
  switch (ast.kind) {
    case "literal":
      return { kind: "value", type: literalType(ast.value), value: ast.value }
    case "actor":
      return { kind: "actor", type: "text", name: ast.name }
    case "time":
      return {
        kind: "time",
        type: "datetime",
        base: ast.base,
        offsetMilliseconds: ast.offsetMilliseconds,
      }
    case "path":
      return resolvePath(ast, names)
    case "call":
      return checkCall(ast, names, inner)
    case "count":
      return checkCount(ast, names, inner)
    case "distance":
      return {
        kind: "distance",
        type: "number",
        point: resolvePoint(ast.path, names),
        from: ast.from,
      }
  }
}

const literalType = (value: LiteralAst["value"]): OperandType => {
  if (value === null) return "null"
  return typeof value === "string" ? "text" : (typeof value as "number" | "boolean")
}

function checkCall(ast: CallAst, names: Names, inner: CheckCondition): Call {
  const argument = checkOperandAst(ast.argument, names, inner)
  if (ast.name === "lower" || ast.name === "length") {
    if (argument.type !== "text") throw wrongArgument(ast, argument, "text")
    const type = ast.name === "lower" ? "text" : "number"
    return { kind: "call", type, name: ast.name, argument }
  }
  const moment = ast.argument.kind === "literal" ? literalAs("datetime", ast.argument) : argument
  if (moment?.type !== "date" && moment?.type !== "datetime")
    throw wrongArgument(ast, argument, "a date")
  return { kind: "call", type: "number", name: ast.name, argument: moment }
}

function wrongArgument(ast: CallAst, argument: Operand, expected: string): ExpressionError {
  const problem = `${ast.name}() takes ${expected}, found ${describe(ast.argument, argument.type)}`
  return new ExpressionError("wrong_type", ast.argument.position, problem)
}

function checkCount(ast: CountAst, names: Names, inner: CheckCondition): Count {
  const many = resolveMany(ast.path, names)
  const condition = ast.condition
    ? inner(ast.condition, { ...names, shape: many.target })
    : constant(true)
  return { kind: "count", type: "number", many, condition }
}

/** For messages: `"title" (text)`. */
export function describe(ast: OperandAst, type: OperandType): string {
  if (ast.kind === "literal") return ast.source
  if (ast.kind === "path") return `"${written(ast)}" (${type})`
  if (ast.kind === "actor") return `@${ast.name} (text)`
  if (ast.kind === "time") return `@${ast.base}`
  return `${ast.kind === "call" ? ast.name : ast.kind}() (${type})`
}

/** Both sides of a comparison, brought to one type. */
export interface Pair {
  readonly left: Operand
  readonly right: Operand
  readonly type: ValueType
}

/**
 * Brings the sides of a comparison to one type, or answers null when they have none in common.
 * Literal texts become dates beside dates; a date meets a datetime as its midnight.
 *
 * @throws {ExpressionError} `bad_date` for a text beside a date that is none.
 */
export function unify(
  left: Operand,
  leftAst: OperandAst,
  right: Operand,
  rightAst: OperandAst,
): Pair | null {
  const a = isMoment(right) && leftAst.kind === "literal" ? literalAs(right.type, leftAst) : left
  const b = isMoment(left) && rightAst.kind === "literal" ? literalAs(left.type, rightAst) : right
  if (!a || !b || a.type === "null" || b.type === "null") return null
  if (a.type === b.type) return { left: a, right: b, type: a.type }
  if (a.type === "date" && b.type === "datetime") return meet(a, b)
  if (a.type === "datetime" && b.type === "date") {
    const { left: date, right: datetime, type } = meet(b, a)
    return { left: datetime, right: date, type }
  }
  return null
}

const isMoment = (operand: Operand): operand is Operand & { type: "date" | "datetime" } =>
  operand.type === "date" || operand.type === "datetime"

function meet(date: Operand, datetime: Operand): Pair {
  // Against the clock the bare column of dates is compared, so that its index serves.
  if (datetime.kind === "time") {
    const right: Call = {
      kind: "call",
      type: "date",
      name: "datetimeAmongDates",
      argument: datetime,
    }
    return { left: date, right, type: "date" }
  }
  const left: Call = { kind: "call", type: "datetime", name: "dateAsDatetime", argument: date }
  return { left, right: datetime, type: "datetime" }
}

/** A literal text as a stored date or datetime; null for a literal that is no text. */
function literalAs(type: "date" | "datetime", ast: LiteralAst): Operand | null {
  if (typeof ast.value !== "string") return null
  const instant = parseInstant(ast.value)
  if (instant === null) {
    const hint = "expected YYYY-MM-DD or YYYY-MM-DDThh:mm:ss.sssZ"
    throw new ExpressionError("bad_date", ast.position, `${ast.source} is no date`, hint)
  }
  const datetime = storedDatetime(instant)
  return { kind: "value", type, value: type === "date" ? datetimeAmongDates(datetime) : datetime }
}

/** Known without looking at a row. */
export function isConstant(operand: Operand): boolean {
  if (operand.kind === "call") return isConstant(operand.argument)
  return operand.kind === "value" || operand.kind === "actor" || operand.kind === "time"
}
