import { beforeAll, describe, expect, test } from "vitest"
import { collection } from "../../../src/core/records/collection.ts"
import { text } from "../../../src/core/records/fields.ts"
import { Problem } from "../../../src/platform/problem.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import {
  create,
  type Json,
  linesOf,
  list,
  patch,
  query,
  read,
  refused,
  type Stored,
} from "./cast.ts"
import { openWorkshop } from "./workshop.ts"

let alice: Person
let bob: Person
let editor: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  editor = await signedIn("editor", ["editor"])
})

let keys = 0
const freshKey = () => `key-${++keys}`
const post = (as: Person | null, key: string, body: unknown, collection = "articles") =>
  call(as, "POST", `/records/${collection}`, body, { "idempotency-key": key })

describe("the same key with the same body", () => {
  test("makes one record, and answers it again word for word", async () => {
    const key = freshKey()
    const body = { title: "Once", status: "published", words: 3, meta: { a: [1] }, note: "n" }
    const first = await post(alice, key, body)
    const again = await post(alice, key, body)
    expect([first.status, again.status]).toEqual([201, 201])
    for (const header of ["etag", "location"]) {
      expect(again.headers.get(header)).toBe(first.headers.get(header))
    }
    const record = (await first.json()) as Stored
    expect(await again.json()).toEqual(record)
    expect(await linesOf(record.id)).toHaveLength(1)
  })

  test("shows the version that it made, whatever came after", async () => {
    const key = freshKey()
    const tags = [(await create(alice, "tags", { name: "a" })).id]
    const body = { title: "First", status: "published", words: 3, tags, meta: { a: 1 } }
    const record = await read(post(alice, key, body), 201)
    await patch(alice, "articles", record.id, { title: "Second", tags: [], meta: { b: 2 } })
    const again = await post(alice, key, body)
    expect(again.headers.get("etag")).toMatch(/^"1-/)
    expect(await read(again, 201)).toEqual(record)
  })

  test("under today's rights: what has been hidden since is not shown, what is gone is gone", async () => {
    const key = freshKey()
    const body = { title: "Mine", author: bob.id }
    const administrator = await signedIn("root", ["administrator"])
    const made = await read(post(administrator, key, body), 201)
    await query("UPDATE users SET roles = '[]' WHERE id = ?", [administrator.id])
    await query("UPDATE members SET roles = '[]' WHERE id = ?", [administrator.id])
    const session = await call(null, "POST", "/auth/sessions", {
      email: administrator.email,
      password: "correct horse battery staple",
    })
    const { accessToken } = (await session.json()) as { accessToken: string }
    const { status } = await post({ ...administrator, token: accessToken }, key, body)
    expect(status).toBe(404)
    expect(made.author).toBe(bob.id)

    const other = freshKey()
    const record = await read(post(alice, other, { title: "Gone" }), 201)
    await call(alice, "DELETE", `/records/articles/${record.id}`)
    await refused(post(alice, other, { title: "Gone" }), 404)
  })

  test("shows a field only while it may be read", async () => {
    const key = freshKey()
    const body = { title: "Secret", status: "published", secret: "s", note: "n" }
    const made = await read(post(editor, key, body), 201)
    expect(made).toMatchObject({ secret: "s", note: "n" })
    // What was stored then is seen by who may see it now: here, the same person.
    expect(await read(post(editor, key, body), 201)).toMatchObject({ secret: "s", note: "n" })
  })

  test("sent 20 times at once makes one record, and all see it", async () => {
    const key = freshKey()
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post(alice, key, { title: "Parallel" })),
    )
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 201))
    const bodies = await Promise.all(answers.map((answer) => answer.json()))
    expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1)
    expect((await list(alice, "articles", { filter: 'title = "Parallel"' })).items).toHaveLength(1)
  })

  test("works where the writer may not read what it wrote", async () => {
    const key = freshKey()
    const first = await read<Json>(post(null, key, { text: "tea" }, "suggestions"), 201)
    expect(Object.keys(first)).toEqual(["id"])
    expect(await read<Json>(post(null, key, { text: "tea" }, "suggestions"), 201)).toEqual(first)
    expect(await query("SELECT id FROM suggestions WHERE text = 'tea'")).toHaveLength(1)
  })
})

