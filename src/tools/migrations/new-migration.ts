import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Collection } from "../../core/records/collection.ts"
import { linkCollections } from "../../core/records/link.ts"
import type { Answers, Ask } from "./answers.ts"
import { compareSchemas, isEmpty } from "./compare.ts"
import { draftMigration } from "./draft.ts"
import { listMigrations, type Migration, MigrationError, replay } from "./files.ts"
import { desiredSchema, readSchema } from "./schema.ts"

export interface NewMigrationOptions {
  readonly collections: readonly Collection[]
  readonly directory: string
  /** As typed; becomes kebab-case. */
  readonly name: string
  /** `core` is for the project's own migrations, which an app receives by merging. */
  readonly owner: "core" | "app"
  readonly answers: Answers
  readonly ask?: Ask
  readonly now?: Date
}

export interface WrittenMigration {
  readonly path: string
  readonly summary: readonly string[]
  readonly sql: string
}

/**
 * Writes the migration that the collections need, and answers it; null when they need none.
 *
 * @throws {MigrationError} when the developer must decide something first, {DefinitionError} when a definition is wrong.
 */
export async function writeNewMigration(
  options: NewMigrationOptions,
): Promise<WrittenMigration | null> {
  const { directory, owner, answers, ask = null, now = new Date() } = options
  const migrations = listMigrations(directory)
  const collections = linkCollections(options.collections)
  const draft = await draftMigration(collections, migrations, answers, ask)
  if (!draft) return null
  const what = kebab(options.name)
  const name = `${timestamp(now, migrations)}_${owner}_${what}.sql`
  const sql = `-- ${what}: written by "npm run migrate:new". Read it, and change it if you must, before it is applied; never after.\n${whatMayGo(answers)}\n${draft.sql}`
  assertComplete([...migrations, { name, sql }], desiredSchema(collections))
  mkdirSync(directory, { recursive: true })
  const path = join(directory, name)
  writeFileSync(path, sql, { flag: "wx" })
  return { path, summary: draft.summary, sql }
}

/** What the developer has said may go stands in the header, where `migrate:check` looks for it. */
const whatMayGo = ({ drop, dropTable }: Answers): string =>
  [
    ...drop.map((name) => `-- --drop ${name}\n`),
    ...dropTable.map((name) => `-- --drop-table ${name}\n`),
  ].join("")

/** Replays everything, the new file included: it must apply, and leave nothing to do. */
function assertComplete(
  migrations: readonly Migration[],
  desired: ReturnType<typeof readSchema>,
): void {
  const database = replay(migrations)
  const left = compareSchemas(readSchema(database), desired)
  database.close()
  if (isEmpty(left)) return
  throw new MigrationError(
    `The migration would not lead to what the collections need; nothing was written. This is a mistake of migrate:new, please report it with: ${JSON.stringify(left)}`,
  )
}

function kebab(name: string): string {
  const kebab = name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
  if (kebab) return kebab
  throw new MigrationError(
    `"${name}" cannot name a migration: use letters and digits, as in add-notes.`,
  )
}

/** UTC, and after every migration there is: a clock that is behind must not write a migration into the past. */
function timestamp(now: Date, migrations: readonly Migration[]): string {
  const stamp = now.toISOString().replace(/\D/g, "").slice(0, 14)
  const last = migrations.at(-1)?.name.slice(0, 14) ?? ""
  return stamp > last ? stamp : String(BigInt(last) + 1n)
}
