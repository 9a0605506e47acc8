import { isId } from "../../platform/ids.ts"
import { type InputError, invalidInput, Problem } from "../../platform/problem.ts"
import { parseWith } from "../../platform/validate.ts"
import { checkOperand, evaluateOperand } from "../expression/default-value.ts"
import { parseOperand } from "../expression/parse.ts"
import type { ValueType } from "../expression/types.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"
import type { JsonMerge, StoredFields } from "./operations.ts"
import { knows } from "./selection.ts"
import { systemFieldNames, valueTypes } from "./shape.ts"
import { isWritable, validatorsOf } from "./validators.ts"
import { encodeValue, type StoredValue } from "./values.ts"
import type { View } from "./view.ts"

/** Input by field name, validated, in the forms of the API. */
export type Input = Readonly<Record<string, unknown>>

/**
 * The body of a create.
 *
 * @throws {Problem} `invalid_input` naming each field that is wrong, unknown to this actor, or missing.
 */
export function parseCreate(view: View, collection: LinkedCollection, body: unknown): Input {
  const object = objectBody(body)
  const reserved = systemFieldNames.filter((name) => name in object)
  if (reserved.length) {
    throw invalidInput(
      ...reserved.map((path) => ({
        path,
        code: "read_only",
        message:
          path === "id"
            ? "The server makes the id; PUT chooses one."
            : `The server writes "${path}".`,
      })),
    )
  }
  return parseWhole(view, collection, object)
}

/** The body of a merge patch: null empties a field. Fields that the server writes are passed over. */
export function parsePatch(
  view: View,
  collection: LinkedCollection,
  id: string,
  body: unknown,
): Input {
  const object = withoutServerFields(collection, bodyOf(id, body))
  return parseWith(
    validatorsOf(collection).patch,
    withoutUnknown(view, collection, object),
  ) as Input
}

/** The body of a PUT: a whole record, as a GET answers it, whose server-written fields are passed over. */
export function parseReplacement(
  view: View,
  collection: LinkedCollection,
  id: string,
  body: unknown,
): Input {
  return parseWhole(view, collection, withoutServerFields(collection, bodyOf(id, body)))
}

/**
 * @throws {Problem} `forbidden` when what is missing is a field that the actor can never read, and so never give: to
 * name it would betray it, and nothing that this actor sends could be created.
 */
function parseWhole(
  view: View,
  collection: LinkedCollection,
  object: Record<string, unknown>,
): Input {
  const known = withoutUnknown(view, collection, object)
  const unattainable = [...collection.fields.values()].some(
    (field) =>
      field.required &&
      field.kind !== "relations" &&
      field.options.default === undefined &&
      !knows(view, collection, field.name),
  )
  if (unattainable) {
    throw new Problem(view.actor.kind === "anonymous" ? "unauthenticated" : "forbidden")
  }
  return parseWith(validatorsOf(collection).create, known) as Input
}

/** @throws {Problem} unless it is a UUID in the lower-case form. */
export function parseNewId(id: string): string {
  if (isId(id)) return id
  throw invalidInput({ path: "id", code: "id", message: "An id is a UUID in lower case." })
}

/** @throws {Problem} unless the id in the body, if there is one, is that of the address. */
function bodyOf(id: string, body: unknown): Record<string, unknown> {
  const object = objectBody(body)
  if (!("id" in object) || object.id === id) return object
  throw invalidInput({
    path: "id",
    code: "mismatch",
    message: "The id in the body is not the id in the address.",
  })
}

/** @throws {Problem} `invalid_input` for what is no JSON object. */
export function objectBody(body: unknown): Record<string, unknown> {
  if (typeof body === "object" && body !== null && !Array.isArray(body))
    return body as Record<string, unknown>
  throw invalidInput({
    path: "body",
    code: "invalid_type",
    message: "The body must be a JSON object.",
  })
}

function withoutServerFields(
  collection: LinkedCollection,
  object: Record<string, unknown>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).filter(
      ([name]) =>
        !systemFieldNames.includes(name) &&
        name !== "expanded" &&
        name !== "expandedNext" &&
        collection.fields.get(name)?.kind !== "rollup",
    ),
  )
}

