import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { eventually } from "../support/eventually.ts"
import { startServer, type TestServer } from "../support/server.ts"

/* What the README says of telling a partner, done to the letter. */

const [, section = ""] =
  /^## Telling others\n([\s\S]*?)^## /m.exec(readFileSync("README.md", "utf8")) ?? []
const blocks = (language: string): string[] =>
  [...section.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
    ([, text]) => text as string,
  )

const directory = mkdtempSync(join(tmpdir(), "partner-"))
let server: TestServer
let partnerUrl: string
let terminal: ChildProcess
let said = ""

beforeAll(async () => {
  server = await startServer()
  partnerUrl = `http://127.0.0.1:${await freePort()}/`
  await addFilm()
})
afterAll(async () => {
  // With what it started.
  if (terminal?.pid) process.kill(-terminal.pid)
  await server?.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const taken = createServer().listen(0, "127.0.0.1")
  await once(taken, "listening")
  const { port } = taken.address() as AddressInfo
  taken.close()
  await once(taken, "close")
  return port
}

/** Of which the demo would have thousands. */
async function addFilm(): Promise<void> {
  const post = async (path: string, body: object, token?: string) => {
    const answer = await fetch(server.url + path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    })
    expect(answer.status).toBe(201)
    return (await answer.json()) as { accessToken: string }
  }
  const { accessToken } = await post("/auth/sessions", server.admin)
  await post("/records/films", { title: "M" }, accessToken)
}

/** What is written in the terminal of a reader who has typed all of it. */
function type(): void {
  writeFileSync(join(directory, "partner.mjs"), at(blocks("js").join("")))
  symlinkSync(resolve("node_modules"), join(directory, "node_modules"))
  terminal = spawn("bash", ["-ec", `${at(blocks("sh").join("\n"))}\nwait`], {
    cwd: directory,
    detached: true,
  })
  for (const stream of [terminal.stdout, terminal.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      said += text
    })
  }
}

const at = (text: string): string =>
  text
    .replaceAll("http://127.0.0.1:8787", server.url)
    .replaceAll("http://127.0.0.1:9000/", partnerUrl)
    .replace("9000", new URL(partnerUrl).port)

test("the README's partner hears of a screening, verified, and of nothing that another signs", async () => {
  expect([blocks("js"), blocks("sh")].map(({ length }) => length)).toEqual([1, 2])
  type()
  await eventually(() => expect(said).toMatch(/msg_\S+ screenings\.created \{/))
  await eventually(() => expect(said).toContain("place: 'Cellar'"))
  const forged = {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(Math.floor(Date.now() / 1_000)),
    "webhook-signature": `v1,${btoa("x".repeat(32))}`,
  }
  for (const headers of [forged, {}, forged]) {
    const body = '{"type":"screenings.created","data":{"record":"forged"}}'
    expect((await fetch(partnerUrl, { method: "POST", headers, body })).status).toBe(401)
  }
  expect(said).not.toContain("forged")
})
