import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { codeAt, stepAt } from "../../src/core/identity/totp.ts"
import { fromBase32 } from "../support/base32.ts"
import { eventually } from "../support/eventually.ts"
import { freePort } from "../support/free-port.ts"
import { type OidcIssuer, startOidcIssuer } from "../support/oidc-issuer.ts"
import { startServer, type TestServer } from "../support/server.ts"
import {
  executablePath,
  launchBrowser,
  plugInAuthenticator,
  type Visitor,
  visit,
} from "./browser.ts"
import { signIn } from "./console-visit.ts"

let issuer: OidcIssuer
let server: TestServer
let browser: Browser
/** WebAuthn asks for a domain, and an address is none. */
let origin: string

const client = { clientId: "club", clientSecret: "a password of the club's own" }

/** Somebody new on the page of their own account. */
async function visitAccount(name: string): Promise<Visitor & { email: string }> {
  const email = `${name}@example.org`
  const password = "correct horse battery"
  const answer = await fetch(`${origin}/auth/users`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password, name }),
  })
  expect(answer.status).toBe(201)
  const visitor = await visit(browser, `${origin}/console/account`, { locale: "en-GB" })
  await plugInAuthenticator(visitor.page)
  await signIn(visitor.page, { ...server, admin: { email, password } })
  return { ...visitor, email }
}

async function signOut(page: Page): Promise<void> {
  await page.getByRole("button", { name: "My account" }).click()
  await page.getByRole("menuitem", { name: "Sign out" }).click()
  await page.getByRole("heading", { name: "Sign in" }).waitFor()
}

const section = (page: Page, title: string) =>
  page.locator("section").filter({ has: page.getByRole("heading", { name: title, exact: true }) })

