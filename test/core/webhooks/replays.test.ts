import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { findStandingActor } from "../../../src/core/identity/standing-actor.ts"
import { replay as replayAs } from "../../../src/core/webhooks/replays.ts"
import type { UserActor } from "../../../src/platform/app.ts"
import { eventually } from "../../support/eventually.ts"
import { call, type Person, signedIn, signIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { create, type Json, patch, read, refused } from "../records/cast.ts"
import { toolApp } from "../records/workshop.ts"
import {
  content,
  deliveries,
  delivery,
  endpoint,
  eventOf,
  received,
  settled,
  settledPump,
  verified,
} from "./cast.ts"
import { senderOf, stored } from "./clock.ts"

let alice: Person
let bob: Person
let ed: Person
let root: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  ed = await signedIn("ed", ["editor"])
  root = await signedIn("root", ["administrator"])
})
beforeEach(content)
afterEach(async () => {
  receivers.still = false
  // What one test listens to is no matter of the next.
  await stored("UPDATE webhook_endpoints SET enabled = 0")
})

const nobodysId = "01900000-0000-7000-8000-000000000000"
const names = () => receivers.received.map((request) => eventOf(request).data.record?.name)
const messageIds = () => receivers.received.map(({ headers }) => headers["webhook-id"])
const replay = (as: Person, id: string, body: Json) =>
  call(as, "POST", `/webhooks/endpoints/${id}/replays`, body)
const replayOne = (as: Person, id: string, which: string) =>
  call(as, "POST", `/webhooks/endpoints/${id}/deliveries/${which}/replays`)

let tags = 0
/** Makes so many tags, and answers their names. */
async function write(count: number): Promise<string[]> {
  const made = Array.from({ length: count }, () => `t${tags++}`)
  for (const name of made) await create(alice, "tags", { name })
  return made
}

/** An endpoint that was told of so many tags. */
async function told(count: number): Promise<{ id: string; secret: string; names: string[] }> {
  const { id, secret } = await endpoint(alice, { events: ["tags.created"] })
  const made = await write(count)
  await received(count)
  await allHave(id, "succeeded", count)
  return { id, secret, names: made }
}

const allHave = (id: string, state: string, count: number) =>
  eventually(async () => {
    const { items } = await deliveries(alice, id)
    expect(items.map((item) => item.state)).toEqual(Array(count).fill(state))
  })

