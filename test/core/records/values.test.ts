import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import { call, type Person, signedIn } from "../../support/people.ts"
import { create, get, type Json, list, patch, query, read, refused } from "./cast.ts"

let alice: Person
let id: string
beforeAll(async () => {
  alice = await signedIn("alice", ["editor"])
  id = (await create(alice, "articles", { title: "T", status: "published" })).id
})

/** What is stored and answered for a value, by create, patch and put; or the code of its refusal. */
async function outcomes(field: string, value: string): Promise<unknown[]> {
  const title = field === "title" ? "" : '"title":"T",'
  const whole = `{${title}"status":"published","${field}":${value}}`
  const answers = [
    await call(alice, "POST", "/records/articles", whole),
    await call(alice, "PATCH", `/records/articles/${id}`, `{"${field}":${value}}`),
    await call(alice, "PUT", `/records/articles/${id}`, whole),
  ]
  return Promise.all(
    answers.map(async (answer) => {
      const body = (await answer.json()) as Json & { errors?: Json[] }
      expect(answer.status, JSON.stringify(body)).toBeLessThan(500)
      if (!answer.ok) {
        expect(body.errors?.[0]?.path).toBe(field)
        return answer.status
      }
      const stored = await get(alice, "articles", body.id as string)
      expect(stored[field]).toEqual(body[field])
      return body[field]
    }),
  )
}

const astral = (n: number) => JSON.stringify("😀".repeat(n))
const refusedAs = 400

