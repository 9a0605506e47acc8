import { readFile } from "node:fs/promises"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser, visit } from "./browser.ts"

let server: TestServer
let browser: Browser

const uniqueEmail = (name: string) => `${name}-${crypto.randomUUID()}@example.org`.toLowerCase()
const password = "correct horse battery"

const titles = (page: Page) => page.locator(".card .poster-title").allTextContents()
const dialog = (page: Page) => page.getByRole("dialog")
const notice = (page: Page, text: string) => page.getByRole("status").getByText(text).waitFor()
const summary = (page: Page, text: string | RegExp) =>
  page.locator(".summary", { hasText: text }).waitFor()

async function join(page: Page, name: string, email = uniqueEmail(name)): Promise<string> {
  await page.getByRole("button", { name: "Join" }).click()
  await page.getByLabel("Name").fill(name)
  await page.getByLabel("E-mail").fill(email)
  await page.getByLabel("Password").fill(password)
  await dialog(page).getByRole("button", { name: "Join", exact: true }).click()
  await notice(page, `Welcome, ${name}.`)
  return email
}

/** Opens the film that a search for its title finds first. */
async function openFilm(page: Page, title: string): Promise<void> {
  await page.goto(`${server.url}/?search=${encodeURIComponent(title)}&sort=title`)
  await page.getByRole("link", { name: title }).first().click()
  await dialog(page).getByRole("heading", { name: title, exact: true }).waitFor()
}

async function writeReview(page: Page, stars: number, body: string): Promise<void> {
  await page.getByRole("radio", { name: `${stars} star` }).check()
  await page.getByRole("textbox", { name: "Your review" }).fill(body)
  await page.getByRole("button", { name: /Post review|Save changes/ }).click()
  await notice(page, "Your review is saved.")
}

