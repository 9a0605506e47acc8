import { createHmac } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Bundle, bundleWorker } from "../../src/tools/bundle.ts"
import { courierSecret, startCrashServer } from "../support/crash-server.ts"
import { startWorld, type World } from "../support/crash-world.ts"

const [kills, events] = process.env.CRASH === "full" ? [30, 600] : [3, 90]

const directory = mkdtempSync(join(tmpdir(), "crash-hooks-"))
const state = join(directory, "state")
let bundle: Bundle
let world: World

beforeAll(async () => {
  bundle = await bundleWorker("test/support/crash-worker.ts", join(directory, "bundle"))
  world = await startWorld()
})
afterAll(() => {
  world.close()
  rmSync(directory, { recursive: true, force: true })
})

/** As senders do: until it is told that the event has arrived. Answers how often it had to. */
async function sendUntilHeard(url: string, turn: number): Promise<number> {
  const body = JSON.stringify({ id: `event-${turn}`, turn })
  const signature = createHmac("sha256", courierSecret).update(body).digest("hex")
  for (let attempt = 1; ; attempt++) {
    const answer = await fetch(`${url}/hooks/courier`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-signature": signature },
      body,
    }).catch(() => null)
    await answer?.arrayBuffer().catch(() => null)
    if (answer?.ok) return attempt
    await sleep(5)
  }
}

test(`killed ${kills} times while ${events} events come in: each is stored once and has its effect once`, async ({
  annotate,
}) => {
  const server = await startCrashServer(bundle, state, world.url)
  let heard = 0
  let attempts = 0
  let turn = 0
  const senders = Array.from({ length: 8 }, async () => {
    while (turn < events) {
      const sent = await sendUntilHeard(server.url, ++turn)
      attempts += sent
      heard++
    }
  })
  for (let round = 1; round <= kills; round++) {
    while (heard < ((round - Math.random()) * (events - 8)) / kills) await sleep(1)
    await server.kill()
  }
  await Promise.all(senders)
  await server.stop()

  const last = await startCrashServer(bundle, state, world.url)
  try {
    await fetch(`${last.url}/health`)
    const open = () =>
      last.database.prepare("SELECT count(*) AS n FROM jobs WHERE finishedAt IS NULL").first("n")
    await expect.poll(open, { timeout: 300_000, interval: 200 }).toBe(0)
    const read = async (sql: string) => (await last.database.prepare(sql).all()).results
    const expected = Array.from({ length: events }, (_, i) => ({ turn: i + 1 }))
    const stored = await read(
      "SELECT CAST(substr(eventId, 7) AS INTEGER) AS turn FROM inbound_events WHERE appliedAt IS NOT NULL ORDER BY turn",
    )
    expect(stored).toEqual(expected)
    expect(await read("SELECT turn FROM deliveries ORDER BY turn")).toEqual(expected)
    expect(await read("SELECT id FROM jobs WHERE state <> 'succeeded'")).toEqual([])
    const unguarded = [...world.departed.values()].reduce((a, b) => a + b, 0)
    await annotate(JSON.stringify({ kills, events, attempts, effectsRepeated: unguarded - events }))
    expect(world.departed.size).toBe(events)
  } finally {
    await last.stop()
  }
}, 1_800_000)
