import { beforeAll, describe, expect, test } from "vitest"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import {
  create,
  get,
  type Json,
  linesOf,
  patch,
  query,
  read,
  refused,
  type Stored,
} from "./cast.ts"

let alice: Person
let bob: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
})

const articles = (id: string) => `/records/articles/${id}`
const published = (more: Json = {}) =>
  create(alice, "articles", { title: "T", status: "published", ...more })
const count = (statuses: number[], status: number) =>
  statuses.filter((one) => one === status).length

describe("races", () => {
  test("of 20 patches that expect the same version, one wins", async () => {
    const { id } = await published()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        call(alice, "PATCH", articles(id), { words: i }, { "if-match": '"1"' }),
      ),
    )
    const statuses = answers.map((answer) => answer.status)
    expect([count(statuses, 200), count(statuses, 412)]).toEqual([1, 19])
    const winner = statuses.indexOf(200)
    expect(await get(alice, "articles", id)).toMatchObject({ version: 2, words: winner })
    expect(await linesOf(id)).toHaveLength(2)
  })

  test("of 20 deletions that expect the same version, one wins", async () => {
    const { id } = await published()
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        call(alice, "DELETE", articles(id), undefined, { "if-match": '"1"' }),
      ),
    )
    const statuses = answers.map((answer) => answer.status)
    expect([count(statuses, 204), count(statuses, 404)]).toEqual([1, 19])
    expect(await linesOf(id)).toHaveLength(2)
  })

  test("20 patches that expect nothing are all kept, one after the other", async () => {
    const { id } = await published()
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => patch(alice, "articles", id, { words: i + 1 })),
    )
    const lines = await linesOf(id)
    expect(lines.map(({ version }) => version)).toEqual(lines.map((_, i) => i + 1))
    expect(lines).toHaveLength(21)
  })

  test("of 20 PUTs that only create, one creates", async () => {
    const id = crypto.randomUUID()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        call(alice, "PUT", articles(id), { title: `by ${i}` }, { "if-none-match": "*" }),
      ),
    )
    const statuses = answers.map((answer) => answer.status)
    expect([count(statuses, 201), count(statuses, 412)]).toEqual([1, 19])
    expect(await get(alice, "articles", id)).toMatchObject({
      version: 1,
      title: `by ${statuses.indexOf(201)}`,
    })
  })

  test("of 20 PUTs without a condition, one creates and the others replace", async () => {
    const id = crypto.randomUUID()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => call(alice, "PUT", articles(id), { title: `by ${i}` })),
    )
    const statuses = answers.map((answer) => answer.status)
    expect([count(statuses, 201), count(statuses, 200)]).toEqual([1, 19])
    expect((await get(alice, "articles", id)).version).toBe(20)
  })

  test("of 20 creations of one unique value, one wins and the others name the field", async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        call(alice, "POST", "/records/articles", { title: "x", slug: "only" }),
      ),
    )
    const statuses = answers.map((answer) => answer.status)
    expect([count(statuses, 201), count(statuses, 409)]).toEqual([1, 19])
    const loser = answers.find((answer) => answer.status === 409) as Response
    expect((await refused(loser, 409)).errors).toMatchObject([{ path: "slug", code: "taken" }])
  })
})

