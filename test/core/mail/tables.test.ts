import { getTableConfig } from "drizzle-orm/sqlite-core"
import { expect, test } from "vitest"
import { mailSuppressions, mails } from "../../../src/core/mail/tables.ts"
import { bindings } from "./cast.ts"

test.each([mails, mailSuppressions].map((table) => getTableConfig(table)))(
  "the storage manual and the migration say the same of $name",
  async ({ name, columns, indexes }) => {
    const stored = await bindings.DB.prepare(
      "SELECT name, type, [notnull] FROM pragma_table_info(?)",
    )
      .bind(name)
      .all()
    expect(stored.results).toEqual(
      columns.map((column) => ({
        name: column.name,
        type: column.getSQLType().toUpperCase(),
        notnull: column.notNull ? 1 : 0,
      })),
    )
    const made = await bindings.DB.prepare(
      "SELECT name FROM pragma_index_list(?) WHERE origin = 'c' ORDER BY name",
    )
      .bind(name)
      .all()
    expect(made.results.map((index) => index.name)).toEqual(
      indexes.map((index) => index.config.name).sort(),
    )
  },
)
