import type { Checked, Operand } from "./checked.ts"

/** Whether it looks at the row at all, the new row included; what only concerns the actor and the clock does not. */
export const referencesRow = (checked: Checked): boolean => referencedFields(checked).length > 0

/**
 * The names of the fields that it reads of the row itself, of its new state or of what changed, each
 * once: of `project.name` that is `project`. Fields of related records and of read rules are not among them.
 */
export function referencedFields(checked: Checked): readonly string[] {
  const found = new Set<string>()
  visit(checked, true, found)
  return [...found]
}

/** `top` is false inside of a quantifier, where plain names belong to another record. */
function visit(node: Checked, top: boolean, found: Set<string>): void {
  switch (node.kind) {
    case "constant":
      return
    case "and":
    case "or":
      for (const part of node.parts) visit(part, top, found)
      return
    case "comparison":
      visitOperand(node.left, top, found)
      visitOperand(node.right, top, found)
      return
    case "isNull":
    case "match":
    case "membership":
    case "roleTest":
      visitOperand(node.operand, top, found)
      return
    case "any":
      visitPath(node.many, top, found)
      if (node.member) visitOperand(node.member, top, found)
      visit(node.condition, false, found)
      return
    case "changed":
      found.add(node.field.name)
  }
}

function visitOperand(operand: Operand, top: boolean, found: Set<string>): void {
  if (operand.kind === "path") visitPath(operand, top, found)
  else if (operand.kind === "call") visitOperand(operand.argument, top, found)
  else if (operand.kind === "count") {
    visitPath(operand.many, top, found)
    visit(operand.condition, false, found)
  }
}

interface PathLike {
  readonly root: "row" | "new"
  readonly steps: readonly { readonly field: { readonly name: string } }[]
  readonly field: { readonly name: string }
}

function visitPath(path: PathLike, top: boolean, found: Set<string>): void {
  if (top || path.root === "new") found.add((path.steps[0]?.field ?? path.field).name)
}
