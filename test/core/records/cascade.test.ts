import { beforeAll, describe, expect, test } from "vitest"
import { type Collection, collection } from "../../../src/core/records/collection.ts"
import { schemaObjects } from "../../../src/core/records/ddl.ts"
import { relation, relations, text } from "../../../src/core/records/fields.ts"
import { linkCollections } from "../../../src/core/records/link.ts"
import { costOf, type Person, signedIn } from "../../support/people.ts"
import { open, shopCollections } from "./cascade-shop.ts"
import { type Json, linesOf, query, read, refused, type Stored } from "./cast.ts"
import { openWorkshop, type Workshop } from "./workshop.ts"

let alice: Person
let bob: Person
let shop: Workshop
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  shop = await openWorkshop(shopCollections)
})

const make = (name: string, input: Json = {}, as = alice) =>
  read<Stored>(shop.call(as, "POST", `/records/${name}`, input), 201)
const remove = (name: string, id: string, as = alice, headers = {}) =>
  shop.call(as, "DELETE", `/records/${name}/${id}`, undefined, headers)
const find = (name: string, id: string, status = 200) =>
  read<Stored>(shop.call(alice, "GET", `/records/${name}/${id}`), status)
const kinds = async (id: string) => (await linesOf(id)).map(({ kind }) => kind)

/** No foreign key leads nowhere, and nothing is left of a cascade's own notes. */
async function assertSound(): Promise<void> {
  expect(await query("PRAGMA foreign_key_check")).toEqual([])
  expect(await query("SELECT * FROM cascades")).toEqual([])
}

describe("what points at a record that is deleted", () => {
  test("goes with it where it cascades, to any depth, each with a line of its own", async () => {
    const shelf = await make("shelves")
    const box = await make("boxes", { shelf: shelf.id, weight: 2 })
    const thing = await make("things", { box: box.id, name: "gone" })
    const answer = await remove("shelves", shelf.id)
    await read(answer, 204)
    expect(costOf(answer).trips).toBe(1)
    for (const [name, { id }] of Object.entries({ shelves: shelf, boxes: box, things: thing })) {
      await find(name, id, 404)
    }
    const lines = (await Promise.all([shelf, box, thing].map(({ id }) => linesOf(id)))).map(
      (lines) => lines.at(-1),
    )
    expect(lines.map((line) => [line?.kind, line?.version, line?.authority, line?.actor])).toEqual([
      ["deleted", 2, "rule", alice.id],
      ["deleted", 2, "system", alice.id],
      ["deleted", 2, "system", alice.id],
    ])
    expect(new Set(lines.map((line) => line?.requestId)).size).toBe(1)
    expect(JSON.parse(lines[2]?.payload as string)).toMatchObject({ box: box.id, name: "gone" })
    await assertSound()
  })

  test("goes once, whichever ways lead to it", async () => {
    const shelf = await make("shelves")
    const [one, two] = [
      await make("boxes", { shelf: shelf.id }),
      await make("boxes", { shelf: shelf.id }),
    ]
    const thing = await make("things", { box: one.id, spare: two.id, shelf: shelf.id })
    await read(remove("shelves", shelf.id), 204)
    expect(await kinds(thing.id)).toEqual(["created", "deleted"])
    await assertSound()
  })

  test("goes in circles, too", async () => {
    const shelf = await make("shelves")
    const box = await make("boxes", { shelf: shelf.id })
    const twin = await make("boxes", { twin: box.id })
    for (const [path, input] of [
      [`boxes/${box.id}`, { twin: twin.id }],
      [`shelves/${shelf.id}`, { favourite: twin.id }],
    ] as const) {
      await read(shop.call(alice, "PATCH", `/records/${path}`, input), 200)
    }
    await read(remove("shelves", shelf.id), 204)
    expect(await kinds(twin.id)).toEqual(["created", "deleted"])
    expect(await kinds(shelf.id)).toEqual(["created", "updated", "deleted"])
    await assertSound()
  })

  test("loses its reference where it is set to null, and its place on a list where that is unlinked", async () => {
    const shelf = await make("shelves")
    const kept = await make("boxes")
    const box = await make("boxes", { shelf: shelf.id })
    const [thing, other] = [
      await make("things", { box: box.id }),
      await make("things", { box: box.id }),
    ]
    const stays = await make("things", { box: kept.id, spare: box.id })
    const elsewhere = await make("shelves")
    const label = await make("labels", {
      of: thing.id,
      also: other.id,
      pinned: [elsewhere.id, shelf.id],
    })
    await read(remove("shelves", shelf.id), 204)
    expect(await find("things", stays.id)).toMatchObject({ spare: null, box: kept.id, version: 2 })
    // Three references of one record are one version and one line.
    expect(await find("labels", label.id)).toMatchObject({
      of: null,
      also: null,
      pinned: [elsewhere.id],
      version: 2,
      updatedBy: alice.id,
    })
    const line = (await linesOf(label.id)).at(-1)
    expect(line).toMatchObject({ kind: "updated", version: 2, authority: "system" })
    expect(JSON.parse(line?.payload as string)).toMatchObject({
      of: null,
      pinned: [elsewhere.id],
    })
    await assertSound()
  })

  test("leaves rollups and the search index as the rows are", async () => {
    const [shelf, kept] = [await make("shelves"), await make("shelves")]
    const twin = await make("boxes", { shelf: shelf.id, weight: 1, name: "walnut" })
    const box = await make("boxes", { shelf: kept.id, weight: 3, twin: twin.id, name: "walnut" })
    await make("boxes", { shelf: kept.id, weight: 5 })
    await make("things", { box: box.id, name: "walnut" })
    expect(await find("shelves", kept.id)).toMatchObject({ boxCount: 2, weight: 4 })
    await read(remove("shelves", shelf.id), 204)
    expect(await find("shelves", kept.id)).toMatchObject({ boxCount: 1, weight: 5 })
    for (const name of ["boxes", "things"]) {
      const path = `/records/${name}?search=walnut&count=exact`
      expect(await read(shop.call(alice, "GET", path), 200)).toMatchObject({ count: 0 })
      await query(`INSERT INTO ${name}_search(${name}_search) VALUES ('integrity-check')`)
    }
  })
})

