import { afterEach, beforeEach, expect, expectTypeOf, test, vi } from "vitest"
import { createClient } from "../../src/client/client.ts"
import { filter } from "../../src/client/filter.ts"
import { ApiProblem } from "../../src/client/problem.ts"
import type { collections } from "./collections.ts"
import { answers, fails, fakeServer, refuses } from "./fake-server.ts"

const connect = (server: ReturnType<typeof fakeServer>) =>
  createClient<typeof collections>({ url: "http://server.test/", fetch: server.fetch })

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Lets the client's waiting pass at once. */
async function soon<T>(work: Promise<T>): Promise<T> {
  const settled = work.catch(() => {})
  await vi.runAllTimersAsync()
  await settled
  return work
}

test("a list's query goes into the address, lists with commas", async () => {
  const server = fakeServer(answers({ items: [], next: null, count: 0 }))
  await connect(server)
    .records("films")
    .list({
      filter: filter`title ~ ${"a&b"}`,
      sort: ["-averageStars", "title"],
      fields: ["id", "title"],
      limit: 2,
      count: true,
      search: "",
    })
  const { pathname, searchParams } = new URL(server.sent[0]?.path ?? "", "http://server.test")
  expect(pathname).toBe("/records/films")
  expect(Object.fromEntries(searchParams)).toEqual({
    filter: 'title ~ "a&b"',
    sort: "-averageStars,title",
    fields: "id,title",
    limit: "2",
    count: "exact",
  })
})

test("an aggregate's question goes into the address", async () => {
  const server = fakeServer(answers({ items: [{ genre: "Drama", count: 2 }], next: null }))
  const { items } = await connect(server)
    .records("films")
    .aggregate({ group: ["genre"], measure: ["count"], sort: "-count" })
  expect(items).toEqual([{ genre: "Drama", count: 2 }])
  expect(decodeURIComponent(server.sent[0]?.path ?? "")).toBe(
    "/records/films/aggregate?group=genre&measure=count&sort=-count",
  )
})

test("a search of several collections is one call, and its hits are typed by their collection", async () => {
  const hit = {
    collection: "films",
    rank: 1.2,
    highlights: { title: [{ text: "Man", match: true }] },
    record: { id: "1", title: "Man" },
  }
  const server = fakeServer(answers({ items: [hit] }))
  const [found] = await connect(server).search("third man", { collections: ["films"], limit: 5 })
  expect(decodeURIComponent(server.sent[0]?.path ?? "")).toBe(
    "/search?q=third+man&collections=films&limit=5",
  )
  expectTypeOf(found?.record.title).toEqualTypeOf<string | undefined>()
  expect(found).toEqual(hit)
})

test("pages follow the cursor to the end", async () => {
  const server = fakeServer(
    answers({ items: [{ id: "1" }], next: "c 1" }),
    answers({ items: [{ id: "2" }], next: null }),
  )
  const seen: string[] = []
  for await (const page of connect(server).records("films").pages({ limit: 1 })) {
    seen.push(...page.items.map((item) => item.id))
  }
  expect(seen).toEqual(["1", "2"])
  expect(server.sent.map((call) => call.path)).toEqual([
    "/records/films?limit=1",
    "/records/films?limit=1&cursor=c+1",
  ])
})

test("a version becomes an ETag, an ETag goes as it is, and a delete answers nothing", async () => {
  const server = fakeServer(answers({ id: "r" }), answers({ id: "r" }), answers(null, {}, 204))
  const reviews = connect(server).records("reviews")
  await reviews.update("r", { stars: 3 }, { ifMatch: 7 })
  await reviews.replace("r", { stars: 3 }, { ifMatch: '"7-x"' })
  expect(await reviews.delete("r", { ifMatch: 8 })).toBeUndefined()
  expect(server.sent.map((call) => [call.method, call.path, call.headers.get("if-match")])).toEqual(
    [
      ["PATCH", "/records/reviews/r", '"7"'],
      ["PUT", "/records/reviews/r", '"7-x"'],
      ["DELETE", "/records/reviews/r", '"8"'],
    ],
  )
})

test("a create that got no answer is sent again under the same idempotency key", async () => {
  const server = fakeServer(fails, fails, answers({ id: "r" }, {}, 201))
  await soon(connect(server).records("reviews").create({ film: "f", stars: 5 }))
  const keys = server.sent.map((call) => call.headers.get("idempotency-key"))
  expect(keys).toEqual([keys[0], keys[0], keys[0]])
  expect(keys[0]).toMatch(/^[0-9a-f]{32}$/)
})

