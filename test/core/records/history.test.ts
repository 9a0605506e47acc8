import { beforeAll, describe, expect, test } from "vitest"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { create, get, type Json, linesOf, nowhere, patch, query, read, refused } from "./cast.ts"

interface Item {
  version: number
  kind: string
  at: string
  actor: { id: string; name: string | null } | null
  impersonator: { id: string; name: string | null } | null
  authority: string
  requestId: string
  changes: Record<string, { from: unknown; to: unknown }> | null
  record?: Json
}
interface History {
  items: Item[]
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

const pathOf = (collection: string, id: string) => `/records/${collection}/${id}/history`
const history = (as: Person | null, collection: string, id: string, query = "") =>
  read<History>(call(as, "GET", `${pathOf(collection, id)}${query}`), 200)
const version = (as: Person | null, collection: string, id: string, n: number) =>
  read<Item>(call(as, "GET", `${pathOf(collection, id)}/${n}`), 200)
const published = (as: Person, more: Json = {}) =>
  create(as, "articles", { title: "First", status: "published", ...more })
/** A moment that lies surely after all that was written before it, and before all that is written after it. */
const moment = async () => {
  await new Promise((resolve) => setTimeout(resolve, 5))
  const now = new Date().toISOString()
  await new Promise((resolve) => setTimeout(resolve, 5))
  return now
}

describe("the history of a record", () => {
  test("says who changed what, and when, the newest first", async () => {
    const tag = await create(alice, "tags", { name: "history" })
    const { id } = await published(alice, { meta: { a: 1 }, featured: false })
    await patch(alice, "articles", id, { title: "Second", tags: [tag.id], meta: { a: 2, b: null } })
    await patch(editor, "articles", id, { featured: true })
    const { items, next } = await history(alice, "articles", id)
    expect(next).toBeNull()
    expect(items).toMatchObject([
      {
        version: 3,
        kind: "updated",
        actor: { id: editor.id, name: "editor" },
        impersonator: null,
        authority: "rule",
        changes: { featured: { from: false, to: true } },
      },
      {
        version: 2,
        actor: { id: alice.id, name: "alice" },
        changes: {
          title: { from: "First", to: "Second" },
          tags: { from: [], to: [tag.id] },
          meta: { from: { a: 1 }, to: { a: 2 } },
        },
      },
      { version: 1, kind: "created", changes: { title: { from: null, to: "First" } } },
    ])
    expect(Object.keys(items[0]?.changes ?? {})).toEqual(["featured"])
    expect(items[2]?.changes).not.toHaveProperty("words")
    const [line] = await linesOf(id)
    expect(items[2]).toMatchObject({ requestId: line?.requestId, at: expect.stringMatching(/Z$/) })
  })

  test("never holds an e-mail address", async () => {
    const { id } = await published(alice)
    const answer = await call(bob, "GET", pathOf("articles", id))
    expect(await answer.text()).not.toContain("example.test")
  })

  test("tells strangers who it was by the id alone", async () => {
    const { id } = await published(alice)
    const { items } = await history(null, "articles", id)
    expect(items).toMatchObject([{ version: 1, actor: { id: alice.id, name: null } }])
  })

  test("tells an administrator's pass over the rules, and who acted in whose name", async () => {
    const { id } = await create(alice, "diaries", { entry: "mine" })
    const article = await create(alice, "articles", { title: "x" })
    await patch(root, "articles", article.id, { words: 3 })
    expect((await history(alice, "articles", article.id)).items[0]).toMatchObject({
      authority: "administrator",
      actor: { id: root.id },
    })
    const { accessToken } = await read<{ accessToken: string }>(
      call(root, "POST", `/auth/users/${alice.id}/impersonations`, { reason: "a test" }),
      201,
    )
    const disguised = { ...alice, token: accessToken }
    await patch(disguised, "diaries", id, { entry: "theirs" })
    expect((await history(alice, "diaries", id)).items[0]).toMatchObject({
      actor: { id: alice.id, name: "alice" },
      impersonator: { id: root.id, name: "root" },
    })
  })

  test("comes in pages, whose differences reach over their edges", async () => {
    const { id } = await published(alice)
    for (let n = 1; n <= 6; n++) await patch(alice, "articles", id, { words: n })
    const seen: Item[] = []
    let cursor: string | null = ""
    for (let pages = 0; cursor !== null; pages++) {
      expect(pages).toBeLessThan(5)
      const page: History = await history(
        alice,
        "articles",
        id,
        `?limit=2${cursor && `&cursor=${cursor}`}`,
      )
      seen.push(...page.items)
      cursor = page.next
    }
    expect(seen.map((item) => item.version)).toEqual([7, 6, 5, 4, 3, 2, 1])
    expect(seen.slice(0, 6).map((item) => item.changes?.words)).toEqual(
      [6, 5, 4, 3, 2, 1].map((n) => ({ from: n === 1 ? null : n - 1, to: n })),
    )
    const answer = await call(alice, "GET", `${pathOf("articles", id)}?limit=2`)
    expect(answer.headers.get("link")).toBe(
      `<${pathOf("articles", id)}?limit=2&cursor=6>; rel="next"`,
    )
  })

  test("goes on after a deletion, for who could have deleted the record, and for nobody else", async () => {
    const { id } = await published(alice, { words: 1 })
    await patch(alice, "articles", id, { words: 2 })
    expect((await call(alice, "DELETE", `/records/articles/${id}`)).status).toBe(204)
    const { items } = await history(alice, "articles", id)
    expect(items).toMatchObject([
      { version: 3, kind: "deleted", actor: { id: alice.id }, changes: {} },
      { version: 2, changes: { words: { from: 1, to: 2 } } },
      { version: 1 },
    ])
    expect(await version(alice, "articles", id, 3)).toMatchObject({ record: { id, words: 2 } })
    // It was public, and is no more.
    for (const person of [bob, editor]) {
      await refused(call(person, "GET", pathOf("articles", id)), 404)
      await refused(call(person, "GET", `${pathOf("articles", id)}/1`), 404)
    }
    await refused(call(null, "GET", pathOf("articles", id)), 404)
  })
})

describe("a version is shown", () => {
  test("where the read rule holds of it and of the record now", async () => {
    const { id } = await create(alice, "articles", { title: "Hidden" })
    await patch(alice, "articles", id, { status: "published", title: "Shown" })
    await patch(alice, "articles", id, { title: "Shown again" })
    const { items } = await history(bob, "articles", id)
    // What it was made from is hidden, and so is what changed.
    expect(items).toMatchObject([
      { version: 3, changes: { title: { from: "Shown", to: "Shown again" } } },
      { version: 2, changes: null },
    ])
    await refused(call(bob, "GET", `${pathOf("articles", id)}/1`), 404)
    expect(await version(bob, "articles", id, 2)).toMatchObject({ record: { title: "Shown" } })
    await patch(alice, "articles", id, { status: "draft" })
    await refused(call(bob, "GET", pathOf("articles", id)), 404)
    await refused(call(bob, "GET", `${pathOf("articles", id)}/2`), 404)
    expect((await history(alice, "articles", id)).items).toHaveLength(4)
  })

  test("with the fields that may be read in it and now", async () => {
    const { id } = await published(alice, { note: "a secret of alice" })
    await patch(alice, "articles", id, { note: "nothing" })
    await patch(editor, "articles", id, { secret: "of editors", author: bob.id })
    await patch(bob, "articles", id, { note: "a secret of bob" })
    for (const [person, notes, secret] of [
      [alice, [], false],
      [bob, ["a secret of bob"], false],
      [editor, [], true],
    ] as const) {
      const answer = await (await call(person, "GET", pathOf("articles", id))).text()
      expect(answer.includes("a secret of alice")).toBe(false)
      expect(answer.includes("a secret of bob")).toBe(notes.length > 0)
      expect(answer.includes("of editors")).toBe(secret)
      expect(answer.includes('"secret"')).toBe(secret)
    }
    // Bob's own change stands between two versions that were his.
    const { items } = await history(bob, "articles", id)
    expect(items[0]?.changes).toEqual({ note: { from: "nothing", to: "a secret of bob" } })
  })

  test("as it was, whole, with its own version and times", async () => {
    const made = await published(alice, { score: 0.5, featured: false, day: "2026-01-01" })
    await patch(alice, "articles", made.id, { title: "Later", score: null })
    const first = await version(alice, "articles", made.id, 1)
    const { commentCount, starSum, starAverage, weightSum, ...stored } = made
    expect([commentCount, starSum, starAverage, weightSum]).toEqual([0, 0, null, 0])
    expect(first.record).toEqual(stored)
  })

  test("never of people, whose former names are nobody's business", async () => {
    await refused(call(root, "GET", pathOf("members", alice.id)), 404)
    await refused(call(root, "GET", `/records/members/${alice.id}?asOf=2026-01-01`), 404)
  })
})

describe("the record as of a time", () => {
  test("is the last version that had been written by then", async () => {
    const before = await moment()
    const { id } = await published(alice, { words: 1 })
    const moments = [await moment()]
    for (const words of [2, 3, 4, 5]) {
      await patch(alice, "articles", id, { words })
      moments.push(await moment())
    }
    const asOf = (at: string) => call(bob, "GET", `/records/articles/${id}?asOf=${at}`)
    for (const [i, at] of moments.entries()) {
      expect(await read(asOf(at), 200)).toMatchObject({ id, version: i + 1, words: i + 1 })
    }
    await refused(asOf(before), 404)
    expect(await read(asOf("2999-01-01"), 200)).toMatchObject({ version: 5 })
    await call(alice, "DELETE", `/records/articles/${id}`)
    await refused(asOf(moments[2] as string), 404)
    const own = (at: string) => call(alice, "GET", `/records/articles/${id}?asOf=${at}`)
    expect(await read(own(moments[2] as string), 200)).toMatchObject({ words: 3 })
    await refused(own(await moment()), 404)
  })

  test("does not fall back to an earlier version where that one is hidden", async () => {
    const { id } = await published(alice)
    await patch(alice, "articles", id, { status: "draft" })
    const hidden = await moment()
    await patch(alice, "articles", id, { status: "published" })
    await refused(call(bob, "GET", `/records/articles/${id}?asOf=${hidden}`), 404)
    await get(bob, "articles", id)
  })

  test.each([
    ["no date", "yesterday", "datetime"],
    ["nothing", "", "datetime"],
    ["no day", "2026-02-30", "datetime"],
    ["fields beside it", "2026-01-01&fields=id", "not_together"],
    ["an expansion beside it", "2026-01-01&expand=author", "not_together"],
  ])("refuses %s", async (_, text, code) => {
    const problem = await refused(
      call(bob, "GET", `/records/articles/${nowhere}?asOf=${text}`),
      400,
    )
    expect(problem.errors?.[0]).toMatchObject({ path: "query.asOf", code })
  })
})

describe("old lines that the definition has left behind", () => {
  /** Rewrites what the log holds of a version, as if an older definition had written it. */
  const rewrite = async (id: string, version: number, change: string) => {
    await query(`UPDATE changes SET payload = ${change} WHERE record = ? AND version = ?`, [
      id,
      version,
    ])
  }

  test("have the constant default of a field that they do not know", async () => {
    const { id } = await create(alice, "tags", { name: "old tag" })
    await patch(editor, "tags", id, { name: "new tag" })
    await rewrite(id, 1, "json_remove(payload, '$.hidden')")
    // `hidden = false` is the read rule.
    expect((await history(bob, "tags", id)).items).toHaveLength(2)
    expect(await version(bob, "tags", id, 1)).toMatchObject({ record: { hidden: false } })
    expect((await history(bob, "tags", id)).items[0]?.changes).toEqual({
      name: { from: "old tag", to: "new tag" },
    })
  })

  test("hold nothing that a rule could take for a value of another kind", async () => {
    const { id } = await create(alice, "tags", { name: "a text" })
    await patch(editor, "tags", id, { name: "still" })
    for (const value of ["'no'", "'false'", "json('[0]')", "json('{}')", "NULL"]) {
      await rewrite(id, 1, `json_set(payload, '$.hidden', ${value})`)
      await refused(call(bob, "GET", `${pathOf("tags", id)}/1`), 404)
    }
  })

  test("are shown as far as they still mean something", async () => {
    const { id } = await published(alice)
    await patch(alice, "articles", id, { title: "x" })
    await rewrite(
      id,
      1,
      `json_set(payload, '$.meta', '{no json', '$.dropped', 'gone', '$.tags', 'none', '$.words', 'many')`,
    )
    const { record } = await version(alice, "articles", id, 1)
    expect(record).toMatchObject({ meta: "{no json", words: "many" })
    expect(record).not.toHaveProperty("dropped")
    expect((await history(alice, "articles", id)).items).toHaveLength(2)
  })
})

describe("hostile requests", () => {
  const hostile = [
    "?limit=0",
    "?limit=201",
    "?limit=1&limit=2",
    "?cursor=0",
    "?cursor=-1",
    "?cursor=1e9",
    "?cursor=%00",
    "?cursor=1%27",
    "?cursor=9999999999999999999",
    "?nonsense=1",
  ]
  test.each(hostile)("the query %s is refused by name", async (text) => {
    const { id } = await published(alice)
    const { errors } = await refused(call(alice, "GET", pathOf("articles", id) + text), 400)
    expect(errors?.[0]?.path).toMatch(/^query\./)
  })

  test.each(["0", "-1", "1.5", "01", "x", "1;", "9".repeat(30), "%00", "⁵", "1%2F2"])(
    "there is no version %s",
    async (text) => {
      const { id } = await published(alice)
      await refused(call(alice, "GET", `${pathOf("articles", id)}/${text}`), 404)
    },
  )

  test("what cannot be an id, and collections that are none, are not found", async () => {
    await refused(call(alice, "GET", "/records/articles/x/history"), 404)
    await refused(call(alice, "GET", `/records/nothing/${nowhere}/history`), 404)
    await refused(call(alice, "GET", `/records/articles/${nowhere}/history`), 404)
    await refused(call(alice, "GET", `/records/vaults/${nowhere}/history`), 404)
    await refused(call(null, "GET", `/records/diaries/${nowhere}/history`), 401)
  })
})

describe("what it costs", () => {
  test("is one trip", async () => {
    const { id } = await published(alice)
    await patch(alice, "articles", id, { words: 1 })
    for (const as of [null, alice]) {
      for (const path of [
        pathOf("articles", id),
        `${pathOf("articles", id)}/1`,
        `/records/articles/${id}?asOf=2999-01-01`,
      ]) {
        expect(costOf(await call(as, "GET", path)).trips, path).toBe(1)
      }
    }
  })

  test("stays the same however many versions there are", async () => {
    const { id } = await published(alice)
    await query(
      `INSERT INTO changes (id, at, actor, subject, record, version, kind, authority, requestId, salt, payload)
WITH RECURSIVE n(v) AS (SELECT 2 UNION ALL SELECT v + 1 FROM n WHERE v < 20000)
SELECT hex(randomblob(8)), strftime('%Y-%m-%dT%H:%M:%fZ', '2030-01-01', '+' || v || ' minutes'), c.actor, c.subject, c.record, v, 'updated', 'rule', 'grown', '', json_set(c.payload, '$.version', v, '$.words', v) FROM changes c, n WHERE c.record = ? AND c.version = 1`,
      [id],
    )
    await query("UPDATE articles SET version = 20000, words = 20000 WHERE id = ?", [id])
    const rowsRead = async (path: string) => {
      const answer = await call(alice, "GET", path)
      expect(answer.status, await answer.clone().text()).toBe(200)
      return costOf(answer).rowsRead
    }
    expect(await rowsRead(`${pathOf("articles", id)}?limit=10`)).toBeLessThan(120)
    expect(await rowsRead(`${pathOf("articles", id)}?limit=10&cursor=5000`)).toBeLessThan(120)
    expect(await rowsRead(`${pathOf("articles", id)}/7777`)).toBeLessThan(40)
    const at = `/records/articles/${id}?asOf=2030-01-05T12:34:30Z`
    expect(await read(call(alice, "GET", at), 200)).toMatchObject({ version: 4 * 1440 + 754 })
    expect(await rowsRead(at)).toBeLessThan(200)
  })
})
