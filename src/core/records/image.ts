import { literal, raw, sql } from "../../platform/sql.ts"
import type { RowSource } from "../expression/types.ts"
import type { HookRecord } from "./collection.ts"
import type { LinkedCollection } from "./link.ts"
import { decodeValue } from "./values.ts"

/**
 * The columns of a record as a line of the change log holds it: `log` is the alias of the line, `row` of the record as it
 * is now, which answers what belongs to no version (rollups).
 */
export function imageSource(collection: LinkedCollection, log: string, row: string): RowSource {
  const path = (name: string) =>
    sql`json_extract(${raw(`${log}.payload`)}, ${raw(literal(`$."${name}"`))})`
  return {
    column: (name) => (collection.fields.get(name)?.rollup ? raw(`${row}."${name}"`) : path(name)),
    ids: (field) => (collection.fields.get(field)?.kind === "relations" ? path(field) : null),
  }
}

/** A payload of the log in the forms of the API: for hooks, which see every field. */
export function decodeImage(collection: LinkedCollection, payload: string): HookRecord {
  const stored = JSON.parse(payload) as Record<string, unknown>
  const record: HookRecord = {}
  for (const [name, value] of Object.entries(stored)) {
    const field = collection.fields.get(name)
    record[name] = field ? decodeValue(field.kind, value) : value
  }
  return record
}
