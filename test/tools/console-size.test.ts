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

test("sign-in and overview load at most 250 KB of script, gzipped", async () => {
  const document = await readFile(`${folder}/index.html`, "utf8")
  const [, entry = ""] = /src="\/console\/assets\/([^"]+\.js)"/.exec(document) ?? []
  const scripts = await withImports(entry)
  const texts = await Promise.all(
    [...scripts].map((name) => readFile(`${folder}/assets/${name}`, "utf8")),
  )
  const lazily = (name: string) =>
    new RegExp(`import\\([\`"']\\./(${name}-[\\w-]+\\.js)`).exec(texts.join())?.[1] ?? ""
  // The catalogue of one language, of which the German one is the longer.
  for (const name of ["messages-de", "overview", "palette"]) {
    await withImports(lazily(name), scripts)
  }
  let bytes = 0
  for (const name of scripts) bytes += gzipSync(await readFile(`${folder}/assets/${name}`)).length
  console.log(`console: ${(bytes / 1024).toFixed(0)} KB gzipped in ${scripts.size} scripts`)
  expect(scripts.size).toBeGreaterThan(3)
  expect(bytes).toBeLessThanOrEqual(250 * 1024)
})
