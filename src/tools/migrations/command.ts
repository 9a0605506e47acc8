import { fork } from "node:child_process"
import { once } from "node:events"
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { unstable_readConfig as readConfig } from "wrangler"
import { type DatabaseBinding, databaseName, type Runner } from "../deploy-steps.ts"
import { localDatabaseIds } from "../dev-database.ts"
import { lockStateDirectory } from "../dev-lock.ts"
import { runWrangler } from "../dev-wrangler.ts"
import { listMigrations, MigrationError } from "./files.ts"
import { localFile } from "./local-files.ts"
import { migrateLocal } from "./migrate-local.ts"
import { migrateRemote, type RemoteMigration, rehearseRemote } from "./migrate-remote.ts"
import { isRefused, type Rehearsal, rehearse } from "./rehearsal.ts"
import { describeRehearsal } from "./report.ts"

const usage = `npm run migrate:check [-- <flags>], npm run migrate:apply [-- <flags>]
  --remote                    the databases of the account; else those of STATE_DIR (.wrangler/state)
  --all                       lists the tables that stay the same, too
  --drop notes.body           the column may go, with its values
  --drop-table notes          the table may go, with its rows
  --delete notes              some of its rows may go
  --change notes.body         its values may change
  --rename notes.body=text    where the SQL does not show it (a table made anew)
  --rename-table notes=memos  the same of a table
  --most 1000000              with --remote: how many rows may be read
  --unrehearsed               with --remote, migrate:apply: no check, only the bookmark
The same flags may stand in the header of a migration, as comments: -- --drop notes.body`

interface Flags {
  readonly remote: boolean
  readonly all: boolean
  readonly unrehearsed: boolean
  readonly most: number | undefined
  /** What may go, as it was typed. */
  readonly said: string
}

function readFlags(parameters: readonly string[]): Flags {
  const text = { type: "string", multiple: true } as const
  const flag = { type: "boolean", default: false } as const
  const { values } = parseArgs({
    args: [...parameters],
    options: {
      remote: flag,
      all: flag,
      unrehearsed: flag,
      most: { type: "string" },
      drop: text,
      "drop-table": text,
      delete: text,
      change: text,
      rename: text,
      "rename-table": text,
    },
  })
  const most = values.most === undefined ? undefined : Number(values.most)
  if (most !== undefined && !(most > 0)) throw new MigrationError(usage)
  const { remote, all, unrehearsed } = values
  return { remote, all, unrehearsed, most, said: parameters.join(" ") }
}

/** `npm run migrate:check`. Answers the exit code. */
export const checkDatabases = (parameters: readonly string[]): Promise<number> =>
  explained(async () => {
    const flags = readFlags(parameters)
    const rehearsals = flags.remote ? await checkRemote(flags) : await checkLocal(flags)
    for (const [name, rehearsal] of rehearsals) {
      console.log([`${name}:`, ...describeRehearsal(rehearsal, flags.all)].join("\n"))
    }
    return rehearsals.some(([, rehearsal]) => isRefused(rehearsal)) ? 1 : 0
  })

async function checkLocal({ said }: Flags): Promise<[string, Rehearsal][]> {
  const checked: [string, Rehearsal][] = []
  for (const [binding, { id }] of Object.entries(localDatabaseIds())) {
    const file = localFile(stateDirectory(), id)
    checked.push([
      `${binding} of ${stateDirectory()}`,
      await rehearse(file, listMigrations(), said),
    ])
  }
  return checked
}

async function checkRemote(flags: Flags): Promise<[string, Rehearsal][]> {
  const checked: [string, Rehearsal][] = []
  for (const options of remoteMigrations(flags)) {
    checked.push([options.name, await rehearseRemote(options)])
  }
  return checked
}

/** `npm run migrate:apply`. Answers the exit code. */
export const applyToDatabases = (parameters: readonly string[]): Promise<number> =>
  explained(async () => {
    const flags = readFlags(parameters)
    if (flags.remote) {
      for (const options of remoteMigrations(flags)) await migrateRemote(options)
      return 0
    }
    return process.send ? applyLocally(flags) : applyInChild(parameters)
  })

/**
 * The databases are open in a process group of its own, which the lock names: when this process is killed, the child
 * ends itself, and what outlives both (workerd) is ended by the next run before it opens the same files.
 */
async function applyInChild(parameters: readonly string[]): Promise<number> {
  const lock = await lockStateDirectory(stateDirectory())
  try {
    const child = fork(process.argv[1] as string, parameters, { detached: true })
    lock.holds(child.pid as number)
    const [code] = await once(child, "close")
    return code ?? 1
  } finally {
    lock.release()
  }
}

async function applyLocally({ said }: Flags): Promise<number> {
  const orphaned = () => process.exit(1)
  process.on("disconnect", orphaned)
  const { applied, lines } = await migrateLocal({
    stateDirectory: stateDirectory(),
    databases: localDatabaseIds(),
    migrations: listMigrations(),
    said,
  })
  for (const name of applied) console.log(`Applied migrations/${name}`)
  for (const line of lines) console.log(line)
  if (applied.length + lines.length === 0) console.log("Nothing is pending.")
  process.off("disconnect", orphaned)
  process.disconnect()
  return 0
}

const stateDirectory = (): string => resolve(process.env.STATE_DIR || ".wrangler/state")

function remoteMigrations({ said, most, unrehearsed }: Flags): RemoteMigration[] {
  const { name: worker, d1_databases } = readConfig({ config: "wrangler.toml" })
  const bindings: readonly DatabaseBinding[] = d1_databases
  const names = new Set(bindings.map((binding) => databaseName(worker ?? "", binding)))
  const run: Runner = ({ parameters, input }) => runWrangler(parameters, input)
  const migrations = listMigrations()
  const limit = most === undefined ? {} : { most }
  return [...names].map((name) => ({
    ...{ run, name, migrations, said, unrehearsed, say: console.log },
    ...limit,
  }))
}

async function explained(work: () => Promise<number>): Promise<number> {
  try {
    return await work()
  } catch (error) {
    const badFlag =
      error instanceof TypeError &&
      String("code" in error && error.code).startsWith("ERR_PARSE_ARGS")
    process.removeAllListeners("disconnect")
    console.error(badFlag ? `${error.message}\n\n${usage}` : reason(error))
    if (process.connected) process.disconnect()
    return 1
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error))
