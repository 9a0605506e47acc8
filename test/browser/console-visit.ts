import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { expect } from "vitest"
import type { TestServer } from "../support/server.ts"
import { type Visitor, visit } from "./browser.ts"

/** An administrator in the console, signed in by its form, on the page at `path`. */
export async function visitConsole(
  browser: Browser,
  server: TestServer,
  path = "/",
  options: BrowserContextOptions = {},
): Promise<Visitor> {
  const visitor = await visit(browser, `${server.url}/console${path}`, {
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    ...options,
  })
  await signIn(visitor.page, server)
  return visitor
}

export async function signIn(page: Page, { admin }: TestServer): Promise<void> {
  await page.locator("input[name=email]").fill(admin.email)
  await page.locator("input[name=password]").fill(admin.password)
  await page.locator("button[type=submit]").first().click()
  await page.getByRole("navigation").waitFor({ state: "attached" })
}

/** An hour goes by: whoever is signed in is still, but has proved it long ago. */
export async function letProofsGrowOld(page: Page, server: TestServer): Promise<void> {
  await server.database
    .prepare("UPDATE sessions SET authenticatedAt = '2026-01-01T00:00:00.000Z'")
    .run()
  // Its access token still says otherwise; the next one will not.
  await page.context().clearCookies({ name: "__Host-access" })
  await page.reload()
  await page.getByRole("navigation").waitFor({ state: "attached" })
}

/** Goes to a page as its links do, without loading the console again. */
export async function goTo(page: Page, path: string): Promise<void> {
  await page.evaluate((path) => {
    history.pushState(null, "", `/console${path}`)
    dispatchEvent(new PopStateEvent("popstate"))
  }, path)
  await page.waitForLoadState("networkidle")
}

const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8")

/** Nothing that axe calls serious or critical, by the rules of WCAG 2.2 AA. */
export async function expectAccessible(page: Page, where: string): Promise<void> {
  // What fades in has other colours meanwhile. What turns for ever is not waited for.
  await page.waitForFunction(() =>
    document
      .getAnimations()
      .every(
        (it) => it.playState !== "running" || it.effect?.getComputedTiming().endTime === Infinity,
      ),
  )
  await page.evaluate(axe)
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: typeof import("axe-core") }
    const { violations } = await axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    })
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)
  })
  expect(found, where).toEqual([])
}

/** How far the page sticks out sideways, in pixels. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - window.innerWidth))
