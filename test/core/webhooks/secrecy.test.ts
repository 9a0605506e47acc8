import { env } from "cloudflare:workers"
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { call, type Person, signedIn, signIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { create, type Json, patch, query, read, refused } from "../records/cast.ts"
import { content, deliveries, delivery, endpoint, eventOf, settled, settledPump } from "./cast.ts"
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
afterEach(() => {
  receivers.still = false
})

const all = ["articles.created", "articles.updated", "articles.deleted"]
const told = () => receivers.received.map(eventOf)
let slugs = 0
const article = (more: Json) =>
  create(alice, "articles", { title: `a${slugs++}`, status: "draft", ...more })
const drop = (as: Person, { id }: { id: string }) =>
  read(call(as, "DELETE", `/webhooks/endpoints/${id}`), 204)

describe("an endpoint tells its owner nothing", () => {
  test("of a record that they may not read, whether it is made, changed or deleted", async () => {
    const made = await endpoint(bob, { events: all })
    const hidden = await article({})
    await patch(alice, "articles", hidden.id, { title: "still hidden" })
    await read(call(alice, "DELETE", `/records/articles/${hidden.id}`), 204)
    const shown = await article({ status: "published" })
    await settled()
    expect(told().map(({ type, data }) => [type, data.id])).toEqual([
      ["articles.created", shown.id],
    ])
    // Nor does the log of deliveries count them.
    expect((await deliveries(bob, made.id)).items).toHaveLength(1)
    expect(
      await query("SELECT state FROM webhook_deliveries WHERE endpoint = ?", [made.id]),
    ).toEqual([{ state: "succeeded" }])
    await drop(bob, made)
  })

  test("of fields that they may not read, nor that these have changed", async () => {
    const [his, hers, editors] = [
      await endpoint(bob, { events: all, url: "https://bob.partner.com/" }),
      await endpoint(alice, { events: all, url: "https://alice.partner.com/" }),
      await endpoint(ed, { events: all, url: "https://ed.partner.com/" }),
    ]
    const made = await article({ status: "published", note: "mine" })
    await query("UPDATE articles SET secret = 'deep' WHERE id = ?", [made.id])
    await patch(alice, "articles", made.id, { note: "changed" })
    await settled()
    const of = (host: string) =>
      receivers.received.filter(({ url }) => url.includes(host)).map(eventOf)
    const last = (host: string) => of(host).at(-1)?.data
    expect(last("bob")?.record).not.toHaveProperty("note")
    expect(last("bob")?.record).not.toHaveProperty("secret")
    expect(last("bob")?.changed).toEqual([])
    expect(last("alice")?.record).toMatchObject({ note: "changed" })
    expect(last("alice")?.changed).toEqual(["note"])
    expect(last("alice")?.record).not.toHaveProperty("secret")
    expect(last("ed")?.record).toHaveProperty("secret")
    for (const [who, it] of [
      [bob, his],
      [alice, hers],
      [ed, editors],
    ] as const)
      await drop(who, it)
  })

  test("of what a version held before it became theirs to read", async () => {
    const made = await endpoint(bob, { events: all, filter: '@old.title ~ "x" || @changed(title)' })
    const hidden = await article({ title: "xxx" })
    await patch(alice, "articles", hidden.id, { status: "published", title: "new" })
    await settled()
    // To them it is as if it had been made with that version.
    expect(told().map(({ data }) => [data.version, data.changed])).toEqual([[2, null]])
    await drop(bob, made)
  })
})

describe("a condition is no oracle", () => {
  test.each(["secret = 'x'", "@old.secret = 'x'", "@changed(secret)", "@new.secret != null"])(
    "%s is about a field that is not there",
    async (filter) => {
      const problem = await refused(
        call(bob, "POST", "/webhooks/endpoints", {
          url: "https://hooks.partner.com/",
          events: all,
          filter,
        }),
        400,
      )
      expect(problem).toMatchObject({
        code: "invalid_expression",
        errors: [{ path: "filter", code: "unknown_field" }],
      })
    },
  )

  test("a field that some records hide is empty in those, before and after", async () => {
    const filters = [
      'note = "n"',
      '@old.note = "n"',
      "@changed(note)",
      "note != null || @old.note != null",
    ]
    const made = []
    for (const filter of filters) made.push(await endpoint(bob, { events: all, filter }))
    const always = await endpoint(bob, { events: all, filter: "note = null" })
    const hidden = await article({ status: "published", note: "n" })
    await patch(alice, "articles", hidden.id, { note: "m" })
    await patch(alice, "articles", hidden.id, { note: "n" })
    await read(call(alice, "DELETE", `/records/articles/${hidden.id}`), 204)
    await settled()
    const [last] = receivers.received
    expect(told().map(({ type }) => type)).toContain("articles.deleted")
    for (const { id } of made) expect((await deliveries(bob, id)).items).toEqual([])
    expect((await deliveries(bob, always.id)).items.length).toBeGreaterThan(0)
    expect(last).toBeDefined()
    for (const it of [...made, always]) await drop(bob, it)
  })

  test("of a record that was deleted it sees nothing when one is made anew under its id", async () => {
    receivers.still = true
    const filters = ["true", '@old.title ~ "a%"', "@old.words > 0", "words > 0 && @old.words > 0"]
    const made = []
    for (const filter of filters) made.push(await endpoint(bob, { events: all, filter }))
    const gone = await article({ status: "published", title: "apple", words: 5 })
    await read(call(alice, "DELETE", `/records/articles/${gone.id}`), 204)
    const anew = { title: "pear", status: "published" }
    await read(call(alice, "PUT", `/records/articles/${gone.id}`, anew), 201)
    await settledPump()
    const types = []
    for (const { id } of made) {
      await senderOf(id).run()
      types.push((await deliveries(bob, id)).items.map(({ type }) => type))
    }
    expect(types).toEqual([
      ["articles.created", "articles.deleted", "articles.created"],
      [],
      [],
      [],
    ])
    for (const it of made) await drop(bob, it)
  })

  test("of a deletion it sees what its owner could have deleted, and else nothing", async () => {
    const [his, hers] = [
      await endpoint(bob, { events: ["articles.deleted"], filter: "title != null" }),
      await endpoint(alice, { events: ["articles.deleted"], filter: "title != null" }),
    ]
    const made = await article({ status: "published" })
    await read(call(alice, "DELETE", `/records/articles/${made.id}`), 204)
    await settled()
    expect((await deliveries(bob, his.id)).items).toEqual([])
    expect((await deliveries(alice, hers.id)).items).toHaveLength(1)
    await drop(bob, his)
    await drop(alice, hers)
  })

  test.each([
    "author.name = 'x'",
    "project.name = 'x'",
    "any(comments, stars > 1)",
    "count(comments) > 1",
    "has(tags, 'x')",
  ])("%s leads to other records, and is refused", async (filter) => {
    const problem = await refused(
      call(alice, "POST", "/webhooks/endpoints", {
        url: "https://hooks.partner.com/",
        events: all,
        filter,
      }),
      400,
    )
    expect(problem.errors?.[0]).toMatchObject({ path: "filter", code: "not_allowed" })
  })

  test.each([
    ['title = "yes"', true],
    ['title = "no"', false],
    ['@changed(title) && @old.title = "before"', true],
    ['@new.title = "yes" && @old.title != @new.title', true],
    ["words > 3 && featured = false", true],
    ["words < 3", false],
    ['day = "2026-11-28"', true],
    ["moment > '2026-01-01T00:00:00Z'", true],
    ["author = @me.id", true],
    ["has(@me.roles, 'nobody')", false],
    ["!@changed(words)", true],
    ["@changed(tags)", false],
  ])("%s decides: %s", async (filter, comes) => {
    const made = await article({
      title: "before",
      words: 5,
      day: "2026-11-28",
      moment: "2026-06-01T10:00:00.000Z",
    })
    const it = await endpoint(alice, { events: all, filter })
    await patch(alice, "articles", made.id, { title: "yes" })
    await settled()
    expect((await deliveries(alice, it.id)).items.length > 0).toBe(comes)
    await drop(alice, it)
  })
})

describe("what counts is what its owner may when it is sent", () => {
  test("a record that has left their sight meanwhile is not told of", async () => {
    receivers.still = true
    const it = await endpoint(bob, { events: all })
    const made = await article({ status: "published" })
    await patch(alice, "articles", made.id, { status: "draft" })
    await settledPump()
    expect((await deliveries(bob, it.id)).items).toEqual([])
    expect(await senderOf(it.id).run()).toBeNull()
    expect(receivers.received).toEqual([])
    expect((await deliveries(bob, it.id)).items).toEqual([])
    await drop(bob, it)
  })

  test("what was tried once, and then left their sight, is withheld", async () => {
    receivers.still = true
    const it = await endpoint(bob, { events: all })
    const made = await article({ status: "published" })
    await settledPump()
    receivers.answer = () => new Response(null, { status: 500 })
    const sender = senderOf(it.id)
    sender.clock = (await sender.look()) as number
    await patch(alice, "articles", made.id, { status: "draft" })
    await settledPump()
    await sender.run()
    expect(receivers.received).toHaveLength(1)
    expect((await deliveries(bob, it.id)).items).toMatchObject([{ state: "withheld" }])
    await drop(bob, it)
  })

  test("a role that is gone takes its fields along", async () => {
    const it = await endpoint(ed, { events: all })
    await article({ status: "published" })
    await settled()
    expect(told()[0]?.data.record).toHaveProperty("secret")
    await read(call(root, "PATCH", `/auth/users/${ed.id}`, { roles: [] }), 200)
    await article({ status: "published" })
    await settled()
    expect(told()[1]?.data.record).not.toHaveProperty("secret")
    ed = await signIn(ed.email)
    await drop(ed, it)
  })

  test("an owner who was disabled hears nothing, and neither does one whose key ended", async () => {
    const carl = await signedIn("carl")
    const it = await endpoint(carl, { events: all })
    await read(call(root, "PATCH", `/auth/users/${carl.id}`, { disabled: true }), 200)
    const key = await read<{ id: string; key: string }>(
      call(bob, "POST", "/auth/api-keys", { name: "k", scopes: ["articles:read", "webhooks:*"] }),
      201,
    )
    const program = { ...bob, token: key.key }
    const its = await endpoint(program, { events: all })
    await article({ status: "published" })
    await settled()
    expect(told()).toHaveLength(1)
    await read(call(bob, "DELETE", `/auth/api-keys/${key.id}`), 204)
    await article({ status: "published" })
    await settled()
    expect(told()).toHaveLength(1)
    expect(
      await query("SELECT enabled, disabledReason FROM webhook_endpoints WHERE id IN (?, ?)", [
        it.id,
        its.id,
      ]),
    ).toEqual([
      { enabled: 0, disabledReason: "owner" },
      { enabled: 0, disabledReason: "owner" },
    ])
  })

  test("a key's endpoint reaches no further than its scopes", async () => {
    const key = await read<{ id: string; key: string }>(
      call(alice, "POST", "/auth/api-keys", { name: "k", scopes: ["tags:read", "webhooks:*"] }),
      201,
    )
    const program = { ...alice, token: key.key }
    const body = { url: "https://hooks.partner.com/", events: ["articles.created"] }
    await refused(call(program, "POST", "/webhooks/endpoints", body), 400)
    await endpoint(program, { events: ["tags.created"] })
    await create(alice, "tags", { name: "by key" })
    await settled()
    expect(told()).toMatchObject([{ type: "tags.created" }])
    const [mine] = await stored(
      'SELECT count(*) AS n FROM webhook_endpoints WHERE owner = ? AND "key" IS NULL',
      alice.id,
    )
    // It sees what it made, and none of its holder's.
    const it = await endpoint(alice, { events: ["articles.created"] })
    const { items } = await read<{ items: Json[] }>(
      call(program, "GET", "/webhooks/endpoints"),
      200,
    )
    expect(items.map(({ key }) => key)).toEqual([key.id])
    await refused(call(program, "GET", `/webhooks/endpoints/${it.id}`), 404)
    expect(mine?.n).toBeDefined()
    const all = { name: "k", scopes: ["*:*"] }
    const wide = await read<{ key: string }>(call(alice, "POST", "/auth/api-keys", all), 201)
    await refused(call({ ...alice, token: wide.key }, "GET", "/webhooks/endpoints"), 403)
    await drop(alice, it)
  })
})

describe("endpoints and their logs", () => {
  test("are their owner's alone; administrators see that they are there, and nothing of what was sent", async () => {
    const it = await endpoint(alice, { events: all })
    await article({ status: "draft", title: "quite private" })
    await settled()
    const [sent] = (await deliveries(alice, it.id)).items
    const paths = [`/${it.id}`, `/${it.id}/deliveries`, `/${it.id}/deliveries/${sent?.id}`]
    for (const path of paths) await refused(call(bob, "GET", `/webhooks/endpoints${path}`), 404)
    await refused(call(bob, "DELETE", `/webhooks/endpoints/${it.id}`), 404)
    await refused(call(bob, "POST", `/webhooks/endpoints/${it.id}/tests`), 404)
    for (const path of paths) await refused(call(null, "GET", `/webhooks/endpoints${path}`), 401)
    expect((await delivery(alice, it.id, sent?.id as string)).body).toContain("quite private")
    const seen = await delivery(root, it.id, sent?.id as string)
    expect(seen).toMatchObject({ body: null, log: [{ status: 200, body: null, headers: null }] })
    const elsewhere = { url: "https://evil.partner.com/" }
    await refused(call(root, "PATCH", `/webhooks/endpoints/${it.id}`, elsewhere), 403)
    await refused(call(root, "POST", `/webhooks/endpoints/${it.id}/secrets`, {}), 403)
    await refused(
      call(root, "POST", `/webhooks/endpoints/${it.id}/replays`, {
        failedSince: "2026-01-01T00:00:00.000Z",
      }),
      403,
    )
    await read(call(root, "PATCH", `/webhooks/endpoints/${it.id}`, { enabled: false }), 200)
    await drop(root, it)
  })

  test("are of one organisation, and hear of no other", async () => {
    for (const id of ["acme", "acne"]) {
      await query(
        "INSERT INTO organisations (id, name, database, createdAt) VALUES (?, ?, 'main', '2026-01-01T00:00:00.000Z')",
        [id, id],
      )
    }
    const member = async (name: string, organisation: string) => {
      const person = await signedIn(name)
      await query(
        "INSERT INTO organisation_members VALUES (?, ?, '[]', '2026-01-01T00:00:00.000Z')",
        [organisation, person.id],
      )
      return signIn(person.email)
    }
    const [tom, tim] = [await member("tom", "acme"), await member("tim", "acne")]
    const events = ["tickets.created"]
    const [his, other] = [
      await endpoint(tom, { events, url: "https://acme.partner.com/" }),
      await endpoint(tim, { events, url: "https://acne.partner.com/" }),
    ]
    await create(tom, "tickets", { subject: "of acme" })
    await settled()
    expect(receivers.received.map(({ url }) => url)).toEqual(["https://acme.partner.com/"])
    await refused(call(tim, "GET", `/webhooks/endpoints/${his.id}`), 404)
    await drop(tom, his)
    await drop(tim, other)
    expect(env.DB).toBeDefined()
  })
})