test("two creates have two keys, and a given key is used", async () => {
  const server = fakeServer(answers({}), answers({}), answers({}))
  const reviews = connect(server).records("reviews")
  await reviews.create({ stars: 1 })
  await reviews.create({ stars: 1 })
  await reviews.create({ stars: 1 }, { idempotencyKey: "mine" })
  const keys = server.sent.map((call) => call.headers.get("idempotency-key"))
  expect(new Set(keys).size).toBe(3)
  expect(keys[2]).toBe("mine")
})

test("an overloaded server's reads are repeated after the time that it names", async () => {
  const busy = refuses(503, "overloaded", {}, { "retry-after": "2" })
  const server = fakeServer(busy, answers({ id: "f" }))
  const start = Date.now()
  await soon(connect(server).records("films").get("f"))
  expect(server.sent).toHaveLength(2)
  expect(Date.now() - start).toBeGreaterThanOrEqual(2000)
})

test("reads give up after four attempts", async () => {
  const server = fakeServer(...Array(9).fill(refuses(503, "overloaded")))
  await expect(soon(connect(server).records("films").list())).rejects.toMatchObject({ status: 503 })
  expect(server.sent).toHaveLength(4)
})

test("a server that asks for a minute is reported at once", async () => {
  const server = fakeServer(refuses(503, "overloaded", {}, { "retry-after": "60" }))
  await expect(connect(server).records("films").list()).rejects.toMatchObject({
    retryAfterSeconds: 60,
  })
})

test.each([
  ["a network failure", fails],
  ["an overloaded server", refuses(503, "overloaded")],
])("a change without a key is not repeated after %s", async (_, step) => {
  const server = fakeServer(step)
  const change = connect(server).records("reviews").update("r", { stars: 1 })
  await expect(change).rejects.toBeInstanceOf(ApiProblem)
  expect(server.sent).toHaveLength(1)
})

test("a problem carries what the server said", async () => {
  const errors = [{ path: "fields.stars", code: "too_big", message: "At most 5." }]
  const server = fakeServer(refuses(400, "invalid_input", { errors, index: 2 }))
  const problem = await connect(server)
    .records("reviews")
    .create({ stars: 9 })
    .catch((e) => e)
  expect(problem).toBeInstanceOf(ApiProblem)
  expect(problem).toMatchObject({
    status: 400,
    code: "invalid_input",
    detail: "detail of invalid_input",
    errors,
    requestId: "req-1",
    body: { index: 2 },
  })
})

test("an answer that is not the API's is a problem too", async () => {
  const server = fakeServer(() => new Response("<h1>Bad gateway</h1>", { status: 502 }))
  const read = connect(server).records("films").get("f")
  await expect(read).rejects.toMatchObject({ status: 502, code: "unreadable", requestId: null })
})

test("an aborted read ends with the signal's own reason and is not repeated", async () => {
  const server = fakeServer()
  const read = connect(server)
    .records("films")
    .list({}, { signal: AbortSignal.abort("enough") })
  await expect(read).rejects.toBe("enough")
  expect(server.sent).toHaveLength(1)
})

test("an abort also ends the waiting between attempts", async () => {
  const server = fakeServer(fails)
  const stop = new AbortController()
  const read = connect(server).records("films").list({}, { signal: stop.signal })
  const outcome = expect(read).rejects.toThrow("enough")
  await vi.advanceTimersByTimeAsync(10)
  stop.abort(new Error("enough"))
  await outcome
})

test("the last bookmark goes with the next call", async () => {
  const server = fakeServer(
    answers({ id: "r" }, { "x-bookmark": "b1" }),
    answers({ items: [], next: null }),
    answers({ items: [], next: null }),
  )
  const reviews = connect(server).records("reviews")
  await reviews.create({ stars: 4 })
  await reviews.list()
  await reviews.list()
  expect(server.sent.map((call) => call.headers.get("x-bookmark"))).toEqual([null, "b1", "b1"])
})

test("a slow read does not take the bookmark back behind a later write", async () => {
  const slow = Promise.withResolvers<Response>()
  const server = fakeServer(
    () => slow.promise,
    answers({ id: "r" }, { "x-bookmark": "written" }),
    answers({ id: "r" }),
  )
  const reviews = connect(server).records("reviews")
  const reading = reviews.list()
  await reviews.create({ stars: 4 })
  slow.resolve(new Response('{"items":[],"next":null}', { headers: { "x-bookmark": "old" } }))
  await reading
  await reviews.get("r")
  expect(server.sent[2]?.headers.get("x-bookmark")).toBe("written")
})

