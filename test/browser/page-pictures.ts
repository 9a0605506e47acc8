import { mkdir } from "node:fs/promises"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, test } from "vitest"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser, visit } from "./browser.ts"
import { goTo, visitConsole } from "./console-visit.ts"

/*
 * For people who look: `PICTURES=/tmp/pictures npx vitest run test/browser/page-pictures.ts` leaves a picture of
 * every page there, narrow and wide, light and dark; of what opens over them; of what goes wrong; and all of it in German.
 */
const folder = process.env.PICTURES ?? ""

let server: TestServer
let browser: Browser

type Press = (page: Page) => Promise<void>

const button =
  (name: RegExp): Press =>
  (page) =>
    page.locator("#content").getByRole("button", { name }).first().click()

const row: Press = (page) => page.locator("#content tbody button").first().click()

/** Where each page is, and what has to be pressed before it can be seen. */
const pages: Readonly<Record<string, readonly [path: string, ...presses: Press[]]>> = {
  overview: ["/"],
  month: ["/", (page) => page.getByText(/30 (days|Tage)/).click()],
  films: ["/data/films"],
  filter: ["/data/films", button(/^Filter/)],
  nothing: ['/data/films?filter=title+%3D+"none+is+called+that"'],
  record: ["/data/films", button(/^(Open|Öffnen)|öffnen$/)],
  history: [
    "/data/films",
    button(/^(Open|Öffnen)|öffnen$/),
    (page) => page.getByRole("tab").last().click(),
  ],
  new: ["/data/reviews", button(/New record|Neuer/)],
  bulk: [
    "/data/films",
    async (page) => {
      for (const at of [1, 2]) await page.getByRole("checkbox").nth(at).check()
    },
    button(/^(Edit|Bearbeiten)$/),
  ],
  bin: ["/data/films?bin=open"],
  import: ["/data/films/import"],
  importing: [
    "/data/films/import",
    (page) =>
      page.locator("input[type=file]").setInputFiles({
        name: "films.csv",
        mimeType: "text/csv",
        buffer: Buffer.from("Title,Director,Remarks\nOne,Ann,x\nTwo,Ben,y\n"),
      }),
  ],
  schema: ["/schema"],
  changes: ["/changes"],
  exposure: ["/exposure?collection=reviews"],
  users: ["/users"],
  user: ["/users", row],
  organisations: ["/organisations"],
  organisation: ["/organisations", row],
  keys: ["/keys"],
  newKey: ["/keys", button(/New key|Neuer/)],
  audit: ["/audit"],
  jobs: ["/jobs"],
  job: ["/jobs", row],
  dead: ["/jobs?state=dead"],
  held: ["/jobs?state=held"],
  schedules: ["/schedules"],
  mails: ["/mails"],
  mail: ["/mails", row],
  webhooks: ["/webhooks"],
  webhook: ["/webhooks", row],
  newWebhook: ["/webhooks", button(/New endpoint|Neuer/)],
  inbound: ["/inbound-events"],
  club: ["/club"],
  account: ["/account"],
  deletion: ["/account", button(/Delete my account|Konto löschen/)],
  missing: ["/nowhere"],
  noRecord: ["/data/films/00000000-0000-4000-8000-000000000000"],
  noUser: ["/users/00000000-0000-4000-8000-000000000000"],
}

/** Nothing is being loaded any more, nor moves. */
async function settled(page: Page): Promise<void> {
  await page.waitForTimeout(300)
  await page.locator("[role=status].mantine-Loader-root").first().waitFor({ state: "detached" })
}

