import { mkdir } from "node:fs/promises"
import { join, resolve } from "node:path"
import { convertV4MiniflareOptions, Miniflare } from "miniflare"
import { unstable_readConfig as readConfig } from "wrangler"
import { type App, createApp } from "../platform/app.ts"
import { parseSettings } from "../platform/settings.ts"
import type { Secrets } from "./secrets.ts"

/** The local databases of a state directory, opened in this process. Only one process may have them open. */
export interface LocalDatabases {
  /** The D1 bindings by name, as the Worker would see them. */
  readonly bindings: Record<string, D1Database>
  readonly app: App
  close(): Promise<void>
}

/** The same files that `wrangler dev --persist-to <stateDirectory>` opens. */
export async function openLocalDatabases(
  stateDirectory: string,
  secrets: Secrets,
): Promise<LocalDatabases> {
  const d1Databases = localDatabaseIds()
  const persistence = join(resolve(stateDirectory), "v3")
  await mkdir(persistence, { recursive: true })
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: "export default {}",
      compatibilityDate: "2026-11-17",
      d1Databases,
      resourcePersistencePath: persistence,
    }),
  )
  const bindings: Record<string, D1Database> = {}
  for (const name of Object.keys(d1Databases)) {
    bindings[name] = (await miniflare.getD1Database(name)) as unknown as D1Database
  }
  return { bindings, app: toolApp(bindings, secrets), close: () => miniflare.dispose() }
}

/** An entry of wrangler.toml. Wrangler's own types are not complete in its package. */
interface D1Configuration {
  binding: string
  database_id?: string
  preview_database_id?: string
}

/** Wrangler names a local database for its id, or without one for its binding. */
export function localDatabaseIds(): Record<string, { id: string }> {
  const { d1_databases } = readConfig({ config: "wrangler.toml" })
  const databases: readonly D1Configuration[] = d1_databases
  return Object.fromEntries(
    databases.map(({ binding, database_id, preview_database_id }) => [
      binding,
      { id: preview_database_id ?? database_id ?? binding },
    ]),
  )
}

/** An app for a tool: no request, no log lines between those that the tool prints. */
export function toolApp(bindings: object, secrets: Secrets): App {
  const env = { ...bindings, ...secrets, ENVIRONMENT: "development" }
  const app = createApp({
    env,
    settings: parseSettings(env),
    requestId: crypto.randomUUID(),
    database: "main",
    bookmark: null,
    waitUntil: () => {},
  })
  return Object.create(app, { log: { value: () => {} } }) as App
}
