import type { OperandAst } from "./ast.ts"
import type { Operand, Value } from "./checked.ts"
import { midnight, parseInstant, storedDatetime } from "./dates.ts"
import { ExpressionError } from "./error.ts"
import { bindOperand } from "./fold.ts"
import type { Names } from "./names.ts"
import { checkOperandAst, describe } from "./operands.ts"
import type { Context, Shape, ValueType } from "./types.ts"

/** A value that needs no row, checked for a field of this type. */
export interface CheckedOperand {
  readonly operand: Operand
  readonly type: ValueType
}

/**
 * Checks the default of a field (see `parseOperand`) against the field's type; a relation to one is text.
 *
 * @throws {ExpressionError} `wrong_type`, `bad_date`, or `unknown_field` where it names a field: there is no row yet.
 */
export function checkOperand(ast: OperandAst, type: ValueType): CheckedOperand {
  const operand = checkOperandAst(ast, rowless, () => {
    throw new ExpressionError("not_allowed", ast.position, "A default sees no records")
  })
  if (operand.type === "null") return { operand, type }
  const dated = type === "date" || type === "datetime"
  if (dated && operand.kind === "value" && typeof operand.value === "string") {
    const instant = parseInstant(operand.value)
    if (instant === null) {
      throw new ExpressionError("bad_date", ast.position, `${describe(ast, "text")} is no date`)
    }
    return { operand: { kind: "value", type: "datetime", value: storedDatetime(instant) }, type }
  }
  if (operand.type !== type && !(type === "date" && operand.type === "datetime")) {
    const problem = `${describe(ast, operand.type)} is no default for a field of type ${type}`
    throw new ExpressionError("wrong_type", ast.position, problem)
  }
  return { operand, type }
}

/** The value as it is stored: a date is the day (UTC) of its instant, a boolean stays true or false. */
export function evaluateOperand({ operand, type }: CheckedOperand, context: Context): Value {
  const bound = bindOperand(operand, context)
  const value = bound.kind === "value" ? bound.value : null
  if (type !== "date" || typeof value !== "string") return value
  return storedDatetime(midnight(Date.parse(value))).slice(0, 10)
}

const nothing: Shape = { name: "", table: "", field: () => null, fieldNames: () => [] }
const rowless: Names = { shape: nothing, top: nothing, access: null, write: false }
