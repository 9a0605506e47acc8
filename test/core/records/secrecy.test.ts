import { beforeAll, describe, expect, test } from "vitest"
import { linkCollections } from "../../../src/core/records/link.ts"
import { fixtures } from "../../support/collections.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { type Json, nowhere, query } from "./cast.ts"
import { choicesFrom, randomSeed } from "./randomness.ts"
import { aggregateQueries, listQueries, recordQueries, searchQueries } from "./secrecy-queries.ts"
import { changeHidden, hiddenOnes, makeWorld, type World } from "./secrecy-world.ts"

/*
 * Nothing that a client sends betrays what it may not read. Two states of the world that differ only in what one viewer
 * may not see are asked everything that can be asked; the answers must not differ in a single byte.
 */

const collections = linkCollections(fixtures)
let world: World
let viewers: Record<string, { person: Person | null; roles: string[] }>
beforeAll(async () => {
  const people = {
    alice: await signedIn("alice"),
    bob: await signedIn("bob"),
    editor: await signedIn("editor", ["editor"]),
    carol: await signedIn("carol"),
  }
  world = await makeWorld(people)
  viewers = {
    anonymous: { person: null, roles: [] },
    stranger: { person: people.bob, roles: [] },
    author: { person: people.alice, roles: [] },
    editor: { person: people.editor, roles: ["editor"] },
  }
})

/** Everything of an answer that a client sees, but the id of its request. */
async function fingerprint(as: Person | null, method: string, path: string, body?: unknown) {
  const answer = await call(as, method, path, body)
  const text = (await answer.text()).replace(/"requestId":"[^"]*"/, "")
  const headers = ["etag", "link", "location", "allow"].map((name) => answer.headers.get(name))
  return JSON.stringify([answer.status, ...headers, text])
}

async function inParallel<T, U>(items: readonly T[], width: number, work: (item: T) => Promise<U>) {
  const results: U[] = []
  for (let at = 0; at < items.length; at += width) {
    results.push(...(await Promise.all(items.slice(at, at + width).map(work))))
  }
  return results
}

const filtersPerCollection = 70
const aggregatesPerCollection = 30
const searches = 25

