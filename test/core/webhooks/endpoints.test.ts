import { Webhook } from "standardwebhooks"
import { beforeAll, beforeEach, describe, expect, test } from "vitest"
import { sweepDeliveries } from "../../../src/core/webhooks/sweep.ts"
import { eventually } from "../../support/eventually.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { type Received, receivers } from "../../support/receivers.ts"
import { create, type Json, read, refused } from "../records/cast.ts"
import { toolApp } from "../records/workshop.ts"
import {
  content,
  deliveries,
  type Endpoint,
  endpoint,
  partner,
  received,
  settledPump,
  verified,
} from "./cast.ts"
import { senderOf, stored } from "./clock.ts"

let alice: Person
let bob: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
})
beforeEach(async () => {
  await stored("UPDATE webhook_endpoints SET enabled = 0")
  content()
})

const sendTest = (id: string) =>
  read<Json & { id: string }>(call(alice, "POST", `/webhooks/endpoints/${id}/tests`), 201)
const rotate = (as: Person, id: string, body: Json) =>
  call(as, "POST", `/webhooks/endpoints/${id}/secrets`, body)
const last = (): Received => receivers.received.at(-1) as Received
const signatures = () => (last().headers["webhook-signature"] ?? "").split(" ")

describe("a new secret", () => {
  test("signs from then on, beside the old one for as long as was asked", async () => {
    const it = await endpoint(alice, { events: ["tags.created"] })
    const next = await read<Endpoint>(rotate(alice, it.id, { overlapSeconds: 3_600 }), 201)
    expect(next.secret).toMatch(/^whsec_/)
    expect(next.secret).not.toBe(it.secret)
    await sendTest(it.id)
    await received(1)
    expect(signatures()).toHaveLength(2)
    expect(verified(it.secret, last())).toEqual(verified(next.secret, last()))
    // The new one comes first.
    const alone = { ...last().headers, "webhook-signature": signatures()[0] as string }
    expect(() => new Webhook(next.secret).verify(last().body, alone)).not.toThrow()
    expect(() => new Webhook(it.secret).verify(last().body, alone)).toThrow()
    await eventually(async () =>
      expect((await deliveries(alice, it.id, "?state=succeeded")).items).toHaveLength(1),
    )

    receivers.still = true
    try {
      await sendTest(it.id)
      const sender = senderOf(it.id)
      sender.clock = Date.parse(next.overlapUntil as string)
      await sender.run()
    } finally {
      receivers.still = false
    }
    expect(receivers.received).toHaveLength(2)
    expect(signatures()).toHaveLength(1)
  })

  test("of one's own, at once, leaves the old one worth nothing", async () => {
    const it = await endpoint(alice, { events: ["tags.created"] })
    const secret = `whsec_${btoa("thirty-two bytes of one's own ..")}`
    const next = await read<Endpoint>(rotate(alice, it.id, { overlapSeconds: 0, secret }), 201)
    expect(next.secret).toBe(secret)
    await sendTest(it.id)
    await received(1)
    expect(verified(secret, last()).type).toBe("webhooks.test")
    expect(() => verified(it.secret, last())).toThrow()
    const shown = await (await call(alice, "GET", `/webhooks/endpoints/${it.id}`)).text()
    expect(shown).not.toContain("whsec_")
  })

  test("may be a key pair: both schemes sign until the receiver has changed over", async () => {
    const it = await endpoint(alice, { events: ["tags.created"] })
    const next = await read<Json>(rotate(alice, it.id, { scheme: "v1a" }), 201)
    expect(next).toMatchObject({ scheme: "v1a", secret: null })
    await sendTest(it.id)
    await received(1)
    expect(signatures().map((text) => text.split(",")[0])).toEqual(["v1a", "v1"])
    expect(verified(it.secret, last()).type).toBe("webhooks.test")
    const bytes = (text: string) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0))
    const raw = bytes((next.publicKey as string).slice("whpk_".length))
    const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"])
    const { headers, body } = last()
    const text = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`
    const signature = bytes((signatures()[0] as string).slice("v1a,".length))
    const content = new TextEncoder().encode(text)
    expect(await crypto.subtle.verify("Ed25519", key, signature, content)).toBe(true)
    const tampered = new TextEncoder().encode(`${text} `)
    expect(await crypto.subtle.verify("Ed25519", key, signature, tampered)).toBe(false)
  })

  test.each<[Json, string]>([
    [{ secret: "whsec_c2hvcnQ=" }, "secret"],
    [{ secret: "whsec_not base64 at all, not at all, not at all" }, "secret"],
    [{ secret: `whsec_${btoa("x".repeat(65))}` }, "secret"],
    [{ scheme: "v1a", secret: `whsec_${btoa("x".repeat(32))}` }, "secret"],
    [{ scheme: "v2" }, "scheme"],
    [{ overlapSeconds: -1 }, "overlapSeconds"],
    [{ overlapSeconds: 7 * 86_400 + 1 }, "overlapSeconds"],
  ])("%j is refused, and changes nothing", async (body, path) => {
    const it = await endpoint(alice, { events: ["tags.created"] })
    const problem = await refused(rotate(alice, it.id, body), 400)
    expect(problem.errors?.[0]?.path).toBe(path)
    await refused(rotate(bob, it.id, {}), 404)
    await sendTest(it.id)
    await received(1)
    expect(signatures()).toHaveLength(1)
    expect(verified(it.secret, last()).type).toBe("webhooks.test")
  })
})

describe("a header", () => {
  test.each([
    ["webhook-id", "x", "refused_header"],
    ["Webhook-Signature", "v1,x", "refused_header"],
    ["Host", "internal", "refused_header"],
    ["Cookie", "a=b", "refused_header"],
    ["Content-Length", "0", "refused_header"],
    ["content-type", "text/plain", "refused_header"],
    ["Transfer-Encoding", "chunked", "refused_header"],
    ["connection", "close", "refused_header"],
    ["User-Agent", "x", "refused_header"],
    ["X-Forwarded-For", "127.0.0.1", "refused_header"],
    ["cf-connecting-ip", "127.0.0.1", "refused_header"],
    ["Proxy-Authorization", "x", "refused_header"],
    ["Sec-Fetch-Site", "none", "refused_header"],
    ["a b", "x", "refused_header"],
    ["a:b", "x", "refused_header"],
    ["a\r\nHost", "x", "refused_header"],
    ["é", "x", "refused_header"],
    ["x-key", "a\r\nhost: internal", "invalid_header"],
    ["x-key", "a\nb", "invalid_header"],
    ["x-key", "é", "invalid_header"],
    ["x-key", "a\u007f", "invalid_header"],
  ])("%j: %j is refused", async (name, value, code) => {
    const draft = { url: partner, events: ["tags.created"], headers: { [name]: value } }
    const problem = await refused(call(alice, "POST", "/webhooks/endpoints", draft), 400)
    expect(problem.errors).toMatchObject([{ path: `headers.${name}`, code }])
  })

  test("is refused twice in different letters, and beyond twenty", async () => {
    const make = (headers: Json) =>
      call(alice, "POST", "/webhooks/endpoints", {
        url: partner,
        events: ["tags.created"],
        headers,
      })
    const twice = await refused(make({ "x-key": "1", "X-KEY": "2" }), 400)
    expect(twice.errors).toMatchObject([{ path: "headers.X-KEY", code: "refused_header" }])
    const many = Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`x-${n}`, "x"]))
    await refused(make(many), 400)
  })

  test("that is allowed arrives as it was given, until another takes its place", async () => {
    const headers = { Authorization: "Bearer x", "X-Key": "a\tb c~", empty: "" }
    const it = await endpoint(alice, { events: ["tags.created"], headers })
    await sendTest(it.id)
    await received(1)
    expect(last().headers).toMatchObject({
      authorization: "Bearer x",
      "x-key": "a\tb c~",
      empty: "",
    })
    const path = `/webhooks/endpoints/${it.id}`
    await refused(call(alice, "PATCH", path, { headers: { Host: "x" } }), 400)
    const changed = await read<Json>(
      call(alice, "PATCH", path, { headers: { "X-Other": "y" } }),
      200,
    )
    expect(changed.headers).toEqual(["X-Other"])
    await sendTest(it.id)
    await received(2)
    expect(last().headers).toMatchObject({ "x-other": "y" })
    expect(last().headers).not.toHaveProperty("authorization")
    await read(call(alice, "PATCH", path, { headers: null }), 200)
    await sendTest(it.id)
    await received(3)
    expect(last().headers).not.toHaveProperty("x-other")
  })
})

describe("the log of an endpoint", () => {
  /** Of so many deliveries, the newest first, told apart by what they say. */
  async function log(count: number) {
    const it = await endpoint(alice, { events: ["tags.created", "parcels.created"] })
    for (let n = 0; n < count; n++) {
      if (n % 2) await create(alice, "parcels", { label: `p${n}` })
      else await create(alice, "tags", { name: `${it.id} ${n}` })
    }
    await received(count)
    await eventually(async () =>
      expect((await deliveries(alice, it.id, "?state=succeeded")).items).toHaveLength(count),
    )
    const rows = await stored(
      "SELECT id, seq FROM webhook_deliveries WHERE endpoint = ? ORDER BY seq DESC",
      it.id,
    )
    return { id: it.id, newestFirst: rows.map(({ id }) => id as string) }
  }
  const ids = async (id: string, query: string) =>
    (await deliveries(alice, id, query)).items.map((item) => item.id)

  test("is paged, each delivery once, the newest first, and says where the next page is", async () => {
    const { id, newestFirst } = await log(5)
    const pages: string[][] = []
    let query = "?limit=2"
    for (let cursor: string | null = ""; cursor !== null; ) {
      const answer = await call(alice, "GET", `/webhooks/endpoints/${id}/deliveries${query}`)
      const link = answer.headers.get("link")
      const page = await read<{ items: { id: string }[]; next: string | null }>(answer, 200)
      pages.push(page.items.map((item) => item.id))
      cursor = page.next
      query = `?limit=2&cursor=${cursor}`
      if (cursor === null) expect(link).toBeNull()
      else expect(link).toContain(`${query}>; rel="next"`)
    }
    expect(pages.map((page) => page.length)).toEqual([2, 2, 1])
    expect(pages.flat()).toEqual(newestFirst)
    const path = `/webhooks/endpoints/${id}/deliveries`
    await refused(call(alice, "GET", `${path}?cursor=zzz`), 400)
    for (const limit of ["0", "201", "x"]) {
      await refused(call(alice, "GET", `${path}?limit=${limit}`), 400)
    }
  })

  test("is filtered by state, type and time", async () => {
    const { id, newestFirst } = await log(4)
    const [d, c, b, a] = newestFirst
    const set = (column: string, value: string, which: unknown) =>
      stored(`UPDATE webhook_deliveries SET ${column} = ? WHERE id = ?`, value, which)
    await set("state", "failed", b)
    await set("createdAt", "2026-03-01T00:00:00.000Z", a)
    await set("createdAt", "2026-03-02T00:00:00.000Z", b)
    expect(await ids(id, "?state=failed")).toEqual([b])
    expect(await ids(id, "?state=succeeded")).toEqual([d, c, a])
    expect(await ids(id, "?type=parcels.created")).toEqual([d, b])
    expect(await ids(id, "?type=tags.created&state=succeeded")).toEqual([c, a])
    expect(await ids(id, "?until=2026-03-02T00:00:00.000Z")).toEqual([a])
    expect(await ids(id, "?since=2026-03-02T00:00:00.000Z")).toEqual([d, c, b])
    expect(await ids(id, "?since=2026-03-01T00:00:00.000Z&until=2026-03-02T00:00:00.001Z")).toEqual(
      [b, a],
    )
    expect(await ids(id, "?type=nothing.at.all")).toEqual([])
    const path = `/webhooks/endpoints/${id}/deliveries`
    for (const query of ["state=queued", "state=x", "since=yesterday", "unknown=1"]) {
      await refused(call(alice, "GET", `${path}?${query}`), 400)
    }
  })

  test("lists the lines of one batch of the pump in the order of the log", async () => {
    receivers.still = true
    try {
      const it = await endpoint(alice, { events: ["tags.created"] })
      const operations = Array.from({ length: 30 }, (_, n) => ({
        method: "POST",
        path: "/records/tags",
        body: { name: `${it.id} ${n}` },
      }))
      await read(call(alice, "POST", "/batch", { operations }), 200)
      const lines = () =>
        stored("SELECT id FROM webhook_deliveries WHERE endpoint = ? ORDER BY seq", it.id)
      await settledPump()
      const inOrder = (await lines()).map(({ id }) => id as string)
      expect(inOrder).toHaveLength(30)
      expect(inOrder).toEqual(inOrder.toSorted())
      expect(new Set(inOrder).size).toBe(30)
    } finally {
      receivers.still = false
    }
  })
})

describe("the sweep", () => {
  const days = (count: number) => new Date(Date.now() - count * 86_400_000).toISOString()

  test("deletes what ended more than thirty days ago, with its attempts, and nothing that waits", async () => {
    const it = await endpoint(alice, { events: ["tags.created"] })
    for (let n = 0; n < 4; n++) await create(alice, "tags", { name: `${it.id} ${n}` })
    await received(4)
    await eventually(async () =>
      expect((await deliveries(alice, it.id, "?state=succeeded")).items).toHaveLength(4),
    )
    const [a, b, c, d] = (await deliveries(alice, it.id)).items.map(({ id }) => id)
    const ended = (id: unknown, at: string | null) =>
      stored(
        "UPDATE webhook_deliveries SET createdAt = ?, finishedAt = ? WHERE id = ?",
        days(400),
        at,
        id,
      )
    await ended(a, days(31))
    await ended(b, days(29))
    await ended(c, null)
    await ended(d, days(300))
    await sweepDeliveries(toolApp())
    expect((await deliveries(alice, it.id)).items.map(({ id }) => id)).toEqual([b, c])
    const attempts = await stored("SELECT delivery FROM webhook_attempts ORDER BY delivery")
    expect(attempts.map(({ delivery }) => delivery)).toEqual(expect.arrayContaining([b, c]))
    expect(attempts.map(({ delivery }) => delivery)).not.toContain(a)
    await refused(call(alice, "GET", `/webhooks/endpoints/${it.id}/deliveries/${a}`), 404)
  })

  test("goes on until nothing old is left, a thousand rows and one trip at a time", async () => {
    const it = await endpoint(alice, { events: ["tags.created"] })
    await stored(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
INSERT INTO webhook_deliveries (id, endpoint, seq, change, type, state, attempts, nextAt, createdAt, finishedAt)
SELECT ? || i, ?, NULL, 'x', 'webhooks.test', 'failed', 10, ?, ?, ? FROM n`,
      it.id,
      it.id,
      days(40),
      days(40),
      days(31),
    )
    await stored(
      "INSERT INTO webhook_attempts (delivery, at, milliseconds) SELECT id, createdAt, 1 FROM webhook_deliveries WHERE endpoint = ?",
      it.id,
    )
    const app = toolApp()
    await sweepDeliveries(app)
    expect(app.cost.trips).toBe(3)
    const [left] = await stored(
      "SELECT (SELECT count(*) FROM webhook_deliveries WHERE endpoint = ?) AS deliveries, (SELECT count(*) FROM webhook_attempts WHERE milliseconds = 1 AND status IS NULL) AS attempts",
      it.id,
    )
    expect(left).toEqual({ deliveries: 0, attempts: 0 })
  })
})
