import { execFileSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { eventually } from "../support/eventually.ts"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser } from "./browser.ts"
import { expectAccessible, overflow, visitConsole } from "./console-visit.ts"

/* What the README says of the film club's hook, done to the letter; and what the console shows of it. */

const [, section = ""] =
  /^### What other services tell you\n([\s\S]*?)^## /m.exec(readFileSync("README.md", "utf8")) ?? []
const block = (language: string): string =>
  new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(section)?.[1] ?? ""

const secret = `whsec_${randomBytes(32).toString("base64")}`
const directory = mkdtempSync(join(tmpdir(), "hooks-"))
let server: TestServer
let browser: Browser

beforeAll(async () => {
  server = await startServer({ variables: { DISTRIBUTOR_SECRET: secret } })
  if (executablePath) browser = await launchBrowser()
})
afterAll(async () => {
  await browser?.close()
  await server?.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** As a reader would, with this secret in `.dev.vars`. */
function announce(known: string, change: (commands: string) => string = (same) => same): unknown {
  writeFileSync(join(directory, ".dev.vars"), `SECRET=x\nDISTRIBUTOR_SECRET=${known}\n`)
  const commands = change(block("sh")).replaceAll("http://127.0.0.1:8787", server.url)
  return JSON.parse(execFileSync("bash", ["-ec", commands], { cwd: directory, encoding: "utf8" }))
}

const films = async (): Promise<unknown[]> => {
  const filter = encodeURIComponent('title = "Metropolis Restored"')
  const answer = await fetch(`${server.url}/records/films?filter=${filter}`)
  return ((await answer.json()) as { items: unknown[] }).items
}

test("the README's hook is the film club's", () => {
  expect(block("ts").length).toBeGreaterThan(100)
  expect(readFileSync("src/app/film-arrivals.ts", "utf8")).toContain(block("ts"))
})

test("what the README signs adds a film, once, and what another signs does not", async () => {
  expect(announce(`whsec_${randomBytes(32).toString("base64")}`)).toMatchObject({ status: 404 })
  expect(announce(secret)).toEqual({ received: true })
  await eventually(async () => expect(await films()).toHaveLength(1))
  expect(announce(secret)).toEqual({ received: false })
  expect(await films()).toHaveLength(1)
})

describe.skipIf(!executablePath)("the console", () => {
  test("shows an event with its body, leads to its job, and applies again what failed", async () => {
    announce(secret, (commands) => commands.replace("msg_1", "msg_2").replace('"title"', '"name"'))
    const visitor = await visitConsole(browser, server, "/inbound-events")
    const { page } = visitor
    const failed = page.getByRole("row", { name: /distributor/ }).filter({ hasText: "failed" })
    await eventually(async () => {
      await page.reload()
      await failed.waitFor({ timeout: 2_000 })
    })
    await failed.getByRole("button", { name: "distributor" }).click()
    const drawer = page.getByRole("dialog", { name: "Inbound event" })
    await drawer.getByText('"name": "Metropolis Restored"').waitFor()
    await drawer.getByText("msg_2").first().waitFor()
    await expectAccessible(page, "an inbound event")
    await drawer.getByRole("button", { name: "Apply again" }).click()
    await page.getByText("It is being applied again.").first().waitFor()
    await drawer.getByRole("link", { name: "Its job" }).click()
    await page.getByRole("dialog", { name: "Jobs" }).getByText("hooks.distributor").waitFor()
    await visitor.leave()
  }, 120_000)

  test("shows them on a narrow screen and in German", async () => {
    const visitor = await visitConsole(browser, server, "/inbound-events?state=applied", {
      viewport: { width: 360, height: 740 },
      locale: "de-DE",
    })
    const { page } = visitor
    await page.getByRole("heading", { name: "Eingehende Ereignisse", level: 2 }).waitFor()
    await page.getByRole("button", { name: "distributor" }).waitFor()
    expect(await overflow(page)).toBe(0)
    await expectAccessible(page, "inbound events in German")
    await visitor.leave()
  }, 120_000)
})