describe("one record that stands in the way", () => {
  test("anywhere refuses the whole, and nothing is changed", async () => {
    const shelf = await make("shelves")
    const thing = await make("things", { box: (await make("boxes", { shelf: shelf.id })).id })
    const lock = await make("locks", { things: [thing.id] })
    const before = await query("SELECT count(*) AS n FROM changes")
    const { detail } = await refused(remove("shelves", shelf.id), 409)
    expect(detail).toContain("locks")
    expect(await query("SELECT count(*) AS n FROM changes")).toEqual(before)
    await find("things", thing.id)
    await assertSound()
    await read(remove("locks", lock.id), 204)
    await read(remove("shelves", shelf.id), 204)
  })

  test("is not named to those who may not read all of its collection", async () => {
    const shelf = await make("shelves")
    const thing = await make("things", { box: (await make("boxes", { shelf: shelf.id })).id })
    const seal = await make("seals", { thing: thing.id }, bob)
    for (const as of [alice, bob]) {
      const { detail } = await refused(remove("shelves", shelf.id, as), 409)
      expect(detail).toBe("Other records still point at this one.")
    }
    await read(remove("seals", seal.id, bob), 204)
    await read(remove("shelves", shelf.id), 204)
  })

  test("is answered alike, however many there are and whatever is in them", async () => {
    const shelf = await make("shelves")
    const box = await make("boxes", { shelf: shelf.id })
    const refuse = async () => {
      const { requestId: _, ...problem } = (await refused(
        remove("shelves", shelf.id),
        409,
      )) as unknown as Json
      return problem
    }
    const thing = await make("things", { box: box.id })
    await make("seals", { thing: thing.id }, bob)
    const before = await refuse()
    for (let n = 0; n < 3; n++) {
      const other = await make("things", { box: box.id, name: `secret ${n}` })
      await make("seals", { thing: other.id }, bob)
    }
    expect(await refuse()).toEqual(before)
  })

  test("is none when it goes as well", async () => {
    const shelf = await make("shelves")
    const thing = await make("things", { box: (await make("boxes", { shelf: shelf.id })).id })
    const seal = await make("seals", { thing: thing.id, shelf: shelf.id }, bob)
    await read(remove("shelves", shelf.id), 204)
    expect(await kinds(seal.id)).toEqual(["created", "deleted"])
  })
})

describe("where records belong to organisations", () => {
  const leaves = collection("leaves", {
    fields: { thing: relation("things", { onDelete: "cascade" }), name: text({ max: 50 }) },
    scope: "organisation",
    unique: [["thing", "name"]],
    rules: open,
  })
  const insert = (organisation: string, thing: string | null, count: number) =>
    query(
      "INSERT INTO leaves (id, organisation, version, createdAt, updatedAt, thing) SELECT lower(hex(randomblob(4))) || '-0000-4000-8000-' || lower(hex(randomblob(6))), ?, 1, '', '', ? FROM json_each(?)",
      [organisation, thing, JSON.stringify(Array.from({ length: count }, () => 0))],
    )

  test("what is shared takes those of all along, found by an index, and each line says whose it was", async () => {
    const garden = await openWorkshop([...shopCollections, leaves], {
      tables: false,
    })
    for (const { table, sql } of schemaObjects(garden.collections.values())) {
      if (table === "leaves") await query(sql)
    }
    const thing = await make("things", { box: (await make("boxes")).id })
    await insert("one", thing.id, 2)
    await insert("two", thing.id, 1)
    await insert("two", null, 5_000)
    const answer = await garden.call(alice, "DELETE", `/records/things/${thing.id}`)
    await read(answer, 204)
    expect(costOf(answer).rowsRead).toBeLessThan(300)
    const lines = await query(
      "SELECT organisation, authority FROM changes WHERE subject = 'leaves'",
    )
    expect(lines.map(({ organisation }) => organisation).toSorted()).toEqual(["one", "one", "two"])
    await query("DROP TABLE leaves")
  })
})

