import { env } from "cloudflare:workers"
import { beforeAll, beforeEach, describe, expect, test } from "vitest"
import { linkHooks } from "../../../src/core/inbound/hook.ts"
import { storeEvent } from "../../../src/core/inbound/receive.ts"
import { sweepEvents } from "../../../src/core/inbound/sweep.ts"
import { permanent } from "../../../src/core/jobs/job.ts"
import { fixtureHooks, told } from "../../support/hooks.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { dispatcher, skipWaits } from "../jobs/cast.ts"
import { toolApp } from "../records/workshop.ts"
import { forgetEvents, settledHooks, storedEvents, tell } from "./cast.ts"

let admin: Person
let applied: string[]
/** What `apply` has seen of: subjects, without which what is about them cannot be applied. */
let subjects: Set<string>

beforeAll(async () => {
  admin = await signedIn("admin", ["administrator"])
})
beforeEach(async () => {
  await forgetEvents()
  applied = []
  subjects = new Set()
  told.apply = ({ payload, event }) => {
    const { about, makes } = payload
    if (about !== undefined && !subjects.has(about as string))
      throw new Error("It is not there yet.")
    if (makes !== undefined) subjects.add(makes as string)
    applied.push(event.eventId)
  }
})

interface Shown {
  readonly id: string
  readonly eventId: string
  readonly state: string
  readonly replays: number
  readonly appliedAt: string | null
}
const list = async (query = ""): Promise<Shown[]> => {
  const answer = await call(admin, "GET", `/inbound-events${query}`)
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { items: Shown[] }).items
}
const only = async (): Promise<Shown> => (await list())[0] as Shown

describe("an event", () => {
  test("that comes before its subject is kept, and applied once that is there", async () => {
    await tell("second", { about: "order-1" })
    expect(await settledHooks()).toMatchObject([{ state: "waiting", attempts: 1 }])
    expect(await list()).toMatchObject([{ eventId: "second", state: "waiting", attempts: 1 }])
    await tell("first", { makes: "order-1" })
    await settledHooks()
    await skipWaits()
    await settledHooks()
    expect(applied).toEqual(["first", "second"])
    expect((await list()).map(({ state }) => state)).toEqual(["applied", "applied"])
  })

  test("whose process is killed between storing and applying is applied when somebody looks", async () => {
    const hook = linkHooks(fixtureHooks).get("code")
    if (!hook) throw new Error("There is no such fixture.")
    // The batch is all that happens: whoever stored it is not there any more to wake anybody.
    const silent = { ...toolApp(), wake: () => {} }
    const body = new TextEncoder().encode("{}")
    const headers = new Headers({ "x-github-delivery": "delivery-1" })
    expect(await storeEvent(silent, hook, { headers, body })).toBe(true)
    expect(await list()).toMatchObject([{ state: "waiting", appliedAt: null }])
    await dispatcher().poke("main")
    await settledHooks()
    expect(applied).toEqual(["delivery-1"])
    expect(await list()).toMatchObject([{ state: "applied" }])
  })

  test("that fails for good waits for nobody, and says why", async () => {
    told.apply = () => {
      throw permanent("The film is banned.")
    }
    await tell("banned", { type: "film.announced" })
    await settledHooks()
    const [event] = await list("?state=failed")
    expect(event).toMatchObject({ eventId: "banned", type: "film.announced" })
    const whole = await call(admin, "GET", `/inbound-events/${event?.id}`)
    expect(costOf(whole).trips).toBe(2)
    expect(await whole.json()).toMatchObject({
      body: '{"type":"film.announced"}',
      encoding: "utf8",
      headers: { "webhook-id": "banned" },
      error: expect.stringContaining("The film is banned."),
    })
  })
})