describe("a replay of one delivery", () => {
  test("sends the same event with the same id, signed anew, and the log has both attempts", async () => {
    const { id, secret } = await told(1)
    const [first] = (await deliveries(alice, id)).items
    const answer = await read<Json>(replayOne(alice, id, first?.id as string), 201)
    expect(answer).toMatchObject({
      id: first?.id,
      messageId: messageIds()[0],
      type: "tags.created",
    })
    expect(answer).not.toHaveProperty("body")
    const [one, two] = await received(2)
    expect(two?.headers["webhook-id"]).toBe(one?.headers["webhook-id"])
    expect(verified(secret, two as never)).toEqual(verified(secret, one as never))
    await allHave(id, "succeeded", 1)
    const details = await delivery(alice, id, first?.id as string)
    expect(details.log).toHaveLength(2)
    expect(details).toMatchObject({ attempts: 0, nextAt: null })
  })

  test("of one that was given up begins its schedule from the start", async () => {
    receivers.still = true
    const { id } = await endpoint(alice, { events: ["tags.created"] })
    await write(1)
    receivers.answer = () => new Response(null, { status: 500 })
    const sender = senderOf(id)
    await eventually(async () => {
      await sender.run(1)
      expect(receivers.received).not.toEqual([])
    })
    await sender.run()
    expect(receivers.received).toHaveLength(10)
    const [given] = (await deliveries(alice, id)).items
    expect(given).toMatchObject({ state: "failed", attempts: 10 })
    await read(replayOne(alice, id, given?.id as string), 201)
    expect((await deliveries(alice, id)).items).toMatchObject([
      { id: given?.id, state: "waiting", attempts: 0, finishedAt: null },
    ])
    // The circuit is open still, and probes.
    sender.clock = (await sender.look()) as number
    await sender.look()
    expect((await deliveries(alice, id)).items).toMatchObject([{ state: "waiting", attempts: 1 }])
    receivers.answer = () => new Response()
    expect(await sender.run()).toBeNull()
    expect((await deliveries(alice, id)).items).toMatchObject([{ state: "succeeded" }])
    expect(receivers.received).toHaveLength(12)
    expect(new Set(messageIds()).size).toBe(1)
  })

  test("asks anew what its owner may read: a field that is lost is left out", async () => {
    const it = await endpoint(ed, { events: ["articles.created"] })
    await create(alice, "articles", { title: "seen", status: "published" })
    const [first] = await received(1)
    expect(eventOf(first as never).data.record).toHaveProperty("secret")
    await settled()
    const { items } = await deliveries(ed, it.id)
    await read(call(root, "PATCH", `/auth/users/${ed.id}`, { roles: [] }), 200)
    ed = await signIn(ed.email)
    await read(replayOne(ed, it.id, items[0]?.id as string), 201)
    const [, again] = await received(2)
    expect(eventOf(again as never).data.record).toMatchObject({ title: "seen" })
    expect(eventOf(again as never).data.record).not.toHaveProperty("secret")
  })

  test("asks anew what its owner may read: a record out of their sight is withheld", async () => {
    const it = await endpoint(bob, { events: ["articles.created"] })
    const made = await create(alice, "articles", { title: "seen", status: "published" })
    await received(1)
    await settled()
    const [sent] = (await deliveries(bob, it.id)).items
    await patch(alice, "articles", made.id, { status: "draft" })
    await read(replayOne(bob, it.id, sent?.id as string), 201)
    await eventually(async () =>
      expect((await deliveries(bob, it.id)).items).toMatchObject([{ state: "withheld" }]),
    )
    expect(receivers.received).toHaveLength(1)
    expect(await delivery(bob, it.id, sent?.id as string)).toMatchObject({ body: null })
  })

  test("is refused for what is not there, not one's own, or has nowhere to go", async () => {
    const { id } = await told(1)
    const other = await endpoint(alice, { events: ["tags.deleted"] })
    const [sent] = (await deliveries(alice, id)).items
    const which = sent?.id as string
    await refused(replayOne(alice, id, nobodysId), 404)
    await refused(replayOne(alice, other.id, which), 404)
    await refused(replayOne(alice, nobodysId, which), 404)
    await refused(replayOne(bob, id, which), 404)
    await refused(replayOne(root, id, which), 403)
    await read(call(alice, "PATCH", `/webhooks/endpoints/${id}`, { enabled: false }), 200)
    const problem = await refused(replayOne(alice, id, which), 409)
    expect(problem.detail).toContain("disabled")
    expect(receivers.received).toHaveLength(1)
  })

  test("of what nobody has looked at yet is a replay of nothing", async () => {
    receivers.still = true
    const it = await endpoint(bob, { events: ["articles.created"] })
    await create(alice, "articles", { title: "hidden", status: "draft" })
    await settledPump()
    const [queued] = await stored("SELECT id FROM webhook_deliveries WHERE endpoint = ?", it.id)
    expect(queued).toBeDefined()
    await refused(replayOne(bob, it.id, queued?.id as string), 404)
    const deliveries = [queued?.id as string]
    expect(await read(replay(bob, it.id, { deliveries }), 201)).toEqual({ queued: 0, next: null })
    await senderOf(it.id).run()
    expect(receivers.received).toEqual([])
  })
})

