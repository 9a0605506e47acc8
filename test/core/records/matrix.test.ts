import { beforeAll, describe, expect, test } from "vitest"
import { call, type Person, signedIn } from "../../support/people.ts"
import { create, type Json, nowhere, query } from "./cast.ts"

/** Anonymous, stranger, owner, editor, administrator. */
type Statuses = [number, number, number, number, number]
const names = ["anonymous", "stranger", "owner", "editor", "administrator"] as const
const cast: Record<(typeof names)[number], Person | null> = {
  anonymous: null,
  stranger: null,
  owner: null,
  editor: null,
  administrator: null,
}

beforeAll(async () => {
  for (const name of names.slice(1)) {
    const roles = name === "editor" || name === "administrator" ? [name] : []
    cast[name] = await signedIn(name, roles)
  }
})

interface Kind {
  /** A record that the owner made, or that lies there. */
  make(): Promise<string>
  /** What a create and a PUT send: nothing that names an owner. */
  input: () => Json | Promise<Json>
  patch: Json
  statuses: Record<"list" | "get" | "create" | "putCreate" | "patch" | "put" | "delete", Statuses>
}

const made = async (collection: string, input: Json): Promise<string> =>
  (await create(cast.owner, collection, input)).id
/** By an administrator, who passes the rules. */
const given = async (collection: string, input: Json): Promise<string> =>
  (await create(cast.administrator, collection, input)).id

const published = () => made("articles", { title: "Public", status: "published" })
const own = () => cast.owner?.id as string

