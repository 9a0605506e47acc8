import { beforeAll, describe, expect, test } from "vitest"
import { collection } from "../../../src/core/records/collection.ts"
import { integer, text } from "../../../src/core/records/fields.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import {
  create,
  get,
  type Json,
  linesOf,
  nowhere,
  query,
  type Refused,
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

interface Operation {
  method: string
  path: string
  headers?: Record<string, string>
  body?: unknown
}
interface Result {
  status: number
  headers: Record<string, string>
  body: Stored
}

const send = (as: Person | null, operations: unknown, headers: Record<string, string> = {}) =>
  call(as, "POST", "/batch", { operations }, headers)
const run = async (as: Person | null, operations: Operation[], headers = {}): Promise<Result[]> =>
  (await read<{ results: Result[] }>(send(as, operations, headers), 200)).results
const refuse = async (as: Person | null, operations: unknown, status: number) =>
  (await refused(send(as, operations), status)) as Refused & { index?: number }
const post = (collection: string, body: unknown): Operation => ({
  method: "POST",
  path: `/records/${collection}`,
  body,
})
const lines = async () => (await query("SELECT count(*) AS n FROM changes"))[0]?.n

describe("a batch", () => {
  test("writes all of it in one trip, and answers what each would have been answered alone", async () => {
    const kept = await create(alice, "articles", { title: "Kept" })
    const gone = await create(alice, "articles", { title: "Gone" })
    const id = crypto.randomUUID()
    const response = await send(alice, [
      post("articles", { title: "New", status: "published" }),
      { method: "PATCH", path: `/records/articles/${kept.id}`, body: { words: 3 } },
      { method: "PUT", path: `/records/articles/${id}`, body: { title: "Put" } },
      { method: "DELETE", path: `/records/articles/${gone.id}` },
    ])
    expect(costOf(response).trips).toBe(1)
    const { results } = await read<{ results: Result[] }>(response, 200)
    expect(results.map(({ status }) => status)).toEqual([201, 200, 201, 204])
    for (const { headers, body, status } of results.slice(0, 3)) {
      const alone = await call(alice, "GET", `/records/articles/${body.id}`)
      expect(headers.etag).toBe(alone.headers.get("etag"))
      expect(body).toEqual(await alone.json())
      expect(headers.location).toBe(status === 201 ? `/records/articles/${body.id}` : undefined)
      expect(await linesOf(body.id)).toHaveLength(body.version)
    }
    expect(results[3]).toEqual({ status: 204, headers: {}, body: null })
    await get(alice, "articles", gone.id, 404)
  })

  test("refused at any place leaves nothing behind, and names the first that failed", async () => {
    const before = await lines()
    const fine = post("articles", { title: "Fine" })
    const forbidden = post("articles", { title: "x", author: bob.id })
    const invalid = post("articles", { title: 7 })
    expect(await refuse(alice, [fine, forbidden, fine], 403)).toMatchObject({ index: 1 })
    expect(await refuse(alice, [fine, fine, invalid], 400)).toMatchObject({
      index: 2,
      errors: [{ path: "title" }],
    })
    expect(await refuse(alice, [fine, forbidden, invalid], 403)).toMatchObject({ index: 1 })
    expect(await refuse(alice, [forbidden], 403)).toMatchObject({ index: 0 })
    expect(await refuse(alice, [post("nothing", {})], 404)).toMatchObject({ index: 0 })
    expect(await lines()).toBe(before)
  })

  test("is the same story, whoever may not see a record: it does not exist", async () => {
    const hidden = await create(alice, "articles", { title: "Draft" })
    for (const id of [hidden.id, nowhere]) {
      const operations = [
        post("tags", { name: crypto.randomUUID() }),
        { method: "PATCH", path: `/records/articles/${id}`, body: { words: 1 } },
      ]
      const { requestId: _, ...problem } = (await refuse(bob, operations, 404)) as Refused & Json
      expect(problem).toMatchObject({ code: "not_found", index: 1 })
      const comment = [post("comments", { article: id, text: "x" })]
      expect(await refuse(bob, comment, 400)).toMatchObject({
        errors: [{ path: "article", code: "invalid_reference" }],
      })
    }
  })

  test("asks the anonymous to sign in, where that could help", async () => {
    expect(await refuse(null, [post("tags", { name: 7 })], 401)).toMatchObject({ index: 0 })
    const [made] = await run(null, [post("suggestions", { text: "tea" })])
    expect(Object.keys(made?.body ?? {})).toEqual(["id"])
  })
})