describe("values", () => {
  test.each<[string, string, unknown]>([
    ["title", '"x"', "x"],
    ["title", astral(200), "😀".repeat(200)],
    ["title", astral(201), refusedAs],
    ["title", '""', refusedAs],
    ["title", "null", refusedAs],
    ["title", "5", refusedAs],
    ["title", '["x"]', refusedAs],
    ["title", '"a\\u0000b"', refusedAs],
    ["title", '"\\ud83d"', refusedAs],
    ["title", '"\\ude00\\ud83d"', refusedAs],
    ["title", '"\\ud83d\\ude00"', "😀"],
    ["title", '"\\ufeff\\u202e<b>&\'"', "\ufeff\u202e<b>&'"],
    ["title", '"\'; DROP TABLE articles; --"', "'; DROP TABLE articles; --"],
    ["title", '"?1 ?2 $3 :a"', "?1 ?2 $3 :a"],
    ["body", '""', ""],
    ["body", "null", null],
    ["body", '"line\\nline\\r\\n\\ttab"', "line\nline\r\n\ttab"],
    ["body", JSON.stringify("x".repeat(100_000)), "x".repeat(100_000)],
    ["body", JSON.stringify("x".repeat(100_001)), refusedAs],
    ["status", '"draft"', "draft"],
    ["status", '"Draft"', refusedAs],
    ["status", '""', refusedAs],
    ["status", "null", refusedAs],
    ["slug", '"UPPER"', refusedAs],
    ["slug", '"a\\nb"', refusedAs],
    ["slug", '"a-b "', refusedAs],
    ["words", "0", 0],
    ["words", "-0", 0],
    ["words", "-1", refusedAs],
    ["words", "9007199254740991", 9007199254740991],
    ["words", "9007199254740992", refusedAs],
    ["words", "1.5", refusedAs],
    ["words", "1e3", 1000],
    ["words", '"1"', refusedAs],
    ["words", "true", refusedAs],
    ["words", "null", null],
    ["score", "-9007199254740994", -9007199254740994],
    ["score", "0.1", 0.1],
    ["score", "0.30000000000000004", 0.30000000000000004],
    ["score", "5e-324", 5e-324],
    ["score", "1.7976931348623157e308", Number.MAX_VALUE],
    ["score", "-1e308", -1e308],
    ["score", "1e400", refusedAs],
    ["score", '"NaN"', refusedAs],
    ["featured", "false", false],
    ["featured", "0", refusedAs],
    ["featured", '"false"', refusedAs],
    ["day", '"2026-11-21"', "2026-11-21"],
    ["day", '"0001-01-01"', "0001-01-01"],
    ["day", '"9999-12-31"', "9999-12-31"],
    ["day", '"2024-02-29"', "2024-02-29"],
    ["day", '"2023-02-29"', refusedAs],
    ["day", '"0000-01-01"', refusedAs],
    ["day", '"10000-01-01"', refusedAs],
    ["day", '"2026-1-1"', refusedAs],
    ["day", '"2026-13-01"', refusedAs],
    ["day", '"2026-11-21T00:00:00Z"', refusedAs],
    ["day", "20261121", refusedAs],
    ["moment", '"2026-11-21T09:30:00Z"', "2026-11-21T09:30:00.000Z"],
    ["moment", '"2026-11-21T09:30:00+02:00"', "2026-11-21T07:30:00.000Z"],
    ["moment", '"2026-11-21T00:30:00.123456+05:45"', "2026-11-20T18:45:00.123Z"],
    ["moment", '"2026-11-21T09:30:00-08:00"', "2026-11-21T17:30:00.000Z"],
    ["moment", '"0001-01-01T00:00:00Z"', "0001-01-01T00:00:00.000Z"],
    ["moment", '"9999-12-31T23:59:59.999Z"', "9999-12-31T23:59:59.999Z"],
    ["moment", '"9999-12-31T23:59:59.999-00:01"', refusedAs],
    ["moment", '"0001-01-01T00:00:00+00:01"', refusedAs],
    ["moment", '"2026-11-21T24:00:00Z"', refusedAs],
    ["moment", '"2026-11-21T09:30:00+25:00"', refusedAs],
    ["moment", '"yesterday"', refusedAs],
    ["contact", '"Ann.O\'Neil+x@example.test"', "Ann.O'Neil+x@example.test"],
    ["contact", '"ann"', refusedAs],
    ["contact", '"ann@example.test\\nbcc: x"', refusedAs],
    ["link", '"https://example.test/a?b=c#d"', "https://example.test/a?b=c#d"],
    ["link", '"javascript:alert(1)"', refusedAs],
    ["link", '"//example.test"', refusedAs],
    ["link", '"ftp://example.test"', refusedAs],
    ["meta", "0", 0],
    ["meta", "false", false],
    ["meta", '""', ""],
    ["meta", '"\\ud83d\\ude00"', "😀"],
    ["meta", '[1,[],{},null,"x",1.5e300]', [1, [], {}, null, "x", 1.5e300]],
    ["meta", '{"\\u0000":1}', refusedAs],
    ["meta", '{"a":{"\\ud800":1}}', refusedAs],
    ["meta", '["\\u0000"]', refusedAs],
    ["meta", '"\\udfff"', refusedAs],
    ["meta", '{"a":"\\\\u0000 is text"}', { a: "\\u0000 is text" }],
    ["meta", '"\\\\\\\\ud800"', "\\\\ud800"],
    [
      "meta",
      `${"[".repeat(500)}${"]".repeat(500)}`,
      JSON.parse(`${"[".repeat(500)}${"]".repeat(500)}`),
    ],
    ["meta", `${"[".repeat(502)}${"]".repeat(502)}`, refusedAs],
    ["meta", `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`, refusedAs],
    ["meta", JSON.stringify("x".repeat(99_998)), "x".repeat(99_998)],
    ["meta", JSON.stringify("é".repeat(50_000)), refusedAs],
    ["tags", "[]", []],
    ["tags", "null", []],
    ["tags", '"x"', refusedAs],
    ["project", "null", null],
  ])("%s: %j", async (field, value, expected) => {
    expect(await outcomes(field, value)).toEqual([expected, expected, expected])
  })

  test("of json keep their keys, whatever they are called", async () => {
    const text = '{"__proto__":{"a":1},"constructor":2,"":3,"a.b":4,"$":5,"a\\"b":6}'
    const { id } = await read(
      call(alice, "POST", "/records/articles", `{"title":"x","meta":${text}}`),
      201,
    )
    const answer = await call(alice, "GET", `/records/articles/${id}`)
    expect(await answer.text()).toContain(`"meta":${text}`)
    const patched = await call(
      alice,
      "PATCH",
      `/records/articles/${id}`,
      '{"meta":{"__proto__":{"b":2},"":null}}',
    )
    expect(await patched.text()).toContain('"__proto__":{"a":1,"b":2}')
  })
})

