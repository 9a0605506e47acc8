import type { Call, OrderOperator, Value } from "./checked.ts"
import { dateAsDatetime, datePart, datetimeAmongDates } from "./dates.ts"
import { codePointLength, compareCodePoints, foldAscii } from "./text.ts"

/** A comparison of two values of one type in storable form: false when either is null. */
export function compareValues(operator: OrderOperator, left: Value, right: Value): boolean {
  if (left === null || right === null) return false
  if (operator === "=") return left === right
  const order =
    typeof left === "string" && typeof right === "string"
      ? compareCodePoints(left, right)
      : Number(left) - Number(right)
  switch (operator) {
    case ">":
      return order > 0
    case ">=":
      return order >= 0
    case "<":
      return order < 0
    case "<=":
      return order <= 0
  }
}

/** A function of a text or a stored date; null of null. */
export function applyFunction(name: Call["name"], argument: Value): Value {
  if (typeof argument !== "string") return null
  switch (name) {
    case "lower":
      return foldAscii(argument)
    case "length":
      return codePointLength(argument)
    case "dateAsDatetime":
      return dateAsDatetime(argument)
    case "datetimeAmongDates":
      return datetimeAmongDates(argument)
    default:
      return datePart(name, argument)
  }
}
