import { mkdtempSync, rmSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, expect, test } from "vitest"
import { bundleWorker } from "../../src/tools/bundle.ts"
import { startCrashServer } from "../support/crash-server.ts"
import { signUpAndIn } from "../support/crash-sign-in.ts"

/** Of a file: wide enough that it is written down in several trips. */
const rows = 2_400
const line = (n: number) => `${n + 1},${"x".repeat(900)}\n`
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => line(from + n)).join("")

const directory = mkdtempSync(join(tmpdir(), "crash-upload-"))
const state = join(directory, "state")
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test("an upload whose sender or server dies leaves nothing in the way, and is sent again under its key", async () => {
  const bundle = await bundleWorker("test/support/crash-worker.ts", join(directory, "bundle"))
  const server = await startCrashServer(bundle, state, "")
  const token = await signUpAndIn(server.url)
  const figure = async (database: D1Database, sql: string) =>
    (await database.prepare(sql).first<{ n: number }>())?.n
  const parts = () => figure(server.database, "SELECT count(*) AS n FROM bulk_parts")
  const unfinished = "SELECT count(*) AS n FROM bulk_operations WHERE state <> 'succeeded'"

  // More often than one person may have operations.
  for (let time = 1; time <= 6; time++) {
    const upload = begin(server.url, token, `broken-${time}`)
    upload.write(`number,label\n${lines(0, 2_300)}`)
    while (!(await parts())) await sleep(5)
    upload.destroy()
    while ((await figure(server.database, unfinished)) !== 0) await sleep(5)
    expect(await parts()).toBe(0)
  }

  const upload = begin(server.url, token, "killed")
  upload.write(`number,label\n${lines(0, 2_300)}`)
  while (!(await parts())) await sleep(5)
  await server.kill()
  const whole = () =>
    fetch(`${server.url}/records/items/import`, {
      method: "POST",
      headers: headersOf(token, "killed"),
      body: `number,label\n${lines(0, rows)}`,
    })
  const answer = await whole()
  expect(answer.status, await answer.clone().text()).toBe(202)
  const { id } = (await answer.json()) as { id: string }
  for (let ended = false; !ended; await sleep(50)) {
    const look = await fetch(`${server.url}/bulk-operations/${id}`, {
      headers: { authorization: `Bearer ${token}` },
    })
    const operation = (await look.json()) as { state: string }
    ended = operation.state !== "running"
    if (ended) expect(operation).toMatchObject({ state: "succeeded", created: rows, refused: 0 })
  }
  expect(await (await whole()).json()).toMatchObject({ id, created: rows })
  await server.stop()

  const { database, stop } = await startCrashServer(bundle, state, "")
  try {
    expect(await figure(database, "SELECT count(*) AS n FROM items")).toBe(rows)
    // What the killed process left is one that a sweep takes: `upload.test.ts`.
    expect(await figure(database, unfinished)).toBe(1)
    expect(
      await figure(
        database,
        "SELECT count(*) AS n FROM bulk_operations WHERE state = 'receiving' AND receivedAt IS NULL",
      ),
    ).toBe(0)
  } finally {
    await stop()
  }
}, 120_000)

const headersOf = (token: string, key: string) => ({
  authorization: `Bearer ${token}`,
  "content-type": "text/csv",
  prefer: "respond-async",
  "idempotency-key": key,
})

/** An upload of unknown length, which is yet to end. */
function begin(url: string, token: string, key: string) {
  const sent = request(`${url}/records/items/import`, {
    method: "POST",
    headers: headersOf(token, key),
  })
  sent.on("error", () => {})
  return sent
}
