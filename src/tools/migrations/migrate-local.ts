import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { join, resolve } from "node:path"
import { applyMigrations, pendingMigrations } from "./apply.ts"
import { hasRows } from "./contents.ts"
import { type Migration, MigrationError } from "./files.ts"
import { traceNames } from "./lineage.ts"
import { withLocalD1 } from "./local-d1.ts"
import {
  comparing,
  copyDatabase,
  goBackLocally,
  localFile,
  reading,
  removeDatabase,
} from "./local-files.ts"
import { compareContents, count } from "./loss.ts"
import { isRefused, rehearse } from "./rehearsal.ts"
import { describeRehearsal } from "./report.ts"
import { headerOf, readSaid } from "./said.ts"

interface LocalMigration {
  readonly stateDirectory: string
  /** By binding. Two bindings of one id are one database. */
  readonly databases: Readonly<Record<string, { readonly id: string }>>
  readonly migrations: readonly Migration[]
  /** Flags of the command line. */
  readonly said?: string
}

export interface MigratedLocally {
  /** Names of the migrations that were applied to some database. */
  readonly applied: readonly string[]
  /** What the person who started it should know, a line each. */
  readonly lines: readonly string[]
}

/**
 * Migrates the local databases so that nothing is lost: rehearsed on a copy first, the database set aside, applied,
 * and compared with what was set aside. A process that is killed in between leaves each migration whole or not there;
 * the next one goes on, and compares with the copy that the killed one has made.
 *
 * @throws {MigrationError} when something would go that nobody has said may go; then nothing has been applied.
 */
export async function migrateLocal({
  stateDirectory,
  databases,
  migrations,
  said = "",
}: LocalMigration): Promise<MigratedLocally> {
  const applied = new Set<string>()
  const lines: string[] = []
  for (const id of new Set(Object.values(databases).map((database) => database.id))) {
    const database = localDatabase(stateDirectory, id)
    const done = await migrateOne(database, migrations, said)
    for (const name of done.applied) applied.add(name)
    lines.push(...done.lines)
  }
  return { applied: [...applied], lines }
}

interface LocalDatabase {
  readonly stateDirectory: string
  readonly id: string
  readonly file: string
  /** Says that a migration is going on: what a killed process leaves behind. */
  readonly journal: string
  readonly copies: string
}

const localDatabase = (stateDirectory: string, id: string): LocalDatabase => ({
  stateDirectory,
  id,
  file: localFile(stateDirectory, id),
  journal: join(resolve(stateDirectory), `migrating-${id}.json`),
  copies: join(resolve(stateDirectory), "before-migrations"),
})

interface Journal {
  /** The database as it was before. */
  readonly copy: string
  /** Names of what was pending then. */
  readonly migrations: readonly string[]
}

async function migrateOne(
  database: LocalDatabase,
  migrations: readonly Migration[],
  said: string,
): Promise<MigratedLocally> {
  const { file, journal } = database
  const apply = () =>
    withLocalD1(database.stateDirectory, database.id, (d1) => applyMigrations(d1, migrations))
  const pending = reading(file, (stored) => pendingMigrations(stored, migrations)) ?? migrations
  const cutOff = readJournal(journal)
  if (!cutOff && pending.length === 0) return { applied: [], lines: [] }
  if (!cutOff && !reading(file, hasRows)) return { applied: await apply(), lines: [] }

  const rehearsal = await rehearse(file, migrations, said)
  if (isRefused(rehearsal)) throw new MigrationError(describeRehearsal(rehearsal).join("\n"))
  const begun = cutOff ?? (await setAside(database, pending))
  if (!cutOff) writeJournal(journal, begun)
  const applied = await apply()
  const verified = verify(database, begun, migrations, said)
  rmSync(journal)
  return {
    applied,
    lines: [...(cutOff ? [wentOn(cutOff, applied)] : []), ...verified],
  }
}

function readJournal(file: string): Journal | null {
  if (!existsSync(file)) return null
  const journal = JSON.parse(readFileSync(file, "utf8")) as Journal
  return existsSync(journal.copy) ? journal : null
}

/** Written whole or not at all. */
function writeJournal(file: string, journal: Journal): void {
  writeFileSync(`${file}.part`, JSON.stringify(journal))
  renameSync(`${file}.part`, file)
}

const keptCopies = 3

async function setAside(
  { file, id, copies }: LocalDatabase,
  pending: readonly Migration[],
): Promise<Journal> {
  mkdirSync(copies, { recursive: true })
  const last = pending.at(-1)?.name.replace(/\.sql$/, "")
  const copy = join(copies, `${id}-before-${last}.sqlite`)
  await copyDatabase(file, copy)
  const older = readdirSync(copies)
    .filter((name) => name.startsWith(`${id}-before-`) && name.endsWith(".sqlite"))
    .sort()
    .slice(0, -keptCopies)
  for (const name of older) removeDatabase(join(copies, name))
  return { copy, migrations: pending.map(({ name }) => name) }
}

function verify(
  { file }: LocalDatabase,
  { copy, migrations: names }: Journal,
  migrations: readonly Migration[],
  told: string,
): string[] {
  const goBack = `To go back, with nothing running (and without the migration's file, or it is applied again): ${goBackLocally(copy, file)}`
  const these = migrations.filter(({ name }) => names.includes(name))
  const said = readSaid(...these.map(({ sql }) => headerOf(sql)), told)
  const lineage = traceNames(these, said)
  const tables = comparing(copy, file, (database) => compareContents(database, { lineage, said }))
  const losses = tables.flatMap(({ findings }) => findings.filter(({ kind }) => kind === "loss"))
  if (losses.length > 0) {
    throw new MigrationError(
      `The migrations are applied, and the data is not what the rehearsal promised:\n${losses.map(({ text }) => `  ${text}`).join("\n")}\n${goBack}`,
    )
  }
  const rows = tables.reduce((sum, table) => sum + table.rowsAfter, 0)
  return [
    `Compared with before: ${count(tables.length, "table")}, ${count(rows, "row")}, nothing lost.`,
    goBack,
  ]
}

const wentOn = ({ migrations }: Journal, applied: readonly string[]): string =>
  `An earlier run was cut off: ${count(migrations.length - applied.length, "migration")} of ${migrations.length} had been applied, each whole; it went on from there.`
