import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { rowHeight } from "../../src/console/data/row-window.ts"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser } from "./browser.ts"
import { countClicks } from "./clicks.ts"
import { expectAccessible, goTo, overflow, visitConsole } from "./console-visit.ts"

let server: TestServer
let browser: Browser
let token: string

const json = { "content-type": "application/json" }

async function ask<T>(path: string, method = "GET", body?: unknown): Promise<T> {
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...json },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  expect(response.ok, `${method} ${path}: ${response.status}`).toBe(true)
  return response.json() as Promise<T>
}

interface Film {
  id: string
  title: string
  version: number
  distributor: string | null
}

const make = (director: string, titles: readonly string[]): Promise<Film[]> =>
  Promise.all(
    titles.map((title) =>
      ask<Film>("/records/films", "POST", { title, director, distributor: "Before" }),
    ),
  )

async function filmsOf(director: string): Promise<Film[]> {
  const query = new URLSearchParams({ filter: `director = "${director}"`, sort: "title" })
  return (await ask<{ items: Film[] }>(`/records/films?${query}`)).items
}

const pathTo = (director: string) =>
  `/data/films?${new URLSearchParams({ filter: `director = "${director}"`, sort: "title" })}`

async function more(page: Page, item: string): Promise<void> {
  await page.getByRole("button", { name: "More" }).click()
  await page.getByRole("menuitem", { name: item }).click()
}

const undo = (page: Page) => page.getByRole("button", { name: "Undo" }).click()

