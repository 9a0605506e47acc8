import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest"
import { announce } from "../../../src/core/webhooks/announce.ts"
import { deliveries, fixtures } from "../../support/collections.ts"
import { eventually } from "../../support/eventually.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { create, read } from "../records/cast.ts"
import { openWorkshop, toolApp } from "../records/workshop.ts"
import { content, endpoint, eventOf, received, settledPump } from "./cast.ts"
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

test("a database has no more endpoints than the deployment lets it have, whoever they belong to", async () => {
  const [{ n } = {}] = await stored("SELECT count(*) AS n FROM webhook_endpoints")
  const shop = await openWorkshop(fixtures, {
    tables: false,
    bindings: { WEBHOOK_ENDPOINTS: String((n as number) + 1) },
  })
  const make = (as: Person) =>
    shop.call(as, "POST", "/webhooks/endpoints", {
      url: "https://hooks.partner.com/in",
      events: ["tags.created"],
    })
  const bob = await signedIn("bob")
  const made = await read<{ id: string }>(make(alice), 201)
  const refused = await read<{ code: string; detail: string }>(make(bob), 409)
  expect(refused.detail).toBe("This deployment takes no more endpoints.")
  await read(call(alice, "DELETE", `/webhooks/endpoints/${made.id}`), 204)
  await read(make(bob), 201)
})

test("with many endpoints a statement queues fewer lines, and all are queued", async () => {
  receivers.still = true
  const { id } = await endpoint(alice, { events: ["tags.created"] })
  for (let n = 0; n < 30; n++) await create(alice, "tags", { name: `many ${n}` })
  await settledPump()
  const [{ last } = {}] = await stored("SELECT max(seq) AS last FROM changes")
  // As strangers would have made them.
  await stored(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
INSERT INTO webhook_endpoints (id, owner, url, events, headerNames, scheme, secret, ratePerSecond, enabled, since, failures, createdAt, updatedAt)
SELECT 'copy ' || i, owner, url, events, headerNames, scheme, secret, ratePerSecond, 1, since, 0, createdAt, updatedAt FROM webhook_endpoints, n WHERE id = ?`,
    id,
  )
  await stored(
    "INSERT INTO webhook_subscriptions (subject, kind, endpoint) SELECT 'tags', 'created', id FROM webhook_endpoints WHERE id LIKE 'copy %'",
  )
  const woken: string[] = []
  const app = { ...toolApp(), wakeEndpoint: async (one: string) => void woken.push(one) }
  const lines = 30
  await announce(app, (last as number) - lines, last as number)
  // The count of endpoints is a little above a thousand: nine lines a statement.
  expect(app.cost.trips).toBe(Math.ceil(lines / 9))
  const [{ queued } = {}] = await stored(
    "SELECT count(*) AS queued FROM webhook_deliveries WHERE endpoint LIKE 'copy %'",
  )
  expect(queued).toBe(1_000 * lines)
  expect(new Set(woken).size).toBe(1_001)
  for (const table of ["webhook_deliveries", "webhook_subscriptions"])
    await stored(`DELETE FROM ${table} WHERE endpoint LIKE 'copy %'`)
  await stored("DELETE FROM webhook_endpoints WHERE id LIKE 'copy %'")
})

test("listeners in code do not wait for what nobody can be told; it is told when it can be", async () => {
  const pump = env.CHANGE_PUMP.get(env.CHANGE_PUMP.idFromName("main"))
  await endpoint(alice, { events: ["parcels.created"] })
  await settledPump()
  // As of an object that has announced nothing yet.
  await runInDurableObject(pump, (_, state) => state.storage.delete("announced"))
  const heard: unknown[] = []
  deliveries.listen = (_, { image }) => void heard.push(image.label)
  await stored("ALTER TABLE webhook_deliveries RENAME TO webhook_deliveries_away")
  try {
    await create(alice, "parcels", { label: "first" })
    await eventually(() => expect(heard).toEqual(["first"]))
    await create(alice, "parcels", { label: "second" })
    await eventually(() => expect(heard).toEqual(["first", "second"]))
    await settledPump()
  } finally {
    await stored("ALTER TABLE webhook_deliveries_away RENAME TO webhook_deliveries")
  }
  // It comes again by itself.
  await eventually(async () => {
    const alarm = await runInDurableObject(pump, (_, state) => state.storage.getAlarm())
    expect(alarm).toBeGreaterThan(Date.now())
  })
  await runDurableObjectAlarm(pump)
  await received(2)
  const told = receivers.received.map((request) => eventOf(request).data.record?.label)
  expect(told).toEqual(["first", "second"])
  expect(heard).toEqual(["first", "second"])
})