test("a number keeps all its digits: in the answer, the filter, the log and an expansion", async () => {
  const article = await create(alice, "articles", { title: "n", status: "published" })
  const comment = await create(alice, "comments", {
    article: article.id,
    text: "x",
    approved: true,
  })
  await fc.assert(
    fc.asyncProperty(fc.double({ noNaN: true, noDefaultInfinity: true }), async (drawn) => {
      const number = drawn === 0 ? 0 : drawn
      const made = await create(alice, "articles", { title: "n", score: number })
      expect(made.score).toBe(number)
      expect((await patch(alice, "articles", article.id, { score: number })).score).toBe(number)
      const path = `/records/comments/${comment.id}?expand=article`
      const { expanded } = await read<{ expanded: { article: Json } }>(
        call(alice, "GET", path),
        200,
      )
      expect(expanded.article.score).toBe(number)
      const [line] = await query(
        "SELECT payload FROM changes WHERE record = ? ORDER BY seq DESC LIMIT 1",
        [article.id],
      )
      expect((JSON.parse(line?.payload as string) as Json).score).toBe(number)
      const found = await list(alice, "articles", {
        filter: `score = ${number} && id = "${made.id}"`,
      })
      expect(found.items).toHaveLength(1)
    }),
    { numRuns: 60 },
  )
})

test("any text comes back as it was sent, and is found again", async () => {
  const text = fc
    .string({ unit: "binary", minLength: 1, maxLength: 40 })
    .filter((one) => !one.includes("\0") && one.isWellFormed())
  await fc.assert(
    fc.asyncProperty(text, async (title) => {
      const made = await create(alice, "articles", { title, meta: { [title]: title } })
      expect(made).toMatchObject({ title, meta: { [title]: title } })
      const filter = `title = ${JSON.stringify(title).replaceAll("\\b", "\\u0008").replaceAll("\\f", "\\u000c").replaceAll("\\r", "\\u000d").replaceAll("\\t", "\\u0009")} && id = "${made.id}"`
      expect((await list(alice, "articles", { filter })).items).toHaveLength(1)
    }),
    { numRuns: 80 },
  )
})

describe("a body", () => {
  const post = (body: string, type = "application/json", headers: Record<string, string> = {}) =>
    call(alice, "POST", "/records/articles", body, { "content-type": type, ...headers })

  test.each<[string, string, RegExp]>([
    ["nothing", "", /not JSON/],
    ["half of JSON", '{"title":', /not JSON/],
    ["two values", "{} {}", /not JSON/],
    ["JSON with a comment", "{/**/}", /not JSON/],
    ["NaN", '{"score":NaN}', /not JSON/],
    ["a list", "[]", /object/],
    ["a text", '"x"', /object/],
    ["null", "null", /object/],
  ])("of %s is a 400 that says so", async (_, body, message) => {
    const { errors } = await refused(post(body), 400)
    expect(errors?.[0]).toMatchObject({ path: "body", message: expect.stringMatching(message) })
  })

  test("names each unknown field, and each that the server writes", async () => {
    const unknown = await refused(
      post('{"title":"x","colour":1,"__proto__":1,"pk":1,"comments":[]}'),
      400,
    )
    expect(unknown.errors?.map(({ path, code }) => [path, code])).toEqual([
      ["colour", "unknown_field"],
      ["__proto__", "unknown_field"],
      ["pk", "unknown_field"],
      ["comments", "read_only"],
    ])
    const written = await refused(post('{"title":"x","id":"1","version":2,"createdBy":"x"}'), 400)
    expect(written.errors?.map(({ path, code }) => [path, code])).toEqual([
      ["id", "read_only"],
      ["version", "read_only"],
      ["createdBy", "read_only"],
    ])
    expect((await refused(post('{"title":"x","commentCount":1}'), 400)).errors?.[0]?.path).toBe(
      "commentCount",
    )
  })

  test("that lacks what is required names it", async () => {
    expect((await refused(post("{}"), 400)).errors?.map(({ path }) => path)).toEqual(["title"])
  })

  test("over a megabyte is a 413, declared or streamed", async () => {
    const large = JSON.stringify({ title: "x", body: "x".repeat(1_048_576) })
    expect((await refused(post(large), 413)).code).toBe("payload_too_large")
    const streamed = new Request("http://127.0.0.1/records/articles", {
      method: "POST",
      headers: { authorization: `Bearer ${alice.token}`, "content-type": "application/json" },
      body: new Blob([large]).stream(),
      duplex: "half",
    } as RequestInit)
    const { exports } = await import("cloudflare:workers")
    await refused(exports.default.fetch(streamed), 413)
  })

  test("that is not UTF-8 is a 400", async () => {
    const { exports } = await import("cloudflare:workers")
    const request = new Request("http://127.0.0.1/records/articles", {
      method: "POST",
      headers: { authorization: `Bearer ${alice.token}`, "content-type": "application/json" },
      body: new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]),
    })
    expect((await refused(exports.default.fetch(request), 400)).errors?.[0]?.code).toBe("encoding")
  })

  test.each<[string, string, number]>([
    ["POST", "application/json", 201],
    ["POST", "Application/JSON; charset=utf-8", 201],
    ["POST", "application/merge-patch+json", 415],
    ["POST", "text/plain", 415],
    ["POST", "application/x-www-form-urlencoded", 415],
    ["POST", "", 415],
    ["PATCH", "application/merge-patch+json", 200],
    ["PATCH", "application/json", 200],
    ["PATCH", "application/json-patch+json", 415],
    ["PUT", "application/json", 200],
    ["PUT", "application/merge-patch+json", 415],
  ])("by %s of the type %j is answered by %i", async (method, type, status) => {
    const path = method === "POST" ? "/records/articles" : `/records/articles/${id}`
    const answer = await call(alice, method, path, '{"title":"T"}', { "content-type": type })
    expect(answer.status, await answer.text()).toBe(status)
  })
})

