import { runDurableObjectAlarm } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest"
import { announcement } from "../../../src/core/webhooks/announce.ts"
import { deliveries, fixtures } from "../../support/collections.ts"
import { eventually } from "../../support/eventually.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { create, read } from "../records/cast.ts"
import { openWorkshop, toolApp } from "../records/workshop.ts"
import { content, endpoint, eventOf, received, settledPump } from "./cast.ts"
import { copyEndpoint, stored } from "./clock.ts"

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

test("with many endpoints a statement queues fewer lines, and all are queued, each once", async () => {
  receivers.still = true
  const { id } = await endpoint(alice, { events: ["tags.created"] })
  for (let n = 0; n < 30; n++) await create(alice, "tags", { name: `many ${n}` })
  await settledPump()
  const [{ last } = {}] = await stored("SELECT max(seq) AS last FROM changes")
  const lines = 30
  // As strangers would have made them.
  await copyEndpoint(id, 1_000)
  const goBack = () =>
    stored("UPDATE change_followers SET seq = CAST(? AS INTEGER)", (last as number) - lines)
  const queued = async () =>
    (await stored("SELECT count(*) AS n FROM webhook_deliveries WHERE endpoint LIKE 'copy %'"))[0]
      ?.n
  for (let time = 0; time < 2; time++) {
    await goBack()
    const app = toolApp()
    for (let behind = true; behind; ) {
      const [, [row] = []] = await app.db.batch(announcement(app))
      behind = row?.behind === 1
    }
    // The count of endpoints is a little above a thousand: nine lines a statement.
    expect(app.cost.trips).toBe(Math.ceil(lines / 9))
    expect(await queued()).toBe(1_000 * lines)
    const [position] = await stored("SELECT seq FROM change_followers")
    expect(position).toEqual({ seq: last })
  }
  // Nothing is written where nothing is new.
  const app = toolApp()
  await app.db.batch(announcement(app))
  expect(app.cost.rowsWritten).toBe(0)
  for (const table of ["webhook_deliveries", "webhook_subscriptions"])
    await stored(`DELETE FROM ${table} WHERE endpoint LIKE 'copy %'`)
  await stored("DELETE FROM webhook_endpoints WHERE id LIKE 'copy %'")
})

test("listeners in code do not wait for what nobody can be told; it is told when it can be", async () => {
  await endpoint(alice, { events: ["parcels.created"] })
  await settledPump()
  const heard: unknown[] = []
  deliveries.listen = (_, { image }) => void heard.push(image.label)
  await stored("ALTER TABLE webhook_deliveries RENAME TO webhook_deliveries_away")
  try {
    for (const label of ["first", "second"]) {
      await create(alice, "parcels", { label })
      await eventually(() => expect(heard.at(-1)).toBe(label))
    }
  } finally {
    await stored("ALTER TABLE webhook_deliveries_away RENAME TO webhook_deliveries")
  }
  // It comes again by itself, later.
  await runDurableObjectAlarm(env.WEBHOOK_DISPATCHER.get(env.WEBHOOK_DISPATCHER.idFromName("main")))
  await received(2)
  const told = receivers.received.map((request) => eventOf(request).data.record?.label)
  expect(told).toEqual(["first", "second"])
  expect(heard).toEqual(["first", "second"])
})
