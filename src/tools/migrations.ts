import type { Collection } from "../core/records/collection.ts"
import { linkCollections } from "../core/records/link.ts"
import { compareSchemas, type TableDifference } from "./migrations/compare.ts"
import { type Migration, replay } from "./migrations/files.ts"
import { fieldOf, ownerOf } from "./migrations/renames.ts"
import { desiredSchema, readSchema, type Table } from "./migrations/schema.ts"

/**
 * Whether the migrations lead to what the collections need: a list of what is missing, each with its mend.
 *
 * @throws {DefinitionError} when a definition itself is wrong.
 */
export function checkSchema(
  collections: readonly Collection[],
  migrations: readonly Migration[],
): string[] {
  const desired = desiredSchema(linkCollections(collections))
  const database = replay(migrations)
  const difference = compareSchemas(readSchema(database), desired)
  database.close()

  const ofCollections = (tables: readonly Table[]) =>
    tables.filter(({ origin }) => origin === "collection")
  const fresh = new Set(ofCollections(difference.newTables).map(({ name }) => name))
  const gone = new Set(ofCollections(difference.goneTables).map(({ name }) => name))
  const changes = new Map<string, string[]>()
  const note = (table: string, ...what: string[]) => {
    if (fresh.has(table) || gone.has(table)) return
    changes.set(table, [...new Set([...(changes.get(table) ?? []), ...what])])
  }
  for (const join of difference.newTables)
    if (join.origin === "join") note(ownerOf(join), `new ${fieldOf(join)}`)
  for (const join of difference.goneTables)
    if (join.origin === "join") note(ownerOf(join), `${fieldOf(join)} gone`)
  for (const table of difference.changedTables) note(ownerOrSelf(table.desired), ...describe(table))
  for (const part of [...difference.stale, ...difference.missing]) {
    // A join table is named for its collection; its index comes and goes with it.
    if (!part.table.includes("_")) note(part.table, `other ${kinds[part.kind]}`)
  }

  return [
    ...difference.conflicts.map(
      (name) =>
        `The table "${name}" exists already, written by hand: name the collection differently.`,
    ),
    ...[...fresh].map(
      (name) => `Collection "${name}" has no table yet: run "npm run migrate:new add-${name}".`,
    ),
    ...[...gone].map(
      (name) =>
        `The table "${name}" belongs to no collection: list it again in src/app/collections.ts, or run "npm run migrate:new drop-${name} -- --drop-table ${name}".`,
    ),
    ...[...changes].map(
      ([name, what]) =>
        `Collection "${name}" differs from its table (${what.join(", ")}): run "npm run migrate:new change-${name}".`,
    ),
  ]
}

const kinds = { index: "indexes", trigger: "triggers", search: "search", summary: "summaries" }

const ownerOrSelf = (table: Table): string =>
  table.origin === "join" ? ownerOf(table) : table.name

const describe = ({ desired, added, dropped, changed }: TableDifference): string[] =>
  desired.origin === "join"
    ? [`${fieldOf(desired)} leads elsewhere`]
    : [
        ...added.map(({ name }) => `new ${name}`),
        ...dropped.map(({ name }) => `${name} gone`),
        ...changed.map(({ to }) => `other ${to.name}`),
      ]

export { applyMigrations, type MigrationDatabase } from "./migrations/apply.ts"
export { listMigrations, type Migration, MigrationError } from "./migrations/files.ts"
