import { env } from "cloudflare:workers"
import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import { collection } from "../../../src/core/records/collection.ts"
import {
  boolean,
  choice,
  date,
  expression,
  integer,
  relation,
  text,
} from "../../../src/core/records/fields.ts"
import { linkCollections } from "../../../src/core/records/link.ts"
import { type Person, signedIn } from "../../support/people.ts"
import { assertAgreement } from "./agreement.ts"
import { type Json, query, read, type Stored } from "./cast.ts"
import { openWorkshop, type Workshop } from "./workshop.ts"

const fields = {
  day: date({ required: true }),
  animals: integer(),
  weight: integer(),
  kind: choice(["bird", "fish", "cat"], { required: true, default: "bird" }),
  open: boolean({ required: true, default: true }),
  observer: relation("members", { required: true, default: expression("@me.id") }),
  note: text(),
}
const summaries = [
  { span: "day(day)", group: "open", sum: ["animals", "weight"] },
  { span: "month(day)", group: "kind", sum: ["animals"] },
  { span: "month(createdAt)", sum: ["animals"] },
]
const write = { create: "true", update: "true", delete: "true" }
/** Alike but for who may read what. */
const definitions = [
  collection("seen", { fields, summaries, rules: { read: "true", ...write } }),
  collection("opened", {
    fields,
    summaries,
    rules: { read: 'open = true || has(@me.roles, "editor")', ...write },
  }),
  collection("owned", { fields, summaries, rules: { read: "observer = @me.id", ...write } }),
  collection("muted", {
    fields: {
      ...fields,
      animals: integer({ readable: "observer = @me.id" }),
      kind: choice(["bird", "fish", "cat"], {
        required: true,
        default: "bird",
        readable: 'has(@me.roles, "editor")',
      }),
    },
    summaries,
    rules: { read: "true", ...write },
  }),
]

let alice: Person
let bob: Person
let editor: Person
let shop: Workshop
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  editor = await signedIn("editor", ["editor"])
  shop = await openWorkshop(definitions)
})

/** What was answered, and how many rows were read for it. */
async function ask(as: Person | null, name: string, parameters: Record<string, string>) {
  const path = `/records/${name}/aggregate?${new URLSearchParams(parameters)}`
  const answer = await shop.call(as, "GET", path)
  const timing = answer.headers.get("server-timing") ?? ""
  const { items } = await read<{ items: Json[] }>(answer, 200)
  return { items, rowsRead: Number(/rows-read;desc="(\d+)"/.exec(timing)?.[1]) }
}

/** The same of the records themselves: no summary knows the least id. */
async function fromRows(as: Person | null, name: string, parameters: Record<string, string>) {
  const measure = [parameters.measure, "min(id)"].filter(Boolean).join(",")
  const { items } = await ask(as, name, { ...parameters, measure })
  const nothing = parameters.group === undefined && parameters.measure === undefined
  if (nothing) return (await ask(as, name, { measure: "count,min(id)" })).items.map(withoutId)
  return items.map(withoutId)
}
const withoutId = ({ "min(id)": _, ...rest }: Json): Json => rest

/** The kind of what is muted is for editors to know, and to give. */
const givenBy = (as: Person, name: string, { kind, ...rest }: Json): Json =>
  name === "muted" && as !== editor ? rest : { ...rest, ...(kind !== undefined && { kind }) }
const create = (as: Person, name: string, input: Json) =>
  read<Stored>(shop.call(as, "POST", `/records/${name}`, givenBy(as, name, input)), 201)

