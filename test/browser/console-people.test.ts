import { createHash } from "node:crypto"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser, plugInAuthenticator, visit } from "./browser.ts"
import { expectAccessible, goTo, letProofsGrowOld, signIn, visitConsole } from "./console-visit.ts"

let server: TestServer
let browser: Browser
/** A deployment that nobody administers yet, as deploy leaves it. */
const code = "hla_one-time-code-of-this-test"

async function signUp(name: string): Promise<{ id: string; email: string; password: string }> {
  const person = { email: `${name}@example.org`, password: "correct horse battery", name }
  const answer = await fetch(`${server.url}/auth/users`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(person),
  })
  expect(answer.status).toBe(201)
  return { ...person, id: ((await answer.json()) as { id: string }).id }
}

describe.skipIf(!executablePath)("people in the console", () => {
  beforeAll(async () => {
    const variables = { ADMIN_CODE_HASH: createHash("sha256").update(code).digest("hex") }
    ;[server, browser] = await Promise.all([
      startServer({ administrator: false, variables }),
      launchBrowser(),
    ])
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  test("the first administrator comes in with the one-time code, and nobody after them", async () => {
    const { admin, url } = server
    for (const attempt of ["first", "second"]) {
      const { page, complaints } = await visit(browser, `${url}/console/`, { locale: "en-GB" })
      await page.getByRole("button", { name: "First run" }).click()
      await expectAccessible(page, "first run")
      const fill = async (given: string) => {
        await page.getByLabel("One-time code").fill(given)
        await page.locator("input[name=email]").fill(admin.email)
        await page.locator("input[name=name]").fill("Ada")
        await page.locator("input[name=password]").fill(admin.password)
        await page.getByRole("button", { name: "Create" }).click()
      }
      await fill("hla_wrong")
      await page.getByRole("alert").getByText("The code is wrong.").waitFor()
      await fill(code)
      if (attempt === "first") await page.getByRole("heading", { name: "Overview" }).waitFor()
      else
        await page
          .getByRole("alert")
          .getByText(/administrator/)
          .waitFor()
      expect(complaints.filter((one) => !/40[39]/.test(one))).toEqual([])
      await page.context().close()
    }
  })

  test("what asks for a fresh proof asks once, and goes on by itself; who does not give it has done nothing", async () => {
    const visitor = await visitConsole(browser, server, "/keys")
    const { page, complaints } = visitor
    await letProofsGrowOld(page, server)
    const make = async () => {
      await page.getByRole("button", { name: "New key" }).click()
      const form = page.getByRole("dialog", { name: "New key" })
      await form.getByLabel("Name").fill("Importer")
      await form.getByLabel("Scopes").fill("members:read")
      await form.getByRole("button", { name: "Create" }).click()
      return form
    }
    const proof = page.getByRole("dialog", { name: "Prove that it is you" })
    const form = await make()
    await proof.locator("input[name=password]").waitFor()
    await expectAccessible(page, "proof")
    await page.keyboard.press("Escape")
    await page.getByText("Sign in again").waitFor()
    // What was typed is still there.
    expect(await form.getByLabel("Name").inputValue()).toBe("Importer")
    await form.getByRole("button", { name: "Create" }).click()
    await proof.locator("input[name=password]").fill("not mine")
    await proof.getByRole("button", { name: "Confirm" }).click()
    await proof.getByRole("alert").waitFor()
    await proof.locator("input[name=password]").fill(server.admin.password)
    await proof.getByRole("button", { name: "Confirm" }).click()
    await page.getByText("This is shown only once").first().waitFor()
    await page.getByRole("cell", { name: "Importer" }).waitFor()
    await page.getByRole("button", { name: "Rotate" }).click()
    await page.waitForLoadState("networkidle")
    expect(await proof.count()).toBe(0)
    expect(complaints.filter((one) => !one.includes("401"))).toEqual([])
    await page.context().close()
  })

  test("a passkey proves as well", async () => {
    const origin = server.url.replace("127.0.0.1", "localhost")
    const { page, complaints } = await visit(browser, `${origin}/console/account`, {
      locale: "en-GB",
    })
    await plugInAuthenticator(page)
    await signIn(page, server)
    await page.getByLabel("What to call it").fill("Laptop")
    await page.getByRole("button", { name: "Add a passkey" }).click()
    await page.getByRole("button", { name: "Rename Laptop" }).waitFor()
    await letProofsGrowOld(page, server)
    await page.getByRole("button", { name: "Delete", exact: true }).click()
    const proof = page.getByRole("dialog", { name: "Prove that it is you" })
    await proof.getByRole("button", { name: "Use a passkey" }).click()
    await page.getByText("You have no passkey yet.").waitFor()
    expect(complaints.filter((one) => !one.includes("401"))).toEqual([])
    await page.context().close()
  })

  test("an administrator acts in a person's name under a banner, and stops", async () => {
    const ben = await signUp("ben")
    const visitor = await visitConsole(browser, server, `/users/${ben.id}`)
    const { page } = visitor
    await page.getByRole("button", { name: "Act in their name" }).click()
    await page.getByLabel("Reason").fill("Ticket 7: cannot see the list")
    await page.getByRole("dialog").getByRole("button", { name: "Act in their name" }).click()
    const banner = page.getByText(`You are acting in the name of ${ben.email}.`)
    await banner.waitFor()
    await expectAccessible(page, "impersonation")
    await goTo(page, "/")
    await banner.waitFor()
    await page.getByRole("button", { name: "Stop" }).click()
    await page.getByRole("heading", { name: "Sign in" }).waitFor()
    await signIn(page, server)
    await goTo(page, `/users/${ben.id}`)
    await page.getByText("impersonation.started").waitFor()
    expect(await banner.count()).toBe(0)
    await visitor.leave()
  })

  test("what is typed is still there when the session ends in mid-edit, and is saved after signing in again", async () => {
    const visitor = await visitConsole(browser, server, "/organisations")
    const { page, complaints } = visitor
    await page.getByRole("button", { name: "New organisation" }).click()
    const form = page.getByRole("dialog", { name: "New organisation" })
    await form.getByLabel("Name").fill("Typed before the end")
    await server.database.prepare("UPDATE users SET epoch = epoch + 1").run()
    await server.database.prepare("DELETE FROM sessions").run()
    await form.getByRole("button", { name: "Create" }).click()
    await page.getByText("Your session has ended.").waitFor()
    await page.locator("input[name=password]").fill(server.admin.password)
    await page.getByRole("button", { name: "Sign in", exact: true }).click()
    await page.getByText("Your session has ended.").waitFor({ state: "detached" })
    expect(await form.getByLabel("Name").inputValue()).toBe("Typed before the end")
    await form.getByRole("button", { name: "Create" }).click()
    await page.getByRole("cell", { name: "Typed before the end" }).waitFor()
    expect(complaints.filter((one) => !one.includes("401"))).toEqual([])
    await page.context().close()
  })
})
