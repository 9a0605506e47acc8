import type { Box, Point } from "./geo.ts"

/** An expression as it was written: names are not resolved, types not checked. `position` is an offset. */
export type Ast =
  | { readonly kind: "and" | "or"; readonly parts: readonly Ast[] }
  | { readonly kind: "not"; readonly part: Ast }
  | ComparisonAst
  | InAst
  /** An operand that stands alone: `published`, `true`. */
  | { readonly kind: "truth"; readonly operand: OperandAst }
  | QuantifierAst
  | HasAst
  | { readonly kind: "changed"; readonly position: number; readonly field: NameAst }
  | WithinAst

export type ComparisonOperator = "=" | "!=" | ">" | ">=" | "<" | "<=" | "~" | "!~"

export interface ComparisonAst {
  readonly kind: "comparison"
  readonly operator: ComparisonOperator
  readonly position: number
  readonly left: OperandAst
  readonly right: OperandAst
}
export interface InAst {
  readonly kind: "in"
  readonly negated: boolean
  readonly position: number
  readonly left: OperandAst
  readonly list: readonly OperandAst[]
}
export interface QuantifierAst {
  readonly kind: "quantifier"
  readonly quantifier: "any" | "all" | "none"
  readonly path: PathAst
  readonly condition: Ast
}
export interface HasAst {
  readonly kind: "has"
  /** Null for `@me.roles`. */
  readonly path: PathAst | null
  readonly value: OperandAst
}

export type OperandAst =
  | LiteralAst
  | PathAst
  | { readonly kind: "actor"; readonly name: ActorName; readonly position: number }
  | TimeAst
  | CallAst
  | CountAst
  | DistanceAst

export type ActorName = "me.id" | "me.email" | "me.kind" | "org.id"
export type FunctionName = "lower" | "length" | "day" | "month" | "year"

export interface LiteralAst {
  readonly kind: "literal"
  readonly value: string | number | boolean | null
  readonly source: string
  readonly position: number
}
export interface NameAst {
  readonly name: string
  readonly position: number
}
export interface PathAst {
  readonly kind: "path"
  /** `new` for `@new.…`, `old` for `@old.…` */
  readonly root: "row" | "new" | "old"
  readonly names: readonly [NameAst, ...NameAst[]]
  readonly position: number
}
export interface TimeAst {
  readonly kind: "time"
  readonly base: "now" | "today"
  readonly offsetMilliseconds: number
  readonly position: number
}
export interface CallAst {
  readonly kind: "call"
  readonly name: FunctionName
  readonly argument: OperandAst
  readonly position: number
}
export interface CountAst {
  readonly kind: "count"
  readonly path: PathAst
  readonly condition: Ast | null
  readonly position: number
}
/** `distance(location, 52.5, 13.4)`: metres from a point, latitude first. */
export interface DistanceAst {
  readonly kind: "distance"
  readonly path: PathAst
  readonly from: Point
  readonly position: number
}
/** `within(location, south, west, north, east)` */
export interface WithinAst {
  readonly kind: "within"
  readonly path: PathAst
  readonly box: Box
  readonly position: number
}
