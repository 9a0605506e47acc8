import { createHash } from "node:crypto"
import { existsSync, globSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "vite"

const output = "assets/console"
const stamp = "assets/.console-sources"

/** What the console is made from. */
const sources = [
  "src/console/**/*",
  "src/client/**/*",
  "src/app/console*",
  // The language's parser, and what it needs.
  "src/core/expression/{error,parse,tokens}.ts",
  "src/platform/storable-text.ts",
  "src/tools/build-console.ts",
  "package-lock.json",
]

/**
 * Sign-in and overview are one script with all that they import, and what several other pages share is another: a
 * browser asks for six at a time, and each costs the deployment a request.
 */
const groups = [
  { name: "first", test: /src\/console\/main\.tsx$/, priority: 1 },
  { name: "shared", minShareCount: 2 },
]

/**
 * Writes `assets/console/` (not committed): the single-page app of `src/console` and the pages that `src/app` registers,
 * bundled, minified and named by their hashes. Does nothing where the sources are those of the last time.
 */
export async function buildConsole(): Promise<void> {
  const made = await digestOfSources()
  if (existsSync(`${output}/index.html`) && existsSync(stamp)) {
    if ((await readFile(stamp, "utf8")) === made) return
  }
  // Within a test run NODE_ENV is "test", and React would come along in its development build.
  const { NODE_ENV } = process.env
  process.env.NODE_ENV = "production"
  await build({
    root: "src/console",
    base: "/console/",
    configFile: false,
    // The libraries say "use client" in every file, of which a bundler warns each time.
    logLevel: "error",
    build: {
      outDir: resolve(output),
      emptyOutDir: true,
      target: "es2022",
      // The content security policy lets no data: URL through but in images.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      rolldownOptions: { output: { codeSplitting: { groups } } },
    },
  }).finally(() => {
    if (NODE_ENV === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = NODE_ENV
  })
  await writeFile(stamp, made)
}

async function digestOfSources(): Promise<string> {
  const hash = createHash("sha256")
  const files = globSync(sources, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => resolve(entry.parentPath, entry.name))
    .sort()
  for (const file of files) hash.update(file).update(await readFile(file))
  return hash.digest("hex")
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildConsole()
