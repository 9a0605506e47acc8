import { readFile } from "node:fs/promises"
import type { Browser, Locator, Page } from "playwright-core"
import { encode } from "uqr"
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
import { expectAccessible, letProofsGrowOld, signIn } from "./console-visit.ts"

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

/** What the text of a mail holds of a pattern, once it was sent. */
const mailed = (template: string, address: string, pattern: RegExp): Promise<RegExpExecArray> =>
  eventually(async () => {
    const { results } = await server.database
      .prepare("SELECT text FROM mails WHERE template = ? AND address = ?")
      .bind(template, address)
      .all<{ text: string }>()
    const found = pattern.exec(results[0]?.text ?? "")
    if (found === null) throw new Error(`nothing was mailed: ${template}`)
    return found
  })

/** Where the picture is dark, as `x y`. */
const darkModules = async (picture: Locator): Promise<string[]> => {
  const path = (await picture.locator("path").getAttribute("d")) ?? ""
  return [...path.matchAll(/M(\d+ \d+)h1v1h-1z/g)].map(([, at = ""]) => at)
}

const modulesOf = (text: string): string[] =>
  encode(text, { ecc: "M", border: 4 }).data.flatMap((row, y) =>
    row.flatMap((on, x) => (on ? [`${x} ${y}`] : [])),
  )

async function signOut(page: Page): Promise<void> {
  await page.getByRole("button", { name: "My account", exact: true }).click()
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
    const picture = apps.getByRole("img", { name: "QR code of the secret" })
    expect(await darkModules(picture)).toEqual(modulesOf(link ?? ""))
    await expectAccessible(page, "authenticator")
    await apps.getByRole("textbox", { name: "Code" }).fill(codeAt(secret, stepAt(Date.now())))
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
    const [, code = ""] = await mailed("account.sign-in-code", email, /^\s*(\d{6})\s*$/m)
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

  test("an address changes by the link that is mailed to it, a password by the one before it or a fresh proof", async () => {
    const { page, complaints, email } = await visitAccount("gwen")
    const address = section(page, "E-mail address")
    await address.getByText("address not confirmed").waitFor()
    await address.getByRole("button", { name: "Mail me the link to confirm it" }).click()
    await page.getByText("The link is on its way.").first().waitFor()
    await address.getByLabel("New e-mail address").fill("gwendolen@example.org")
    await address.getByRole("button", { name: "Change the address" }).click()
    await address.getByText("on its way to gwendolen@example.org").waitFor()
    // Not before its link is used.
    await address.getByText(email, { exact: true }).waitFor()
    const [link] = await mailed(
      "account.confirm-new-address",
      "gwendolen@example.org",
      /https?:\S+/,
    )
    const token = new URL(link).hash.slice(1)
    const confirmed = await page.request.post(`${origin}/auth/email-changes/confirmations`, {
      data: { token },
    })
    expect(confirmed.status()).toBe(204)
    await page.reload()
    await address.getByText("gwendolen@example.org", { exact: true }).waitFor()
    await address.getByText("address confirmed").waitFor()

    const password = section(page, "Change password")
    const change = async (current: string, next: string) => {
      await password.getByLabel("Current password").fill(current)
      await password.getByLabel("New password").fill(next)
      await password.getByRole("button", { name: "Change password" }).click()
    }
    await change("not hers", "a staple for the horse")
    await page.getByText("E-mail address or password is wrong").first().waitFor()
    await change("correct horse battery", "a staple for the horse")
    await page.getByText("Your password is changed.").waitFor()
    await letProofsGrowOld(page, server)
    await change("", "another staple for the horse")
    const proof = page.getByRole("dialog", { name: "Prove that it is you" })
    await proof.locator("input[name=password]").fill("a staple for the horse")
    await proof.getByRole("button", { name: "Confirm" }).click()
    await proof.waitFor({ state: "detached" })
    await eventually(async () => {
      const data = { email: "gwendolen@example.org", password: "another staple for the horse" }
      const answer = await page.request.post(`${origin}/auth/sessions`, { data })
      if (answer.status() !== 200 && answer.status() !== 201) throw new Error("not yet")
    })
    expect(complaints.filter((one) => !one.includes("401"))).toEqual([])
    await page.context().close()
  })

  test("all that is known of one is taken along, and the account deleted, after a proof and by one's own word", async () => {
    const { page, complaints, email } = await visitAccount("hal")
    await letProofsGrowOld(page, server)
    const download = page.waitForEvent("download")
    await section(page, "My data").getByRole("button", { name: "Export my data" }).click()
    const proof = page.getByRole("dialog", { name: "Prove that it is you" })
    await proof.locator("input[name=password]").fill("correct horse battery")
    await proof.getByRole("button", { name: "Confirm" }).click()
    const file = await download
    expect(file.suggestedFilename()).toBe("account.ndjson")
    const [first = ""] = (await readFile(await file.path(), "utf8")).split("\n")
    expect(JSON.parse(first)).toMatchObject({ type: "user", email, name: "hal" })

    await letProofsGrowOld(page, server)
    await section(page, "Delete my account").getByRole("button").click()
    const form = page.getByRole("dialog", { name: "Delete my account" })
    const button = form.getByRole("button", { name: "Delete for good" })
    await form.getByLabel(`Type ${email} to go on`).fill("hal")
    await expectAccessible(page, "deletion")
    expect(await button.isDisabled()).toBe(true)
    await form.getByLabel(`Type ${email} to go on`).fill(email)
    await form.getByLabel("Also delete the records that I made").check()
    await button.click()
    await proof.locator("input[name=password]").fill("correct horse battery")
    await proof.getByRole("button", { name: "Confirm" }).click()
    await page.getByText("Your account is deleted.").waitFor()
    await page.getByRole("heading", { name: "Sign in" }).waitFor()
    expect(await page.getByText("Your session has ended.").count()).toBe(0)
    const data = { email, password: "correct horse battery" }
    expect((await page.request.post(`${origin}/auth/sessions`, { data })).status()).toBe(401)
    expect(complaints.filter((one) => !one.includes("401"))).toEqual([])
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
