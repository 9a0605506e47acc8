import { randomUUID } from "node:crypto"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { collections } from "../app/collections.ts"
import { linkCollections } from "../core/records/link.ts"
import { buildPage } from "./build-page.ts"
import { findDemo } from "./demo.ts"
import { type Administrator, ensureAdministrator } from "./dev-administrator.ts"
import { checkDefinitions } from "./dev-check.ts"
import { type LocalDatabases, openLocalDatabases } from "./dev-database.ts"
import type { Example } from "./dev-greeting.ts"
import { loadDevelopmentSecrets } from "./dev-secrets.ts"
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

/** Migrated, filled, with an administrator: what has to be true before `GET /health` may answer. */
export async function prepareDatabases(
  { app, bindings }: Pick<LocalDatabases, "app" | "bindings">,
  options: { demo: boolean },
): Promise<{ events: string[]; applied: number }> {
  const migrations = listMigrations()
  const applied: string[] = []
  for (const binding of Object.values(bindings)) {
    applied.push(...(await applyMigrations(binding, migrations)))
  }
  const demo = options.demo ? await findDemo() : null
  // Nobody listens here: the Worker's pump finds these lines of the log with its first request.
  const engine = { collections: linkCollections(collections), pump: { poke: async () => {} } }
  const events = (await demo?.loadDemo(app, engine)) ?? []
  const count = new Set(applied).size
  return {
    events: [...(count > 0 ? [`${count} migrations applied`] : []), ...events],
    applied: count,
  }
}
