import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Webhook } from "standardwebhooks"
import { afterAll, beforeAll, expect, test } from "vitest"
import { messageId } from "../../src/core/webhooks/payload.ts"
import { type Bundle, bundleWorker } from "../../src/tools/bundle.ts"
import { type CrashServer, startCrashServer } from "../support/crash-server.ts"
import { startWorld, type World } from "../support/crash-world.ts"
import { startWriters } from "../support/crash-writers.ts"

/** As often as we promise with `npm run test:crash`, which takes minutes; a small part of it among all tests. */
const [kills, writes] = process.env.CRASH === "full" ? [200, 5_000] : [5, 100]

const directory = mkdtempSync(join(tmpdir(), "crash-webhooks-"))
const state = join(directory, "state")
let bundle: Bundle
let world: World
let receiver: Server
let secret = ""
/** Turns by the id of the event that told of them, and how often it did. */
const heard = new Map<string, { turns: Set<number>; times: number }>()
const forged: string[] = []

beforeAll(async () => {
  bundle = await bundleWorker("test/support/crash-worker.ts", join(directory, "bundle"))
  world = await startWorld()
  receiver = createServer(async (request, response) => {
    let body = ""
    for await (const piece of request) body += piece
    try {
      const headers = request.headers as Record<string, string>
      const event = new Webhook(secret).verify(body, headers) as {
        data: { record: { turn: number } }
      }
      const id = headers["webhook-id"] as string
      const known = heard.get(id) ?? { turns: new Set(), times: 0 }
      heard.set(id, { turns: known.turns.add(event.data.record.turn), times: known.times + 1 })
    } catch (error) {
      forged.push(String(error))
    }
    response.end()
  })
  receiver.listen(0, "127.0.0.1")
  await once(receiver, "listening")
})
afterAll(() => {
  world.close()
  receiver.close()
  receiver.closeAllConnections()
  rmSync(directory, { recursive: true, force: true })
})

test(`killed ${kills} times during ${writes} writes: each committed write's event arrives, with one id, and none of a write that was rolled back`, async ({
  annotate,
}) => {
  let server = await startCrashServer(bundle, state, world.url)
  const endpoint = await listen(server)
  const { ledger, stop } = startWriters(server.url, 8)
  for (let round = 1; round <= kills; round++) {
    const due = ((round - Math.random()) * writes) / kills
    while (ledger.acknowledged.size < due && ledger.unexpected.length === 0) await sleep(1)
    await sleep(Math.random() * 20)
    await (round === kills ? server.stop() : server.kill())
  }
  await stop()

  server = await startCrashServer(bundle, state, world.url)
  try {
    await fetch(`${server.url}/health`)
    const { results } = await server.database
      .prepare("SELECT id, payload ->> 'turn' AS turn FROM changes WHERE subject = 'errands'")
      .all<{ id: string; turn: number }>()
    const wanted = new Map(results.map(({ id, turn }) => [messageId(endpoint, id), turn]))
    const missing = () => [...wanted.keys()].filter((id) => !heard.has(id)).length
    await expect.poll(missing, { timeout: 300_000, interval: 200 }).toBe(0)
    const times = [...heard.values()].map((one) => one.times)
    await annotate(
      JSON.stringify({
        kills,
        committed: wanted.size,
        refused: ledger.refused.size,
        arrivedAgain: times.filter((count) => count > 1).length,
      }),
    )
    expect(ledger.unexpected).toEqual([])
    expect(forged).toEqual([])
    expect([...heard.keys()].filter((id) => !wanted.has(id))).toEqual([])
    for (const [id, turn] of wanted) expect([...(heard.get(id)?.turns ?? [])]).toEqual([turn])
    const turns = new Set([...heard.values()].flatMap((one) => [...one.turns]))
    expect([...ledger.acknowledged].filter((turn) => !turns.has(turn))).toEqual([])
    expect([...turns].filter((turn) => ledger.refused.has(turn))).toEqual([])
  } finally {
    await server.stop()
  }
}, 3_000_000)

/** Somebody's endpoint, which hears of every errand. */
async function listen({ url }: CrashServer): Promise<string> {
  const post = async <Answer>(path: string, body: object, token?: string): Promise<Answer> => {
    const response = await fetch(url + path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    })
    if (response.status !== 201) throw new Error(`${path}: ${await response.text()}`)
    return response.json()
  }
  const person = { email: "partner@example.test", password: "correct horse battery staple" }
  await post("/auth/users", person)
  const { accessToken } = await post<{ accessToken: string }>("/auth/sessions", person)
  const made = await post<{ id: string; secret: string }>(
    "/webhooks/endpoints",
    {
      url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
      events: ["errands.created", "errands.updated"],
      ratePerSecond: 100,
    },
    accessToken,
  )
  secret = made.secret
  return made.id
}
