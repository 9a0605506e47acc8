import type { NameAst, PathAst } from "./ast.ts"
import type { Checked, ManyPath, Path, Step } from "./checked.ts"
import { conjunction } from "./checked.ts"
import { ExpressionError } from "./error.ts"
import { nearestName } from "./nearest-name.ts"
import type { Access, ManyField, Shape, ShapeField } from "./types.ts"

/** What names mean at one place of an expression, and for whom. */
export interface Names {
  /** The collection whose fields bare names are. */
  readonly shape: Shape
  /** The collection that the expression is about: `@new` stays with it inside of quantifiers. */
  readonly top: Shape
  /** Null in trusted mode, which sees everything. */
  readonly access: Access | null
  /** Whether `@new` and `@changed` exist. */
  readonly write: boolean
  /** About an event: own fields alone, as they are after it, and before it with `@old`. */
  readonly event?: boolean
}

/**
 * A path that ends in a value: a field, or a relation to one, whose value is the id it stores.
 *
 * @throws {ExpressionError} `unknown_field`, also for what the caller may never read: word for word the same.
 */
export function resolvePath(path: PathAst, names: Names): Path {
  const { root, steps, shape, last } = walk(path, names)
  const { field, rule } = lookUp(last, shape, names, path)
  if (field.kind === "many") {
    const problem = `"${written(path)}" holds many records`
    const hint = `ask any(${written(path)}, …), all, none, count or has`
    throw new ExpressionError("wrong_type", path.position, problem, hint)
  }
  const type = field.kind === "one" ? "text" : field.type
  return { kind: "path", type, root, steps, field, fieldRule: rule }
}

/** A path that ends in a point. */
export function resolvePoint(path: PathAst, names: Names): Path {
  const resolved = resolvePath(path, names)
  if (resolved.type === "point") return resolved
  const problem = `"${written(path)}" is no point`
  throw new ExpressionError("wrong_type", path.position, problem)
}

/** A path that ends in a relation to many. */
export function resolveMany(path: PathAst, names: Names): ManyPath {
  const { root, steps, shape, last } = walk(path, names)
  const { field, rule } = lookUp(last, shape, names, path)
  if (names.event) throw leadsAway(path)
  if (field.kind !== "many") {
    const problem = `"${written(path)}" is no relation to many`
    throw new ExpressionError("wrong_type", path.position, problem, "compare its value instead")
  }
  const target = field.target()
  const readRule = manyReadRule(field, target, names.access)
  return { root, steps, field, fieldRule: rule, target, readRule }
}

/** The field that `@changed(…)` names. */
export function resolveChanged(name: NameAst, names: Names): ShapeField {
  refuseUnlessWrite("@changed", name.position, names)
  const path: PathAst = { kind: "path", root: "row", names: [name], position: name.position }
  const { field } = lookUp(name, names.top, names, path)
  if (field.kind === "many" && !("joinTable" in field.through)) {
    const problem = `"${name.name}" is kept by other records`
    throw new ExpressionError(
      "not_allowed",
      name.position,
      problem,
      "it never changes with this one",
    )
  }
  return field
}

/** As written: `@new.project.owner`. No message names a collection, which the caller might not know. */
export const written = (path: PathAst): string =>
  (path.root === "row" ? "" : `@${path.root}.`) + path.names.map(({ name }) => name).join(".")

function refuseUnlessWrite(word: string, position: number, names: Names): void {
  if (names.write) return
  const hint = "only rules of writes know what changes"
  throw new ExpressionError("not_allowed", position, `"${word}" has no meaning`, hint)
}

/** Follows the relations to one before the last name. */
function walk(
  path: PathAst,
  names: Names,
): { root: "row" | "new"; steps: Step[]; shape: Shape; last: NameAst } {
  const root = rootOf(path, names)
  if (names.event && path.names.length > 1) throw leadsAway(path)
  let shape = path.root === "new" ? names.top : names.shape
  const steps: Step[] = []
  for (const name of path.names.slice(0, -1)) {
    const { field, rule } = lookUp(name, shape, names, path)
    if (field.kind !== "one") throw notFollowed(field, name)
    const target = field.target()
    const readRule = names.access?.readRule(target) ?? true
    steps.push({ field, fieldRule: rule, target, readRule })
    shape = target
  }
  return { root, steps, shape, last: path.names.at(-1) as NameAst }
}

/** Of an event, the row is what it left behind, and the other state is what was before. */
function rootOf({ root, position }: PathAst, names: Names): "row" | "new" {
  if (names.event) return root === "old" ? "new" : "row"
  if (root === "old") {
    const hint = "only conditions on events know what was before"
    throw new ExpressionError("not_allowed", position, '"@old" has no meaning', hint)
  }
  if (root === "new") refuseUnlessWrite("@new", position, names)
  return root
}

const leadsAway = (path: PathAst): ExpressionError =>
  new ExpressionError(
    "not_allowed",
    path.position,
    `"${written(path)}" leads to other records`,
    "a condition on events asks for the record's own values",
  )

function notFollowed(field: ShapeField, name: NameAst): ExpressionError {
  const many = field.kind === "many"
  const problem = many ? `"${name.name}" holds many records` : `"${name.name}" has no fields`
  const hint = many ? `ask any(${name.name}, …), all, none, count or has` : "it is no relation"
  return new ExpressionError("wrong_type", name.position, problem, hint)
}

function lookUp(
  name: NameAst,
  shape: Shape,
  names: Names,
  path: PathAst,
): { field: ShapeField; rule: Checked | true } {
  const field = shape.field(name.name)
  const rule = field === null ? false : ruleOf(shape, name.name, names.access)
  if (field !== null && rule !== false) return { field, rule }
  const known = shape.fieldNames().filter((other) => ruleOf(shape, other, names.access) !== false)
  const near = nearestName(name.name, known)
  const prefix = path.names.slice(0, path.names.indexOf(name) + 1)
  const problem = `Unknown field "${written({ ...path, names: prefix as [NameAst] })}"`
  const hint = near ? `did you mean "${near}"?` : ""
  throw new ExpressionError("unknown_field", name.position, problem, hint)
}

const ruleOf = (shape: Shape, field: string, access: Access | null): Checked | boolean =>
  access?.fieldRule(shape, field) ?? true

/**
 * A back-relation is nothing but the other side of a field: whoever may not read that field of a
 * record must not learn its value by asking from here.
 */
function manyReadRule(field: ManyField, target: Shape, access: Access | null): Checked | boolean {
  if (!access) return true
  const rules = [access.readRule(target)]
  if ("backField" in field.through) rules.push(access.fieldRule(target, field.through.backField))
  if (rules.includes(false)) return false
  const conditions = rules.filter((rule) => typeof rule !== "boolean")
  return conditions.length === 0 ? true : conjunction(conditions)
}
