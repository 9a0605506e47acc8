import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import { call, type Person, signedIn } from "../../support/people.ts"
import { assertAgreement } from "./agreement.ts"
import { create, type Json, linesOf, query, refused } from "./cast.ts"
import { assertRollups, collections } from "./rollups.ts"

let cast: Person[]
beforeAll(async () => {
  cast = [
    await signedIn("alice"),
    await signedIn("bob"),
    await signedIn("editor", ["editor"]),
    await signedIn("root", ["administrator"]),
  ]
})
const alice = () => cast[0] as Person
const published = (more: Json = {}) =>
  create(alice(), "articles", { title: "T", status: "published", ...more })

const assertLog = () => assertAgreement(collections)

describe("a line of the log", () => {
  test("holds the whole record as stored, who, when, and in which request", async () => {
    const tag = await create(alice(), "tags", { name: "logged" })
    const started = Date.now()
    const answer = await call(alice(), "POST", "/records/articles", {
      title: "😀",
      tags: [tag.id],
      meta: { b: [1, "é"] },
      note: "n",
      score: 0.1,
      day: "2026-01-01",
    })
    const record = (await answer.json()) as Json
    const [line] = await linesOf(record.id as string)
    expect(line).toMatchObject({
      actor: alice().id,
      organisation: null,
      subject: "articles",
      version: 1,
      kind: "created",
      authority: "rule",
      requestId: answer.headers.get("x-request-id"),
    })
    expect(Date.parse(record.createdAt as string)).toBeGreaterThanOrEqual(started)
    const { at } = line as unknown as { at: string }
    expect(Math.abs(Date.parse(at) - Date.parse(record.createdAt as string))).toBeLessThan(10_000)
    expect(JSON.parse(line?.payload ?? "")).toMatchObject({
      title: "😀",
      tags: [tag.id],
      meta: '{"b":[1,"é"]}',
      note: "n",
      score: 0.1,
      status: "draft",
      author: alice().id,
      featured: 0,
      version: 1,
    })
    const unread = line as unknown as { id: string; salt: string }
    expect(unread.id).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    )
    expect(unread.salt).toMatch(/^[0-9a-f]{32}$/)
  })

  test("of a deletion holds the record as it last was", async () => {
    const { id } = await published({ words: 3 })
    await call(alice(), "DELETE", `/records/articles/${id}`)
    const [, line] = await linesOf(id)
    expect(line).toMatchObject({ kind: "deleted", version: 2, actor: alice().id })
    expect(JSON.parse(line?.payload ?? "")).toMatchObject({ id, version: 1, words: 3 })
  })

  test("of a caller without a name has none", async () => {
    const { id } = await create(null, "suggestions", { text: "x" })
    expect(await linesOf(id)).toMatchObject([{ actor: null, kind: "created" }])
  })
})

test("a refused write leaves no trace anywhere", async () => {
  const { id } = await published({ slug: "trace" })
  const tables = [
    "changes",
    "articles",
    "articles_tags",
    "idempotency_keys",
    "refusals",
    "orders",
    "orderEvents",
  ]
  const counts = () =>
    Promise.all(
      tables.map(
        async (table) =>
          (
            await query(
              `SELECT count(*) AS n, total(version) AS v FROM ${table === "refusals" ? "(SELECT 1 AS version FROM refusals)" : table.includes("_tags") ? "(SELECT 1 AS version FROM articles_tags)" : table}`,
            )
          )[0],
      ),
    )
  const before = await counts()
  const keyed = { "idempotency-key": "refused" }
  await refused(
    call(alice(), "POST", "/records/articles", { title: "x", slug: "trace" }, keyed),
    409,
  )
  await refused(call(cast[1] as Person, "PATCH", `/records/articles/${id}`, { words: 1 }), 403)
  await refused(
    call(alice(), "PATCH", `/records/articles/${id}`, { project: crypto.randomUUID() }),
    400,
  )
  await refused(
    call(alice(), "DELETE", `/records/articles/${id}`, undefined, { "if-match": '"5"' }),
    412,
  )
  await refused(call(alice(), "POST", "/records/orders", { quantity: 101 }), 400)
  expect(await counts()).toEqual(before)
})

