import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { beforeAll, beforeEach, describe, expect, test } from "vitest"
import { linkCollections } from "../../../src/core/records/link.ts"
import { announce } from "../../../src/core/webhooks/announce.ts"
import { newMemory, sendDue } from "../../../src/core/webhooks/sender.ts"
import type { App } from "../../../src/platform/app.ts"
import { fixtures } from "../../support/collections.ts"
import { eventually } from "../../support/eventually.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { create } from "../records/cast.ts"
import { toolApp } from "../records/workshop.ts"
import { content, endpoint, settledPump } from "./cast.ts"
import { stored } from "./clock.ts"

/* What webhooks ask of the database: counted, since time is no measure here. */

const collections = linkCollections(fixtures)
const stub = env.CHANGE_PUMP.get(env.CHANGE_PUMP.idFromName("main"))
const lines = 20

let alice: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  // No endpoint's own object looks: what is counted is ours alone.
  receivers.still = true
})
beforeEach(content)

const lastLine = async () =>
  ((await stored("SELECT max(seq) AS seq FROM changes"))[0]?.seq ?? 0) as number

let tags = 0
/** Makes so many tags, and waits until they are announced. */
async function write(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await create(alice, "tags", { name: `t${tags++}` })
  await settledPump()
}

/** Lines as so many writes would have left them, of which nobody has told the pump. */
async function leaveLines(): Promise<[from: number, to: number]> {
  await write(1)
  while (await runDurableObjectAlarm(stub)) await settledPump()
  const from = await lastLine()
  await stored(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${lines})
INSERT INTO changes (id, at, actor, organisation, subject, record, version, kind, authority, requestId, salt, payload)
SELECT c.id || '-' || i, c.at, c.actor, NULL, c.subject, c.record || '-' || i, 1, c.kind, c.authority, c.requestId, c.salt, c.payload FROM changes c, n WHERE c.seq = ?`,
    from,
  )
  await stored("DELETE FROM webhook_deliveries")
  return [from, await lastLine()]
}

/** Has so many endpoints listen, beside none. */
async function listening(count: number): Promise<string[]> {
  await stored("DELETE FROM webhook_attempts")
  await stored("DELETE FROM webhook_deliveries")
  await stored("DELETE FROM webhook_subscriptions")
  await stored("DELETE FROM webhook_endpoints")
  const ids: string[] = []
  for (let n = 0; n < count; n++) {
    ids.push((await endpoint(alice, { events: ["tags.created"] })).id)
  }
  if (count === 0) await stored("DELETE FROM change_followers")
  return ids
}

/** Trips of the pump's object for the lines that it has not seen yet. */
const tripsOfPump = () =>
  runInDurableObject(stub, async (instance) => {
    const pump = instance as unknown as { app(database: string): App; alarm(): Promise<void> }
    const apps: App[] = []
    const make = pump.app.bind(pump)
    pump.app = (database) => {
      const app = make(database)
      apps.push(app)
      return app
    }
    try {
      await pump.alarm()
    } finally {
      Reflect.deleteProperty(pump, "app")
    }
    return apps.reduce((sum, { cost }) => sum + cost.trips, 0)
  })

const queued = async () =>
  (await stored("SELECT count(*) AS n FROM webhook_deliveries"))[0]?.n as number

test.each([
  [1, 2],
  [50, 2],
  [0, 1],
])("for %d endpoints the pump takes a batch of the log in %d trips", async (count, trips) => {
  await listening(count)
  const [from, to] = await leaveLines()
  expect(await tripsOfPump()).toBe(trips)
  expect(await queued()).toBe(count * lines)
  // What is announced twice is queued once, in as many trips.
  const app = toolApp()
  await announce(app, from, to)
  expect(app.cost.trips).toBe(1)
  expect(await queued()).toBe(count * lines)
})

test("a write costs what it costs without endpoints, however many hear of it", async () => {
  const costOf = async () => {
    const answer = await call(alice, "POST", "/records/tags", { name: `t${tags++}` })
    expect(answer.status).toBe(201)
    const timing = answer.headers.get("server-timing") ?? ""
    return /trips;desc="\d+", rows-read;desc="\d+", rows-written;desc="\d+"/.exec(timing)?.[0]
  }
  await listening(0)
  const without = await costOf()
  expect(without).toContain('trips;desc="1"')
  await listening(50)
  expect(await costOf()).toBe(without)
})

describe("an endpoint's own object", () => {
  const look = async (id: string, memory: ReturnType<typeof newMemory>) => {
    const app = { ...toolApp(), wake() {} }
    const next = await sendDue(app, collections, receivers, id, memory)
    return { trips: app.cost.trips, next }
  }

  test("sends what is due in two trips, once it knows whose it is, and finds nothing in one", async () => {
    const [id] = (await listening(1)) as [string]
    await write(lines + 5)
    const memory = newMemory()
    const first = await look(id, memory)
    expect(receivers.received).toHaveLength(20)
    expect(first.trips).toBeLessThanOrEqual(5)
    expect(first.next).not.toBeNull()
    // A second has to begin, in which more may be sent.
    await eventually(async () => {
      const { trips } = await look(id, memory)
      if (receivers.received.length > 20) expect(trips).toBe(2)
      expect(receivers.received).toHaveLength(25)
    })
    expect(await look(id, memory)).toEqual({ trips: 1, next: null })
  })

  test("hears of it at its next look that it is disabled, listens to other events, or is gone", async () => {
    const [id] = (await listening(1)) as [string]
    const memory = newMemory()
    await write(1)
    await look(id, memory)
    const path = `/webhooks/endpoints/${id}`
    await call(alice, "PATCH", path, { enabled: false })
    await stored("UPDATE webhook_deliveries SET state = 'waiting', finishedAt = NULL")
    expect((await look(id, memory)).next).toBeNull()
    expect(receivers.received).toHaveLength(1)
    await call(alice, "PATCH", path, { enabled: true, events: ["parcels.created"] })
    await look(id, memory)
    await create(alice, "parcels", { label: "of a kind that it did not know of" })
    await settledPump()
    await call(alice, "PATCH", path, { events: ["parcels.created", "tags.created"] })
    await look(id, memory)
    expect(receivers.received.at(-1)?.body).toContain("of a kind that it did not know of")
    await call(alice, "DELETE", path)
    expect((await look(id, memory)).next).toBeNull()
  })
})
