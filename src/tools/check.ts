import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { buildPages } from "./build-pages.ts"
import { runWrangler } from "./dev-wrangler.ts"

/** Format and lint, and types: all that is wrong with the code without running it. Answers whether it is fine. */
export async function check(): Promise<boolean> {
  // The types of the bindings and the pages' files are generated, and checked like any other code.
  await buildPages()
  await runWrangler(["types"])
  const results = await Promise.all([
    run("biome", ["ci", "--error-on-warnings"]),
    run("tsc", ["--noEmit"]),
  ])
  return results.every(Boolean)
}

/** Runs a program of node_modules, which npm has put on the PATH. Answers whether it was content. */
async function run(program: string, parameters: readonly string[]): Promise<boolean> {
  const child = spawn(program, parameters, { stdio: ["ignore", "inherit", "inherit"] })
  const [code] = await once(child, "close")
  if (code !== 0) console.error(`${program} ${parameters.join(" ")} found something to mend.`)
  return code === 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = (await check()) ? 0 : 1
