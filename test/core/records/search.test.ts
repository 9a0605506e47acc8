import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import { call, type Person, signedIn } from "../../support/people.ts"
import { create, ids, list, listPath, type Page, patch, query, refused } from "./cast.ts"

let alice: Person
let editor: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  editor = await signedIn("editor", ["editor"])
})

const published = (title: string, more: Record<string, unknown> = {}) =>
  create(alice, "articles", { title, status: "published", ...more })
const found = async (as: Person | null, search: string) =>
  ids(await list(as, "articles", { search }))

describe("a search finds", () => {
  test.each<[string, string, string, boolean]>([
    ["a word", "Quince jelly", "quince", true],
    ["the last word by its beginning", "Quinces galore", "galore qui", true],
    ["the last word whole, after a space", "Quincebert", "quince ", false],
    ["other words only whole", "Quincebert alone", "quince alone", false],
    ["all words, in any order", "Pear and plum", "plum pear", true],
    ["not one of the words alone", "Pear", "pear medlar", false],
    ["words over several fields", "Sloe", "sloe gin", true],
    ["words without their accents", "Crème brûlée", "creme brulee", true],
    ["accents that the text does not have", "Naive", "naïve", true],
    ["decomposed accents", "Rosé", "rose\u0301", true],
    ["other scripts", "Привет мир", "привет", true],
    ["not the middle of a word", "Marmalade", "malade", false],
    ["nothing, in drafts of others", "", "draftword", false],
  ])("%s", async (_, title, search, hit) => {
    const { id } = title
      ? await published(title, { body: "gin" })
      : await create(alice, "articles", { title: "draftword" })
    expect((await found(null, search)).includes(id)).toBe(hit)
  })

  test("only in fields that are readable whatever the row", async () => {
    const { id } = await published("Plain", { note: "xylophone" })
    await patch(editor, "articles", id, { secret: "zeppelin" })
    for (const as of [null, alice]) {
      expect(await found(as, "zeppelin")).toEqual([])
      // Not even its author finds the note: the next row's may be another's.
      expect(await found(as, "xylophone")).toEqual([])
      expect(await found(as, "plain zeppelin")).toEqual([])
    }
    expect(await found(editor, "zeppelin")).toEqual([id])
    expect(await found(editor, "plain zeppelin")).toEqual([id])
    expect(await found(editor, "xylophone")).toEqual([])
  })

  test("what is there now: changed and deleted texts are gone from the index", async () => {
    const { id } = await published("Kumquat")
    await patch(alice, "articles", id, { title: "Persimmon" })
    expect(await found(null, "kumquat")).toEqual([])
    expect(await found(null, "persimmon")).toEqual([id])
    await call(alice, "DELETE", `/records/articles/${id}`)
    expect(await found(null, "persimmon")).toEqual([])
    await query("INSERT INTO articles_search(articles_search) VALUES('integrity-check')")
  })

  test("everything, when nothing is asked", async () => {
    const all = await list(null, "articles", { count: "exact" })
    expect((await list(null, "articles", { search: "  ", count: "exact" })).count).toBe(all.count)
    expect((await list(null, "articles", { search: "?!", count: "exact" })).count).toBe(0)
  })
})

describe("the order of what is found", () => {
  test("is by rank: more hits and shorter texts first", async () => {
    const long = await published("x", { body: `tamarind ${"filler ".repeat(200)}` })
    const often = await published("tamarind tamarind")
    const once = await published("tamarind")
    const both = [often.id, once.id]
    for (const as of [null, alice, editor]) {
      const order = await found(as, "tamarind")
      expect(order.slice(0, 2).toSorted()).toEqual(both.toSorted())
      expect(order[2]).toBe(long.id)
    }
  })

  test("is the sort's, where there is one, with a cursor that goes on", async () => {
    for (const words of [3, 1, 2]) await published("durian", { words })
    const seen: unknown[] = []
    let cursor: string | null = ""
    while (cursor !== null) {
      const page: Page = await list(null, "articles", {
        search: "durian",
        sort: "-words",
        limit: "1",
        ...(cursor && { cursor }),
      })
      seen.push(...page.items.map(({ words }) => words))
      cursor = page.next
    }
    expect(seen).toEqual([3, 2, 1])
  })

  test("by rank pages through the best 1,000, each once, and stops there", async () => {
    await query(
      `INSERT INTO articles (id, version, createdAt, updatedAt, author, status, title)
       SELECT printf('%08x-1111-4000-8000-000000000000', key), 1, '', '', ?, 'published', 'rambutan ' || key FROM json_each(?)`,
      [alice.id, JSON.stringify(Array.from({ length: 1_150 }, () => 0))],
    )
    const seen = new Set<string>()
    let pages = 0
    let cursor: string | null = ""
    while (cursor !== null) {
      const page: Page = await list(null, "articles", {
        search: "rambutan",
        limit: "170",
        fields: "id",
        count: "exact",
        ...(cursor && { cursor }),
      })
      for (const id of ids(page)) seen.add(id)
      expect(page.count).toBe(1_150)
      cursor = page.next
      pages++
    }
    expect([seen.size, pages]).toEqual([1_000, 6])
  })

  test("by rank takes the cursor of a ranked search only", async () => {
    const { next } = await list(null, "articles", { search: "rambutan", limit: "2" })
    const others: Record<string, string>[] = [
      { search: "rambutan", sort: "title" },
      { search: "rambuta" },
      {},
    ]
    for (const other of others) {
      await refused(
        call(null, "GET", listPath("articles", { ...other, cursor: next as string })),
        400,
      )
    }
  })
})

test("no text is an error, nor finds more than its words", async () => {
  await published("harmless")
  const syntax = fc.constantFrom(
    '"',
    "'",
    "*",
    "^",
    ":",
    "(",
    ")",
    "{",
    "}",
    "-",
    "+",
    ",",
    " AND ",
    " OR ",
    " NOT ",
    "NEAR(",
    "/2)",
    "title:",
    "secret:",
    "note :",
    "\\",
    "\u0301",
    "a",
    "harmless",
    "zz",
    " ",
    "%",
    ";--",
    "𞤀",
    "ꟑ",
    "😀",
    "\ufeff",
    "\u200d",
    "漢字",
  )
  const text = fc.oneof(
    fc.array(syntax, { maxLength: 12 }).map((parts) => parts.join("")),
    fc.string({ unit: "binary", maxLength: 60 }).map((raw) => raw.replaceAll("\0", "")),
    fc.string({ unit: "grapheme", maxLength: 60 }),
  )
  await fc.assert(
    fc.asyncProperty(text, fc.boolean(), async (search, sorted) => {
      const answer = await call(
        alice,
        "GET",
        listPath("articles", {
          search: search.slice(0, 500),
          count: "exact",
          ...(sorted && { sort: "title" }),
          fields: "id",
        }),
      )
      const body = await answer.text()
      expect(answer.status, body).toBe(200)
    }),
    { numRuns: 400 },
  )
  // Column filters and prefixes of FTS5 are words like others.
  expect(await found(null, "title : harmless")).toEqual([])
  expect(await found(null, "harm* less")).toEqual([])
  expect((await found(null, '"harmless"')).length).toBe(1)
})
