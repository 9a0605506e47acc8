import type { DatabaseSync } from "node:sqlite"
import { checksumOf, type Migration, MigrationError } from "./files.ts"
import { splitStatements } from "./split.ts"

/** As much of a D1 database as migrations need. */
export type MigrationDatabase = Pick<D1Database, "prepare" | "batch">

/** Wrangler's own table, word for word, so that `wrangler d1 migrations apply` and this agree on what is applied. */
const appliedTable = `CREATE TABLE IF NOT EXISTS "d1_migrations"(
		id         INTEGER PRIMARY KEY AUTOINCREMENT,
		name       TEXT UNIQUE,
		applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)`

/** What each applied file said, so that an edit is noticed. Wrangler does not keep it: it is filled in when next seen. */
export const checksumTable =
  "CREATE TABLE IF NOT EXISTS hinterland_migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL) STRICT"

/** What a migration cost. */
export interface AppliedMigration {
  readonly name: string
  readonly rowsRead: number
  /** Rows of indexes count too, as they do on the bill. */
  readonly rowsWritten: number
  readonly milliseconds: number
}

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
  return (await applyPending(database, migrations)).map(({ name }) => name)
}

/** The same, and answers what each cost. */
export async function applyPending(
  database: MigrationDatabase,
  migrations: readonly Migration[],
): Promise<AppliedMigration[]> {
  await database.batch([database.prepare(appliedTable), database.prepare(checksumTable)])
  const { results: applied } = await database.prepare(appliedQuery).all<Applied>()
  refuseEdited(applied, migrations)
  const known = new Map(applied.map(({ name, checksum }) => [name, checksum]))
  const record = (migration: Migration) =>
    database
      .prepare("INSERT OR REPLACE INTO hinterland_migrations (name, checksum) VALUES (?, ?)")
      .bind(migration.name, checksumOf(migration))
  const seen = migrations.filter(({ name }) => known.get(name) === null)
  if (seen.length > 0) await database.batch(seen.map(record))

  const fresh = migrations.filter(({ name }) => !known.has(name))
  const costs: AppliedMigration[] = []
  for (const migration of fresh) {
    const entry = database
      .prepare("INSERT INTO d1_migrations (name) VALUES (?)")
      .bind(migration.name)
    const statements = splitStatements(migration.sql).map((sql) => database.prepare(sql))
    const started = performance.now()
    try {
      const results = await database.batch([...statements, entry, record(migration)])
      const sum = (of: (meta: D1Meta) => number) =>
        results.reduce((total, { meta }) => total + of(meta), 0)
      costs.push({
        name: migration.name,
        rowsRead: sum((meta) => meta.rows_read),
        rowsWritten: sum((meta) => meta.rows_written),
        milliseconds: performance.now() - started,
      })
    } catch (error) {
      throw new MigrationError(failure(migration, error as Error))
    }
  }
  return costs
}

/** A line of the table of what is applied; without a checksum where only wrangler has seen it. */
export interface Applied {
  name: string
  checksum: string | null
}

export const appliedQuery =
  "SELECT a.name, c.checksum FROM d1_migrations a LEFT JOIN hinterland_migrations c ON c.name = a.name"

/**
 * What is not yet applied, read from a database that is not to be touched.
 *
 * @throws {MigrationError} when an applied migration was edited or is gone.
 */
export function pendingMigrations(
  database: DatabaseSync,
  migrations: readonly Migration[],
): Migration[] {
  const has = (table: string) =>
    database.prepare("SELECT 1 FROM sqlite_master WHERE name = ?").get(table) !== undefined
  if (!has("d1_migrations")) return [...migrations]
  const query = has("hinterland_migrations")
    ? appliedQuery
    : "SELECT name, NULL AS checksum FROM d1_migrations"
  return notApplied(database.prepare(query).all() as unknown as Applied[], migrations)
}

/** @throws {MigrationError} when an applied migration was edited or is gone. */
export function notApplied(
  applied: readonly Applied[],
  migrations: readonly Migration[],
): Migration[] {
  refuseEdited(applied, migrations)
  const names = new Set(applied.map(({ name }) => name))
  return migrations.filter(({ name }) => !names.has(name))
}

function refuseEdited(applied: readonly Applied[], migrations: readonly Migration[]): void {
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
