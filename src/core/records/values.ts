import type { LinkedField } from "./link.ts"

/*
 * Values in two forms: as the API speaks them, and as SQLite stores them. A stored value travels in JSON (`json_each`)
 * or as a parameter; booleans are 1 and 0, `json` and `point` are their text, dates are ISO texts.
 */

export type StoredValue = string | number | null

/** A validated value of a field that has a column, as it is stored. */
export function encodeValue(field: LinkedField, value: unknown): StoredValue {
  if (value === null || value === undefined) return null
  if (field.kind === "boolean") return value ? 1 : 0
  if (field.kind === "json" || field.kind === "point") return JSON.stringify(value)
  return value as StoredValue
}

/** Whether the stored form of a kind differs from the API's. */
export const isConverted = (kind: LinkedField["kind"]): boolean =>
  kind === "boolean" || kind === "json" || kind === "point" || kind === "relations"

/** A stored value, as the API speaks it. */
export function decodeValue(kind: LinkedField["kind"], stored: unknown): unknown {
  if (stored === null || stored === undefined) return null
  if (kind === "boolean") return stored === 1
  if (kind === "json" || kind === "point") return JSON.parse(stored as string)
  // An array that comes out of nested JSON is one already.
  if (kind === "relations") return typeof stored === "string" ? JSON.parse(stored) : stored
  return stored
}
