import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { create, type Json, patch, query, read, refused } from "../records/cast.ts"

interface Change {
  collection: string
  id: string
  version: number
  kind: string
  actor: { id: string; name: string | null } | null
  record: Json | null
  changes?: Record<string, { from: unknown; to: unknown }> | null
}
interface Changes<Next = string> {
  items: Change[]
  next: Next
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

const changes = (as: Person | null, parameters: Record<string, string> = {}) =>
  read<Changes>(call(as, "GET", `/changes?${new URLSearchParams(parameters)}`), 200)
const now = async (as: Person | null = null) => (await changes(as, { since: "now" })).next
const since = async (as: Person | null, position: string) =>
  (await changes(as, { since: position, limit: "200" })).items
const brief = (items: readonly Change[]) =>
  items.map(({ collection, kind, version }) => `${kind} ${collection} ${version}`)
const published = (as: Person, more: Json = {}) =>
  create(as, "articles", { title: "First", status: "published", ...more })

describe("the feed of changes", () => {
  test("tells each change once, in order, with the record as the change left it", async () => {
    const start = await now(bob)
    const { id } = await published(alice)
    const tag = await create(bob, "tags", { name: "feed" })
    await patch(alice, "articles", id, { title: "Second", tags: [tag.id] })
    const items = await since(bob, start)
    expect(items).toMatchObject([
      {
        collection: "articles",
        id,
        version: 1,
        kind: "created",
        actor: { id: alice.id, name: "alice" },
        record: { id, version: 1, title: "First", tags: [] },
      },
      { collection: "tags", id: tag.id, actor: { id: bob.id } },
      { collection: "articles", id, version: 2, record: { title: "Second", tags: [tag.id] } },
    ])
    expect(items[0]?.record).not.toHaveProperty("secret")
    expect(items[0]?.record).not.toHaveProperty("note")
    expect(JSON.stringify(items)).not.toContain("example.test")
  })

  test("is of one collection, where that is asked for", async () => {
    const start = await now()
    await published(alice)
    await create(alice, "tags", { name: "only this" })
    const { items } = await changes(bob, { since: start, collection: "tags" })
    expect(brief(items)).toEqual(["created tags 1"])
  })

  test("goes page by page, and on from its end", async () => {
    let position = await now()
    for (let n = 0; n < 7; n++) await create(alice, "tags", { name: `page ${n}` })
    const names: unknown[] = []
    for (let page = 0; page < 5; page++) {
      const { items, next } = await changes(bob, { since: position, limit: "3" })
      expect(items.length).toBe([3, 3, 1, 0, 0][page])
      names.push(...items.map(({ record }) => record?.name))
      position = next
    }
    expect(names).toEqual([0, 1, 2, 3, 4, 5, 6].map((n) => `page ${n}`))
    await create(alice, "tags", { name: "page 7" })
    expect((await since(bob, position)).map(({ record }) => record?.name)).toEqual(["page 7"])
  })

  test("begins with the first change, unless told", async () => {
    const { items } = await changes(root, { limit: "1" })
    const [first] = await query(
      "SELECT record FROM changes WHERE subject <> 'members' ORDER BY seq LIMIT 1",
    )
    expect(items[0]?.id).toBe(first?.record)
  })

  test("passes over what was refused", async () => {
    const start = await now()
    const { id } = await published(alice)
    await refused(call(bob, "PATCH", `/records/articles/${id}`, { title: "x" }), 403)
    await refused(call(alice, "PATCH", `/records/articles/${id}`, { words: -1 }), 400)
    await patch(alice, "articles", id, { title: "y" })
    expect(brief(await since(bob, start))).toEqual(["created articles 1", "updated articles 2"])
  })
})

describe("a change is told", () => {
  test("where the read rule holds of the record as it was left and as it is now", async () => {
    const start = await now()
    const { id } = await create(alice, "articles", { title: "Draft" })
    expect(await since(bob, start)).toEqual([])
    await patch(alice, "articles", id, { status: "published" })
    await patch(alice, "articles", id, { words: 3 })
    expect(brief(await since(bob, start))).toEqual(["updated articles 2", "updated articles 3"])
    await patch(alice, "articles", id, { status: "draft" })
    // What cannot be seen now shows nothing, not even that it went.
    expect(await since(bob, start)).toEqual([])
    expect(await since(alice, start)).toHaveLength(4)
  })

  test("with the fields that may be read in it and now", async () => {
    const start = await now()
    const { id } = await published(alice, { note: "alice's" })
    await patch(editor, "articles", id, { secret: "s1" })
    await patch(alice, "articles", id, { note: "still alice's" })
    const notes = async (as: Person | null) =>
      (await since(as, start)).map(({ record }) => [record?.note, record?.secret])
    expect(await notes(alice)).toEqual([
      ["alice's", undefined],
      ["alice's", undefined],
      ["still alice's", undefined],
    ])
    expect(await notes(editor)).toEqual([
      [undefined, null],
      [undefined, "s1"],
      [undefined, "s1"],
    ])
    expect(await notes(null)).toEqual([
      [undefined, undefined],
      [undefined, undefined],
      [undefined, undefined],
    ])
    await patch(editor, "articles", id, { author: bob.id })
    expect((await since(alice, start)).map(({ record }) => record?.note)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })

  test("of a deletion to those who could read the record last, without what it held", async () => {
    const start = await now()
    const shown = await published(alice)
    const hidden = await create(alice, "articles", { title: "Hidden" })
    const both = await published(alice)
    await patch(alice, "articles", both.id, { status: "draft" })
    for (const { id } of [shown, hidden, both]) {
      await call(alice, "DELETE", `/records/articles/${id}`)
    }
    expect(await since(bob, start)).toMatchObject([
      { id: shown.id, kind: "deleted", version: 2, record: null },
    ])
    expect((await since(alice, start)).map(({ id, kind }) => [id, kind])).toEqual(
      [shown, hidden, both].map(({ id }) => [id, "deleted"]),
    )
  })

  test("of a record that came back, as long as it is there", async () => {
    const start = await now()
    const { id } = await published(alice)
    await call(alice, "DELETE", `/records/articles/${id}`)
    await read(call(alice, "POST", `/records/articles/${id}/restorations`, { version: 1 }), 200)
    expect(brief(await since(bob, start))).toEqual([
      "created articles 1",
      "deleted articles 2",
      "created articles 3",
    ])
  })

  test("to administrators, but not of collections that hold them to their rules", async () => {
    const start = await now()
    await create(alice, "vaults", { name: "x" }).catch(() => undefined)
    await create(root, "vaults", { name: "x" })
    await create(alice, "diaries", { entry: "mine" })
    expect(brief(await since(root, start))).toEqual(["created vaults 1"])
    expect(brief(await since(alice, start))).toEqual(["created diaries 1"])
    expect(brief(await since(bob, start))).toEqual([])
  })
})

/** All that the log holds, from its end to its beginning. */
async function back(as: Person | null, parameters: Record<string, string> = {}): Promise<Change[]> {
  const items: Change[] = []
  for (let before: string | null = "now"; before !== null; ) {
    const path = `/changes?${new URLSearchParams({ ...parameters, before })}`
    const page: Changes<string | null> = await read(call(as, "GET", path), 200)
    items.push(...page.items)
    before = page.next
  }
  return items
}
const heads = (items: readonly Change[]) =>
  items.map(({ collection, id, version, kind }) => `${kind} ${collection} ${id} ${version}`)

describe("read back", () => {
  test("the log has the same lines the other way round, in pages of any size", async () => {
    for (let n = 0; n < 5; n++) await published(alice, { title: `${n}` })
    for (const as of [null, alice, root]) {
      const onwards: string[] = []
      for (let position = ""; ; ) {
        const { items, next } = await changes(as, {
          limit: "200",
          ...(position && { since: position }),
        })
        if (items.length === 0) break
        onwards.push(...heads(items))
        position = next
      }
      expect(onwards.length).toBeGreaterThan(5)
      for (const limit of ["1", "3", "200"]) {
        expect(heads(await back(as, { limit }))).toEqual(onwards.toReversed())
      }
    }
  })

  test("it tells what each line changed, as far as both versions may be read", async () => {
    const { id } = await published(alice, { note: "alice's" })
    await patch(editor, "articles", id, { secret: "s1" })
    await patch(alice, "articles", id, { title: "Second", words: 3 })
    await patch(alice, "articles", id, { status: "draft" })
    await patch(alice, "articles", id, { status: "published" })
    const told = async (as: Person | null) =>
      (await back(as, { collection: "articles", differences: "true" }))
        .filter((item) => item.id === id)
        .map(({ changes }) => changes)
    expect(await told(alice)).toMatchObject([
      { status: { from: "draft", to: "published" } },
      { status: { from: "published", to: "draft" } },
      { title: { from: "First", to: "Second" }, words: { from: null, to: 3 } },
      {},
      { title: { from: null, to: "First" }, note: { from: null, to: "alice's" } },
    ])
    // What it was as a draft is not for others, and so neither is what became of it.
    const [newest, second, third, first] = await told(bob)
    expect([newest, third, first?.note]).toEqual([null, {}, undefined])
    expect(second).toEqual({ title: { from: "First", to: "Second" }, words: { from: null, to: 3 } })
    expect((await told(editor))[2]).toEqual({ secret: { from: null, to: "s1" } })
    expect(await back(bob, { limit: "1" })).not.toHaveProperty("0.changes")
  })

  test("a deletion tells no content, and what came back was made anew", async () => {
    const { id } = await published(alice)
    await call(alice, "DELETE", `/records/articles/${id}`)
    const lastOf = async () =>
      (await back(alice, { differences: "true" })).filter((item) => item.id === id)[0]
    expect(await lastOf()).toMatchObject({ kind: "deleted", changes: null, record: null })
    await read(call(alice, "POST", `/records/articles/${id}/restorations`, { version: 1 }), 200)
    expect(await lastOf()).toMatchObject({
      kind: "created",
      changes: { title: { from: null, to: "First" } },
    })
  })

  test("it is of one person, or one kind, where that is asked for", async () => {
    const { id } = await published(alice)
    await patch(editor, "articles", id, { secret: "s2" })
    const byEditor = await back(alice, { actor: editor.id })
    expect(byEditor.length).toBeGreaterThan(0)
    expect(byEditor.every(({ actor }) => actor?.id === editor.id)).toBe(true)
    const updates = await back(alice, { kind: "updated" })
    expect(new Set(updates.map(({ kind }) => kind))).toEqual(new Set(["updated"]))
    const all = heads(await back(alice))
    expect(heads(updates)).toEqual(all.filter((head) => head.startsWith("updated")))
    expect(await back(alice, { actor: "nobody", kind: "created" })).toEqual([])
  })

  test("it costs one trip a page, and looks at 5,000 lines at most", async () => {
    for (const text of ["?before=now", "?before=now&differences=true&kind=updated"]) {
      expect(costOf(await call(alice, "GET", `/changes${text}`)).trips).toBe(1)
    }
    const { id } = await create(alice, "diaries", { entry: "long" })
    const first = await published(alice, { title: "before much" })
    await query(
      `INSERT INTO changes (id, at, actor, subject, record, version, kind, authority, requestId, salt, payload)
WITH RECURSIVE n(v) AS (SELECT 2 UNION ALL SELECT v + 1 FROM n WHERE v < 7000)
SELECT hex(randomblob(8)), c.at, c.actor, c.subject, c.record, v, 'updated', 'rule', 'grown', '', c.payload FROM changes c, n WHERE c.record = ?`,
      [id],
    )
    const answer = await call(bob, "GET", "/changes?before=now&limit=1")
    expect(costOf(answer).rowsRead).toBeLessThan(12_000)
    const { items, next } = await read<Changes>(answer, 200)
    expect(items).toEqual([])
    const more = await read<Changes>(call(bob, "GET", `/changes?before=${next}&limit=1`), 200)
    expect(heads(more.items)).toEqual([`created articles ${first.id} 1`])
    // A page that is full looks no further.
    const full = await call(alice, "GET", "/changes?before=now&limit=5&differences=true")
    expect(costOf(full).rowsRead).toBeLessThan(300)
  })
})

describe("a position", () => {
  test("tells nothing: neither how much was written, nor whether anything was", async () => {
    const [one, two] = [await now(), await now()]
    expect(one).not.toBe(two)
    await create(root, "vaults", { name: "hidden" })
    const three = await now()
    expect(new Set([one, two, three].map(({ length }) => length)).size).toBe(1)
  })

  test.each(["x", "0", "1", "", "NOW", "A".repeat(48), "%00", "null", "-1", "'"])(
    "%j is none",
    async (text) => {
      await refused(call(bob, "GET", `/changes?since=${encodeURIComponent(text)}`), 400)
    },
  )

  test("of a bin, or with a changed letter, is none", async () => {
    for (const name of ["a", "b"]) {
      const { id } = await create(alice, "projects", { name })
      await call(alice, "DELETE", `/records/projects/${id}`)
    }
    const { next } = await read<{ next: string }>(
      call(alice, "GET", "/records/projects/bin?limit=1"),
      200,
    )
    await refused(call(bob, "GET", `/changes?since=${next}`), 400)
    const position = await now()
    for (let at = 0; at < position.length - 1; at += 7) {
      const changed = `${position.slice(0, at)}${position[at] === "A" ? "B" : "A"}${position.slice(at + 1)}`
      await refused(call(bob, "GET", `/changes?since=${changed}`), 400)
    }
  })
})

describe("requests that make no sense are refused by name", () => {
  test.each([
    ["?limit=0", 400],
    ["?limit=201", 400],
    ["?since=now&since=now", 400],
    ["?filter=true", 400],
    ["?collection=nothing", 404],
    ["?collection=members", 404],
    ["?collection=vaults", 404],
    ["?collection=%00", 400],
    ["?collection=suggestions", 404],
    ["?before=x", 400],
    ["?before=now&since=now", 400],
    ["?kind=changed", 400],
    ["?differences=yes", 400],
    ["?actor=%00", 400],
  ])("%s", async (text, status) => {
    await refused(call(bob, "GET", `/changes${text}`), status)
  })

  test("a collection that only people with a session could read asks for one", async () => {
    await refused(call(null, "GET", "/changes?collection=diaries"), 401)
  })
})

describe("what it costs", () => {
  test("is one trip", async () => {
    for (const as of [null, alice, root]) {
      for (const text of ["", "?since=now", "?collection=articles"]) {
        expect(costOf(await call(as, "GET", `/changes${text}`)).trips).toBe(1)
      }
    }
  })

  test("is bounded, though hardly anything of much may be seen, and the rest comes all the same", async () => {
    const start = await now()
    const { id } = await create(alice, "diaries", { entry: "much" })
    await query(
      `INSERT INTO changes (id, at, actor, subject, record, version, kind, authority, requestId, salt, payload)
WITH RECURSIVE n(v) AS (SELECT 2 UNION ALL SELECT v + 1 FROM n WHERE v < 12000)
SELECT hex(randomblob(8)), c.at, c.actor, c.subject, c.record, v, 'updated', 'rule', 'grown', '', c.payload FROM changes c, n WHERE c.record = ?`,
      [id],
    )
    const tag = await create(alice, "tags", { name: "after much" })
    let position = start
    const seen: string[] = []
    for (let page = 0; page < 4; page++) {
      const answer = await call(bob, "GET", `/changes?since=${position}`)
      expect(costOf(answer).rowsRead).toBeLessThan(12_000)
      const { items, next } = await read<Changes>(answer, 200)
      seen.push(...items.map((item) => item.id))
      position = next
    }
    expect(seen).toEqual([tag.id])
    // A page that is full does not look any further.
    const full = await call(alice, "GET", `/changes?since=${start}&limit=5`)
    expect(costOf(full).rowsRead).toBeLessThan(200)
  })
})

test("whoever writes meanwhile, each change is told exactly once", async () => {
  const step = fc.record({
    who: fc.nat(2),
    published: fc.boolean(),
    kind: fc.constantFrom("create", "update", "delete"),
    at: fc.nat(20),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 40 }), async (steps) => {
      const writers = [alice, bob, editor]
      const made: string[] = []
      const from = ((await query("SELECT max(seq) AS seq FROM changes"))[0]?.seq as number) ?? 0
      let position = await now(bob)
      const told: string[] = []
      let writing = true
      const write = async () => {
        for (let i = 0; i < steps.length; i += 4) {
          await Promise.all(
            steps.slice(i, i + 4).map(async ({ who, published, kind, at }) => {
              const as = writers[who] as Person
              const id = made[at % Math.max(1, made.length)] ?? crypto.randomUUID()
              const body = { title: "t", status: published ? "published" : "draft", words: i }
              if (kind === "create") {
                const answer = await call(as, "POST", "/records/articles", body)
                made.push(((await answer.json()) as { id: string }).id)
              } else if (kind === "update") {
                await call(as, "PATCH", `/records/articles/${id}`, { words: i })
              } else await call(as, "DELETE", `/records/articles/${id}`)
            }),
          )
        }
        writing = false
      }
      const follow = async () => {
        // What is written while the last page is on its way is on the one after it.
        for (let rest = true, asked = true; rest || asked; ) {
          asked = writing
          const page = await changes(root, { since: position, limit: "3" })
          told.push(...page.items.map(({ id, version }) => `${id} ${version}`))
          position = page.next
          rest = page.items.length > 0
        }
      }
      await Promise.all([write(), follow()])
      expect(new Set(told).size).toBe(told.length)
      const lines = await query(
        "SELECT record || ' ' || version AS line, kind, record IN (SELECT id FROM articles) AS there FROM changes WHERE seq > ? AND subject = 'articles' ORDER BY seq",
        [from],
      )
      // What was told before a deletion stays told; all else is what the log holds, in its order.
      const order = lines.map(({ line }) => line as string)
      expect(told).toEqual(order.filter((line) => told.includes(line)))
      const must = lines.filter(({ kind, there }) => there === 1 || kind === "deleted")
      expect(must.every(({ line }) => told.includes(line as string))).toBe(true)
    }),
    { numRuns: 4, endOnFailure: true },
  )
})