const byMonth = { group: "month(day)", measure: "count,sum(animals)" }
const questions: Record<string, string>[] = [
  {},
  byMonth,
  { measure: "count,sum(animals),sum(weight)" },
  { group: "year(day)", measure: "sum(weight)", sort: "-sum(weight)" },
  { group: "day(day),open", measure: "count" },
  { group: "kind,month(day)", measure: "count,sum(animals)", filter: 'kind != "cat"' },
  { group: "open", measure: "count", filter: "open = false" },
  { group: "month(createdAt)", measure: "sum(animals)" },
  { ...byMonth, filter: 'day >= "2025-02-01" && day < "2026-01-01"' },
  { ...byMonth, filter: 'day >= "2025-02-02"' },
  { ...byMonth, filter: 'day > "2025-02-01" || open = true' },
  { ...byMonth, filter: '!(day < "2025-02-01")' },
  { ...byMonth, filter: "animals > 2" },
  { group: "week(day)", measure: "count" },
  { group: "observer", measure: "count" },
  { group: "kind" },
]
const people = () => [null, alice, bob, editor]

describe("a summary", () => {
  test("agrees with the records after any writes, and answers as they do, whoever asks", async () => {
    const names = definitions.map(({ name }) => name)
    const input = fc.record(
      {
        day: fc.constantFrom("2025-01-31", "2025-02-01", "2025-02-28", "2026-01-01", "0999-12-31"),
        animals: fc.oneof(fc.integer({ min: -3, max: 9 }), fc.constant(null), fc.maxSafeInteger()),
        weight: fc.integer({ min: -2, max: 2 }),
        kind: fc.constantFrom("bird", "fish"),
        open: fc.boolean(),
        note: fc.constantFrom("x", null),
      },
      { requiredKeys: ["day"] },
    )
    const write = fc.record({
      name: fc.constantFrom(...names),
      by: fc.constantFrom("alice", "bob", "editor"),
      action: fc.constantFrom("create", "create", "update", "delete"),
      nth: fc.nat(),
      input,
    })
    await fc.assert(
      fc.asyncProperty(fc.array(write, { minLength: 6, maxLength: 14 }), async (writes) => {
        for (const { name, by, action, nth, input } of writes) {
          const person = { alice, bob, editor }[by] as Person
          const rows = await query(`SELECT id FROM ${name} ORDER BY id`)
          const id = rows[nth % Math.max(1, rows.length)]?.id
          if (action === "create" || !id) await create(person, name, input)
          else {
            const [method, body] =
              action === "update"
                ? (["PATCH", givenBy(person, name, input)] as const)
                : (["DELETE"] as const)
            await shop.call(person, method, `/records/${name}/${id}`, body)
          }
        }
        await assertAgreement(shop.collections)
      }),
      { numRuns: 6 },
    )
    for (const name of names) {
      for (const person of people()) {
        // To them there is nothing to ask about.
        if ((name === "owned" || name === "muted") && person === null) continue
        for (const question of questions) {
          if (name === "muted" && JSON.stringify(question).includes("kind") && person !== editor) {
            continue
          }
          const { items } = await ask(person, name, question)
          expect(items, `${name} ${JSON.stringify(question)}`).toEqual(
            await fromRows(person, name, question),
          )
        }
      }
    }
  })

  test("spares the records: what is read does not grow with them", async () => {
    const fill = `WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3000)
INSERT INTO opened (id, version, createdAt, updatedAt, day, animals, kind, open, observer)
SELECT 'f' || n, 1, '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z', date('2030-01-01', (n % 300) || ' days'), n, 'fish', n % 2, '${alice.id}' FROM n`
    await query(fill)
    const year = { ...byMonth, filter: 'day >= "2030-01-01" && day < "2031-01-01"' }
    const month = { ...byMonth, filter: 'day >= "2030-03-01" && day < "2030-04-01"' }
    // Days, of which each has one row for open and one for closed records; D1 counts what is sorted again.
    expect((await ask(null, "opened", year)).rowsRead).toBeLessThan(1_300)
    expect((await ask(null, "opened", month)).rowsRead).toBeLessThan(150)
    const kinds = { group: "kind", measure: "count", filter: 'kind = "fish"' }
    expect((await ask(editor, "opened", kinds)).rowsRead).toBeLessThan(40)
    expect((await ask(editor, "owned", byMonth)).items).toEqual(
      await fromRows(editor, "owned", byMonth),
    )
  })

  test("is exact beyond the integers of JavaScript and of SQLite", async () => {
    const animals = Number.MAX_SAFE_INTEGER
    for (let n = 0; n < 3; n++) await create(alice, "seen", { day: "2040-05-05", animals })
    // As if there were two thousand of them: a sum in one column would pass 2^63 and refuse the next write.
    await query(
      `UPDATE seen_by_month_day_kind SET animals_high = animals_high * 1000, animals_low = animals_low * 1000 WHERE bucket = '2040-05'`,
    )
    await create(alice, "seen", { day: "2040-05-06", animals })
    const path = `/records/seen/aggregate?${new URLSearchParams({ group: "month(day),kind", measure: "sum(animals)", filter: 'day >= "2040-05-01"' })}`
    const text = await (await shop.call(alice, "GET", path)).text()
    expect(text).toContain(String(3001n * BigInt(animals)))
    const { results } = await env.DB.prepare("SELECT id FROM seen WHERE day >= '2040-01-01'").all()
    for (const { id } of results) await query("DELETE FROM seen WHERE id = ?", [String(id)])
    await query("DELETE FROM seen_by_month_day_kind WHERE bucket = '2040-05'")
  })

  test("betrays nothing where a rule looks at the record: sums of others' records stay theirs", async () => {
    const secret = { day: "2050-01-01", animals: 41, kind: "cat", open: false }
    for (const name of ["owned", "muted", "opened"]) await create(alice, name, secret)
    const of = { filter: 'day >= "2050-01-01" && day < "2051-01-01"' }
    const sum = { ...of, measure: "sum(animals)", group: "month(day)" }
    expect((await ask(bob, "owned", sum)).items).toEqual([])
    expect((await ask(bob, "muted", sum)).items).toEqual([
      { "month(day)": "2050-01", "sum(animals)": 0 },
    ])
    for (const person of [null, bob]) {
      expect((await ask(person, "opened", sum)).items).toEqual([])
    }
    expect((await ask(editor, "opened", sum)).items).toEqual([
      { "month(day)": "2050-01", "sum(animals)": 41 },
    ])
    const kinds = new URLSearchParams({ group: "kind", measure: "count" })
    const unknown = await shop.call(bob, "GET", `/records/muted/aggregate?${kinds}`)
    expect(unknown.status).toBe(400)
  })
})

