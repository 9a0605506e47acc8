import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { buildPages } from "./build-pages.ts"
import { runWrangler } from "./dev-wrangler.ts"

/** Files of a bundle, and what they weigh on the way to Cloudflare. */
export interface Bundle {
  readonly directory: string
  readonly modules: readonly string[]
  readonly gzipBytes: number
}

const maxGzipBytes = 400 * 1024
const maxStartupMilliseconds = 50

/**
 * The production bundle of `entry`, as `wrangler deploy` would upload it.
 * The page's embedded files have to be built before: `buildPages`.
 */
export async function bundleWorker(entry: string, directory: string): Promise<Bundle> {
  await rm(directory, { recursive: true, force: true })
  await runWrangler(["deploy", entry, "--dry-run", "--minify", "--outdir", directory])
  const modules = (await readdir(directory))
    .filter((file) => !file.endsWith(".map") && file !== "README.md")
    .sort()
  const contents = await Promise.all(modules.map((file) => readFile(join(directory, file))))
  return { directory, modules, gzipBytes: gzipSync(Buffer.concat(contents)).length }
}

/** CPU time of start-up in milliseconds, as wrangler's profiler samples it on this machine. */
async function measureStartup(): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "startup-"))
  try {
    const output = await runWrangler([
      "check",
      "startup",
      "--args=--minify",
      "--outfile",
      join(directory, "startup.cpuprofile"),
    ])
    return Number(/Active: ([\d.]+) ms/.exec(output)?.[1] ?? Number.NaN)
  } finally {
    await rm(directory, { recursive: true })
  }
}

async function main(): Promise<number> {
  await buildPages()
  const bundle = await bundleWorker("src/worker.ts", "dist")
  const startup = await measureStartup()
  const kilobytes = bundle.gzipBytes / 1024
  console.log(`dist/: ${bundle.modules.join(", ")}`)
  console.log(`Size: ${kilobytes.toFixed(0)} KB gz (at most ${maxGzipBytes / 1024})`)
  console.log(`Start-up: ${startup} ms CPU on this machine (at most ${maxStartupMilliseconds})`)
  if (bundle.gzipBytes <= maxGzipBytes) return 0
  console.error("The bundle is too large: look for a dependency that could be smaller.")
  return 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main()
