import type { Checked, ManyPath, Operand, Step } from "../expression/checked.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"
import type { View } from "./view.ts"

/**
 * Whether one new record of a collection may decide about the next: then they have to be judged one after another, and not
 * all before any is written. So it is where a rule of its creation looks at other records of the collection, or at what is
 * counted over them; and where a record may point at one of its siblings.
 */
export function decidesAmongItself(
  view: View,
  collections: LinkedCollections,
  collection: LinkedCollection,
): boolean {
  if (
    [...collection.fields.values()].some(
      ({ kind, target }) => pointsAt(kind) && target === collection,
    )
  ) {
    return true
  }
  if (view.passes(collection)) return false
  const rules = [
    collection.rules.create,
    ...[...collection.fields.values()].flatMap(({ writable, target, kind }) => [
      writable,
      // A relation may point only at what its writer may read.
      pointsAt(kind) ? (target?.rules.read ?? null) : null,
    ]),
  ]
  return rules.some((rule) => rule !== null && reads(rule, collections, collection))
}

const pointsAt = (kind: string): boolean => kind === "relation" || kind === "relations"

/** Whether an expression looks at records of the collection, on whatever way. */
function reads(
  node: Checked,
  collections: LinkedCollections,
  collection: LinkedCollection,
): boolean {
  const operand = (one: Operand): boolean => {
    switch (one.kind) {
      case "call":
        return operand(one.argument)
      case "distance":
        return operand(one.point)
      case "count":
        return many(one.many) || within(one.condition)
      case "path": {
        if (steps(one.steps)) return true
        const owner = one.steps.at(-1)?.target.name
        const rollup = owner && collections.get(owner)?.fields.get(one.field.name)?.rollup
        return Boolean(rollup && rollup.child === collection)
      }
      default:
        return false
    }
  }
  const steps = (path: readonly Step[]): boolean =>
    path.some(({ target }) => target.name === collection.name)
  const many = (path: ManyPath): boolean =>
    steps(path.steps) || path.target.name === collection.name
  const within = (inner: Checked): boolean => reads(inner, collections, collection)
  switch (node.kind) {
    case "and":
    case "or":
      return node.parts.some(within)
    case "comparison":
      return operand(node.left) || operand(node.right)
    case "match":
      return (
        operand(node.operand) ||
        (node.pattern.kind !== "contains" && node.pattern.kind !== "parts" && operand(node.pattern))
      )
    case "isNull":
    case "membership":
    case "roleTest":
    case "within":
      return operand(node.operand)
    case "any":
      return many(node.many) || within(node.condition)
    case "constant":
    case "changed":
      return false
  }
}