describe("a definition", () => {
  const of = (summary: object) => () =>
    linkCollections([collection("seen", { fields, summaries: [summary as never] })])
  test.each([
    [{ span: "week(day)" }, 'has the span "week(day)"'],
    [{ span: "month(note)" }, 'is by "note"'],
    [{ span: "month(gone)" }, 'is by "gone"'],
    [{ span: "month(day)", group: "observer" }, 'is grouped by "observer"'],
    [{ span: "month(day)", group: "note" }, 'is grouped by "note"'],
    [{ span: "month(day)", sum: ["note"] }, 'adds up "note"'],
  ])("%j is refused with the mend", (summary, message) => {
    expect(of(summary)).toThrow(message)
  })

  test("of a view may not read the sums of all organisations", () => {
    expect(() =>
      linkCollections([
        collection("seen", { fields, summaries, scope: "organisation" }),
        collection("spy", {
          fields: { rows: integer() },
          sql: "SELECT bucket AS id, rows FROM seen_by_month_createdAt",
        }),
      ]),
    ).toThrow("it may read collections and nothing else")
  })

  test.each([0, -1, 1.5, Number.NaN])("with a budget of %d rows is refused", (rowsRead) => {
    const budget = { rowsRead }
    expect(() => linkCollections([collection("seen", { fields, budget })])).toThrow(
      "write a whole number from 1 on",
    )
  })
})