describe("an ETag", () => {
  test("answers 304 without a body as long as nothing changed", async () => {
    const { id } = await published()
    const first = await call(null, "GET", articles(id))
    const etag = first.headers.get("etag") as string
    for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      const again = await call(null, "GET", articles(id), undefined, { "if-none-match": tag })
      expect([again.status, await again.text(), again.headers.get("etag")]).toEqual([304, "", etag])
    }
    const other = await call(null, "GET", articles(id), undefined, { "if-none-match": '"x"' })
    expect(other.status).toBe(200)
    await patch(alice, "articles", id, { words: 1 })
    const changed = await call(null, "GET", articles(id), undefined, { "if-none-match": etag })
    expect(changed.status).toBe(200)
    expect(changed.headers.get("etag")).not.toBe(etag)
  })

  test("differs where fields, expansions, rights or rollups shape the body", async () => {
    const { id } = await published({ note: "mine" })
    const tagOf = async (as: Person | null, query = "") =>
      (await call(as, "GET", articles(id) + query)).headers.get("etag")
    const before = await tagOf(alice)
    const tags = await Promise.all([
      before,
      tagOf(bob),
      tagOf(alice, "?fields=id,title"),
      tagOf(alice, "?expand=comments"),
    ])
    expect(new Set(tags).size).toBe(4)
    await create(bob, "comments", { article: id, text: "x", stars: 5 })
    expect(await tagOf(alice)).not.toBe(before)
    expect((await get(alice, "articles", id)).version).toBe(1)
  })

  test("of any reader serves If-Match, weakened or not, in a list or as *", async () => {
    const { id } = await published()
    let version = 1
    for (const shape of [
      (tag: string) => tag,
      (tag: string) => `W/${tag}`,
      (tag: string) => `"other", ${tag}`,
      () => "*",
      () => `"${version}"`,
    ]) {
      const seen = await call(bob, "GET", `${articles(id)}?fields=id`)
      const header = shape(seen.headers.get("etag") as string)
      const answer = await call(
        alice,
        "PATCH",
        articles(id),
        { words: version },
        {
          "if-match": header,
        },
      )
      expect((await read(answer, 200)).version).toBe(++version)
    }
  })

  test.each([
    ['"0"', 412],
    ['"99"', 412],
    ['"1x"', 412],
    ['"1-abc", "7"', 200],
    ['""', 412],
    ["1", 400],
    ['"1', 400],
    ['"a"b"', 400],
  ])("If-Match: %s is answered by %i", async (header, status) => {
    const { id } = await published()
    const answer = await call(alice, "PATCH", articles(id), { words: 5 }, { "if-match": header })
    if (status !== 200) await refused(answer, status)
    expect(answer.status).toBe(status)
    expect((await get(alice, "articles", id)).version).toBe(status === 200 ? 2 : 1)
  })
})

describe("a write that changes nothing", () => {
  test.each<[string, (record: Stored) => Promise<Response>]>([
    ["an empty patch", ({ id }) => call(alice, "PATCH", articles(id), {})],
    ["the same value", ({ id }) => call(alice, "PATCH", articles(id), { words: 3, tags: [] })],
    ["the same json", ({ id }) => call(alice, "PATCH", articles(id), { meta: { a: { b: 1 } } })],
    [
      "removing what is not there",
      ({ id }) => call(alice, "PATCH", articles(id), { meta: { x: null } }),
    ],
    [
      "fields of the server",
      ({ id }) => call(alice, "PATCH", articles(id), { version: 9, id, commentCount: 9 }),
    ],
    [
      "the record as it was answered, by PATCH",
      (record) => call(alice, "PATCH", articles(record.id), record),
    ],
    [
      "the record as it was answered, by PUT",
      (record) => call(alice, "PUT", articles(record.id), record),
    ],
  ])("%s: answers 200 with the same version, and leaves no trace", async (_, write) => {
    const record = await published({ words: 3, meta: { a: { b: 1 }, c: [1, 2.5] } })
    const answer = await write(record)
    expect(costOf(answer).rowsWritten).toBe(0)
    expect(await read(answer, 200)).toEqual(record)
    expect(answer.headers.get("location")).toBeNull()
    expect(await linesOf(record.id)).toHaveLength(1)
  })
})

test("versions go on when a deleted record is made again", async () => {
  const { id } = await published()
  await patch(alice, "articles", id, { words: 1 })
  await call(alice, "DELETE", articles(id))
  const again = await call(alice, "PUT", articles(id), { title: "Again" })
  expect((await read(again, 201)).version).toBe(4)
  expect(again.headers.get("location")).toBe(articles(id))
  const stale = await call(alice, "PATCH", articles(id), { words: 2 }, { "if-match": '"2"' })
  await refused(stale, 412)
  expect((await linesOf(id)).map(({ kind, version }) => [kind, version])).toEqual([
    ["created", 1],
    ["updated", 2],
    ["deleted", 3],
    ["created", 4],
  ])
})

