import type { OpenApi, Schema } from "../../../src/core/docs/document.ts"
import { resolve } from "../../../src/core/docs/sample.ts"

interface How {
  /** False where the caller asked for some fields only. */
  readonly required: boolean
  /** True for what is sent: read-only properties are passed over there, and instants may have any offset. */
  readonly input?: boolean
}

/**
 * What is wrong with a value by a schema of the document, as `path: complaint`. Stricter than JSON Schema: a property
 * that the document does not name is a complaint, because it would be an answer that nobody promised.
 */
export function complaints(
  document: OpenApi,
  given: Schema,
  value: unknown,
  how: How,
  path = "$",
): string[] {
  const schema = resolve<Schema>(document, given)
  const inner = (part: Schema, at: unknown, where = path) =>
    complaints(document, part, at, how, where)
  const found: string[] = []
  if (schema.anyOf?.every((part) => inner(part, value).length > 0)) {
    return schema.anyOf.flatMap((part) => inner(part, value))
  }
  const types = typeof schema.type === "string" ? [schema.type] : schema.type
  if (
    types &&
    !types.includes(typeOf(value)) &&
    !(typeOf(value) === "integer" && types.includes("number"))
  ) {
    return [`${path}: is ${typeOf(value)}, not ${types.join(" or ")}`]
  }
  if (schema.enum && !schema.enum.includes(value)) found.push(`${path}: is none of the choices`)
  if (schema.const !== undefined && schema.const !== value)
    found.push(`${path}: is not ${schema.const}`)
  if (typeof value === "string") found.push(...textComplaints(schema, value, path, how))
  if (typeof value === "number") {
    if (value < (schema.minimum ?? value)) found.push(`${path}: too small`)
    if (value > (schema.maximum ?? value)) found.push(`${path}: too big`)
  }
  if (Array.isArray(value)) {
    if (value.length > (schema.maxItems ?? value.length)) found.push(`${path}: too many`)
    if (schema.uniqueItems && new Set(value).size < value.length)
      found.push(`${path}: twice the same`)
    const { items } = schema
    if (items) found.push(...value.flatMap((item, i) => inner(items, item, `${path}[${i}]`)))
  } else if (typeof value === "object" && value !== null && schema.properties) {
    const record = value as Readonly<Record<string, unknown>>
    for (const [name, part] of Object.entries(record)) {
      const property = schema.properties[name]
      if (property?.readOnly && how.input) continue
      if (property) found.push(...inner(property, part, `${path}.${name}`))
      else found.push(`${path}.${name}: is not in the document`)
    }
    if (how.required) {
      for (const name of schema.required ?? []) {
        if (!(name in record)) found.push(`${path}.${name}: is missing`)
      }
    }
  }
  return found
}

const formats: Readonly<Record<string, RegExp>> = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  date: /^\d{4}-\d{2}-\d{2}$/,
  "date-time": /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/,
}

function textComplaints(schema: Schema, text: string, path: string, { input }: How): string[] {
  const length = [...text].length
  const anyOffset = input && schema.format === "date-time"
  const format = schema.format === undefined || anyOffset ? undefined : formats[schema.format]
  return [
    ...(length < (schema.minLength ?? 0) ? [`${path}: too short`] : []),
    ...(length > (schema.maxLength ?? length) ? [`${path}: too long`] : []),
    ...(schema.pattern && !new RegExp(schema.pattern, "u").test(text) ? [`${path}: no match`] : []),
    ...(format && !format.test(text) ? [`${path}: is no ${schema.format}`] : []),
  ]
}

function typeOf(value: unknown): string {
  if (value === null) return "null"
  if (Array.isArray(value)) return "array"
  return Number.isInteger(value) ? "integer" : typeof value
}
