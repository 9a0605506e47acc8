import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

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

/** @throws {Error} that names the process which holds the directory. */
export function lockStateDirectory(stateDirectory: string): DevelopmentLock {
  const file = join(stateDirectory, "development.lock")
  mkdirSync(stateDirectory, { recursive: true })
  const former = readHolder(file)
  if (former) {
    const processes = listProcesses()
    const runs = processes.some(
      ({ pid, command }) =>
        pid === former.pid && pid !== process.pid && command.includes("tools/dev.ts"),
    )
    if (runs) {
      throw new Error(
        `npm run dev already runs on ${stateDirectory} as process ${former.pid}: end it, or set STATE_DIR to another directory.`,
      )
    }
    // Looked up first: a number from before a reboot may be anybody's now.
    for (const { pid, group, command } of processes) {
      if (group === former.group && /\b(wrangler|workerd)\b/.test(command)) end(pid)
    }
    rmSync(file, { force: true })
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

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // It ended by itself in between.
  }
}

interface Process {
  pid: number
  group: number
  command: string
}

/** From /proc, because small Linux images have no `ps`; elsewhere from `ps`. */
function listProcesses(): Process[] {
  if (existsSync("/proc/self/stat")) {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => readProcess(Number(name)) ?? [])
  }
  return execFileSync("ps", ["-A", "-o", "pid=,pgid=,args="], { encoding: "utf8" })
    .split("\n")
    .flatMap((line) => {
      const [, pid, group, command = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
      return pid ? [{ pid: Number(pid), group: Number(group), command }] : []
    })
}

function readProcess(pid: number): Process | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The name stands in parentheses and may hold spaces; after it: state, parent, group.
    const group = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2])
    return { pid, group, command: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ") }
  } catch {
    return null
  }
}