test("whatever is written by whomever, tables, log, links, rollups and index agree", async () => {
  await query("DELETE FROM changes WHERE subject NOT IN ('members')")
  for (const table of [
    "comments",
    "articles_tags",
    "articles",
    "tags",
    "projects_people",
    "projects",
    "suggestions",
  ])
    await query(`DELETE FROM ${table}`)
  const value = {
    title: fc.constantFrom("apple", "zebra mango", "😀 é", "x".repeat(200)),
    weight: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
    stars: fc.option(fc.integer({ min: 1, max: 5 })),
    meta: fc.jsonValue({ maxDepth: 2 }),
  }
  const kinds = [
    "article",
    "comment",
    "tag",
    "patchArticle",
    "patchComment",
    "putArticle",
    "putComment",
    "deleteComment",
    "deleteArticle",
    "deleteTag",
  ] as const
  const step = fc.record({
    who: fc.nat(3),
    kind: fc.constantFrom(...kinds),
    at: fc.nat(30),
    to: fc.nat(30),
    picks: fc.uniqueArray(fc.nat(9), { maxLength: 3 }),
    published: fc.boolean(),
    ...value,
  })
  const made: Record<"articles" | "comments" | "tags", string[]> = {
    articles: [],
    comments: [],
    tags: [],
  }
  type Step = typeof step extends fc.Arbitrary<infer Drawn> ? Drawn : never
  const take = async (drawn: Step): Promise<boolean> => {
    const { who, kind, at, to, picks, published, title, weight, stars, meta } = drawn
    const as = cast[who] as Person
    const pick = (list: string[], n: number) =>
      list[n % Math.max(1, list.length)] ?? crypto.randomUUID()
    const tags = [...new Set(picks.map((n) => pick(made.tags, n)))]
    const article = {
      title,
      tags,
      meta,
      status: published ? "published" : "draft",
      score: weight,
    }
    const comment = {
      article: pick(made.articles, to),
      text: title,
      stars,
      weight,
      approved: published,
    }
    const [method, path, body]: [string, string, Json?] = {
      article: () => ["POST", "articles", article] as [string, string, Json],
      comment: () => ["POST", "comments", comment] as [string, string, Json],
      tag: () =>
        ["POST", "tags", { name: `${title.slice(0, 5)} ${at}`, hidden: !published }] as [
          string,
          string,
          Json,
        ],
      patchArticle: () =>
        [
          "PATCH",
          `articles/${pick(made.articles, at)}`,
          picks.length ? { tags, meta } : { title, score: weight },
        ] as [string, string, Json],
      patchComment: () =>
        [
          "PATCH",
          `comments/${pick(made.comments, at)}`,
          picks.length ? { article: comment.article } : { stars, weight },
        ] as [string, string, Json],
      putArticle: () =>
        ["PUT", `articles/${pick(made.articles, at)}`, article] as [string, string, Json],
      putComment: () =>
        ["PUT", `comments/${pick(made.comments, at)}`, comment] as [string, string, Json],
      deleteArticle: () => ["DELETE", `articles/${pick(made.articles, at)}`] as [string, string],
      deleteComment: () => ["DELETE", `comments/${pick(made.comments, at)}`] as [string, string],
      deleteTag: () => ["DELETE", `tags/${pick(made.tags, at)}`] as [string, string],
    }[kind]()
    const answer = await call(as, method, `/records/${path}`, body)
    const text = await answer.text()
    expect(answer.status, text).toBeLessThan(500)
    if (answer.status === 201)
      made[path.split("/")[0] as keyof typeof made].push((JSON.parse(text) as { id: string }).id)
    return answer.ok
  }
  // However the rest is drawn, one of each has succeeded.
  const plain = { at: 0, to: 0, picks: [], published: true, title: "apple", weight: 1, stars: 3 }
  for (const kind of kinds) {
    // Tags are taken away by those who keep order.
    const who = kind === "deleteTag" ? 3 : 0
    expect(await take({ ...plain, who, kind, meta: {} }), kind).toBe(true)
  }
  await assertLog()
  await assertRollups()
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { maxLength: 3, minLength: 1 }), { minLength: 30, maxLength: 30 }),
      async (rounds) => {
        for (const round of rounds) await Promise.all(round.map(take))
        await assertLog()
        await assertRollups()
      },
    ),
    { numRuns: 5, endOnFailure: true },
  )
})