describe("an operation names what others made", () => {
  test("by $0.id, in paths and in values of any depth", async () => {
    const results = await run(alice, [
      post("tags", { name: "ref-a" }),
      post("projects", { name: "ref" }),
      post("articles", {
        title: "$1.id",
        project: "$1.id",
        tags: ["$0.id"],
        meta: { a: ["$0.id"] },
      }),
      { method: "PATCH", path: "/records/articles/$2.id", body: { title: "$1.id and more" } },
    ])
    const [tag, project, article, patched] = results.map(({ body }) => body)
    expect(article).toMatchObject({
      title: project?.id,
      project: project?.id,
      tags: [tag?.id],
      meta: { a: [tag?.id] },
      version: 1,
    })
    expect(patched).toMatchObject({ id: article?.id, title: "$1.id and more", version: 2 })
  })

  test.each([
    ["$$0.id", "$0.id"],
    ["$$$0.id", "$$0.id"],
    ["$$0.name", "$$0.name"],
    ["$0.id ", "$0.id "],
    ["$.id", "$.id"],
  ])("and the text %s becomes %s", async (sent, stored) => {
    const [, article] = await run(alice, [
      post("tags", { name: crypto.randomUUID() }),
      post("articles", { title: sent }),
    ])
    expect(article?.body.title).toBe(stored)
  })

  test.each([["$1.id"], ["$2.id"], ["$99.id"]])(
    "and not %s, which does not stand before",
    async (title) => {
      const operations = [post("tags", { name: "never" }), post("articles", { title })]
      expect(await refuse(alice, operations, 400)).toMatchObject({
        index: 1,
        errors: [{ code: "reference" }],
      })
    },
  )

  test("and finds it as the operations before left it", async () => {
    const results = await run(alice, [
      post("articles", { title: "One" }),
      {
        method: "PATCH",
        path: "/records/articles/$0.id",
        headers: { "If-Match": '"1"' },
        body: { title: "Two" },
      },
      {
        method: "PATCH",
        path: "/records/articles/$0.id",
        headers: { "if-match": '"2"' },
        body: { title: "Two" },
      },
      { method: "PUT", path: "/records/articles/$0.id", body: { title: "Three" } },
      { method: "DELETE", path: "/records/articles/$0.id", headers: { "If-Match": '"3"' } },
      { method: "PUT", path: "/records/articles/$0.id", body: { title: "Four" } },
      { method: "PUT", path: "/records/articles/$0.id", body: { title: "Four" } },
    ])
    expect(results.map(({ status, body }) => [status, body?.title, body?.version])).toEqual([
      [201, "One", 1],
      [200, "Two", 2],
      [200, "Two", 2],
      [200, "Three", 3],
      [204, undefined, undefined],
      [201, "Four", 5],
      [200, "Four", 5],
    ])
    const kinds = (await linesOf(results[0]?.body.id as string)).map(({ kind }) => kind)
    expect(kinds).toEqual(["created", "updated", "updated", "deleted", "created"])
  })

  test("and a rule about a change sees the change of this operation alone", async () => {
    const project = await create(alice, "projects", { name: "x" })
    const path = `/records/projects/${project.id}`
    const away = { method: "PATCH", path, body: { owner: bob.id } }
    expect(
      await refuse(alice, [{ method: "PATCH", path, body: { name: "y" } }, away], 403),
    ).toMatchObject({ index: 1 })
    const results = await run(alice, [
      { method: "PATCH", path, body: { name: "y", people: [bob.id] } },
      { method: "PATCH", path, body: { name: "z", owner: alice.id } },
    ])
    expect(results.map(({ body }) => body.name)).toEqual(["y", "z"])
  })
})

