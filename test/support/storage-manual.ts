import { env } from "cloudflare:workers"
import { getTableConfig, type SQLiteTable } from "drizzle-orm/sqlite-core"
import { expect, test } from "vitest"

/** Tests that `tables.ts`, the storage manual, and the migrations say the same: columns, types, nulls, indexes. */
export const testStorageManual = (tables: readonly SQLiteTable[]): void =>
  test.each(tables.map((table) => getTableConfig(table)))(
    "the storage manual and the migration say the same of $name",
    async ({ name, columns, indexes }) => {
      const stored = await env.DB.prepare("SELECT name, type, [notnull] FROM pragma_table_info(?)")
        .bind(name)
        .all()
      expect(stored.results).toEqual(
        columns.map((column) => ({
          name: column.name,
          type: column.getSQLType().toUpperCase(),
          notnull: column.notNull ? 1 : 0,
        })),
      )
      const made = await env.DB.prepare(
        "SELECT name FROM pragma_index_list(?) WHERE origin = 'c' ORDER BY name",
      )
        .bind(name)
        .all()
      expect(made.results.map((index) => index.name)).toEqual(
        indexes.map(({ config }) => config.name).sort(),
      )
    },
  )
