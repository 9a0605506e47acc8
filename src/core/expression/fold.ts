import type { ActorName } from "./ast.ts"
import type { Checked, ManyPath, Operand, Path, Step, Value } from "./checked.ts"
import { conjunction, constant, disjunction } from "./checked.ts"
import { midnight, storedDatetime } from "./dates.ts"
import { matchesPattern } from "./pattern.ts"
import type { Context } from "./types.ts"
import { applyFunction, compareValues } from "./values.ts"

/**
 * What an expression answers for every row alike, once it is known who asks and when; null when it
 * depends on the row. `has(@me.roles, "editor") || author = @me.id` is true for an editor, else null.
 */
export function foldConstant(checked: Checked, context: Context): boolean | null {
  const bound = bind(checked, context)
  return bound.kind === "constant" ? bound.value : null
}

/** The same expression for one actor at one instant: everything that needs no row is worked out. */
export function bind(node: Checked, context: Context): Checked {
  switch (node.kind) {
    case "constant":
    case "changed":
      return node
    case "and":
      return conjunction(node.parts.map((part) => bind(part, context)))
    case "or":
      return disjunction(node.parts.map((part) => bind(part, context)))
    case "isNull": {
      const operand = bindOperand(node.operand, context)
      if (operand.kind === "value") return constant((operand.value === null) !== node.negated)
      return { ...node, operand }
    }
    case "comparison":
      return bindComparison(node, context)
    case "match":
      return bindMatch(node, context)
    case "membership":
      return membership(node, node.values, context)
    case "roleTest": {
      const roles = context.me.roles.map(
        (value): Operand => ({ kind: "value", type: "text", value }),
      )
      return membership(node, roles, context)
    }
    case "any":
      return bindQuantifier(node, context)
    case "within": {
      const operand = bindOperand(node.operand, context)
      return isNullValue(operand) ? constant(node.negated) : { ...node, operand }
    }
  }
}

type Node<Kind extends Checked["kind"]> = Extract<Checked, { kind: Kind }>

function bindComparison(node: Node<"comparison">, context: Context): Checked {
  const left = bindOperand(node.left, context)
  const right = bindOperand(node.right, context)
  if (left.kind === "value" && right.kind === "value") {
    return constant(compareValues(node.operator, left.value, right.value) !== node.negated)
  }
  if (isNullValue(left) || isNullValue(right)) return constant(node.negated)
  return { ...node, left, right }
}

const isNullValue = (operand: Operand): boolean =>
  operand.kind === "value" && operand.value === null

function bindMatch(node: Node<"match">, context: Context): Checked {
  const operand = bindOperand(node.operand, context)
  const pattern = isPattern(node.pattern) ? node.pattern : searched(node.pattern, context)
  if (pattern === null || isNullValue(operand)) return constant(node.negated)
  if (operand.kind !== "value") return { ...node, operand, pattern }
  return constant(matchesPattern(String(operand.value), pattern) !== node.negated)
}

type Pattern = Exclude<Node<"match">["pattern"], Operand>

const isPattern = (pattern: Node<"match">["pattern"]): pattern is Pattern =>
  pattern.kind === "contains" || pattern.kind === "parts"

function searched(operand: Operand, context: Context): Pattern | null {
  const bound = bindOperand(operand, context)
  if (bound.kind !== "value" || typeof bound.value !== "string") return null
  return { kind: "contains", text: applyFunction("lower", bound.value) as string }
}

function membership(
  node: Node<"membership"> | Node<"roleTest">,
  constants: readonly Operand[],
  context: Context,
): Checked {
  const operand = bindOperand(node.operand, context)
  const values = constants
    .map((value) => bindOperand(value, context))
    .filter((value) => !isNullValue(value))
  if (values.length === 0 || isNullValue(operand)) return constant(node.negated)
  if (operand.kind !== "value") {
    return { kind: "membership", operand, values, negated: node.negated }
  }
  const found = values.some((value) => value.kind === "value" && value.value === operand.value)
  return constant(found !== node.negated)
}

function bindQuantifier(node: Node<"any">, context: Context): Checked {
  const many = bindMany(node.many, context)
  const condition = bind(node.condition, context)
  const member = node.member && bindOperand(node.member, context)
  const empty = many === null || (condition.kind === "constant" && !condition.value)
  if (empty || (member !== null && isNullValue(member))) return constant(node.negated)
  return { ...node, many, condition, member }
}

/** An operand for one actor at one instant; a `value` wherever it needs no row. */
export function bindOperand(operand: Operand, context: Context): Operand {
  switch (operand.kind) {
    case "value":
      return operand
    case "actor":
      return { kind: "value", type: "text", value: actorValue(operand.name, context) }
    case "time": {
      const base = operand.base === "now" ? context.now : midnight(context.now)
      const value = storedDatetime(base + operand.offsetMilliseconds)
      return { kind: "value", type: "datetime", value }
    }
    case "path":
      return bindPath(operand, context)
    case "call": {
      const argument = bindOperand(operand.argument, context)
      if (argument.kind !== "value") return { ...operand, argument }
      const value = applyFunction(operand.name, argument.value)
      return { kind: "value", type: operand.type, value }
    }
    case "count": {
      const many = bindMany(operand.many, context)
      const condition = bind(operand.condition, context)
      const empty = many === null || (condition.kind === "constant" && !condition.value)
      return empty ? { kind: "value", type: "number", value: 0 } : { ...operand, many, condition }
    }
    case "distance": {
      const point = bindOperand(operand.point, context)
      return isNullValue(point)
        ? { kind: "value", type: "number", value: null }
        : { ...operand, point }
    }
  }
}

function actorValue(name: ActorName, { me, organisation }: Context): Value {
  switch (name) {
    case "me.id":
      return me.id
    case "me.email":
      return me.email
    case "me.kind":
      return me.kind
    case "org.id":
      return organisation
  }
}

/** A path through what this actor cannot read at all is null. */
function bindPath(path: Path, context: Context): Operand {
  const steps = bindSteps(path.steps, context)
  const fieldRule = bindRule(path.fieldRule, context)
  if (steps === null || fieldRule === false) {
    return { kind: "value", type: path.type, value: null }
  }
  return { ...path, steps, fieldRule }
}

function bindMany(many: ManyPath, context: Context): ManyPath | null {
  const steps = bindSteps(many.steps, context)
  const fieldRule = bindRule(many.fieldRule, context)
  const readRule = bindRule(many.readRule, context)
  if (steps === null || fieldRule === false || readRule === false) return null
  return { ...many, steps, fieldRule, readRule }
}

function bindSteps(steps: readonly Step[], context: Context): readonly Step[] | null {
  const bound: Step[] = []
  for (const step of steps) {
    const fieldRule = bindRule(step.fieldRule, context)
    const readRule = bindRule(step.readRule, context)
    if (fieldRule === false || readRule === false) return null
    bound.push({ ...step, fieldRule, readRule })
  }
  return bound
}

/** A rule that may turn out to hold for every row, or for none. */
function bindRule(rule: Checked | boolean, context: Context): Checked | boolean {
  if (typeof rule === "boolean") return rule
  const bound = bind(rule, context)
  return bound.kind === "constant" ? bound.value : bound
}
