import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser } from "./browser.ts"
import { expectAccessible, overflow, visitConsole } from "./console-visit.ts"

let server: TestServer
let browser: Browser

const hostile = `<img src=x onerror="document.title='owned'">`

interface Film {
  id: string
  title: string
  director: string | null
  runningMinutes: number | null
}

async function filmsWhere(filter: string): Promise<Film[]> {
  const query = new URLSearchParams({ filter, sort: "title", limit: "200" })
  const answer = await fetch(`${server.url}/records/films?${query}`)
  return ((await answer.json()) as { items: Film[] }).items
}

const csv = (lines: readonly string[]) => `${lines.join("\r\n")}\r\n`

async function choose(page: Page, name: string, text: string): Promise<void> {
  await page
    .locator("input[type=file]")
    .setInputFiles({ name, mimeType: "text/csv", buffer: Buffer.from(text) })
}

const mapped = (page: Page, column: string) =>
  page.getByRole("combobox", { name: `Field for ${column}` })

async function map(page: Page, column: string, field: string): Promise<void> {
  await mapped(page, column).fill(field)
  await page.getByRole("option", { name: field, exact: true }).click()
}

describe.skipIf(!executablePath)("files of records in the console", () => {
  beforeAll(async () => {
    ;[server, browser] = await Promise.all([startServer({ demo: true }), launchBrowser()])
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  test("a file is seen, mapped and tried before it is imported, and what is refused says where and why", async () => {
    const visitor = await visitConsole(browser, server, "/data/films")
    const { page } = visitor
    await page.getByRole("button", { name: "More" }).click()
    await page.getByRole("menuitem", { name: "Import" }).click()
    await choose(
      page,
      "films.csv",
      csv([
        "Name,DIRECTOR,Running minutes,Remarks",
        `"${hostile.replaceAll('"', '""')}",Import One,90,x`,
        "Second,Import One,ninety,x",
        "Third,Import One,95,x",
      ]),
    )
    await page.getByText(hostile).waitFor()
    expect(await mapped(page, "DIRECTOR").inputValue()).toBe("director")
    expect(await mapped(page, "Running minutes").inputValue()).toBe("runningMinutes")
    expect(await mapped(page, "Remarks").inputValue()).toBe("")
    await page.getByText("Every record needs: title").waitFor()
    await map(page, "Name", "title")
    await page.getByRole("button", { name: "Try without writing" }).click()
    await page.getByText("2 would be created").waitFor()
    await page.getByText("1 would be refused").waitFor()
    expect(await filmsWhere(`director = "Import One"`)).toEqual([])
    await page.getByRole("button", { name: "Import", exact: true }).click()
    await page.getByText("2 created").waitFor()
    const row = page.getByRole("row", { name: /runningMinutes/ }).last()
    await row.getByRole("cell", { name: "3", exact: true }).waitFor()
    const films = await filmsWhere(`director = "Import One"`)
    expect(films.map(({ title }) => title)).toEqual([hostile, "Third"])
    expect(await page.title()).toBe("Console")
    // What ran is found again under its address.
    await page.reload()
    await page.getByText("2 created").waitFor()
    await visitor.leave()
  })

  test("rows whose key is found change what is there, and the palette leads there by keyboard", async () => {
    const before = await filmsWhere(`title = "Casablanca"`)
    const { id } = before[0] as Film
    const visitor = await visitConsole(browser, server)
    const { page } = visitor
    await page.getByRole("heading", { name: "Overview" }).waitFor()
    await page.keyboard.press("Control+k")
    await page.getByRole("textbox", { name: "Find a page or do something" }).fill("Import: films")
    await page.keyboard.press("Enter")
    await page.waitForURL("**/console/data/films/import")
    const lines = [
      { id, title: "Casablanca", runningMinutes: 103 },
      { title: "Casablanca, again", runningMinutes: 104 },
    ]
    await choose(page, "films.ndjson", lines.map((line) => JSON.stringify(line)).join("\n"))
    await page.getByRole("combobox", { name: "Rows that are here already" }).click()
    await page.getByRole("option", { name: "Change the record with the same id" }).click()
    await page.getByRole("button", { name: "Import", exact: true }).click()
    await page.getByText("1 created").waitFor()
    await page.getByText("1 changed").waitFor()
    expect(await filmsWhere(`title = "Casablanca"`)).toMatchObject([{ id, runningMinutes: 103 }])
    await visitor.leave()
  })

  test("a session that ends before the import asks for a sign-in, and file and mapping are still there", async () => {
    const visitor = await visitConsole(browser, server, "/data/films/import")
    const { page } = visitor
    await choose(page, "films.csv", csv(["Name,Director", "Kept,Import Three"]))
    await map(page, "Name", "title")
    await page.context().clearCookies()
    await page.evaluate(() => localStorage.clear())
    await page.getByRole("button", { name: "Import", exact: true }).click()
    await page.getByText("Your session has ended.").waitFor()
    await page.locator("input[name=password]").fill(server.admin.password)
    await page.getByRole("button", { name: "Sign in", exact: true }).click()
    await page.getByText("Your session has ended.").waitFor({ state: "detached" })
    expect(await mapped(page, "Name").inputValue()).toBe("title")
    await page.getByRole("button", { name: "Import", exact: true }).click()
    await page.getByText("1 created").waitFor()
    expect(await filmsWhere(`director = "Import Three"`)).toMatchObject([{ title: "Kept" }])
    await page.context().close()
  })

  test("two columns for one field, other separators and empty files are told before anything is sent", async () => {
    const visitor = await visitConsole(browser, server, "/data/films/import")
    const { page } = visitor
    const start = page.getByRole("button", { name: "Import", exact: true })
    await choose(page, "films.csv", csv(["title;director", "A;B"]))
    await page.getByText("separated by something else than commas").waitFor()
    expect(await start.isDisabled()).toBe(true)
    await choose(page, "empty.csv", "")
    await page.getByText("There are no rows in this file.").waitFor()
    await choose(page, "films.csv", csv(["title,Name", "A,B"]))
    await map(page, "Name", "title")
    await page.getByText("Two columns are for the same field.").waitFor()
    expect(await start.isDisabled()).toBe(true)
    await visitor.leave()
  })

  test.each(["light", "dark"] as const)(
    "it is accessible, and fits a narrow screen, in %s",
    async (colorScheme) => {
      const visitor = await visitConsole(browser, server, "/data/films/import", {
        colorScheme,
        viewport: { width: 390, height: 800 },
      })
      const { page } = visitor
      await choose(page, "films.csv", csv(["title,runningMinutes", "Fine,90", ",x"]))
      await page.getByRole("button", { name: "Try without writing" }).click()
      await page.getByText("1 would be refused").waitFor()
      await page.waitForTimeout(300)
      await expectAccessible(page, `import in ${colorScheme}`)
      expect(await overflow(page)).toBe(0)
      await visitor.leave()
    },
  )
})
