import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { eventually } from "../support/eventually.ts"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser, visit } from "./browser.ts"
import { countClicks } from "./clicks.ts"
import { expectAccessible, goTo, overflow, visitConsole } from "./console-visit.ts"

let server: TestServer
let browser: Browser
let token: string

const json = { "content-type": "application/json" }
const hostile = `<img src=x onerror="document.title='owned'">`

async function ask<T>(method: string, path: string, body?: object): Promise<T> {
  const send = () =>
    fetch(server.url + path, {
      method,
      headers: { ...json, authorization: `Bearer ${token}` },
      ...(body && { body: JSON.stringify(body) }),
    })
  let answer = await send()
  // Whoever has joined an organisation needs a new token.
  if (answer.status === 401) {
    await signInByApi()
    answer = await send()
  }
  expect(answer.ok, `${method} ${path}: ${answer.status}`).toBe(true)
  return answer.json() as Promise<T>
}

async function signInByApi(): Promise<void> {
  const { email, password } = server.admin
  const body = JSON.stringify({ email, password })
  const init = { method: "POST", headers: json, body }
  const answer = await fetch(`${server.url}/auth/sessions`, init)
  token = ((await answer.json()) as { accessToken: string }).accessToken
}

describe.skipIf(!executablePath)("what an administrator comes for", () => {
  beforeAll(async () => {
    ;[server, browser] = await Promise.all([startServer(), launchBrowser()])
    await signInByApi()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  test("a colleague is invited to an organisation, with a role, in five clicks", async () => {
    await ask("POST", "/auth/organisations", { name: "Editors" })
    const visitor = await visitConsole(browser, server)
    const { page } = visitor
    const clicks = await countClicks(page)
    await page.getByRole("link", { name: "Organisations" }).click()
    await page.getByRole("button", { name: "Editors" }).click()
    await page.getByLabel("E-mail address").fill("colleague@example.org")
    await page.getByRole("combobox", { name: "Role" }).click()
    await page.getByRole("option", { name: "admin" }).click()
    await page.getByRole("button", { name: "Invite", exact: true }).click()
    await page.getByText("The invitation is on its way.").waitFor()
    await page.getByRole("cell", { name: "colleague@example.org" }).waitFor()
    expect(clicks()).toBeGreaterThan(2)
    expect(clicks()).toBeLessThanOrEqual(5)
    await visitor.leave()
  })

  test("whoever the mail invites makes an account where it leads, and joins; others are told why they do not", async () => {
    const email = "reader@example.org"
    const { id } = await ask<{ id: string }>("POST", "/auth/organisations", { name: "Readers" })
    await ask("POST", `/auth/organisations/${id}/invitations`, { email, roles: ["member"] })
    const link = await eventually(async () => {
      const { items } = await ask<{ items: { id: string; address: string }[] }>("GET", "/mails")
      const sent = items.find(({ address }) => address === email)
      const { text = "" } = await ask<{ text?: string }>("GET", `/mails/${sent?.id}`)
      return new URL(/https?:\S+#\S+/.exec(text)?.[0] ?? "")
    })
    const address = server.url + link.pathname + link.hash
    const members = async () => {
      const { items } = await ask<{ items: unknown[] }>("GET", `/auth/organisations/${id}/members`)
      return items.length
    }

    // To another than whom it is for, who is told so, and has not used it up.
    const other = await visitConsole(browser, server, link.pathname.slice(8) + link.hash)
    await other.page.getByText(`signed in as ${server.admin.email}`).waitFor()
    const accept = { name: "Accept the invitation" }
    await other.page.getByRole("button", accept).click()
    await other.page.getByRole("alert").getByText("for another address").waitFor()
    expect(other.complaints.filter((one) => !one.includes("403"))).toEqual([])
    await other.page.context().close()

    const visitor = await visit(browser, address, {
      locale: "en-GB",
      viewport: { width: 375, height: 812 },
    })
    const { page, complaints } = visitor
    const sent: string[] = []
    page.on("request", (request) => sent.push(request.url(), request.postData() ?? ""))
    await page.getByText("You are invited to an organisation.").waitFor()
    // By way of a provider who does not let them in.
    await page.route("**/auth/providers", (route) =>
      route.fulfill({ json: { items: [{ name: "acme", kind: "oidc", label: "Acme" }] } }),
    )
    await page.route("**/authorizations", (route) =>
      route.fulfill({ json: { url: `${server.url}/acme` } }),
    )
    const back = `${link.pathname}#error=authorization_denied`
    await page.route("**/acme", (route) =>
      route.fulfill({ contentType: "text/html", body: `<script>location = "${back}"</script>` }),
    )
    await page.reload()
    await page.getByRole("button", { name: "Sign in with Acme" }).click()
    await page.getByRole("alert").getByText("You were not signed in.").waitFor()
    await expectAccessible(page, "sign-in of the invited")
    await page.getByRole("button", { name: "Create an account" }).click()
    await expectAccessible(page, "account of the invited")
    await page.getByLabel("E-mail address").fill(email)
    await page.locator("input[name=password]").fill("a password of my own")
    await page.getByRole("button", { name: "Create", exact: true }).click()
    await page.getByText(`signed in as ${email}`).waitFor()
    expect(page.url()).toBe(address)
    await expectAccessible(page, "invitation to an organisation")
    expect(await overflow(page)).toBe(0)
    expect(await members()).toBe(1)
    expect(sent.join(" ")).not.toContain("hiv_")
    await page.getByRole("button", accept).click()
    await page.getByText("You have joined “Readers”.").waitFor()
    await page.waitForURL("**/console/account")
    expect(await members()).toBe(2)
    expect(sent.filter((one) => one.includes("hiv_"))).toEqual([
      JSON.stringify({ token: link.hash.slice(1) }),
    ])

    for (const [hash, words] of [
      [link.hash, "This link is not valid, or not any more"],
      ["#hiv_x", "This link is not valid, or not any more"],
    ] as const) {
      await page.goto(server.url + link.pathname + hash)
      await page.getByRole("button", accept).click()
      await page.getByRole("alert").getByText(words).waitFor()
    }
    await page.evaluate(() => {
      location.hash = ""
    })
    await page.getByText("The link is not complete.").waitFor()
    expect(await page.getByRole("button", accept).isDisabled()).toBe(true)
    // The first visit of a stranger, the token before the acceptance, and links that are void.
    expect(complaints.filter((one) => !one.includes("401"))).toEqual([])
    await page.context().close()
  })

  test("a colleague who has signed up becomes an editor in four clicks", async () => {
    const person = { email: "new@example.org", password: "correct horse battery", name: "Nell" }
    const { id } = await ask<{ id: string }>("POST", "/auth/users", person)
    const visitor = await visitConsole(browser, server)
    const { page } = visitor
    const clicks = await countClicks(page)
    await page.getByRole("link", { name: "Users" }).click()
    await page.getByRole("button", { name: person.email }).click()
    await page.getByRole("combobox", { name: "Roles" }).click()
    await page.keyboard.type("editor")
    await page.keyboard.press("Enter")
    await page.getByRole("button", { name: "Save roles" }).click()
    await page.getByText("Saved.").waitFor()
    expect(clicks()).toBe(4)
    expect(await ask("GET", `/auth/users/${id}`)).toMatchObject({ roles: ["editor"] })
    await visitor.leave()
  })

  test("a colleague without an account is invited as editor in four clicks, and is one once they accept", async () => {
    const email = "nora@example.org"
    const visitor = await visitConsole(browser, server)
    const { page } = visitor
    const clicks = await countClicks(page)
    await page.getByRole("link", { name: "Users" }).click()
    await page.getByRole("button", { name: "Invite" }).click()
    const dialog = page.getByRole("dialog")
    await expectAccessible(page, "invitation")
    await dialog.getByLabel("E-mail address").fill(email)
    await dialog.getByRole("combobox", { name: "Roles" }).click()
    await page.getByRole("option", { name: "administrator" }).waitFor()
    await page.keyboard.type("editor")
    await page.keyboard.press("Enter")
    await dialog.getByRole("button", { name: "Invite" }).click()
    await page.getByText("The invitation is on its way.").waitFor()
    await page.getByRole("cell", { name: email }).waitFor()
    expect(clicks()).toBe(4)

    const link = await eventually(async () => {
      const { items } = await ask<{ items: { id: string; template: string }[] }>("GET", "/mails")
      const sent = items.find(({ template }) => template === "account.invitation")
      const { text = "" } = await ask<{ text?: string }>("GET", `/mails/${sent?.id}`)
      return new URL(/https?:\S+#\S+/.exec(text)?.[0] ?? "")
    })
    const colleague = await visit(browser, server.url + link.pathname + link.hash, {
      locale: "en-GB",
    })
    await colleague.page.getByLabel("New password").fill("a password of my own")
    await colleague.page.getByRole("button", { name: "Accept the invitation" }).click()
    await colleague.page.getByText("Your account is ready.").waitFor()
    await colleague.leave()
    await page.reload()
    await page.getByRole("button", { name: email }).waitFor()
    await page.getByRole("row", { name: email }).getByText("editor").waitFor()
    expect(await page.getByRole("heading", { name: "Invitations" }).count()).toBe(0)
    await visitor.leave()
  })

  test("why a mail was not sent is seen, and it is sent again, in five clicks", async () => {
    await ask("POST", "/mails/suppressions", { address: "quiet@example.org" })
    const person = { email: "quiet@example.org", password: "correct horse battery", name: "Quinn" }
    await ask("POST", "/auth/users", person)
    const mail = await eventually(async () => {
      const { items } = await ask<{ items: { id: string }[] }>("GET", "/mails?state=suppressed")
      if (!items[0]) throw new Error("nothing was held back")
      return items[0]
    })
    const visitor = await visitConsole(browser, server)
    const { page } = visitor
    const clicks = await countClicks(page)
    await page.getByRole("navigation").getByRole("link", { name: "Mails" }).click()
    await page.locator("label").getByText("suppressed", { exact: true }).click()
    await page.waitForURL(/state=suppressed/)
    await page.getByRole("button", { name: "Confirm your e-mail address" }).click()
    const drawer = page.getByRole("dialog")
    await drawer.getByText("An administrator has suppressed the address.").waitFor()
    await drawer.getByRole("button", { name: "Lift the suppression and send it again" }).click()
    await page.getByText("It is on its way again.").waitFor()
    expect(clicks()).toBe(4)
    await eventually(async () => {
      expect(await ask("GET", `/mails/${mail.id}`)).toMatchObject({ state: "sent" })
    })
    await visitor.leave()
  })

  test("who could read a collection is found in three clicks, with the rules in words", async () => {
    const visitor = await visitConsole(browser, server)
    const { page } = visitor
    const clicks = await countClicks(page)
    await page.getByRole("link", { name: "Who can see what" }).click()
    await page.getByRole("combobox", { name: "Collection" }).click()
    await page.getByRole("option", { name: "members" }).click()
    const anybody = page.getByRole("row", { name: /Anybody who is signed in/ })
    await anybody.getByText(/^(all|\d+ of \d+)$/).waitFor()
    const stranger = page.getByRole("row", { name: /without signing in/ })
    expect(await stranger.getByText("never", { exact: true }).count()).toBeGreaterThan(0)
    await page.getByText("@me.kind").first().waitFor()
    expect(clicks()).toBe(3)
    await visitor.leave()
  })

  test("what people, organisations, mails and jobs are called is text, wherever it is shown", async () => {
    const person = { email: "mallory@example.org", password: "correct horse battery" }
    const { id } = await ask<{ id: string }>("POST", "/auth/users", { ...person, name: hostile })
    await ask("POST", "/auth/organisations", { name: hostile })
    // A mail and a job say what somebody else made them say.
    await server.database
      .prepare("UPDATE mails SET subject = ?, text = ?, html = ?, name = ?")
      .bind(...[hostile, hostile, `<p>${hostile}</p>`, hostile])
      .run()
    await server.database
      .prepare("UPDATE jobs SET payload = ?, error = ?, state = 'dead'")
      .bind(JSON.stringify({ text: hostile }), hostile)
      .run()
    const visitor = await visitConsole(browser, server)
    const { page } = visitor
    const shown = (path: string) =>
      goTo(page, path).then(() => page.getByText(hostile).first().waitFor())
    await shown(`/users/${id}`)
    await shown("/organisations")
    await page.getByRole("button", { name: hostile }).first().click()
    await page.getByRole("dialog", { name: hostile }).waitFor()
    await shown("/mails")
    await page.getByRole("row").nth(1).getByRole("button").click()
    await page.getByRole("tab", { name: "Text" }).click()
    await page.getByRole("dialog").locator("pre").getByText(hostile).waitFor()
    await goTo(page, "/jobs")
    await page.getByRole("row").nth(1).getByRole("button").click()
    await page.getByRole("dialog").locator("pre").getByText(hostile).waitFor()
    expect(await page.getByRole("dialog").getByRole("textbox").inputValue()).toContain("onerror")
    expect(await page.title()).toBe("Console")
    // The frame of a mail runs nothing and reaches nothing, not even the picture of our own host.
    expect(visitor.complaints.filter((one) => !/NotSameOrigin|sandboxed/.test(one))).toEqual([])
    await page.context().close()
  })

  test("moments are in the viewer's zone", async () => {
    await server.database.prepare("UPDATE mails SET createdAt = '2026-07-01T22:30:00.000Z'").run()
    for (const [timezoneId, expected] of [
      ["Europe/Berlin", "2 Jul 2026, 00:30"],
      ["America/New_York", "1 Jul 2026, 18:30"],
    ] as const) {
      const visitor = await visitConsole(browser, server, "/mails", { timezoneId })
      await visitor.page.getByText(expected).first().waitFor()
      await visitor.leave()
    }
  })
})
