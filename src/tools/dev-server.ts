import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import { spawnServer } from "./dev-wrangler.ts"

export interface DevelopmentServer {
  /** The process group of wrangler and workerd. */
  readonly group: number
  /** Resolves with its exit code when it ends, whoever ended it. */
  readonly ended: Promise<number>
  /** Ends it in good order: workerd closes its databases. */
  stop(): Promise<void>
}

interface Options {
  port: number
  stateDirectory: string
  envFiles: readonly string[]
  onSpawn(group: number): void
}

/**
 * `wrangler dev`, up to the first 200 of `GET /health`. What it prints while it starts is shown only if it fails;
 * what it prints later (the Worker's log, reloads) passes through.
 *
 * @throws {Error} with what wrangler printed, when it does not come up.
 */
export async function startServer(options: Options): Promise<DevelopmentServer> {
  const child = spawnServer(options)
  const group = child.pid
  if (group === undefined) throw new Error("wrangler could not be started.")
  options.onSpawn(group)
  const ended = once(child, "exit").then(([code]) => {
    // Whatever wrangler left behind goes with it, or it would keep the port and the databases.
    signal(-group, "SIGKILL")
    return (code as number | null) ?? 1
  })
  const output = holdOutput(child)
  const server: DevelopmentServer = { group, ended, stop: () => stop(group, ended) }
  const failed = ended.then((code) => {
    throw new Error(`wrangler ended with code ${code}:\n${output.held()}`)
  })
  try {
    await Promise.race([waitUntilHealthy(options.port, output.held), failed])
  } catch (error) {
    failed.catch(() => {})
    await server.stop()
    throw error
  }
  failed.catch(() => {})
  output.pass()
  return server
}

async function stop(group: number, ended: Promise<number>): Promise<void> {
  signal(group, "SIGTERM")
  const late = setTimeout(() => signal(-group, "SIGKILL"), 5_000)
  await ended
  clearTimeout(late)
}

function signal(target: number, name: NodeJS.Signals): void {
  try {
    process.kill(target, name)
  } catch {
    // It has ended.
  }
}

function holdOutput(child: ChildProcess): { held(): string; pass(): void } {
  let held = ""
  let passing = false
  const take = (stream: NodeJS.WriteStream) => (chunk: Buffer) => {
    if (passing) stream.write(chunk)
    else held += chunk
  }
  child.stdout?.on("data", take(process.stdout))
  child.stderr?.on("data", take(process.stderr))
  return {
    held: () => held,
    pass() {
      passing = true
    },
  }
}

/** @throws {Error} when the Worker cannot be built, or is not well for half a minute; with what wrangler printed. */
async function waitUntilHealthy(port: number, printed: () => string): Promise<void> {
  const deadline = performance.now() + 30_000
  let answer = "nothing"
  while (performance.now() < deadline) {
    // After this, wrangler would wait for the code to change, and we for an answer.
    if (printed().includes("Build failed")) throw new Error(printed())
    try {
      const response = await fetch(`http://127.0.0.1:${port}/health`)
      if (response.ok) return
      answer = `${response.status} ${await response.text()}`
    } catch {
      // Not yet listening.
    }
    await delay(25)
  }
  throw new Error(`GET /health answered ${answer}.\n${printed()}`)
}

/** @throws {Error} when another program listens on `port`. */
export async function assertPortFree(port: number): Promise<void> {
  const probe = createServer()
  try {
    probe.listen(port, "127.0.0.1")
    await once(probe, "listening")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error
    throw new Error(
      `Port ${port} is taken by another program: end it, or choose another with PORT=${port + 1} npm run dev.`,
    )
  } finally {
    probe.close()
  }
}
