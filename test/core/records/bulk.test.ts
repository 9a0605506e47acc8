import { beforeAll, describe, expect, test } from "vitest"
import {
  actorOf,
  findOperation,
  insertOperation,
  type StoredOperation,
} from "../../../src/core/records/bulk-operation.ts"
import { sweepOperations } from "../../../src/core/records/bulk-sweep.ts"
import { changeThese } from "../../../src/core/records/change-many.ts"
import { collection as define } from "../../../src/core/records/collection.ts"
import { integer, text } from "../../../src/core/records/fields.ts"
import { type LinkedCollection, linkCollections } from "../../../src/core/records/link.ts"
import { parseFilter } from "../../../src/core/records/query.ts"
import { viewFor } from "../../../src/core/records/view.ts"
import { system, type UserActor } from "../../../src/platform/app.ts"
import { Problem } from "../../../src/platform/problem.ts"
import { fixtures } from "../../support/collections.ts"
import { eventually } from "../../support/eventually.ts"
import { hush } from "../../support/hush.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { create, get, type Json, linesOf, listPath, nowhere, query, read, refused } from "./cast.ts"
import { openWorkshop, toolApp, type Workshop } from "./workshop.ts"

/** A hook that is shown each record, and says now and then that it is not as it should be. */
let hesitant = 0
const hooked = define("hooked", {
  fields: { name: text(), size: integer() },
  rules: { read: "true", create: "true", update: "true" },
  beforeWrite: {
    needs: "record",
    run({ record }) {
      const stale = record?.name === "stale" || (record?.name === "hesitant" && hesitant++ === 0)
      if (stale) throw new Problem("precondition_failed", "Not as it should be.")
      return undefined
    },
  },
})

let alice: Person
let bob: Person
let workshop: Workshop
beforeAll(async () => {
  hush("info", "error")
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  workshop = await openWorkshop([hooked])
})

interface Report {
  rows: number
  created: number
  updated: number
  unchanged: number
  deleted: number
  refused: number
  refusals: { id?: string; line?: number; code: string; detail: string }[]
}
interface Operation extends Report {
  id: string
  state: string
  total: number
  problem: { code: string } | null
}

const background = { prefer: "respond-async" }
const change = (
  as: Person | null,
  name: string,
  filter: string,
  patch: Json,
  more = {},
  headers = {},
) => call(as, "PATCH", listPath(name, { filter, ...more }), patch, headers)
const remove = (as: Person | null, name: string, filter: string, more = {}, headers = {}) =>
  call(as, "DELETE", listPath(name, { filter, ...more }), undefined, headers)
const load = (as: Person | null, path: string, csv: string, headers = {}) =>
  call(as, "POST", `/records/${path}`, csv, { "content-type": "text/csv", ...headers })
const count = async (sql: string, ...params: string[]) => (await query(sql, params))[0]?.n

/** The operation once it is over. */
async function finished(as: Person, answer: Response | Promise<Response>): Promise<Operation> {
  const response = await answer
  const { id } = await read<Operation>(response, 202)
  expect(response.headers.get("location")).toBe(`/bulk-operations/${id}`)
  return eventually(async () => {
    const operation = await read<Operation>(call(as, "GET", `/bulk-operations/${id}`), 200)
    expect(operation.state).not.toBe("running")
    return operation
  }, 50)
}

/** So many articles of hers, titled alike. */
const furnish = async (as: Person, title: string, rows: number) =>
  read<Report>(
    load(
      as,
      "articles/import",
      `title,words,status\n${Array.from({ length: rows }, (_, n) => `${title},${n},published`).join("\n")}`,
    ),
    200,
  )

