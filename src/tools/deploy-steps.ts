import type { Migration } from "./migrations/files.ts"
import { migrateRemote } from "./migrations/migrate-remote.ts"
import { TooManyRows } from "./migrations/pull.ts"
import { generateAdminCode, generateSecrets } from "./secrets.ts"

/** One call of wrangler. Secrets travel in `input`, on standard input, and never in `parameters`. */
export interface Command {
  readonly parameters: readonly string[]
  readonly input?: string
}

/** Runs a command, answers what it printed. @throws {Error} when it fails. */
export type Runner = (command: Command) => Promise<string>

/** A D1 binding of wrangler.toml, as far as deploying reads it. */
export interface DatabaseBinding {
  readonly binding: string
  readonly database_name?: string
  readonly database_id?: string
}

/** What the Worker works with, by the names of wrangler.toml. */
export interface Resources {
  readonly databases: readonly DatabaseBinding[]
  readonly queues: readonly string[]
  readonly migrations: readonly Migration[]
}

export interface Deployment {
  /** Where the Worker answers; null when wrangler did not say. */
  readonly url: string | null
  /** The one-time code for the first administrator; null when the deployment has one already. */
  readonly adminCode: string | null
}

/** A step failed, so nothing after it has run. */
export class DeploymentStopped extends Error {}

/**
 * Deploys in an order in which each step can fail and be repeated:
 *
 * 1. The bundle is built but not sent: what cannot be built changes nothing.
 * 2. Databases and queues that do not exist are created. Their ids stay out of the configuration: names find them.
 * 3. Secrets that do not exist are generated. On a first deploy this makes wrangler create the Worker, which answers
 *    nothing yet: the code may only be uploaded where its required secrets are.
 * 4. Migrations: rehearsed on a copy, then applied after the bookmark to which the database can be restored.
 * 5. The new code. `wrangler deploy`, not `versions upload` and `versions deploy`: those carry neither Durable Object
 *    migrations nor cron triggers.
 * 6. The hash of the one-time code, last: it is printed only here, so it must not be lost to a failure before.
 */
export async function deploy(
  run: Runner,
  worker: string,
  { databases, queues, migrations }: Resources,
  say: (line: string) => void,
): Promise<Deployment> {
  const step = async <Result>(what: string, work: () => Promise<Result>): Promise<Result> => {
    say(what)
    try {
      return await work()
    } catch (error) {
      throw new DeploymentStopped(
        `Stopped at: ${what}. Nothing after it has run.\n${(error as Error).message}\nMend this and run npm run deploy again: it goes on where it stopped, and repeats nothing that is done.`,
        { cause: error },
      )
    }
  }
  await step("Building the Worker", () => run({ parameters: ["deploy", "--dry-run", "--minify"] }))
  const names = [...new Set(databases.map((database) => databaseName(worker, database)))]
  await step("Creating databases that do not exist", () => createDatabases(run, worker, databases))
  await step("Creating queues that do not exist", () => createQueues(run, queues))
  const existing = await step("Reading which secrets exist", () => listSecrets(run))
  await step("Generating secrets that do not exist", () => putMissing(run, existing))
  for (const name of names) {
    await step(`Applying migrations to ${name}`, () => migrate(run, name, migrations, say))
  }
  const output = await step("Serving the new code", () =>
    run({ parameters: ["deploy", "--minify"] }),
  )
  const adminCode = existing.includes("ADMIN_CODE_HASH")
    ? null
    : await step("Setting the one-time code", () => putAdminCode(run))
  return { url: /https:\/\/[^\s]+\.workers\.dev/.exec(output)?.[0] ?? null, adminCode }
}

/** Without a name in the configuration, wrangler's own choice. */
export const databaseName = (worker: string, { binding, database_name }: DatabaseBinding): string =>
  database_name ?? `${worker}-${binding.toLowerCase().replaceAll("_", "-")}`

async function createDatabases(
  run: Runner,
  worker: string,
  databases: readonly DatabaseBinding[],
): Promise<void> {
  const wanted = databases.filter((database) => !database.database_id)
  if (wanted.length === 0) return
  const listed = parseList(await run({ parameters: ["d1", "list", "--json"] }))
  for (const name of new Set(wanted.map((database) => databaseName(worker, database)))) {
    if (!listed.includes(name)) await run({ parameters: ["d1", "create", name] })
  }
}

async function createQueues(run: Runner, queues: readonly string[]): Promise<void> {
  for (const name of new Set(queues)) {
    try {
      await run({ parameters: ["queues", "info", name] })
    } catch (error) {
      if (!/does not exist/.test((error as Error).message)) throw error
      await run({ parameters: ["queues", "create", name] })
    }
  }
}

async function listSecrets(run: Runner): Promise<string[]> {
  try {
    return parseList(await run({ parameters: ["secret", "list", "--format", "json"] }))
  } catch (error) {
    // A Worker that does not exist has no secrets. Any other failure could hide some, which must not be replaced.
    if (/Worker "[^"]*"[^\n]* not found/.test((error as Error).message)) return []
    throw error
  }
}

/** Names in the JSON array that wrangler printed, whatever it printed around it. */
function parseList(output: string): string[] {
  const start = output.indexOf("[")
  const list = JSON.parse(output.slice(start, output.lastIndexOf("]") + 1)) as { name: string }[]
  return list.map(({ name }) => name)
}

async function putMissing(run: Runner, existing: readonly string[]): Promise<void> {
  const missing = Object.entries(generateSecrets()).filter(([name]) => !existing.includes(name))
  if (missing.length === 0) return
  await run({ parameters: ["secret", "bulk"], input: JSON.stringify(Object.fromEntries(missing)) })
}

/** A database that is too large to be rehearsed is counted before and after, so that a deploy needs no flag. */
async function migrate(
  run: Runner,
  name: string,
  migrations: readonly Migration[],
  say: (line: string) => void,
): Promise<void> {
  try {
    await migrateRemote({ run, name, migrations, say })
  } catch (error) {
    if (!(error instanceof TooManyRows)) throw error
    say(`  Not rehearsed, only counted. ${error.message}`)
    await migrateRemote({ run, name, migrations, say, unrehearsed: true })
  }
}

async function putAdminCode(run: Runner): Promise<string> {
  const { code, hash } = generateAdminCode()
  await run({ parameters: ["secret", "bulk"], input: JSON.stringify({ ADMIN_CODE_HASH: hash }) })
  return code
}