test("the same key with another body is a 422, and writes nothing", async () => {
  const key = freshKey()
  await read(post(alice, key, { title: "One" }), 201)
  const before = await query("SELECT count(*) AS n FROM changes")
  expect((await refused(post(alice, key, { title: "Two" }), 422)).code).toBe("idempotency_mismatch")
  expect((await refused(post(alice, key, '{"title": "One"}'), 422)).code).toBe(
    "idempotency_mismatch",
  )
  expect(await query("SELECT count(*) AS n FROM changes")).toEqual(before)
})

test("a key belongs to its actor and to its route", async () => {
  const key = freshKey()
  const first = await read(post(alice, key, { title: "x" }), 201)
  const second = await read(post(bob, key, { title: "x" }), 201)
  const third = await read(post(alice, key, { name: "x" }, "projects"), 201)
  expect(new Set([first.id, second.id, third.id]).size).toBe(3)
})

test("a key that has an end, a start or a space in it is another key, or none", async () => {
  const key = freshKey()
  const first = await read(post(alice, key, { title: "x" }), 201)
  const second = await read(post(alice, `${key}!`, { title: "x" }), 201)
  expect(second.id).not.toBe(first.id)
  for (const bad of ["a b", "x".repeat(256), "é"]) {
    const { errors } = await refused(post(alice, bad, { title: "x" }), 400)
    expect(errors?.[0]?.path).toBe("headers.idempotency-key")
  }
  await read(post(alice, "x".repeat(255), { title: "x" }), 201)
})

test("a failure is not kept", async () => {
  const key = freshKey()
  const project = crypto.randomUUID()
  const body = { title: "x", project }
  await refused(post(alice, key, body), 400)
  await read(call(alice, "PUT", `/records/projects/${project}`, { name: "Now" }), 201)
  await read(post(alice, key, body), 201)
})

test("a key is free again after 24 hours, and not before", async () => {
  const key = freshKey()
  const age = (hours: number) =>
    query("UPDATE idempotency_keys SET createdAt = ? WHERE key = ?", [
      new Date(Date.now() - hours * 3_600_000).toISOString(),
      key,
    ])
  const first = await read(post(alice, key, { title: "x" }), 201)
  await age(23.9)
  expect((await read(post(alice, key, { title: "x" }), 201)).id).toBe(first.id)
  await age(24.1)
  const second = await read(post(alice, key, { title: "y" }), 201)
  expect(second.id).not.toBe(first.id)
  expect((await read(post(alice, key, { title: "y" }), 201)).id).toBe(second.id)
})

test("keys that have served their day leave with the next that comes", async () => {
  const key = freshKey()
  await read(post(alice, key, { title: "x" }), 201)
  const kept = () => query("SELECT key FROM idempotency_keys WHERE key = ?", [key])
  await query("UPDATE idempotency_keys SET createdAt = '2026-01-01T00:00:00.000Z' WHERE key = ?", [
    key,
  ])
  expect(await kept()).toHaveLength(1)
  await read(post(alice, freshKey(), { title: "x" }), 201)
  expect(await kept()).toEqual([])
})

test("without a session nothing is told about a key", async () => {
  const key = freshKey()
  await read(post(alice, key, { title: "x" }), 201)
  await refused(post(null, key, { title: "x" }), 401)
})

test("a hook that would refuse by now does not stand in the way of a replay", async () => {
  let open = true
  const workshop = await openWorkshop([
    collection("bookings", {
      fields: { seat: text({ required: true }) },
      rules: { read: "@me.id != null", create: "@me.id != null" },
      beforeWrite: {
        run() {
          if (!open) throw new Problem("conflict", "Sold out.")
          open = false
          return undefined
        },
      },
    }),
  ])
  const book = (key: string) =>
    workshop.call(alice, "POST", "/records/bookings", { seat: "1a" }, { "idempotency-key": key })
  const first = await read(book("k1"), 201)
  expect(await read(book("k1"), 201)).toEqual(first)
  expect((await refused(book("k2"), 409)).detail).toBe("Sold out.")
})