/** A field that the actor can never read is unknown to it, whatever it sends. */
function withoutUnknown(
  view: View,
  collection: LinkedCollection,
  object: Record<string, unknown>,
): Record<string, unknown> {
  const errors = Object.keys(object)
    .filter((name) => {
      const field = collection.fields.get(name)
      return !field || !isWritable(field) || !knows(view, collection, name)
    })
    .map((name): InputError => {
      const field = collection.fields.get(name)
      return field && knows(view, collection, name)
        ? { path: name, code: "read_only", message: `"${name}" is computed, not written.` }
        : { path: name, code: "unknown_field", message: `There is no field "${name}".` }
    })
  if (errors.length) throw invalidInput(...errors)
  return object
}

/** Defaults for the fields that a create left out. */
export function withDefaults(view: View, collection: LinkedCollection, input: Input): Input {
  const filled: Record<string, unknown> = { ...input }
  for (const field of collection.fields.values()) {
    if (filled[field.name] !== undefined || field.options.default === undefined) continue
    filled[field.name] = defaultOf(view, field)
  }
  return filled
}

/** @throws {Problem} naming required fields that stayed empty: a default may have been null. */
export function assertComplete(collection: LinkedCollection, input: Input): void {
  const missing = [...collection.fields.values()].filter(
    (field) => field.required && field.kind !== "relations" && (input[field.name] ?? null) === null,
  )
  if (missing.length === 0) return
  throw invalidInput(
    ...missing.map(({ name }) => ({
      path: name,
      code: "required",
      message: `"${name}" is required.`,
    })),
  )
}

function defaultOf(view: View, field: LinkedField): unknown {
  const value = field.options.default
  if (typeof value !== "object" || value === null || !("expression" in value)) return value
  const type: ValueType = valueTypes[field.kind] ?? "text"
  return evaluateOperand(checkOperand(parseOperand(value.expression as string), type), view.context)
}

/** Input in stored form: what has a column, and what has a join table. */
export function toStored(collection: LinkedCollection, input: Input) {
  const columns: Record<string, StoredValue> = {}
  const many: Record<string, readonly string[]> = {}
  for (const [name, value] of Object.entries(input)) {
    const field = collection.fields.get(name)
    if (!field || value === undefined) continue
    if (field.kind === "relations") many[name] = (value as string[] | null) ?? []
    else columns[name] = encodeValue(field, value)
  }
  return { columns, many }
}

/** The same for a merge patch, which reaches into `json` fields: an object there is merged, not put in place. */
export function toChanges(collection: LinkedCollection, patch: Input): StoredFields {
  const { columns, many } = toStored(collection, patch)
  const changed: Record<string, StoredValue | JsonMerge> = columns
  for (const [name, value] of Object.entries(patch)) {
    const merges = typeof value === "object" && value !== null && !Array.isArray(value)
    if (merges && collection.fields.get(name)?.kind === "json")
      changed[name] = { merge: JSON.stringify(value) }
  }
  return { columns: changed, many }
}

/**
 * What a PUT makes of a record that is there already: everything that is left out falls back to its constant default
 * or to null. Fields whose rights depend on rules are left alone, or nobody without those rights could PUT at all; so
 * are fields whose default says who created the record.
 */
export function replacementOf(view: View, collection: LinkedCollection, input: Input): Input {
  const whole: Record<string, unknown> = { ...input }
  for (const field of collection.fields.values()) {
    if (!isWritable(field) || whole[field.name] !== undefined) continue
    const restricted =
      view.fieldRule(field) !== true ||
      (field.writable !== null && view.writableRule(collection, field.writable) !== true)
    const fallback = field.options.default
    const computed = typeof fallback === "object" && fallback !== null && "expression" in fallback
    if (restricted || computed) continue
    whole[field.name] = field.kind === "relations" ? [] : (fallback ?? null)
  }
  return whole
}
