import "./stand-in-location.ts"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { en } from "../../src/console/messages-en.ts"
import { pages as registered } from "../../src/console/pages.ts"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser } from "./browser.ts"
import { expectAccessible, goTo, overflow, visitConsole } from "./console-visit.ts"

let server: TestServer
let browser: Browser
let token: string

async function ask<T>(path: string, body?: unknown): Promise<T> {
  const response = await fetch(server.url + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  expect(response.ok, `${path}: ${response.status}`).toBe(true)
  return response.json() as Promise<T>
}

/** What stands in each path for its parameters. */
const places: Record<string, string> = {}
let film: { id: string; title: string }
const hook = "https://hooks.example.com/a-receiver-of-events"

const press = (page: Page, name: string | RegExp) =>
  page
    .getByRole("button", { name, exact: typeof name === "string" })
    .first()
    .click()
const choose = async (page: Page, item: string | RegExp) => {
  await press(page, en.bulk.more)
  await page.getByRole("menuitem", { name: item }).click()
}
const dialog = (page: Page) => page.getByRole("dialog").first().waitFor()

/** What opens above a page: where, and how. */
const opened: Readonly<Record<string, readonly [string, (page: Page) => Promise<void>]>> = {
  palette: ["/", (page) => page.keyboard.press("Control+k")],
  "account menu": ["/", (page) => press(page, en.nav.account)],
  columns: ["/data/films", (page) => press(page, en.data.columns)],
  "more for a collection": ["/data/films", (page) => press(page, en.bulk.more)],
  "a change of many": ["/data/films", (page) => choose(page, /^Edit all/)],
  "a deletion of many": ["/data/films", (page) => choose(page, /^Delete all/)],
  bin: ["/data/films", (page) => choose(page, en.data.bin)],
  "view as": ["/data/films", (page) => choose(page, en.viewAs.title)],
  "a new record": ["/data/films/new", dialog],
  "a new review, its film being picked": [
    "/data/reviews/new",
    async (page) => {
      await page.getByRole("dialog").getByRole("combobox", { name: "film" }).click()
      await page.getByRole("option").first().waitFor()
    },
  ],
  "a cell that is edited": [
    "/data/films",
    async (page) => {
      await page.locator(".grid [aria-rowindex='3'] [aria-colindex='2']").dblclick()
      await page.locator(".grid-editor input").waitFor()
    },
  ],
  "a new endpoint, its events being picked": [
    "/webhooks",
    async (page) => {
      await press(page, en.webhooks.new)
      await page.getByRole("combobox", { name: en.webhooks.events }).click()
      await page.getByRole("option").first().waitFor()
    },
  ],
  "an endpoint": ["/webhooks", (page) => press(page, hook)],
  "a mail": ["/mails", (page) => page.getByRole("row").nth(1).getByRole("button").first().click()],
}

describe.skipIf(!executablePath)("every page of the console", () => {
  beforeAll(async () => {
    ;[server, browser] = await Promise.all([startServer({ demo: true }), launchBrowser()])
    const { accessToken } = await ask<{ accessToken: string }>("/auth/sessions", server.admin)
    token = accessToken
    const person = { email: "ann@example.org", password: "correct horse battery", name: "Ann" }
    const { id } = await ask<{ id: string }>("/auth/users", person)
    const { items } = await ask<{ items: { id: string; title: string }[] }>(
      "/records/films?limit=1&filter=title+%3D+%22Casablanca%22",
    )
    film = items[0] as typeof film
    await ask("/records/reviews", { film: film.id, stars: 5, body: "Seen twice." })
    await ask("/webhooks/endpoints", { url: hook, events: ["films.created"] })
    Object.assign(places, {
      "/data/:collection/:id?": `/data/films/${film.id}`,
      "/data/:collection/import": "/data/films/import",
      "/users/:id": `/users/${id}`,
    })
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  /** Loaded, and nothing stands on it that stood on another. */
  async function come(page: Page, path: string): Promise<void> {
    await goTo(page, path)
    await page.getByRole("heading", { level: 2 }).first().waitFor()
    await page.getByRole("status", { name: en.loading }).first().waitFor({ state: "detached" })
  }

  async function judge(page: Page, where: string): Promise<void> {
    await expect.soft(expectAccessible(page, where)).resolves.toBeUndefined()
    expect.soft(await overflow(page), `${where} sticks out`).toBe(0)
  }

  test.each([
    ["light", "wide"],
    ["dark", "wide"],
    ["light", "narrow"],
    ["dark", "narrow"],
  ] as const)(
    "is accessible, sticks out nowhere and complains of nothing: %s and %s",
    async (colorScheme, width) => {
      const viewport = width === "wide" ? { width: 1280, height: 800 } : { width: 375, height: 812 }
      const visitor = await visitConsole(browser, server, "/", { colorScheme, viewport })
      const { page } = visitor
      for (const { path } of registered) {
        const place = places[path] ?? path
        expect(place).not.toContain(":")
        await come(page, place)
        await judge(page, `${path}, ${colorScheme} and ${width}`)
      }
      await visitor.leave()
    },
  )

  // What opens has the colours of the pages: one look at each, and the narrow one in the dark.
  test.each([
    ["light", "wide"],
    ["dark", "narrow"],
  ] as const)("is so too with what opens above it: %s and %s", async (colorScheme, width) => {
    const viewport = width === "wide" ? { width: 1280, height: 800 } : { width: 375, height: 812 }
    const visitor = await visitConsole(browser, server, "/", { colorScheme, viewport })
    const { page } = visitor
    for (const [name, [path, open]] of Object.entries(opened)) {
      await page.goto(`${server.url}/console${path}`)
      await page.getByRole("heading", { level: 2 }).first().waitFor()
      await open(page)
      await page.waitForLoadState("networkidle")
      await judge(page, `${name}, ${colorScheme} and ${width}`)
    }
    await visitor.leave()
  })
})
