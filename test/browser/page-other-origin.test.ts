import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { build } from "esbuild"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { collections } from "../../src/app/collections.ts"
import type { Client } from "../../src/client/client.ts"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser, visit } from "./browser.ts"

declare global {
  /** Made by the page that this test serves. */
  var hinterland: Client<typeof collections>
}

let server: TestServer
let browser: Browser
let otherOrigin: Server
let otherUrl: string

/** A page on another origin, with nothing but the client on it. */
async function serveClient(url: string): Promise<Server> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { createClient } from "./client.ts"
globalThis.hinterland = createClient({ url: ${JSON.stringify(url)}, storage: localStorage })`,
      resolveDir: "src/client",
    },
    bundle: true,
    format: "esm",
    write: false,
  })
  const script = outputFiles[0]?.text ?? ""
  const listening = createServer((request, response) => {
    const isScript = request.url === "/client.js"
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html")
    response.end(
      isScript
        ? script
        : `<!doctype html><link rel="icon" href="data:,"><script type="module" src="/client.js"></script>`,
    )
  })
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve))
  return listening
}

describe.skipIf(!executablePath)("the client on another origin, in Chromium", () => {
  beforeAll(async () => {
    ;[server, browser] = await Promise.all([startServer({ demo: true }), launchBrowser()])
    otherOrigin = await serveClient(server.url)
    otherUrl = `http://127.0.0.1:${(otherOrigin.address() as AddressInfo).port}`
  })
  afterAll(async () => {
    await browser?.close()
    otherOrigin?.close()
    await server?.stop()
  })

  test("it reads, signs in without cookies, writes, sees its own writes, and finds its session again", async () => {
    const { page, complaints } = await visit(browser, otherUrl)
    await page.waitForFunction(() => "hinterland" in globalThis)
    const email = `nora-${crypto.randomUUID()}@example.org`

    const first = await page.evaluate(async (email) => {
      const { auth, records } = hinterland
      const film = (await records("films").list({ search: "American Psycho", limit: 1 })).items[0]
      const credentials = { email, password: "correct horse battery" }
      await auth.signUp({ ...credentials, name: "Nora" })
      const user = await auth.signIn(credentials)
      const input = { film: film?.id ?? "", stars: 4, body: "Stairs." }
      const review = await records("reviews").create(input)
      const read = await records("reviews").get(review.id, { expand: ["author", "film"] })
      const changed = await records("reviews").update(review.id, { stars: 5 }, { ifMatch: 1 })
      const stale = await records("reviews")
        .update(review.id, { stars: 1 }, { ifMatch: 1 })
        .catch((problem) => ({ code: problem.code, requestId: problem.requestId }))
      return { film, user, read, changed, stale }
    }, email)
    expect(first.film?.title).toBe("American Psycho")
    expect(first.user).toMatchObject({ email, name: "Nora" })
    expect(first.read.expanded.author).toMatchObject({ name: "Nora" })
    expect(first.read.expanded.film).toMatchObject({ title: "American Psycho" })
    expect(first.changed).toMatchObject({ stars: 5, version: 2 })
    expect(first.stale).toEqual({ code: "precondition_failed", requestId: expect.any(String) })
    expect(await page.context().cookies()).toEqual([])

    await page.reload()
    await page.waitForFunction(() => "hinterland" in globalThis)
    const second = await page.evaluate(async () => {
      const { auth, records } = hinterland
      const user = await auth.me()
      const mine = await records("reviews").list({ filter: `author = "${user?.id}"` })
      for (const review of mine.items) await records("reviews").delete(review.id)
      await auth.signOut()
      return { email: user?.email, reviews: mine.items.length, after: await auth.me() }
    })
    expect(second).toEqual({ email, reviews: 1, after: null })
    expect(complaints).toEqual([expect.stringContaining("412")])
    await page.context().close()
  })
})
