import { beforeAll, describe, expect, test } from "vitest"
import { collection, sqlView } from "../../../src/core/records/collection.ts"
import { relation, text } from "../../../src/core/records/fields.ts"
import { tickets } from "../../support/collections.ts"
import { call, costOf, type Person, signedIn, signIn } from "../../support/people.ts"
import { create, nowhere, query, read, refused } from "./cast.ts"
import { openWorkshop } from "./workshop.ts"

/** Points at more people than D1 takes SELECTs in a row. */
const crowds = collection("crowds", {
  fields: {
    ...{ a: relation("members"), b: relation("members"), c: relation("members") },
    ...{ d: relation("members"), e: relation("members"), f: relation("members") },
  },
  rules: { read: "f = @me.id", create: "true" },
})
const subjects = sqlView("subjects", {
  scope: "organisation",
  sql: "SELECT subject AS id, subject FROM tickets GROUP BY subject",
  fields: { subject: text({ required: true }) },
  rules: { read: "@me.id != null" },
})
const doors = collection("doors", {
  fields: { title: text() },
  rules: {
    read: '@me.kind = "service"',
    create: "true",
    update: '@me.kind = "anonymous"',
    delete: '@me.kind = "user"',
  },
})

interface Reach {
  action: string
  rule: string
  rows: number
  without: { field: string; rows: number }[]
}
interface Answer {
  counted: number
  bounded: boolean
  personas: {
    kind: string
    role: string | null
    person: string | null
    organisation: string | null
    actions: Reach[]
  }[]
}

let alice: Person
let bob: Person
let root: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  root = await signedIn("root", ["administrator"])
  await create(alice, "articles", { title: "Draft", note: "hers" })
  await create(alice, "articles", { title: "Public", status: "published" })
  await create(bob, "articles", { title: "Bob's", status: "published" })
})

const ask = (parameters: Record<string, string>, as: Person | null = root) =>
  call(as, "GET", `/exposure?${new URLSearchParams(parameters)}`)
const measure = (collection: string, more: Record<string, string> = {}) =>
  read<Answer>(ask({ collection, ...more }), 200)

/** `kind role: read create update delete`, each with its number of records. */
const lines = ({ personas }: Answer) =>
  personas.map(
    ({ kind, role, actions }) =>
      `${kind}${role && kind !== "administrator" ? ` ${role}` : ""}: ${actions.map(({ rows }) => rows).join(" ")}`,
  )
const reachOf = (answer: Answer, kind: string, action: string): Reach =>
  answer.personas
    .find((persona) => persona.kind === kind)
    ?.actions.find((one) => one.action === action) as Reach

