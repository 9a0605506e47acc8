import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { convertV4MiniflareOptions, Miniflare } from "miniflare"
import { onTestFinished } from "vitest"
import type { Collection } from "../../src/core/records/collection.ts"
import { type Answers, type Ask, noAnswers } from "../../src/tools/migrations/answers.ts"
import {
  type WrittenMigration,
  writeNewMigration,
} from "../../src/tools/migrations/new-migration.ts"
import { listMigrations, type MigrationDatabase } from "../../src/tools/migrations.ts"

/** A project's `migrations/`, with the core's own, in a temporary directory that goes with the test. */
export interface MigrationProject {
  readonly directory: string
  /** What `npm run migrate:new` does; null when there is nothing to do. */
  migrate(
    collections: readonly Collection[],
    answers?: Partial<Answers>,
    ask?: Ask,
  ): Promise<WrittenMigration | null>
  write(name: string, sql: string): void
}

export function migrationProject(): MigrationProject {
  const directory = mkdtempSync(join(tmpdir(), "migrations-"))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const write = (name: string, sql: string) => writeFileSync(join(directory, name), sql)
  for (const name of readdirSync("migrations")) {
    if (name.includes("_core_")) write(name, readFileSync(join("migrations", name), "utf8"))
  }
  return {
    directory,
    write,
    migrate: (collections, answers = {}, ask = null) =>
      writeNewMigration({
        collections,
        directory,
        name: `step-${listMigrations(directory).length}`,
        owner: "app",
        answers: { ...noAnswers, ...answers },
        ask,
      }),
  }
}

/** A D1 as `npm run dev` has it: workerd's own, with its own foreign keys. Goes with the test. */
export async function localD1(): Promise<TestDatabase> {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: "export default {}",
      compatibilityDate: "2026-11-17",
      d1Databases: ["DB"],
    }),
  )
  onTestFinished(() => miniflare.dispose())
  const database = (await miniflare.getD1Database("DB")) as unknown as D1Database
  return {
    prepare: (sql) => database.prepare(sql),
    batch: <Row>(statements: D1PreparedStatement[]) => database.batch<Row>(statements),
    run: (...statements) => database.batch(statements.map((sql) => database.prepare(sql))),
    async rows(sql) {
      return (await database.prepare(sql).all<Record<string, unknown>>()).results
    },
  }
}

export interface TestDatabase extends MigrationDatabase {
  run(...statements: string[]): Promise<unknown>
  rows(sql: string): Promise<Record<string, unknown>[]>
}

/** Values of the columns that every record has, for inserts by hand. */
export const system = `"id", "version", "createdAt", "updatedAt"`
export const systemValues = (id: string): string => `'${id}', 1, '2026-11-21', '2026-11-21'`
