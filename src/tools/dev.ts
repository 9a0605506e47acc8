import { fork } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { greeting } from "./dev-greeting.ts"
import { type DevelopmentLock, lockStateDirectory } from "./dev-lock.ts"
import type { Prepared } from "./dev-prepare.ts"
import { findProcess } from "./dev-processes.ts"
import { assertPortFree, type DevelopmentServer, startServer } from "./dev-server.ts"
import { watchSources } from "./dev-watch.ts"

/*
 * `npm run dev`: prepares the local databases in a process of its own, which sees the latest code and then lets go of
 * them; serves; and goes through both again when a migration arrives. One process has the databases open at any time.
 */

const port = readPort(process.env.PORT)
const stateDirectory = resolve(process.env.STATE_DIR || ".wrangler/state")

let lock: DevelopmentLock | undefined
let server: DevelopmentServer | undefined
let ending = false

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => void end(0))
endWithNpm()

try {
  // The lock comes first: it ends what a killed run may have left behind on the port.
  lock = await lockStateDirectory(stateDirectory)
  await assertPortFree(port)
  const prepared = await prepare()
  await serve(prepared)
  console.log(greeting(prepared, port, stateDirectory))
  watchSources({ migrationsChanged: migrateAndServe, definitionsChanged: checkDefinitions })
} catch (error) {
  await end(1, error)
}

function readPort(text: string | undefined): number {
  const number = Number(text || 8787)
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number
  console.error(`PORT is "${text}": give a number between 1 and 65535.`)
  process.exit(1)
}

/** @throws {Error} after the process has printed what is wrong and how to mend it. */
async function prepare(): Promise<Prepared> {
  const child = fork(new URL("./dev-prepare.ts", import.meta.url), [stateDirectory])
  let prepared: Prepared | undefined
  child.on("message", (message) => {
    prepared = message as Prepared
  })
  const [code] = await once(child, "close")
  if (code !== 0 || !prepared) throw new Error("Nothing is served until this is mended.")
  return prepared
}

async function serve({ envFile }: Prepared): Promise<void> {
  const started = await startServer({
    port,
    stateDirectory,
    envFiles: existsSync(".dev.vars") ? [".dev.vars", envFile] : [envFile],
    onSpawn: (group) => lock?.holds(group),
  })
  server = started
  void started.ended.then((code) => {
    if (server === started) void end(code || 1, "wrangler has ended.")
  })
}

/** Without a server while it lasts: the databases must not be open twice. */
async function migrateAndServe(): Promise<void> {
  console.log("Applying the migrations again.")
  const stopped = server
  server = undefined
  await stopped?.stop()
  try {
    const prepared = await prepare()
    for (const event of prepared.events) console.log(event)
    await serve(prepared)
    console.log(`Serving again at http://127.0.0.1:${port}`)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
  }
}

/** Says at once what a change of the collections still needs; wrangler reloads the code by itself. */
async function checkDefinitions(): Promise<void> {
  if (!server) return migrateAndServe()
  await once(fork(new URL("./dev-check.ts", import.meta.url)), "close")
}

async function end(code: number, reason?: unknown): Promise<void> {
  if (ending) return
  ending = true
  if (reason) console.error(reason instanceof Error ? reason.message : reason)
  const stopped = server
  server = undefined
  await stopped?.stop()
  lock?.release()
  process.exit(code)
}

/** When npm is killed it takes nobody with it, not even the shell between us, and a server would stay unseen. */
function endWithNpm(): void {
  if (process.env.npm_lifecycle_event !== "dev") return
  const npm = findProcess(process.ppid)?.parent
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent || findProcess(parent)?.parent !== npm) void end(1)
  }, 500).unref()
}
