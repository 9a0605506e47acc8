import { beforeAll, describe, expect, test } from "vitest"
import { collection } from "../../../src/core/records/collection.ts"
import {
  backRelation,
  boolean,
  integer,
  relation,
  relations,
  text,
} from "../../../src/core/records/fields.ts"
import { sql } from "../../../src/platform/sql.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { ids, type Page, query, read, refused } from "./cast.ts"
import { openWorkshop, toolApp, type Workshop } from "./workshop.ts"

const open = { read: "true", create: "true", update: "true", delete: "true" }
const shelves = collection("shelves", {
  fields: { name: text({ max: 50 }), books: backRelation("books", "shelf") },
  rules: open,
})
const books = collection("books", {
  fields: {
    shelf: relation("shelves"),
    number: integer(),
    hidden: boolean({ default: false }),
    body: text({ max: 50_000 }),
    chapters: backRelation("chapters", "book"),
    subjects: relations("subjects"),
    sequel: relation("books"),
  },
  rules: { ...open, read: "hidden = false" },
  unique: [["shelf", "number"]],
})
const chapters = collection("chapters", {
  fields: { book: relation("books"), number: integer() },
  rules: open,
  unique: [["book", "number"]],
})
const subjects = collection("subjects", {
  fields: { name: text({ max: 50 }), books: relations("books") },
  rules: open,
})

type Expanded = {
  id: string
  expanded: Record<string, Expanded[]>
  expandedNext?: Record<string, string>
}

let alice: Person
let library: Workshop
beforeAll(async () => {
  alice = await signedIn("alice")
  library = await openWorkshop([shelves, books, chapters, subjects])
})

const id = (kind: number, n: number) =>
  `${String(kind).padStart(8, "0")}-0000-4000-8000-${String(n).padStart(12, "0")}`
const numbers = (count: number) => JSON.stringify(Array.from({ length: count }, () => 0))
/** Rows past the engine, each with an id of its kind and number, from `from` on. */
const fill = (
  table: string,
  kind: number,
  from: number,
  count: number,
  columns: string,
  values: string,
) =>
  query(
    `INSERT INTO ${table} (id, version, createdAt, updatedAt, ${columns}) SELECT printf('%08d-0000-4000-8000-%012d', ?, ? + key), 1, '', '', ${values} FROM json_each(?)`,
    [kind, from, numbers(count)],
  )
const get = <Body = Page>(path: string, as: Person | null = alice) =>
  read<Body>(library.call(as, "GET", path), 200)

describe("a relation to many brings its first records along", () => {
  test("and says where it goes on, until each was shown once", async () => {
    await fill("shelves", 1, 1, 1, "name", "'long'")
    await fill("books", 2, 1, 230, "shelf, number", `'${id(1, 1)}', key`)
    const shelf = await get<Expanded>(`/records/shelves/${id(1, 1)}?expand=books`)
    const first = shelf.expanded.books ?? []
    expect(first.length).toBe(100)
    const seen = first.map((book) => book.id)
    let next = shelf.expandedNext?.books
    while (next) {
      const page = await get(`${next}&limit=100`)
      seen.push(...ids(page))
      next = page.next ? `${shelf.expandedNext?.books}&cursor=${page.next}` : undefined
    }
    expect(seen).toEqual(Array.from({ length: 230 }, (_, n) => id(2, n + 1)))
  })

  test("and says nothing where these are all", async () => {
    await fill("shelves", 1, 2, 1, "name", "'exact'")
    await fill("books", 2, 1_001, 100, "shelf, number", `'${id(1, 2)}', key`)
    const shelf = await get<Expanded>(`/records/shelves/${id(1, 2)}?expand=books`)
    expect(shelf.expanded.books?.length).toBe(100)
    expect(shelf.expandedNext).toBeUndefined()
  })

  test("ten of each record that was itself brought along, whatever fields are asked for", async () => {
    await fill("shelves", 1, 3, 1, "name", "'nested'")
    await fill("books", 2, 2_001, 2, "shelf, number", `'${id(1, 3)}', key`)
    await fill("chapters", 3, 1, 25, "book, number", `'${id(2, 2_001)}', key`)
    const path = `/records/shelves/${id(1, 3)}?fields=name,books.number&expand=books.chapters`
    const shelf = await get<Expanded>(path)
    expect(Object.keys(shelf)).toEqual(["name", "expanded"])
    const [one, two] = shelf.expanded.books ?? []
    expect(one?.expanded.chapters?.length).toBe(10)
    const rest = await get(one?.expandedNext?.chapters as string)
    expect(rest.items.map(({ number }) => number)).toEqual(
      Array.from({ length: 15 }, (_, n) => n + 10),
    )
    expect([two?.expanded.chapters, two?.expandedNext]).toEqual([[], undefined])
  })

  test("of a list its ids tell where it goes on", async () => {
    await fill("subjects", 4, 1, 40, "name", "'s' || key")
    await fill("books", 2, 3_001, 1, "number", "key")
    const wanted = Array.from({ length: 40 }, (_, n) => id(4, 40 - n))
    await read(
      library.call(alice, "PATCH", `/records/books/${id(2, 3_001)}`, { subjects: wanted }),
      200,
    )
    const whole = await get<Expanded>(`/records/books/${id(2, 3_001)}?expand=subjects`)
    expect(whole.expanded.subjects?.map((one) => one.id)).toEqual(wanted)
    await query("UPDATE chapters SET book = ? WHERE id = ?", [id(2, 3_001), id(3, 25)])
    await fill("subjects", 4, 100, 1, "name", "'top'")
    await read(
      library.call(alice, "PATCH", `/records/subjects/${id(4, 100)}`, { books: [id(2, 3_001)] }),
      200,
    )
    const top = await get<Expanded>(`/records/subjects/${id(4, 100)}?expand=books.subjects`)
    const book = top.expanded.books?.[0]
    expect(book?.expanded.subjects?.map((one) => one.id)).toEqual(wanted.slice(0, 10))
    const rest = await get(book?.expandedNext?.subjects as string)
    expect(ids(rest).toSorted()).toEqual(wanted.slice(10).toSorted())
  })

  test("what is hidden takes no place among them, and is no reason to go on", async () => {
    await fill("shelves", 1, 4, 1, "name", "'veiled'")
    await fill("books", 2, 4_001, 150, "shelf, number, hidden", `'${id(1, 4)}', key, key < 50`)
    const shelf = await get<Expanded>(`/records/shelves/${id(1, 4)}?expand=books.sequel`)
    expect(shelf.expanded.books?.map((book) => book.id)).toEqual(
      Array.from({ length: 100 }, (_, n) => id(2, 4_051 + n)),
    )
    expect(shelf.expandedNext).toBeUndefined()
  })

  test("and what was answered can be put back", async () => {
    const path = `/records/shelves/${id(1, 1)}`
    const shelf = await get<Expanded>(`${path}?expand=books`)
    expect(shelf.expandedNext).toBeDefined()
    await read(library.call(alice, "PUT", path, shelf), 200)
  })
})

