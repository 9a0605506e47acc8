import { beforeAll, describe, expect, test } from "vitest"
import { collection } from "../../../src/core/records/collection.ts"
import { backRelation, relation, rollup, text } from "../../../src/core/records/fields.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import {
  create,
  get,
  type Json,
  linesOf,
  nowhere,
  patch,
  query,
  read,
  refused,
  type Stored,
} from "./cast.ts"
import { openWorkshop } from "./workshop.ts"

interface Binned {
  id: string
  version: number
  kind: string
  actor: { id: string } | null
  record: Json
}
interface Bin {
  items: Binned[]
  next: string | null
}

let alice: Person
let bob: Person
let editor: Person
let root: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  editor = await signedIn("editor", ["editor"])
  root = await signedIn("root", ["administrator"])
})

const path = (collection: string, id: string) => `/records/${collection}/${id}/restorations`
const restore = (
  as: Person | null,
  collection: string,
  id: string,
  body: Json,
  headers: Record<string, string> = {},
) => call(as, "POST", path(collection, id), body, headers)
const remove = async (as: Person, collection: string, id: string) =>
  expect((await call(as, "DELETE", `/records/${collection}/${id}`)).status).toBe(204)
const bin = (as: Person | null, collection: string, text = "") =>
  read<Bin>(call(as, "GET", `/records/${collection}/bin${text}`), 200)
const inBin = async (as: Person | null, collection: string, id: string) =>
  (await bin(as, collection, "?limit=200")).items.some((item) => item.id === id)
const published = (as: Person, more: Json = {}) =>
  create(as, "articles", { title: "First", status: "published", ...more })

