import { literal, raw, type Sql, sql } from "../../platform/sql.ts"
import type { RowSource } from "../expression/types.ts"
import type { HookRecord } from "./collection.ts"
import type { FieldKind } from "./fields.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"
import { decodeValue, encodeValue, type StoredValue } from "./values.ts"

/*
 * Records as lines of the change log hold them. A line may be older than the definition: a field that it does not know has
 * the constant default that the migration gave to the rows of then, and a value of a kind that the field no longer has
 * is null to every rule, because SQLite would compare it by its type alone.
 */

/**
 * The columns of a record as a line of the change log holds it: `log` is the alias of the line, `row` of the record as it
 * is now, which answers what belongs to no version (rollups); null where there is none.
 */
export function imageSource(
  collection: LinkedCollection,
  log: string,
  row: string | null,
): RowSource {
  const payload = raw(`${log}.payload`)
  const at = (call: string, name: string) =>
    sql`${raw(call)}(${payload}, ${raw(literal(`$."${name}"`))})`
  const value = (field: LinkedField): Sql => {
    const { name, kind } = field
    const fallback = defaultOf(field)
    const otherwise =
      fallback === null ? raw("") : sql` WHEN ${at("json_type", name)} IS NULL THEN ${fallback}`
    // What once was a text need not be JSON, and SQLite's functions fail over what is not.
    const sound = kind === "point" ? sql` AND json_valid(${at("json_extract", name)})` : raw("")
    return sql`CASE WHEN ${at("json_type", name)} IN (${raw(typesOf(kind))})${sound} THEN ${at("json_extract", name)}${otherwise} END`
  }
  return {
    column(name) {
      const field = collection.fields.get(name)
      if (!field) return at("json_extract", name)
      if (field.rollup) return raw(row === null ? "NULL" : `${row}."${name}"`)
      return value(field)
    },
    ids: (name) => {
      const field = collection.fields.get(name)
      return field?.kind === "relations" ? sql`ifnull(${value(field)}, '[]')` : null
    },
  }
}

/** What `json_type` says of values of a kind. */
function typesOf(kind: FieldKind): string {
  if (kind === "relations") return "'array'"
  if (kind === "boolean") return "'integer'"
  return kind === "integer" || kind === "number" ? "'integer', 'real'" : "'text'"
}

/** The stored form of a constant default; null where there is none, or it depends on who creates and when. */
function defaultOf(field: LinkedField): StoredValue {
  const { default: fallback } = field.options
  if (typeof fallback === "object" && fallback !== null && "expression" in fallback) return null
  return encodeValue(field, fallback)
}

/** The value of a field in a stored record, in the form of the API. */
export function imageValue(field: LinkedField, image: Readonly<Record<string, unknown>>): unknown {
  const value = image[field.name]
  if (value === undefined) {
    return field.kind === "relations" ? [] : decodeValue(field.kind, defaultOf(field))
  }
  return decodeStored(field, value)
}

/** A payload of the log in the forms of the API: for hooks, which see every field. */
export function decodeImage(collection: LinkedCollection, payload: string): HookRecord {
  const stored = JSON.parse(payload) as Record<string, unknown>
  const record: HookRecord = {}
  for (const [name, value] of Object.entries(stored)) {
    const field = collection.fields.get(name)
    record[name] = field ? decodeStored(field, value) : value
  }
  return record
}

/** What once was a text need not be JSON. */
function decodeStored(field: LinkedField, value: unknown): unknown {
  try {
    return decodeValue(field.kind, value)
  } catch {
    return value
  }
}
