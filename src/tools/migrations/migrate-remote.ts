import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { literal } from "../../platform/sql.ts"
import type { Runner } from "../deploy-steps.ts"
import { type Applied, appliedQuery, checksumTable, notApplied } from "./apply.ts"
import { hasRows } from "./contents.ts"
import { checksumOf, type Migration, MigrationError } from "./files.ts"
import { traceNames } from "./lineage.ts"
import { comparing, reading } from "./local-files.ts"
import { compareContents, count } from "./loss.ts"
import { type Ask, countRows, listObjects, pullDatabase } from "./pull.ts"
import { isRefused, type Rehearsal, rehearse } from "./rehearsal.ts"
import { describeRehearsal } from "./report.ts"
import { headerOf, readSaid } from "./said.ts"

export interface RemoteMigration {
  readonly run: Runner
  /** The database's name in the account. */
  readonly name: string
  readonly migrations: readonly Migration[]
  /** Flags of the command line. */
  readonly said?: string
  /** How many rows may be read for the rehearsal. */
  readonly most?: number
  /** Only counts the rows of each table before and after: for databases that are too large to be read. */
  readonly unrehearsed?: boolean
  readonly say: (line: string) => void
}

/** Rehearses what is pending in the account on a copy that is pulled from it. Reads every row, changes nothing. */
export async function rehearseRemote(options: RemoteMigration): Promise<Rehearsal> {
  return withCopies(async ({ before }) => {
    await pullDatabase(askOf(options), before, options.most)
    return rehearse(before, options.migrations, options.said)
  })
}

/**
 * Migrates a database of the account: rehearsed on a pulled copy, the Time Travel bookmark told before anything is
 * changed, applied by wrangler, compared with before.
 *
 * @throws {MigrationError} when something would go that nobody has said may go; then nothing has been applied.
 */
export async function migrateRemote(options: RemoteMigration): Promise<void> {
  const { run, name, migrations, say, said = "", unrehearsed = false } = options
  const ask = askOf(options)
  const apply = async () => {
    await tellBookmark(run, name, say)
    await run({ parameters: ["d1", "migrations", "apply", name, "--remote"] })
    await ask(recordChecksums(migrations))
  }
  await withCopies(async ({ before, after }) => {
    const pending = await pendingRemote(ask, migrations)
    if (pending.length === 0) {
      say(`  ${name}: nothing is pending.`)
      return
    }
    if (unrehearsed) return counted(ask, options, pending, apply)
    await pullDatabase(ask, before, options.most)
    if (!reading(before, hasRows)) return apply()
    const rehearsal = await rehearse(before, migrations, said)
    for (const line of describeRehearsal(rehearsal)) say(`  ${line}`)
    if (isRefused(rehearsal)) {
      throw new MigrationError(`Nothing has been applied to ${name}: see above what would go.`)
    }
    await apply()
    await pullDatabase(ask, after, options.most === undefined ? undefined : options.most * 2)
    verify(options, before, after, pending)
  })
}

/** Less than a comparison, and within reach of any database: no table may have fewer rows afterwards. */
async function counted(
  ask: Ask,
  { name, say, said: told = "" }: RemoteMigration,
  pending: readonly Migration[],
  apply: () => Promise<void>,
): Promise<void> {
  const before = await countRows(ask, (await listObjects(ask)).tables)
  await apply()
  const after = await countRows(ask, (await listObjects(ask)).tables)
  const said = readSaid(...pending.map(({ sql }) => headerOf(sql)), told)
  const lineage = traceNames(pending, said)
  const fewer = [...before].filter(
    ([table, rows]) =>
      !said.allows("delete", table) &&
      !said.allows("drop-table", table) &&
      (after.get(lineage.table(table)) ?? 0) < rows,
  )
  if (fewer.length > 0) {
    const lines = fewer.map(
      ([table, rows]) =>
        `  ${table}: ${rows} rows before, ${after.get(lineage.table(table)) ?? 0} now.`,
    )
    throw new MigrationError(
      `The migrations are applied to ${name}, and tables have fewer rows than before:\n${lines.join("\n")}\nPeople may have deleted them meanwhile: look. The command to go back stands above.`,
    )
  }
  say(`  Counted before and after: no table of ${name} has fewer rows.`)
}

