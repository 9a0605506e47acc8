import { beforeAll, describe, expect, test } from "vitest"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { create, type Json, list, listPath, nowhere, query, read } from "./cast.ts"

let alice: Person
let article: string
beforeAll(async () => {
  alice = await signedIn("alice")
  article = (await create(alice, "articles", { title: "First", status: "published" })).id
})

/** Everything that a list can be asked for at once. */
const everything = {
  filter: 'words > 2 && any(comments, stars > 1) || project.name = "x" || count(tags) = 0',
  sort: "-words,title,score",
  fields: "id,title,project.name",
  expand: "author,tags,comments.author",
  search: "first",
  count: "exact",
}

describe("each operation is one trip", () => {
  const own = () => `/records/articles/${article}`
  const other = () => create(alice, "articles", { title: "Other" })
  test.each<[string, (as: Person | null) => Promise<Response>, boolean]>([
    ["get", (as) => call(as, "GET", own()), true],
    ["get with expansions", (as) => call(as, "GET", `${own()}?expand=author,comments`), true],
    ["get of nothing", (as) => call(as, "GET", `/records/articles/${nowhere}`), true],
    ["list", (as) => call(as, "GET", "/records/articles"), true],
    ["list with everything", (as) => call(as, "GET", listPath("articles", everything)), true],
    ["ranked search", (as) => call(as, "GET", listPath("articles", { search: "first" })), true],
    ["create by anyone", (as) => call(as, "POST", "/records/suggestions", { text: "x" }), true],
    ["create", (as) => call(as, "POST", "/records/articles", { title: "x" }), false],
    [
      "create under a key",
      (as) => call(as, "POST", "/records/articles", { title: "x" }, { "idempotency-key": "once" }),
      false,
    ],
    ["patch", (as) => call(as, "PATCH", own(), { words: 8, meta: { a: 1 }, tags: [] }), false],
    ["patch of nothing", (as) => call(as, "PATCH", `/records/articles/${nowhere}`, {}), false],
    ["a stale patch", (as) => call(as, "PATCH", own(), {}, { "if-match": '"99"' }), false],
    ["put", (as) => call(as, "PUT", own(), { title: "First", status: "published" }), false],
    [
      "put that creates",
      (as) => call(as, "PUT", `/records/articles/${crypto.randomUUID()}`, { title: "x" }),
      false,
    ],
    ["delete", async (as) => call(as, "DELETE", `/records/articles/${(await other()).id}`), false],
  ])("%s", async (_, operation, anonymously) => {
    for (const as of anonymously ? [null, alice] : [alice]) {
      const answer = await operation(as)
      expect(answer.status, await answer.text()).toBeLessThan(500)
      expect(costOf(answer).trips).toBe(1)
    }
  })

  test("what can be refused without the database costs none", async () => {
    const answer = await call(null, "PATCH", own(), { words: 1 })
    expect(answer.status).toBe(401)
    expect(costOf(answer).trips).toBe(0)
  })
})

describe("two trips", () => {
  test("where a hook needs the stored record", async () => {
    const order = await create(alice, "orders", { quantity: 1 })
    const path = `/records/orders/${order.id}`
    expect(costOf(await call(alice, "PATCH", path, { quantity: 2 })).trips).toBe(2)
    expect(costOf(await call(alice, "DELETE", path)).trips).toBe(2)
    const made = await call(alice, "POST", "/records/orders", { quantity: 1 })
    expect(costOf(made).trips).toBe(1)
  })

  test("for an idempotent replay", async () => {
    const post = () =>
      call(alice, "POST", "/records/articles", { title: "x" }, { "idempotency-key": "twice" })
    expect(costOf(await post()).trips).toBe(1)
    expect(costOf(await post()).trips).toBe(2)
  })
})

describe("rows read stay the same when rows grow", () => {
  /** Published articles, each under its own number of words, with a line in the log as if written. */
  async function grow(count: number): Promise<void> {
    await query(
      `INSERT INTO articles (id, version, createdAt, updatedAt, title, status, author, words)
       SELECT printf('%08x-0000-4000-8000-000000000000', key), 1, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', 'Row ' || key, 'published', ?, key
       FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`,
      [alice.id, JSON.stringify(Array.from({ length: count }, () => 0))],
    )
    await query("PRAGMA optimize")
  }

  async function deepPage(parameters: Record<string, string>): Promise<number> {
    let cursor = ""
    for (let page = 0; page < 4; page++) {
      const found: { next: string | null } = await list(alice, "articles", {
        ...parameters,
        limit: "50",
        ...(cursor && { cursor }),
      })
      cursor = found.next as string
    }
    const answer = await call(
      alice,
      "GET",
      listPath("articles", { ...parameters, limit: "50", cursor }),
    )
    expect((await read<{ items: Json[] }>(answer, 200)).items).toHaveLength(50)
    return costOf(answer).rowsRead
  }

  const pages: Record<string, string>[] = [
    {},
    { sort: "words" },
    { sort: "-words" },
    { filter: 'status = "published"', sort: "-words" },
    { filter: "words >= 20", sort: "words" },
  ]

  test("of a get, a create and a deep page", async () => {
    const measure = async () => ({
      anonymousGet: costOf(await call(null, "GET", `/records/articles/${article}`)).rowsRead,
      get: costOf(await call(alice, "GET", `/records/articles/${article}`)).rowsRead,
      patch: costOf(
        await call(alice, "PATCH", `/records/articles/${article}`, { score: Math.random() }),
      ).rowsRead,
      pages: await Promise.all(pages.map(deepPage)),
    })
    await grow(300)
    const small = await measure()
    await grow(5_300)
    const large = await measure()
    expect(small.anonymousGet).toBeLessThanOrEqual(3)
    expect(large).toEqual(small)
    for (const rows of large.pages) expect(rows).toBeLessThan(420)
  })
})
