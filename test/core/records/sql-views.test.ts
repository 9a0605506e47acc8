import { env } from "cloudflare:workers"
import { beforeAll, describe, expect, test } from "vitest"
import { sqlView } from "../../../src/core/records/collection.ts"
import { integer, relation, relations, text } from "../../../src/core/records/fields.ts"
import { linkCollections } from "../../../src/core/records/link.ts"
import { fixtures } from "../../support/collections.ts"
import { call, costOf, type Person, signedIn, signIn } from "../../support/people.ts"
import { create, type Json, list, listPath, read, refused } from "./cast.ts"

let alice: Person
let admin: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  admin = await signedIn("admin", ["administrator"])
  for (const [title, status, words] of [
    ["One", "published", 3],
    ["Two", "published", 4],
    ["Three", "draft", 5],
  ]) {
    await create(alice, "articles", { title, status, words })
  }
  await create(alice, "tags", { name: "red" })
})

describe("a view", () => {
  test("is listed, filtered, sorted, paged, counted and read like any collection", async () => {
    const { items } = await list(null, "writers", { expand: "author" })
    expect(items).toEqual([
      {
        id: alice.id,
        author: alice.id,
        articles: 2,
        words: 7,
        busy: true,
        expanded: { author: null },
      },
    ])
    const filter = "articles > 1 && busy && author != null"
    const found = await list(alice, "writers", {
      filter,
      sort: "-words",
      count: "exact",
      fields: "id,words,author.name",
      limit: "1",
    })
    expect(found).toEqual({
      items: [{ id: alice.id, words: 7, expanded: { author: { name: "alice" } } }],
      next: null,
      count: 1,
    })
    expect((await list(null, "writers", { filter: "articles > 2" })).items).toEqual([])
    const one = await call(null, "GET", `/records/writers/${alice.id}`)
    expect(costOf(one).trips).toBe(1)
    const etag = one.headers.get("etag") as string
    expect(await read<Json>(one, 200)).toEqual({ ...items[0], expanded: undefined })
    const again = await call(null, "GET", `/records/writers/${alice.id}`, undefined, {
      "if-none-match": etag,
    })
    expect(again.status).toBe(304)
    await create(alice, "articles", { title: "Four", status: "published", words: 1 })
    const changed = await call(null, "GET", `/records/writers/${alice.id}`, undefined, {
      "if-none-match": etag,
    })
    expect(changed.status).toBe(200)
  })

  test("is aggregated and exported", async () => {
    const path = "/records/writers/aggregate?measure=sum(words),count&group=busy"
    expect(await read<Json>(call(null, "GET", path), 200)).toEqual({
      items: [{ busy: true, "sum(words)": 8, count: 1 }],
      next: null,
    })
    const exported = await call(null, "GET", "/records/writers/export?format=ndjson")
    expect(JSON.parse(await exported.text())).toMatchObject({ id: alice.id, articles: 3 })
  })

  test("has ids of its own making", async () => {
    const seen = await list(alice, "ticketCounts")
    expect(seen.items).toEqual([])
    await refused(call(alice, "GET", "/records/ticketCounts/no-such-subject"), 404)
  })

  test("pages through its records", async () => {
    const first = await list(alice, "letters", { limit: "2", sort: "-position" })
    expect(first.items).toEqual([
      { id: "d", position: 4 },
      { id: "c", position: 3 },
    ])
    const parameters = { limit: "2", sort: "-position", cursor: first.next as string }
    const second = await list(alice, "letters", parameters)
    expect([second.items.map(({ id }) => id), second.next]).toEqual([["b", "a"], null])
    expect(await read<Json>(call(alice, "GET", "/records/letters/b"), 200)).toEqual({
      id: "b",
      position: 2,
    })
  })

  test("keeps its rules", async () => {
    await refused(call(null, "GET", listPath("letters")), 401)
    await refused(call(null, "GET", "/records/letters/a"), 401)
  })

  test.each([
    ["POST", "/records/letters", { position: 1 }],
    ["PATCH", "/records/letters/a", { position: 1 }],
    ["PUT", "/records/letters/a", { position: 1 }],
    ["DELETE", "/records/letters/a", undefined],
  ])("refuses %s from everybody, and says what is allowed", async (method, path, body) => {
    for (const as of [null, alice, admin]) {
      const answer = await call(as, method, path, body)
      expect(answer.headers.get("allow")).toBe("GET, HEAD, OPTIONS")
      expect((await refused(answer, 405)).code).toBe("method_not_allowed")
    }
  })

  test("has no history, and is not written in a batch", async () => {
    await refused(call(admin, "GET", "/records/letters/a/history"), 404)
    const operations = [{ method: "POST", path: "/records/letters", body: { position: 1 } }]
    await refused(call(admin, "POST", "/batch", { operations }), 405)
  })

  test("is in the document of those who may read it, without a write", async () => {
    const { paths } = await read<{ paths: Json }>(call(admin, "GET", "/openapi.json"), 200)
    expect(Object.keys(paths["/records/letters"] as Json)).toEqual(["get"])
    expect(Object.keys(paths["/records/letters/{id}"] as Json)).toEqual(["get"])
  })
})