async function withCopies<Result>(
  work: (files: { before: string; after: string }) => Promise<Result>,
): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), "pulled-"))
  try {
    return await work({
      before: join(directory, "before.sqlite"),
      after: join(directory, "after.sqlite"),
    })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const askOf =
  ({ run, name }: RemoteMigration): Ask =>
  async (sql) => {
    const output = await run({
      parameters: ["d1", "execute", name, "--remote", "--json", "--command", sql],
    })
    const start = output.indexOf("[")
    if (start < 0) return []
    const [first] = JSON.parse(output.slice(start, output.lastIndexOf("]") + 1)) as {
      results?: Record<string, unknown>[]
    }[]
    return first?.results ?? []
  }

/** What is not yet applied in the account; a file that was edited since it was applied is refused, where we applied it. */
async function pendingRemote(ask: Ask, migrations: readonly Migration[]): Promise<Migration[]> {
  const names = await ask(
    "SELECT name FROM sqlite_master WHERE name IN ('d1_migrations', 'hinterland_migrations')",
  )
  const known = new Set(names.map(({ name }) => name))
  if (!known.has("d1_migrations")) return [...migrations]
  const applied = await ask(
    known.has("hinterland_migrations")
      ? appliedQuery
      : "SELECT name, NULL AS checksum FROM d1_migrations",
  )
  return notApplied(applied as unknown as Applied[], migrations)
}

/** Wrangler keeps names only: what each file said is kept beside them, so that an edit is noticed. */
const recordChecksums = (migrations: readonly Migration[]): string =>
  `${checksumTable}; INSERT OR REPLACE INTO hinterland_migrations (name, checksum) VALUES ${migrations.map((migration) => `(${literal(migration.name)}, ${literal(checksumOf(migration))})`).join(", ")}`

/** Tells how to go back, before anything is changed. */
export async function tellBookmark(
  run: Runner,
  name: string,
  say: (line: string) => void,
): Promise<void> {
  const info = await run({ parameters: ["d1", "time-travel", "info", name, "--json"] })
  const bookmark = /"bookmark":\s*"([^"]+)"/.exec(info)?.[1]
  if (bookmark) {
    say(`  To go back: npx wrangler d1 time-travel restore ${name} --bookmark=${bookmark}`)
  }
}

function verify(
  { name, say, said: told = "" }: RemoteMigration,
  before: string,
  after: string,
  pending: readonly Migration[],
): void {
  const said = readSaid(...pending.map(({ sql }) => headerOf(sql)), told)
  const lineage = traceNames(pending, said)
  const livingSince = reading(before, (database) => {
    const has = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'changes'").get()
    const last = has && database.prepare("SELECT max(seq) AS seq FROM changes").get()
    return Number(last?.seq ?? 0)
  })
  const tables = comparing(before, after, (database) =>
    compareContents(database, { lineage, said, livingSince: livingSince ?? 0 }),
  )
  const losses = tables.flatMap(({ findings }) => findings.filter(({ kind }) => kind === "loss"))
  if (losses.length > 0) {
    throw new MigrationError(
      `The migrations are applied to ${name}, and the data is not what the rehearsal promised:\n${losses.map(({ text }) => `  ${text}`).join("\n")}\nThe command to go back stands above; what people have written since would go with it.`,
    )
  }
  for (const { findings } of tables) {
    for (const { kind, text } of findings) if (kind === "note") say(`  ${text}`)
  }
  const rows = tables.reduce((sum, table) => sum + table.rowsAfter, 0)
  say(
    `  Compared with before: ${count(tables.length, "table")}, ${count(rows, "row")}, nothing lost.`,
  )
}