const kinds: Record<string, Kind> = {
  "articles: published": {
    make: published,
    input: () => ({ title: "Again" }),
    patch: { words: 1 },
    statuses: {
      list: [200, 200, 200, 200, 200],
      get: [200, 200, 200, 200, 200],
      create: [401, 201, 201, 201, 201],
      putCreate: [401, 201, 201, 201, 201],
      patch: [401, 403, 200, 200, 200],
      put: [401, 403, 200, 200, 200],
      delete: [401, 403, 204, 403, 204],
    },
  },
  "articles: draft": {
    make: () => made("articles", { title: "Draft" }),
    input: () => ({ title: "Again" }),
    patch: { words: 1 },
    statuses: {
      list: [200, 200, 200, 200, 200],
      get: [404, 404, 200, 404, 200],
      create: [401, 201, 201, 201, 201],
      putCreate: [401, 201, 201, 201, 201],
      patch: [401, 404, 200, 404, 200],
      put: [401, 404, 200, 404, 200],
      delete: [401, 404, 204, 404, 204],
    },
  },
  "articles: in the owner's name": {
    make: published,
    input: () => ({ title: "Again", author: own() }),
    patch: { author: nowhere },
    statuses: {
      list: [200, 200, 200, 200, 200],
      get: [200, 200, 200, 200, 200],
      create: [401, 403, 201, 403, 201],
      putCreate: [401, 403, 201, 403, 201],
      patch: [401, 403, 403, 400, 400],
      put: [401, 403, 200, 200, 200],
      delete: [401, 403, 204, 403, 204],
    },
  },
  "tags: for all": {
    make: () => made("tags", { name: crypto.randomUUID() }),
    input: () => ({ name: crypto.randomUUID() }),
    patch: { hidden: false },
    statuses: {
      list: [200, 200, 200, 200, 200],
      get: [200, 200, 200, 200, 200],
      create: [401, 201, 201, 201, 201],
      putCreate: [401, 201, 201, 201, 201],
      patch: [401, 403, 403, 200, 200],
      put: [401, 403, 403, 200, 200],
      delete: [401, 403, 403, 204, 204],
    },
  },
  "tags: hidden": {
    make: () => made("tags", { name: crypto.randomUUID(), hidden: true }),
    input: () => ({ name: crypto.randomUUID(), hidden: true }),
    patch: { hidden: false },
    statuses: {
      list: [200, 200, 200, 200, 200],
      get: [404, 404, 404, 200, 200],
      create: [401, 201, 201, 201, 201],
      putCreate: [401, 201, 201, 201, 201],
      patch: [401, 404, 404, 200, 200],
      put: [401, 404, 404, 200, 200],
      delete: [401, 404, 404, 204, 204],
    },
  },
  projects: {
    make: () => made("projects", { name: "Plan" }),
    input: () => ({ name: "Plan" }),
    patch: { name: "Other" },
    statuses: {
      list: [401, 200, 200, 200, 200],
      get: [401, 404, 200, 404, 200],
      create: [401, 201, 201, 201, 201],
      putCreate: [401, 201, 201, 201, 201],
      patch: [401, 404, 200, 404, 200],
      put: [401, 404, 200, 404, 200],
      delete: [401, 404, 204, 404, 204],
    },
  },
  "comments: approved": {
    make: async () => made("comments", { article: await published(), text: "Yes", approved: true }),
    input: async () => ({ article: await published(), text: "Me too" }),
    patch: { text: "Maybe" },
    statuses: {
      list: [200, 200, 200, 200, 200],
      get: [200, 200, 200, 200, 200],
      create: [401, 201, 201, 201, 201],
      putCreate: [401, 201, 201, 201, 201],
      patch: [401, 403, 200, 403, 200],
      put: [401, 403, 200, 403, 200],
      delete: [401, 403, 204, 403, 204],
    },
  },
  "comments: waiting": {
    make: async () => made("comments", { article: await published(), text: "Psst" }),
    input: async () => ({ article: await published(), text: "Me too" }),
    patch: { text: "Maybe" },
    statuses: {
      list: [200, 200, 200, 200, 200],
      get: [404, 404, 200, 404, 200],
      create: [401, 201, 201, 201, 201],
      putCreate: [401, 201, 201, 201, 201],
      patch: [401, 404, 200, 404, 200],
      put: [401, 404, 200, 404, 200],
      delete: [401, 404, 204, 404, 204],
    },
  },
  "vaults: no rules at all": {
    make: () => given("vaults", { name: "Gold" }),
    input: () => ({ name: "Silver" }),
    patch: { name: "Lead" },
    statuses: {
      list: [401, 404, 404, 404, 200],
      get: [401, 404, 404, 404, 200],
      create: [401, 403, 403, 403, 201],
      putCreate: [401, 403, 403, 403, 201],
      patch: [401, 404, 404, 404, 200],
      put: [401, 404, 404, 404, 200],
      delete: [401, 404, 404, 404, 204],
    },
  },
  "diaries: administrators obey": {
    make: () => made("diaries", { entry: "Dear diary" }),
    input: () => ({ entry: "Dear diary" }),
    patch: { entry: "Dear me" },
    statuses: {
      list: [401, 200, 200, 200, 200],
      get: [401, 404, 200, 404, 404],
      create: [401, 201, 201, 201, 201],
      putCreate: [401, 201, 201, 201, 201],
      patch: [401, 404, 200, 404, 404],
      put: [401, 404, 200, 404, 404],
      delete: [401, 404, 204, 404, 404],
    },
  },
  "tickets: without an organisation": {
    make: async () => {
      const id = crypto.randomUUID()
      await query(
        "INSERT INTO tickets (id, organisation, version, createdAt, updatedAt, subject) VALUES (?, 'acme', 1, '', '', 'Theirs')",
        [id],
      )
      return id
    },
    input: () => ({ subject: "Mine" }),
    patch: { subject: "Ours" },
    statuses: {
      list: [401, 200, 200, 200, 200],
      get: [401, 404, 404, 404, 404],
      create: [401, 403, 403, 403, 403],
      putCreate: [401, 403, 403, 403, 403],
      patch: [401, 404, 404, 404, 404],
      put: [401, 404, 404, 404, 404],
      delete: [401, 404, 404, 404, 404],
    },
  },
  "suggestions: anyone writes, nobody reads": {
    make: () => made("suggestions", { text: "More tea" }),
    input: () => ({ text: "Less tea" }),
    patch: { text: "No tea" },
    statuses: {
      list: [401, 404, 404, 404, 200],
      get: [401, 404, 404, 404, 200],
      create: [201, 201, 201, 201, 201],
      putCreate: [201, 201, 201, 201, 201],
      patch: [401, 404, 404, 404, 200],
      put: [404, 404, 404, 404, 200],
      delete: [401, 404, 404, 404, 204],
    },
  },
  "orders: behind a hook": {
    make: () => made("orders", { quantity: 2 }),
    input: () => ({ quantity: 3 }),
    patch: { quantity: 4 },
    statuses: {
      list: [401, 200, 200, 200, 200],
      get: [401, 404, 200, 404, 200],
      create: [401, 201, 201, 201, 201],
      putCreate: [401, 201, 201, 201, 201],
      patch: [401, 404, 200, 404, 200],
      put: [401, 404, 200, 404, 200],
      delete: [401, 404, 204, 404, 204],
    },
  },
  "orderEvents: written by hooks only": {
    make: () => given("orderEvents", { order: "1" }),
    input: () => ({ order: "2" }),
    patch: { quantity: 5 },
    statuses: {
      list: [401, 200, 200, 200, 200],
      get: [401, 200, 200, 200, 200],
      create: [401, 403, 403, 403, 201],
      putCreate: [401, 403, 403, 403, 201],
      patch: [401, 403, 403, 403, 200],
      put: [401, 403, 403, 403, 200],
      delete: [401, 403, 403, 403, 204],
    },
  },
  "members: a projection that nobody writes": {
    make: async () => (cast.stranger as Person).id,
    input: () => ({ name: "Nobody", roles: [], epoch: 1 }),
    patch: { name: "Renamed" },
    statuses: {
      list: [401, 200, 200, 200, 200],
      get: [401, 200, 200, 200, 200],
      create: [401, 400, 400, 400, 400],
      putCreate: [401, 400, 400, 400, 400],
      patch: [401, 403, 403, 403, 403],
      put: [401, 400, 400, 400, 400],
      delete: [401, 403, 403, 403, 403],
    },
  },
}

