import fc from "fast-check"
import { beforeAll, expect, test } from "vitest"
import { type Person, signedIn } from "../../support/people.ts"
import { assertAgreement } from "./agreement.ts"
import { shopCollections } from "./cascade-shop.ts"
import { type Json, query } from "./cast.ts"
import { openWorkshop, type Workshop } from "./workshop.ts"

let alice: Person
let bob: Person
let shop: Workshop
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  shop = await openWorkshop(shopCollections)
})

type Name = "shelves" | "boxes" | "things" | "labels" | "seals" | "locks"
const names: readonly Name[] = ["shelves", "boxes", "things", "labels", "seals", "locks"]

/** What the definitions say, once more: where each reference leads, and what the end of its target does. */
const references: Record<Name, Record<string, [target: Name, reaction: string]>> = {
  shelves: { favourite: ["boxes", "empty"] },
  boxes: { shelf: ["shelves", "go"], twin: ["boxes", "go"], labels: ["labels", "empty"] },
  things: { box: ["boxes", "go"], spare: ["boxes", "empty"], shelf: ["shelves", "go"] },
  labels: {
    of: ["things", "empty"],
    also: ["things", "empty"],
    pinned: ["shelves", "empty"],
    stuck: ["boxes", "empty"],
  },
  seals: { thing: ["things", "stay"], shelf: ["shelves", "go"] },
  locks: { things: ["things", "stay"] },
}
const lists = new Set(["labels", "pinned", "stuck", "things"])

interface Kept {
  readonly name: Name
  readonly fields: Json
}
type Model = Map<string, Kept>

const pointsAt = (kept: Kept, field: string, gone: ReadonlySet<string>): boolean => {
  const value = kept.fields[field]
  return Array.isArray(value) ? value.some((id) => gone.has(id)) : gone.has(value as string)
}

/** The naive reading of a deletion: the records without it, or null where it is refused. */
function deleted(model: Model, id: string): Model | null {
  const gone = new Set([id])
  for (let before = 0; before < gone.size; ) {
    before = gone.size
    for (const [other, kept] of model) {
      const goes = Object.entries(references[kept.name]).some(
        ([field, [, reaction]]) => reaction === "go" && pointsAt(kept, field, gone),
      )
      if (goes) gone.add(other)
    }
  }
  const after: Model = new Map()
  for (const [other, kept] of model) {
    if (gone.has(other)) continue
    const fields = { ...kept.fields }
    for (const [field, [, reaction]] of Object.entries(references[kept.name])) {
      if (!pointsAt(kept, field, gone)) continue
      if (reaction === "stay") return null
      const value = fields[field]
      fields[field] = Array.isArray(value) ? value.filter((one) => !gone.has(one)) : null
    }
    after.set(other, { ...kept, fields })
  }
  return after
}

const step = fc.record({
  what: fc.constantFrom("create", "create", "patch", "delete", "delete", "batch"),
  name: fc.constantFrom(...names),
  at: fc.nat(40),
  to: fc.array(fc.nat(40), { minLength: 3, maxLength: 3 }),
  present: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
  word: fc.constantFrom("oak", "ash oak", "é"),
  weight: fc.option(fc.integer({ min: 0, max: 9 })),
})
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** References of a record as the step has them, as far as there is something to refer to. */
function fieldsOf(model: Model, { name, to, present, word, weight }: Step): Json | null {
  const fields: Json = {}
  for (const [i, [field, [target]]] of Object.entries(references[name]).entries()) {
    const known = [...model].filter(([, kept]) => kept.name === target).map(([id]) => id)
    const pick = (n: number) => known[n % known.length] as string
    if (lists.has(field)) {
      fields[field] = known.length && present[i] ? [...new Set(to.map(pick))] : []
    } else {
      fields[field] = known.length && present[i] ? pick(to[i % 3] as number) : null
    }
  }
  if (name === "things" && fields.box === null) {
    const box = [...model].find(([, kept]) => kept.name === "boxes")
    if (!box) return null
    fields.box = box[0]
  }
  if (name !== "seals" && name !== "locks") fields.name = word
  if (name === "boxes") fields.weight = weight
  return fields
}

const send = async (method: string, path: string, body?: unknown) => {
  // Seals are seen by their owner alone; they stand in the way, and go, all the same.
  const as = path.includes("seals") ? bob : alice
  const answer = await shop.call(as, method, path, body)
  const text = await answer.text()
  expect(answer.status, text).toBeLessThan(500)
  return { status: answer.status, body: (text ? JSON.parse(text) : null) as Json | null }
}