describe("who reaches what of a collection", () => {
  test("is counted over its records, for everybody whom the rules tell apart", async () => {
    const answer = await measure("articles")
    expect(answer).toMatchObject({ counted: 3, bounded: false })
    expect(lines(answer)).toEqual([
      "anonymous: 2 0 0 0",
      "stranger: 2 0 0 0",
      "owner: 3 2 2 2",
      "role editor: 2 0 2 0",
      "administrator: 3 3 3 3",
    ])
    // To whom most of the records belong.
    expect(answer.personas[2]?.person).toBe(alice.id)
    expect(answer.personas[1]?.person).toBeNull()
  })

  test("names the fields that stay out of reach, and in how many of the records", async () => {
    const answer = await measure("articles")
    const names = (kind: string, action: string) =>
      reachOf(answer, kind, action).without.map(({ field, rows }) => `${field} ${rows}`)
    expect(names("anonymous", "read")).toEqual(["secret 2", "note 2", "readers 2"])
    expect(names("owner", "read")).toEqual(["secret 3", "note 1", "readers 1"])
    expect(names("role", "read")).toEqual(["note 2", "readers 2"])
    expect(names("owner", "update")).toEqual(["featured 2"])
    expect(names("role", "update")).toEqual([])
  })

  test("is told of one person as well, as they are", async () => {
    const answer = await measure("articles", { person: bob.id })
    expect(lines(answer).slice(5)).toEqual(["person: 2 1 1 1"])
    expect(answer.personas[5]).toMatchObject({ person: bob.id, organisation: null })
  })

  test("says what the rules say where there is no record yet", async () => {
    const answer = await measure("vaults")
    expect(answer.counted).toBe(0)
    expect(answer.personas.map(({ kind, actions }) => [kind, actions[0]?.rule])).toEqual([
      ["anonymous", "never"],
      ["stranger", "never"],
      ["role", "never"],
      ["administrator", "always"],
    ])
    const diaries = await measure("diaries")
    expect(reachOf(diaries, "stranger", "read").rule).toBe("depends")
    // Administrators keep these rules, and learn no more than numbers.
    expect(reachOf(diaries, "administrator", "read").rule).toBe("depends")
  })

  test("of an organisation's records is told by its members and by others'", async () => {
    for (const organisation of ["acme", "other"]) {
      await query(
        "INSERT INTO organisations (id, name, database, createdAt) VALUES (?, ?, 'main', '2026-01-01T00:00:00.000Z')",
        [organisation, organisation],
      )
    }
    const dan = await signedIn("dan")
    await query(
      `INSERT INTO organisation_members VALUES ('acme', ?, '["owner"]', '2026-01-01T00:00:00.000Z')`,
      [dan.id],
    )
    const inside = await signIn(dan.email)
    for (const subject of ["one", "two"]) {
      await create(inside, "tickets", { subject })
    }
    const answer = await measure("tickets", { person: dan.id })
    const readable = answer.personas.map(({ kind, role, organisation, actions }) => [
      kind,
      role,
      organisation?.slice(0, 5) ?? null,
      actions[0]?.rows,
    ])
    expect(readable).toContainEqual(["member", "member", "acme", 2])
    expect(readable).toContainEqual(["person", null, null, 0])
    expect(readable).toContainEqual(["person", null, "acme", 2])
    expect(readable.filter(([kind]) => kind === "outsider").map(([, , , rows]) => rows)).toEqual([
      0,
    ])
    // A view of it has no organisation but theirs who look: it is measured for those of what it reads.
    const workshop = await openWorkshop([tickets, subjects], { tables: false })
    const path = `/exposure?collection=subjects&person=${dan.id}`
    const counts = await read<Answer>(workshop.call(root, "GET", path), 200)
    const seen = counts.personas.map(({ kind, role, organisation, actions }) => [
      `${kind} ${role}`,
      organisation?.slice(0, 5) ?? null,
      actions[0]?.rows,
    ])
    expect(seen).toContainEqual(["member member", "acme", 2])
    expect(seen).toContainEqual(["person null", "acme", 2])
    expect(seen.find(([kind]) => kind === "outsider null")?.[2]).toBe(0)
  })

  test("is told of whoever most records point at, by however many fields", async () => {
    const workshop = await openWorkshop([crowds])
    const input = { a: bob.id, b: alice.id, e: alice.id, f: alice.id }
    await read(workshop.call(alice, "POST", "/records/crowds", input), 201)
    const answer = await workshop.call(root, "GET", "/exposure?collection=crowds")
    const { personas } = await read<Answer>(answer, 200)
    const owner = personas.find(({ kind }) => kind === "owner")
    expect(owner).toMatchObject({ person: alice.id, actions: [{ rows: 1 }, {}, {}, {}] })
  })

  test("is told of people without an account and of programs as what they are", async () => {
    const workshop = await openWorkshop([doors])
    await read(workshop.call(alice, "POST", "/records/doors", { title: "one" }), 201)
    const somebody = await signedIn("somebody")
    for (const [kind, expected] of [
      ["person", ["never", "always", "never", "always"]],
      ["anonymous", ["never", "always", "always", "never"]],
      ["service", ["always", "always", "never", "never"]],
    ] as const) {
      await query("UPDATE users SET kind = ? WHERE id = ?", [kind, somebody.id])
      const path = `/exposure?collection=doors&person=${somebody.id}`
      const { personas } = await read<Answer>(workshop.call(root, "GET", path), 200)
      const person = personas.find((one) => one.kind === "person")
      expect([kind, person?.actions.map(({ rule }) => rule)]).toEqual([kind, expected])
    }
  })

  test("of a view is what may be read of it", async () => {
    const answer = await measure("writers")
    expect(answer.personas[0]?.actions).toEqual([
      { action: "read", rule: "always", rows: 2, without: [] },
    ])
  })
})

describe("the question", () => {
  test("is for administrators alone", async () => {
    await refused(ask({ collection: "articles" }, null), 401)
    await refused(ask({ collection: "articles" }, alice), 403)
  })

  test.each<[Record<string, string>, number]>([
    [{}, 400],
    [{ collection: "nothing" }, 404],
    [{ collection: "__proto__" }, 404],
    [{ collection: "articles", person: "x" }, 400],
    [{ collection: "articles", person: nowhere }, 404],
    [{ collection: "articles", limit: "1" }, 400],
  ])("%j is answered %i", async (parameters, status) => {
    await refused(ask(parameters), status)
  })

  test("costs three trips, one more with a person, and a bounded number of rows", async () => {
    expect(costOf(await ask({ collection: "articles" })).trips).toBe(3)
    expect(costOf(await ask({ collection: "articles", person: bob.id })).trips).toBe(4)
    // Nobody owns these: there is nobody to look for.
    expect(costOf(await ask({ collection: "tags" })).trips).toBe(2)
    await query(
      `INSERT INTO tags (id, version, createdAt, updatedAt, name, hidden)
WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 12000)
SELECT 'tag-' || v, 1, '2026-01-01', '2026-01-01', 'tag ' || v, v % 2 FROM n`,
    )
    const answer = await ask({ collection: "tags" })
    const personas = (await answer.clone().json<Answer>()).personas.length
    expect(costOf(answer).rowsRead).toBeLessThanOrEqual((personas + 1) * 10_000)
    expect(await answer.json()).toMatchObject({ counted: 10_000, bounded: true })
  })
})