describe("a replay", () => {
  test("applies once more what has failed, also where its job is gone", async () => {
    told.apply = () => {
      throw permanent("Not today.")
    }
    await tell("late", {})
    await settledHooks()
    const { id } = await only()
    told.apply = ({ event }) => void applied.push(event.eventId)
    const answer = await call(admin, "POST", `/inbound-events/${id}/replays`)
    expect(answer.status).toBe(202)
    expect(await answer.json()).toMatchObject({ state: "waiting", replays: 1 })
    await settledHooks()
    expect(applied).toEqual(["late"])
    await env.DB.prepare("DELETE FROM jobs").run()
    expect((await call(admin, "POST", `/inbound-events/${id}/replays`)).status).toBe(202)
    await settledHooks()
    expect(applied).toEqual(["late", "late"])
    expect(await only()).toMatchObject({ state: "applied", replays: 2 })
  })

  test("is the same job with the same key, so what was made once stays one", async () => {
    const ids: string[] = []
    told.apply = async ({ idFor }) => void ids.push(await idFor("film"))
    await tell("once", {})
    await settledHooks()
    await call(admin, "POST", `/inbound-events/${(await only()).id}/replays`)
    await settledHooks()
    expect(ids).toHaveLength(2)
    expect(ids[0]).toBe(ids[1])
  })

  test("of all that failed takes those of a source and a time, and what has been applied stays", async () => {
    told.apply = ({ event }) => {
      if (event.eventId.startsWith("bad")) throw permanent("No.")
      applied.push(event.eventId)
    }
    for (const id of ["bad-1", "good", "bad-2"]) await tell(id, {})
    await settledHooks()
    // Of one, not even the job is left.
    await env.DB.prepare(
      "DELETE FROM jobs WHERE key = (SELECT id FROM inbound_events WHERE eventId = 'bad-2')",
    ).run()
    const before = await list()
    const since = new Date(Date.now() + 60_000).toISOString()
    const replay = async (body: unknown) =>
      (await call(admin, "POST", "/inbound-events/replays", body)).json()
    expect(await replay({ since })).toEqual({ replayed: 0, more: false })
    expect(await replay({ source: "code" })).toEqual({ replayed: 0, more: false })
    expect(await list()).toEqual(before)
    told.apply = ({ event }) => void applied.push(event.eventId)
    expect(await replay({ source: "partner" })).toEqual({ replayed: 2, more: false })
    await settledHooks()
    expect(applied.toSorted()).toEqual(["bad-1", "bad-2", "good"])
    expect((await list()).map(({ replays }) => replays)).toEqual([1, 0, 1])
  })

  test("is for administrators, and of what there is", async () => {
    const alice = await signedIn("alice")
    const none = `/inbound-events/${crypto.randomUUID()}`
    const asked = [
      await call(null, "GET", "/inbound-events"),
      await call(alice, "GET", "/inbound-events"),
      await call(alice, "POST", `${none}/replays`),
      await call(alice, "POST", "/inbound-events/replays", {}),
      await call(admin, "GET", none),
      await call(admin, "GET", "/inbound-events/none"),
      await call(admin, "POST", `${none}/replays`),
      await call(admin, "GET", "/inbound-events?state=lost"),
    ]
    expect(asked.map(({ status }) => status)).toEqual([401, 403, 403, 403, 404, 404, 404, 400])
  })
})

test("events are listed newest first, a page at a time, by state and time, in two trips", async () => {
  for (const id of ["a", "b", "c"]) await tell(id, {})
  await settledHooks()
  const page = await call(admin, "GET", "/inbound-events?limit=2&source=partner&state=applied")
  expect(costOf(page).trips).toBe(2)
  const { items, next } = (await page.json()) as { items: Shown[]; next: string }
  expect(items.map(({ eventId }) => eventId)).toEqual(["c", "b"])
  expect(items[0]).not.toHaveProperty("body")
  expect((await list(`?limit=2&cursor=${next}`)).map(({ eventId }) => eventId)).toEqual(["a"])
  expect(await list(`?until=2020-01-01T00:00:00Z`)).toEqual([])
  expect(await list(`?since=2020-01-01T00:00:00Z`)).toHaveLength(3)
})

describe("the sweep", () => {
  const days = (n: number) => n * 86_400_000

  test("forgets what has been kept long enough, unless it still waits to be applied", async () => {
    const now = Date.now()
    await tell("applied", {})
    await settledHooks()
    await tell("waiting", { about: "nothing" })
    await settledHooks()
    const hooks = linkHooks(fixtureHooks)
    await sweepEvents(
      toolApp("main", () => now + days(29)),
      hooks,
    )
    expect(await storedEvents()).toHaveLength(2)
    await sweepEvents(
      toolApp("main", () => now + days(31)),
      hooks,
    )
    expect(await storedEvents()).toMatchObject([{ eventId: "waiting" }])
  })

  test("forgets events of hooks that are gone", async () => {
    await tell("orphan", {})
    await settledHooks()
    await sweepEvents(
      toolApp("main", () => Date.now() + days(31)),
      linkHooks([]),
    )
    expect(await storedEvents()).toEqual([])
  })
})
