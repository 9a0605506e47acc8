import { beforeAll, describe, expect, test, vi } from "vitest"
import { createCsvReader } from "../../../src/core/records/csv.ts"
import { exportText, parseExportQuery } from "../../../src/core/records/export.ts"
import { type LinkedCollection, linkCollections } from "../../../src/core/records/link.ts"
import { viewFor } from "../../../src/core/records/view.ts"
import { system } from "../../../src/platform/app.ts"
import { fixtures } from "../../support/collections.ts"
import { hush } from "../../support/hush.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { create, type Json, list, listPath, patch, query, refused, type Stored } from "./cast.ts"
import { toolApp } from "./workshop.ts"

let alice: Person
let bob: Person
let editor: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  editor = await signedIn("editor", ["editor"])
})

const ask = (as: Person | null, collection: string, parameters: Record<string, string> = {}) =>
  call(as, "GET", listPath(`${collection}/export`, parameters))

async function lines(as: Person | null, collection: string, parameters = {}): Promise<Stored[]> {
  const answer = await ask(as, collection, { ...parameters, format: "ndjson" })
  const text = await answer.text()
  expect(answer.status, text).toBe(200)
  expect(answer.headers.get("content-type")).toBe("application/x-ndjson")
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line))
}

/** Rows of CSV, by the names in its header. */
async function rows(as: Person | null, collection: string, parameters = {}): Promise<Json[]> {
  const text = await (await ask(as, collection, parameters)).text()
  const reader = createCsvReader({ maxCells: 100, maxRowCharacters: 1e6 })
  const [header, ...found] = [...reader.push(text), ...reader.end()]
  return found.map(({ cells }) =>
    Object.fromEntries(header?.cells.map((name, at) => [name, cells[at]]) ?? []),
  )
}

describe("an export", () => {
  test("is what a list of everything would be, for each reader, to the last value", async () => {
    const tag = await create(alice, "tags", { name: "t" })
    for (const [n, as] of [alice, bob, editor].entries()) {
      await create(as, "articles", {
        title: `Article ${n}`,
        status: n === 1 ? "draft" : "published",
        words: n,
        score: -1.5e-9,
        featured: n === 2 ? true : undefined,
        meta: { a: [1, "x"] },
        note: "mine",
        tags: [tag.id],
        ...(as === editor && { secret: "s" }),
      })
    }
    for (const as of [null, alice, bob, editor]) {
      const { items } = await list(as, "articles", { limit: "200" })
      expect(await lines(as, "articles")).toEqual(items)
      const asked = { filter: "words >= 1", sort: "-words", fields: "title,words" }
      expect(await lines(as, "articles", asked)).toEqual((await list(as, "articles", asked)).items)
    }
  })

  test("in CSV begins with a header, ends lines with CRLF, and names its file", async () => {
    const { id } = await create(alice, "articles", { title: "Csv", words: 7, featured: false })
    const filter = `id = "${id}"`
    const answer = await ask(alice, "articles", { filter, fields: "title,words,featured,day" })
    expect(answer.headers.get("content-type")).toBe("text/csv; charset=utf-8")
    expect(answer.headers.get("content-disposition")).toMatch(
      /^attachment; filename="articles-\d{4}-\d\d-\d\d\.csv"$/,
    )
    expect(await answer.text()).toBe("title,words,featured,day\r\nCsv,7,false,\r\n")
    expect(costOf(answer).trips).toBe(1)
    const bytes = async (bom: string) =>
      new Uint8Array(
        await (await ask(alice, "articles", { filter, fields: "title", bom })).arrayBuffer(),
      )
    expect([...(await bytes("true")).slice(0, 4)]).toEqual([0xef, 0xbb, 0xbf, 0x74])
    expect((await bytes("false"))[0]).toBe(0x74)
  })

  test("in CSV holds each value so that it can come back", async () => {
    const tag = await create(alice, "tags", { name: "csv" })
    const project = await create(alice, "projects", { name: '=cmd|"/c calc"!A1' })
    const made = await create(alice, "articles", {
      title: '=1+1,"x"\r\ny',
      body: "",
      words: 3,
      score: -2.5,
      meta: { "a,b": ['"', null] },
      tags: [tag.id],
      project: project.id,
    })
    const [row] = await rows(alice, "articles", {
      filter: `id = "${made.id}"`,
      fields: "id,title,body,slug,words,score,meta,tags,createdAt,project.name",
    })
    expect(row).toEqual({
      id: made.id,
      title: '\'=1+1,"x"\r\ny',
      body: "",
      slug: null,
      words: "3",
      score: "-2.5",
      meta: '{"a,b":["\\"",null]}',
      tags: `["${tag.id}"]`,
      createdAt: made.createdAt,
      "project.name": '\'=cmd|"/c calc"!A1',
    })
  })

  test("names all columns that its reader may know of, and no others", async () => {
    const header = async (as: Person | null) =>
      (await (await ask(as, "articles", { filter: "words = -1" })).text()).trim().split(",")
    expect(await header(editor)).toContain("secret")
    expect(await header(alice)).not.toContain("secret")
    expect((await header(alice)).slice(0, 7)).toEqual([
      "id",
      "version",
      "createdAt",
      "updatedAt",
      "createdBy",
      "updatedBy",
      "title",
    ])
  })

  test.each<[string, Record<string, string>, string]>([
    ["another format", { format: "xml" }, "query.format"],
    ["a page", { limit: "2" }, "query.limit"],
    ["a field that does not exist", { fields: "title,nope" }, "query.fields"],
    ["a field that may not be known", { fields: "secret" }, "query.fields"],
    ["a sort that may not be", { sort: "note" }, "query.sort"],
    ["a mark that is none", { bom: "1" }, "query.bom"],
  ])("refuses %s before it begins", async (_, parameters, path) => {
    const { errors } = await refused(ask(alice, "articles", parameters), 400)
    expect(errors?.[0]?.path).toBe(path)
  })

  test("is refused where a list is", async () => {
    await refused(ask(alice, "nothing"), 404)
    await refused(ask(null, "projects"), 401)
    await refused(ask(alice, "vaults"), 404)
    await refused(call(alice, "DELETE", "/records/articles/export"), 405)
    const other = "Bearer x.y.z"
    expect(
      (await call(null, "GET", "/records/articles/export", undefined, { authorization: other }))
        .status,
    ).toBe(401)
  })
})

