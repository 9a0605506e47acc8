import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { buildPages } from "../../src/tools/build-pages.ts"
import { bundleWorker } from "../../src/tools/bundle.ts"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bundle-test-"))
  await buildPages()
})
afterAll(() => rm(folder, { recursive: true }))

test("the production bundle is one minified module and Argon2's wasm, 400 KB gz at most", async () => {
  const { directory, modules, gzipBytes } = await bundleWorker(
    "src/worker.ts",
    join(folder, "dist"),
  )
  expect(modules).toEqual([expect.stringMatching(/argon2\.wasm$/), "worker.js"])
  expect(gzipBytes).toBeLessThanOrEqual(400 * 1024)
  const code = await readFile(join(directory, "worker.js"), "utf8")
  expect(code).toContain("ChangePump")
  // Zod's messages in forty languages come with `import { z }`, Drizzle with any table of a storage manual.
  expect(code).not.toContain("Ungültige Eingabe")
  expect(code).not.toContain("drizzle:entityKind")
  expect(code).not.toContain("vega-datasets")
  expect(code).not.toContain("asn1")
  // One letter beyond Latin-1, and V8 keeps all of it in two bytes a letter: 5 ms of start-up. Write \u2026 where the
  // bundler does not, in regular expressions and templates with a tag.
  expect(code.match(/.{0,20}[^\0-\x7f]/)).toBeNull()
})