describe("a view over what belongs to organisations", () => {
  const members: Person[] = []
  beforeAll(async () => {
    for (const name of ["acme", "rival"]) {
      const { id, email } = await signedIn(`of-${name}`)
      const organisation = crypto.randomUUID()
      const at = new Date().toISOString()
      await env.DB.batch([
        env.DB.prepare(
          "INSERT INTO organisations (id, name, database, createdAt) VALUES (?, ?, 'main', ?)",
        ).bind(organisation, name, at),
        env.DB.prepare("INSERT INTO organisation_members VALUES (?, ?, '[]', ?)").bind(
          organisation,
          id,
          at,
        ),
        env.DB.prepare("INSERT INTO member_organisations VALUES (?, ?, '[]')").bind(
          organisation,
          id,
        ),
      ])
      const member = await signIn(email)
      members.push(member)
      const shared = await create(member, "tickets", { subject: "shared", watchers: [id] })
      await create(member, "tickets", { subject: "shared", parent: shared.id })
      await create(member, "tickets", { subject: `own ${name}` })
    }
  })

  test("groups and joins the rows of the caller's alone, whatever its SQL does", async () => {
    const [acme, rival] = members as [Person, Person]
    for (const [member, name] of [
      [acme, "acme"],
      [rival, "rival"],
    ] as const) {
      const seen = await list(member, "ticketCounts", { sort: "subject" })
      expect(seen.items).toEqual([
        { id: `own ${name}`, subject: `own ${name}`, tickets: 1, watchers: 0 },
        { id: "shared", subject: "shared", tickets: 2, watchers: 1 },
      ])
      const path = "/records/ticketCounts/aggregate?measure=sum(tickets),count"
      expect((await read<{ items: Json[] }>(call(member, "GET", path), 200)).items).toEqual([
        { "sum(tickets)": 3, count: 2 },
      ])
    }
    const other = await call(
      acme,
      "GET",
      `/records/ticketCounts/${encodeURIComponent("own rival")}`,
    )
    expect(other.status).toBe(404)
  })

  test("is empty for those who act in none", async () => {
    for (const as of [alice, admin]) expect((await list(as, "ticketCounts")).items).toEqual([])
  })
})

describe("a definition is refused", () => {
  const linked = (sql: string, fields = {}) =>
    linkCollections([...fixtures, sqlView("wrong", { sql, fields: { n: integer(), ...fields } })])
  test.each([
    ["SELECT id, 1 AS n FROM users", "users"],
    ['SELECT id, 1 AS n FROM "Changes"', "changes"],
    ["SELECT id, 1 AS n FROM main.tickets", "main"],
    ["SELECT name AS id, 1 AS n FROM sqlite_master", "sqlite_master"],
    ["SELECT name AS id, 1 AS n FROM pragma_table_list", "pragma_table_list"],
    ["SELECT rowid AS id, 1 AS n FROM tickets_search", "tickets_search"],
    ["SELECT id, n FROM letters", "letters"],
    ["SELECT id, ? AS n FROM articles", "parameters"],
    ["SELECT id, :n AS n FROM articles", "parameters"],
    ["SELECT id, 1 AS n FROM articles; DELETE FROM articles", "one statement"],
    ["SELECT id, 1 AS n FROM articles -- it's", "comments"],
    ["SELECT id, 1 AS n FROM [users]", "brackets"],
    ["DELETE FROM articles RETURNING id, 1 AS n", "SELECT"],
  ])("%s", (sql, problem) => {
    expect(() => linked(sql)).toThrow(problem)
  })

  test("that leads to many, and relations that lead to it", () => {
    const sql = "SELECT id, 1 AS n, 2 AS tags FROM articles"
    expect(() => linked(sql, { tags: relations("tags") })).toThrow("tags")
    const pointing = { name: "pointing", options: { fields: { to: relation("letters") } } }
    expect(() => linkCollections([...fixtures, pointing])).toThrow("view")
  })

  test("while words in texts and names of its own are nobody's", () => {
    const sql = "SELECT 'users; -- ?' AS id, length(slug) AS n, title FROM articles"
    expect(linked(sql, { title: text() }).get("wrong")?.sqlView?.reads).toHaveLength(1)
  })
})