describe.skipIf(!executablePath)("many records in the console", () => {
  beforeAll(async () => {
    ;[server, browser] = await Promise.all([startServer({ demo: true }), launchBrowser()])
    const { email, password } = server.admin
    const answer = await fetch(`${server.url}/auth/sessions`, {
      method: "POST",
      headers: json,
      body: JSON.stringify({ email, password }),
    })
    token = ((await answer.json()) as { accessToken: string }).accessToken
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  test("all that a filter finds is edited after a try that says how many, and the edit taken back", async () => {
    const director = "Bulk Edit"
    const before = await make(director, ["A", "B", "C"])
    await ask(`/records/films/${before[2]?.id}`, "PATCH", { distributor: "After" })
    const visitor = await visitConsole(browser, server, pathTo(director))
    const { page } = visitor
    await page.getByText("3 records", { exact: true }).waitFor()
    await more(page, "Edit all 3 found")
    const dialog = page.getByRole("dialog")
    await dialog.getByRole("combobox", { name: "Field to change" }).fill("distributor")
    await page.getByRole("option", { name: "distributor" }).click()
    await dialog.getByLabel("distributor", { exact: true }).fill("After")
    expect(await dialog.getByRole("button", { name: "Change 0 records" }).isDisabled()).toBe(true)
    await dialog.getByRole("button", { name: "Try without writing" }).click()
    await dialog.getByText("2 would be changed").waitFor()
    expect((await filmsOf(director)).map(({ distributor }) => distributor)).toEqual([
      "Before",
      "Before",
      "After",
    ])
    await dialog.getByRole("button", { name: "Change 2 records" }).click()
    await page.getByText("2 records changed.").waitFor()
    const changed = await filmsOf(director)
    expect(changed.map(({ distributor, version }) => [distributor, version])).toEqual([
      ["After", 2],
      ["After", 2],
      ["After", 2],
    ])
    await undo(page)
    await page.getByText("2 records are as they were.").waitFor()
    const after = await filmsOf(director)
    expect(after.map(({ distributor, version }) => [distributor, version])).toEqual([
      ["Before", 3],
      ["Before", 3],
      ["After", 2],
    ])
    await visitor.leave()
  })

  test("no more is edited than was listed when it was tried, nor what a search lists", async () => {
    const director = "Bulk Back"
    await make(director, ["A", "B"])
    const visitor = await visitConsole(browser, server, "/data/films?search=Bulk+Back")
    const { page } = visitor
    await page.getByText("2 records", { exact: true }).waitFor()
    await page.getByRole("button", { name: "More" }).click()
    await page.getByText("A search cannot be edited as a whole").waitFor()
    await page.getByText("An export knows no search").waitFor()
    for (const name of ["Edit all 2 found", "Delete all 2 found", "Export as CSV"]) {
      expect(await page.getByRole("menuitem", { name }).isDisabled(), name).toBe(true)
    }
    await page.keyboard.press("Escape")
    await goTo(page, "/data/films")
    await goTo(page, pathTo(director))
    await page.getByText("2 records", { exact: true }).waitFor()
    await more(page, "Edit all 2 found")
    const dialog = page.getByRole("dialog")
    await dialog.getByRole("combobox", { name: "Field to change" }).fill("distributor")
    await page.getByRole("option", { name: "distributor" }).click()
    await dialog.getByLabel("distributor", { exact: true }).fill("After")
    await dialog.getByRole("button", { name: "Try without writing" }).click()
    await dialog.getByText("2 would be changed").waitFor()
    await page.goBack()
    await page.waitForURL(/\/data\/films$/)
    await dialog.getByRole("button", { name: "Change 2 records" }).click()
    await page.getByText("2 records changed.").waitFor()
    const others = new URLSearchParams({
      filter: `distributor = "After" && director !~ "Bulk%"`,
      limit: "1",
    })
    expect((await ask<{ items: Film[] }>(`/records/films?${others}`)).items).toEqual([])
    expect((await filmsOf(director)).map(({ distributor }) => distributor)).toEqual([
      "After",
      "After",
    ])
    await visitor.leave()
  })

  test("what somebody has changed since is not taken back", async () => {
    const director = "Bulk Moved"
    const [first] = await make(director, ["A", "B"])
    const visitor = await visitConsole(browser, server, pathTo(director))
    const { page } = visitor
    await page.getByText("2 records", { exact: true }).waitFor()
    await more(page, "Edit all 2 found")
    await page.getByRole("combobox", { name: "Field to change" }).fill("distributor")
    await page.getByRole("option", { name: "distributor" }).click()
    await page.getByRole("dialog").getByLabel("distributor", { exact: true }).fill("After")
    await page.getByRole("button", { name: "Try without writing" }).click()
    await page.getByRole("button", { name: "Change 2 records" }).click()
    await page.getByText("2 records changed.").waitFor()
    await ask(`/records/films/${first?.id}`, "PATCH", { distributor: "Theirs" })
    await undo(page)
    await page.getByText("1 have moved on meanwhile").waitFor()
    expect((await filmsOf(director)).map(({ distributor }) => distributor)).toEqual([
      "Theirs",
      "Before",
    ])
    await visitor.leave()
  })

  test("chosen records are deleted, and come back with what went along", async () => {
    const director = "Bulk Delete"
    const films = await make(director, ["A", "B", "C"])
    const review = { film: films[0]?.id, stars: 4 }
    const { id } = await ask<{ id: string }>("/records/reviews", "POST", review)
    const visitor = await visitConsole(browser, server, pathTo(director))
    const { page } = visitor
    await page.getByRole("checkbox", { name: "Choose A" }).check()
    await page.getByRole("checkbox", { name: "Choose C" }).check()
    await page.getByText("2 chosen").waitFor()
    await page.getByRole("status").getByRole("button", { name: "Delete" }).click()
    await page.getByRole("button", { name: "Try without writing" }).click()
    await page.getByText("2 would be deleted").waitFor()
    await page.getByRole("button", { name: "Delete 2 records" }).click()
    await page.getByText("2 records deleted.").waitFor()
    expect((await filmsOf(director)).map(({ title }) => title)).toEqual(["B"])
    await undo(page)
    await page.getByText("2 records are as they were.").waitFor()
    expect((await filmsOf(director)).map(({ title }) => title)).toEqual(["A", "B", "C"])
    expect(await ask(`/records/reviews/${id}`)).toMatchObject({ stars: 4 })
    await page.getByRole("gridcell", { name: "C", exact: true }).waitFor()
    await visitor.leave()
  })

  test("one record that is deleted or saved in its form comes back by one click", async () => {
    const director = "One Undo"
    const [film] = await make(director, ["Only"])
    const visitor = await visitConsole(browser, server, pathTo(director))
    const { page } = visitor
    await page.getByRole("button", { name: "Open Only" }).click()
    await page.getByLabel("distributor", { exact: true }).fill("After")
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByText("Saved.").waitFor()
    await undo(page)
    await page.getByText("Undone.").waitFor()
    expect(await filmsOf(director)).toMatchObject([{ distributor: "Before", version: 3 }])
    await page.getByRole("button", { name: "Open Only" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).last().click()
    await page.getByText("Deleted.").waitFor()
    expect(await filmsOf(director)).toEqual([])
    await undo(page)
    await page.getByRole("gridcell", { name: "Only", exact: true }).waitFor()
    expect(await filmsOf(director)).toMatchObject([{ id: film?.id, distributor: "Before" }])
    await visitor.leave()
  })

  test("yesterday's version is restored in at most five clicks", async () => {
    const director = "Yesterday"
    const [film] = await make(director, ["Right title"])
    await ask(`/records/films/${film?.id}`, "PATCH", { title: "Wrong title" })
    const visitor = await visitConsole(browser, server)
    const { page } = visitor
    const clicks = await countClicks(page)
    await page.getByRole("link", { name: "films", exact: true }).click()
    await page.getByRole("searchbox", { name: "Search" }).fill("Wrong title")
    await page.keyboard.press("Enter")
    await page.getByRole("button", { name: "Open Wrong title" }).click()
    await page.getByRole("tab", { name: "History" }).click()
    await page.getByRole("dialog").getByText("Right title").first().waitFor()
    await page.getByRole("button", { name: "Restore" }).click()
    await page.getByText("Restored.").waitFor()
    // The collection, the film, its history, and restore.
    expect(clicks()).toBe(4)
    expect(await filmsOf(director)).toMatchObject([{ title: "Right title", version: 3 }])
    await visitor.leave()
  })

  test("an export has the filter, the order and the columns of the grid", async () => {
    const director = "Exported"
    await make(director, ["A", "B", "C"])
    const visitor = await visitConsole(
      browser,
      server,
      `/data/films?${new URLSearchParams({ filter: `director = "${director}"`, sort: "-title" })}`,
    )
    const { page } = visitor
    await page.getByRole("button", { name: "Columns" }).click()
    for (const name of [
      "genre",
      "distributor",
      "mpaaRating",
      "releasedOn",
      "poster",
      "updatedAt",
    ]) {
      await page.getByRole("checkbox", { name, exact: true }).uncheck()
    }
    await page.keyboard.press("Escape")
    const downloading = page.waitForEvent("download")
    await more(page, "Export as CSV")
    const stream = await (await downloading).createReadStream()
    const text = Buffer.concat(await stream.toArray()).toString()
    const lines = text.trimEnd().split("\r\n")
    expect(lines[0]).toBe("id,title,director")
    expect(lines.slice(1).map((line) => line.split(",")[1])).toEqual(["C", "B", "A"])
    await visitor.leave()
  })

  test("the grid stays where it was scrolled to when a record is opened and closed", async () => {
    const visitor = await visitConsole(browser, server, "/data/films?sort=title")
    const { page } = visitor
    const grid = page.locator(".grid")
    await page.getByRole("row").nth(5).waitFor()
    const top = 50 * rowHeight
    await grid.evaluate((area, top) => area.scrollTo(0, top), top)
    await page.locator('[aria-rowindex="52"] button').click()
    await page.getByRole("dialog").getByRole("tab", { name: "History" }).waitFor()
    await page.getByRole("button", { name: "Close" }).click()
    await page.getByRole("dialog").waitFor({ state: "detached" })
    expect(await grid.evaluate((area) => area.scrollTop)).toBe(top)
    await visitor.leave()
  })

  test.each(["light", "dark"] as const)(
    "the dialogs are accessible, in %s",
    async (colorScheme) => {
      const director = `Accessible ${colorScheme}`
      await make(director, ["A"])
      const visitor = await visitConsole(browser, server, pathTo(director), {
        colorScheme,
        viewport: { width: 390, height: 800 },
      })
      const { page } = visitor
      await page.getByRole("checkbox", { name: "Choose A" }).check()
      await page.getByRole("button", { name: "Edit", exact: true }).click()
      await page.getByRole("combobox", { name: "Field to change" }).fill("genre")
      await page.getByRole("option", { name: "genre" }).click()
      await page.waitForTimeout(400)
      await expectAccessible(page, `bulk edit in ${colorScheme}`)
      expect(await overflow(page)).toBe(0)
      await page.getByRole("button", { name: "Close" }).click()
      await page.getByRole("dialog").waitFor({ state: "detached" })
      await page.getByRole("button", { name: "More" }).click()
      await page.waitForTimeout(300)
      await expectAccessible(page, `menu in ${colorScheme}`)
      await visitor.leave()
    },
  )
})
