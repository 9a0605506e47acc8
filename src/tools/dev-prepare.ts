import { fileURLToPath } from "node:url"
import { collections } from "../app/collections.ts"
import { linkCollections } from "../core/records/link.ts"
import { buildPages } from "./build-pages.ts"
import { type Demo, findDemo } from "./demo.ts"
import {
  type Administrator,
  ensureAdministrator,
  wantedAdministrator,
} from "./dev-administrator.ts"
import { checkDefinitions } from "./dev-check.ts"
import { type LocalDatabases, localDatabaseIds, openLocalDatabases } from "./dev-database.ts"
import type { Example } from "./dev-greeting.ts"
import { loadDevelopmentSecrets } from "./dev-secrets.ts"
import { type MigratedLocally, migrateLocal } from "./migrations/migrate-local.ts"
import { applyMigrations, listMigrations } from "./migrations.ts"

/** What `npm run dev` has to serve and to tell, once this process has let go of the databases. */
export interface Prepared {
  envFile: string
  administrator: Administrator
  examples: Example[]
  /** What was done, a line each. */
  events: string[]
  /** Whether the databases had been used before. */
  restarted: boolean
}

/**
 * Migrated, filled, with an administrator: what has to be true before `GET /health` may answer.
 * Repeatable at any time: it goes on where a killed run stopped.
 */
export async function prepareDatabases(
  { app, bindings }: Pick<LocalDatabases, "app" | "bindings">,
  { demo, migrated }: { demo: Demo | null; migrated?: MigratedLocally },
): Promise<{ events: string[]; restarted: boolean }> {
  const migrations = listMigrations()
  const applied = new Set(migrated?.applied)
  for (const binding of Object.values(bindings)) {
    for (const name of await applyMigrations(binding, migrations)) applied.add(name)
  }
  // Nobody listens here: the Worker's pump finds these lines of the log with its first request.
  const linked = linkCollections(collections)
  const loaded = (await demo?.loadDemo(app, linked)) ?? []
  const restarted = applied.size < migrations.length
  const told = restarted
    ? [...[...applied].map((name) => `Applied migrations/${name}`), ...(migrated?.lines ?? [])]
    : []
  return { events: [...told, ...loaded], restarted }
}

/** The process that `npm run dev` starts: reports to it, or prints what is wrong and fails. */
async function main(stateDirectory: string): Promise<void> {
  const wanted = wantedAdministrator(process.env)
  const problems = checkDefinitions()
  if (problems.length > 0) throw new Error(problems.join("\n"))
  await buildPages()
  const { file, secrets } = await loadDevelopmentSecrets(stateDirectory)
  const demo = await findDemo()
  const migrated = await migrateLocal({
    stateDirectory,
    databases: localDatabaseIds(),
    migrations: listMigrations(),
  })
  const databases = await openLocalDatabases(stateDirectory, secrets)
  try {
    const { events, restarted } = await prepareDatabases(databases, { demo, migrated })
    const administrator = await ensureAdministrator(databases.app, stateDirectory, wanted)
    const examples = [...(demo?.examples ?? [{ path: "/health" }, { path: "/openapi.json" }])]
    report({ envFile: file, administrator, examples, events, restarted })
  } finally {
    await databases.close()
  }
}

const report = (prepared: Prepared) => process.send?.(prepared)

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // Without the process that asked, nobody should have the databases open. Miniflare takes workerd along.
  const orphaned = () => process.exit(1)
  process.on("disconnect", orphaned)
  try {
    await main(process.argv[2] as string)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
  process.off("disconnect", orphaned)
  process.disconnect?.()
}
