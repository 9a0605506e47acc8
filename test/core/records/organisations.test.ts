import { env } from "cloudflare:workers"
import { beforeAll, describe, expect, test } from "vitest"
import { fixtures } from "../../support/collections.ts"
import { call, type Person, signedIn, signIn } from "../../support/people.ts"
import {
  create,
  get,
  ids,
  type Json,
  linesOf,
  list,
  listPath,
  nowhere,
  patch,
  query,
  read,
  refused,
  type Stored,
} from "./cast.ts"
import { openWorkshop } from "./workshop.ts"

/** Two organisations share the first database, two the second. The names begin alike, as words in an index would. */
const organisations = {
  acme: "main",
  "acme-two": "main",
  far: "second",
  "far-two": "second",
} as const
type Organisation = keyof typeof organisations

async function joined(
  name: string,
  organisation: Organisation,
  roles: string[] = [],
): Promise<Person> {
  const person = await signedIn(name, roles)
  return moved(person, organisation)
}

/** Signed in again, for this organisation alone. */
async function moved(person: Person, organisation: Organisation): Promise<Person> {
  await query("DELETE FROM organisation_members WHERE user = ?", [person.id])
  await query("INSERT INTO organisation_members VALUES (?, ?, '[]', '2026-01-01T00:00:00.000Z')", [
    organisation,
    person.id,
  ])
  await query("UPDATE users SET epoch = epoch + 1, version = version + 1 WHERE id = ?", [person.id])
  return signIn(person.email)
}

let ann: Person
let abe: Person
let tom: Person
let fay: Person
let fox: Person
let nobody: Person
let root: Person
let theirs: Stored
let mine: Stored
beforeAll(async () => {
  for (const [id, database] of Object.entries(organisations)) {
    await query(
      "INSERT INTO organisations (id, name, database, createdAt) VALUES (?, ?, ?, '2026-01-01T00:00:00.000Z')",
      [id, id, database],
    )
  }
  ann = await joined("ann", "acme")
  abe = await joined("abe", "acme")
  tom = await joined("tom", "acme-two")
  fay = await joined("fay", "far")
  fox = await joined("fox", "far-two")
  nobody = await signedIn("nobody")
  root = await joined("root", "acme", ["administrator"])
  theirs = await create(tom, "tickets", { subject: "common secret", number: 7, watchers: [tom.id] })
  mine = await create(ann, "tickets", { subject: "common ours", number: 1 })
})

