import { beforeAll, describe, expect, test } from "vitest"
import { collection } from "../../../src/core/records/collection.ts"
import { relation, relations } from "../../../src/core/records/fields.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import {
  create,
  get,
  type Json,
  linesOf,
  nowhere,
  query,
  read,
  refused,
  type Stored,
} from "./cast.ts"
import { openWorkshop } from "./workshop.ts"

let alice: Person
let bob: Person
let editor: Person
let administrator: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  editor = await signedIn("editor", ["editor"])
  administrator = await signedIn("root", ["administrator"])
})

const published = (as = alice, more: Json = {}) =>
  create(as, "articles", { title: "T", status: "published", ...more })

describe("a relation points only at what the writer may read", () => {
  /** What bob may not read, by the field that would point at it. */
  const hidden: [string, string, () => Promise<string>, (id: string) => Json | Promise<Json>][] = [
    [
      "articles",
      "project",
      async () => (await create(alice, "projects", { name: "p" })).id,
      (project) => ({ title: "x", project }),
    ],
    [
      "articles",
      "tags",
      async () => (await create(alice, "tags", { name: crypto.randomUUID(), hidden: true })).id,
      (tag) => ({ title: "x", tags: [tag] }),
    ],
    [
      "comments",
      "article",
      async () => (await create(alice, "articles", { title: "d" })).id,
      (article) => ({ article, text: "x" }),
    ],
    ["projects", "people", async () => nowhere, (id) => ({ name: "x", people: [bob.id, id] })],
  ]
  test.each(hidden)(
    "%s.%s: a hidden record is refused like a missing one",
    async (collection, field, make, body) => {
      const id = await make()
      const answers = await Promise.all(
        [id, nowhere].map(async (one) => {
          const { errors, detail, code } = await refused(
            call(bob, "POST", `/records/${collection}`, await body(one)),
            400,
          )
          return { errors, detail, code }
        }),
      )
      expect(answers[0]).toEqual(answers[1])
      expect(answers[0]?.errors).toMatchObject([{ path: field, code: "invalid_reference" }])
    },
  )

  test("and by PATCH and PUT alike", async () => {
    const mine = await published(bob)
    const project = (await create(alice, "projects", { name: "p" })).id
    const tag = (await create(alice, "tags", { name: "veil", hidden: true })).id
    for (const method of ["PATCH", "PUT"]) {
      for (const [field, body] of [
        ["project", { title: "x", project }],
        ["tags", { title: "x", tags: [tag] }],
      ] as const) {
        const answer = call(bob, method, `/records/articles/${mine.id}`, body)
        expect((await refused(answer, 400)).errors).toMatchObject([{ path: field }])
      }
    }
    expect((await get(bob, "articles", mine.id)).version).toBe(1)
  })

  test("so each may point at what it sees", async () => {
    const project = (await create(alice, "projects", { name: "p", people: [bob.id] })).id
    const tag = (await create(alice, "tags", { name: "seen by editors", hidden: true })).id
    expect((await create(bob, "articles", { title: "x", project })).project).toBe(project)
    expect((await create(editor, "articles", { title: "x", tags: [tag] })).tags).toEqual([tag])
  })

  test.each(["x", "", 5, {}, [], nowhere.toUpperCase()])("%j is no id", async (project) => {
    const { errors } = await refused(
      call(bob, "POST", "/records/articles", { title: "x", project }),
      400,
    )
    expect(errors?.[0]?.path).toBe("project")
  })

  test("a list of ids names none twice", async () => {
    const tag = (await create(alice, "tags", { name: "twice" })).id
    const answer = call(alice, "POST", "/records/articles", { title: "x", tags: [tag, tag] })
    expect((await refused(answer, 400)).errors).toMatchObject([{ path: "tags", code: "duplicate" }])
  })
})

describe("what is pointed at cannot be deleted", () => {
  test.each<[string, () => Promise<{ target: [string, string]; source: [string, string] }>]>([
    [
      "by a relation",
      async () => {
        const { id } = await published()
        const comment = await create(alice, "comments", { article: id, text: "x" })
        return { target: ["articles", id], source: ["comments", comment.id] }
      },
    ],
    [
      "by a list",
      async () => {
        const tag = await create(alice, "tags", { name: crypto.randomUUID() })
        const article = await published(alice, { tags: [tag.id] })
        return { target: ["tags", tag.id], source: ["articles", article.id] }
      },
    ],
  ])("%s", async (_, make) => {
    const { target, source } = await make()
    const path = `/records/${target.join("/")}`
    const { detail } = await refused(call(administrator, "DELETE", path), 409)
    expect(detail).toContain(source[0])
    await read(call(administrator, "DELETE", `/records/${source.join("/")}`), 204)
    await read(call(administrator, "DELETE", path), 204)
    expect((await linesOf(target[1])).at(-1)?.kind).toBe("deleted")
  })

  test("but what only points at itself can", async () => {
    const loops = collection("loops", {
      fields: { next: relation("loops"), friends: relations("loops") },
      rules: { read: "true", create: "@me.id != null", update: "true", delete: "true" },
    })
    const workshop = await openWorkshop([loops])
    const make = () => read<Stored>(workshop.call(alice, "POST", "/records/loops", {}), 201)
    const [one, two] = [await make(), await make()]
    const path = `/records/loops/${one.id}`
    const links = { next: one.id, friends: [one.id, two.id] }
    await read(workshop.call(alice, "PATCH", path, links), 200)
    await refused(workshop.call(alice, "DELETE", `/records/loops/${two.id}`), 409)
    await read(workshop.call(alice, "DELETE", path), 204)
    await read(workshop.call(alice, "DELETE", `/records/loops/${two.id}`), 204)
  })

  test("though a forbidden, missing or stale deletion says so first", async () => {
    const { id } = await published()
    await create(bob, "comments", { article: id, text: "x" })
    const path = `/records/articles/${id}`
    await refused(call(bob, "DELETE", path), 403)
    await refused(call(alice, "DELETE", path, undefined, { "if-match": '"9"' }), 412)
    await refused(call(alice, "DELETE", path), 409)
  })
})

