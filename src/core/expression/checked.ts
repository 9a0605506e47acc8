import type { ActorName, FunctionName } from "./ast.ts"
import type { Box, Point } from "./geo.ts"
import type { Pattern } from "./pattern.ts"
import type { ManyField, OneField, Shape, ShapeField, ValueType } from "./types.ts"

/**
 * A condition that is known to make sense: names resolved, types checked, what the caller may see built in.
 * Negation stands at the leaves only. Immutable, free of SQL and of any row; can be kept for the life of an isolate
 * (in client mode: as long as the actor's rights).
 */
export type Checked =
  | { readonly kind: "constant"; readonly value: boolean }
  | { readonly kind: "and" | "or"; readonly parts: readonly Checked[] }
  | Comparison
  /** Comparison with the literal `null`. */
  | { readonly kind: "isNull"; readonly operand: Operand; readonly negated: boolean }
  | Match
  | Membership
  | RoleTest
  | Quantifier
  | Change
  | Within

/** False when either side is null; negated, true. A constant stands on the right. */
export interface Comparison {
  readonly kind: "comparison"
  readonly operator: OrderOperator
  readonly left: Operand
  readonly right: Operand
  readonly negated: boolean
}
export type OrderOperator = "=" | ">" | ">=" | "<" | "<="

export interface Match {
  readonly kind: "match"
  readonly operand: Operand
  /** An operand (such as `@me.email`) is searched for as it is: a `%` in somebody's address is no wildcard. */
  readonly pattern: Pattern | Operand
  readonly negated: boolean
}
/** The operand is one of the constants. */
export interface Membership {
  readonly kind: "membership"
  readonly operand: Operand
  readonly values: readonly Operand[]
  readonly negated: boolean
}
/** The operand is one of the actor's roles. */
export interface RoleTest {
  readonly kind: "roleTest"
  readonly operand: Operand
  readonly negated: boolean
}
/** At least one of the many satisfies the condition: `none` is its negation, `all` has both sides negated. */
export interface Quantifier {
  readonly kind: "any"
  readonly many: ManyPath
  /** For `has(path, value)`: the id that is looked for, a value of the outer row. */
  readonly member: Operand | null
  /** About a target row. */
  readonly condition: Checked
  readonly negated: boolean
}
/** `@changed(field)` */
export interface Change {
  readonly kind: "changed"
  readonly field: ShapeField
  readonly negated: boolean
}

/** False where there is no point. */
export interface Within {
  readonly kind: "within"
  readonly operand: Operand
  readonly box: Box
  readonly negated: boolean
}

export type Operand =
  /** In the storable form of its type; a boolean stays one. */
  | { readonly kind: "value"; readonly type: OperandType; readonly value: Value }
  | { readonly kind: "actor"; readonly type: "text"; readonly name: ActorName }
  | {
      readonly kind: "time"
      readonly type: "datetime"
      readonly base: "now" | "today"
      readonly offsetMilliseconds: number
    }
  | Path
  | Call
  | Count
  | Distance

export type Value = string | number | boolean | null
export type OperandType = ValueType | "null"

export interface Call {
  readonly kind: "call"
  readonly type: ValueType
  /** Beside the functions that can be written, the two ways in which dates meet datetimes (see dates.ts). */
  readonly name: FunctionName | "dateAsDatetime" | "datetimeAmongDates"
  readonly argument: Operand
}
export interface Count {
  readonly kind: "count"
  readonly type: "number"
  readonly many: ManyPath
  readonly condition: Checked
}

/** Metres; null where there is no point. */
export interface Distance {
  readonly kind: "distance"
  readonly type: "number"
  readonly point: Operand
  readonly from: Point
}

/** A step through a relation to one. */
export interface Step {
  readonly field: OneField
  /** The rule of the field itself, about the row that holds it. */
  readonly fieldRule: Checked | true
  readonly target: Shape
  /** About the target row: where it fails, the target is absent. */
  readonly readRule: Checked | boolean
}
export interface Path {
  readonly kind: "path"
  readonly type: ValueType
  readonly root: "row" | "new"
  readonly steps: readonly Step[]
  readonly field: { readonly name: string; readonly column: string; readonly indexed: boolean }
  readonly fieldRule: Checked | true
}
export interface ManyPath {
  readonly root: "row" | "new"
  readonly steps: readonly Step[]
  readonly field: ManyField
  /** About the row that holds the relation. */
  readonly fieldRule: Checked | true
  readonly target: Shape
  /** About each target row; carries the rule of the field that a back-relation reads. */
  readonly readRule: Checked | boolean
}

/** The exact opposite: true wherever the other is not, also where fields are null. */
export function negate(node: Checked): Checked {
  switch (node.kind) {
    case "constant":
      return { kind: "constant", value: !node.value }
    case "and":
      return { kind: "or", parts: node.parts.map(negate) }
    case "or":
      return { kind: "and", parts: node.parts.map(negate) }
    default:
      return { ...node, negated: !node.negated }
  }
}

export const constant = (value: boolean): Checked => ({ kind: "constant", value })

/** All of them, flat and without what is already decided. */
export const conjunction = (parts: readonly Checked[]): Checked => junction("and", parts)
/** Any of them, flat and without what is already decided. */
export const disjunction = (parts: readonly Checked[]): Checked => junction("or", parts)

function junction(kind: "and" | "or", parts: readonly Checked[]): Checked {
  const decisive = kind === "or"
  const open: Checked[] = []
  for (const part of parts) {
    if (part.kind === kind) open.push(...(part as { parts: readonly Checked[] }).parts)
    else if (part.kind !== "constant") open.push(part)
    else if (part.value === decisive) return constant(decisive)
  }
  if (open.length === 0) return constant(!decisive)
  return open.length === 1 ? (open[0] as Checked) : { kind, parts: open }
}