test("an id whose record somebody else has deleted stays theirs, as if the record were there and hidden", async () => {
  const hidden = await create(alice, "articles", { title: "Hidden" })
  const shown = await published({ title: "Seen by all" })
  const gone = await create(alice, "articles", { title: "Gone" })
  for (const { id } of [gone, shown]) await call(alice, "DELETE", articles(id))
  const taking: [string, (id: string) => Promise<Response>][] = [
    ["put", (id) => call(bob, "PUT", articles(id), { title: "Taken" })],
    [
      "put if there is none",
      (id) => call(bob, "PUT", articles(id), { title: "Taken" }, { "if-none-match": "*" }),
    ],
    [
      "put if it matches",
      (id) => call(bob, "PUT", articles(id), { title: "Taken" }, { "if-match": "*" }),
    ],
    [
      "a batch",
      (id) =>
        call(bob, "POST", "/batch", {
          operations: [{ method: "PUT", path: articles(id), body: { title: "Taken" } }],
        }),
    ],
    ["history", (id) => call(bob, "GET", `${articles(id)}/history`)],
  ]
  for (const [name, attempt] of taking) {
    const answers = []
    for (const { id } of [hidden, gone, shown]) {
      const { status, ...rest } = await refused(
        await attempt(id),
        name === "put if there is none" || name === "put if it matches" ? 412 : 404,
      )
      answers.push({ status, ...rest, requestId: "" })
    }
    expect(answers[1]).toEqual(answers[0])
    expect(answers[2]).toEqual(answers[0])
  }
  for (const { id } of [gone, shown]) {
    expect(await linesOf(id)).toHaveLength(2)
    const back = await call(alice, "POST", `${articles(id)}/restorations`, { version: 1 })
    expect(await read(back, 200)).toMatchObject({ version: 3, author: alice.id })
  }
})

test("what has left the log for the archive keeps its id as well, but to administrators", async () => {
  const { id } = await published()
  await call(alice, "DELETE", articles(id))
  await query("INSERT INTO change_segments VALUES (900, 'none', '', 0, 0, '')")
  await query(
    "INSERT INTO archived_changes SELECT seq, subject, record, version, at, organisation, 900 FROM changes WHERE record = ?",
    [id],
  )
  await query("DELETE FROM changes WHERE record = ?", [id])
  await refused(call(alice, "PUT", articles(id), { title: "Mine" }), 404)
  const admin = await signedIn("reviver", ["administrator"])
  const made = await call(admin, "PUT", articles(id), { title: "Again", author: admin.id })
  expect((await read(made, 201)).version).toBe(3)
})

