import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import { collection } from "../../../src/core/records/collection.ts"
import { relation, text } from "../../../src/core/records/fields.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { create, type Json, patch, read, refused } from "./cast.ts"
import { openWorkshop, type Workshop } from "./workshop.ts"

interface Hit {
  collection: string
  rank: number
  highlights: Record<string, { text: string; match?: true }[]>
  record: Json & { id: string }
}

const open = { read: "true", create: "true", update: "true", delete: "true" }
const plants = collection("plants", {
  fields: {
    name: text({ max: 200 }),
    body: text({ max: 50_000 }),
    secret: text({ readable: 'has(@me.roles, "editor")' }),
    note: text({ readable: "gardener = @me.id" }),
    gardener: relation("members"),
  },
  rules: { ...open, read: 'name != "hidden"' },
  search: ["name", "body", "secret", "note"],
})
const pots = collection("pots", {
  fields: { name: text({ max: 200 }) },
  rules: open,
  search: ["name"],
})
/** Anybody's own, in their own organisation alone; and of nobody. */
const sheds = collection("sheds", {
  fields: { name: text({ max: 200 }) },
  scope: "organisation",
  rules: { ...open, read: "@me.id != null" },
  search: ["name"],
})
const vaults = collection("cellars", { fields: { name: text() }, search: ["name"] })
const tools = collection("tools", { fields: { name: text() }, rules: open })

let alice: Person
let editor: Person
let garden: Workshop
beforeAll(async () => {
  alice = await signedIn("alice")
  editor = await signedIn("editor", ["editor"])
  garden = await openWorkshop([plants, pots, sheds, vaults, tools])
})

const make = (name: string, input: Json) =>
  read<Json & { id: string }>(garden.call(alice, "POST", `/records/${name}`, input), 201)
const ask = (as: Person | null, parameters: Record<string, string>) =>
  garden.call(as, "GET", `/search?${new URLSearchParams(parameters)}`)
const find = async (as: Person | null, q: string, more: Record<string, string> = {}) =>
  (await read<{ items: Hit[] }>(ask(as, { q, ...more }), 200)).items

describe("one search over several collections", () => {
  test("answers the best of all of them, in one trip, whoever asks", async () => {
    const often = await make("pots", { name: "quince quince" })
    const once = await make("plants", { name: "quince" })
    const long = await make("plants", { name: "x", body: `quince ${"filler ".repeat(300)}` })
    for (const as of [null, alice]) {
      const answer = await ask(as, { q: "quince" })
      expect(costOf(answer).trips).toBe(1)
      const { items } = await read<{ items: Hit[] }>(answer, 200)
      expect(items.map((hit) => [hit.collection, hit.record.id])).toEqual([
        ["pots", often.id],
        ["plants", once.id],
        ["plants", long.id],
      ])
      expect(items.map(({ rank }) => rank)).toEqual(
        items.map(({ rank }) => rank).toSorted((a, b) => b - a),
      )
      expect(items.every(({ rank }) => rank > 0)).toBe(true)
    }
    expect((await find(null, "quince", { collections: "plants" })).length).toBe(2)
    expect((await find(null, "quince", { limit: "1" })).map(({ record }) => record.id)).toEqual([
      often.id,
    ])
  })

  test("marks what was found as parts of the text, in fields that match", async () => {
    await make("plants", { name: "Crème <b>brûlée</b>", body: "nothing of it" })
    const [hit] = await find(null, "creme brul")
    expect(hit?.highlights).toEqual({
      name: [
        { text: "Crème", match: true },
        { text: " <b>" },
        { text: "brûlée", match: true },
        { text: "</b>" },
      ],
    })
  })

  test("shows the place of a long text where it was found", async () => {
    const body = `${"before ".repeat(3_000)}sassafras${" after".repeat(3_000)}`
    await make("plants", { name: "x", body })
    const [hit] = await find(null, "sassafras", { collections: "plants" })
    const parts = hit?.highlights.body ?? []
    const shown = parts.map(({ text }) => text).join("")
    expect(parts.filter(({ match }) => match)).toEqual([{ text: "sassafras", match: true }])
    expect(shown.length).toBeLessThan(300)
    expect(shown.startsWith("…before")).toBe(true)
    expect(shown.endsWith("after…")).toBe(true)
  })
})

