import type { DatabaseSync } from "node:sqlite"
import { tableObject } from "../../core/records/ddl.ts"
import type { LinkedCollections } from "../../core/records/link.ts"
import { viewRows } from "../../core/records/sql-view.ts"
import { MigrationError } from "./files.ts"

/**
 * Runs the SQL of every view over the tables that the collections want, which hold nothing yet.
 *
 * @throws {MigrationError} for SQL that does not run, or does not answer what the fields ask for.
 */
export function checkSqlViews(database: DatabaseSync, collections: LinkedCollections): void {
  if ([...collections.values()].every(({ sqlView }) => sqlView === null)) return
  // The migration of `members` is written by hand; views may read it.
  const members = [...collections.values()].find(({ builtIn }) => builtIn)
  if (members) database.exec(tableObject(members).sql)
  for (const collection of collections.values()) {
    if (collection.sqlView === null) continue
    try {
      database.prepare(`SELECT * FROM ${viewRows(collection, collection.sqlView).text}`)
    } catch (error) {
      throw new MigrationError(
        `The view "${collection.name}" does not run: ${(error as Error).message}. It answers "id" and a column for each of its fields.`,
      )
    }
  }
  if (members) database.exec(`DROP TABLE "${members.name}"`)
}
