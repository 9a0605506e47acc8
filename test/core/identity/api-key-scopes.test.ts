import { beforeAll, describe, expect, test, vi } from "vitest"
import { grants, scopePattern } from "../../../src/core/identity/key-scopes.ts"
import { linkCollections } from "../../../src/core/records/link.ts"
import { fixtures } from "../../support/collections.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { choicesFrom, randomSeed } from "../records/randomness.ts"
import { listQueries, recordQueries } from "../records/secrecy-queries.ts"
import { keyed, read, rows } from "./api-key-cast.ts"

/*
 * A key has of its holder's rights what its scopes say. Beyond them it is a person whom no rule lets: what it may not read
 * is not there, whichever way it asks.
 */

let holders: Record<"person" | "editor" | "administrator", Person>
let stranger: Person
const names = ["person", "editor", "administrator"] as const
beforeAll(async () => {
  vi.spyOn(console, "info").mockImplementation(() => {})
  holders = {
    person: await signedIn("person"),
    editor: await signedIn("editor", ["editor"]),
    administrator: await signedIn("administrator", ["administrator"]),
  }
  stranger = await signedIn("stranger")
})

const made = async (as: Person, collection: string, input: object): Promise<string> =>
  (await read<{ id: string }>(call(as, "POST", `/records/${collection}`, input), 201)).id

describe("the form of a scope", () => {
  test.each([
    ["articles:read", true],
    ["orderEvents:delete", true],
    ["articles:*", true],
    ["*:read", true],
    ["*:*", true],
    ["metrics:read", true],
    ["articles", false],
    ["articles:", false],
    [":read", false],
    ["articles:write", false],
    ["articles:read:x", false],
    ["articles:read\n", false],
    ["art*:read", false],
    ["articles:READ", false],
    ["", false],
  ])("%j: %s", (scope, good) => {
    expect(scopePattern.test(scope)).toBe(good)
  })

  test.each([
    [["articles:read"], "articles", "read", true],
    [["articles:read"], "articles", "update", false],
    [["articles:read"], "comments", "read", false],
    [["articles:*"], "articles", "delete", true],
    [["*:read"], "comments", "read", true],
    [["*:read"], "comments", "create", false],
    [["*:*"], "comments", "create", true],
    [["articles:read", "comments:create"], "articles", "create", false],
    [[], "articles", "read", false],
  ] as const)("%j covers %s:%s: %s", (scopes, collection, action, covered) => {
    expect(grants(scopes, collection, action)).toBe(covered)
  })
})

const actions = ["read", "create", "update", "delete"] as const
const operations: Record<
  (typeof actions)[number] | "list" | "put" | "putCreate",
  {
    ask: (as: Person, id: string) => Promise<Response>
    success: number
    /** All that it takes. */
    needs: readonly (typeof actions)[number][]
  }
> = {
  read: {
    ask: (as, id) => call(as, "GET", `/records/articles/${id}`),
    success: 200,
    needs: ["read"],
  },
  list: {
    ask: (as) => call(as, "GET", "/records/articles?limit=1"),
    success: 200,
    needs: ["read"],
  },
  create: {
    ask: (as) => call(as, "POST", "/records/articles", { title: "x" }),
    success: 201,
    needs: ["create"],
  },
  update: {
    ask: (as, id) => call(as, "PATCH", `/records/articles/${id}`, { words: 3 }),
    success: 200,
    needs: ["read", "update"],
  },
  put: {
    ask: (as, id) => call(as, "PUT", `/records/articles/${id}`, { title: "y" }),
    success: 200,
    needs: ["read", "update"],
  },
  putCreate: {
    ask: (as) => call(as, "PUT", `/records/articles/${crypto.randomUUID()}`, { title: "y" }),
    success: 201,
    needs: ["create"],
  },
  delete: {
    ask: (as, id) => call(as, "DELETE", `/records/articles/${id}`),
    success: 204,
    needs: ["read", "delete"],
  },
}

