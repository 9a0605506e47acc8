import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { rowHeight } from "../../src/console/data/row-window.ts"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser } from "./browser.ts"
import { countClicks } from "./clicks.ts"
import { expectAccessible, visitConsole } from "./console-visit.ts"

let server: TestServer
let browser: Browser
let token: string

const json = { "content-type": "application/json" }

async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  const headers = { authorization: `Bearer ${token}`, ...json }
  const response = await fetch(server.url + path, { headers, ...init })
  expect(response.ok, `${path}: ${response.status}`).toBe(true)
  return response.status === 204 ? (undefined as T) : ((await response.json()) as T)
}

interface Film {
  id: string
  title: string
  version: number
  runningMinutes: number | null
}

const filmCalled = async (title: string): Promise<Film> => {
  const filter = encodeURIComponent(`title = ${JSON.stringify(title)}`)
  const page = await ask<{ items: Film[] }>(`/records/films?filter=${filter}`)
  return page.items[0] as Film
}

const hostile = [
  `<img src=x onerror="document.title='owned'">`,
  `<script>document.title='owned'</script>`,
  `"><svg onload="document.title='owned'">`,
  `javascript:document.title='owned'`,
]

describe.skipIf(!executablePath)("the film club's records in the console", () => {
  beforeAll(async () => {
    ;[server, browser] = await Promise.all([startServer({ demo: true }), launchBrowser()])
    const { email, password } = server.admin
    const body = JSON.stringify({ email, password })
    const answer = await fetch(`${server.url}/auth/sessions`, {
      method: "POST",
      headers: json,
      body,
    })
    token = ((await answer.json()) as { accessToken: string }).accessToken
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  test("a film is found and its date corrected in at most five clicks", async () => {
    const visitor = await visitConsole(browser, server)
    const { page } = visitor
    const clicks = await countClicks(page)
    await page.getByRole("link", { name: "films", exact: true }).click()
    await page.getByText("3,200 records").waitFor()
    await page.getByRole("searchbox", { name: "Search" }).fill("Casablanca")
    await page.keyboard.press("Enter")
    await page.getByRole("button", { name: "Open Casablanca" }).click()
    await page.getByRole("dialog").getByLabel("releasedOn", { exact: true }).fill("1943-01-23")
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByText("Saved.").waitFor()
    await page.getByRole("dialog").waitFor({ state: "detached" })
    const film = await filmCalled("Casablanca")
    expect(film).toMatchObject({ releasedOn: "1943-01-23" })
    // The collection, the film, and save: the rest is typed.
    expect(clicks()).toBe(3)
    await visitor.leave()
  })

  test("a filter is put together from conditions, reads back as text, and says what is wrong with it", async () => {
    const visitor = await visitConsole(browser, server, "/data/films")
    const { page, complaints } = visitor
    await page.getByRole("button", { name: "Filter" }).click()
    await page.getByRole("button", { name: "Add a condition" }).click()
    await page.getByRole("combobox", { name: "Field" }).fill("director")
    await page.getByRole("option", { name: "director" }).click()
    await page.getByLabel("director", { exact: true }).fill("Stanley Kubrick")
    await page.getByRole("button", { name: "Apply" }).click()
    await page.getByText(/^\d+ records$/).waitFor()
    expect(new URL(page.url()).searchParams.get("filter")).toBe(`director = "Stanley Kubrick"`)
    await page.getByRole("button", { name: "As text" }).click()
    const text = page.getByRole("textbox", { name: "Filter" })
    expect(await text.inputValue()).toBe(`director = "Stanley Kubrick"`)
    await text.fill(`director = "Stanley Kubrick" && rele`)
    await page.getByRole("option", { name: "releasedOn", exact: true }).waitFor()
    await page.keyboard.press("Tab")
    expect(await text.inputValue()).toBe(`director = "Stanley Kubrick" && releasedOn`)
    await text.pressSequentially(` < "1970-01-01" || nothing = 1`)
    await page.getByRole("button", { name: "Apply" }).click()
    await page.getByRole("alert").getByText("nothing").waitFor()
    await page.getByText("more than a list of conditions").waitFor()
    expect(complaints.filter((it) => !it.includes("400"))).toEqual([])
    await page.context().close()
  })

  test("a value is edited where it stands, and the edit undone", async () => {
    const before = await filmCalled("Duel in the Sun")
    const visitor = await visitConsole(browser, server, "/data/films?search=Duel+Sun")
    const { page } = visitor
    const cell = page.getByRole("gridcell", { name: "Duel in the Sun", exact: true })
    await cell.dblclick()
    await page.getByLabel("title", { exact: true }).fill("Duel in the Shade")
    await page.keyboard.press("Enter")
    await page.getByRole("button", { name: "Undo" }).waitFor()
    expect(await filmCalled("Duel in the Shade")).toMatchObject({
      id: before.id,
      version: before.version + 1,
    })
    await page.getByRole("button", { name: "Undo" }).click()
    await page.getByRole("gridcell", { name: "Duel in the Sun", exact: true }).waitFor()
    expect(await filmCalled("Duel in the Sun")).toMatchObject({ version: before.version + 2 })
    await visitor.leave()
  })

  test("who saves over a newer version is shown it first, and loses nothing", async () => {
    const film = await filmCalled("Following")
    const visitor = await visitConsole(browser, server, `/data/films/${film.id}`)
    const { page, complaints } = visitor
    await page.getByLabel("runningMinutes").fill("128")
    await ask(`/records/films/${film.id}`, {
      method: "PATCH",
      body: JSON.stringify({ director: "A. H." }),
    })
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByText("Somebody has changed this record").waitFor()
    await page.getByText("→ A. H.").waitFor()
    expect(await page.getByLabel("runningMinutes").inputValue()).toBe("128")
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByText("Saved.").waitFor()
    const now = await ask<Film>(`/records/films/${film.id}`)
    expect(now).toMatchObject({ runningMinutes: 128, director: "A. H." })
    expect(complaints.filter((it) => !it.includes("412"))).toEqual([])
    await page.context().close()
  })

  test("a session that ends amid an edit asks for a sign-in, and the edit is still there", async () => {
    const film = await filmCalled("Psycho")
    const visitor = await visitConsole(browser, server, `/data/films/${film.id}`)
    const { page } = visitor
    await page.getByLabel("runningMinutes").fill("109")
    // As if another device had ended it: the cookies and what is kept here are good for nothing any more.
    await page.context().clearCookies()
    await page.evaluate(() => localStorage.clear())
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByText("Your session has ended.").waitFor()
    await page.locator("input[name=password]").fill(server.admin.password)
    await page.getByRole("button", { name: "Sign in", exact: true }).click()
    await page.getByText("Your session has ended.").waitFor({ state: "detached" })
    expect(await page.getByLabel("runningMinutes").inputValue()).toBe("109")
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByText("Saved.").waitFor()
    expect(await ask(`/records/films/${film.id}`)).toMatchObject({ runningMinutes: 109 })
    await page.context().close()
  })

  test("records come as one scrolls, each once, and only those in sight exist", async () => {
    const visitor = await visitConsole(browser, server, "/data/films?sort=title")
    const { page } = visitor
    const grid = page.getByRole("grid")
    await grid.getByRole("row").nth(5).waitFor()
    const rows = () => grid.getByRole("row").count()
    const seen = new Set<string>()
    // Until they are there, however slowly they come.
    for (let i = 0; i < 40 || (seen.size <= 300 && i < 400); i++) {
      await page.locator(".grid").evaluate((area) => area.scrollBy(0, 600))
      await page.waitForTimeout(60)
      for (const row of await grid.getByRole("row").all()) {
        const index = await row.getAttribute("aria-rowindex").catch(() => null)
        if (index) seen.add(index)
      }
      expect(await rows()).toBeLessThan(80)
    }
    expect(seen.size).toBeGreaterThan(300)
    await visitor.leave()
  })

  test("the keyboard goes from cell to cell, and stays at its own while the grid scrolls", async () => {
    const visitor = await visitConsole(browser, server, "/data/films?sort=title")
    const { page } = visitor
    const grid = page.locator(".grid")
    const place = () =>
      page.evaluate(() => {
        const cell = document.activeElement as HTMLElement
        const row = cell.closest("[aria-rowindex]")
        return `${row?.getAttribute("aria-rowindex")}:${cell.getAttribute("aria-colindex")}`
      })
    await page.getByRole("row").nth(5).getByRole("gridcell").nth(1).click()
    expect(await place()).toBe("6:2")
    await page.keyboard.press("PageDown")
    await page.keyboard.press("PageDown")
    await page.keyboard.press("ArrowRight")
    await expect.poll(place).toBe("36:3")
    const active = grid.locator("[data-active]")
    const inSight = () =>
      active.evaluate((cell) => {
        const { x, y, height } = cell.getBoundingClientRect()
        return document.elementFromPoint(x + 2, y + height / 2) === cell
      })
    expect(await inSight()).toBe(true)
    await grid.evaluate((area, top) => area.scrollTo(0, top), 120 * rowHeight)
    await grid.locator("[aria-rowindex='120']").waitFor()
    expect(await inSight()).toBe(false)
    expect(await place()).toBe("36:3")
    await page.keyboard.press("ArrowDown")
    await expect.poll(place).toBe("37:3")
    await expect.poll(inSight).toBe(true)
    await page.keyboard.press("Space")
    await page.getByText("1 chosen").waitFor()
    await grid.locator("[aria-rowindex='37'] input").uncheck()
    await page.getByText("1 chosen").waitFor({ state: "detached" })
    await grid.locator("[aria-rowindex='37'] [aria-colindex='3']").click()
    await page.keyboard.press("Enter")
    await page.getByRole("dialog").waitFor()
    await visitor.leave()
  })

  test("what is stored is text in cells, forms and pickers, whatever it looks like", async () => {
    for (const title of hostile) {
      await ask("/records/films", {
        method: "POST",
        body: JSON.stringify({ title, director: title }),
      })
    }
    const film = await filmCalled(hostile[0] as string)
    const review = { film: film.id, stars: 1, body: hostile.join("\n") }
    const { id } = await ask<{ id: string }>("/records/reviews", {
      method: "POST",
      body: JSON.stringify(review),
    })
    const visitor = await visitConsole(browser, server, "/data/films?sort=-createdAt")
    const { page } = visitor
    for (const title of hostile)
      await page.getByRole("gridcell", { name: title, exact: true }).first().waitFor()
    await page.goto(`${server.url}/console/data/reviews/${id}`)
    await page.getByRole("dialog").getByRole("textbox", { name: "body" }).waitFor()
    await page
      .getByRole("grid")
      .getByText(hostile[0] as string)
      .first()
      .waitFor()
    expect(await page.title()).toBe("Console")
    await visitor.leave()
  })

  test("grid, filter and form are accessible, in dark and light", async () => {
    const film = await filmCalled("Following")
    for (const colorScheme of ["light", "dark"] as const) {
      const visitor = await visitConsole(
        browser,
        server,
        `/data/films?filter=director+%3D+%22x%22`,
        { colorScheme },
      )
      await visitor.page.getByText("No record matches.").waitFor()
      await expectAccessible(visitor.page, `filter in ${colorScheme}`)
      await visitor.page.goto(`${server.url}/console/data/films/${film.id}`)
      await visitor.page.getByLabel("runningMinutes").waitFor()
      await visitor.page.evaluate(() =>
        Promise.all(document.getAnimations().map((animation) => animation.finished)),
      )
      await expectAccessible(visitor.page, `form in ${colorScheme}`)
      await visitor.leave()
    }
  })

  test("the schema says in words who may do what, and its diagram leads there by keyboard", async () => {
    const visitor = await visitConsole(browser, server, "/schema")
    const { page } = visitor
    const reviews = page.getByRole("region", { name: "reviews" })
    await reviews.getByRole("row", { name: /^read/ }).getByText("Everybody").waitFor()
    await reviews
      .getByRole("row", { name: /^change/ })
      .getByText("Whoever is the person in author")
      .waitFor()
    await page
      .getByRole("region", { name: "films" })
      .getByRole("row", { name: /^create/ })
      .getByText("Whoever has the role editor")
      .waitFor()
    await page.getByRole("link", { name: /^reviews film → films author → members/ }).focus()
    await expectAccessible(page, "diagram")
    await page.keyboard.press("Enter")
    expect(new URL(page.url()).hash).toBe("#reviews")
    await visitor.leave()
  })

  test("the way from the change log to what was deleted ends at the open bin", async () => {
    const visitor = await visitConsole(browser, server, "/data/films?bin=open")
    const { page } = visitor
    const bin = page.getByRole("dialog", { name: "Bin" })
    await bin.waitFor()
    await page.keyboard.press("Escape")
    await bin.waitFor({ state: "detached" })
    expect(new URL(page.url()).search).toBe("")
    await visitor.leave()
  })

  test("the club's own page stands in the menu", async () => {
    const visitor = await visitConsole(browser, server)
    await visitor.page.getByRole("link", { name: "The club's month" }).click()
    await visitor.page.getByRole("heading", { name: "The club's month" }).waitFor()
    await visitor.leave()
  })
})