test("routes of one's own are called with request", async () => {
  const server = fakeServer(answers({ films: 3201 }))
  const stats = await connect(server).request<{ films: number }>({ method: "GET", path: "/stats" })
  expect(stats.films).toBe(3201)
})

test("a batch is one call under a key of its own, and answers what each operation was answered", async () => {
  const results = [{ status: 201, headers: { etag: '"1"' }, body: { id: "r" } }]
  const server = fakeServer(answers({ results }))
  const operations = [
    { method: "POST", path: "/records/reviews", body: { stars: 3 } } as const,
    { method: "DELETE", path: "/records/films/$0.id", headers: { "If-Match": '"2"' } } as const,
  ]
  expect(await connect(server).batch(operations)).toEqual(results)
  expect(server.sent[0]).toMatchObject({ method: "POST", path: "/batch", body: { operations } })
  expect(server.sent[0]?.headers.get("idempotency-key")).toMatch(/^[0-9a-f]{32}$/)
})

test("the past is asked and brought back by the paths of its record", async () => {
  const page = { items: [], next: null }
  const server = fakeServer(
    answers(page),
    answers({ version: 2 }),
    answers({ id: "a" }),
    answers({ id: "a" }),
    answers(page),
    answers({ items: [], next: "later" }),
  )
  const client = connect(server)
  const films = client.records("films")
  await films.history("a", { limit: 5, cursor: "7" })
  await films.version("a", 2)
  await films.asOf("a", new Date("2026-11-28T10:00:00Z"))
  await films.restore("a", 2, { ifMatch: 4, together: true })
  await films.bin({ limit: 3 })
  expect((await client.changes({ since: "now", collection: "films" })).next).toBe("later")
  expect(server.sent.map(({ method, path }) => `${method} ${decodeURIComponent(path)}`)).toEqual([
    "GET /records/films/a/history?limit=5&cursor=7",
    "GET /records/films/a/history/2",
    "GET /records/films/a?asOf=2026-11-28T10:00:00.000Z",
    "POST /records/films/a/restorations",
    "GET /records/films/bin?limit=3",
    "GET /changes?since=now&collection=films",
  ])
  expect(server.sent[3]?.body).toEqual({ version: 2, together: true })
  expect(server.sent[3]?.headers.get("if-match")).toBe('"4"')
})

test("a saved view is asked by its id, page by page", async () => {
  const server = fakeServer(answers({ items: [{ id: "f" }], next: null, count: 1 }))
  const page = await connect(server)
    .records("reviews")
    .ask<"films">("v/1", { limit: 5, cursor: "c", count: true })
  expect(page).toEqual({ items: [{ id: "f" }], next: null, count: 1 })
  expect(server.sent.map(({ path }) => path)).toEqual([
    "/records/reviews/v%2F1/records?limit=5&cursor=c&count=exact",
  ])
})

test("files and many records are one call each", async () => {
  const report = { rows: 1, refused: 0 }
  const server = fakeServer(answers(report), answers(report), answers(report), answers(report))
  const films = connect(server).records("films")
  await films.export({ format: "ndjson", sort: "title", fields: ["title"] })
  const columns = { Name: "title", Remarks: null }
  expect(await films.import("Name\nx", { columns, dryRun: true })).toEqual(report)
  expect(await films.updateAll(filter`title = ${"x"}`, { title: "y" }, { dryRun: true })).toEqual(
    report,
  )
  expect(await films.deleteAll('title = "x"')).toEqual(report)
  expect(
    server.sent.map((call) => [call.method, decodeURIComponent(call.path.replaceAll("+", " "))]),
  ).toEqual([
    ["GET", "/records/films/export?format=ndjson&sort=title&fields=title"],
    ["POST", `/records/films/import?columns=${JSON.stringify(columns)}&dryRun=true`],
    ["PATCH", '/records/films?filter=title = "x"&dryRun=true'],
    ["DELETE", '/records/films?filter=title = "x"'],
  ])
  expect(server.sent[1]?.headers.get("content-type")).toBe("text/csv")
})

test("an answer without a body is none, whatever its status", async () => {
  const nothing = new Response(null, { status: 202 })
  const server = fakeServer(() => nothing)
  const client = connect(server)
  expect(await client.request({ method: "POST", path: "/auth/mail-codes" })).toBeUndefined()
})
