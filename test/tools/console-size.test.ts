import { readFile } from "node:fs/promises"
import { gzipSync } from "node:zlib"
import { beforeAll, expect, test } from "vitest"
import { buildConsole } from "../../src/tools/build-console.ts"

const folder = "assets/console"

beforeAll(buildConsole)

/** A script with all that it imports before it runs. */
async function withImports(name: string, seen = new Set<string>()): Promise<Set<string>> {
  if (seen.has(name)) return seen
  seen.add(name)
  const code = await readFile(`${folder}/assets/${name}`, "utf8")
  const imports = [...code.matchAll(/(?:\bfrom|\bimport)\s*"\.\/([\w.-]+\.js)"/g)]
  for (const [, imported] of imports) await withImports(imported as string, seen)
  return seen
}

test("sign-in and overview load at most 250 KB of script, gzipped, in two files and one of words", async () => {
  const document = await readFile(`${folder}/index.html`, "utf8")
  const scripts = new Set<string>()
  for (const [, entry = ""] of document.matchAll(/src="\/console\/assets\/([^"]+\.js)"/g)) {
    await withImports(entry, scripts)
  }
  const texts = await Promise.all(
    [...scripts].map((name) => readFile(`${folder}/assets/${name}`, "utf8")),
  )
  // The catalogue of one language, of which the German one is the longer.
  const [, words = ""] = /import\([`"']\.\/(messages-de-[\w-]+\.js)/.exec(texts.join()) ?? []
  await withImports(words, scripts)
  let bytes = 0
  for (const name of scripts) bytes += gzipSync(await readFile(`${folder}/assets/${name}`)).length
  console.log(`console: ${(bytes / 1024).toFixed(0)} KB gzipped in ${scripts.size} scripts`)
  expect(scripts.size).toBe(3)
  expect(bytes).toBeLessThanOrEqual(250 * 1024)
})
