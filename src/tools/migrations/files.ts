import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { splitStatements } from "./split.ts"

/** One file of `migrations/`. */
export interface Migration {
  /** `20261121093000_app_add-notes.sql`: names sort by time, and carry no state of their own. */
  readonly name: string
  readonly sql: string
}

/** What a person must mend before migrations can go on. The message names the file and the mend. */
export class MigrationError extends Error {}

/** All migrations, in the order in which they apply: by name, so by time. */
export function listMigrations(directory = "migrations"): Migration[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => ({ name, sql: readFileSync(join(directory, name), "utf8") }))
}

/** Stays the same when git changes line endings. */
export const checksumOf = ({ sql }: Migration): string =>
  createHash("sha256").update(sql.replaceAll("\r\n", "\n").trim()).digest("hex")

/**
 * A database in memory that has had the migrations, each in a transaction of its own, as D1 applies them.
 *
 * @throws {MigrationError} naming the file and what SQLite says of it.
 */
export function replay(migrations: readonly Migration[]): DatabaseSync {
  const database = new DatabaseSync(":memory:")
  for (const { name, sql } of migrations) {
    try {
      database.exec("BEGIN")
      for (const statement of splitStatements(sql)) database.exec(statement)
      database.exec("COMMIT")
    } catch (error) {
      throw new MigrationError(`migrations/${name} does not apply: ${(error as Error).message}.`)
    }
  }
  return database
}
