import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser } from "./browser.ts"
import { expectAccessible, goTo, overflow, visitConsole } from "./console-visit.ts"

let server: TestServer
let browser: Browser

const password = "correct horse battery"

async function ask<T>(path: string, body: unknown, token?: string): Promise<T> {
  const response = await fetch(server.url + path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  })
  expect(response.ok, `${path}: ${response.status}`).toBe(true)
  return response.json() as Promise<T>
}

/** A member with a watch list of their own, which administrators do not see. */
async function signUp(name: string): Promise<{ email: string; token: string }> {
  const email = `${crypto.randomUUID()}@example.org`
  await ask("/auth/users", { email, password, name })
  const { accessToken: token } = await ask<{ accessToken: string }>("/auth/sessions", {
    email,
    password,
  })
  await ask("/records/watchlists", { name: `What ${name} will see` }, token)
  return { email, token }
}

/** All but the bookmark, which follows one's own writes: to begin is one. */
const sessionCookies = async (page: Page) =>
  (await page.context().cookies()).filter(({ name }) => name !== "__Host-bookmark")

async function sessionsOf(token: string): Promise<{ impersonator: boolean | string | null }[]> {
  const answer = await fetch(`${server.url}/auth/sessions`, {
    headers: { authorization: `Bearer ${token}` },
  })
  return ((await answer.json()) as { items: { impersonator: boolean | string | null }[] }).items
}

describe.skipIf(!executablePath)("the view of somebody else in the console", () => {
  beforeAll(async () => {
    ;[server, browser] = await Promise.all([startServer({ demo: true }), launchBrowser()])
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  test("is exactly what they see, changes nothing, and leaves one's own session as it is", async () => {
    const ann = await signUp("Ann")
    const visitor = await visitConsole(browser, server, "/data/watchlists")
    const { page } = visitor
    await page.getByText("No records here yet.").waitFor()
    const cookies = await sessionCookies(page)
    await page.getByRole("button", { name: "More" }).click()
    await page.getByRole("menuitem", { name: "View as" }).click()
    await page.getByRole("combobox", { name: "Person" }).fill(ann.email.slice(0, 20))
    await page.getByRole("option", { name: `Ann · ${ann.email}` }).click()
    await page.getByRole("textbox", { name: "Reason" }).fill("Support request 4711")
    await page.getByRole("button", { name: "View as this person" }).click()
    await page.getByText("You see what Ann sees.").waitFor()
    await page.getByText("What Ann will see").waitFor()
    await page.getByText("1 records").waitFor()

    expect(await sessionCookies(page)).toEqual(cookies)
    expect(await page.getByRole("button", { name: "New record" }).count()).toBe(0)
    expect(await page.getByRole("button", { name: "More" }).count()).toBe(0)
    expect(await page.getByRole("checkbox").count()).toBe(0)
    await page.getByRole("gridcell", { name: "What Ann will see", exact: true }).dblclick()
    await page.keyboard.press("F2")
    expect(await page.locator(".grid-editor").count()).toBe(0)
    await page.getByRole("button", { name: "Open What Ann will see" }).click()
    const field = page.getByRole("dialog").getByRole("textbox", { name: "name" })
    await field.waitFor()
    expect(await field.isDisabled()).toBe(true)
    expect(await page.getByRole("button", { name: "Save" }).count()).toBe(0)
    await page.getByRole("button", { name: "Close" }).click()
    expect(await sessionsOf(ann.token)).toHaveLength(2)

    // It goes along to other collections, and not to what is administered.
    await page.getByRole("link", { name: "films", exact: true }).click()
    await page.getByText("You see what Ann sees.").waitFor()
    await page.getByRole("link", { name: "Users" }).click()
    await page.getByRole("button", { name: ann.email }).waitFor()

    await page.getByRole("link", { name: "watchlists" }).click()
    await page.getByRole("button", { name: "Back to your own view" }).click()
    await page.getByText("No records here yet.").waitFor()
    await expect.poll(() => sessionsOf(ann.token)).toHaveLength(1)
    expect(await sessionCookies(page)).toEqual(cookies)
    await visitor.leave()
  })

  test("ends with the page", async () => {
    const ben = await signUp("Ben")
    const visitor = await visitConsole(browser, server, "/data/films")
    const { page } = visitor
    await page.getByRole("button", { name: "More" }).click()
    await page.getByRole("menuitem", { name: "View as" }).click()
    await page.getByRole("combobox", { name: "Person" }).fill(ben.email.slice(0, 20))
    await page.getByRole("option", { name: `Ben · ${ben.email}` }).click()
    await page.getByRole("textbox", { name: "Reason" }).fill("Support request 4712")
    await page.getByRole("button", { name: "View as this person" }).click()
    await page.getByText("You see what Ben sees.").waitFor()
    await page.reload()
    await page.getByRole("button", { name: "New record" }).waitFor()
    expect(await page.getByText("You see what Ben sees.").count()).toBe(0)
    await expect.poll(() => sessionsOf(ben.token)).toHaveLength(1)
    await visitor.leave()
  })

  test("may be that of nobody in particular", async () => {
    const visitor = await visitConsole(browser, server, "/data/films")
    const { page, complaints } = visitor
    await page.getByRole("button", { name: "More" }).click()
    await page.getByRole("menuitem", { name: "View as" }).click()
    await page.getByRole("button", { name: "View as somebody who is not signed in" }).click()
    await page.getByText("not signed in. Nothing can be changed.").waitFor()
    await page.getByText("3,200 records").waitFor()
    await page.getByRole("link", { name: "watchlists" }).click()
    await page.getByText("They see nothing of this collection.").waitFor()
    await goTo(page, "/account")
    await page.getByText(server.admin.email).first().waitFor()
    expect(complaints.filter((it) => !it.includes("401"))).toEqual([])
    await page.context().close()
  })

  test.each(["light", "dark"] as const)(
    "is asked for and shown accessibly, in %s",
    async (colorScheme) => {
      const visitor = await visitConsole(browser, server, "/data/films", {
        colorScheme,
        viewport: { width: 390, height: 800 },
      })
      const { page } = visitor
      await page.getByRole("button", { name: "More" }).click()
      await page.getByRole("menuitem", { name: "View as" }).click()
      await page.getByRole("textbox", { name: "Reason" }).waitFor()
      await page.waitForTimeout(400)
      await expectAccessible(page, `dialog in ${colorScheme}`)
      await page.getByRole("button", { name: "View as somebody who is not signed in" }).click()
      await page.getByText("3,200 records").waitFor()
      await page.waitForTimeout(400)
      await expectAccessible(page, `banner in ${colorScheme}`)
      expect(await overflow(page)).toBe(0)
      await visitor.leave()
    },
  )
})