describe("a replay of many", () => {
  test("sends all that failed since then, in the order of the log, and nothing else", async () => {
    const { id, names: made } = await told(4)
    // As if three had been given up, one of them long ago.
    const [, second, third, fourth] = await stored(
      "SELECT id FROM webhook_deliveries WHERE endpoint = ? ORDER BY seq",
      id,
    )
    for (const row of [second, third, fourth]) {
      await stored(
        "UPDATE webhook_deliveries SET state = 'failed', attempts = 10 WHERE id = ?",
        row?.id,
      )
    }
    const ago = "2026-01-01T00:00:00.000Z"
    await stored("UPDATE webhook_deliveries SET createdAt = ? WHERE id = ?", ago, second?.id)
    receivers.received = []
    const failedSince = "2026-01-01T00:00:00.001Z"
    expect(await read(replay(alice, id, { failedSince }), 201)).toEqual({ queued: 2, next: null })
    await received(2)
    await eventually(async () =>
      expect((await deliveries(alice, id, "?state=failed")).items).toHaveLength(1),
    )
    expect(names()).toEqual(made.slice(2))
    expect(await read(replay(alice, id, { failedSince: ago }), 201)).toEqual({
      queued: 1,
      next: null,
    })
    await received(3)
    expect(names()).toEqual([...made.slice(2), made[1]])
    await allHave(id, "succeeded", 4)
    expect(await read(replay(alice, id, { failedSince: ago }), 201)).toEqual({
      queued: 0,
      next: null,
    })
  })

  test("sends everything since a position of the log, heard of or not, with the ids of before", async () => {
    const before = await write(2)
    const { next } = await read<{ next: string }>(call(alice, "GET", "/changes?since=now"), 200)
    const unheard = await write(1)
    const { id, names: heard } = await told(2)
    const first = messageIds()
    receivers.received = []
    expect(await read(replay(alice, id, { since: next }), 201)).toEqual({ queued: 0, next: null })
    await received(3)
    await allHave(id, "succeeded", 3)
    expect(names()).toEqual([...unheard, ...heard])
    expect(names()).not.toContain(before[0])
    expect(messageIds().slice(1)).toEqual(first)
  })

  test("sends what happened in a time, from then on and before the end", async () => {
    const { id, names: made } = await told(3)
    const ids = messageIds()
    const days = ["2026-02-01", "2026-02-02", "2026-02-03"]
    const lines = await stored(
      "SELECT seq FROM webhook_deliveries WHERE endpoint = ? ORDER BY seq",
      id,
    )
    await stored("UPDATE changes SET at = '2026-01-01T00:00:00.000Z' WHERE seq < ?", lines[0]?.seq)
    for (const [i, { seq }] of lines.entries()) {
      await stored("UPDATE changes SET at = ? WHERE seq = ?", `${days[i]}T00:00:00.000Z`, seq)
    }
    receivers.received = []
    const [from, , to] = days.map((day) => `${day}T00:00:00.000Z`)
    expect(await read(replay(alice, id, { from, to }), 201)).toEqual({ queued: 0, next: null })
    await received(2)
    await allHave(id, "succeeded", 3)
    expect(names()).toEqual(made.slice(0, 2))
    expect(messageIds()).toEqual(ids.slice(0, 2))
    receivers.received = []
    await read(replay(alice, id, { from: to }), 201)
    await eventually(() => expect(names()).toContain(made[2]))
    await settled()
    expect(names()).not.toContain(made[0])
  })

  test("of a stretch longer than one request looks at goes on where the one before ended, and finds its beginning by halves", async () => {
    receivers.still = true
    const it = await endpoint(alice, { events: ["tags.created"] })
    await write(1)
    await settledPump()
    const [{ seq: first } = {}] = await stored("SELECT max(seq) AS seq FROM changes")
    // A line in ten seconds, of which every fifth is of what it listens to; there are holes, as the archive leaves them.
    const count = 45_000
    await stored(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
INSERT INTO changes (seq, id, at, actor, organisation, subject, record, version, kind, authority, requestId, salt, payload)
SELECT c.seq + i * 2, c.id || '-' || i, strftime('%Y-%m-%dT%H:%M:%fZ', unixepoch('2030-01-01') + i * 10, 'unixepoch'), c.actor, NULL, iif(i % 5 = 0, 'tags', 'parcels'), c.record || '-' || i, 1, c.kind, c.authority, c.requestId, c.salt, '{}' FROM changes c, n WHERE c.seq = ?`,
      first,
    )
    const moment = (line: number) => new Date(Date.UTC(2030, 0, 1) + line * 10_000).toISOString()
    const wanted = { from: moment(10_000), to: moment(40_000) }
    const asked: Json[] = []
    for (let more: string | null = ""; more !== null; ) {
      const body: Json = { ...wanted, ...(more && { since: more }) }
      const answer = await read<{ queued: number; next: string | null }>(
        replay(alice, it.id, body),
        201,
      )
      expect(answer.queued).toBe(0)
      asked.push(body)
      more = answer.next
    }
    // Thirty thousand lines, and two hours beside them.
    expect(asked).toHaveLength(2)
    const [queued] = await stored(
      `SELECT count(*) AS n, min((seq - ?2) / 2) AS first, max((seq - ?2) / 2) AS last FROM webhook_deliveries WHERE endpoint = ?1 AND seq > ?2`,
      it.id,
      first,
    )
    expect(queued).toEqual({ n: 6_000, first: 10_000, last: 39_995 })
    // Of what a log says for a moment, little is read.
    const app = toolApp()
    const actor = await findStandingActor(app, { user: alice.id, organisation: null, key: null })
    const before = app.cost.rowsRead
    await replayAs(app, actor as UserActor, it.id, { from: moment(30_000), to: moment(30_001) })
    expect(app.cost.rowsRead - before).toBeLessThan(6_000)
    await stored("DELETE FROM webhook_deliveries WHERE endpoint = ?", it.id)
    await stored("DELETE FROM changes WHERE seq > ?", first)
  })

  test("tells nothing of what its owner may not read, nor how much of it there is", async () => {
    const it = await endpoint(bob, { events: ["articles.created"] })
    const { next } = await read<{ next: string }>(call(bob, "GET", "/changes?since=now"), 200)
    const shown = await create(alice, "articles", { title: "shown", status: "published" })
    await create(alice, "articles", { title: "hidden", status: "draft" })
    await received(1)
    await settled()
    const asked: Json[] = [{ since: next }, { from: "2026-01-01T00:00:00.000Z" }]
    for (const body of asked) {
      const sent = receivers.received.length
      expect(await read(replay(bob, it.id, body), 201)).toEqual({ queued: 0, next: null })
      await received(sent + 1)
      await settled()
    }
    const sent = receivers.received.map((request) => eventOf(request).data.id)
    expect(sent).toContain(shown.id)
    expect(receivers.received.every(({ body }) => !body.includes("hidden"))).toBe(true)
    const states = await stored("SELECT state FROM webhook_deliveries WHERE endpoint = ?", it.id)
    expect(new Set(states.map(({ state }) => state))).toEqual(new Set(["succeeded"]))
  })

  test.each<[string, Json, string]>([
    ["nothing", {}, "not_together"],
    ["two ways", { deliveries: [nobodysId], since: "x" }, "not_together"],
    [
      "failures and a time",
      { failedSince: "2026-01-01T00:00:00.000Z", to: "2026-01-01T00:00:00.000Z" },
      "not_together",
    ],
    ["a position that is none", { since: "42" }, "invalid_cursor"],
  ])("%s is refused", async (_, body, code) => {
    const it = await endpoint(alice, { events: ["tags.created"] })
    const problem = await refused(replay(alice, it.id, body), 400)
    expect(problem.errors?.[0]?.code).toBe(code)
    if (code === "invalid_cursor") expect(problem.errors?.[0]?.path).toBe("since")
  })

  test("asks for a key's scope, and for the owner in person", async () => {
    const scopes = ["tags:read", "webhooks:create", "webhooks:read"]
    const { key } = await read<{ key: string }>(
      call(alice, "POST", "/auth/api-keys", { name: "k", scopes }),
      201,
    )
    const program = { ...alice, token: key }
    const it = await endpoint(program, { events: ["tags.created"] })
    const failedSince = "2026-01-01T00:00:00.000Z"
    await refused(replay(program, it.id, { failedSince }), 403)
    await refused(replayOne(program, it.id, nobodysId), 403)
    await refused(call(program, "POST", `/webhooks/endpoints/${it.id}/tests`), 403)
    await refused(replay(bob, it.id, { failedSince }), 404)
  })
})

describe("a test", () => {
  test("arrives signed, tells nothing of anybody's records, and is in the log", async () => {
    const it = await endpoint(alice, { events: ["tags.created"], filter: 'name = "no"' })
    const answer = await read<Json>(call(alice, "POST", `/webhooks/endpoints/${it.id}/tests`), 201)
    expect(answer).toMatchObject({ type: "webhooks.test", attempts: 0 })
    const [request] = await received(1)
    const event = verified(it.secret, request as never)
    expect(event).toMatchObject({ type: "webhooks.test", data: { endpoint: it.id } })
    expect(Object.keys(event.data)).toEqual(["endpoint"])
    expect(request?.headers["webhook-id"]).toBe(answer.messageId)
    await allHave(it.id, "succeeded", 1)
    // A second one is another event, and the first can be sent again as itself.
    await read(call(alice, "POST", `/webhooks/endpoints/${it.id}/tests`), 201)
    await received(2)
    await read(replayOne(alice, it.id, answer.id as string), 201)
    await received(3)
    const [one, two, three] = messageIds()
    expect(two).not.toBe(one)
    expect(three).toBe(one)
  })

  test("goes nowhere while the endpoint is disabled, and is its owner's alone", async () => {
    const it = await endpoint(alice, { events: ["tags.created"] })
    const path = `/webhooks/endpoints/${it.id}`
    await refused(call(bob, "POST", `${path}/tests`), 404)
    await refused(call(root, "POST", `${path}/tests`), 403)
    await read(call(root, "PATCH", path, { enabled: false }), 200)
    await refused(call(alice, "POST", `${path}/tests`), 409)
    expect(receivers.received).toEqual([])
  })
})
