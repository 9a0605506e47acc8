import { beforeAll, describe, expect, test } from "vitest"
import { importRecords } from "../../../src/core/records/import.ts"
import type { LinkedCollection } from "../../../src/core/records/link.ts"
import { system } from "../../../src/platform/app.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { create, get, type Json, linesOf, patch, query } from "./cast.ts"
import { articles, assertRollups, collections, rollups } from "./rollups.ts"
import { toolApp } from "./workshop.ts"

let alice: Person
let editor: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  editor = await signedIn("editor", ["editor"])
})
const published = (more: Json = {}) =>
  create(alice, "articles", { title: "T", status: "published", ...more })

describe("rollups", () => {
  test("are exact after 50 creations at once", async () => {
    const { id } = await published()
    const people = await Promise.all(Array.from({ length: 10 }, (_, i) => signedIn(`p${i}`)))
    const others = await Promise.all(Array.from({ length: 4 }, () => published()))
    await Promise.all(
      [id, ...others.map((one) => one.id)].flatMap((article) =>
        people.map((person, i) =>
          create(person, "comments", { article, text: "x", stars: 1 + (i % 5), weight: 0.1 }),
        ),
      ),
    )
    expect(await get(null, "articles", id)).toMatchObject({
      commentCount: 10,
      starSum: 30,
      starAverage: 3,
      version: 1,
    })
    await assertRollups()
  })

  test("follow a child that moves, changes, empties and goes", async () => {
    const [one, two] = [await published(), await published()]
    const { id } = await create(alice, "comments", {
      article: one.id,
      text: "x",
      stars: 4,
      weight: 0.5,
    })
    const seen = async () =>
      (await Promise.all([one, two].map((article) => get(null, "articles", article.id)))).map(
        (article) => rollups.map((name) => article[name]),
      )
    const nothing = [0, 0, null, 0]
    expect(await seen()).toEqual([[1, 4, 4, 0.5], nothing])
    await patch(alice, "comments", id, { article: two.id })
    expect(await seen()).toEqual([nothing, [1, 4, 4, 0.5]])
    await patch(alice, "comments", id, { article: one.id, stars: 2, weight: null })
    expect(await seen()).toEqual([[1, 2, 2, 0], nothing])
    await patch(alice, "comments", id, { stars: null })
    expect(await seen()).toEqual([[1, 0, null, 0], nothing])
    await call(alice, "DELETE", `/records/comments/${id}`)
    expect(await seen()).toEqual([nothing, nothing])
  })

  test("are exact after an import of thousands, a thousand a batch", async () => {
    const app = toolApp()
    const parents = await importRecords(
      app,
      system,
      collections,
      articles,
      Array.from({ length: 1_200 }, (_, n) => ({
        input: { title: `Imported ${n}`, author: alice.id, status: "published" },
      })),
    )
    expect(app.cost.trips).toBe(2)
    await importRecords(
      app,
      system,
      collections,
      collections.get("comments") as LinkedCollection,
      parents.slice(0, 1_100).map((article, n) => ({
        input: {
          article: parents[n % 7] && n % 2 ? article : (parents[n] as string),
          author: alice.id,
          text: "x",
          stars: 1 + (n % 5),
        },
      })),
    )
    expect(
      (await query("SELECT sum(commentCount) AS n FROM articles WHERE title LIKE 'Imported %'"))[0]
        ?.n,
    ).toBe(1_100)
    expect(await linesOf(parents[1_199] as string)).toMatchObject([
      { authority: "system", version: 1 },
    ])
    await assertRollups()
    await query("INSERT INTO articles_search(articles_search) VALUES ('integrity-check')")
  })
})

describe("an import", () => {
  const tags = collections.get("tags") as LinkedCollection

  test("that is refused names the row, and its batch leaves no trace", async () => {
    await create(alice, "tags", { name: "taken" })
    const before = await query("SELECT count(*) AS n FROM changes")
    await expect(
      importRecords(toolApp(), system, collections, tags, [
        { input: { name: "new 1" } },
        { input: { name: "new 2" } },
        { input: { name: "taken" } },
      ]),
    ).rejects.toMatchObject({ code: "conflict", details: { index: 2 } })
    await expect(
      importRecords(toolApp(), system, collections, tags, [
        { input: { name: "a" } },
        { input: { name: "a" } },
      ]),
    ).rejects.toMatchObject({ code: "conflict" })
    expect(await query("SELECT count(*) AS n FROM changes")).toEqual(before)
    expect(await query("SELECT id FROM tags WHERE name LIKE 'new %' OR name = 'a'")).toEqual([])
  })

  test("under an id that was deleted goes on with its versions", async () => {
    const tag = await create(alice, "tags", { name: "phoenix" })
    await call(editor, "DELETE", `/records/tags/${tag.id}`)
    await importRecords(toolApp(), system, collections, tags, [
      { id: tag.id, input: { name: "phoenix" } },
    ])
    expect((await linesOf(tag.id)).map(({ kind, version }) => [kind, version])).toEqual([
      ["created", 1],
      ["deleted", 2],
      ["created", 3],
    ])
  })
})