test.each<[string, Operation[], number, string | undefined]>([
  ["a method that writes nothing", [{ method: "GET", path: "/records/tags" }], 400, undefined],
  ["a path elsewhere", [{ method: "POST", path: "/auth/users", body: {} }], 400, "path"],
  [
    "a path with parameters",
    [{ method: "POST", path: "/records/tags?x=1", body: {} }],
    400,
    "unknown_parameter",
  ],
  ["a path that is none", [{ method: "POST", path: "x/records/tags" }], 400, "path"],
  ["a path too far", [{ method: "PATCH", path: `/records/tags/${nowhere}/x` }], 400, "path"],
  ["a create with an id", [{ method: "POST", path: `/records/tags/${nowhere}` }], 405, undefined],
  ["a change without one", [{ method: "PATCH", path: "/records/tags" }], 405, undefined],
  [
    "an id that cannot be one",
    [{ method: "PATCH", path: "/records/articles/7", body: {} }],
    404,
    undefined,
  ],
  [
    "an id that may not be chosen",
    [{ method: "PUT", path: "/records/articles/7", body: {} }],
    400,
    "id",
  ],
  [
    "a body where none is",
    [{ method: "DELETE", path: `/records/articles/${nowhere}`, body: {} }],
    400,
    "unexpected",
  ],
  [
    "a header that means nothing",
    [{ ...post("tags", {}), headers: { "If-Match": '"1"' } }],
    400,
    "unknown_header",
  ],
  [
    "a key of its own",
    [{ ...post("tags", {}), headers: { "Idempotency-Key": "k" } }],
    400,
    "unknown_header",
  ],
  [
    "another media type",
    [{ ...post("tags", {}), headers: { "Content-Type": "text/csv" } }],
    415,
    undefined,
  ],
  [
    "a condition that is none",
    [
      {
        method: "PATCH",
        path: `/records/articles/${nowhere}`,
        body: {},
        headers: { "If-Match": "1" },
      },
    ],
    400,
    "format",
  ],
])("%s is refused with its place", async (_, operations, status, code) => {
  const problem = await refuse(alice, operations, status)
  expect(problem.index).toBe(0)
  if (code) expect(problem.errors?.[0]?.code).toBe(code)
})

test("a batch has a size, and says so", async () => {
  expect((await refuse(alice, [], 400)).errors?.[0]?.path).toBe("operations")
  const many = Array.from({ length: 101 }, (_, n) => post("tags", { name: `many ${n}` }))
  expect((await refuse(alice, many, 400)).errors?.[0]).toMatchObject({
    path: "operations",
    code: "too_big",
  })
  expect(await run(alice, many.slice(1))).toHaveLength(100)
  await refuse(alice, [post("articles", { title: "x", body: "x".repeat(1_100_000) })], 413)
  await refused(
    call(
      alice,
      "POST",
      "/batch",
      `{"operations":[{"method":"POST","path":"/records/tags","body":${"[".repeat(400_000)}`,
    ),
    400,
  )
  const deep = `${"[".repeat(100_000)}"$0.id"${"]".repeat(100_000)}`
  await refused(
    call(
      alice,
      "POST",
      "/batch",
      `{"operations":[{"method":"POST","path":"/records/articles","body":{"title":"x","meta":${deep}}}]}`,
    ),
    400,
  )
})

