import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import { call, type Person, signedIn } from "../../support/people.ts"
import {
  create,
  ids,
  type Json,
  list,
  listPath,
  patch,
  read,
  refused,
  type Stored,
} from "./cast.ts"
import { insert, only, walk } from "./pages.ts"

let alice: Person
let bob: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
})

const byCodePoint = (a: string, b: string): number => {
  const [left, right] = [Array.from(a), Array.from(b)]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = (left[i]?.codePointAt(0) ?? 0) - (right[i]?.codePointAt(0) ?? 0)
    if (difference) return difference
  }
  return left.length - right.length
}
/** The order that the contract promises, in JavaScript: nulls first ascending, last descending; `id` breaks ties. */
const compare = (keys: string[]) => (a: Json, b: Json) => {
  for (const key of [...keys, "id"]) {
    const descending = key.startsWith("-")
    const name = key.replace("-", "")
    const [x, y] = [a[name] ?? null, b[name] ?? null]
    const difference =
      x === null || y === null
        ? Number(x !== null) - Number(y !== null)
        : typeof x === "string"
          ? byCodePoint(x, String(y))
          : Number(x) - Number(y)
    if (difference) return descending ? -difference : difference
  }
  return 0
}

describe("the order of a list", () => {
  const texts = ["", "a", "A", "ab", "é", "z", "\uffee", "😀", "😀a", "10", "9"]
  beforeAll(() =>
    insert(
      alice,
      "order",
      Array.from({ length: 70 }, (_, n) => ({
        title: texts[n % texts.length],
        words: n % 4 === 0 ? null : n % 3,
        score: n % 5 === 0 ? null : [0.1, -0.5, 1e300, 5e-324][n % 4],
        day: n % 7 === 0 ? null : `202${n % 3}-01-01`,
        featured: [null, 0, 1][n % 3],
      })),
    ),
  )

  test("is the same as in JavaScript for any keys, whatever the pages", async () => {
    const all = (await list(null, "articles", { filter: only("order"), limit: "200" })).items
    const key = fc
      .tuple(
        fc.constantFrom(
          "title",
          "words",
          "score",
          "day",
          "featured",
          "id",
          "createdAt",
          "createdBy",
          "commentCount",
          "starAverage",
          "version",
        ),
        fc.boolean(),
      )
      .map(([name, descending]) => (descending ? `-${name}` : name))
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(key, {
          minLength: 1,
          maxLength: 3,
          selector: (one) => one.replace("-", ""),
        }),
        fc.integer({ min: 5, max: 80 }),
        async (keys, limit) => {
          const found = await walk({
            filter: only("order"),
            sort: keys.join(","),
            limit: `${limit}`,
          })
          const expected = [...all].sort(compare(keys))
          expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id))
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe("parameters", () => {
  test.each<[string, Record<string, string> | string, string, RegExp]>([
    ["an unknown one", { colour: "red" }, "query.colour", /no parameter "colour"/],
    ["one given twice", "limit=1&limit=2", "query.limit", /twice/],
    ["NUL in one", { filter: 'title = "\0"' }, "query.filter", /NUL/],
    ["limit 0", { limit: "0" }, "query.limit", /1 to 200/],
    ["limit 201", { limit: "201" }, "query.limit", /1 to 200/],
    ["limit -1", { limit: "-1" }, "query.limit", /1 to 200/],
    ["limit 1.5", { limit: "1.5" }, "query.limit", /1 to 200/],
    ["limit 1e2", { limit: "1e2" }, "query.limit", /1 to 200/],
    ["an empty limit", { limit: "" }, "query.limit", /1 to 200/],
    ["sort by nothing known", { sort: "colour" }, "query.sort", /"colour"/],
    ["sort by a path", { sort: "author.name" }, "query.sort", /author\.name/],
    ["sort by json", { sort: "meta" }, "query.sort", /meta/],
    ["sort by many", { sort: "tags" }, "query.sort", /tags/],
    ["sort by comments", { sort: "-comments" }, "query.sort", /comments/],
    ["sort by what rows hide", { sort: "note" }, "query.sort", /note/],
    ["sort by four", { sort: "words,score,day,title" }, "query.sort", /3/],
    ["sort twice by one", { sort: "words,-words" }, "query.sort", /twice/],
    ["fields unknown", { fields: "id,colour" }, "query.fields", /colour/],
    ["fields unknown in a relation", { fields: "author.colour" }, "query.fields", /colour/],
    ["expand unknown", { expand: "colour" }, "query.expand", /colour/],
    ["expand what is no relation", { expand: "title" }, "query.expand", /title/],
    [
      "expand too deep",
      { expand: "comments.article.comments.article.comments.article.comments" },
      "query.expand",
      /6/,
    ],
    ["count of another kind", { count: "roughly" }, "query.count", /exact/],
    ["a filter that does not parse", { filter: "title = " }, "query.filter", /./],
    ["a filter of an unknown field", { filter: "colour = 1" }, "query.filter", /colour/],
    ["a filter of a wrong type", { filter: 'words = "x"' }, "query.filter", /./],
    ["a filter with the actor in it", { filter: "@new.title = 1" }, "query.filter", /./],
    ["a search that is too long", { search: "x".repeat(501) }, "query.search", /500/],
  ])("%s: refused by name", async (_, parameters, path, message) => {
    const text =
      typeof parameters === "string"
        ? `/records/articles?${parameters}`
        : listPath("articles", parameters)
    const { errors } = await refused(call(null, "GET", text), 400)
    expect(errors?.[0]).toMatchObject({ path, message: expect.stringMatching(message) })
  })

  test("a collection without search says so", async () => {
    const { errors } = await refused(call(null, "GET", "/records/tags?search=x"), 400)
    expect(errors?.[0]?.code).toBe("not_searchable")
  })

  test("a single record and writes take none but their own", async () => {
    const { id } = await create(alice, "articles", { title: "x" })
    await refused(call(alice, "GET", `/records/articles/${id}?limit=1`), 400)
    await refused(call(alice, "PATCH", `/records/articles/${id}?fields=id`, {}), 400)
    await refused(call(alice, "POST", "/records/articles?fields=id", { title: "x" }), 400)
    await refused(call(alice, "DELETE", `/records/articles/${id}?force=1`), 400)
  })

  test("limits of 1 and 200 serve, and without one it is 50", async () => {
    await insert(
      alice,
      "limits",
      Array.from({ length: 205 }, () => ({})),
    )
    const filter = only("limits")
    for (const [limit, size] of [
      ["1", 1],
      ["200", 200],
      [null, 50],
    ] as const) {
      const page = await list(null, "articles", { filter, ...(limit && { limit }), count: "exact" })
      expect([page.items.length, page.count]).toEqual([size, 205])
      expect(page.next).not.toBeNull()
    }
  })
})

describe("what is answered of a record", () => {
  test("is the fields that were asked for, in lists and alone", async () => {
    const { id } = await create(alice, "articles", { title: "x", status: "published", words: 3 })
    const [item] = (await list(null, "articles", { filter: `id = "${id}"`, fields: "words,title" }))
      .items
    expect(item).toEqual({ words: 3, title: "x" })
    expect(await read(call(null, "GET", `/records/articles/${id}?fields=title`), 200)).toEqual({
      title: "x",
    })
    const nested = await read(
      call(alice, "GET", `/records/articles/${id}?fields=id,author.name`),
      200,
    )
    expect(nested).toEqual({ id, expanded: { author: { name: "alice" } } })
  })

  test("names the parameter in which a relation is unknown", async () => {
    for (const [query, path] of [
      ["fields=id,nothing.name", "query.fields"],
      ["expand=nothing", "query.expand"],
    ]) {
      const { errors } = await refused(call(null, "GET", `/records/articles?${query}`), 400)
      expect(errors).toMatchObject([{ path, code: "unknown_field" }])
    }
  })

  test("has no value for a back-relation, and says so", async () => {
    const { detail } = await refused(call(null, "GET", "/records/articles?fields=id,comments"), 400)
    expect(detail).toBe('fields: "comments" is no value of the record: name it in expand.')
  })

  test("with expansions three relations deep, and to-many fields in their order", async () => {
    const names = ["third", "first", "second"]
    const tags = await Promise.all(
      names.map(async (name) => (await create(alice, "tags", { name })).id),
    )
    const project = await create(alice, "projects", { name: "p", people: [bob.id, alice.id] })
    const { id } = await create(alice, "articles", { title: "x", tags, project: project.id })
    const record = await read<{
      tags: string[]
      expanded: {
        tags: Json[]
        project: { expanded: { people: Json[]; articles: { expanded: { tags: Json[] } }[] } }
      }
    }>(
      call(
        alice,
        "GET",
        `/records/articles/${id}?expand=tags,project.people,project.articles.tags`,
      ),
      200,
    )
    expect(record.tags).toEqual(tags)
    expect(record.expanded.tags.map(({ name }) => name)).toEqual(names)
    const { expanded } = record.expanded.project
    expect(expanded.people.map(({ name }) => name)).toEqual(["bob", "alice"])
    expect(expanded.articles[0]?.expanded.tags.map(({ name }) => name)).toEqual(names)
    const turned = [tags[2], tags[0]] as string[]
    expect((await patch(alice, "articles", id, { tags: turned })).tags).toEqual(turned)
    expect(
      (await list(alice, "articles", { filter: `has(tags, "${tags[2]}")` })).items[0]?.tags,
    ).toEqual(turned)
  })

  test("a hidden related record is null, or left out of the many", async () => {
    const project = await create(alice, "projects", { name: "p" })
    const article = await create(alice, "articles", {
      title: "x",
      status: "published",
      project: project.id,
    })
    await create(alice, "comments", { article: article.id, text: "waiting" })
    const seen = await create(bob, "comments", {
      article: article.id,
      text: "seen",
      approved: true,
    })
    const record = await read<{ expanded: { project: null; comments: Stored[] } }>(
      call(null, "GET", `/records/articles/${article.id}?expand=project,comments`),
      200,
    )
    expect(record.expanded.project).toBeNull()
    expect(ids({ items: record.expanded.comments, next: null })).toEqual([seen.id])
  })
})