async function take(model: Model, step: Step): Promise<Model> {
  const { what, name, at } = step
  const known = [...model].filter(([, kept]) => kept.name === name).map(([id]) => id)
  const id = known[at % Math.max(1, known.length)]
  const fields = fieldsOf(model, step)
  if (what === "create" || !id) {
    if (!fields) return model
    const made = await send("POST", `/records/${name}`, fields)
    expect(made.status).toBe(201)
    return new Map(model).set(made.body?.id as string, { name, fields })
  }
  if (what === "patch") {
    if (!fields) return model
    expect((await send("PATCH", `/records/${name}/${id}`, fields)).status).toBe(200)
    return new Map(model).set(id, { name, fields })
  }
  // Boxes and seals only go with what they belong to: their own rules, or owners, say no.
  const allowed = name !== "boxes"
  const after = deleted(model, id)
  if (what === "delete") {
    const { status, body } = await send("DELETE", `/records/${name}/${id}`)
    expect(body?.detail ?? "").not.toContain("seals")
    expect(status).toBe(allowed ? (after ? 204 : 409) : 403)
    return allowed && after ? after : model
  }
  // What is refused after a deletion takes it back, and all that went with it.
  if (name === "seals") return model
  const operations = [
    { method: "DELETE", path: `/records/${name}/${id}` },
    { method: "POST", path: "/records/things", body: { box: crypto.randomUUID() } },
  ]
  expect((await send("POST", "/batch", { operations })).status).toBeGreaterThanOrEqual(400)
  return model
}

const plain = { at: 0, to: [0, 0, 0], word: "oak", weight: 1 } as const
const sure = (what: Step["what"], name: Name): Step => {
  const related = name !== "shelves"
  return { ...plain, to: [...plain.to], what, name, present: [related, related, related, related] }
}
/** However the rest is drawn: a lock refuses the end of its thing, and a shelf takes along what stands on it. */
const certain: readonly Step[] = [
  ...(["shelves", "boxes", "things", "seals", "locks"] as const).map((name) =>
    sure("create", name),
  ),
  sure("delete", "things"),
  sure("delete", "locks"),
  sure("delete", "seals"),
  sure("delete", "shelves"),
]

test("whatever is written and deleted, the rows are what the definitions say, and log, links, index and rollups agree", async () => {
  const numRuns = 8
  let deletions = 0
  let refusals = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 60, maxLength: 60 }), async (steps) => {
      let model: Model = new Map()
      for (const one of [...certain, ...steps]) {
        const before = model.size
        model = await take(model, one)
        if (model.size < before - 1) deletions++
        if (one.what === "delete" && model.size === before) refusals++
      }
      for (const name of names) {
        const rows = await query(`SELECT * FROM ${name}`)
        const kept = [...model].filter(([, one]) => one.name === name)
        expect(rows.map(({ id }) => id).toSorted()).toEqual(kept.map(([id]) => id).toSorted())
        for (const [id, { fields }] of kept) {
          const row = rows.find((one) => one.id === id)
          for (const [field, value] of Object.entries(fields)) {
            const stored = Array.isArray(value)
              ? (
                  await query(
                    `SELECT target FROM ${name}_${field} WHERE source = ? ORDER BY position`,
                    [id],
                  )
                ).map(({ target }) => target)
              : row?.[field]
            expect(stored, `${name} ${id} ${field}`).toEqual(value)
          }
        }
      }
      await assertAgreement(shop.collections)
      // The next run begins with nothing: past the engine, and so is its log.
      await query("DELETE FROM changes WHERE subject <> 'members'")
      await empty()
    }),
    { numRuns, endOnFailure: true },
  )
  expect(deletions).toBeGreaterThanOrEqual(numRuns)
  expect(refusals).toBeGreaterThanOrEqual(numRuns)
})

async function empty(): Promise<void> {
  for (const table of [
    "boxes_labels",
    "labels_pinned",
    "labels_stuck",
    "locks_things",
    "locks",
    "seals",
  ]) {
    await query(`DELETE FROM ${table}`)
  }
  await query("UPDATE labels SET of = NULL, also = NULL")
  await query("UPDATE shelves SET favourite = NULL")
  for (const table of ["things", "labels"]) await query(`DELETE FROM ${table}`)
  await query("UPDATE boxes SET twin = NULL")
  for (const table of ["boxes", "shelves"]) await query(`DELETE FROM ${table}`)
}
