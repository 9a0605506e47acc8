import type { Collection } from "../core/records/collection.ts"
import { linkCollections } from "../core/records/link.ts"
import { compareSchemas, type TableDifference } from "./migrations/compare.ts"
import { checksumOf, type Migration, MigrationError, replay } from "./migrations/files.ts"
import { fieldOf, ownerOf } from "./migrations/renames.ts"
import { desiredSchema, readSchema, type Table } from "./migrations/schema.ts"
import { splitStatements } from "./migrations/split.ts"

/** As much of a D1 database as migrations need. */
export type MigrationDatabase = Pick<D1Database, "prepare" | "batch">

/** Wrangler's own table, word for word, so that `wrangler d1 migrations apply` and this agree on what is applied. */
const appliedTable = `CREATE TABLE IF NOT EXISTS "d1_migrations"(
		id         INTEGER PRIMARY KEY AUTOINCREMENT,
		name       TEXT UNIQUE,
		applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)`

/** What each applied file said, so that an edit is noticed. Wrangler does not keep it: it is filled in when next seen. */
const checksumTable =
  "CREATE TABLE IF NOT EXISTS hinterland_migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL) STRICT"

/**
 * Applies what is not yet applied, in the order of names, each file in one transaction with its entry in the table.
 * A migration that arrives by a merge, older than some that are applied, is applied too. Answers the names.
 *
 * @throws {MigrationError} when an applied migration was edited or is gone, or when one fails; those before it stay.
 */
export async function applyMigrations(
  database: MigrationDatabase,
  migrations: readonly Migration[],
): Promise<string[]> {
  await database.batch([database.prepare(appliedTable), database.prepare(checksumTable)])
  const { results: applied } = await database
    .prepare(
      `SELECT a.name, c.checksum FROM d1_migrations a LEFT JOIN hinterland_migrations c ON c.name = a.name`,
    )
    .all<{ name: string; checksum: string | null }>()
  refuseEdited(applied, migrations)
  const known = new Map(applied.map(({ name, checksum }) => [name, checksum]))
  const record = (migration: Migration) =>
    database
      .prepare("INSERT OR REPLACE INTO hinterland_migrations (name, checksum) VALUES (?, ?)")
      .bind(migration.name, checksumOf(migration))
  const seen = migrations.filter(({ name }) => known.get(name) === null)
  if (seen.length > 0) await database.batch(seen.map(record))

  const fresh = migrations.filter(({ name }) => !known.has(name))
  for (const migration of fresh) {
    const entry = database
      .prepare("INSERT INTO d1_migrations (name) VALUES (?)")
      .bind(migration.name)
    const statements = splitStatements(migration.sql).map((sql) => database.prepare(sql))
    try {
      await database.batch([...statements, entry, record(migration)])
    } catch (error) {
      throw new MigrationError(failure(migration, error as Error))
    }
  }
  return fresh.map(({ name }) => name)
}

function refuseEdited(
  applied: readonly { name: string; checksum: string | null }[],
  migrations: readonly Migration[],
): void {
  const files = new Map(migrations.map((migration) => [migration.name, checksumOf(migration)]))
  const problems = applied.flatMap(({ name, checksum }) => {
    const now = files.get(name)
    if (now === undefined) {
      return `migrations/${name} was applied to this database, but the file is gone. Restore it with git; or, if this is a local database without value, delete it (STATE_DIR, .wrangler/state by default) and start again.`
    }
    if (checksum === null || checksum === now) return []
    return `migrations/${name} was edited after it was applied, so this database is not what it says. Restore it (git checkout -- migrations/${name}), and write the change as a new migration: npm run migrate:new <name>.`
  })
  if (problems.length > 0) throw new MigrationError(problems.join("\n"))
}

/** D1 finds broken foreign keys when the transaction ends, and then says no more than "internal error". */
function failure({ name }: Migration, { message }: Error): string {
  const reason = /internal error/i.test(message)
    ? `${message} (most likely a row that points at one which is gone)`
    : message
  return `migrations/${name} failed, and nothing of it was applied: ${reason}.`
}

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

const kinds = { index: "indexes", trigger: "triggers", search: "search" }

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

export { listMigrations, type Migration, MigrationError } from "./migrations/files.ts"