/** Something for the lists to tell. */
async function fill(): Promise<void> {
  const json = { "content-type": "application/json" }
  const ask = async <T>(path: string, init: RequestInit): Promise<T> =>
    (await (await fetch(server.url + path, init)).json()) as T
  const post = (body: unknown, headers: Record<string, string> = json): RequestInit => ({
    ...{ method: "POST", headers, body: JSON.stringify(body) },
  })
  const { accessToken } = await ask<{ accessToken: string }>("/auth/sessions", post(server.admin))
  const headers = { ...json, authorization: `Bearer ${accessToken}` }
  const key = { name: "Importer of the box office", scopes: ["films:read", "films:create"] }
  await ask("/auth/api-keys", post(key, headers))
  const endpoint = { url: "https://example.org/hooks/films", events: ["films.updated"] }
  await ask("/webhooks/endpoints", post(endpoint, headers))
  const found = await ask<{ items: { id: string }[] }>("/records/films?limit=4", { headers })
  for (const [n, { id }] of found.items.entries()) {
    const change = { releasedOn: `1998-06-1${n}`, director: "David Leland" }
    await ask(`/records/films/${id}`, { ...post(change, headers), method: "PATCH" })
    await ask("/records/reviews", post({ film: id, stars: 5 - n, body: "Seen twice." }, headers))
  }
  for (const name of ["Ada Lovelace", "Bartholomäus von und zu Oberammergau", "Cleo"]) {
    const email = `${name.split(" ")[0]?.toLowerCase().replace("ä", "ae")}@example.org`
    await ask("/auth/users", post({ email, password: "correct horse battery", name }))
  }
  // Whoever makes one has another token from then on.
  const organisation = { name: "The Royal Society of Film Lovers" }
  await ask("/auth/organisations", post(organisation, headers))
}

async function takeAll(page: Page, suffix: string, whole: boolean): Promise<void> {
  for (const [name, [path, ...presses]] of Object.entries(pages)) {
    await goTo(page, path)
    await settled(page)
    for (const press of presses) {
      // One that is missing is told by the picture, and not by the end of all others.
      await press(page).catch((error: Error) => process.stderr.write(`${name}: ${error.message}\n`))
      await settled(page)
    }
    const fullPage = whole && presses.length === 0
    await page.screenshot({ path: `${folder}/${name}-${suffix}.png`, fullPage })
    await page.keyboard.press("Escape")
  }
}

const screens = {
  wide: { width: 1280, height: 800 },
  narrow: { width: 390, height: 844 },
} as const

describe.skipIf(!executablePath)("pictures of the console", () => {
  beforeAll(async () => {
    await mkdir(folder, { recursive: true })
    ;[server, browser] = await Promise.all([startServer({ demo: true }), launchBrowser()])
    await fill()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  test.each([
    ["light", "wide", "en-GB"],
    ["dark", "wide", "en-GB"],
    ["light", "narrow", "en-GB"],
    ["dark", "narrow", "en-GB"],
    ["light", "wide", "de-DE"],
    ["dark", "narrow", "de-DE"],
  ] as const)("%s and %s, in %s", async (colorScheme, width, locale) => {
    const options = { colorScheme, viewport: screens[width], locale }
    const { page } = await visitConsole(browser, server, "/", options)
    page.context().setDefaultTimeout(5_000)
    const suffix = `${width}-${colorScheme}${locale === "de-DE" ? "-de" : ""}`
    await takeAll(page, suffix, true)
    await page.context().close()
  })

  test.each(["wide", "narrow"] as const)("around the pages, %s", async (width) => {
    for (const colorScheme of ["light", "dark"] as const) {
      const options = { colorScheme, viewport: screens[width], locale: "en-GB" }
      const take = (page: Page, name: string) =>
        page.screenshot({ path: `${folder}/${name}-${width}-${colorScheme}.png` })
      const stranger = await visit(browser, `${server.url}/console/`, options)
      await stranger.page.getByRole("heading", { name: "Sign in" }).waitFor()
      await take(stranger.page, "signIn")
      await stranger.page.getByRole("button", { name: "First run" }).click()
      await take(stranger.page, "firstRun")
      await stranger.page.context().close()
      const { page } = await visitConsole(browser, server, "/jobs", options)
      await settled(page)
      if (width === "narrow") {
        await page.getByRole("button", { name: "Open the menu" }).click()
        await settled(page)
        await take(page, "menu")
        await page.getByRole("button", { name: "Open the menu" }).click()
      }
      await page.getByRole("button", { name: "My account" }).click()
      await settled(page)
      await take(page, "accountMenu")
      await page.keyboard.press("Escape")
      await page.keyboard.press("Control+K")
      await settled(page)
      await take(page, "palette")
      await page.keyboard.press("Escape")
      const mails = (url: URL) => url.pathname === "/mails"
      await page.route(mails, (route) => route.abort())
      await goTo(page, "/mails")
      await page.getByRole("alert").waitFor()
      await take(page, "unreachable")
      await page.context().clearCookies()
      await page.evaluate(() => localStorage.clear())
      await goTo(page, "/keys")
      await page.getByText("Your session has ended.").waitFor()
      await settled(page)
      await take(page, "ended")
      await page.context().close()
    }
  })
})
