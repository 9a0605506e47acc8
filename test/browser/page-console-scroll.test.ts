import { loadavg } from "node:os"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { rowHeight } from "../../src/console/data/row-window.ts"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser, visit } from "./browser.ts"
import { signIn } from "./console-visit.ts"

let server: TestServer
let browser: Browser

/** `GRID_ROWS=100000` measures what no test has the time for. */
const total = Number(process.env.GRID_ROWS ?? 4_000)
const pageSize = 200
const timeout = 120_000 + 10 * total

/** What the page counts about itself. */
interface Counted {
  commits: number
  mostRows: number
  /** Rows that came to be, and the elements in them. */
  rows: number
  elements: number
  /** Of these rows, those with a style of their own: each costs as much as all that is in it. */
  styled: number
  /** Changes of what was there already. */
  changes: number
}

/** Rows of films, as NDJSON. */
const films = (): string =>
  Array.from({ length: total }, (_, i) =>
    JSON.stringify({
      title: `Film ${i}`,
      director: `Director ${i % 997}`,
      genre: i % 3 ? "Drama" : "Comedy",
      runningMinutes: 60 + (i % 120),
    }),
  ).join("\n")

async function load(): Promise<void> {
  const signedIn = await fetch(`${server.url}/auth/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(server.admin),
  })
  const { accessToken } = (await signedIn.json()) as { accessToken: string }
  const imported = await fetch(`${server.url}/records/films/import`, {
    method: "POST",
    headers: { authorization: `Bearer ${accessToken}`, "content-type": "application/x-ndjson" },
    body: films(),
  })
  expect(await imported.json()).toMatchObject({ created: total, refused: 0 })
}

describe.skipIf(!executablePath)("thousands of records in the console", () => {
  beforeAll(async () => {
    ;[server, browser] = await Promise.all([startServer(), launchBrowser()])
    await load()
  }, timeout)
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  test(
    "scroll by: each page is read once, each row made once and of few elements, and none that is there is touched",
    async () => {
      const visitor = await visit(browser, "about:blank", { locale: "en-GB" })
      const { page } = visitor
      await page.addInitScript(() => {
        const counted: Counted = {
          commits: 0,
          mostRows: 0,
          rows: 0,
          elements: 0,
          styled: 0,
          changes: 0,
        }
        // What React tells its developer tools, in production too.
        const hook = {
          supportsFiber: true,
          inject: () => 1,
          onCommitFiberRoot() {
            counted.commits += 1
            const rows = document.querySelectorAll(".grid-body .grid-row").length
            counted.mostRows = Math.max(counted.mostRows, rows)
          },
          onCommitFiberUnmount() {},
        }
        Object.assign(globalThis, { counted, __REACT_DEVTOOLS_GLOBAL_HOOK__: hook })
      })
      const asked: string[] = []
      page.on("request", (request) => {
        const { pathname, searchParams } = new URL(request.url())
        if (pathname === "/records/films" && searchParams.get("limit") === String(pageSize)) {
          asked.push(searchParams.get("cursor") ?? "")
        }
      })
      await page.goto(`${server.url}/console/data/films`)
      await signIn(page, server)
      await page.getByText(`${total.toLocaleString("en")} records`).waitFor()
      await page.getByRole("row").nth(5).waitFor()

      await page.evaluate(async (total) => {
        const area = document.querySelector(".grid") as HTMLElement
        while (area.querySelector("table")?.getAttribute("aria-rowcount") !== String(total + 1)) {
          area.scrollTo(0, area.scrollHeight)
          await new Promise(requestAnimationFrame)
        }
      }, total)
      expect(asked).toHaveLength(total / pageSize)
      expect(new Set(asked).size).toBe(asked.length)

      const session = await page.context().newCDPSession(page)
      // Of the thread, so that a busy machine measures the same.
      await session.send("Performance.enable", { timeDomain: "threadTicks" })
      const seconds = async (name: string) => {
        const { metrics } = await session.send("Performance.getMetrics")
        return metrics.find((metric) => metric.name === name)?.value ?? 0
      }
      const names = ["TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration"]
      const before = await Promise.all(names.map(seconds))
      const { frames, counted } = await page.evaluate(async (perFrame) => {
        const counted = (globalThis as unknown as { counted: Counted }).counted
        const area = document.querySelector(".grid") as HTMLElement
        area.scrollTo(0, 0)
        await new Promise((resolve) => setTimeout(resolve, 500))
        Object.assign(counted, { commits: 0, rows: 0, elements: 0, styled: 0, changes: 0 })
        const body = document.querySelector(".grid-body") as HTMLElement
        const watch = new MutationObserver((mutations) => {
          for (const { target, addedNodes } of mutations) {
            for (const node of addedNodes) {
              const row = node as HTMLElement
              counted.rows += 1
              counted.elements += 1 + row.querySelectorAll("*").length
              if (row.hasAttribute("style")) counted.styled += 1
            }
            if (target !== body) counted.changes += 1
          }
        })
        const everything = { subtree: true, childList: true, attributes: true, characterData: true }
        watch.observe(body, everything)
        const frames: number[] = []
        let last = await new Promise<number>(requestAnimationFrame)
        for (let i = 0; i < 300; i++) {
          area.scrollBy(0, perFrame)
          const now = await new Promise<number>(requestAnimationFrame)
          frames.push(now - last)
          last = now
        }
        watch.disconnect()
        return { frames, counted }
      }, 3 * rowHeight)
      const after = await Promise.all(names.map(seconds))
      const perFrame = (i: number) =>
        ((1000 * ((after[i] ?? 0) - (before[i] ?? 0))) / frames.length).toFixed(1)
      const sorted = frames.toSorted((a, b) => a - b)
      const at = (part: number) => (sorted[Math.floor(part * (sorted.length - 1))] ?? 0).toFixed(1)
      const late = frames.filter((ms) => ms > 25).length
      console.log(
        `grid: ${frames.length} frames, median ${at(0.5)} ms, 95 % ${at(0.95)} ms, 99 % ${at(0.99)} ms, ${late} late; ` +
          `a frame's work ${perFrame(0)} ms (script ${perFrame(1)}, layout ${perFrame(2)}, styles ${perFrame(3)}); ` +
          `${JSON.stringify(counted)}; load ${loadavg()[0]?.toFixed(1)}`,
      )
      // One for what has come into sight, and one when it stands still.
      expect(counted.commits).toBeLessThanOrEqual(frames.length + 5)
      // Three a frame come into sight.
      expect(counted.rows).toBeGreaterThan(2 * frames.length)
      expect(counted.rows).toBeLessThanOrEqual(3 * frames.length + 5)
      // The row, its lead with a box and a button of three; a cell for each column, and in it a tag or a dash but for the
      // title, the director and the moment, which are nothing but text.
      const columns = (await page.getByRole("columnheader").count()) - 1
      expect(counted.elements).toBe((6 + columns + (columns - 3)) * counted.rows)
      expect(counted.styled).toBe(0)
      // The row that the keyboard is at leaves the others, and stands by itself from then on.
      expect(counted.changes).toBeLessThanOrEqual(6)
      expect(counted.mostRows).toBeGreaterThan(10)
      expect(counted.mostRows).toBeLessThan(60)
      await visitor.leave()
    },
    timeout,
  )

  test("the millionth row is reached, by the keyboard and by scrolling to the end", async () => {
    const visitor = await visit(browser, "about:blank", { locale: "en-GB" })
    const { page } = visitor
    await page.addInitScript(() => {
      // One page of a list that no test has the time to fill and to read.
      const real = globalThis.fetch
      const items = () =>
        Array.from({ length: 1e6 }, (_, i) => ({ id: `f${i}`, title: `Film ${i}` }))
      globalThis.fetch = async (address, init) =>
        /\/records\/films\?.*limit=200/.test(String(address))
          ? new Response(JSON.stringify({ items: items(), next: null }))
          : real(address, init)
    })
    await page.goto(`${server.url}/console/data/films`)
    await signIn(page, server)
    const grid = page.locator(".grid")
    /** Within the area that scrolls, below the head. */
    const isWhole = (rowIndex: number) =>
      grid.evaluate((area, rowIndex) => {
        const row = area.querySelector(`[aria-rowindex="${rowIndex}"]`)?.getBoundingClientRect()
        const head = area.querySelector("thead")?.getBoundingClientRect()
        const { bottom } = area.getBoundingClientRect()
        return row && head && row.top >= head.bottom - 1 && row.bottom <= bottom
      }, rowIndex)
    await page.getByRole("gridcell", { name: "Film 0", exact: true }).click()
    await page.keyboard.press("End")
    await page.getByRole("gridcell", { name: "Film 999999", exact: true }).waitFor()
    await expect.poll(() => isWhole(1_000_001)).toBe(true)
    await page.keyboard.press("Home")
    await expect.poll(() => isWhole(2)).toBe(true)
    await grid.evaluate((area) => area.scrollTo(0, area.scrollHeight))
    await page.getByRole("gridcell", { name: "Film 999999", exact: true }).waitFor()
    expect(await isWhole(1_000_001)).toBe(true)
    await visitor.leave()
  })
})