describe("a record of another organisation", () => {
  test("is in no list, count, filter, search or expansion: for members and administrators alike", async () => {
    const child = await create(tom, "tickets", { subject: "common child", parent: theirs.id })
    for (const person of [ann, abe, root]) {
      for (const parameters of [
        {},
        { sort: "-number" },
        { filter: 'subject ~ "common"' },
        { filter: `id in ("${theirs.id}", "${mine.id}", "${child.id}")` },
        { filter: "parent.number = 7 || number < 9 || count(children) = 0" },
        { search: "common" },
        { search: "common", sort: "number" },
        { expand: "children,parent,watchers" },
      ] as Record<string, string>[]) {
        const page = await list(person, "tickets", { ...parameters, count: "exact" })
        expect([ids(page), page.count], JSON.stringify(parameters)).toEqual([[mine.id], 1])
      }
      expect((await list(person, "tickets", { search: "secret" })).items).toEqual([])
      expect((await list(person, "tickets", { search: "acme" })).items).toEqual([])
    }
    expect((await list(tom, "tickets", { search: "common" })).items).toHaveLength(2)
  })

  test("is in no sum by span of time, which is kept for each organisation", async () => {
    const summed = async (person: Person) => {
      const parameters = { group: "year(createdAt)", measure: "count,sum(number)" }
      const path = `/records/tickets/aggregate?${new URLSearchParams(parameters)}`
      return (await read<{ items: Json[] }>(call(person, "GET", path), 200)).items
    }
    const rows = await query(
      "SELECT organisation, sum(rows) AS n FROM tickets_by_day_createdAt GROUP BY 1 ORDER BY 1",
    )
    expect(rows.map(({ organisation }) => organisation)).toEqual(["acme", "acme-two"])
    for (const person of [ann, abe, root]) {
      expect(await summed(person)).toMatchObject([{ count: 1, "sum(number)": 1 }])
    }
    expect(await summed(tom)).toMatchObject([{ count: rows[1]?.n, "sum(number)": 7 }])
    for (const person of [fay, nobody]) expect(await summed(person)).toEqual([])
  })

  test.each<[string, unknown, number]>([
    ["GET", undefined, 404],
    ["PATCH", { subject: "stolen" }, 404],
    ["PUT", { subject: "stolen" }, 404],
    ["DELETE", undefined, 404],
  ])("cannot be reached by %s", async (method, body, status) => {
    for (const person of [ann, root, nobody, fay]) {
      const answer = await call(person, method, `/records/tickets/${theirs.id}`, body)
      // A PUT from another database, or without an organisation, finds nothing in its way but its own rights.
      const expected = method === "PUT" ? { [nobody.id]: 404, [fay.id]: 201 }[person.id] : undefined
      expect(answer.status, await answer.text()).toBe(expected ?? status)
    }
    expect(await get(tom, "tickets", theirs.id)).toMatchObject({
      subject: "common secret",
      version: 1,
    })
    await call(fay, "DELETE", `/records/tickets/${theirs.id}`)
  })

  test("cannot be pointed at, like none at all; nor can people of theirs", async () => {
    for (const [id, person] of [
      [theirs.id, tom.id],
      [nowhere, nowhere],
    ] as const) {
      const parent = call(ann, "POST", "/records/tickets", { subject: "x", parent: id })
      expect((await refused(parent, 400)).detail).toBe(
        '"parent" points at a record that does not exist.',
      )
      const watcher = call(ann, "PATCH", `/records/tickets/${mine.id}`, {
        watchers: [ann.id, person],
      })
      expect((await refused(watcher, 400)).detail).toBe(
        '"watchers" points at a record that does not exist.',
      )
    }
    expect((await patch(ann, "tickets", mine.id, { watchers: [abe.id, ann.id] })).watchers).toEqual(
      [abe.id, ann.id],
    )
    await patch(ann, "tickets", mine.id, { watchers: [] })
  })

  test("does not take a unique value, but one of the own does", async () => {
    const same = await create(ann, "tickets", { subject: "x", number: 7 })
    const { errors } = await refused(
      call(abe, "POST", "/records/tickets", { subject: "y", number: 7 }),
      409,
    )
    expect(errors).toMatchObject([{ path: "number" }])
    expect(errors).toHaveLength(1)
    await refused(call(abe, "PATCH", `/records/tickets/${mine.id}`, { number: 7 }), 409)
    await call(ann, "DELETE", `/records/tickets/${same.id}`)
  })
})

test("without an organisation there is nothing, and nothing can be made", async () => {
  expect((await list(nobody, "tickets", { count: "exact" })).count).toBe(0)
  expect((await list(nobody, "tickets", { search: "common" })).items).toEqual([])
  await refused(call(nobody, "POST", "/records/tickets", { subject: "x" }), 403)
})

test("a record belongs to the organisation of its creator, and so does its line in the log", async () => {
  const { id } = await create(tom, "tickets", { subject: "mark" })
  await patch(tom, "tickets", id, { subject: "marked" })
  await call(tom, "DELETE", `/records/tickets/${id}`)
  expect((await linesOf(id)).map(({ organisation }) => organisation)).toEqual(
    Array(3).fill("acme-two"),
  )
  const input = { subject: "x", organisation: "acme" }
  await refused(call(tom, "POST", "/records/tickets", input), 400)
  expect(await get(tom, "tickets", theirs.id)).not.toHaveProperty("organisation")
})

test("members of other organisations are invisible; oneself never is", async () => {
  const names = async (as: Person) =>
    (await list(as, "members", { sort: "name" })).items.map(({ name }) => name)
  expect(await names(ann)).toEqual(["abe", "ann", "root"])
  expect(await names(tom)).toEqual(["tom"])
  expect(await names(fay)).toEqual(["fay"])
  expect(await names(nobody)).toContain("nobody")
  expect(await names(nobody)).not.toContain("ann")
  expect((await call(ann, "GET", `/records/members/${tom.id}`)).status).toBe(404)
  expect((await call(ann, "GET", `/records/members/${ann.id}`)).status).toBe(200)
  const { id } = await create(tom, "articles", { title: "public", status: "published" })
  const seen = await read<{ expanded: { author: unknown } }>(
    call(ann, "GET", `/records/articles/${id}?expand=author`),
    200,
  )
  expect(seen.expanded.author).toBeNull()
})

