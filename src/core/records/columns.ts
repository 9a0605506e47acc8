import { literal } from "../../platform/sql.ts"
import { bandColumn, bandsPerDegree, longitudeColumn } from "../expression/geo.ts"
import type { FieldKind } from "./fields.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"

/** A column of a collection's table, from which the migration, the Drizzle table and the engine's SQL all follow. */
export interface Column {
  readonly name: string
  readonly type: "TEXT" | "INTEGER" | "REAL"
  readonly notNull: boolean
  /** SQL of the default, of a CHECK, of a generated value; the table a foreign key leads to. */
  readonly default?: string
  readonly check?: string
  readonly generated?: string
  readonly references?: string
  readonly unique?: boolean
  readonly primaryKey?: boolean
}

/** Every record's columns, before its own. `pk` is explicit because FTS5 and restores must agree on it. */
const leading: readonly Column[] = [
  { name: "pk", type: "INTEGER", notNull: true, primaryKey: true },
  { name: "id", type: "TEXT", notNull: true, unique: true },
]
const scoping: Column = { name: "organisation", type: "TEXT", notNull: true }
const bookkeeping: readonly Column[] = [
  { name: "version", type: "INTEGER", notNull: true },
  { name: "createdAt", type: "TEXT", notNull: true },
  { name: "updatedAt", type: "TEXT", notNull: true },
  { name: "createdBy", type: "TEXT", notNull: false },
  { name: "updatedBy", type: "TEXT", notNull: false },
]

/** All columns of the collection's own table, in order. To-many fields have none. */
export const columnsOf = (collection: LinkedCollection): Column[] => [
  ...leading,
  ...(collection.scoped ? [scoping] : []),
  ...bookkeeping,
  ...[...collection.fields.values()].flatMap(fieldColumns),
]

function fieldColumns(field: LinkedField): Column[] {
  const { name, kind, required, options } = field
  if (kind === "relations" || kind === "backRelation") return []
  if (kind === "rollup") return rollupColumns(field)
  return [
    {
      name,
      type: storageTypes[kind],
      notNull: required,
      ...(kind === "boolean" && { check: `"${name}" IN (0, 1)` }),
      ...(kind === "json" && { check: `json_valid("${name}")` }),
      ...(kind === "point" && {
        check: `${latitude(name)} BETWEEN -90 AND 90 AND ${longitude(name)} BETWEEN -180 AND 180`,
      }),
      ...(kind === "relation" && { references: options.target as string }),
      ...(options.default !== undefined && constantDefault(kind, options.default)),
    },
    ...(kind === "point" ? pointColumns(name) : []),
  ]
}

const latitude = (name: string): string => `json_extract("${name}", '$.latitude')`
const longitude = (name: string): string => `json_extract("${name}", '$.longitude')`

/** What the index of a point is made of: see `bandsPerDegree`. */
const pointColumns = (name: string): Column[] => [
  {
    name: bandColumn(name),
    type: "INTEGER",
    notNull: false,
    // Never negative, so that the cast, which cuts towards zero, is the floor.
    generated: `CAST((${latitude(name)} + 90) * ${bandsPerDegree} AS INTEGER)`,
  },
  { name: longitudeColumn(name), type: "REAL", notNull: false, generated: longitude(name) },
]

const storageTypes: Record<
  Exclude<FieldKind, "relations" | "backRelation" | "rollup">,
  Column["type"]
> = {
  text: "TEXT",
  markdown: "TEXT",
  integer: "INTEGER",
  number: "REAL",
  boolean: "INTEGER",
  date: "TEXT",
  datetime: "TEXT",
  email: "TEXT",
  url: "TEXT",
  choice: "TEXT",
  json: "TEXT",
  point: "TEXT",
  relation: "TEXT",
}

/** Defaults that are expressions are filled in by the engine; constants also let a new column meet existing rows. */
function constantDefault(kind: FieldKind, value: unknown): { default?: string } {
  if (typeof value === "object" && value !== null && "expression" in value) return {}
  if (kind === "json" || kind === "point") return { default: literal(JSON.stringify(value)) }
  if (typeof value === "boolean") return { default: value ? "1" : "0" }
  return { default: typeof value === "number" ? String(value) : literal(String(value)) }
}

/**
 * Sums of integers are kept as they change; sums of doubles are computed anew, because adding and subtracting them drifts.
 * An average of integers is a sum and a count beside it, and a generated column over both.
 */
function rollupColumns({ name, rollup }: LinkedField): Column[] {
  if (!rollup) return []
  if (rollup.measure === "count") return [{ name, type: "INTEGER", notNull: true, default: "0" }]
  if (rollup.measure === "sum") {
    return [{ name, type: rollup.exact ? "INTEGER" : "REAL", notNull: true, default: "0" }]
  }
  if (!rollup.exact) return [{ name, type: "REAL", notNull: false }]
  return [
    { name: `${name}_sum`, type: "INTEGER", notNull: true, default: "0" },
    { name: `${name}_count`, type: "INTEGER", notNull: true, default: "0" },
    {
      name,
      type: "REAL",
      notNull: false,
      generated: `CAST("${name}_sum" AS REAL) / nullif("${name}_count", 0)`,
    },
  ]
}

/** The join table of a to-many field. */
export const joinTableOf = (collection: string, field: string): string => `${collection}_${field}`

/** The columns of a collection's full-text index, in order. */
export const searchColumnsOf = (collection: LinkedCollection): string[] => [
  ...(collection.scoped ? ["organisation"] : []),
  ...collection.searchFields,
]

/** The full-text index of a collection. */
export const searchTableOf = (collection: string): string => `${collection}_search`
