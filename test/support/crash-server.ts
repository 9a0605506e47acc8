import { setTimeout as sleep } from "node:timers/promises"
import { schemaObjects } from "../../src/core/records/ddl.ts"
import { linkCollections } from "../../src/core/records/link.ts"
import type { Bundle } from "../../src/tools/bundle.ts"
import { startBundles } from "../../src/tools/bundle-runtime.ts"
import { listProcesses } from "../../src/tools/dev-processes.ts"
import { loadDevelopmentSecrets } from "../../src/tools/dev-secrets.ts"
import { applyMigrations, listMigrations } from "../../src/tools/migrations.ts"
import { crashCollections } from "./crash-collections.ts"

export interface CrashServer {
  /** The same after every kill. */
  readonly url: string
  /** Until the first kill. */
  readonly database: D1Database
  /**
   * Resolves when miniflare has started workerd anew, on the same state, and all leases of before have expired: if those of
   * 200 kills filled the window, the dispatcher would start next to nothing that a kill could hit.
   */
  kill(): Promise<void>
  /** Of workerd, until the next kill. */
  processId(): number
  /** Where the Worker's isolate speaks the Chrome DevTools Protocol, until the next kill. With `inspect`. */
  inspector(): Promise<string>
  /** Kills it as well, and leaves it so. */
  stop(): Promise<void>
}

/** What its inbound hook is signed with. */
export const courierSecret = "the-secret-of-the-courier"

/** Starts `crash-worker.ts` on what the state directory holds. Its jobs find the world outside by `WORLD`. */
export async function startCrashServer(
  bundle: Bundle,
  stateDirectory: string,
  world: string,
  { inspect = false } = {},
): Promise<CrashServer> {
  const { secrets } = await loadDevelopmentSecrets(stateDirectory)
  const { urls, bindings, inspectorOf, stop } = await startBundles(
    {
      main: {
        bundle,
        variables: {
          ...secrets,
          ENVIRONMENT: "development",
          WORLD: world,
          HOOK_COURIER: courierSecret,
        },
      },
    },
    { stateDirectory, inspect },
  )
  const url = urls.main
  const database = bindings.DB as D1Database
  await createTables(database)
  return {
    url,
    database,
    async kill() {
      process.kill(findWorkerd(), "SIGKILL")
      const since = Date.now()
      while (!(await endOutage(url, since))) await sleep(5)
    },
    processId: findWorkerd,
    inspector: () => inspectorOf("main"),
    stop,
  }
}

async function createTables(database: D1Database): Promise<void> {
  const core = listMigrations().filter(({ name }) => name.includes("_core_"))
  await applyMigrations(database, core)
  const present = await database
    .prepare("SELECT 1 FROM sqlite_master WHERE name = 'errands'")
    .first()
  if (present) return
  const objects = schemaObjects(linkCollections(crashCollections).values())
  await database.batch(objects.map(({ sql }) => database.prepare(sql)))
}

/** The one that this process started: no other may be hit. */
function findWorkerd(): number {
  const found = listProcesses().filter(
    ({ parent, command }) => parent === process.pid && /workerd\S* serve /.test(command),
  )
  if (found.length !== 1) throw new Error(`${found.length} children of this process are workerd.`)
  return (found[0] as { pid: number }).pid
}

const endOutage = (url: string, since: number): Promise<boolean> =>
  fetch(`${url}/outages/${since}`, { method: "POST" }).then(
    (response) => response.ok,
    () => false,
  )
