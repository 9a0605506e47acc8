import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { findProcess, listProcesses } from "./dev-processes.ts"

/**
 * One `npm run dev` a state directory: two processes that open the same local D1 would damage it.
 * The file names the process, and the process group of wrangler and workerd, which outlive a wrangler that was killed.
 */
export interface DevelopmentLock {
  /** To be told of every wrangler that is started. */
  holds(group: number): void
  release(): void
}

interface Holder {
  pid: number
  group: number | null
}

/** Time for a run that is just being ended to let go. */
const patienceMilliseconds = 3_000

/** @throws {Error} that names the process which holds the directory. */
export async function lockStateDirectory(stateDirectory: string): Promise<DevelopmentLock> {
  const file = join(stateDirectory, "development.lock")
  mkdirSync(stateDirectory, { recursive: true })
  const deadline = performance.now() + patienceMilliseconds
  for (let former = readHolder(file); former; former = readHolder(file)) {
    if (!isRunning(former)) {
      endLeftovers(former)
      rmSync(file, { force: true })
      break
    }
    if (performance.now() > deadline) {
      throw new Error(
        `npm run dev (or migrate:apply) already runs on ${stateDirectory} as process ${former.pid}: end it, or set STATE_DIR to another directory.`,
      )
    }
    await delay(100)
  }
  const write = (group: number | null, flag: "w" | "wx") =>
    writeFileSync(file, JSON.stringify({ pid: process.pid, group } satisfies Holder), { flag })
  // Of two that start at the same moment, one fails here.
  write(null, "wx")
  return { holds: (group) => write(group, "w"), release: () => rmSync(file, { force: true }) }
}

function readHolder(file: string): Holder | null {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Holder
  } catch {
    return null
  }
}

const holders = /tools\/(?:dev|migrate-apply)\.ts/

/** A number alone proves nothing: after a reboot it may be anybody's, even ours. */
function isRunning({ pid }: Holder): boolean {
  return pid !== process.pid && holders.test(findProcess(pid)?.command ?? "")
}

/** Wrangler and workerd of a run that was killed: they would keep the port, and the databases open. */
function endLeftovers(former: Holder): void {
  for (const { pid, group, command } of listProcesses()) {
    if (group !== former.group || !/\b(wrangler|workerd|migrate-apply)\b/.test(command)) continue
    try {
      process.kill(pid, "SIGKILL")
    } catch {
      // It ended by itself in between.
    }
  }
}