/** Past the engine, so that there are many of them quickly. */
const fill = (rows: number, bytes: number) =>
  query(
    `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
INSERT INTO articles (id, version, createdAt, updatedAt, title, status, author, featured, words, body)
SELECT printf('${rows}0000-0000-7000-8000-%012x', n), 1, 'x', 'x', 'T' || CAST(n AS INTEGER), 'published', ?3, 0, CASE n % 7 WHEN 0 THEN NULL ELSE n % 100 END, printf('%.*c', CAST(?2 AS INTEGER), 'b') FROM n`,
    [rows, bytes, alice.id],
  )

describe("a long export", () => {
  beforeAll(async () => {
    await query("DELETE FROM articles_tags")
    await query("DELETE FROM articles")
    await fill(1200, 9_000)
    await fill(5200, 10)
  })

  test.each([[""], ["words"], ["-words,title"], ["-title"], ["featured,words,-title"]])(
    "sorted by %j shows each record once, in order",
    async (sort) => {
      const found = await lines(null, "articles", {
        fields: "id,words,title",
        ...(sort && { sort }),
      })
      expect(found).toHaveLength(6_400)
      expect(new Set(found.map(({ id }) => id)).size).toBe(6_400)
      const keys = (sort || "id").split(",").map((key) => key.replace("-", ""))
      const order = keys.map(
        (key, at) => `${key} ${(sort.split(",")[at] ?? "").startsWith("-") ? "DESC" : "ASC"}`,
      )
      const expected = await query(`SELECT id FROM articles ORDER BY ${order.join(", ")}, id`)
      expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
    },
  )

  test("is cut into pages by what they weigh", async () => {
    const { body } = await ask(null, "articles", { format: "ndjson" })
    let largest = 0
    let whole = 0
    for await (const piece of body as ReadableStream<Uint8Array>) {
      largest = Math.max(largest, piece.byteLength)
      whole += piece.byteLength
    }
    expect(whole).toBeGreaterThan(10_800_000)
    expect(largest).toBeLessThan(6_000_000)
  })

  test("breaks off when its reader's rights end, and never ends as if it were whole", async () => {
    const carol = await signedIn("carol")
    hush("info", "error")
    const reader = ((await ask(carol, "articles")).body as ReadableStream<Uint8Array>).getReader()
    expect((await reader.read()).done).toBe(false)
    await query("UPDATE members SET epoch = epoch + 1 WHERE id = ?", [carol.id])
    const rest = (async () => {
      while (!(await reader.read()).done);
    })()
    await expect(rest).rejects.toThrow()
    vi.restoreAllMocks()
  })

  test("reads three rows for each that it answers, and none twice for being long", async () => {
    const seen = (await lines(editor, "orderEvents")).length
    for (let n = 0; n < 20; n++) {
      await query(
        "INSERT INTO orderEvents (id, version, createdAt, updatedAt, \"order\") VALUES (?, 1, '2026-01-01', '2026-01-01', 'x')",
        [`e${n}`],
      )
    }
    const app = toolApp()
    const collections = linkCollections(fixtures)
    const collection = collections.get("orderEvents") as LinkedCollection
    const view = viewFor(app, system, collections)
    const asked = parseExportQuery(view, collection, new URLSearchParams({ format: "csv" }))
    for await (const _ of exportText(app, view, collection, asked)) {
      // What it costs is counted by the app.
    }
    expect(app.cost.rowsRead).toBeLessThanOrEqual(3 * (seen + 20) + 5)
  })

  test("that nobody reads to its end costs what was read", async () => {
    const { body } = await ask(null, "articles")
    await (body as ReadableStream).cancel()
    const after = await patch(
      alice,
      "articles",
      (await create(alice, "articles", { title: "x" })).id,
      { words: 1 },
    )
    expect(after.words).toBe(1)
  })
})
