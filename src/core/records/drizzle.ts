import type { NotNull } from "drizzle-orm"
import {
  integer,
  real,
  type SQLiteBooleanBuilderInitial,
  type SQLiteColumnBuilderBase,
  type SQLiteRealBuilderInitial,
  type SQLiteTextBuilderInitial,
  type SQLiteTextJsonBuilderInitial,
  sqliteTable,
  text,
} from "drizzle-orm/sqlite-core"
import type { Sql, SqlValue } from "../../platform/sql.ts"
import type { Point } from "../expression/geo.ts"
import type { Collection, Fields } from "./collection.ts"
import type { Field, IsRequired, ValueOf } from "./fields.ts"

/*
 * Collections as Drizzle tables, for reports that the records API cannot express. Reads only: a write past the one write
 * path would leave no line in the log. Rules and the organisation are not applied: what is built here is the system's own.
 */

type Text = SQLiteTextBuilderInitial<"", [string, ...string[]], undefined>
type Nullable<F extends Field, Builder extends SQLiteColumnBuilderBase> = [IsRequired<F>] extends [
  true,
]
  ? NotNull<Builder>
  : Builder
type BuilderOf<F extends Field> = [unknown] extends [ValueOf<F>]
  ? Nullable<F, SQLiteTextJsonBuilderInitial<"">>
  : [ValueOf<F>] extends [boolean]
    ? Nullable<F, SQLiteBooleanBuilderInitial<"">>
    : [ValueOf<F>] extends [Point]
      ? Nullable<F, SQLiteTextJsonBuilderInitial<"">>
      : [ValueOf<F>] extends [number]
        ? Nullable<F, SQLiteRealBuilderInitial<"">>
        : Nullable<F, Text>

/** Columns of a table: to-many fields and back-relations have none. */
type ColumnsOf<F extends Fields> = {
  [Name in keyof F as [ValueOf<F[Name]>] extends [never]
    ? never
    : [ValueOf<F[Name]>] extends [string[]]
      ? never
      : Name]: BuilderOf<F[Name]>
} & {
  id: NotNull<Text>
  version: NotNull<SQLiteRealBuilderInitial<"">>
  createdAt: NotNull<Text>
  updatedAt: NotNull<Text>
  createdBy: Text
  updatedBy: Text
}

/** The Drizzle table of a collection, typed from its fields. */
export function tableOf<const Name extends string, const F extends Fields>(
  collection: Collection<Name, F>,
) {
  const columns: Record<string, SQLiteColumnBuilderBase> = {
    id: text().notNull(),
    ...(collection.options.scope && { organisation: text().notNull() }),
    version: integer().notNull(),
    createdAt: text().notNull(),
    updatedAt: text().notNull(),
    createdBy: text(),
    updatedBy: text(),
  }
  for (const [name, field] of Object.entries(collection.options.fields)) {
    const column = columnOf(field)
    if (column) columns[name] = column
  }
  return sqliteTable(collection.name as Name, columns as ColumnsOf<F>)
}

function columnOf({ kind, required }: Field): SQLiteColumnBuilderBase | null {
  switch (kind) {
    case "relations":
    case "backRelation":
      return null
    case "boolean":
      return required ? integer({ mode: "boolean" }).notNull() : integer({ mode: "boolean" })
    case "json":
    case "point":
      return required ? text({ mode: "json" }).notNull() : text({ mode: "json" })
    case "integer":
      return required ? integer().notNull() : integer()
    case "number":
    case "rollup":
      return required ? real().notNull() : real()
    default:
      return required ? text().notNull() : text()
  }
}

/** A query of Drizzle's builder, as a statement for `app.db`. */
export function statementOf(query: { toSQL(): { sql: string; params: unknown[] } }): Sql {
  const { sql, params } = query.toSQL()
  return { text: sql, params: params as SqlValue[] }
}
