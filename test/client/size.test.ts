import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { expect, test } from "vitest"

test("the whole client is at most 5 KB, minified and gzipped", async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: `export * from "./client.ts"; export * from "./filter.ts"; export * from "./problem.ts"`,
      resolveDir: "src/client",
    },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  })
  const bytes = gzipSync(outputFiles[0]?.contents ?? "").length
  console.log(`client: ${bytes} bytes gzipped`)
  expect(bytes).toBeGreaterThan(500)
  expect(bytes).toBeLessThanOrEqual(5 * 1024)
})
