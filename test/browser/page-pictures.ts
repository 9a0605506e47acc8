import { mkdir } from "node:fs/promises"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, test } from "vitest"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser } from "./browser.ts"
import { goTo, visitConsole } from "./console-visit.ts"

/*
 * For people who look: `PICTURES=/tmp/pictures npx vitest run test/browser/page-pictures.ts` leaves a picture of
 * every page there, narrow and wide, light and dark.
 */
const folder = process.env.PICTURES ?? ""

let server: TestServer
let browser: Browser

const pages: Readonly<Record<string, string>> = {
  overview: "/",
  films: "/data/films",
  record: "/data/films",
  schema: "/schema",
  changes: "/changes",
  exposure: "/exposure?collection=reviews",
  users: "/users",
  organisations: "/organisations",
  keys: "/keys",
  audit: "/audit",
  jobs: "/jobs",
  schedules: "/schedules",
  mails: "/mails",
  club: "/club",
  account: "/account",
  missing: "/nowhere",
}

/** What has to be pressed before it can be seen. */
const opened: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  record: (page) =>
    page
      .locator("#content")
      .getByRole("button", { name: /^Open / })
      .first()
      .click(),
}

/** Nothing is being loaded any more, nor moves. */
async function settled(page: Page): Promise<void> {
  await page.waitForTimeout(300)
  await page.getByRole("status", { name: "Loading…" }).first().waitFor({ state: "detached" })
}

/** Something for the change log to tell. */
async function correctFilms(): Promise<void> {
  const json = { "content-type": "application/json" }
  const { email, password } = server.admin
  const ask = async <T>(path: string, init: RequestInit): Promise<T> =>
    (await (await fetch(server.url + path, init)).json()) as T
  const body = JSON.stringify({ email, password })
  const { accessToken } = await ask<{ accessToken: string }>("/auth/sessions", {
    ...{ method: "POST", headers: json, body },
  })
  const headers = { ...json, authorization: `Bearer ${accessToken}` }
  const found = await ask<{ items: { id: string }[] }>("/records/films?limit=4", { headers })
  for (const [n, { id }] of found.items.entries()) {
    const change = { releasedOn: `1998-06-1${n}`, director: "David Leland" }
    const init = { method: "PATCH", headers, body: JSON.stringify(change) }
    await ask(`/records/films/${id}`, init)
    const review = { film: id, stars: 5 - n, body: "Seen twice." }
    await ask("/records/reviews", { method: "POST", headers, body: JSON.stringify(review) })
  }
}

describe.skipIf(!executablePath)("pictures of the console", () => {
  beforeAll(async () => {
    await mkdir(folder, { recursive: true })
    ;[server, browser] = await Promise.all([startServer({ demo: true }), launchBrowser()])
    await correctFilms()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  test.each([
    ["light", "wide"],
    ["dark", "wide"],
    ["light", "narrow"],
    ["dark", "narrow"],
  ] as const)(
    "%s and %s",
    async (colorScheme, width) => {
      const viewport = width === "wide" ? { width: 1280, height: 800 } : { width: 390, height: 844 }
      const visitor = await visitConsole(browser, server, "/", { colorScheme, viewport })
      const { page } = visitor
      for (const [name, path] of Object.entries(pages)) {
        await goTo(page, path)
        await settled(page)
        await opened[name]?.(page)
        await settled(page)
        await page.screenshot({ path: `${folder}/${name}-${width}-${colorScheme}.png` })
        await page.keyboard.press("Escape")
      }
      await visitor.leave()
    },
    120_000,
  )
})