describe("unique rules", () => {
  test("one field: null is no value, and a record does not stand in its own way", async () => {
    const first = await published(alice, { slug: "one" })
    await published()
    await published()
    const { errors, detail } = await refused(
      call(bob, "POST", "/records/articles", { title: "x", slug: "one" }),
      409,
    )
    expect(errors).toMatchObject([{ path: "slug", code: "taken" }])
    expect(detail).toContain("slug")
    const path = `/records/articles/${first.id}`
    await read(call(alice, "PATCH", path, { slug: "one", words: 1 }), 200)
    await read(call(alice, "PUT", path, { title: "T", slug: "one" }), 200)
    const other = await published()
    await refused(call(alice, "PATCH", `/records/articles/${other.id}`, { slug: "one" }), 409)
    await refused(
      call(alice, "PUT", `/records/articles/${other.id}`, { title: "x", slug: "one" }),
      409,
    )
    await refused(
      call(alice, "PUT", `/records/articles/${crypto.randomUUID()}`, { title: "x", slug: "one" }),
      409,
    )
    await read(call(alice, "PATCH", path, { slug: null }), 200)
    await read(call(alice, "PATCH", `/records/articles/${other.id}`, { slug: "one" }), 200)
  })

  test("several fields: only all of them together", async () => {
    const [one, two] = [await published(), await published()]
    const first = await create(alice, "comments", { article: one.id, text: "x" })
    await create(bob, "comments", { article: one.id, text: "x" })
    const second = await create(alice, "comments", { article: two.id, text: "x" })
    for (const answer of [
      call(alice, "POST", "/records/comments", { article: one.id, text: "again" }),
      call(alice, "PATCH", `/records/comments/${second.id}`, { article: one.id }),
    ]) {
      const { errors } = await refused(answer, 409)
      expect(errors?.map(({ path }) => path)).toEqual(["article", "author"])
    }
    await read(call(alice, "PATCH", `/records/comments/${first.id}`, { text: "y" }), 200)
  })
})

describe("of several reasons the first is told: missing, forbidden, stale, reference, taken", () => {
  type Reason = "missing" | "forbidden" | "stale" | "reference" | "taken"
  const order: Reason[] = ["missing", "forbidden", "stale", "reference", "taken"]
  const statuses = { missing: 404, forbidden: 403, stale: 412, reference: 400, taken: 409 }
  const combinations = Array.from({ length: 2 ** order.length }, (_, bits) =>
    order.filter((_, i) => bits & (1 << i)),
  )
  let slugs = 0

  test.each(combinations.map((reasons) => [reasons.join(" + ") || "none", reasons] as const))(
    "PATCH: %s",
    async (_, reasons) => {
      const has = (reason: Reason) => reasons.includes(reason)
      const slug = `patch-${++slugs}`
      if (has("taken")) await published(alice, { slug })
      const { id } = await published()
      const before = await query("SELECT count(*) AS n FROM changes")
      const answer = await call(
        has("forbidden") ? bob : alice,
        "PATCH",
        `/records/articles/${has("missing") ? nowhere : id}`,
        { slug, ...(has("reference") && { project: nowhere }) },
        has("stale") ? { "if-match": '"9"' } : {},
      )
      const first = order.find(has)
      expect(answer.status, await answer.text()).toBe(first ? statuses[first] : 200)
      const [after] = await query("SELECT count(*) AS n FROM changes")
      expect(after?.n).toBe((before[0]?.n as number) + (first ? 0 : 1))
    },
  )

  const creations = combinations.filter(
    (reasons) => !reasons.includes("missing") && !reasons.includes("stale"),
  )
  test.each(creations.map((reasons) => [reasons.join(" + ") || "none", reasons] as const))(
    "POST and PUT: %s",
    async (_, reasons) => {
      const has = (reason: Reason) => reasons.includes(reason)
      const slug = `create-${++slugs}`
      if (has("taken")) await published(alice, { slug })
      const body = {
        title: "x",
        slug,
        author: has("forbidden") ? alice.id : bob.id,
        ...(has("reference") && { project: nowhere }),
      }
      const first = order.find(has)
      const status = first ? statuses[first] : 201
      const post = await call(bob, "POST", "/records/articles", body)
      expect(post.status, await post.text()).toBe(status)
      if (first !== undefined) {
        const put = await call(bob, "PUT", `/records/articles/${crypto.randomUUID()}`, body)
        expect(put.status, await put.text()).toBe(status)
      }
    },
  )

  test("a creation that may not be is never told that the value is taken", async () => {
    await published(alice, { slug: "known" })
    const body = { title: "x", slug: "known", author: alice.id }
    const free = { ...body, slug: "free" }
    const answers = await Promise.all(
      [body, free].map(async (one) => {
        const { requestId: _, ...problem } = (await refused(
          call(bob, "POST", "/records/articles", one),
          403,
        )) as unknown as Json
        return problem
      }),
    )
    expect(answers[0]).toEqual(answers[1])
  })
})