describe("a definition is refused at start-up", () => {
  const target = collection("target", { fields: { name: text() } })
  const one = (more: Parameters<typeof relation>[1], to = "target") =>
    collection("one", { fields: { link: relation(to, more) } })
  const many = (more: Parameters<typeof relations>[1], to = "target") =>
    collection("one", { fields: { link: relations(to, more) } })
  test.each<[string, Collection, RegExp]>([
    [
      "that empties what is required",
      one({ required: true, onDelete: "setNull" }),
      /one\.link.*"cascade"/,
    ],
    [
      "that may empty a required list",
      many({ required: true, onDelete: "unlink" }),
      /one\.link.*required/,
    ],
    ["that waits for the end of people", one({ onDelete: "cascade" }, "members"), /never deleted/],
    ["the same of a list", many({ onDelete: "unlink" }, "members"), /never deleted/],
    [
      "that unlinks what is no list",
      one({ onDelete: "unlink" as "cascade" }),
      /"unlink" is not one of/,
    ],
    [
      "that cascades through a list",
      many({ onDelete: "cascade" as "unlink" }),
      /"cascade" is not one of/,
    ],
  ])("%s", (_, definition, message) => {
    expect(() => linkCollections([target, definition])).toThrow(message)
  })

  test("and not where it can be kept", () => {
    const kept = [
      one({ required: true, onDelete: "cascade" }),
      one({ onDelete: "setNull" }),
      one({ required: true, onDelete: "restrict" }, "members"),
      many({ onDelete: "unlink" }),
    ]
    for (const definition of kept) linkCollections([target, definition])
  })
})

describe("the rights of a deletion", () => {
  test("are those of the record that is named: what cascades asks no rule", async () => {
    const shelf = await make("shelves")
    const box = await make("boxes", { shelf: shelf.id })
    await refused(remove("boxes", box.id), 403)
    await read(remove("shelves", shelf.id), 204)
    await find("boxes", box.id, 404)
  })

  test("and its version is the one that If-Match means", async () => {
    const shelf = await make("shelves")
    await make("boxes", { shelf: shelf.id })
    await refused(remove("shelves", shelf.id, alice, { "if-match": '"9"' }), 412)
    await read(remove("shelves", shelf.id, alice, { "if-match": '"1"' }), 204)
  })
})

describe("a deletion takes along at most 1,000 others", () => {
  const fill = async (count: number, shelf: string | null) => {
    await query(
      "INSERT INTO boxes (id, version, createdAt, updatedAt, shelf, weight) SELECT lower(hex(randomblob(4))) || '-0000-4000-8000-' || lower(hex(randomblob(6))), 1, '', '', ?, 1 FROM json_each(?)",
      [shelf, JSON.stringify(Array.from({ length: count }, () => 0))],
    )
  }

  test("and so many cost a bounded number of rows", async () => {
    // Others in the same table are none of it.
    await fill(20_000, null)
    const shelf = (await make("shelves")).id
    await fill(1_000, shelf)
    const answer = await remove("shelves", shelf)
    await read(answer, 204)
    expect(costOf(answer).trips).toBe(1)
    expect(costOf(answer).rowsRead).toBeLessThan(30_000)
    expect(await query("SELECT 1 FROM boxes WHERE shelf = ?", [shelf])).toEqual([])
  })

  test("where a list that loses many counts once, and hides none that loses one", async () => {
    const shelf = (await make("shelves")).id
    await fill(600, shelf)
    const stuck = (await query("SELECT id FROM boxes WHERE shelf = ? ORDER BY id", [shelf])).map(
      (box) => box.id,
    )
    const [one, two] = [await make("labels", { stuck }), await make("labels", { stuck })]
    const last = await make("labels", { stuck: stuck.slice(-1) })
    await read(remove("shelves", shelf), 204)
    for (const { id } of [one, two, last]) {
      expect(await find("labels", id)).toMatchObject({ stuck: [], version: 2 })
      expect(await kinds(id)).toEqual(["created", "updated"])
    }
    await assertSound()
  })

  test("and refuses one more, naming the limit, before anything is done", async () => {
    const shelf = (await make("shelves")).id
    await fill(1_001, shelf)
    const answer = await remove("shelves", shelf)
    expect(costOf(answer).trips).toBe(1)
    expect((await refused(answer, 409)).detail).toContain("1,000")
    expect(await query("SELECT count(*) AS n FROM boxes WHERE shelf = ?", [shelf])).toEqual([
      { n: 1_001 },
    ])
    await assertSound()
  })
})