describe("all that a filter finds", () => {
  test("is changed, each record with its line in the log, and what is the same is left", async () => {
    await furnish(alice, "many", 150)
    const report = await read<Report>(
      change(alice, "articles", 'title = "many" && words >= 10', { words: 149 }),
      200,
    )
    expect(report).toMatchObject({ rows: 140, updated: 139, unchanged: 1, refused: 0 })
    expect(
      await count("SELECT count(*) AS n FROM articles WHERE title = 'many' AND words = 149"),
    ).toBe(140)
    expect(
      await count(
        "SELECT count(*) AS n FROM changes WHERE kind = 'updated' AND json_extract(payload, '$.title') = 'many'",
      ),
    ).toBe(139)
  })

  test("is counted as it is where a patch names nothing but what the server writes", async () => {
    const title = `Server's ${crypto.randomUUID()}`
    await furnish(alice, title, 3)
    const filter = `title = "${title}"`
    for (const patch of [{}, { version: 7, updatedAt: "2026-01-01T00:00:00.000Z" }]) {
      for (const more of [{}, { dryRun: "true" }]) {
        const report = await read<Report>(change(alice, "articles", filter, patch, more), 200)
        expect(report).toMatchObject({ rows: 3, updated: 0, unchanged: 3, refused: 0 })
      }
      const operation = await finished(
        alice,
        change(alice, "articles", filter, patch, {}, background),
      )
      expect(operation).toMatchObject({ rows: 3, updated: 0, unchanged: 3, refused: 0 })
    }
  })

  test("is counted by a dry run, which writes nothing", async () => {
    const before = await count("SELECT count(*) AS n FROM changes")
    const dry = { dryRun: "true" }
    expect(
      await read<Report>(change(alice, "articles", 'title = "many"', { title: "x" }, dry), 200),
    ).toMatchObject({ rows: 150, updated: 150 })
    expect(await read<Report>(remove(alice, "articles", 'title = "many"', dry), 200)).toMatchObject(
      { rows: 150, deleted: 150 },
    )
    expect(await count("SELECT count(*) AS n FROM changes")).toBe(before)
  })

  test("is what its asker sees, and the rules of each record hold", async () => {
    await furnish(bob, "many", 5)
    await create(bob, "articles", { title: "many" })
    const report = await read<Report>(
      change(alice, "articles", 'title = "many"', { day: "2026-11-28" }),
      200,
    )
    expect(report).toMatchObject({ rows: 155, updated: 150, refused: 5 })
    expect(new Set(report.refusals.map(({ code }) => code))).toEqual(new Set(["forbidden"]))
    expect(
      await count(
        "SELECT count(*) AS n FROM articles WHERE author = ? AND day IS NOT NULL",
        bob.id,
      ),
    ).toBe(0)
    await refused(change(alice, "articles", "secret != null", { words: 1 }), 400)
    const guess = await read<Report>(
      change(alice, "articles", `author = "${bob.id}" && note = "n"`, { words: 1 }),
      200,
    )
    expect(guess.rows).toBe(0)
  })

  test("costs no more trips where all of it is refused, and tells each", async () => {
    await furnish(bob, "barred", 150)
    for (const answer of [
      await change(alice, "articles", 'title = "barred"', { words: 1 }),
      await remove(alice, "articles", 'title = "barred"'),
    ]) {
      // The count, and two pages of records.
      expect(costOf(answer).trips).toBe(3)
      const report = await read<Report>(answer, 200)
      expect(report).toMatchObject({ rows: 150, updated: 0, deleted: 0, refused: 150 })
      const ids = report.refusals.map(({ id }) => id)
      expect(ids).toEqual(ids.toSorted())
      expect(new Set(report.refusals.map(({ code }) => code))).toEqual(new Set(["forbidden"]))
    }
  })

  test("is looked at again where somebody was faster, and left where it is no more what was asked for", async () => {
    const [one, two] = [
      await create(alice, "articles", { title: "race" }),
      await create(alice, "articles", { title: "raced" }),
    ]
    const collections = linkCollections(fixtures)
    const collection = collections.get("articles") as LinkedCollection
    const app = toolApp()
    const view = viewFor(app, system, collections)
    const filter = parseFilter(view, collection, 'title = "race"')
    const many = { collection, filter, patch: { words: 9 }, dryRun: false }
    const stale = [one, two].map(({ id }) => ({ id, version: 7 }))
    const { counts } = await changeThese({ app, actor: system, collections }, view, many, stale)
    expect(counts).toMatchObject({ rows: 1, updated: 1, refused: 0 })
    expect([
      (await get(alice, "articles", one.id)).words,
      (await get(alice, "articles", two.id)).words,
    ]).toEqual([9, null])
  })

  test("is deleted, but for what others point at", async () => {
    const kept = await create(alice, "articles", { title: "doomed", status: "published" })
    const gone = await create(alice, "articles", { title: "doomed" })
    await create(bob, "comments", { article: kept.id, text: "x" })
    const report = await read<Report>(remove(alice, "articles", 'title = "doomed"'), 200)
    expect(report).toMatchObject({
      rows: 2,
      deleted: 1,
      refused: 1,
      refusals: [{ id: kept.id, code: "conflict" }],
    })
    await get(alice, "articles", gone.id, 404)
    expect((await linesOf(gone.id)).at(-1)?.kind).toBe("deleted")
  })

  test("goes through hooks, one by one", async () => {
    for (const quantity of [1, 2]) await create(alice, "orders", { quantity })
    const paid = await create(alice, "orders", { quantity: 3, state: "paid" })
    const changed = await read<Report>(
      change(alice, "orders", "quantity > 0", { quantity: 5 }),
      200,
    )
    expect(changed).toMatchObject({ updated: 3 })
    expect(await count("SELECT count(*) AS n FROM orders WHERE total = 35")).toBe(3)
    const deleted = await read<Report>(remove(alice, "orders", "quantity > 0"), 200)
    expect(deleted).toMatchObject({
      deleted: 2,
      refused: 1,
      refusals: [{ id: paid.id, detail: "A paid order stays." }],
    })
  })

  test("is told whatever a hook says of it", async () => {
    for (const name of ["fine", "hesitant", "stale"]) {
      await read(workshop.call(alice, "POST", "/records/hooked", { name }), 201)
    }
    const path = listPath("hooked", { filter: "size = null" })
    const report = await read<Report>(workshop.call(alice, "PATCH", path, { size: 1 }), 200)
    expect(report).toMatchObject({ rows: 3, updated: 2, refused: 1 })
    expect(report.refusals).toMatchObject([
      { code: "precondition_failed", detail: "Not as it should be." },
    ])
    expect(await query("SELECT name, size FROM hooked ORDER BY name")).toEqual([
      { name: "fine", size: 1 },
      { name: "hesitant", size: 1 },
      { name: "stale", size: null },
    ])
  })

  test("ends where one request can ask the database no more, and is told as far as it came", async () => {
    await query(
      `INSERT INTO hooked (id, version, createdAt, updatedAt, name)
WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 1000)
SELECT printf('00000000-0000-7000-8000-%012d', v), 1, '2026-01-01', '2026-01-01', 'each' FROM n`,
    )
    const path = listPath("hooked", { filter: 'name = "each"' })
    const answer = await workshop.call(alice, "PATCH", path, { size: 2 })
    expect(costOf(answer).trips).toBeLessThan(1_000)
    const { errors, report } = (await refused(answer, 400)) as Awaited<
      ReturnType<typeof refused>
    > & { report?: Report }
    expect(errors).toMatchObject([{ path: "query.filter", code: "too_many" }])
    expect(report?.updated).toBeGreaterThan(100)
    expect(report?.updated).toBeLessThan(1_000)
    expect(await count("SELECT count(*) AS n FROM hooked WHERE size = 2")).toBe(report?.updated)
  }, 20_000)

  test.each<[string, Promise<Response> | (() => Promise<Response>), number]>([
    ["without a filter", () => call(alice, "DELETE", "/records/articles"), 400],
    ["with an empty one", () => remove(alice, "articles", " "), 400],
    ["with a wrong one", () => remove(alice, "articles", "nope = 1"), 400],
    ["with a page", () => remove(alice, "articles", "words = 1", { limit: "1" }), 400],
    ["to values that are none", () => change(alice, "articles", "words = 1", { words: "x" }), 400],
    ["by an id", () => change(alice, "articles", "words = 1", { id: nowhere }), 400],
    ["by nobody", () => remove(null, "articles", "words = 1"), 401],
    ["in nothing", () => remove(alice, "nothing", "words = 1"), 404],
  ])("is not changed %s", async (_, ask, status) => {
    await refused(typeof ask === "function" ? ask() : ask, status)
  })
})

