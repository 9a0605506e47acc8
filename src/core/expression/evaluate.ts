import type { Checked, ManyPath, Operand, Path, Step, Value } from "./checked.ts"
import { bind } from "./fold.ts"
import { distanceMetres, isWithin, type Point } from "./geo.ts"
import { matchesPattern } from "./pattern.ts"
import type { Context, ManyField, Shape, ShapeField } from "./types.ts"
import { applyFunction, compareValues } from "./values.ts"

/** A record in memory, by names of fields: booleans are booleans, a relation to one is an id, one to many may be an array of ids. */
export type MemoryRow = Readonly<Record<string, unknown>>

/** Where related records come from. It holds only what the scope (the organisation) contains. */
export interface World {
  /** The record of that id, or null. */
  one(shape: Shape, id: string): MemoryRow | null
  /** The records of a relation to many, asked where the row does not hold an array of ids itself. */
  many(field: ManyField, row: MemoryRow): readonly MemoryRow[]
}

export interface Evaluation {
  readonly context: Context
  readonly world: World
  /** The new state of the row, for `@new` and `@changed`. */
  readonly next?: MemoryRow | undefined
}

/** Whether a row in memory satisfies an expression: the same answer that its SQL gives. Pure. */
export function evaluateExpression(
  checked: Checked,
  row: MemoryRow,
  evaluation: Evaluation,
): boolean {
  return holds(bind(checked, evaluation.context), row, { ...evaluation, top: row })
}

/** With the row that the whole expression is about, also inside of quantifiers. */
type Evaluating = Evaluation & { readonly top: MemoryRow }

function holds(node: Checked, row: MemoryRow, evaluation: Evaluating): boolean {
  switch (node.kind) {
    case "constant":
      return node.value
    case "and":
      return node.parts.every((part) => holds(part, row, evaluation))
    case "or":
      return node.parts.some((part) => holds(part, row, evaluation))
    default:
      return leafHolds(node, row, evaluation) !== node.negated
  }
}

type Leaf = Exclude<Checked, { kind: "constant" | "and" | "or" }>

/** Without its negation. */
function leafHolds(node: Leaf, row: MemoryRow, evaluation: Evaluating): boolean {
  switch (node.kind) {
    case "comparison": {
      const left = operandValue(node.left, row, evaluation)
      return compareValues(node.operator, left, operandValue(node.right, row, evaluation))
    }
    case "isNull":
      return operandValue(node.operand, row, evaluation) === null
    case "match": {
      const text = operandValue(node.operand, row, evaluation)
      const { pattern } = node
      if (typeof text !== "string") return false
      return (
        (pattern.kind === "contains" || pattern.kind === "parts") && matchesPattern(text, pattern)
      )
    }
    case "membership": {
      const value = operandValue(node.operand, row, evaluation)
      return node.values.some(
        (other) => other.kind === "value" && compareValues("=", other.value, value),
      )
    }
    case "roleTest": {
      const value = operandValue(node.operand, row, evaluation)
      return evaluation.context.me.roles.some((role) => role === value)
    }
    case "any": {
      const member = node.member && operandValue(node.member, row, evaluation)
      return manyRows(node.many, row, evaluation).some(
        (related) =>
          (node.member === null || related.id === member) &&
          holds(node.condition, related, evaluation),
      )
    }
    case "within": {
      const point = pointOf(operandValue(node.operand, row, evaluation))
      return point !== null && isWithin(point, node.box)
    }
    case "changed":
      return hasChanged(node.field, evaluation.top, requireNext(evaluation))
  }
}

function requireNext({ next }: Evaluation): MemoryRow {
  if (!next) throw new Error("The expression reads @new or @changed, but no new row was given")
  return next
}

function hasChanged(field: ShapeField, before: MemoryRow, after: MemoryRow): boolean {
  const whole =
    field.kind === "many" ||
    (field.kind === "value" && (field.type === "json" || field.type === "point"))
  const absent = field.kind === "many" ? [] : null
  const [old, fresh] = [before[field.name] ?? absent, after[field.name] ?? absent]
  return whole ? JSON.stringify(old) !== JSON.stringify(fresh) : old !== fresh
}

function operandValue(operand: Operand, row: MemoryRow, evaluation: Evaluating): Value {
  switch (operand.kind) {
    case "value":
      return operand.value
    case "path":
      return pathValue(operand, row, evaluation)
    case "call":
      return applyFunction(operand.name, operandValue(operand.argument, row, evaluation))
    case "count":
      return manyRows(operand.many, row, evaluation).filter((related) =>
        holds(operand.condition, related, evaluation),
      ).length
    case "distance": {
      const point = pointOf(operandValue(operand.point, row, evaluation))
      return point && distanceMetres(point, operand.from)
    }
    default:
      throw new Error(`Unbound ${operand.kind}`)
  }
}

/** A point is an object in memory, as json is; no other operand holds one. */
const pointOf = (value: unknown): Point | null =>
  typeof value === "object" && value !== null ? (value as Point) : null

function pathValue(path: Path, row: MemoryRow, evaluation: Evaluating): Value {
  const holder = follow(path, row, evaluation)
  if (!holder || !permits(path.fieldRule, holder, evaluation)) return null
  return (holder[path.field.name] ?? null) as Value
}

const permits = (rule: Checked | boolean, row: MemoryRow, evaluation: Evaluating): boolean =>
  typeof rule === "boolean" ? rule : holds(rule, row, evaluation)

/** The row at the end of the relations to one, or null where one of them is empty or unreadable. */
function follow(
  path: { readonly root: "row" | "new"; readonly steps: readonly Step[] },
  row: MemoryRow,
  evaluation: Evaluating,
): MemoryRow | null {
  let holder = path.root === "new" ? requireNext(evaluation) : row
  for (const step of path.steps) {
    const id = holder[step.field.name]
    if (typeof id !== "string" || !permits(step.fieldRule, holder, evaluation)) return null
    const target = evaluation.world.one(step.target, id)
    if (!target || !permits(step.readRule, target, evaluation)) return null
    holder = target
  }
  return holder
}

function manyRows(many: ManyPath, row: MemoryRow, evaluation: Evaluating): readonly MemoryRow[] {
  const holder = follow(many, row, evaluation)
  if (!holder || !permits(many.fieldRule, holder, evaluation)) return []
  return related(many, holder, evaluation.world).filter((target) =>
    permits(many.readRule, target, evaluation),
  )
}

function related(many: ManyPath, holder: MemoryRow, world: World): readonly MemoryRow[] {
  const ids = holder[many.field.name]
  if (!Array.isArray(ids)) return world.many(many.field, holder)
  return [...new Set(ids.filter((id) => typeof id === "string"))]
    .map((id) => world.one(many.target, id))
    .filter((target) => target !== null)
}
