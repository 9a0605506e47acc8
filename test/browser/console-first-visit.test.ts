import { loadavg } from "node:os"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser, visit } from "./browser.ts"
import { signIn } from "./console-visit.ts"

let server: TestServer
let browser: Browser

/** Notes when each is there, in milliseconds since the visitor set out. */
const notes = `
  globalThis.marks = {}
  const awaited = { "sign-in": "input[name=email]", menu: "nav a", overview: ".figure svg" }
  new MutationObserver(() => {
    for (const [name, selector] of Object.entries(awaited))
      if (document.querySelector(selector)) marks[name] ??= Math.round(performance.now())
  }).observe(document, { subtree: true, childList: true })`

interface Loaded {
  path: string
  bytes: number
}

/** What the page has loaded, by path without the hashes, beside its document. */
const loadedBy = (page: Page): Promise<Loaded[]> =>
  page.evaluate(() =>
    (performance.getEntriesByType("resource") as PerformanceResourceTiming[])
      .map(({ name, decodedBodySize }) => ({
        path: new URL(name).pathname.replace(/-[\w-]{8}\./, "."),
        bytes: decodedBodySize,
      }))
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
  )

/** Somebody who has never been here: nothing is cached. */
async function arrive(awaited: string, options: BrowserContextOptions = {}) {
  const visitor = await visit(browser, "about:blank", { locale: "en-GB", ...options })
  const { page } = visitor
  await page.addInitScript(notes)
  const session = await page.context().newCDPSession(page)
  await session.send("Performance.enable", { timeDomain: "threadTicks" })
  await page.goto(`${server.url}/console/`)
  await page.locator(awaited).first().waitFor()
  await page.waitForLoadState("networkidle")
  const { metrics } = await session.send("Performance.getMetrics")
  const work = metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0
  const marks = await page.evaluate(() => (globalThis as unknown as { marks: object }).marks)
  const loaded = await loadedBy(page)
  const bytes = loaded.reduce((sum, one) => sum + one.bytes, 0)
  console.log(
    `console, nothing cached: ${JSON.stringify(marks)} ms, of which ${Math.round(1000 * work)} ms are the page's own; ` +
      `${loaded.length} requests, ${Math.round(bytes / 1024)} KB unpacked; load ${loadavg()[0]?.toFixed(1)}`,
  )
  return { visitor, loaded, bytes }
}

const files = ["first.css", "first.js", "icon.svg", "messages-en.js", "rolldown-runtime.js"].map(
  (name) => `/console/assets/${name}`,
)
const paths = (loaded: readonly Loaded[]) => loaded.map(({ path }) => path)

describe.skipIf(!executablePath)("the first visit to the console", () => {
  beforeAll(async () => {
    ;[server, browser] = await Promise.all([startServer(), launchBrowser()])
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  test("loads five files, asks what it has to know side by side, and nothing twice", async () => {
    const out = await arrive("input[name=email]")
    expect(paths(out.loaded)).toEqual(["/auth/providers", ...files])
    expect(out.bytes).toBeLessThan(900_000)
    await signIn(out.visitor.page, server)
    const storageState = await out.visitor.page.context().storageState()
    await out.visitor.leave()

    const { visitor, loaded, bytes } = await arrive(".figure svg", { storageState })
    const calls = ["/auth/me", "/auth/sessions", "/collections"]
    expect(paths(loaded)).toEqual([...calls, ...files, "/metrics"])
    expect(bytes).toBeLessThan(950_000)
    await visitor.leave()

    // What waits until another was asked shows that this one did not wait for it.
    const held = await visit(browser, "about:blank", { locale: "en-GB", storageState })
    const asked = (path: string) => held.page.waitForRequest((it) => it.url().includes(path))
    const [who, figures] = [asked("/auth/me"), asked("/metrics")]
    const hold = (path: string, until: Promise<unknown>) =>
      held.page.route(path, async (route) => {
        await until
        await route.continue()
      })
    await hold("**/messages-en-*.js", who)
    await hold("**/collections", figures)
    await hold("**/auth/sessions", figures)
    await held.page.goto(`${server.url}/console/`)
    await held.page.locator(".figure svg").first().waitFor()
    await held.leave()
  })
})