test.each<[string, string, string]>([
  ["PUT", "/records/articles", "GET, HEAD, POST, PATCH, DELETE, OPTIONS"],
  [
    "POST",
    `/records/articles/00000000-0000-4000-8000-000000000000`,
    "GET, HEAD, PATCH, PUT, DELETE, OPTIONS",
  ],
])("%s %s is a 405 that names what is allowed", async (method, path, allow) => {
  const answer = await call(alice, method, path, {})
  expect(answer.headers.get("allow")).toBe(allow)
  expect((await refused(answer, 405)).code).toBe("method_not_allowed")
  const asked = await call(alice, "OPTIONS", path)
  expect([asked.status, asked.headers.get("allow")]).toEqual([204, allow])
})

test.each([
  ["POST", "/records/members"],
  ["PUT", "/records/members/00000000-0000-4000-8000-000000000000"],
])(
  "%s %s does not name the required fields that its sender can never read",
  async (method, path) => {
    const answer = await refused(call(alice, method, path, { name: "x" }), 403)
    expect(answer).toMatchObject({ code: "forbidden" })
    expect(JSON.stringify(answer)).not.toMatch(/roles|epoch/)
  },
)

test.each([
  "1",
  "%00",
  "%E0%A4%A",
  "..%2f..",
  "x".repeat(3_000),
  "AAAAAAAA-0000-4000-8000-000000000000",
  "💥",
])("a record under the id %s is not found", async (odd) => {
  for (const method of ["GET", "PATCH", "DELETE"]) {
    const answer = await call(
      alice,
      method,
      `/records/articles/${odd}`,
      method === "PATCH" ? {} : undefined,
    )
    expect(answer.status).toBe(404)
  }
})

test("an integer reaches from -(2^53-1) to 2^53-1, exactly, also when it is changed and compared", async () => {
  const max = Number.MAX_SAFE_INTEGER
  const { id } = await create(alice, "articles", { title: "big", words: max })
  expect((await patch(alice, "articles", id, { words: max - 1 })).words).toBe(max - 1)
  const stored = await query(
    "SELECT typeof(words) AS type, CAST(words AS TEXT) AS text FROM articles WHERE id = ?",
    [id],
  )
  expect(stored).toEqual([{ type: "integer", text: "9007199254740990" }])
  expect(
    (await list(alice, "articles", { filter: `words = ${max - 1} && id = "${id}"` })).items,
  ).toHaveLength(1)
  expect(
    (await list(alice, "articles", { filter: `words = ${max} && id = "${id}"` })).items,
  ).toHaveLength(0)
})
