import { once } from "node:events"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { eventually } from "../support/eventually.ts"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser } from "./browser.ts"
import { expectAccessible, overflow, visitConsole } from "./console-visit.ts"

let server: TestServer
let browser: Browser
let partner: Server
let partnerUrl: string
/** Bodies that the partner has got. */
const got: string[] = []

describe.skipIf(!executablePath)("webhooks in the console", () => {
  beforeAll(async () => {
    partner = createServer((request, response) => {
      let body = ""
      request.setEncoding("utf8").on("data", (chunk) => {
        body += chunk
      })
      request.on("end", () => {
        got.push(body)
        response.end("thanks")
      })
    }).listen(0, "127.0.0.1")
    await once(partner, "listening")
    partnerUrl = `http://127.0.0.1:${(partner.address() as AddressInfo).port}/hook`
    ;[server, browser] = await Promise.all([startServer(), launchBrowser()])
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    partner?.close()
  })

  test("an endpoint is made, tried, looked into, edited, given a new secret, disabled and deleted", async () => {
    const visitor = await visitConsole(browser, server, "/webhooks")
    const { page } = visitor
    await page.getByText("There is no endpoint yet.").waitFor()
    await page.getByRole("button", { name: "New endpoint" }).click()
    const form = page.getByRole("dialog", { name: "New endpoint" })
    await form.getByLabel("Address").fill(partnerUrl)
    await form.getByRole("combobox", { name: "Events" }).fill("films.created")
    await page.keyboard.press("Enter")
    await form.getByLabel("Description").focus()
    await page.getByRole("option").first().waitFor({ state: "hidden" })
    await expectAccessible(page, "the form of an endpoint")
    await form.getByRole("button", { name: "Create" }).click()
    await page.getByText(/^whsec_/).waitFor()
    await page.getByRole("button", { name: partnerUrl }).click()
    const drawer = page.getByRole("dialog", { name: "Endpoint", exact: true })
    await drawer.getByRole("button", { name: "Send a test" }).click()
    await eventually(() => expect(got).toHaveLength(1))
    await eventually(async () => {
      await page.reload()
      await drawer.getByRole("cell", { name: "delivered" }).first().waitFor({ timeout: 3_000 })
    })
    await expectAccessible(page, "an endpoint")
    await drawer.getByRole("row").nth(1).getByRole("button").click()
    await drawer.getByText("thanks").waitFor()
    await drawer.getByText(/\d+ ms/).waitFor()
    await expectAccessible(page, "a delivery")
    await drawer.getByRole("button", { name: "Send again", exact: true }).click()
    await eventually(() => expect(got).toHaveLength(2))
    expect(JSON.parse(got[1] as string)).toMatchObject({ type: "webhooks.test" })
    await drawer.getByRole("button", { name: "Back" }).click()
    await drawer.getByRole("tab", { name: "Settings" }).click()
    await drawer.getByLabel("Description").fill("Our partner")
    await drawer.getByRole("button", { name: "Save" }).click()
    await drawer.getByText("Our partner").waitFor()
    await drawer.getByRole("button", { name: "New secret" }).click()
    await drawer.getByRole("button", { name: "Disable" }).click()
    await drawer.getByRole("button", { name: "Enable" }).waitFor()
    await drawer.getByRole("button", { name: "Delete" }).click()
    await page.getByText("There is no endpoint yet.").waitFor()
    await visitor.leave()
  }, 120_000)

  test("fit a narrow screen, in German", async () => {
    const visitor = await visitConsole(browser, server, "/webhooks", {
      viewport: { width: 360, height: 740 },
      locale: "de-DE",
    })
    await visitor.page.getByRole("heading", { name: "Webhooks", level: 2 }).waitFor()
    await visitor.page.getByRole("button", { name: "Neuer Endpunkt" }).waitFor()
    expect(await overflow(visitor.page)).toBe(0)
    await visitor.leave()
  }, 60_000)
})