describe("an organisation in another database", () => {
  test("has its rows, its log and its search there, and nowhere else", async () => {
    const { id } = await create(fay, "tickets", { subject: "distant thunder", number: 7 })
    const where = "SELECT id FROM tickets WHERE id = ?"
    expect(await query(where, [id], env.DB_SECOND)).toHaveLength(1)
    expect(await query(where, [id])).toEqual([])
    expect(await linesOf(id)).toEqual([])
    expect(await linesOf(id, env.DB_SECOND)).toMatchObject([{ organisation: "far", version: 1 }])
    expect(ids(await list(fay, "tickets", { search: "thunder" }))).toEqual([id])
    for (const other of [fox, ann]) {
      expect((await list(other, "tickets", { search: "thunder" })).items).toEqual([])
      expect((await call(other, "GET", `/records/tickets/${id}`)).status).toBe(404)
    }
    await create(fox, "tickets", { subject: "x", number: 7 })
  })

  test("neither takes nor gives cursors, between databases and between organisations of one", async () => {
    for (const person of [ann, tom, fay]) {
      for (let n = 20; n < 24; n++) await create(person, "tickets", { subject: "page", number: n })
    }
    const page = { filter: 'subject = "page"', limit: "2" }
    const cursors = new Map<Person, string>()
    for (const person of [ann, tom, fay]) {
      cursors.set(person, (await list(person, "tickets", page)).next as string)
    }
    for (const [from, cursor] of cursors) {
      for (const to of [ann, tom, fay]) {
        const answer = await call(to, "GET", listPath("tickets", { ...page, cursor }))
        expect(answer.status).toBe(to === from ? 200 : 400)
      }
    }
  })

  test("has bookmarks of its own name; those of others are passed over", async () => {
    const written = async (as: Person) =>
      (await call(as, "POST", "/records/tickets", { subject: "bookmark" })).headers.get(
        "x-bookmark",
      ) as string
    const bookmark = async (as: Person, sent: string) => {
      const answer = await call(as, "GET", "/records/tickets", undefined, { "x-bookmark": sent })
      expect(answer.status).toBe(200)
      return answer.headers.get("x-bookmark")
    }
    const [main, second] = [await written(ann), await written(fay)]
    expect(main).toMatch(/^main\./)
    expect(second).toMatch(/^second\./)
    expect(await bookmark(ann, main)).toMatch(/^main\./)
    expect(await bookmark(fay, `${main} ${second}`)).toMatch(/^second\./)
    expect(await bookmark(ann, second)).toBeNull()
    expect(await bookmark(fay, second.replace("second.", "main."))).toBeNull()
    expect(await bookmark(ann, second.replace("second.", "main."))).toBeNull()
  })
})

test("every statement about tickets names the organisation, and so does every MATCH", async () => {
  const seen: { text: string; params: unknown[] }[] = []
  const listening = (on: D1Database | D1DatabaseSession) => ({
    prepare(text: string) {
      const statement = on.prepare(text)
      const at: { text: string; params: unknown[] } = { text, params: [] }
      seen.push(at)
      const { bind } = statement
      statement.bind = (...params: unknown[]) => {
        at.params = params
        return bind.apply(statement, params)
      }
      return statement
    },
    batch: (statements: D1PreparedStatement[]) => on.batch(statements),
  })
  const spied = {
    ...listening(env.DB),
    withSession(start: string) {
      const session = env.DB.withSession(start)
      return { ...listening(session), getBookmark: () => session.getBookmark() }
    },
  }
  const workshop = await openWorkshop(fixtures, { tables: false, bindings: { DB: spied } })
  const path = `/records/tickets/${mine.id}`
  await workshop.call(ann, "GET", listPath("tickets", { search: "common", count: "exact" }))
  await workshop.call(ann, "GET", listPath("tickets", { search: "common", sort: "number" }))
  await workshop.call(
    ann,
    "GET",
    listPath("tickets", {
      filter: "any(children, number > 1)",
      expand: "children,parent.children",
    }),
  )
  await workshop.call(ann, "GET", path)
  await workshop.call(ann, "PATCH", path, { number: 2, parent: mine.id })
  await workshop.call(ann, "PATCH", path, { parent: null })
  const matches = seen.filter(({ text }) => text.includes("MATCH"))
  expect(matches).toHaveLength(3)
  for (const { params } of matches) {
    expect(params).toContain('organisation : "acme" AND {subject} : ("common"*)')
  }
  const reading = seen.filter(({ text }) => /(FROM|UPDATE) "tickets"/.test(text))
  expect(reading.length).toBeGreaterThan(9)
  for (const { text, params } of reading) {
    // A line of the log and the version after a write are about a row that the guard has let through.
    if (/^(INSERT INTO changes|SELECT t\."version")/.test(text)) continue
    expect(text).toContain('"organisation" = ?')
    expect(params).toContain("acme")
  }
})