describe.each(names)("a key of the %s", (name) => {
  const subsets = Array.from({ length: 16 }, (_, bits) =>
    actions.filter((_action, i) => bits & (1 << i)),
  )
  test.each(subsets.map((subset) => [subset.join(", ") || "nothing of it", subset] as const))(
    "for articles may %s, and no more",
    async (_, subset) => {
      const holder = holders[name]
      // A key for nothing of it is one for something else.
      const scopes = ["tags:read", ...subset.map((action) => `articles:${action}`)]
      const program = await keyed(holder, scopes)
      for (const [operation, { ask, success, needs }] of Object.entries(operations)) {
        const id = await made(holder, "articles", { title: "Own", status: "published" })
        const answer = await ask(program, id)
        const text = await answer.text()
        const told = `${operation} with ${scopes}: ${answer.status} ${text}`
        if (needs.every((action) => (subset as readonly string[]).includes(action))) {
          expect(answer.status, told).toBe(success)
        } else if (operation === "list") {
          expect(JSON.parse(text), told).toMatchObject({ items: [], next: null })
        } else if ((subset as readonly string[]).includes("read") || needs.includes("create")) {
          expect(answer.status, told).toBe(403)
        } else if (operation === "put") {
          // To replace what is hidden is to create what exists: by scope, else by id.
          expect(answer.status, told).toBeGreaterThanOrEqual(403)
        } else {
          expect(answer.status, told).toBe(404)
        }
        const [row] = await rows("SELECT version, title FROM articles WHERE id = ?", id)
        if (answer.status >= 400) expect(row, told).toEqual({ version: 1, title: "Own" })
      }
    },
  )

  test("cannot do what its holder cannot", async () => {
    const theirs = await made(stranger, "articles", { title: "Draft" })
    const program = await keyed(holders[name], ["*:*"])
    for (const { ask } of Object.values(operations)) {
      const own = await ask(holders[name], theirs)
      const keys = await ask(program, theirs)
      if (own.status < 400) continue
      expect(keys.status).toBe(own.status)
    }
  })

  test("that may not read a collection is told the same whatever is in it, whichever way it asks", async () => {
    const holder = holders[name]
    const seed = randomSeed()
    const choices = choicesFrom(seed)
    const program = await keyed(holder, ["articles:*", "tags:*"])
    const project = await made(holder, "projects", { name: "Hidden" })
    const articles: string[] = []
    for (let n = 0; n < 4; n++) {
      articles.push(
        await made(holder, "articles", { title: `Hello ${n}`, status: "published", project }),
      )
    }
    const collections = linkCollections(fixtures)
    // Rollups are values of the article, and belong to its readers: paths into comments are what this is about.
    const paths = ["articles", "tags", "comments", "projects", "vaults"]
      .flatMap((table) => {
        const collection = collections.get(table)
        if (!collection) return []
        const found = listQueries(choices, collection, [...articles, project], 60)
        return [...found, ...articles.flatMap((id) => recordQueries(collection, id))]
      })
      .filter((path) => !/Count|Sum|Average/.test(path))
    const hidden = /"(?:commentCount|starSum|starAverage|weightSum)":[^,}]*/g
    const ask = async () => {
      const answers: string[] = []
      for (const path of paths) {
        const answer = await call(program, "GET", path)
        const text = (await answer.text()).replace(/"requestId":"[^"]*"/, "")
        answers.push(`${answer.status} ${answer.headers.get("link")} ${text.replace(hidden, "")}`)
      }
      return answers
    }
    const before = await ask()
    for (const article of articles.slice(0, 3)) {
      await made(holder, "comments", { article, text: "hello", stars: 5, approved: true })
    }
    await read(call(holder, "PATCH", `/records/projects/${project}`, { name: "Changed" }), 200)
    const after = await ask()
    const told = paths.filter((_path, i) => before[i] !== after[i])
    expect(told.slice(0, 3), `${told.length} of ${paths.length} (seed ${seed})`).toEqual([])
    expect(before.filter((answer) => answer.startsWith("200")).length).toBeGreaterThan(30)
    expect(before.filter((answer) => answer.startsWith("5"))).toEqual([])
  })
})

