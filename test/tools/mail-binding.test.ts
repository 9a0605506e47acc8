import { readFileSync } from "node:fs"
import { stripVTControlCharacters } from "node:util"
import { build } from "esbuild"
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { Message, Outcome } from "../../src/core/mail/mailer.ts"
import { eventually } from "../support/eventually.ts"
import type { BindingErrand } from "../support/mail-binding-worker.ts"

/*
 * The driver of Cloudflare's Email Service, against the binding that Cloudflare ships for development: it checks what it
 * is given, and writes bodies to files whose names it logs.
 */

let miniflare: Miniflare
let said = ""

class Listener extends Log {
  protected override log(message: string): void {
    said += `${stripVTControlCharacters(message)}\n`
  }
}

beforeAll(async () => {
  const bundle = await build({
    entryPoints: ["test/support/mail-binding-worker.ts"],
    bundle: true,
    format: "esm",
    target: "es2024",
    external: ["cloudflare:*", "node:*"],
    write: false,
  })
  miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: bundle.outputFiles[0]?.text as string,
      host: "127.0.0.1",
      cf: false,
      log: new Listener(LogLevel.INFO),
      compatibilityDate: "2026-11-17",
      compatibilityFlags: ["nodejs_compat"],
      email: { send_email: [{ name: "EMAIL", allowed_sender_addresses: ["films@example.org"] }] },
    }),
  )
  await miniflare.ready
})
afterAll(() => miniflare.dispose())

const message: Message = {
  id: "019aa2c5-7d00-7000-8000-00000000000a",
  to: { email: "ann@bücher.example", name: "Ann „Ä“" },
  subject: "Grüße 🎬",
  text: "Hallo, Zürich 🧀\n",
  html: "<p>Hallo, Zürich 🧀</p>\n",
  createdAt: "2026-11-21T04:00:00.000Z",
  headers: {
    "Auto-Submitted": "auto-generated",
    "List-Unsubscribe": "<https://app.example/mail/unsubscriptions?token=x>",
  },
}

async function send(email: string): Promise<Outcome> {
  const errand: BindingErrand = { from: { email, name: "Filmklub Zürich" }, message }
  const body = JSON.stringify(errand)
  const response = await miniflare.dispatchFetch("http://worker/", { method: "POST", body })
  return (await response.json()) as Outcome
}

test("the binding takes what the driver gives it, whole", async () => {
  expect(await send("films@example.org")).toEqual({ kind: "sent", messageId: expect.any(String) })
  const fileOf = (kind: string) =>
    eventually(() => {
      const [, file = ""] = new RegExp(`^${kind}: (.+)$`, "m").exec(said) ?? []
      return readFileSync(file, "utf8")
    })
  expect(await fileOf("Text")).toBe(message.text)
  expect(await fileOf("HTML")).toBe(message.html)
  for (const part of ["Filmklub Zürich", "films@example.org", "ann@xn--bcher-kva.example"]) {
    expect(said).toContain(part)
  }
  expect(said).toContain(`Subject: ${message.subject}`)
})

test("what it refuses without saying why may have left", async () => {
  expect(await send("somebody@example.org")).toMatchObject({
    kind: "unknown",
    reason: expect.stringContaining("not allowed"),
  })
})
