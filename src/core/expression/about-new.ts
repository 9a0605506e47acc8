import type { Checked, ManyPath, Operand, Path } from "./checked.ts"

/**
 * The same condition, about the new row instead of the stored one: what an "after" rule asks. `@changed` still
 * compares both. Conditions inside quantifiers are about the rows of the target, and stay.
 */
export function aboutNew(node: Checked): Checked {
  switch (node.kind) {
    case "constant":
    case "changed":
      return node
    case "and":
    case "or":
      return { ...node, parts: node.parts.map(aboutNew) }
    case "comparison":
      return { ...node, left: newOperand(node.left), right: newOperand(node.right) }
    case "isNull":
    case "roleTest":
    case "within":
      return { ...node, operand: newOperand(node.operand) }
    case "match":
      return {
        ...node,
        operand: newOperand(node.operand),
        pattern: isOperand(node.pattern) ? newOperand(node.pattern) : node.pattern,
      }
    case "membership":
      return { ...node, operand: newOperand(node.operand), values: node.values.map(newOperand) }
    case "any":
      return { ...node, many: newMany(node.many), member: node.member && newOperand(node.member) }
  }
}

function newOperand(operand: Operand): Operand {
  switch (operand.kind) {
    case "path":
      return { ...operand, root: "new" } satisfies Path
    case "call":
      return { ...operand, argument: newOperand(operand.argument) }
    case "count":
      return { ...operand, many: newMany(operand.many) }
    case "distance":
      return { ...operand, point: newOperand(operand.point) }
    default:
      return operand
  }
}

const newMany = (many: ManyPath): ManyPath => ({ ...many, root: "new" })

const operandKinds: readonly string[] = [
  "value",
  "actor",
  "time",
  "path",
  "call",
  "count",
  "distance",
] satisfies Operand["kind"][]
const isOperand = (pattern: object): pattern is Operand =>
  "kind" in pattern && operandKinds.includes(pattern.kind as string)
