import "./stand-in-location.ts"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { en } from "../../src/console/messages-en.ts"
import { pages as registered } from "../../src/console/pages.ts"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser, visit } from "./browser.ts"
import { expectAccessible, goTo, overflow, signIn, visitConsole } from "./console-visit.ts"

let server: TestServer
let browser: Browser

const pages = {
  "/": "Overview",
  "/schema": "Schema and rules",
  "/data/members": "members",
  "/files": "Files",
  "/changes": "Change log",
  "/exposure?collection=members": "Who can see what",
  "/users": "Users",
  "/organisations": "Organisations",
  "/keys": "API keys",
  "/audit": "Security events",
  "/jobs": "Jobs",
  "/schedules": "Schedules",
  "/mails": "Mails",
  "/webhooks": "Webhooks",
  "/inbound-events": "Inbound events",
  "/account": "My account",
}

/** Pages that the menu does not name: what one types for them, and where it leads. */
const unnamed: Readonly<Record<string, [string, string]>> = {
  "/data/:collection/:id?": ["Data: members", "/data/members"],
  "/account": ["My account", "/account"],
}

/** Found by the list of people, by a mail, and with a collection that people may import, which is the app's to have. */
const elsewhere = ["/users/:id", "/invitations", "/data/:collection/import"]

const hostile = `<img src=x onerror="document.title='owned'">`

/** With spaces around it, which belong to it. */
const password = " correct horse battery "

async function signUp(name: string): Promise<string> {
  const email = `${crypto.randomUUID()}@example.org`
  const answer = await fetch(`${server.url}/auth/users`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password, name }),
  })
  expect(answer.status).toBe(201)
  return email
}