describe("under one Idempotency-Key", () => {
  const operations = (name: string): Operation[] => [
    post("tags", { name }),
    post("articles", { title: "Kept", tags: ["$0.id"], status: "published" }),
    { method: "PATCH", path: "/records/articles/$1.id", body: { title: "Changed" } },
    { method: "DELETE", path: "/records/articles/$1.id" },
    { method: "PUT", path: "/records/articles/$1.id", body: { title: "Again" } },
  ]
  test("it is made once, and answered again as it was", async () => {
    const key = { "idempotency-key": "batch-1" }
    const first = await run(alice, operations("once"), key)
    const [changed] = await run(
      alice,
      [{ method: "PATCH", path: `/records/tags/${first[0]?.body.id}`, body: {} }]
        .slice(1)
        .concat(post("tags", { name: "other" }) as never),
    )
    expect(changed?.status).toBe(201)
    const before = await lines()
    expect(await run(alice, operations("once"), key)).toEqual(first)
    expect(await lines()).toBe(before)
    await refused(send(alice, operations("twice"), key), 422)
    expect((await run(bob, operations("bob"), key))[0]?.body.id).not.toBe(first[0]?.body.id)
  })

  test("a record that is gone or hidden by then is answered by its id alone", async () => {
    const key = { "idempotency-key": "batch-2" }
    const made = [post("articles", { title: "Mine" }), post("tags", { name: "stays" })]
    const first = await run(alice, made, key)
    const id = first[0]?.body.id as string
    await call(alice, "DELETE", `/records/articles/${id}`)
    const again = await run(alice, made, key)
    expect(again[0]).toMatchObject({ status: 201, body: { id } })
    expect(Object.keys(again[0]?.body ?? {})).toEqual(["id"])
    expect(again[1]).toEqual(first[1])
  })

  test("sent ten times at once it is made once; refused, it is not kept", async () => {
    const key = { "idempotency-key": "batch-3" }
    const wrong = [post("tags", { name: "p" }), post("articles", { title: "x", author: bob.id })]
    await refused(send(alice, wrong, key), 403)
    const right = [post("tags", { name: "p" })]
    const all = await Promise.all(Array.from({ length: 10 }, () => run(alice, right, key)))
    expect(new Set(all.map((results) => JSON.stringify(results))).size).toBe(1)
    expect(await query("SELECT id FROM tags WHERE name = 'p'")).toHaveLength(1)
  })
})

describe("hooks", () => {
  test("run for each operation, and what they add belongs to its place", async () => {
    const results = await run(alice, [
      post("orders", { quantity: 2 }),
      post("orders", { quantity: 3 }),
    ])
    expect(results.map(({ body }) => body.total)).toEqual([14, 21])
    const problem = await refuse(
      alice,
      [post("orders", { quantity: 2 }), post("orders", { quantity: 200 })],
      400,
    )
    expect(problem).toMatchObject({ index: 1, detail: "At most 100 at a time." })
  })

  test("that look at the stored record allow one write of it in a batch", async () => {
    const operations = [
      post("orders", { quantity: 2 }),
      { method: "PATCH", path: "/records/orders/$0.id", body: { quantity: 3 } },
    ]
    expect(await refuse(alice, operations, 400)).toMatchObject({
      index: 1,
      errors: [{ code: "repeated" }],
    })
  })

  test("that fail for the second of two writes leave no job of the first", async () => {
    const jobs = async () => (await query("SELECT count(*) AS n FROM jobs"))[0]?.n
    const before = await jobs()
    await refuse(
      alice,
      [post("wishes", { label: "w" }), post("wishes", { label: "forbidden" })],
      403,
    )
    expect(await jobs()).toBe(before)
    await run(alice, [post("wishes", { label: "w1" }), post("wishes", { label: "w2" })])
    expect(await jobs()).toBe((before as number) + 2)
  })
})

test("one unique value may not be taken twice in one batch", async () => {
  const shop = await openWorkshop([
    collection("seats", {
      fields: { label: text({ required: true, unique: true }), row: integer() },
      rules: { read: "true", create: "@me.id != null", update: "@me.id != null" },
    }),
  ])
  const operations = [
    post("seats", { label: "a" }),
    post("seats", { label: "b" }),
    post("seats", { label: "a" }),
  ]
  const problem = await read<Json>(shop.call(alice, "POST", "/batch", { operations }), 409)
  expect(problem).toMatchObject({
    code: "conflict",
    index: 2,
    errors: [{ path: "label", code: "taken" }],
  })
})

test("an editor's rights are the editor's, operation by operation", async () => {
  const { id } = await create(alice, "articles", { title: "x", status: "published" })
  const path = `/records/articles/${id}`
  const feature = { method: "PATCH", path, body: { featured: true } }
  expect(await refuse(alice, [feature], 403)).toMatchObject({ index: 0 })
  const [result] = await run(editor, [feature])
  expect(result?.body.featured).toBe(true)
})
