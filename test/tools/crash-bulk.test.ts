import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, expect, test } from "vitest"
import { bundleWorker } from "../../src/tools/bundle.ts"
import { type CrashServer, startCrashServer } from "../support/crash-server.ts"
import { signUpAndIn } from "../support/crash-sign-in.ts"

/** Of the file; each fiftieth is refused. */
const rows = 3_000
const refused = rows / 50
/** Of what was imported, as many are changed. */
const changed = 2_000
const kills = 3

const directory = mkdtempSync(join(tmpdir(), "crash-bulk-"))
const state = join(directory, "state")
afterAll(() => rmSync(directory, { recursive: true, force: true }))

interface Operation {
  id: string
  state: string
  rows: number
  total: number
  created: number
  updated: number
  refused: number
}

test(`killed ${kills} times each, an import and a change of many do all of it once`, async () => {
  const bundle = await bundleWorker("test/support/crash-worker.ts", join(directory, "bundle"))
  const server = await startCrashServer(bundle, state, "")
  const token = await signUpAndIn(server.url)
  const imported = await amidKills(
    server,
    token,
    "POST",
    "/records/items/import",
    file(),
    "text/csv",
  )
  expect(imported).toMatchObject({
    state: "succeeded",
    rows,
    total: rows,
    created: rows - refused,
    refused,
  })
  const filter = encodeURIComponent(`number <= ${changed}`)
  const path = `/records/items?filter=${filter}`
  const patch = JSON.stringify({ label: "new" })
  const updated = await amidKills(server, token, "PATCH", path, patch, "application/json")
  const due = changed - changed / 50
  expect(updated).toMatchObject({ state: "succeeded", rows: due, updated: due, refused: 0 })
  await server.stop()

  const { database, stop } = await startCrashServer(bundle, state, "")
  const numbers = (sql: string) => database.prepare(sql).first()
  try {
    // Each record once, each version once, and a line of the log for each.
    expect(
      await numbers(
        "SELECT count(*) AS records, count(DISTINCT number) AS numbers, sum(version) AS versions, sum(label = 'new') AS changed FROM items",
      ),
    ).toEqual({
      records: rows - refused,
      numbers: rows - refused,
      versions: rows - refused + due,
      changed: due,
    })
    expect(
      await numbers(
        "SELECT count(*) AS lines, count(DISTINCT record || '/' || version) AS versions, sum(kind = 'created') AS created FROM changes WHERE subject = 'items'",
      ),
    ).toEqual({
      lines: rows - refused + due,
      versions: rows - refused + due,
      created: rows - refused,
    })
    expect(
      await numbers(
        "SELECT (SELECT count(*) FROM bulk_parts) AS parts, count(*) AS refusals FROM bulk_refusals",
      ),
    ).toEqual({ parts: 0, refusals: refused })
  } finally {
    await stop()
  }
}, 600_000)

const file = (): string =>
  `number,label\n${Array.from({ length: rows }, (_, n) => `${(n + 1) % 50 === 0 ? 0 : n + 1},old`).join("\n")}\n`

/** Begins an operation, kills the server each time that it has got further, and answers how it ended. */
async function amidKills(
  server: CrashServer,
  token: string,
  method: string,
  path: string,
  body: string,
  type: string,
): Promise<Operation> {
  const authorization = `Bearer ${token}`
  const begun = await fetch(server.url + path, {
    method,
    body,
    headers: { authorization, "content-type": type, prefer: "respond-async" },
  })
  expect(begun.status, await begun.clone().text()).toBe(202)
  const { id } = (await begun.json()) as Operation
  const look = async (): Promise<Operation> =>
    (
      await fetch(`${server.url}/bulk-operations/${id}`, { headers: { authorization } })
    ).json() as Promise<Operation>
  let last = await look()
  let hits = 0
  for (let kill = 1; kill <= kills && last.state === "running"; kill++) {
    // As soon as it has got further: what is left has to outlast all kills.
    const before = last.rows
    while (last.rows === before && last.state === "running") {
      await sleep(5)
      last = await look()
    }
    // Not always when a batch was just made.
    await sleep(Math.random() * 50)
    await server.kill()
    const next = await look()
    if (next.state === "running") hits++
    expect(next.rows).toBeGreaterThanOrEqual(last.rows)
    last = next
  }
  // A slow machine may miss some, but not all.
  expect(hits).toBeGreaterThan(0)
  while (last.state === "running") {
    await sleep(100)
    last = await look()
  }
  return last
}