describe.each(["anonymous", "stranger", "author", "editor"])("to the %s", (name) => {
  const seed = randomSeed()

  test(`no read tells what is hidden (seed ${seed})`, async () => {
    const viewer = viewers[name] as (typeof viewers)[string]
    const choices = choicesFrom(seed)
    const paths = [...collections.values()].flatMap((collection) => [
      ...listQueries(choices, collection, world.ids, filtersPerCollection),
      ...choices
        .shuffle(aggregateQueries(choices, collection, world.ids))
        .slice(0, aggregatesPerCollection),
    ])
    paths.push(...choices.shuffle(searchQueries(collections.values())).slice(0, searches))
    const seen: string[] = []
    for (const table of ["articles", "projects", "comments", "tags", "members", "places"]) {
      const collection = collections.get(table)
      const rows = await query(`SELECT id FROM ${table} ORDER BY id LIMIT 12`)
      for (const { id } of rows) {
        if (collection) seen.push(...recordQueries(collection, id as string))
      }
    }
    const requests = [...paths, ...choices.shuffle(seen).slice(0, 120)]
    const ask = () => inParallel(requests, 16, (path) => fingerprint(viewer.person, "GET", path))

    await changeHidden(world, viewer.person, viewer.roles, choices)
    const before = await ask()
    await changeHidden(world, viewer.person, viewer.roles, choices)
    const after = await ask()

    const told = requests.flatMap((path, i) =>
      before[i] === after[i] ? [] : [`${decodeURIComponent(path)}\n${before[i]}\n${after[i]}`],
    )
    expect(told.slice(0, 5), `${told.length} of ${requests.length}`).toEqual([])
    // A test of answers that are all refusals would prove nothing.
    const answered = before.filter((answer) => answer.startsWith("[200")).length
    expect(answered).toBeGreaterThan(requests.length / (name === "anonymous" ? 4 : 2))
    expect(before.filter((answer) => answer.startsWith("[5"))).toEqual([])
  })

  test("no write of what is hidden is answered otherwise than a write of nothing", async () => {
    const { person, roles } = viewers[name] as (typeof viewers)[string]
    const hidden = await hiddenOnes(person, roles)
    for (const [collection, ids] of Object.entries(hidden)) {
      for (const [method, body] of [
        ["GET", undefined],
        ["PATCH", { title: "x" }],
        ["PATCH", {}],
        ["DELETE", undefined],
      ] as const) {
        const answers = await Promise.all(
          [nowhere, ...ids.slice(0, 3)].map((id) =>
            fingerprint(person, method, `/records/${collection}/${id}`, body),
          ),
        )
        expect(new Set(answers).size, `${method} ${collection}: ${answers}`).toBe(1)
      }
    }
  })

  test("no reference to what is hidden is answered otherwise than one to nothing", async () => {
    const { person, roles } = viewers[name] as (typeof viewers)[string]
    const hidden = await hiddenOnes(person, roles)
    const references: [string, (id: string) => Json][] = [
      ["projects", (project) => ({ title: "x", project })],
      ["tags", (tag) => ({ title: "x", tags: [tag] })],
    ]
    const ask = async (target: string, collection: string, body: (id: string) => Json) => {
      for (const id of hidden[target as keyof typeof hidden].slice(0, 3)) {
        const answers = await Promise.all(
          [id, nowhere].map((one) =>
            fingerprint(person, "POST", `/records/${collection}`, body(one)),
          ),
        )
        expect(answers[0]).toBe(answers[1])
        expect(answers[0]?.slice(0, 4)).toBe(person ? "[400" : "[401")
      }
    }
    for (const [target, body] of references) await ask(target, "articles", body)
    await ask("articles", "comments", (article) => ({ article, text: "x" }))
  })
})

test("a field that may never be read is unknown, word for word like one that does not exist", async () => {
  const { person } = viewers.stranger as (typeof viewers)[string]
  const templates: ((name: string) => [string, string, Json?])[] = [
    (name) => ["GET", `/records/articles?filter=${name}%20%3D%20%22x%22`],
    (name) => ["GET", `/records/articles?filter=any(comments,article.${name}%3D%22x%22)`],
    (name) => ["GET", `/records/comments?filter=article.${name}%20!%3D%20null`],
    (name) => ["GET", `/records/articles?sort=${name}`],
    (name) => ["GET", `/records/articles?sort=-${name},title`],
    (name) => ["GET", `/records/articles?fields=id,${name}`],
    (name) => ["GET", `/records/comments?fields=article.${name}`],
    (name) => ["GET", `/records/articles?expand=${name}`],
    (name) => ["GET", `/records/articles/${nowhere}?fields=${name}`],
    (name) => ["GET", `/records/articles/aggregate?group=${name}`],
    (name) => ["GET", `/records/comments/aggregate?group=article.${name}`],
    (name) => ["GET", `/records/articles/aggregate?measure=max(${name})`],
    (name) => ["GET", `/records/articles/aggregate?measure=sum(${name})`],
    (name) => ["GET", `/records/articles/aggregate?group=month(${name})`],
    (name) => ["GET", `/records/articles/aggregate?measure=count&sort=${name}`],
    (name) => ["POST", "/records/articles", { title: "x", [name]: "y" }],
    (name) => ["PATCH", `/records/articles/${nowhere}`, { [name]: "y" }],
    (name) => ["PUT", `/records/articles/${nowhere}`, { title: "x", [name]: "y" }],
  ]
  for (const template of templates) {
    const [known, unknown] = await Promise.all(
      ["secret", "sicret"].map(async (name) => {
        const [method, path, body] = template(name)
        return (await fingerprint(person, method, path, body)).replaceAll(name, "…")
      }),
    )
    expect(known).toBe(unknown)
    expect(known?.slice(0, 4)).toBe("[400")
  }
})
