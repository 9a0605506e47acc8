import { literal, raw, type Sql, sql } from "../../platform/sql.ts"
import type { RowSource } from "../expression/types.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"
import type { JsonMerge, StoredFields } from "./operations.ts"
import type { StoredValue } from "./values.ts"

/* What the parts of a write share: the row as it is, and as it will be. */

export const manyFields = (collection: LinkedCollection): LinkedField[] =>
  [...collection.fields.values()].filter((field) => field.kind === "relations")

export const current = "t0"

/** The stored row with the changes laid over it. */
export function changedRowSource(collection: LinkedCollection, changes: StoredFields): RowSource {
  return {
    column(name) {
      const stored = raw(`${current}."${name}"`)
      const value = changes.columns[name]
      if (value === undefined) return stored
      // A parameter has no affinity, and D1 binds numbers as REAL: cast where it could show.
      const next = assigned(value, stored)
      return collection.fields.get(name)?.kind === "integer" ? sql`CAST(${next} AS INTEGER)` : next
    },
    ids: (field) => {
      const ids = changes.many[field]
      return ids ? sql`${JSON.stringify(ids)}` : null
    },
  }
}

/** What a column is set to. */
export const assigned = (value: StoredValue | JsonMerge, stored: Sql): Sql =>
  typeof value === "object" && value !== null
    ? sql`json_patch(ifnull(${stored}, '{}'), ${value.merge})`
    : sql`${value}`

export const literalText = (text: string): Sql => raw(literal(text))