describe("how far it goes", () => {
  const path = (depth: number) => Array.from({ length: depth }, () => "sequel").join(".")

  test("is six relations, in one statement", async () => {
    for (let n = 0; n < 7; n++) {
      await fill(
        "books",
        2,
        5_000 + n,
        1,
        "number, sequel",
        n ? `${n}, '${id(2, 4_999 + n)}'` : "0, NULL",
      )
    }
    const answer = await library.call(
      alice,
      "GET",
      `/records/books/${id(2, 5_006)}?expand=${path(6)}`,
    )
    expect(costOf(answer).trips).toBe(1)
    let book = await read<{ id: string; expanded?: { sequel: never } }>(answer, 200)
    for (let n = 5; n >= 0; n--) {
      book = book.expanded?.sequel as never
      expect(book.id).toBe(id(2, 5_000 + n))
    }
    const { errors } = await refused(
      library.call(alice, "GET", `/records/books?expand=${path(7)}`),
      400,
    )
    expect(errors).toMatchObject([{ path: "query.expand", code: "too_deep" }])
  })

  test("is refused where it could bring too much, with a limit that would do", async () => {
    const list = (limit: number) =>
      library.call(
        alice,
        "GET",
        `/records/shelves?expand=books.chapters,books.subjects&limit=${limit}`,
      )
    const { errors, detail } = await refused(list(200), 400)
    expect(errors).toMatchObject([{ path: "query.expand", code: "too_much" }])
    expect(detail).toContain("420,000")
    const fits = Number(/limit of (\d+)/.exec(detail)?.[1])
    await refused(list(fits + 1), 400)
    await read(list(fits), 200)
  })

  test("is refused where no limit would do, too", async () => {
    const answer = library.call(
      alice,
      "GET",
      "/records/subjects?expand=books.subjects.books.subjects.books&limit=1",
    )
    const { detail } = await refused(answer, 400)
    expect(detail).toMatch(/ask for fewer relations\.$/)
  })

  test("and where the answer is more than SQLite holds, it says so", async () => {
    // D1 ends at 2 MB a value, local SQLite far beyond: the error is the same.
    const beyond = toolApp().db.all(sql`SELECT length(zeroblob(3000000000))`)
    await expect(beyond).rejects.toMatchObject({ code: "invalid_input" })
  })
})

test("50 records with their relations read what they bring, however large the tables are", async () => {
  await fill("shelves", 1, 1_000, 50, "name", "'many'")
  for (let n = 0; n < 50; n++) {
    await fill("books", 2, 100_000 + n * 20, 20, "shelf, number", `'${id(1, 1_000 + n)}', key`)
  }
  const ask = async () => {
    const filter = encodeURIComponent(`id >= "${id(1, 1_000)}"`)
    const answer = await library.call(
      alice,
      "GET",
      `/records/shelves?filter=${filter}&limit=50&expand=books.shelf`,
    )
    expect((await read<Page>(answer, 200)).items.length).toBe(50)
    const { trips, rowsRead } = costOf(answer)
    expect(trips).toBe(1)
    return rowsRead
  }
  const before = await ask()
  // 50 shelves, 1,000 books, 1,000 times a shelf, and what leads there.
  expect(before).toBeLessThan(6_000)
  await fill("books", 2, 1_000_000, 20_000, "number", "key")
  expect(await ask()).toBe(before)
  // Beyond the hundred that are shown, the fullest shelf reads no more either.
  await fill("books", 2, 2_000_000, 5_000, "shelf, number", `'${id(1, 1_000)}', 100 + key`)
  expect(await ask()).toBeLessThan(before + 600)
})

test("the fixtures' worker speaks the same way", async () => {
  const answer = await call(
    alice,
    "GET",
    "/records/articles?expand=comments.article.comments.author",
  )
  expect(answer.status).toBe(200)
})