test("an idempotency key of one organisation is a fresh one in another", async () => {
  const pat = await joined("pat", "acme")
  const post = (as: Person) =>
    call(as, "POST", "/records/tickets", { subject: "once" }, { "idempotency-key": "same" })
  const first = await read(post(pat), 201)
  const there = await moved(pat, "acme-two")
  const second = await read(post(there), 201)
  expect(second.id).not.toBe(first.id)
  expect((await read(post(there), 201)).id).toBe(second.id)
})

test("rollups count what is the organisation's", async () => {
  const parent = await create(ann, "tickets", { subject: "parent" })
  const children = await Promise.all(
    Array.from({ length: 3 }, () =>
      create(abe, "tickets", { subject: "child", parent: parent.id }),
    ),
  )
  expect((await get(ann, "tickets", parent.id)).childCount).toBe(3)
  await patch(ann, "tickets", children[0]?.id as string, { parent: null })
  expect((await get(ann, "tickets", parent.id)).childCount).toBe(2)
  const deleted = await call(ann, "DELETE", `/records/tickets/${parent.id}`)
  expect(deleted.status).toBe(409)
})

test("a ticket that is its own parent can be deleted", async () => {
  const { id } = await create(ann, "tickets", { subject: "self" })
  await patch(ann, "tickets", id, { parent: id } satisfies Json)
  expect((await call(ann, "DELETE", `/records/tickets/${id}`)).status).toBe(204)
})

test("the past of another organisation does not exist: no history, bin, change or restoration tells of it", async () => {
  const { next: start } = await read<{ next: string }>(call(tom, "GET", "/changes?since=now"), 200)
  const own = await create(ann, "tickets", { subject: "ours first" })
  await patch(ann, "tickets", own.id, { subject: "ours then" })
  const gone = await create(ann, "tickets", { subject: "ours gone" })
  await call(ann, "DELETE", `/records/tickets/${gone.id}`)
  const path = (id: string, rest: string) => `/records/tickets/${id}/${rest}`
  const told = async (person: Person) => {
    const since = person === fay ? "" : `since=${start}&`
    const { items } = await read<{ items: Json[] }>(
      call(person, "GET", `/changes?${since}collection=tickets`),
      200,
    )
    return items.filter(({ id }) => id === own.id || id === gone.id)
  }
  const binned = async (person: Person) =>
    (await read<{ items: Json[] }>(call(person, "GET", "/records/tickets/bin"), 200)).items.some(
      ({ id }) => id === gone.id,
    )
  for (const person of [tom, fay, nobody]) {
    for (const id of [own.id, gone.id]) {
      await refused(call(person, "GET", path(id, "history")), 404)
      await refused(call(person, "GET", path(id, "history/1")), 404)
      await refused(call(person, "POST", path(id, "restorations"), { version: 1 }), 404)
    }
    expect(await told(person)).toEqual([])
    expect(await binned(person)).toBe(false)
  }
  expect(await told(abe)).toHaveLength(3)
  expect(await binned(abe)).toBe(true)
  // A position is of one database.
  await refused(call(fay, "GET", `/changes?since=${start}`), 400)
  // An id that was another's is another's: hidden and gone are one, and its record can still come back.
  for (const person of [tom, nobody]) {
    for (const id of [own.id, gone.id]) {
      const put = (headers = {}) =>
        call(person, "PUT", `/records/tickets/${id}`, { subject: "theirs" }, headers)
      await refused(put(), 404)
      await refused(put({ "if-none-match": "*" }), person === tom ? 412 : 403)
      const file = `{"id":"${id}","subject":"theirs"}`
      const ndjson = { "content-type": "application/x-ndjson" }
      for (const way of ["", "?upsert=id"]) {
        const sent = call(person, "POST", `/records/tickets/import${way}`, file, ndjson)
        const { refusals } = await read<{ refusals: Json[] }>(sent, 200)
        expect(refusals).toMatchObject([{ code: person === tom ? "conflict" : "forbidden" }])
      }
    }
  }
  expect(await binned(abe)).toBe(true)
  const back = await read(call(abe, "POST", path(gone.id, "restorations"), { version: 1 }), 200)
  expect(back.id).toBe(gone.id)
  expect(await binned(abe)).toBe(false)
})