describe("a restoration", () => {
  test("makes the record what it was, as a new version", async () => {
    const tag = await create(alice, "tags", { name: "restored" })
    const made = await published(alice, {
      tags: [tag.id],
      meta: { a: { b: 1 } },
      day: "2026-01-01",
    })
    await patch(alice, "articles", made.id, { title: "x", tags: [], meta: { c: 1 }, day: null })
    const answer = await restore(alice, "articles", made.id, { version: 1 })
    expect(answer.headers.get("etag")).toMatch(/^"3/)
    const record = await read(answer, 200)
    expect(record).toEqual({ ...made, version: 3, updatedAt: record.updatedAt })
    expect(await get(alice, "articles", made.id)).toEqual(record)
    expect((await linesOf(made.id)).map(({ kind }) => kind)).toEqual([
      "created",
      "updated",
      "updated",
    ])
  })

  test("of what stands already writes nothing", async () => {
    const { id } = await published(alice)
    await patch(alice, "articles", id, { words: 1 })
    for (const version of [1, 1, 3]) {
      expect(await read(restore(alice, "articles", id, { version }), 200)).toMatchObject({
        version: 3,
      })
    }
  })

  test("keeps the rules of writes: update rule, rules of fields, references, unique values, hooks, If-Match", async () => {
    const { id } = await published(alice, { slug: "restored-slug" })
    await patch(editor, "articles", id, { featured: true, secret: "kept" })
    await patch(alice, "articles", id, { slug: null })
    await refused(restore(bob, "articles", id, { version: 1 }), 403)
    const problem = await refused(restore(alice, "articles", id, { version: 1 }), 403)
    expect(problem.detail).toContain('"featured"')
    await refused(restore(editor, "articles", id, { version: 1 }, { "if-match": '"2"' }), 412)
    const other = await published(alice, { slug: "restored-slug" })
    const taken = await refused(restore(editor, "articles", id, { version: 1 }), 409)
    expect(taken.errors).toMatchObject([{ path: "slug", code: "taken" }])
    await remove(alice, "articles", other.id)
    await read(restore(editor, "articles", id, { version: 1 }, { "if-match": '"3"' }), 200)

    const project = await create(alice, "projects", { name: "gone" })
    const pointing = await published(alice, { project: project.id })
    await patch(alice, "articles", pointing.id, { project: null })
    await remove(alice, "projects", project.id)
    const lost = await refused(restore(alice, "articles", pointing.id, { version: 1 }), 400)
    expect(lost.errors).toMatchObject([{ path: "project", code: "invalid_reference" }])

    const order = await create(alice, "orders", { quantity: 2 })
    await patch(alice, "orders", order.id, { quantity: 3 })
    await read(restore(alice, "orders", order.id, { version: 1 }), 200)
    const events = await query('SELECT quantity FROM orderEvents WHERE "order" = ?', [order.id])
    expect(events.map(({ quantity }) => quantity)).toEqual([2, 3, 2])
  })

  test("leaves alone what its actor may not read, then or now", async () => {
    const { id } = await published(alice, { note: "old note" })
    await patch(editor, "articles", id, { secret: "old secret" })
    await patch(editor, "articles", id, { secret: "new secret" })
    await patch(alice, "articles", id, { note: "new note", title: "Later" })
    await read(restore(alice, "articles", id, { version: 2 }), 200)
    const [row] = await query("SELECT title, note, secret FROM articles WHERE id = ?", [id])
    expect(row).toEqual({ title: "First", note: "old note", secret: "new secret" })
    // The note is the author's alone: the editor's restoration does not touch it.
    await patch(alice, "articles", id, { note: "newest note" })
    await read(restore(editor, "articles", id, { version: 2 }), 200)
    const [again] = await query("SELECT note, secret FROM articles WHERE id = ?", [id])
    expect(again).toEqual({ note: "newest note", secret: "old secret" })
  })

  test("leaves alone what the version does not know, and refuses what no longer fits", async () => {
    const { id } = await published(alice, { words: 1 })
    await patch(alice, "articles", id, { words: 2, status: "draft", score: 5 })
    await query(
      "UPDATE changes SET payload = json_remove(payload, '$.score') WHERE record = ? AND version = 1",
      [id],
    )
    expect(await read(restore(alice, "articles", id, { version: 1 }), 200)).toMatchObject({
      words: 1,
      score: 5,
    })
    await query(
      "UPDATE changes SET payload = json_set(payload, '$.status', 'archived') WHERE record = ? AND version = 1",
      [id],
    )
    const { errors } = await refused(restore(alice, "articles", id, { version: 1 }), 400)
    expect(errors?.[0]).toMatchObject({ path: "status" })
  })

  test("of a version that is hidden, or of none, is of nothing", async () => {
    const { id } = await create(alice, "articles", { title: "Hidden" })
    await patch(alice, "articles", id, { status: "published" })
    const answers = await Promise.all(
      [
        restore(editor, "articles", id, { version: 1 }),
        restore(editor, "articles", id, { version: 99 }),
        restore(editor, "articles", nowhere, { version: 1 }),
      ].map(async (answer) => (await refused(answer, 404)).detail),
    )
    expect(new Set(answers).size).toBe(1)
  })

  test("takes two trips", async () => {
    const { id } = await published(alice)
    await patch(alice, "articles", id, { words: 1 })
    expect(costOf(await restore(alice, "articles", id, { version: 1 })).trips).toBe(2)
    await remove(alice, "articles", id)
    expect(costOf(await restore(alice, "articles", id, { version: 1 })).trips).toBe(2)
  })

  test.each<[string, unknown, number]>([
    ["nothing", {}, 400],
    ["no object", [], 400],
    ["zero", { version: 0 }, 400],
    ["a text", { version: "1" }, 400],
    ["half a version", { version: 1.5 }, 400],
    ["a number beyond all", { version: 1e300 }, 400],
    ["something else beside it", { version: 1, id: "x" }, 400],
    ["no JSON", "{", 400],
  ])("that says %s is refused", async (_, body, status) => {
    const { id } = await published(alice)
    await refused(call(alice, "POST", path("articles", id), body), status)
  })

  test("by nobody is for those who sign in", async () => {
    const { id } = await published(alice)
    await refused(restore(null, "articles", id, { version: 1 }), 401)
  })
})

describe("the bin", () => {
  test("holds what its reader could read, delete and create anew, and shows as much of it as they could read", async () => {
    const { id } = await published(alice, { title: "Binned", note: "own" })
    await patch(editor, "articles", id, { secret: "of editors" })
    await remove(alice, "articles", id)
    const { items } = await bin(alice, "articles")
    const item = items.find((one) => one.id === id)
    expect(item).toMatchObject({
      version: 3,
      kind: "deleted",
      actor: { id: alice.id },
      record: { id, title: "Binned", note: "own", version: 2 },
    })
    expect(item?.record).not.toHaveProperty("secret")
    expect(await inBin(bob, "articles", id)).toBe(false)
    expect(await inBin(editor, "articles", id)).toBe(false)
    expect(await inBin(null, "articles", id)).toBe(false)
    expect(await inBin(root, "articles", id)).toBe(true)
  })

  test("comes in pages, what was deleted last first", async () => {
    const made = []
    for (let n = 0; n < 5; n++) made.push((await create(alice, "projects", { name: `p${n}` })).id)
    for (const id of made) await remove(alice, "projects", id)
    const seen: string[] = []
    let cursor: string | null = ""
    while (cursor !== null) {
      const page: Bin = await bin(alice, "projects", `?limit=2${cursor && `&cursor=${cursor}`}`)
      seen.push(...page.items.map((item) => item.id))
      cursor = page.next
    }
    expect(seen.slice(0, 5)).toEqual(made.reverse())
    expect(new Set(seen).size).toBe(seen.length)
  })

  test("forgets what has come back", async () => {
    const { id } = await published(alice)
    await remove(alice, "articles", id)
    expect(await inBin(alice, "articles", id)).toBe(true)
    await read(restore(alice, "articles", id, { version: 2 }), 200)
    expect(await inBin(alice, "articles", id)).toBe(false)
    await remove(alice, "articles", id)
    const { items } = await bin(alice, "articles")
    expect(items.filter((item) => item.id === id)).toMatchObject([{ version: 4 }])
  })

  test("reads a bounded number of rows where thousands were deleted that its reader may not see", async () => {
    const { id } = await create(bob, "diaries", { entry: "gone" })
    await remove(bob, "diaries", id)
    await query(
      `INSERT INTO changes (id, at, actor, subject, record, version, kind, authority, requestId, salt, payload)
WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 5000)
SELECT hex(randomblob(8)), c.at, c.actor, c.subject, printf('%08x-0000-4000-8000-000000000000', v), 2, 'deleted', 'rule', 'grown', '', c.payload FROM changes c, n WHERE c.record = ? AND c.version = 2`,
      [id],
    )
    const own = await create(alice, "diaries", { entry: "own" })
    await remove(alice, "diaries", own.id)
    const answer = await call(alice, "GET", "/records/diaries/bin")
    expect(costOf(answer).trips).toBe(1)
    expect(costOf(answer).rowsRead).toBeLessThan(8_000)
    const page = await read<Bin>(answer, 200)
    expect(page.items.map((item) => item.id)).toEqual([own.id])
    // A page looks at a thousand; the last one says so.
    let pages = 1
    for (let cursor = page.next; cursor !== null; pages++) {
      const next = await bin(alice, "diaries", `?cursor=${cursor}`)
      expect(next.items).toEqual([])
      cursor = next.next
    }
    expect(pages).toBe(6)
  })

  test.each(["x", "", "AAAA", "A".repeat(48), "%00", "1"])(
    "refuses the cursor %j, which was not made for it",
    async (cursor) => {
      await refused(call(alice, "GET", `/records/articles/bin?cursor=${cursor}`), 400)
    },
  )

  test("refuses the cursor of another collection's bin", async () => {
    for (const name of ["a", "b"]) {
      await remove(alice, "projects", (await create(alice, "projects", { name })).id)
    }
    const { next } = await bin(alice, "projects", "?limit=1")
    await refused(call(alice, "GET", `/records/articles/bin?cursor=${next}`), 400)
  })

  test("is closed to those whom nothing could ever be shown", async () => {
    await refused(call(null, "GET", "/records/diaries/bin"), 401)
    await refused(call(alice, "GET", "/records/vaults/bin"), 404)
    await refused(call(alice, "GET", "/records/members/bin"), 404)
    await refused(call(root, "GET", "/records/members/bin"), 404)
  })
})

describe("a deleted record comes back", () => {
  test("under its id, as it last was, with its maker and time, and goes on counting", async () => {
    const tag = await create(alice, "tags", { name: "back" })
    const made = await published(alice, { tags: [tag.id], meta: [1], note: "own" })
    await patch(editor, "articles", made.id, { featured: true, secret: "kept" })
    await remove(alice, "articles", made.id)
    const back = await read(restore(alice, "articles", made.id, { version: 3 }), 200)
    expect(back).toMatchObject({ ...made, version: 4, featured: true, updatedAt: back.updatedAt })
    expect(back).toMatchObject({ createdBy: alice.id, updatedBy: alice.id })
    // What she may not read has come back with it.
    const [row] = await query("SELECT secret FROM articles WHERE id = ?", [made.id])
    expect(row).toEqual({ secret: "kept" })
    expect((await linesOf(made.id)).map(({ kind, version }) => [kind, version])).toEqual([
      ["created", 1],
      ["updated", 2],
      ["deleted", 3],
      ["created", 4],
    ])
  })

  test("in an earlier version, with the rules of fields for what differs from the last one", async () => {
    const { id } = await published(alice)
    await patch(alice, "articles", id, { title: "Later" })
    await patch(editor, "articles", id, { featured: true })
    await remove(alice, "articles", id)
    await refused(restore(alice, "articles", id, { version: 2 }), 403)
    const again = await published(alice, { title: "One" })
    await patch(alice, "articles", again.id, { title: "Two" })
    await remove(alice, "articles", again.id)
    expect(await read(restore(alice, "articles", again.id, { version: 1 }), 200)).toMatchObject({
      title: "One",
      version: 4,
    })
  })

  test("by the right to delete it, and to create it as it will be", async () => {
    const { id } = await published(alice)
    await remove(alice, "articles", id)
    for (const person of [bob, editor]) {
      await refused(restore(person, "articles", id, { version: 2 }), 404)
    }
    // An administrator passes, and the record stays alice's.
    const back = await read(restore(root, "articles", id, { version: 2 }), 200)
    expect(back).toMatchObject({ createdBy: alice.id, updatedBy: root.id, author: alice.id })
    expect((await linesOf(id)).at(-1)).toMatchObject({ authority: "administrator" })
  })

  test("only where what it points at is still there, and nothing has taken its place", async () => {
    const project = await create(alice, "projects", { name: "parent" })
    const { id } = await published(alice, { project: project.id, slug: "once" })
    await remove(alice, "articles", id)
    await remove(alice, "projects", project.id)
    const { errors } = await refused(restore(alice, "articles", id, { version: 2 }), 400)
    expect(errors).toMatchObject([{ path: "project", code: "invalid_reference" }])
    await read(restore(alice, "projects", project.id, { version: 2 }), 200)
    const other = await published(alice, { slug: "once" })
    await refused(restore(alice, "articles", id, { version: 2 }), 409)
    await remove(alice, "articles", other.id)
    await read(restore(alice, "articles", id, { version: 2 }), 200)
  })

  test("once, whoever asks at the same time", async () => {
    const { id } = await published(alice)
    await remove(alice, "articles", id)
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => restore(alice, "articles", id, { version: 2 })),
    )
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(0)
    expect(statuses.every((status) => [200, 409, 412].includes(status))).toBe(true)
    expect(await linesOf(id)).toHaveLength(3)
    await refused(restore(alice, "articles", id, { version: 2 }, { "if-match": '"2"' }), 412)
  })

  test("together with what its deletion took along, and nothing else that went or changed with it", async () => {
    const { call: ask } = await openWorkshop([shelves, boxes, things])
    const make = (collection: string, input: Json, as = alice) =>
      read<Stored>(ask(as, "POST", `/records/${collection}`, input), 201)
    const shelf = await make("shelves", {})
    const own = await make("boxes", { shelf: shelf.id })
    const other = await make("boxes", { shelf: shelf.id, twin: own.id })
    const thing = await make("things", { box: own.id, name: "hidden" }, bob)
    const gone = await make("boxes", { shelf: shelf.id })
    expect((await ask(alice, "DELETE", `/records/boxes/${gone.id}`)).status).toBe(204)
    const favourite = await make("shelves", { favourite: own.id })
    expect((await ask(alice, "DELETE", `/records/shelves/${shelf.id}`)).status).toBe(204)
    expect(await query("SELECT id FROM boxes")).toEqual([])
    // The same request went on to delete others, with much that was theirs.
    await query(
      "INSERT INTO changes (id, at, subject, record, version, kind, authority, requestId, salt, payload) SELECT 'other-' || n.key, c.at, 'boxes', 'other-' || n.key, 2, 'deleted', 'system', c.requestId, c.salt, '{}' FROM changes c, json_each('[' || substr(replace(hex(zeroblob(2100)), '00', ',1'), 2) || ']') n WHERE c.record = ? AND c.kind = 'deleted'",
      [shelf.id],
    )

    const restorations = `/records/shelves/${shelf.id}/restorations`
    const body = { version: 1, together: true }
    const answer = await ask(alice, "POST", restorations, body)
    expect(costOf(answer).trips).toBe(3)
    expect(await read(answer, 200)).toMatchObject({ id: shelf.id, version: 3 })
    expect(await read(ask(alice, "GET", `/records/shelves/${shelf.id}`), 200)).toMatchObject({
      boxCount: 2,
    })
    const rows = await query("SELECT id, version, shelf, twin, createdBy FROM boxes ORDER BY id")
    expect(rows).toEqual(
      [
        { id: own.id, version: 3, shelf: shelf.id, twin: null, createdBy: alice.id },
        { id: other.id, version: 3, shelf: shelf.id, twin: own.id, createdBy: alice.id },
      ].sort((a, b) => (a.id < b.id ? -1 : 1)),
    )
    expect(await query("SELECT id, name, createdBy FROM things")).toEqual([
      { id: thing.id, name: "hidden", createdBy: bob.id },
    ])
    expect((await linesOf(thing.id)).map(({ kind, authority }) => [kind, authority])).toEqual([
      ["created", "rule"],
      ["deleted", "system"],
      ["created", "system"],
    ])
    // What was emptied stays as it is: it is a change of its own, with a version to restore.
    const [{ favourite: emptied }] = (await query("SELECT favourite FROM shelves WHERE id = ?", [
      favourite.id,
    ])) as [Json]
    expect(emptied).toBeNull()

    // Alone, it comes back without them; and with too many, not at all.
    expect((await ask(alice, "DELETE", `/records/shelves/${shelf.id}`)).status).toBe(204)
    await read(ask(alice, "POST", restorations, { version: 1 }), 200)
    expect(await query("SELECT id FROM boxes")).toEqual([])
    for (let n = 0; n < 101; n++) await make("boxes", { shelf: shelf.id })
    expect((await ask(alice, "DELETE", `/records/shelves/${shelf.id}`)).status).toBe(204)
    await refused(ask(alice, "POST", restorations, body), 409)
    expect(await query("SELECT id FROM shelves WHERE id = ?", [shelf.id])).toEqual([])
  })
})

const open = { read: "true", create: "true", update: "true", delete: "true" }
const shelves = collection("shelves", {
  fields: {
    boxes: backRelation("boxes", "shelf"),
    boxCount: rollup("count", "boxes"),
    favourite: relation("boxes", { onDelete: "setNull" }),
  },
  rules: open,
})
const boxes = collection("boxes", {
  fields: {
    shelf: relation("shelves", { onDelete: "cascade" }),
    twin: relation("boxes", { onDelete: "cascade" }),
  },
  rules: { ...open, create: "@me.id != null" },
})
/** Nobody sees them, or may make one again. */
const things = collection("things", {
  fields: { box: relation("boxes", { required: true, onDelete: "cascade" }), name: text() },
  rules: { create: 'name = "hidden"', read: "createdBy = @me.id" },
})
