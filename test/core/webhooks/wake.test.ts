import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest"
import { fixtures } from "../../support/collections.ts"
import { eventually } from "../../support/eventually.ts"
import { type Person, signedIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { create, read } from "../records/cast.ts"
import { openWorkshop } from "../records/workshop.ts"
import { content, endpoint, received, settledPump } from "./cast.ts"
import { senderOf, stored } from "./clock.ts"

let alice: Person
beforeAll(async () => {
  alice = await signedIn("alice")
})
beforeEach(content)
afterEach(async () => {
  receivers.still = false
  await stored("UPDATE webhook_endpoints SET enabled = 0")
})

const dispatcher = env.WEBHOOK_DISPATCHER.get(env.WEBHOOK_DISPATCHER.idFromName("main"))
const pump = env.CHANGE_PUMP.get(env.CHANGE_PUMP.idFromName("main"))
const alarmOf = () => runInDurableObject(dispatcher, (_, { storage }) => storage.getAlarm())

test("what waits is sent although the process died between the commit and the call", async () => {
  receivers.still = true
  await endpoint(alice, { events: ["tags.created"] })
  await create(alice, "tags", { name: "lost" })
  await settledPump()
  // Its alarm has come, done nothing, and is not set again.
  await eventually(async () => expect(await alarmOf()).toBeNull())
  receivers.still = false
  expect(receivers.received).toEqual([])
  // As the worker does every minute.
  await pump.poke("main")
  await received(1)
})

test("the dispatcher sets its alarm while something is away, and none when nothing waits", async () => {
  let silent = true
  receivers.answer = async () => {
    while (silent) await new Promise((resolve) => setTimeout(resolve, 5))
    return new Response()
  }
  await endpoint(alice, { events: ["tags.created"] })
  await create(alice, "tags", { name: "slow" })
  await received(1)
  // Whoever died meanwhile is woken by it.
  await eventually(async () => expect(await alarmOf()).toBeGreaterThan(Date.now() + 1_000))
  silent = false
  await eventually(async () => expect(await alarmOf()).toBeNull())
  expect(
    await stored(
      "SELECT id FROM webhook_deliveries WHERE finishedAt IS NULL AND state = 'waiting'",
    ),
  ).toEqual([])
})

test("a database that does not answer is asked again later", async () => {
  await endpoint(alice, { events: ["tags.created"] })
  await stored("ALTER TABLE webhook_deliveries RENAME TO webhook_deliveries_away")
  try {
    await create(alice, "tags", { name: "late" })
    await eventually(async () => expect(await alarmOf()).toBeGreaterThan(Date.now() + 5_000))
  } finally {
    await stored("ALTER TABLE webhook_deliveries_away RENAME TO webhook_deliveries")
  }
  await runDurableObjectAlarm(dispatcher)
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
  ["one, while it is paused", "waiting", -1, "pausedUntil = '2999-01-01T00:00:00.000Z'", false],
  ["one, after a pause", "waiting", -1, "pausedUntil = '2020-01-01T00:00:00.000Z'", true],
])("an endpoint with %s is sent to, or is not", async (_, state, due, set, sent) => {
  receivers.still = true
  const { id } = await endpoint(alice, { events: ["tags.created"] })
  const at = new Date(Date.now() + due * 1_000).toISOString()
  await stored(
    "INSERT INTO webhook_deliveries (id, endpoint, change, type, state, attempts, nextAt, createdAt) VALUES (?1, ?2, ?1, 'webhooks.test', ?3, 0, ?4, ?4)",
    crypto.randomUUID(),
    id,
    state,
    at,
  )
  if (set) await stored(`UPDATE webhook_endpoints SET ${set} WHERE id = ?`, id)
  const next = await senderOf(id).look()
  expect(receivers.received).toHaveLength(sent ? 1 : 0)
  // When it is due, or its pause ends.
  const waits = due > 0 ? at : set.includes("2999") ? "2999-01-01T00:00:00.000Z" : null
  expect(next).toBe(waits && Date.parse(waits))
})

test("a test is answered although the dispatcher could not be called", async () => {
  receivers.still = true
  const { id } = await endpoint(alice, { events: ["tags.created"] })
  const namespace = {
    idFromName: (name: string) => env.WEBHOOK_DISPATCHER.idFromName(name),
    get: () => ({ poke: () => Promise.reject(new Error("overloaded")) }),
  }
  const shop = await openWorkshop(fixtures, {
    tables: false,
    bindings: { WEBHOOK_DISPATCHER: namespace },
  })
  await read(shop.call(alice, "POST", `/webhooks/endpoints/${id}/tests`), 201)
  await read(
    shop.call(alice, "POST", `/webhooks/endpoints/${id}/replays`, {
      from: "2026-01-01T00:00:00.000Z",
    }),
    201,
  )
  await senderOf(id).look()
  expect(receivers.received.length).toBeGreaterThan(0)
})