describe.skipIf(!executablePath)("the film club in Chromium", () => {
  beforeAll(async () => {
    ;[server, browser] = await Promise.all([startServer({ demo: true }), launchBrowser()])
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  test("anyone searches, filters and sorts, and reload and back mean the same", async () => {
    const { page, leave } = await visit(browser, server.url)
    await summary(page, "3,200 films")

    await page.getByRole("searchbox").fill("kubrick")
    await summary(page, /^6 films for “kubrick”/)
    await page.getByLabel("IMDb").selectOption("8")
    await summary(page, /^4 films/)
    await page.getByLabel("Order").selectOption("releasedOn")
    await expect
      .poll(() => titles(page))
      .toEqual(["Spartacus", "2001: A Space Odyssey", "Barry Lyndon", "The Shining"])

    await page.reload()
    await summary(page, /^4 films/)
    expect(await page.getByRole("searchbox").inputValue()).toBe("kubrick")
    expect(await page.getByLabel("IMDb").inputValue()).toBe("8")
    expect((await titles(page))[0]).toBe("Spartacus")

    await page.goBack()
    await page.goBack()
    await summary(page, /^6 films/)
    expect(await page.getByLabel("IMDb").inputValue()).toBe("")
    await page.getByRole("button", { name: "Clear", exact: true }).click()
    await summary(page, "3,200 films")
    await leave()
  })

  test("years and genres narrow the list, and a list without films says so", async () => {
    const { page, leave } = await visit(browser, server.url)
    await page.getByLabel("Genre").selectOption("Musical")
    await page.getByLabel("Released from, year").fill("1960")
    await page.getByLabel("Released to, year").fill("1969")
    await expect.poll(() => titles(page)).toContain("Mary Poppins")
    const years = await page.locator(".byline").allTextContents()
    expect(years.every((byline) => byline.startsWith("196"))).toBe(true)

    await page.getByRole("searchbox").fill("zyzzyva")
    await page.getByRole("heading", { name: "No film is like that" }).waitFor()
    await page.getByRole("button", { name: "Clear the filters" }).click()
    await summary(page, "3,200 films")
    await leave()
  })

  test("more films come as one scrolls, each once", async () => {
    const { page, leave } = await visit(browser, server.url)
    await summary(page, "3,200 films")
    for (const expected of [96, 144]) {
      await page.getByRole("contentinfo").scrollIntoViewIfNeeded()
      await expect.poll(() => page.locator(".card").count()).toBeGreaterThanOrEqual(expected)
    }
    const ids = await page
      .locator(".card")
      .evaluateAll((cards) => cards.map((card) => card.getAttribute("data-film")))
    expect(new Set(ids).size).toBe(ids.length)
    await leave()
  })

  test("a film opens by keyboard, has an address of its own, and gives the focus back", async () => {
    const { page, leave } = await visit(browser, `${server.url}/?search=casablanca`)
    await page.getByRole("link", { name: "Casablanca" }).first().focus()
    await page.keyboard.press("Enter")
    await dialog(page).getByText("Directed by Michael Curtiz").waitFor()
    const address = page.url()
    await page.keyboard.press("Escape")
    await dialog(page).waitFor({ state: "hidden" })
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("Casablanca")
    // The dialog closes before the browser has gone back.
    await expect.poll(() => page.url()).not.toContain("film=")

    await page.goto(address)
    await dialog(page).getByText("Directed by Michael Curtiz").waitFor()
    await page.getByRole("button", { name: "Close" }).click()
    await dialog(page).waitFor({ state: "hidden" })
    await leave()
  })

  test("a film with a poster shows it, in its list and opened, and one whose poster is no picture is drawn", async () => {
    const api = async (path: string, init: RequestInit) => {
      const answer = await fetch(server.url + path, init)
      expect(answer.ok, await answer.clone().text()).toBe(true)
      return (await answer.json()) as Record<string, string> & { items: { id: string }[] }
    }
    const json = { "content-type": "application/json" }
    const { accessToken } = await api("/auth/sessions", {
      method: "POST",
      headers: json,
      body: JSON.stringify(server.admin),
    })
    const headers = { authorization: `Bearer ${accessToken}` }
    const give = async (title: string, body: Uint8Array<ArrayBuffer>) => {
      const poster = await api("/files?for=films.poster", { method: "POST", headers, body })
      const found = await api(`/records/films?filter=title="${title}"`, {})
      const patch = { method: "PATCH", headers: { ...headers, ...json } }
      const path = `/records/films/${found.items[0]?.id}`
      await api(path, { ...patch, body: JSON.stringify({ poster: poster.id }) })
    }
    await give("Spartacus", new Uint8Array(await readFile("docs/console-changes.png")))
    const drawing = '<svg xmlns="http://www.w3.org/2000/svg"/>'
    await give("Hannibal the Conqueror", new TextEncoder().encode(drawing))

    const { page, complaints, leave } = await visit(browser, server.url)
    await openFilm(page, "Spartacus")
    for (const place of [".card", ".film-poster"]) {
      const image = page.locator(`${place} img[alt="Spartacus"]`)
      await expect
        .poll(() => image.evaluate((shown) => (shown as HTMLImageElement).naturalWidth))
        .toBeGreaterThan(0)
    }
    await openFilm(page, "Hannibal the Conqueror")
    for (const place of [".card", ".film-poster"]) {
      await page.locator(`${place} .poster-title`, { hasText: "Hannibal the Conqueror" }).waitFor()
    }
    const told = complaints.splice(0)
    expect(told.filter((line) => !line.includes("status of 422"))).toEqual([])
    await leave()
  })

  test("the first Tab leads past the masthead", async () => {
    const { page, leave } = await visit(browser, server.url)
    await page.keyboard.press("Tab")
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the films")
    await page.keyboard.press("Enter")
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("main")
    await leave()
  })

  test("a member writes, edits and deletes one review of a film, and the club's stars follow", async () => {
    const { page, leave } = await visit(browser, server.url)
    await join(page, "Greta")
    await openFilm(page, "Barry Lyndon")
    await writeReview(page, 5, "Candlelight.\nAnd duels.")
    const facts = dialog(page).getByRole("region", { name: "Facts" })
    await facts.getByText("Club, 1 review").waitFor()
    await facts.getByText("5.0 of 5").waitFor()
    expect(await page.locator(".card .club").first().textContent()).toContain("5.0")

    await page.getByRole("button", { name: "Edit" }).click()
    expect(await page.getByRole("textbox", { name: "Your review" }).inputValue()).toBe(
      "Candlelight.\nAnd duels.",
    )
    await writeReview(page, 3, "Long.")
    await facts.getByText("3.0 of 5").waitFor()

    await page.reload()
    await dialog(page).getByText("Long.").waitFor()
    await page.getByRole("button", { name: "Delete" }).click()
    await page.getByRole("button", { name: "Delete it for good" }).click()
    await notice(page, "Your review is deleted.")
    await page.getByRole("button", { name: "Post review" }).waitFor()
    await facts.getByText("Club, 1 review").waitFor({ state: "hidden" })
    await leave()
  })

  test("a review without stars is asked for them", async () => {
    const { page, leave } = await visit(browser, server.url)
    await join(page, "Hedy")
    await openFilm(page, "The Shining")
    await page.getByRole("textbox", { name: "Your review" }).fill("Cold.")
    await page.getByRole("button", { name: "Post review" }).click()
    await page.getByRole("alert").getByText("Choose one to five stars.").waitFor()
    await leave()
  })

  test("members see who wrote a review, strangers do not, and markup in it is text", async () => {
    const author = await visit(browser, server.url)
    await join(author.page, "Ingrid")
    await openFilm(author.page, "Spartacus")
    const body = `<img src=x onerror="document.title='stolen'"><b>bold</b>`
    await writeReview(author.page, 2, body)

    const stranger = await visit(browser, author.page.url())
    await dialog(stranger.page).getByText(body).waitFor()
    await dialog(stranger.page).getByText("A member").waitFor()
    expect(await stranger.page.locator(".review img, .review b").count()).toBe(0)
    expect(await stranger.page.title()).toBe("Spartacus · Film Club")

    await dialog(stranger.page).getByRole("button", { name: "Close" }).click()
    await join(stranger.page, "Joan")
    await openFilm(stranger.page, "Spartacus")
    await dialog(stranger.page).getByText("Ingrid", { exact: true }).waitFor()
    expect(await stranger.page.getByRole("button", { name: "Edit" }).count()).toBe(0)
    await stranger.leave()
    await author.leave()
  })

  test("a second review from another tab is refused in words", async () => {
    const { page, complaints } = await visit(browser, server.url)
    await join(page, "Katharine")
    await openFilm(page, "Eyes Wide Shut")
    const other = await page.context().newPage()
    await other.goto(page.url())
    await writeReview(other, 4, "Masks.")
    await page.bringToFront()
    await page.getByRole("radio", { name: "1 star" }).check()
    await page.getByRole("button", { name: "Post review" }).click()
    await page.getByRole("alert").getByText("You have reviewed this film already.").waitFor()
    expect(complaints).toEqual([expect.stringContaining("409")])
    await page.context().close()
  })

  test("watch lists are made from a film, shown with it, and taken apart again", async () => {
    const { page, leave } = await visit(browser, server.url)
    await join(page, "Lauren")
    await openFilm(page, "Fargo")
    await page.getByText("Add to a watch list").click()
    await page.getByLabel("Name of a new list").fill("Rainy Sundays")
    await page.getByRole("button", { name: "New list" }).click()
    await page.getByText("On 1 watch list").waitFor()
    await page.getByLabel("Rainy Sundays").uncheck()
    await notice(page, "“Fargo” is off “Rainy Sundays”.")
    await page.getByLabel("Rainy Sundays").check()
    await notice(page, "“Fargo” is on “Rainy Sundays”.")
    await page.keyboard.press("Escape")

    await page.getByRole("link", { name: "Watch lists" }).click()
    const list = page.getByRole("region", { name: "Rainy Sundays" })
    await list.getByText("Fargo").waitFor()
    await page.getByRole("button", { name: "Take Fargo off Rainy Sundays" }).click()
    await list.getByText("No film on it yet.").waitFor()
    await page.getByRole("button", { name: "Delete the list Rainy Sundays" }).click()
    await page.getByRole("button", { name: "Delete it for good" }).click()
    await page.getByText("No list yet.").waitFor()
    await leave()
  })

  test("who asks for the week's reviews by mail has asked after a reload, and can do without them", async () => {
    const { page, leave } = await visit(browser, server.url)
    await join(page, "Billy")
    await page.getByRole("link", { name: "Watch lists" }).click()
    const choice = page.getByLabel("Mail me the new reviews of each week")
    expect(await choice.isChecked()).toBe(false)
    await choice.check()
    await notice(page, "The next digest comes on Monday.")
    await page.reload()
    await choice.waitFor()
    expect(await choice.isChecked()).toBe(true)
    await choice.uncheck()
    await notice(page, "No further digest will come.")
    await page.reload()
    await choice.waitFor()
    expect(await choice.isChecked()).toBe(false)
    await leave()
  })

  test("a session outlives reload and an expired token, and ends with sign-out", async () => {
    const { page, complaints } = await visit(browser, server.url)
    const email = await join(page, "Marlene")
    await page.reload()
    await page.getByRole("button", { name: "Sign out" }).waitFor()
    const secrets = await page.evaluate(() => JSON.stringify(localStorage) + document.cookie)
    expect(secrets).not.toMatch(/refresh|access|eyJ/i)
    expect(complaints).toEqual([])

    await page.context().clearCookies({ name: "__Host-access" })
    const renewal = page.waitForRequest("**/auth/tokens")
    await page.reload()
    await renewal
    await page.getByRole("button", { name: "Sign out" }).click()
    await notice(page, "You are signed out.")
    await page.reload()
    await page.getByRole("button", { name: "Sign in" }).click()

    await page.getByLabel("E-mail").fill(email)
    await page.getByLabel("Password").fill("wrong horse")
    await dialog(page).getByRole("button", { name: "Sign in" }).click()
    await page.getByRole("alert").getByText("password is wrong").waitFor()
    await page.getByLabel("Password").fill(password)
    await dialog(page).getByRole("button", { name: "Sign in" }).click()
    await notice(page, "Welcome, Marlene.")
    await page.context().close()
  })

  test("a failure is told in words with the request's id, and can be tried again", async () => {
    const { page } = await visit(browser, server.url)
    await summary(page, "3,200 films")
    const body = JSON.stringify({ status: 500, code: "internal", title: "Something went wrong" })
    await page.route("**/records/films?*", (route) =>
      route.fulfill({
        status: 500,
        headers: { "x-request-id": "request-4711", "content-type": "application/problem+json" },
        body,
      }),
    )
    await page.getByLabel("Genre").selectOption("Western")
    const trouble = page.getByRole("alert")
    await trouble.getByText("Something went wrong on the server.").waitFor()
    await trouble.getByText("Request request-4711").waitFor()
    await page.unroute("**/records/films?*")
    await page.getByRole("button", { name: "Try again" }).click()
    await expect.poll(() => titles(page)).toContain("The Wild Bunch")
    await page.context().close()
  })

  test.each([320, 700, 1000, 1600])("at %i pixels nothing sticks out sideways", async (width) => {
    const visitor = await visit(browser, server.url, { viewport: { width, height: 800 } })
    const { page } = visitor
    const overflow = () =>
      page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
    await summary(page, "3,200 films")
    expect(await overflow()).toBe(0)
    await page.locator(".card").first().click()
    await dialog(page).getByText("No reviews yet.").waitFor()
    const inside = await dialog(page).evaluate((sheet) => sheet.scrollWidth - sheet.clientWidth)
    expect(inside).toBe(0)
    await visitor.leave()
  })

  test("document and parts are cached as they should be, under a strict policy", async () => {
    const document = await fetch(server.url)
    expect(document.headers.get("content-security-policy")).toContain("default-src 'self'")
    expect(document.headers.get("cache-control")).toBe("public, max-age=0, must-revalidate")
    const text = await document.text()
    expect(text).not.toMatch(/<style|style=|<script(?![^>]* src=)|\son[a-z]+=/)
    const etag = document.headers.get("etag") ?? ""
    const again = await fetch(server.url, { headers: { "if-none-match": etag } })
    expect(again.status).toBe(304)
    const parts = [...text.matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)].map((found) => found[1])
    expect(parts).toHaveLength(3)
    for (const path of parts) {
      const part = await fetch(server.url + path)
      expect(part.status).toBe(200)
      expect(part.headers.get("cache-control")).toBe("public, max-age=31536000, immutable")
    }
  })
})
