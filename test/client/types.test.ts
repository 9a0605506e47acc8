import { expectTypeOf, test } from "vitest"
import { createClient } from "../../src/client/client.ts"
import type { RelatedRecord, StoredFile } from "../../src/client/types.ts"
import type { StoredFile as FileOfServer } from "../../src/core/files/files.ts"
import { collection } from "../../src/core/records/collection.ts"
import { type Field, relation } from "../../src/core/records/fields.ts"
import type { collections } from "./collections.ts"

// Nothing here runs: the compiler is the test.
const client = createClient<typeof collections>({ url: "http://server.test" })
const films = () => client.records("films")
const reviews = () => client.records("reviews")

test("records have their fields' types, with null where a field is not required", () => {
  const read = () => films().get("f")
  type Film = Awaited<ReturnType<typeof read>>
  expectTypeOf<Film["title"]>().toEqualTypeOf<string>()
  expectTypeOf<Film["director"]>().toEqualTypeOf<string | null>()
  expectTypeOf<Film["genre"]>().toEqualTypeOf<"Drama" | "Musical" | null>()
  expectTypeOf<Film["reviewCount"]>().toEqualTypeOf<number>()
  expectTypeOf<Film["averageStars"]>().toEqualTypeOf<number | null>()
  expectTypeOf<Film["version"]>().toEqualTypeOf<number>()
  expectTypeOf<Film>().not.toHaveProperty("reviews")
  expectTypeOf<Film>().not.toHaveProperty("expanded")
})

test("chosen fields are the only ones", () => {
  const list = () => films().list({ fields: ["id", "title"] })
  type Item = Awaited<ReturnType<typeof list>>["items"][number]
  expectTypeOf<Item>().toEqualTypeOf<{ id: string; readonly title: string }>()
})

test("expansions are a record or null to one, an array to many", () => {
  const one = () => reviews().get("r", { expand: ["film"] })
  const many = () => films().get("f", { expand: ["reviews"] })
  type One = Awaited<ReturnType<typeof one>>["expanded"]["film"]
  type Many = Awaited<ReturnType<typeof many>>["expanded"]["reviews"]
  expectTypeOf<One>().extract<null>().toEqualTypeOf<null>()
  expectTypeOf<NonNullable<One>["id"]>().toEqualTypeOf<string>()
  expectTypeOf<Many>().toExtend<{ id: string }[]>()
  expectTypeOf<RelatedRecord["id"]>().toEqualTypeOf<string>()
})

test("an aggregate answers each value under the name by which it was asked for", () => {
  const ask = () =>
    films().aggregate({
      group: ["genre", "month(createdAt)"],
      measure: ["count", "avg(averageStars)", "max(title)"],
    })
  type Item = Awaited<ReturnType<typeof ask>>["items"][number]
  expectTypeOf<Item["genre"]>().toEqualTypeOf<"Drama" | "Musical" | null>()
  expectTypeOf<Item["month(createdAt)"]>().toEqualTypeOf<string | null>()
  expectTypeOf<Item["count"]>().toEqualTypeOf<number>()
  expectTypeOf<Item["avg(averageStars)"]>().toEqualTypeOf<number | null>()
  expectTypeOf<Item["max(title)"]>().toEqualTypeOf<string | null>()
  const countAll = () => films().aggregate()
  type All = Awaited<ReturnType<typeof countAll>>["items"][number]
  expectTypeOf<All["count"]>().toEqualTypeOf<number>()
  const distinct = () => films().aggregate({ group: ["genre"] })
  type Distinct = Awaited<ReturnType<typeof distinct>>["items"][number]
  expectTypeOf<Distinct>().not.toHaveProperty("count")
  const _calls = () => [
    // @ts-expect-error: no such field
    films().aggregate({ group: ["month(nonsense)"] }),
    // @ts-expect-error: no such measure
    films().aggregate({ measure: ["median(title)"] }),
  ]
})

test("a relation whose target is known to the types is answered as that record", () => {
  const film = relation("films", { required: true }) as Field<string, true> & {
    options: { target: "films" }
  }
  const notes = collection("notes", { fields: { film } })
  type All = readonly [(typeof collections)[0], typeof notes]
  const list = () =>
    createClient<All>({ url: "http://server.test" })
      .records("notes")
      .list({ expand: ["film"] })
  type Film = Awaited<ReturnType<typeof list>>["items"][number]["expanded"]["film"]
  expectTypeOf<NonNullable<Film>["title"]>().toEqualTypeOf<string>()
})

test("inputs take their fields and nothing else", () => {
  const _calls = () => [
    reviews().create({ film: "f", stars: 5, body: null }),
    // @ts-expect-error: stars is a number
    reviews().create({ stars: "5" }),
    // @ts-expect-error: no such field
    reviews().update("r", { stras: 5 }),
    // @ts-expect-error: no such genre
    films().update("f", { genre: "Noir" }),
  ]
})

test("mistyped names do not compile", () => {
  const _calls = () => [
    // @ts-expect-error: no such collection
    client.records("film"),
    // @ts-expect-error: no such field
    films().list({ sort: "-rating" }),
    // @ts-expect-error: no such field
    films().list({ fields: ["titel"] }),
    // @ts-expect-error: no such parameter
    films().list({ limt: 3 }),
    films().list({ sort: ["-averageStars", "title"], filter: "title = 1" }),
    client.records("members").get("m"),
  ]
})

test("a saved view answers records of the collection that is said, each field perhaps missing", () => {
  const _calls = async () => {
    const { items } = await client.records("reviews").ask<"films">("v")
    expectTypeOf(items[0]?.title).toEqualTypeOf<string | undefined>()
    // @ts-expect-error: no such collection
    await client.records("reviews").ask<"fims">("v")
  }
})

test("the past has the fields of the present, each perhaps missing", () => {
  const _calls = async () => {
    const { items } = await films().history("f")
    expectTypeOf(items[0]?.changes?.title).toEqualTypeOf<
      { from: string | null; to: string | null } | undefined
    >()
    const { record } = await films().version("f", 1)
    expectTypeOf(record.title).toEqualTypeOf<string | undefined>()
    expectTypeOf(record.version).toEqualTypeOf<number>()
    // @ts-expect-error: a version is a number
    await films().restore("f", "1")
  }
})

test("what is known of a file is what the server tells", () => {
  expectTypeOf<StoredFile>().toEqualTypeOf<FileOfServer>()
})
