import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"

/** A process of this machine. */
export interface Process {
  pid: number
  parent: number
  group: number
  command: string
}

/** From /proc, because small Linux images have no `ps`; elsewhere from `ps`. */
export function listProcesses(): Process[] {
  if (hasProc()) {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => readProcess(Number(name)) ?? [])
  }
  return ps(["-A"])
}

export function findProcess(pid: number): Process | null {
  if (hasProc()) return readProcess(pid)
  return ps(["-p", String(pid)])[0] ?? null
}

const hasProc = (): boolean => existsSync("/proc/self/stat")

function ps(selection: readonly string[]): Process[] {
  const output = runPs([...selection, "-o", "pid=,ppid=,pgid=,args="])
  return output.split("\n").flatMap((line) => {
    const [, pid, parent, group, command = ""] =
      /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
    return pid ? [{ pid: Number(pid), parent: Number(parent), group: Number(group), command }] : []
  })
}

function runPs(parameters: readonly string[]): string {
  try {
    return execFileSync("ps", parameters, { encoding: "utf8" })
  } catch {
    // It fails when there is no such process.
    return ""
  }
}

function readProcess(pid: number): Process | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The name stands in parentheses and may hold spaces; after it: state, parent, group.
    const [, parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
    return { pid, parent: Number(parent), group: Number(group), command }
  } catch {
    return null
  }
}