const operations = {
  list: (as: Person | null, path: string) => call(as, "GET", path),
  get: async (as: Person | null, path: string, { make }: Kind) =>
    call(as, "GET", `${path}/${await make()}`),
  create: async (as: Person | null, path: string, { input }: Kind) =>
    call(as, "POST", path, await input()),
  putCreate: async (as: Person | null, path: string, { input }: Kind) =>
    call(as, "PUT", `${path}/${crypto.randomUUID()}`, await input()),
  patch: async (as: Person | null, path: string, { make, patch }: Kind) =>
    call(as, "PATCH", `${path}/${await make()}`, patch),
  put: async (as: Person | null, path: string, { make, input }: Kind) =>
    call(as, "PUT", `${path}/${await make()}`, await input()),
  delete: async (as: Person | null, path: string, { make }: Kind) =>
    call(as, "DELETE", `${path}/${await make()}`),
}

describe.each(Object.entries(kinds))("%s", (label, kind) => {
  const path = `/records/${label.split(":")[0]}`
  test.each(Object.keys(operations) as (keyof typeof operations)[])("%s", async (operation) => {
    const statuses: Json = {}
    const expected: Json = {}
    for (const [i, name] of names.entries()) {
      const answer = await operations[operation](cast[name], path, kind)
      statuses[name] = answer.status
      expected[name] = kind.statuses[operation][i]
      await answer.body?.cancel()
    }
    expect(statuses).toEqual(expected)
  })
})

test("to whom a record does not exist is told word for word what is told of an id of nothing", async () => {
  const draft = await made("articles", { title: "Draft" })
  for (const method of ["GET", "PATCH", "DELETE"]) {
    const body = method === "PATCH" ? { title: "Mine" } : undefined
    const answers = await Promise.all(
      [draft, nowhere].map(async (id) => {
        const answer = await call(cast.stranger, method, `/records/articles/${id}`, body)
        const { requestId, ...problem } = (await answer.json()) as Json
        expect(requestId).toBe(answer.headers.get("x-request-id"))
        return { status: answer.status, problem, etag: answer.headers.get("etag") }
      }),
    )
    expect(answers[0]).toEqual(answers[1])
    expect(answers[0]?.status).toBe(404)
  }
})

test("collections that do not exist are 404 for all, closed ones for those who are signed in", async () => {
  for (const name of names) {
    for (const method of ["GET", "POST"]) {
      const body = method === "POST" ? {} : undefined
      expect((await call(cast[name], method, "/records/nothing", body)).status).toBe(404)
    }
  }
})

describe("the log says by whose right a write was made", () => {
  const authorityOf = async (record: string) =>
    (await query("SELECT authority FROM changes WHERE record = ? ORDER BY seq DESC LIMIT 1", [
      record,
    ])) as { authority: string }[]
  const administrator = () => cast.administrator as Person

  test("an administrator who passes over a rule is marked", async () => {
    const id = await published()
    expect(await authorityOf(id)).toEqual([{ authority: "rule" }])
    await call(administrator(), "PATCH", `/records/articles/${id}`, { words: 7 })
    expect(await authorityOf(id)).toEqual([{ authority: "administrator" }])
    await call(administrator(), "DELETE", `/records/articles/${id}`)
    expect(await authorityOf(id)).toEqual([{ authority: "administrator" }])
    const vault = await create(administrator(), "vaults", { name: "x" })
    expect(await authorityOf(vault.id)).toEqual([{ authority: "administrator" }])
  })

  test("also when only the rule of the new row, or of a field, was passed over", async () => {
    const project = await create(administrator(), "projects", { name: "Mine" })
    await call(administrator(), "PATCH", `/records/projects/${project.id}`, { owner: own() })
    expect(await authorityOf(project.id)).toEqual([{ authority: "administrator" }])
  })

  test("an administrator whom the rule lets through is not marked, nor is anyone else", async () => {
    const tag = await create(administrator(), "tags", { name: "by a rule" })
    expect(await authorityOf(tag.id)).toEqual([{ authority: "rule" }])
    const diary = await create(administrator(), "diaries", { entry: "x" })
    expect(await authorityOf(diary.id)).toEqual([{ authority: "rule" }])
    const others = await query(
      "SELECT DISTINCT authority FROM changes WHERE actor IS NOT ? AND subject NOT IN ('members', 'orderEvents')",
      [administrator().id],
    )
    expect(others).toEqual([{ authority: "rule" }])
  })

  test("what a hook writes is the system's", async () => {
    const order = await create(cast.owner, "orders", { quantity: 1 })
    const events = await query('SELECT id FROM orderEvents WHERE "order" = ?', [order.id])
    expect(events).toHaveLength(1)
    expect(await authorityOf(events[0]?.id as string)).toEqual([{ authority: "system" }])
  })
})
