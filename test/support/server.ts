import { rmSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buildPages } from "../../src/tools/build-pages.ts"
import { type Bundle, bundleWorker } from "../../src/tools/bundle.ts"
import { startBundles } from "../../src/tools/bundle-runtime.ts"
import { findDemo } from "../../src/tools/demo.ts"
import { ensureAdministrator, type Login } from "../../src/tools/dev-administrator.ts"
import { toolApp } from "../../src/tools/dev-database.ts"
import { prepareDatabases } from "../../src/tools/dev-prepare.ts"
import { loadDevelopmentSecrets } from "../../src/tools/dev-secrets.ts"

export interface TestServer {
  /** `http://127.0.0.1:<port>`, without a slash at its end. */
  readonly url: string
  readonly admin: Login
  readonly stateDirectory: string
  /** For what no request can bring about, such as time that has passed. */
  readonly database: D1Database
  /** Stops it, and removes the state directory unless it was given. */
  stop(): Promise<void>
}

interface Options {
  /** Load the product's demo, if it has one. */
  demo?: boolean
  /** Where the data stay for the next server; a folder of its own when absent. */
  stateDirectory?: string
  port?: number
  /** Make the administrator, unless told not to. */
  administrator?: boolean
  /** Variables of the Worker beyond those of a development server. */
  variables?: Record<string, string>
}

const admin: Login = { email: "admin@example.com", password: "administrators-password" }

/** The production bundle on workerd, in development, migrated and with an administrator. On the loopback interface. */
export async function startServer(options: Options = {}): Promise<TestServer> {
  const stateDirectory = options.stateDirectory ?? (await mkdtemp(join(tmpdir(), "server-")))
  const { secrets } = await loadDevelopmentSecrets(stateDirectory)
  bundle ??= makeBundle()
  const variables = { ...secrets, ENVIRONMENT: "development", ...options.variables }
  const server = await startBundles(
    { main: { bundle: await bundle, variables } },
    { stateDirectory, ...(options.port !== undefined && { port: options.port }) },
  )
  const app = toolApp(server.bindings, secrets)
  const demo = options.demo ? await findDemo() : null
  await prepareDatabases({ app, bindings: server.bindings }, { demo })
  if (options.administrator !== false) await ensureAdministrator(app, stateDirectory, admin)
  return {
    url: server.urls.main,
    admin,
    stateDirectory,
    database: server.bindings.DB as D1Database,
    async stop() {
      await server.stop()
      if (!options.stateDirectory) await rm(stateDirectory, { recursive: true, force: true })
    },
  }
}

/** One a process: the code does not change while the tests run. */
let bundle: Promise<Bundle> | undefined

async function makeBundle(): Promise<Bundle> {
  await buildPages()
  const directory = await mkdtemp(join(tmpdir(), "bundle-"))
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }))
  return bundleWorker("src/worker.ts", directory)
}
