import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type AppliedMigration, applyPending, pendingMigrations } from "./apply.ts"
import { findCascades } from "./cascades.ts"
import { hasRows } from "./contents.ts"
import { type Migration, MigrationError } from "./files.ts"
import { traceNames } from "./lineage.ts"
import { withLocalD1 } from "./local-d1.ts"
import { comparing, copyDatabase, localFile, reading } from "./local-files.ts"
import { type Comparison, compareContents } from "./loss.ts"
import { mendFor } from "./mends.ts"
import { headerOf, readSaid } from "./said.ts"

/** What one migration did to a copy of the data. */
export interface RehearsedMigration {
  readonly name: string
  /** Rows that are in danger before it has run, a line each. */
  readonly cascades: readonly string[]
  readonly tables: readonly Comparison[]
  /** What it cost on the copy; null when it did not apply. */
  readonly cost: AppliedMigration | null
  /** Why it does not apply, with its mend. */
  readonly failure: string | null
}

export interface Rehearsal {
  readonly migrations: readonly RehearsedMigration[]
  /** Nothing is in the database yet, so nothing can be lost. */
  readonly empty: boolean
}

/** Whether data would go that nobody has said may go, or a migration does not apply at all. */
export const isRefused = ({ migrations }: Rehearsal): boolean =>
  migrations.some(
    ({ failure, tables }) =>
      failure !== null ||
      tables.some(({ findings }) => findings.some(({ kind }) => kind === "loss")),
  )

/**
 * Applies what is pending to a copy of a database, on workerd's own D1 as `npm run dev` has it, one migration after the
 * other, and compares every table before and after each. The database itself is only read.
 *
 * @param said flags of the command line, beside those in the migrations' headers
 * @throws {MigrationError} when an applied migration was edited or is gone
 */
export async function rehearse(
  file: string,
  migrations: readonly Migration[],
  said = "",
): Promise<Rehearsal> {
  const pending = reading(file, (database) => pendingMigrations(database, migrations)) ?? migrations
  const empty = !reading(file, hasRows)
  const stage = await openStage(file)
  try {
    const known = migrations.filter((migration) => !pending.includes(migration))
    const rehearsed: RehearsedMigration[] = []
    for (const migration of pending) {
      known.push(migration)
      const one = await rehearseOne(stage, migration, [...known], said, empty)
      rehearsed.push(one)
      if (one.failure) break
    }
    return { migrations: rehearsed, empty }
  } finally {
    stage.remove()
  }
}

/** A place for the play: a state directory of its own, with the copy in it. */
interface Stage {
  readonly file: string
  readonly before: string
  withD1<Result>(work: (database: D1Database) => Promise<Result>): Promise<Result>
  remove(): void
}

async function openStage(source: string): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), "rehearsal-"))
  const file = localFile(directory, "DB")
  if (reading(source, () => true)) await copyDatabase(source, file)
  return {
    file,
    before: join(directory, "before.sqlite"),
    withD1: (work) => withLocalD1(directory, "DB", work),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

async function rehearseOne(
  stage: Stage,
  migration: Migration,
  known: readonly Migration[],
  told: string,
  empty: boolean,
): Promise<RehearsedMigration> {
  const { name, sql } = migration
  if (!empty) await copyDatabase(stage.file, stage.before)
  const cascades = empty ? null : reading(stage.before, (database) => findCascades(database, sql))
  const at = { name, cascades: cascades ?? [] }
  let cost: AppliedMigration | null
  try {
    cost = (await stage.withD1((database) => applyPending(database, known)))[0] ?? null
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error
    const mend = reading(stage.before, (database) => mendFor(database, error.message))
    const failure = mend ? `${error.message} ${mend}` : error.message
    return { ...at, tables: [], cost: null, failure }
  }
  if (empty) return { ...at, tables: [], cost, failure: null }
  const said = readSaid(headerOf(sql), told)
  const lineage = traceNames([migration], said)
  const tables = comparing(stage.before, stage.file, (database) =>
    compareContents(database, { lineage, said }),
  )
  return { ...at, tables, cost, failure: null }
}