describe.skipIf(!executablePath)("the console in Chromium", () => {
  beforeAll(async () => {
    ;[server, browser] = await Promise.all([startServer(), launchBrowser()])
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  test.each(["light", "dark"] as const)(
    "every page is accessible and complains of nothing, in %s",
    async (scheme) => {
      const visitor = await visit(browser, `${server.url}/console`, {
        colorScheme: scheme,
        locale: "en-GB",
      })
      await visitor.page.getByRole("heading", { name: "Sign in" }).waitFor()
      await expectAccessible(visitor.page, "sign-in")
      await signIn(visitor.page, server)
      for (const [path, title] of Object.entries(pages)) {
        await goTo(visitor.page, path)
        await visitor.page.getByRole("heading", { name: title, exact: true, level: 2 }).waitFor()
        await expectAccessible(visitor.page, `${path} in ${scheme}`)
      }
      await visitor.leave()
    },
  )

  test("nothing sticks out sideways on a narrow screen, where the menu opens by its button", async () => {
    const visitor = await visitConsole(browser, server, "/", {
      viewport: { width: 360, height: 740 },
    })
    const { page } = visitor
    for (const [path, title] of Object.entries(pages)) {
      await goTo(page, path)
      await page.getByRole("heading", { name: title, exact: true, level: 2 }).waitFor()
      expect(await overflow(page), path).toBe(0)
    }
    await page.getByRole("button", { name: "Open the menu" }).click()
    await page.getByRole("link", { name: "Users" }).click()
    await page.getByRole("heading", { name: "Users", level: 2 }).waitFor()
    // A row is a card, each value after its head; states are a list to choose from.
    const cell = page.getByRole("cell", { name: server.admin.email })
    const head = await cell.evaluate((it) => getComputedStyle(it, "::before").content)
    expect(head).toBe('"E-mail address"')
    await goTo(page, "/jobs")
    await page.getByRole("combobox", { name: "State" }).selectOption("held back")
    await page.getByText("No job is in this state.").waitFor()
    await page.getByRole("button", { name: "Show all" }).click()
    await page.getByRole("button", { name: "Show all" }).waitFor({ state: "detached" })
    expect(new URL(page.url()).search).toBe("")
    await visitor.leave()
  })

  test("a page that does not arrive says so, and is loaded again", async () => {
    const { page } = await visitConsole(browser, server)
    const parts = (url: URL) => /\/assets\/schedules-.*\.js$/.test(url.pathname)
    await page.route(parts, (route) => route.abort())
    await goTo(page, "/schedules")
    await page.getByRole("alert").getByText("This page could not be loaded").waitFor()
    await page.unroute(parts)
    await page.getByRole("button", { name: "Load it again" }).click()
    await page.getByRole("heading", { name: "Schedules" }).waitFor()
    await page.context().close()
  })

  test("the palette leads to every page by keyboard", async () => {
    const visitor = await visitConsole(browser, server)
    const { page } = visitor
    await page.getByRole("heading", { name: "Overview" }).waitFor()
    for (const { path, label } of registered) {
      const [typed, place] = label ? [label(en), path] : (unnamed[path] ?? [])
      if (elsewhere.includes(path)) continue
      if (!typed) throw new Error(`what is typed to come to ${path}?`)
      await page.keyboard.press("Control+k")
      const palette = page.getByRole("textbox", { name: en.nav.palette })
      await palette.fill(typed)
      await page.keyboard.press("Enter")
      await palette.waitFor({ state: "detached" })
      await page.waitForURL(`${server.url}/console${place}`)
      await page.getByRole("heading", { level: 2 }).first().waitFor()
      expect(await page.getByText(en.problem.missing).count()).toBe(0)
    }
    await visitor.leave()
  })

  test("it speaks German where the browser does, and the other language on demand", async () => {
    const visitor = await visitConsole(browser, server, "/", { locale: "de-DE" })
    const { page } = visitor
    await page.getByRole("heading", { name: "Übersicht" }).waitFor()
    expect(await page.evaluate(() => document.documentElement.lang)).toBe("de")
    await page.getByRole("button", { name: "Mein Konto" }).click()
    await page.getByRole("menuitem", { name: "English" }).click()
    await page.getByRole("heading", { name: "Overview" }).waitFor()
    await page.reload()
    await page.getByRole("heading", { name: "Overview" }).waitFor()
    await visitor.leave()
  })

  test("what people call themselves is text, wherever it is shown", async () => {
    const email = await signUp(hostile)
    const visitor = await visitConsole(browser, server, "/users")
    const { page } = visitor
    await page.getByRole("searchbox").fill(email.slice(0, 20))
    await page.getByText(hostile).waitFor()
    await page.getByRole("button", { name: email }).click()
    await page.getByRole("heading", { name: hostile }).waitFor()
    await goTo(page, "/data/members")
    await page.getByText(hostile).waitFor()
    expect(await page.title()).toBe("Console")
    await visitor.leave()
  })

  test("who is no administrator gets in by their password to the letter, sees their account, and that the rest is not for them", async () => {
    const email = await signUp("Ann")
    const visitor = await visit(browser, `${server.url}/console/`, { locale: "en-GB" })
    const { page } = visitor
    await signIn(page, { ...server, admin: { email, password } })
    await page.getByText("Only administrators of the deployment may see this.").waitFor()
    await goTo(page, "/account")
    await page.getByRole("heading", { name: "Passkeys" }).waitFor()
    expect(visitor.complaints.filter((it) => !it.includes("403"))).toEqual([])
    await page.context().close()
  })

  test("a person is disabled and let in again, and given a role", async () => {
    const email = await signUp("Ben")
    const visitor = await visitConsole(browser, server, "/users")
    const { page } = visitor
    await page.getByRole("searchbox").fill(email.slice(0, 20))
    await page.getByRole("button", { name: email }).click()
    await page.getByRole("button", { name: "Disable" }).click()
    await page.getByRole("button", { name: "Enable" }).waitFor()
    await page.getByRole("button", { name: "Enable" }).click()
    await page.getByRole("button", { name: "Disable" }).waitFor()
    await page.getByRole("combobox", { name: "Roles" }).fill("editor")
    await page.keyboard.press("Enter")
    await page.getByRole("button", { name: "Save roles" }).click()
    await page.getByText("account.roles_changed").or(page.getByText(/roles/)).first().waitFor()
    await visitor.leave()
  })

  test("a mail is opened, as it looks and with what became of it", async () => {
    await signUp("Cleo")
    const visitor = await visitConsole(browser, server, "/mails")
    const { page } = visitor
    await page.getByRole("row").nth(1).getByRole("button").click()
    await page.getByText("What became of it").waitFor()
    const frame = page.locator("iframe.mail-frame")
    expect(await frame.getAttribute("sandbox")).toBe("")
    await visitor.leave()
  })

  test("the document and its parts come under a strict policy", async () => {
    const answer = await fetch(`${server.url}/console/data/whatever`)
    expect(answer.headers.get("content-security-policy")).toContain("script-src 'self';")
    expect(answer.headers.get("cache-control")).toBe("private, no-cache")
    const text = await answer.text()
    expect(text).not.toMatch(/<script(?![^>]* src=)|\son[a-z]+=/)
    const script = /src="([^"]+\.js)"/.exec(text)?.[1] ?? ""
    const part = await fetch(server.url + script)
    expect(part.headers.get("cache-control")).toBe("public, max-age=31536000, immutable")
    expect((await fetch(`${server.url}/console/assets/none.js`)).status).toBe(404)
  })
})