describe("what the caller may not read", () => {
  test("is neither found nor marked nor counted into the rank", async () => {
    const { id } = await make("plants", { name: "medlar", note: "zeppelin medlar" })
    await read(
      garden.call(editor, "PATCH", `/records/plants/${id}`, { secret: "medlar zebra" }),
      200,
    )
    const [before] = await find(alice, "medlar")
    expect(Object.keys(before?.highlights ?? {})).toEqual(["name"])
    expect(before?.record.secret).toBeUndefined()
    expect(await find(alice, "zebra")).toEqual([])
    expect(await find(alice, "zeppelin")).toEqual([])
    const [seen] = await find(editor, "zebra")
    expect(seen?.highlights.secret).toEqual([{ text: "medlar " }, { text: "zebra", match: true }])
    await read(garden.call(editor, "PATCH", `/records/plants/${id}`, { secret: "no" }), 200)
    const [after] = await find(alice, "medlar")
    expect([after?.rank, after?.highlights]).toEqual([before?.rank, before?.highlights])
  })

  test("changes nothing about what it may: hidden rows weigh nothing", async () => {
    await make("plants", { name: "loquat once" })
    const before = await find(alice, "loquat")
    for (let i = 0; i < 5; i++) await make("plants", { name: "hidden", body: "loquat loquat" })
    expect(await find(alice, "loquat")).toEqual(before)
  })

  test("is another organisation's, and a collection without rules is none", async () => {
    expect(await find(alice, "quince", { collections: "sheds" })).toEqual([])
    const answers = await Promise.all(
      ["cellars", "nothing"].map(async (name) => {
        const { errors } = await refused(ask(alice, { q: "x", collections: name }), 400)
        return JSON.stringify(errors).replaceAll(name, "…")
      }),
    )
    expect(answers[0]).toBe(answers[1])
    await refused(ask(null, { q: "x", collections: "sheds" }), 401)
    expect((await find(null, "quince")).length).toBeGreaterThan(0)
  })
})

test.each<[string, Record<string, string>, string]>([
  ["no words", {}, "query.q"],
  ["blank words", { q: "  " }, "query.q"],
  ["too many characters", { q: "x".repeat(501) }, "query.q"],
  ["a collection without full text", { q: "x", collections: "tools" }, "query.collections"],
  ["an unknown collection among known", { q: "x", collections: "pots,pans" }, "query.collections"],
  ["no limit", { q: "x", limit: "0" }, "query.limit"],
  ["a limit beyond", { q: "x", limit: "51" }, "query.limit"],
  ["a parameter of lists", { q: "x", filter: "true" }, "query.filter"],
])("%s is refused, naming the parameter", async (_, parameters, path) => {
  const { errors } = await refused(ask(alice, parameters), 400)
  expect(errors?.[0]?.path).toBe(path)
})

test("words that are no words find nothing", async () => {
  expect(await find(null, "?! -- ()")).toEqual([])
})

test("whatever is stored and asked, parts add up to the text and name what was asked", async () => {
  const piece = fc.constantFrom(
    "apple",
    "Äpfel",
    "<script>",
    "</mark>",
    "&amp;",
    '"',
    "'",
    "\u0001",
    "\u0002",
    "𝒜",
    "😀",
    "\u202e",
    "漢字",
    "AND",
    "NEAR(",
    "*",
    "title:",
    " ",
    "\n",
  )
  const texts = fc.array(piece, { minLength: 1, maxLength: 15 }).map((parts) => parts.join(" "))
  await fc.assert(
    fc.asyncProperty(texts, texts, async (stored, asked) => {
      const { id } = await make("pots", { name: `${stored} apple` })
      const answer = await ask(alice, { q: asked.trim() || "x", collections: "pots" })
      const body = await answer.text()
      expect(answer.status, body).toBe(200)
      const { items } = JSON.parse(body) as { items: Hit[] }
      for (const { highlights, record } of items) {
        const parts = highlights.name ?? []
        expect(parts.some(({ match }) => match)).toBe(true)
        expect(record.name as string).toContain(
          parts
            .map(({ text }) => text)
            .join("")
            .replace(/^…|…$/g, ""),
        )
      }
      await read(garden.call(alice, "DELETE", `/records/pots/${id}`), 204)
    }),
    { numRuns: 60 },
  )
})

test("the fixtures' own: a search of everything is refused or answered as a list of each would be", async () => {
  const { id } = await create(alice, "articles", { title: "jackfruit", status: "published" })
  await patch(alice, "articles", id, { note: "jackfruit" })
  const answer = await call(null, "GET", "/search?q=jackfruit")
  const { items } = await read<{ items: Hit[] }>(answer, 200)
  expect(items.map((hit) => [hit.collection, hit.record.id])).toEqual([["articles", id]])
  expect(items[0]?.record.note).toBeUndefined()
})
