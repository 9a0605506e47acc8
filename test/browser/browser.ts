import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { expect } from "vitest"
import { findChromium } from "../support/chromium-install.ts"

/** Where there is none, the browser tests are skipped; `npm test` says so. */
export const executablePath = findChromium()

const args = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
]

export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ ...(executablePath && { executablePath }), args })

/** A visitor: a browser of their own, with their own cookies. What went wrong in it is kept. */
export interface Visitor {
  readonly page: Page
  /** Errors on the console, exceptions, breaches of the content security policy. */
  readonly complaints: string[]
  leave(): Promise<void>
}

/** Gives the page's browser an authenticator, as laptops and phones have one. */
export async function plugInAuthenticator(page: Page, verified = true): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send("WebAuthn.enable")
  await devtools.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: verified,
      isUserVerified: verified,
      automaticPresenceSimulation: true,
    },
  })
}

export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visitor> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options })
  context.setDefaultTimeout(60_000)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on("pageerror", (error) => complaints.push(error.message))
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text())
  })
  await page.goto(url)
  return {
    page,
    complaints,
    async leave() {
      await context.close()
      expect(complaints).toEqual([])
    },
  }
}
