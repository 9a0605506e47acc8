import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { beforeAll, beforeEach, describe, expect, test } from "vitest"
import { linkCollections } from "../../../src/core/records/link.ts"
import {
  freshMilliseconds,
  giveBack,
  newMemory,
  takeTurn,
} from "../../../src/core/webhooks/dispatcher.ts"
import { orderOf } from "../../../src/core/webhooks/parcel.ts"
import { open, send } from "../../../src/core/webhooks/sender.ts"
import type { App } from "../../../src/platform/app.ts"
import { fixtures } from "../../support/collections.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { create } from "../records/cast.ts"
import { toolApp } from "../records/workshop.ts"
import { content, endpoint, settledPump } from "./cast.ts"
import { copyEndpoint, copyLine, stored } from "./clock.ts"

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
/** Makes so many tags, and waits until they are queued, unless the dispatcher is to do that. */
async function write(count: number, queue = true): Promise<void> {
  for (let n = 0; n < count; n++) await create(alice, "tags", { name: `t${tags++}` })
  if (queue) await settledPump()
}

/** Lines as so many writes would have left them, of which nobody has told the pump. */
async function leaveLines(): Promise<[from: number, to: number]> {
  await write(1)
  while (await runDurableObjectAlarm(stub)) await settledPump()
  const from = await lastLine()
  await copyLine(from, lines)
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

test.each([1, 50, 0])(
  "for %d endpoints the pump takes a batch of the log in one trip",
  async (count) => {
    await listening(count)
    await leaveLines()
    expect(await tripsOfPump()).toBe(1)
  },
)

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

/** Turns of a dispatcher until nothing is left to do: what each asks of the database, and what it hands over. */
async function turns(memory = newMemory()) {
  const all: { trips: number; written: number; handed: number; events: number }[] = []
  for (;;) {
    const app = { ...toolApp(), wake() {} }
    const { parcels, next } = await takeTurn(app, collections, memory)
    for (const parcel of parcels) {
      const order = orderOf(app, parcel, freshMilliseconds)
      const opened = await open(app.settings, order, null)
      giveBack(memory, parcel, await send(app.settings, receivers, order, opened))
    }
    const events = parcels.reduce((sum, parcel) => sum + parcel.events.length, 0)
    const { trips, rowsWritten: written } = app.cost
    all.push({ trips, written, handed: parcels.length, events })
    if (parcels.length === 0 && next === null) return all
  }
}

describe("the dispatcher", () => {
  test("has an event sent to fifty endpoints in three trips, fifty calls, and as many rows as one needs, fifty times", async () => {
    const writtenFor = async (count: number) => {
      await listening(count)
      const memory = newMemory()
      await write(1)
      // Now it knows whose they are.
      await turns(memory)
      receivers.received = []
      await write(1, false)
      const all = await turns(memory)
      expect(all.map(({ trips, handed, events }) => [trips, handed, events])).toEqual([
        [2, count, count],
        [1, 0, 0],
      ])
      expect(receivers.received).toHaveLength(count)
      expect(new Set(receivers.received.map(({ body }) => body)).size).toBe(1)
      expect(await stored("SELECT DISTINCT state FROM webhook_deliveries")).toEqual([
        { state: "succeeded" },
      ])
      return all.reduce((sum, { written }) => sum + written, 0)
    }
    const one = await writtenFor(1)
    const fifty = await writtenFor(50)
    // One of them is the position in the log, which is written once.
    expect(fifty - 1).toBe(50 * (one - 1))
    expect(one).toBe(10)
  })

  test("hands over twenty events of a backlog at a time, in two trips for all endpoints", async () => {
    await listening(5)
    await stored("UPDATE webhook_endpoints SET ratePerSecond = 100")
    await write(lines + 5)
    const memory = newMemory()
    const all = await turns(memory)
    expect(all.map(({ handed, events }) => [handed, events])).toEqual([
      [5, 100],
      [5, 25],
      [0, 0],
    ])
    // It learns whose they are in two more.
    expect(all.map(({ trips }) => trips)).toEqual([4, 2, 1])
    expect(await turns(memory)).toEqual([{ trips: 1, written: 0, handed: 0, events: 0 }])
  })

  test("takes up a hundred endpoints in a turn, and all others in the next", async () => {
    const [id] = await listening(1)
    await copyEndpoint(id, 129)
    await write(1)
    const memory = newMemory()
    const handed: number[] = []
    for (let n = 0; n < 2; n++) {
      const { parcels } = await takeTurn({ ...toolApp(), wake() {} }, collections, memory)
      handed.push(parcels.length)
    }
    expect(handed).toEqual([100, 30])
    expect(memory.away.size).toBe(130)
  })

  test("reads nothing more while as much is away as memory may hold", async () => {
    await listening(3)
    await write(1)
    const memory = newMemory()
    memory.away.set("another", { characters: 16_000_001, until: Number.POSITIVE_INFINITY })
    const turn = await takeTurn({ ...toolApp(), wake() {} }, collections, memory)
    expect(turn).toMatchObject({ parcels: [], full: true })
    memory.away.delete("another")
    const { parcels } = await takeTurn({ ...toolApp(), wake() {} }, collections, memory)
    expect(parcels).toHaveLength(3)
  })

  test("hands over no more than memory may hold, however many endpoints one large line goes to", async () => {
    await listening(10)
    await write(1)
    await stored(
      "UPDATE changes SET payload = json_set(payload, '$.name', hex(zeroblob(900000))) WHERE seq = ?",
      await lastLine(),
    )
    const memory = newMemory()
    const app = { ...toolApp(), wake() {} }
    const first = await takeTurn(app, collections, memory)
    expect(first.parcels).toHaveLength(8)
    expect(first.next).toBeLessThanOrEqual(Date.now())
    // One may always go, or it would wait for ever where it is larger than all room.
    expect((await takeTurn(app, collections, memory)).parcels).toHaveLength(1)
    expect(await takeTurn(app, collections, memory)).toMatchObject({ parcels: [], full: true })
    const outcome = { status: 200, headers: {}, body: "", error: null, retryAfter: null }
    const answers = [{ at: Date.now(), outcome: { ...outcome, milliseconds: 1 } }]
    for (const parcel of first.parcels) giveBack(memory, parcel, answers)
    // All came back at once: nothing else would lead to the next turn.
    const written = await takeTurn(app, collections, memory)
    expect(written).toMatchObject({ parcels: [], full: false })
    expect(written.next).toBeLessThanOrEqual(Date.now())
    expect((await takeTurn(app, collections, memory)).parcels).toHaveLength(1)
  })

  test("writes what came back once, and no more in a turn than a batch takes, and sends none of it again", async () => {
    await listening(4)
    await stored("UPDATE webhook_endpoints SET ratePerSecond = 100")
    await write(lines)
    const memory = newMemory()
    const app = { ...toolApp(), wake() {} }
    let bound = 0
    const counting: App = {
      ...app,
      db: {
        ...app.db,
        batch: (statements) => {
          for (const one of statements.flatMap(({ params }) => params)) bound += `${one}`.length
          return app.db.batch(statements)
        },
      },
    }
    const { parcels } = await takeTurn(app, collections, memory)
    expect(parcels).toHaveLength(4)
    const outcome = { status: 200, headers: {}, body: "", error: null, retryAfter: null }
    const answer = { at: Date.now(), outcome: { ...outcome, milliseconds: 1 } }
    for (const parcel of parcels) {
      const events = parcel.events.map((event) => ({ ...event, body: "x".repeat(60_000) }))
      giveBack(memory, { ...parcel, events }, Array(lines).fill(answer))
    }
    // As if it had taken long.
    for (const [id, one] of memory.away) memory.away.set(id, { ...one, until: 0 })
    const first = await takeTurn(counting, collections, memory)
    expect(first).toMatchObject({ parcels: [], full: false })
    expect(first.next).toBeLessThanOrEqual(Date.now())
    expect(memory.returned).toHaveLength(1)
    expect(bound).toBeLessThan(4_000_000)
    expect((await takeTurn(counting, collections, memory)).parcels).toEqual([])
    expect(bound).toBeLessThan(5_000_000)
    expect(
      await stored(
        "SELECT d.state, length(d.body) AS kept, count(*) AS n FROM webhook_deliveries d JOIN webhook_attempts a ON a.delivery = d.id GROUP BY 1, 2",
      ),
    ).toEqual([{ state: "succeeded", kept: 60_000, n: 4 * lines }])
  })

  test("hears of it at its next turn that an endpoint is disabled, listens to other events, or is gone", async () => {
    const [id] = (await listening(1)) as [string]
    const memory = newMemory()
    await write(1)
    await turns(memory)
    const path = `/webhooks/endpoints/${id}`
    await call(alice, "PATCH", path, { enabled: false })
    await stored("UPDATE webhook_deliveries SET state = 'waiting', finishedAt = NULL")
    await turns(memory)
    expect(receivers.received).toHaveLength(1)
    await call(alice, "PATCH", path, { enabled: true, events: ["parcels.created"] })
    await turns(memory)
    await create(alice, "parcels", { label: "of a kind that it did not know of" })
    await settledPump()
    await call(alice, "PATCH", path, { events: ["parcels.created", "tags.created"] })
    await turns(memory)
    expect(receivers.received.at(-1)?.body).toContain("of a kind that it did not know of")
    await write(1)
    const before = receivers.received.length
    await call(alice, "DELETE", path)
    await turns(memory)
    expect(receivers.received).toHaveLength(before)
  })
})
