import { filter } from "../../client/filter.ts"
import type { Ast, ComparisonOperator } from "../../core/expression/ast.ts"
import { readExpression } from "./expression.ts"

/*
 * Filters as a list of conditions, written to and read from the expression language: `a = 1 && b ~ "x"`. What says more
 * than such a list is text, and stays so. No I/O.
 */

export const comparators = [
  "=",
  "!=",
  ">",
  ">=",
  "<",
  "<=",
  "~",
  "!~",
] as const satisfies readonly ComparisonOperator[]

export interface Condition {
  readonly field: string
  readonly comparator: ComparisonOperator
  readonly value: string | number | boolean | null
}

export const writeConditions = (conditions: readonly Condition[]): string =>
  conditions
    .map(({ field, comparator, value }) => `${field} ${comparator} ${filter`${value}`}`)
    .join(" && ")

/** Null when the text is more than conditions that all hold. */
export function readConditions(text: string): Condition[] | null {
  if (text.trim() === "") return []
  const ast = readExpression(text)
  if (ast === null) return null
  const conditions = (ast.kind === "and" ? ast.parts : [ast]).map(conditionOf)
  return conditions.every((condition) => condition !== null) ? conditions : null
}

function conditionOf(ast: Ast): Condition | null {
  if (ast.kind !== "comparison") return null
  const { left, operator, right } = ast
  if (left.kind !== "path" || left.root !== "row" || right.kind !== "literal") return null
  return {
    field: left.names.map(({ name }) => name).join("."),
    comparator: operator,
    value: right.value,
  }
}
