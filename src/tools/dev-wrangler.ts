import { type ChildProcess, spawn } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** Wrangler itself. Its launcher in `.bin` would stand between us and the signals that we send. */
const program = fileURLToPath(import.meta.resolve("wrangler"))

/** No telemetry, no look for updates or skills, no fetch of a sample `request.cf`, no traces on disk: offline and silent. */
const quiet = {
  DO_NOT_TRACK: "1",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_WRITE_LOGS: "false",
  WRANGLER_NO_SKILLS_UPDATE_PROMPTS: "true",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  X_LOCAL_EXPLORER: "false",
  X_LOCAL_OBSERVABILITY: "false",
}

/** Variables of the Worker that must come from its own files, not from the shell that happens to start it. */
const workerVariables = ["SECRET", "SIGNING_KEYS", "ENVIRONMENT"]

function environment(): NodeJS.ProcessEnv {
  const variables: Record<string, string | undefined> = { ...process.env, ...quiet }
  for (const name of workerVariables) delete variables[name]
  return variables as NodeJS.ProcessEnv
}

/**
 * Runs wrangler to its end, with `input` on its standard input. Answers what it printed.
 *
 * @throws {Error} with all that wrangler printed when it fails.
 */
export function runWrangler(parameters: readonly string[], input = ""): Promise<string> {
  const child = spawn(process.execPath, ["--no-warnings", program, ...parameters], {
    env: environment(),
  })
  child.stdin.end(input)
  const output = collect(child)
  return new Promise((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (code) => {
      if (code === 0) resolve(output.text)
      else reject(new Error(`wrangler ${parameters.join(" ")} failed:\n${output.text}`))
    })
  })
}

function collect(child: ChildProcess): { text: string } {
  const output = { text: "" }
  const add = (chunk: Buffer) => {
    output.text += chunk
  }
  child.stdout?.on("data", add)
  child.stderr?.on("data", add)
  return output
}

interface Serving {
  port: number
  stateDirectory: string
  /** Variables and secrets of the Worker, which so stand on no command line. */
  envFiles: readonly string[]
}

/**
 * Those of wrangler.toml, and one for here alone: the local queue hands over one batch at a time, and without it would wait
 * until the longest job of the batch has ended.
 */
const localFlags = ["nodejs_compat", "queue_consumer_no_wait_for_wait_until"]

/**
 * wrangler.toml without its list of required secrets, beside it because paths are relative to it: with such a list wrangler
 * takes nothing else from .dev.vars, and says nothing of what it leaves out. Answers its name.
 */
function writeConfig(): string {
  const file = "wrangler.development.toml"
  const text = readFileSync("wrangler.toml", "utf8").replace(/^\[secrets\]\n(?:(?!\[).*\n)*/m, "")
  writeFileSync(file, `# Made by "npm run dev" of wrangler.toml, each time.\n${text}`)
  return file
}

/** `wrangler dev` as a process group of its own: Ctrl-C reaches only this process, which ends wrangler in good order. */
export function spawnServer({ port, stateDirectory, envFiles }: Serving): ChildProcess {
  const parameters = [
    "dev",
    `--config=${writeConfig()}`,
    "--ip=127.0.0.1",
    `--port=${port}`,
    "--inspector-port=0",
    `--persist-to=${stateDirectory}`,
    "--show-interactive-dev-session=false",
    // Where links in mails lead: to this very server.
    `--var=PUBLIC_URL:http://127.0.0.1:${port}`,
    ...localFlags.map((flag) => `--compatibility-flags=${flag}`),
    ...envFiles.map((file) => `--env-file=${file}`),
  ]
  const watchParent = `--import=${import.meta.resolve("./dev-orphan.ts")}`
  return spawn(process.execPath, ["--no-warnings", watchParent, program, ...parameters], {
    env: environment(),
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true,
  })
}