describe("a collection beyond the scopes", () => {
  let program: Person
  let article: string
  let comment: string
  beforeAll(async () => {
    const { editor } = holders
    program = await keyed(editor, ["articles:read", "articles:update", "articles:create"])
    article = await made(editor, "articles", { title: "Seen", status: "published" })
    comment = await made(editor, "comments", { article, text: "unseen", stars: 5, approved: true })
  })
  const list = async (query: Record<string, string>) =>
    read<{ items: Record<string, unknown>[]; count?: number }>(
      call(program, "GET", `/records/articles?${new URLSearchParams(query)}`),
      200,
    )

  test.each([
    `any(comments, text = "unseen")`,
    "count(comments) > 0",
    `any(comments, stars > 0)`,
    `author.name = "editor"`,
    "author.name != null",
  ])("answers no filter: %s", async (filter) => {
    expect(await list({ filter, count: "exact" })).toMatchObject({ items: [], count: 0 })
  })

  test("comes with no expansion, and no nested field", async () => {
    const filter = `id = "${article}"`
    const { items } = await list({ filter, expand: "comments,author" })
    expect(items[0]?.expanded).toEqual({ comments: [], author: null })
    const nested = await list({ filter, fields: "id,author.name" })
    expect(JSON.stringify(nested)).not.toContain("editor")
  })

  test("can be neither read, written, pointed at, nor known to exist", async () => {
    expect((await call(program, "GET", `/records/comments/${comment}`)).status).toBe(404)
    expect((await call(program, "DELETE", `/records/comments/${comment}`)).status).toBe(404)
    const answer = await call(program, "POST", "/records/comments", { article, text: "x" })
    expect(answer.status).toBe(403)
    const project = await made(holders.editor, "projects", { name: "Hidden" })
    const bodies = await Promise.all(
      [project, crypto.randomUUID()].map(async (id) => {
        const refused = await call(program, "PATCH", `/records/articles/${article}`, {
          project: id,
        })
        return `${refused.status} ${(await refused.text()).replace(/"requestId":"[^"]*"/, "")}`
      }),
    )
    expect(bodies[0]).toBe(bodies[1])
    expect(bodies[0]).toMatch(/^400/)
  })

  test("is closed also to administrators' keys where only administrators see it", async () => {
    const vault = await made(holders.administrator, "vaults", { name: "Gold" })
    const narrow = await keyed(holders.administrator, ["articles:*"])
    expect((await call(narrow, "GET", `/records/vaults/${vault}`)).status).toBe(404)
    expect((await call(narrow, "GET", "/records/vaults")).status).toBe(404)
    expect((await call(narrow, "POST", "/records/vaults", { name: "x" })).status).toBe(403)
    const wide = await keyed(holders.administrator, ["vaults:read"])
    expect((await call(wide, "GET", `/records/vaults/${vault}`)).status).toBe(200)
    expect((await call(wide, "PATCH", `/records/vaults/${vault}`, { name: "x" })).status).toBe(403)
  })

  test("does not stand in its documentation where only administrators know of it", async () => {
    const narrow = await keyed(holders.administrator, ["articles:*"])
    const answer = await call(narrow, "GET", "/openapi.json")
    expect(await answer.text()).not.toContain("/records/vaults")
  })

  test("answers a repeated POST to its own key alone", async () => {
    const key = { "idempotency-key": "once" }
    const post = (as: Person) =>
      call(as, "POST", "/records/tags", { name: crypto.randomUUID() }, key)
    expect((await post(holders.editor)).status).toBe(201)
    expect((await post(await keyed(holders.editor, ["tags:read"]))).status).toBe(403)
  })
})