describe.skipIf(!executablePath)("one's own account in the console", () => {
  beforeAll(async () => {
    const port = await freePort()
    origin = `http://localhost:${port}`
    issuer = await startOidcIssuer({
      ...client,
      redirectUris: [`${origin}/auth/providers/acme/callback`],
    })
    const acme = { name: "acme", label: "Acme", kind: "oidc", issuer: issuer.url, ...client }
    ;[server, browser] = await Promise.all([
      startServer({
        port,
        variables: { PUBLIC_URL: origin, IDENTITY_PROVIDERS: JSON.stringify([acme]) },
      }),
      launchBrowser(),
    ])
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    await issuer?.stop()
  })

  test("a passkey is added, renamed, signs in alone, and is removed", async () => {
    const { page, leave } = await visitAccount("ann")
    const passkeys = section(page, "Passkeys")
    await passkeys.getByText("You have no passkey yet.").waitFor()
    await passkeys.getByLabel("What to call it").fill("Laptop")
    await passkeys.getByRole("button", { name: "Add a passkey" }).click()
    await passkeys.getByRole("button", { name: "Rename Laptop" }).click()
    await passkeys.getByLabel("Name", { exact: true }).fill("Old laptop")
    await passkeys.getByRole("button", { name: "Save" }).click()
    await passkeys.getByText("Old laptop").waitFor()
    await signOut(page)
    await page.getByRole("button", { name: "Sign in with a passkey" }).click()
    await passkeys.getByText("Old laptop").waitFor()
    await passkeys.getByRole("button", { name: "Delete" }).click()
    await passkeys.getByText("You have no passkey yet.").waitFor()
    await leave()
  })

  test("an authenticator app is set up, asked for with the password, and a recovery code stands in for it", async () => {
    const { page, complaints, email } = await visitAccount("ben")
    const apps = section(page, "Authenticator apps")
    await apps.getByLabel("Name").fill("Phone")
    await apps.getByRole("button", { name: "Add an authenticator app" }).click()
    const secret = fromBase32((await apps.locator("pre").textContent()) ?? "")
    const link = await apps.getByRole("link", { name: "Open it in an app" }).getAttribute("href")
    expect(link).toContain("otpauth://totp/")
    await apps.getByLabel("Code").fill(codeAt(secret, stepAt(Date.now())))
    await apps.getByRole("button", { name: "Confirm" }).click()
    const codes = section(page, "Recovery codes")
    await codes.getByText("10 left").waitFor()
    const [first = ""] = ((await codes.locator("pre").textContent()) ?? "").split("\n")
    await signOut(page)

    await page.locator("input[name=email]").fill(email)
    await page.locator("input[name=password]").fill("correct horse battery")
    await page.getByRole("button", { name: "Sign in", exact: true }).click()
    await page.getByRole("heading", { name: "Second factor" }).waitFor()
    await page.getByRole("button", { name: "Use a recovery code" }).click()
    await page.getByLabel("Recovery code").fill(first)
    await page.getByRole("button", { name: "Sign in", exact: true }).click()
    await codes.getByText("9 left").waitFor()
    await codes.getByRole("button", { name: "Make new ones" }).click()
    await codes.getByText("10 left").waitFor()
    // The password alone is told that there is more to show.
    expect(complaints.filter((one) => !one.includes("401"))).toEqual([])
    await page.context().close()
  })

  test("a mailed code signs in", async () => {
    const { page, complaints, email } = await visitAccount("cleo")
    await signOut(page)
    await page.getByRole("button", { name: "Have a code mailed to me" }).click()
    await page.locator("input[name=email]").fill(email)
    await page.getByRole("button", { name: "Send the code" }).click()
    await page.getByLabel("Code").waitFor()
    const code = await eventually(async () => {
      const { results } = await server.database
        .prepare("SELECT text FROM mails WHERE template = 'account.sign-in-code' AND address = ?")
        .bind(email)
        .all<{ text: string }>()
      const [, found] = /^\s*(\d{6})\s*$/m.exec(results[0]?.text ?? "") ?? []
      if (found === undefined) throw new Error("no code was mailed")
      return found
    })
    await page.getByLabel("Code").fill(code)
    await page.getByRole("button", { name: "Sign in", exact: true }).click()
    await section(page, "Passkeys").waitFor()
    // What was under way while they signed out is refused.
    expect(complaints.filter((one) => !one.includes("401"))).toEqual([])
    await page.context().close()
  })

  test("an account with another service is linked, signs in, and is taken off again", async () => {
    const { page, complaints } = await visitAccount("dora")
    const services = section(page, "Accounts with other services")
    await services.getByRole("button", { name: "Link Acme" }).click()
    await atIssuer(page, "dora")
    await services.getByRole("cell", { name: "Acme" }).waitFor()
    await signOut(page)
    // The issuer still knows who sits here.
    await page.getByRole("button", { name: "Sign in with Acme" }).click()
    await services.getByRole("cell", { name: "Acme" }).waitFor()
    await services.getByRole("button", { name: "Unlink" }).click()
    await services.getByText("None is linked.").waitFor()
    expect(complaints.filter((one) => one.includes(origin))).toEqual([])
    await page.context().close()
  })

  test("who comes back from a service without being let in is told why, once", async () => {
    const { page } = await visit(browser, `${origin}/console/`, { locale: "en-GB" })
    await page.getByRole("button", { name: "Sign in with Acme" }).click()
    await atIssuer(page, "unverified-eve")
    await page.getByRole("alert").getByText("does not say that your address is yours").waitFor()
    expect(new URL(page.url()).hash).toBe("")
    await page.context().close()
  })

  test("the current session is shown, and one's name is changed", async () => {
    const { page, leave } = await visitAccount("finn")
    await page.getByLabel("Name", { exact: true }).first().fill("Finn the Human")
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByText("Saved.").waitFor()
    await section(page, "My sessions").getByText("this one").waitFor()
    await page.reload()
    expect(await page.getByLabel("Name", { exact: true }).first().inputValue()).toBe(
      "Finn the Human",
    )
    await leave()
  })
})

/** Signs in at the issuer, and agrees. */
async function atIssuer(page: Page, login: string): Promise<void> {
  await page.getByPlaceholder("Enter any login").fill(login)
  await page.getByPlaceholder("and password").fill("any")
  await page.getByRole("button", { name: "Sign-in" }).click()
  await page.getByRole("button", { name: "Continue" }).click()
}
