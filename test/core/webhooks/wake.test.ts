import { env } from "cloudflare:workers"
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest"
import { wakeDue, wakeEndpoints } from "../../../src/core/webhooks/wake.ts"
import type { App } from "../../../src/platform/app.ts"
import { fixtures } from "../../support/collections.ts"
import { type Person, signedIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { create, read } from "../records/cast.ts"
import { openWorkshop, toolApp } from "../records/workshop.ts"
import { content, endpoint, received, settledPump } from "./cast.ts"
import { stored } from "./clock.ts"

let alice: Person
beforeAll(async () => {
  alice = await signedIn("alice")
})
beforeEach(content)
afterEach(async () => {
  receivers.still = false
  await stored("UPDATE webhook_endpoints SET enabled = 0")
})

/** An app whose calls of endpoints' objects are noted, and made by nobody. */
function noting(app: App = toolApp()): { app: App; woken: string[] } {
  const woken: string[] = []
  return { app: { ...app, wakeEndpoint: async (id) => void woken.push(id) }, woken }
}

test("what waits is sent although the process died between the commit and the call", async () => {
  receivers.still = true
  const { id } = await endpoint(alice, { events: ["tags.created"] })
  await create(alice, "tags", { name: "lost" })
  await settledPump()
  const object = env.WEBHOOK_SENDER.get(env.WEBHOOK_SENDER.idFromName(`main ${id}`))
  // Its alarm comes, does nothing, and is not set again.
  await object.poke("main", id)
  await new Promise((resolve) => setTimeout(resolve, 100))
  receivers.still = false
  expect(receivers.received).toEqual([])
  await wakeDue(toolApp())
  await received(1)
})

test.each([
  ["one in line that is due", "queued", -1, "", true],
  ["one that is tried again", "waiting", -1, "", true],
  ["one aside that is due", "retrying", -1, "", true],
  ["one aside that is not due yet", "retrying", 60, "", false],
  ["one in line that is not due yet", "waiting", 60, "", false],
  ["nothing but what is done", "succeeded", -1, "", false],
  ["one, while it is disabled", "waiting", -1, "enabled = 0", false],
  ["one, while it is paused", "waiting", -1, "pausedUntil = '9999-01-01T00:00:00.000Z'", false],
  ["one, after a pause", "waiting", -1, "pausedUntil = '2020-01-01T00:00:00.000Z'", true],
])("by the clock an endpoint with %s is woken, or is not", async (_, state, due, set, woken) => {
  receivers.still = true
  const { id } = await endpoint(alice, { events: ["tags.created"] })
  const at = new Date(Date.now() + due * 1_000).toISOString()
  await stored(
    "INSERT INTO webhook_deliveries (id, endpoint, change, type, state, attempts, nextAt, createdAt) VALUES (?1, ?2, ?1, 'tags.created', ?3, 0, ?4, ?4)",
    crypto.randomUUID(),
    id,
    state,
    at,
  )
  if (set) await stored(`UPDATE webhook_endpoints SET ${set} WHERE id = ?`, id)
  const noted = noting()
  await wakeDue(noted.app)
  expect(noted.woken).toEqual(woken ? [id] : [])
})

test("fifty objects are called at a time, and one that does not answer keeps none from being called", async () => {
  let open = 0
  let most = 0
  const called: string[] = []
  const app: App = {
    ...toolApp(),
    async wakeEndpoint(id) {
      called.push(id)
      most = Math.max(most, ++open)
      await new Promise((resolve) => setTimeout(resolve, 1))
      open--
      if (id === "7") throw new Error("no answer")
    },
  }
  const ids = Array.from({ length: 120 }, (_, n) => String(n))
  await expect(wakeEndpoints(app, ids)).rejects.toThrow("no answer")
  expect(called).toEqual(ids)
  expect(most).toBe(50)
})

test("a test is answered although its object could not be called", async () => {
  receivers.still = true
  const { id } = await endpoint(alice, { events: ["tags.created"] })
  const namespace = {
    idFromName: (name: string) => env.WEBHOOK_SENDER.idFromName(name),
    get: () => ({ poke: () => Promise.reject(new Error("overloaded")) }),
  }

  const shop = await openWorkshop(fixtures, {
    tables: false,
    bindings: { WEBHOOK_SENDER: namespace },
  })
  await read(shop.call(alice, "POST", `/webhooks/endpoints/${id}/tests`), 201)
  await read(
    shop.call(alice, "POST", `/webhooks/endpoints/${id}/replays`, {
      from: "2026-01-01T00:00:00.000Z",
    }),
    201,
  )
  const noted = noting()
  await wakeDue(noted.app)
  expect(noted.woken).toEqual([id])
})
