import { type ChildProcess, spawn } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

/** A fenced block of Markdown: its language, what follows it on the fence, its lines. */
export interface Block {
  readonly language: string
  readonly about: string
  readonly text: string
}

/** The walk-through of the README, from its heading to the next of its rank. */
export function readWalkthrough(): string {
  const readme = readFileSync("README.md", "utf8")
  const [, section] = /^## (Walk-through[\s\S]*?)(?=^## |(?![\s\S]))/m.exec(readme) ?? []
  if (!section) throw new Error('README.md has no section "## Walk-through"')
  return section
}

export const blocksOf = (markdown: string): Block[] =>
  [...markdown.matchAll(/^```(\w+) ?(.*)\n([\s\S]*?)^```$/gm)].map(
    ([, language = "", about = "", text = ""]) => ({ language, about, text }),
  )

/** Whether the output has every expected line; `…` stands for anything within one. */
export function findMissingLines(output: string, expected: string): string[] {
  return expected
    .split("\n")
    .filter((line) => line.trim() !== "")
    .filter((line) => !patternOf(line).test(output))
}

/** `…` stands for anything within a line. */
export const patternOf = (line: string): RegExp =>
  new RegExp(line.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&").replaceAll("…", ".*"))

/** Takes out lines with a minus, puts in lines with a plus. */
export function applyDiff(directory: string, { about: path, text }: Block): void {
  const file = join(directory, path)
  const before = readFileSync(file, "utf8")
  const lines = text.split("\n")
  const removed = lines.filter((line) => line.startsWith("-")).map((line) => line.slice(1))
  const added = lines.filter((line) => line.startsWith("+")).map((line) => line.slice(1))
  const missing = removed.filter((line) => !before.includes(line))
  if (missing.length > 0) throw new Error(`${path} has no line ${missing.join(", ")}`)
  const imports = added.filter((line) => line.startsWith("import "))
  const others = added.filter((line) => !line.startsWith("import "))
  const changed = removed.reduce(
    (all, line, index) => all.replace(line, others[index] ?? ""),
    before,
  )
  writeFileSync(file, [...imports, changed].join("\n"))
}

/** A shell that keeps its variables from one block to the next. */
export function startShell(directory: string, env: NodeJS.ProcessEnv) {
  const shell = spawn("bash", [], { cwd: directory, env, stdio: "pipe" })
  let output = ""
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk
    })
  }
  return {
    /** Answers what the commands printed. */
    async run(commands: string): Promise<string> {
      output = ""
      shell.stdin.write(`${commands}\necho "<done $?>"\n`)
      await waitFor(
        () => output.includes("<done "),
        180,
        () => `the shell is stuck after: ${output}`,
      )
      return output
    },
    end: () => shell.kill(),
  }
}

/** `npm run dev` in a directory, on a free port, and what it has said since it was last asked. */
export async function startDev(directory: string, env: NodeJS.ProcessEnv) {
  const port = await freePort()
  const child = spawn("node", ["src/tools/dev.ts"], {
    cwd: directory,
    env: { ...env, PORT: String(port), STATE_DIR: join(directory, ".state") },
    stdio: "pipe",
  })
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk
    })
  }
  return {
    port,
    /** Waits for lines, and forgets what was said up to then. */
    async says(expected: string): Promise<void> {
      const missing = () => findMissingLines(output, expected)
      const ended = () => child.exitCode !== null
      await waitFor(
        () => missing().length === 0 || ended(),
        180,
        () => `npm run dev never said ${missing().join("\n")}, but: ${output}`,
      )
      if (missing().length > 0) throw new Error(`npm run dev has ended: ${output}`)
      output = ""
    },
    end: () => endProcess(child),
  }
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  child.kill()
  await new Promise((resolve) => child.once("close", resolve))
}

async function waitFor(done: () => boolean, seconds: number, failure: () => string): Promise<void> {
  for (const end = Date.now() + seconds * 1000; !done(); await sleep(50)) {
    if (Date.now() > end) throw new Error(failure())
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0))
    })
  })