describe("PUT", () => {
  test("replaces the whole record, and what is left out falls back", async () => {
    const tag = await create(alice, "tags", { name: "put" })
    const before = await published({ words: 3, body: "x", meta: { a: 1 }, tags: [tag.id] })
    const answer = await call(alice, "PUT", articles(before.id), { title: "New", meta: { b: 2 } })
    expect(await read(answer, 200)).toMatchObject({
      version: 2,
      title: "New",
      status: "draft",
      words: null,
      body: null,
      tags: [],
      meta: { b: 2 },
      author: alice.id,
      createdAt: before.createdAt,
    })
    expect(await query("SELECT * FROM articles_tags WHERE source = ?", [before.id])).toEqual([])
  })

  test("creates with to-many fields in their order", async () => {
    const tags = await Promise.all(
      ["b", "a", "c"].map(async (name) => (await create(alice, "tags", { name })).id),
    )
    const id = crypto.randomUUID()
    const made = await read(call(alice, "PUT", articles(id), { title: "x", tags }), 201)
    expect(made.tags).toEqual(tags)
    const turned = [...tags].reverse()
    const replaced = await read(call(alice, "PUT", articles(id), { title: "x", tags: turned }), 200)
    expect(replaced).toMatchObject({ tags: turned, version: 2 })
  })

  test.each<[string, boolean, Record<string, string>, number]>([
    ["creates", false, {}, 201],
    ["replaces", true, {}, 200],
    ["creates only, where nothing is", false, { "if-none-match": "*" }, 201],
    ["creates only, where something is", true, { "if-none-match": "*" }, 412],
    ["replaces only, where nothing is", false, { "if-match": "*" }, 412],
    ["replaces only, where something is", true, { "if-match": "*" }, 200],
    ["replaces a version, where nothing is", false, { "if-match": '"1"' }, 412],
    ["replaces a version, where it is", true, { "if-match": '"1"' }, 200],
    ["replaces a version, where another is", true, { "if-match": '"7"' }, 412],
    ["with both conditions", true, { "if-match": '"1"', "if-none-match": "*" }, 412],
    ["with another If-None-Match", false, { "if-none-match": '"1"' }, 400],
  ])("%s (there before: %s)", async (_, exists, headers, status) => {
    const id = exists ? (await published()).id : crypto.randomUUID()
    const answer = await call(alice, "PUT", articles(id), { title: "New" }, headers)
    expect(answer.status, await answer.text()).toBe(status)
  })

  test("that replaces only cannot tell a hidden record from none", async () => {
    const { id } = await create(alice, "articles", { title: "Draft" })
    const answers = await Promise.all(
      [id, crypto.randomUUID()].map((one) =>
        refused(call(bob, "PUT", articles(one), { title: "New" }, { "if-match": '"1"' }), 412),
      ),
    )
    expect(answers[0]?.code).toBe(answers[1]?.code)
  })

  test.each(["ABCDEF00-0000-4000-8000-000000000000", "1", "x".repeat(200), "%00", "%F0%9F%98%80"])(
    "refuses the id %s",
    async (id) => {
      const { errors } = await refused(call(alice, "PUT", articles(id), { title: "x" }), 400)
      expect(errors?.[0]).toMatchObject({ path: "id", code: "id" })
    },
  )

  test("that creates only is forbidden before it is stale: no hidden record shows", async () => {
    const { id } = await create(alice, "articles", { title: "Draft" })
    const body = { title: "New", author: alice.id }
    for (const one of [id, crypto.randomUUID()]) {
      await refused(call(bob, "PUT", articles(one), body, { "if-none-match": "*" }), 403)
    }
  })

  test("refuses a body of another id, as PATCH does", async () => {
    const body = { id: crypto.randomUUID(), title: "x" }
    const record = await published()
    const patched = await refused(call(alice, "PATCH", articles(record.id), body), 400)
    expect(patched.errors?.[0]).toMatchObject({ path: "id", code: "mismatch" })
    const { errors } = await refused(call(alice, "PUT", articles(crypto.randomUUID()), body), 400)
    expect(errors?.[0]).toMatchObject({ path: "id", code: "mismatch" })
  })
})

/** @see https://www.rfc-editor.org/rfc/rfc7396#appendix-A — one level down, because our field holds the document. */
describe("json fields merge as RFC 7396 publishes it", () => {
  test.each<[string, string, string]>([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', "{}"],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', "null", "null"],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ["[1,2]", '{"a":"b","c":null}', '{"a":"b"}'],
    ["{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
    ["null", '{"a":{"b":null}}', '{"a":{}}'],
    ['"text"', '{"a":1}', '{"a":1}'],
    ["5", "false", "false"],
  ])("%s with %s is %s", async (original, merge, result) => {
    const record = await published({ meta: JSON.parse(original) })
    expect(record.meta).toEqual(JSON.parse(original))
    const answer = await call(alice, "PATCH", articles(record.id), `{"meta":${merge}}`, {
      "content-type": "application/merge-patch+json",
    })
    expect((await read(answer, 200)).meta).toEqual(JSON.parse(result))
    expect((await get(alice, "articles", record.id)).meta).toEqual(JSON.parse(result))
  })
})
