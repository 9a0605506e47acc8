import type { Sql } from "../../platform/sql.ts"
import type { Checked } from "./checked.ts"

/** How values of a field behave in comparisons. `json` and `point` can only be compared with null. */
export type ValueType = "text" | "number" | "boolean" | "date" | "datetime" | "json" | "point"

/**
 * What the language knows of a collection: names, types, and where the values lie.
 * Supplied by `records`, which alone knows definitions; this module knows no collection.
 */
export interface Shape {
  /** Name of the collection, for messages. */
  readonly name: string
  /** The table in SQL, unquoted. Every table has an `id TEXT UNIQUE` column. */
  readonly table: string
  /** Null when there is no field of that name. System fields (`id`, `createdAt`, …) are fields too. */
  field(name: string): ShapeField | null
  /** All names, for "did you mean" in messages of trusted mode. */
  fieldNames(): readonly string[]
}

interface FieldBase {
  readonly name: string
  /** True when SQLite has an index that starts with this column (after the organisation). */
  readonly indexed: boolean
}
export interface ValueField extends FieldBase {
  readonly kind: "value"
  readonly column: string
  readonly type: ValueType
}
/** A relation to one record: `column` holds the target's id. */
export interface OneField extends FieldBase {
  readonly kind: "one"
  readonly column: string
  readonly target: () => Shape
}
/**
 * A relation to many: through a join table (columns `source`, `target`, `position`; ids), or
 * a back-relation: the target's records whose `backColumn` (of its field `backField`) holds this record's id.
 */
export interface ManyField extends FieldBase {
  readonly kind: "many"
  readonly target: () => Shape
  readonly through:
    | { readonly joinTable: string }
    | { readonly backField: string; readonly backColumn: string }
}
export type ShapeField = ValueField | OneField | ManyField

/** Who asks, and when. Everything `@…` in an expression, except `@new` and `@changed`, comes from here. */
export interface Context {
  readonly me: {
    readonly id: string | null
    readonly email: string | null
    readonly kind: string
    readonly roles: readonly string[]
  }
  readonly organisation: string | null
  /** The instant of the request, in milliseconds since the epoch: the clock is passed in. */
  readonly now: number
}

/** What a caller of client mode may see. The rules that it answers were checked in trusted mode. */
export interface Access {
  /** The read rule of a collection for this actor; false when it reads nothing of it. */
  readRule(shape: Shape): Checked | boolean
  /** The read rule of one field; true when it has none. False: the field is unknown to this actor. */
  fieldRule(shape: Shape, field: string): Checked | boolean
}

/** The condition that separates tenants, added to every row source that the compiler opens, in both modes; null for none. */
export type Scope = (shape: Shape, alias: string) => Sql | null

/**
 * Where the current row lies: answers the SQL of one of its columns (`t0."title"`, `json_extract(c.payload,'$.title')`).
 * `ids` answers the ids of a to-many field when they do not lie in the join table (a CTE of new values, an image from the log):
 * SQL for a JSON array; null means "look in the tables".
 */
export interface RowSource {
  column(name: string): Sql
  /** True for a row of the collection's own table, which has the computed columns of its indexes too. */
  readonly stored?: true
  ids?(field: string): Sql | null
}