describe("in the background", () => {
  test("more is changed than a request can, and all of it is told", async () => {
    await furnish(alice, "lots", 1_050)
    const direct = await refused(change(alice, "articles", 'title = "lots"', { words: 1 }), 400)
    expect(direct.errors?.[0]).toMatchObject({ path: "query.filter", code: "too_many" })
    const operation = await finished(
      alice,
      change(alice, "articles", 'title = "lots"', { words: -1 + 2 }, {}, background),
    )
    expect(operation).toMatchObject({
      kind: "update",
      state: "succeeded",
      total: 1_050,
      rows: 1_050,
      refused: 0,
    })
    expect(
      await count("SELECT count(*) AS n FROM articles WHERE title = 'lots' AND words = 1"),
    ).toBe(1_050)
    const gone = await finished(alice, remove(alice, "articles", 'title = "lots"', {}, background))
    expect(gone).toMatchObject({ kind: "delete", state: "succeeded", deleted: 1_050 })
  })

  test("a file is imported, refusals can be read to the last, and nobody else sees any of it", async () => {
    const csv = `name\n${Array.from({ length: 2_300 }, (_, n) => (n % 10 === 9 ? "" : `bg-${n}`)).join("\n")}\n`
    const operation = await finished(
      alice,
      load(alice, "tags/import", csv.replaceAll("\n\n", '\n""\n'), background),
    )
    expect(operation).toMatchObject({
      kind: "import",
      state: "succeeded",
      total: 2_300,
      created: 2_070,
      refused: 230,
    })
    const lines: number[] = []
    for (let path: string | null = `/bulk-operations/${operation.id}/refusals?limit=100`; path; ) {
      const page: { items: { line: number }[]; next: string | null } = await read(
        call(alice, "GET", path),
        200,
      )
      lines.push(...page.items.map(({ line }) => line))
      path = page.next && `/bulk-operations/${operation.id}/refusals?limit=100&cursor=${page.next}`
    }
    expect(lines).toEqual(Array.from({ length: 230 }, (_, n) => n * 10 + 11))
    expect(await count("SELECT count(*) AS n FROM bulk_parts")).toBe(0)
    await refused(call(bob, "GET", `/bulk-operations/${operation.id}`), 404)
    await refused(call(bob, "GET", `/bulk-operations/${operation.id}/refusals`), 404)
    await refused(call(null, "GET", `/bulk-operations/${operation.id}`), 401)
    await refused(call(alice, "GET", "/bulk-operations/7"), 404)
  })

  test("a dry run tells the same, and writes nothing", async () => {
    const before = await count("SELECT count(*) AS n FROM tags")
    const operation = await finished(
      alice,
      load(alice, "tags/import?dryRun=true", "name\ndry-1\nbg-1\n", background),
    )
    expect(operation).toMatchObject({ state: "succeeded", created: 1, refused: 1 })
    expect(await count("SELECT count(*) AS n FROM tags")).toBe(before)
  })

  test("an id that is no text is refused like any other row, and holds up nobody", async () => {
    const ids = ['{"toString":null}', '["x"]', "7", `${"[".repeat(20_000)}${"]".repeat(20_000)}`]
    const file = ids
      .map((id, n) => `{"id":${id},"name":"odd-${n}"}`)
      .concat('{"name":"even"}')
      .join("\n")
    for (const path of ["tags/import?dryRun=true", "tags/import?dryRun=true&upsert=id"]) {
      const report = await read<Report>(
        call(alice, "POST", `/records/${path}`, file, { "content-type": "application/x-ndjson" }),
        200,
      )
      expect(report).toMatchObject({ created: 1, refused: 4 })
      expect(report.refusals.map(({ line }) => line)).toEqual([1, 2, 3, 4])
    }
  })

  test("nothing is kept of a file that cannot be read to its end", async () => {
    const before = await count("SELECT count(*) AS n FROM bulk_operations")
    await refused(load(alice, "tags/import", `name\n${"ok\n".repeat(1_500)}"open`, background), 400)
    await refused(load(alice, "tags/import?atomic=true", "name\nok", background), 400)
    await refused(load(null, "suggestions/import", "text\nok", background), 401)
    expect(await count("SELECT count(*) AS n FROM bulk_operations")).toBe(before)
    expect(await count("SELECT count(*) AS n FROM bulk_parts")).toBe(0)
  })

  test("what was asked for ends with the rights by which it was, and what was done stays", async () => {
    const carol = await signedIn("carol")
    await query("UPDATE members SET epoch = epoch + 1 WHERE id = ?", [carol.id])
    await refused(load(carol, "tags/import", "name\nno", background), 401)
    await query("UPDATE members SET epoch = epoch - 1 WHERE id = ?", [carol.id])
    const { id } = await read<Operation>(load(carol, "tags/import", "name\nno-1", background), 202)
    await query("UPDATE bulk_operations SET actor = json_set(actor, '$.epoch', 99) WHERE id = ?", [
      id,
    ])
    const state = await eventually(async () => {
      const [row] = await query("SELECT state, problem FROM bulk_operations WHERE id = ?", [id])
      expect(row?.state).not.toBe("running")
      return row
    })
    // Whichever was faster: it is whole, or it has failed and is not there at all.
    const made = await count("SELECT count(*) AS n FROM tags WHERE name = 'no-1'")
    expect([state?.state, made]).toEqual(made === 1 ? ["succeeded", 1] : ["failed", 0])
  })

  test("an administrator who acts in somebody's name is named in the log, and is out with their session", async () => {
    const root = await signedIn("root", ["administrator"])
    const disguised = async () => {
      const path = `/auth/users/${alice.id}/impersonations`
      const body = { reason: "a test" }
      const { accessToken } = await read<{ accessToken: string }>(
        call(root, "POST", path, body),
        201,
      )
      return { ...alice, token: accessToken }
    }
    const someone = await disguised()
    const done = await finished(
      someone,
      load(someone, "tags/import", "name\nin-a-name", background),
    )
    expect(done).toMatchObject({ state: "succeeded", created: 1 })
    const [made] = (await query("SELECT id FROM tags WHERE name = 'in-a-name'")) as [{ id: string }]
    expect(await linesOf(made.id)).toMatchObject([{ actor: alice.id, impersonator: root.id }])
    const { session } = actorOf((await findOperation(toolApp(), done.id))?.actor as never, "")
    expect(
      await count(
        "SELECT count(*) AS n FROM sessions WHERE id = ? AND impersonator = ?",
        session,
        root.id,
      ),
    ).toBe(1)
  })

  test("whoever has no account yet is to rules what they are in a request", async () => {
    const app = toolApp()
    const guest: UserActor = {
      kind: "user",
      id: alice.id,
      email: "",
      roles: [],
      organisation: null,
      database: "main",
      epoch: 1,
      session: "",
      methods: [],
      authenticatedAt: 0,
      impersonator: null,
      anonymous: true,
    }
    const id = app.newId()
    const request = { upsert: null, filter: null, patch: null, dryRun: false }
    const wanted = {
      id,
      kind: "import",
      collection: "tags",
      request,
      state: "running",
      total: 0,
    } as const
    await app.db.batch([insertOperation(app, guest, wanted)])
    const operation = (await findOperation(app, id)) as StoredOperation
    expect(actorOf(operation.actor, "")).toEqual(guest)
    await query("DELETE FROM bulk_operations WHERE id = ?", [id])
  })

  test("one person has five at a time, and what ended long ago is forgotten", async () => {
    await query(
      "INSERT INTO bulk_operations SELECT hex(randomblob(16)), kind, collection, ?, organisation, actor, request, 'receiving', problem, total, place, rows, created, updated, unchanged, deleted, refused, createdAt, NULL, createdAt FROM bulk_operations WHERE createdAt > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-120 seconds') LIMIT 5",
      [bob.id],
    )
    const { code } = await refused(load(bob, "tags/import", "name\nsixth", background), 429)
    expect(code).toBe("rate_limited")
    await sweepOperations(toolApp("main", () => Date.now() + 2 * 86_400_000))
    expect(await count("SELECT count(*) AS n FROM bulk_operations WHERE owner = ?", bob.id)).toBe(0)
    expect(await count("SELECT count(*) AS n FROM bulk_operations")).toBeGreaterThan(0)
    await sweepOperations(toolApp("main", () => Date.now() + 31 * 86_400_000))
    expect(await count("SELECT count(*) AS n FROM bulk_operations")).toBe(0)
    expect(await count("SELECT count(*) AS n FROM bulk_refusals")).toBe(0)
  })
})
