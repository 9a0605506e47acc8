import { DefinitionError } from "../../platform/definition-error.ts"
import { identifier, join, raw, type Sql, sql } from "../../platform/sql.ts"
import { joinTableOf } from "./columns.ts"
import type { LinkedCollection } from "./link.ts"
import { organisationOf, type View } from "./view.ts"

/*
 * Read-only collections that are defined in SQL. The SQL is no view of the database: it stands inside of each query, where
 * every table of organisations is shadowed by those of its rows that belong to the caller's. So no definition can mix
 * tenants, whatever it groups and joins, and no migration has to get a view out of the way of a table that is made anew.
 */

/** What a view's SQL reads: tables and join tables by name, with the collections that own them. */
export interface SqlView {
  readonly text: string
  readonly reads: readonly { readonly table: string; readonly of: LinkedCollection }[]
}

/**
 * Checks the SQL of a view as far as its words tell. Whether it runs is told by `migrate:new` and the tests, which have a
 * database at hand.
 *
 * @throws {DefinitionError} for what would reach past the collections: tables of the core, other schemas, full-text
 * indexes, parameters, several statements; for fields and rules that nobody could write or keep.
 */
export function linkSqlView(
  collection: LinkedCollection,
  collections: ReadonlyMap<string, LinkedCollection>,
  reserved: ReadonlySet<string>,
): SqlView {
  const { name, definition } = collection
  const text = definition.options.sql ?? ""
  const wrong = (problem: string) => new DefinitionError(`The view "${name}" ${problem}`)
  for (const field of collection.fields.values()) {
    if (["relations", "backRelation", "rollup"].includes(field.kind)) {
      throw wrong(
        `has the field "${field.name}": a view has fields with a column of its SQL alone.`,
      )
    }
  }
  if (/[?;`[]|--|\/\*|[:@$]\w/.test(withoutStrings(text))) {
    throw wrong(
      "may hold one statement, without parameters, comments, backticks and brackets: write comments in TypeScript.",
    )
  }
  const words = wordsOf(text)
  if (!/^\s*(select|with|values)\b/i.test(text)) throw wrong("has to begin with SELECT or WITH.")
  for (const word of words) {
    const other = [...collections.values()].find(({ name }) => name.toLowerCase() === word)
    if (other?.definition.options.sql !== undefined && other !== collection) {
      throw wrong(`reads "${other.name}", which is a view itself: write out what that reads.`)
    }
    const outside =
      ["main", "temp"].includes(word) ||
      /^(sqlite_|pragma_|_cf_|d1_)/.test(word) ||
      (reserved.has(word) && word !== "members")
    if (outside || isDerivedTable(word, collections)) {
      throw wrong(
        `names "${word}": it may read collections and nothing else. If it is a name of its own, choose another.`,
      )
    }
  }
  const tables = [...collections.values()].flatMap((of) => [
    { table: of.name, of },
    ...[...of.fields.values()]
      .filter(({ kind }) => kind === "relations")
      .map((field) => ({ table: joinTableOf(of.name, field.name), of })),
  ])
  return { text, reads: tables.filter(({ table }) => words.has(table.toLowerCase())) }
}

/** SQL with its string literals emptied. */
const withoutStrings = (text: string): string => text.replaceAll(/'(?:[^']|'')*'/g, "''")

/** All names in a text, in lower case, as SQLite compares them. */
const wordsOf = (text: string): ReadonlySet<string> =>
  new Set(
    (withoutStrings(text).match(/[A-Za-z_][A-Za-z0-9_$]*/g) ?? []).map((word) =>
      word.toLowerCase(),
    ),
  )

/** Full-text indexes and summaries: made of the records of all organisations, and shadowed by nothing. */
const isDerivedTable = (
  word: string,
  collections: ReadonlyMap<string, LinkedCollection>,
): boolean =>
  [...collections.values()].some(
    ({ name, searchFields, summaries }) =>
      (searchFields.length > 0 && word.startsWith(`${name.toLowerCase()}_search`)) ||
      summaries.some(({ table }) => table.toLowerCase() === word),
  )

/** Where the rows of a collection come from: its table, or the SQL of a view in parentheses. */
export function rowsOf(view: View, collection: LinkedCollection): Sql {
  if (collection.sqlView === null) return identifier(collection.name)
  const shadows = collection.sqlView.reads.flatMap(({ table, of }) => shadowOf(view, table, of))
  return viewRows(collection, collection.sqlView, shadows, organisationOf(view.actor))
}

/** The rows of a view; without shadows those of all organisations, for whoever only asks whether the SQL runs. */
export function viewRows(
  collection: LinkedCollection,
  { text }: SqlView,
  shadows: readonly Sql[] = [],
  organisation: string | null = null,
): Sql {
  const columns = ["id", ...collection.fields.keys()].map((name) => raw(`q."${name}" AS "${name}"`))
  if (collection.scoped) columns.push(sql`${organisation} AS "organisation"`)
  const head = shadows.length > 0 ? sql`WITH ${join(shadows)} ` : raw("")
  return sql`(${head}SELECT ${join(columns)} FROM (${raw(text)}) q WHERE q."id" IS NOT NULL)`
}

/** A name that hides the table of that name, and holds what the scope lets through of it. */
function shadowOf(view: View, table: string, of: LinkedCollection): Sql[] {
  const scope = view.scope(of.shape, "s")
  if (scope === null) return []
  const own = raw(`main."${of.name}"`)
  const rows =
    table === of.name
      ? sql`SELECT s.* FROM ${own} s WHERE ${scope}`
      : sql`SELECT j.* FROM ${raw(`main."${table}"`)} j JOIN ${own} s ON s."id" = j."source" WHERE ${scope}`
  return [sql`${identifier(table)} AS (${rows})`]
}
