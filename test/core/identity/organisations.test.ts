import { beforeAll, describe, expect, test } from "vitest"
import { call, costOf } from "../../support/people.ts"
import {
  auditOf,
  claimsOf,
  join,
  type Member,
  organisationOf,
  path,
  person,
  query,
  read,
  refresh,
  refused,
  switchTo,
} from "./organisation-cast.ts"

let olga: Member
let root: Member
let stranger: Member
beforeAll(async () => {
  olga = await person("olga")
  root = await person("root", ["administrator"])
  stranger = await person("stranger")
})

const make = (as: Member, body: object) => call(as, "POST", "/auth/organisations", body)

test("who makes an organisation owns it: two trips, an outdated token, and a line in the audit log", async () => {
  const answer = await make(olga, { name: " Film club " })
  expect(costOf(answer).trips).toBe(2)
  expect(answer.headers.get("etag")).toBe('"1"')
  const made = await read<{ id: string }>(answer.clone(), 201)
  expect(answer.headers.get("location")).toBe(path(made.id))
  expect(made).toEqual({
    id: expect.any(String),
    name: "Film club",
    policy: { secondFactorRequired: false, allowedDomains: [], sessionSeconds: null },
    roles: ["owner"],
    version: 1,
    createdAt: expect.any(String),
  })
  expect(await refused(call(olga, "GET", "/auth/me"), 401)).toBe("token_outdated")
  await refresh(olga)
  const found = await call(olga, "GET", path(made.id))
  expect(costOf(found).trips).toBe(1)
  expect(await read(found, 200)).toEqual(made)
  expect(await auditOf(made.id)).toEqual([
    {
      kind: "organisation.created",
      user: olga.id,
      actor: olga.id,
      network: "127.0.0.0/24",
      detail: { database: "main" },
    },
  ])
  const known = await query("SELECT roles FROM member_organisations WHERE organisation = ?", [
    made.id,
  ])
  expect(known).toEqual([{ roles: '["owner"]' }])
})

test("one's own are listed in pages, and nobody else's", async () => {
  const lister = await person("lister")
  const made = [
    await organisationOf(lister, "One"),
    await organisationOf(lister, "Two"),
    await organisationOf(lister, "Three"),
  ]
  const first = await call(lister, "GET", "/auth/organisations?limit=2")
  const page = await read<{ items: { id: string }[]; next: string }>(first, 200)
  expect(first.headers.get("link")).toContain('rel="next"')
  const rest = await read<{ items: { id: string }[]; next: string }>(
    call(lister, "GET", `/auth/organisations?limit=2&cursor=${page.next}`),
    200,
  )
  expect([...page.items, ...rest.items].map(({ id }) => id)).toEqual(made)
  expect(rest.next).toBeNull()
  expect(await read(call(stranger, "GET", "/auth/organisations"), 200)).toEqual({
    items: [],
    next: null,
  })
})

test.each([
  ["no name", {}],
  ["an empty one", { name: "  " }],
  ["two lines, for a subject of mail", { name: "a\r\nBcc: x@example.test" }],
  ["a long one", { name: "x".repeat(101) }],
  ["NUL", { name: "a\0" }],
  ["an owner", { name: "x", owner: "y" }],
  ["a policy", { name: "x", policy: {} }],
])("an organisation with %s is invalid input", async (_, body) => {
  expect(await refused(make(olga, body), 400)).toBe("invalid_input")
})

describe("the database", () => {
  test("is chosen by administrators of the deployment, among those that there are", async () => {
    expect(await refused(make(olga, { name: "x", database: "second" }), 403)).toBe("forbidden")
    for (const database of ["third", "directory", "DB", "__proto__", ""]) {
      expect(await refused(make(root, { name: "x", database }), 400)).toBe("invalid_input")
    }
    const { id } = await read<{ id: string }>(make(root, { name: "x", database: "second" }), 201)
    expect(await query("SELECT database FROM organisations WHERE id = ?", [id])).toEqual([
      { database: "second" },
    ])
    await refresh(root)
    expect(await read(call(root, "GET", path(id)), 200)).not.toHaveProperty("database")
  })
})

test("a person belongs to fifty at most", async () => {
  const collector = await person("collector")
  const id = await organisationOf(collector)
  for (let n = 0; n < 49; n++) {
    await query(
      "INSERT INTO organisations (id, name, database, createdAt) VALUES (?, 'x', 'main', '')",
      [`${n}-${id}`],
    )
    await query("INSERT INTO organisation_members VALUES (?, ?, '[]', '')", [
      `${n}-${id}`,
      collector.id,
    ])
  }
  expect(await refused(make(collector, { name: "x" }), 429)).toBe("rate_limited")
})

describe("a patch", () => {
  test("changes name and policy, one part at a time, under its version", async () => {
    const id = await organisationOf(olga)
    const patch = (body: object, etag?: string) =>
      call(olga, "PATCH", path(id), body, etag ? { "if-match": etag } : {})
    const renamed = await patch({ name: "New" }, '"1"')
    expect(renamed.headers.get("etag")).toBe('"2"')
    expect(costOf(renamed).trips).toBe(2)
    expect(await refused(patch({ name: "Late" }, '"1"'), 412)).toBe("precondition_failed")
    expect(await refused(patch({ name: "Odd" }, "2"), 400)).toBe("invalid_input")
    await read(patch({ policy: { allowedDomains: ["Example.TEST"] } }, 'W/"2"'), 200)
    const { policy, version } = await read(patch({ policy: { sessionSeconds: 3_600 } }), 200)
    expect(policy).toEqual({
      secondFactorRequired: false,
      allowedDomains: ["example.test"],
      sessionSeconds: 3_600,
    })
    const same = await patch({ name: "New", policy: { sessionSeconds: 3_600 } })
    expect(costOf(same).rowsWritten).toBe(0)
    expect((await read(same, 200)).version).toBe(version)
    expect((await auditOf(id)).map(({ kind, detail }) => [kind, detail.changed])).toEqual([
      ["organisation.created", undefined],
      ["organisation.updated", ["name"]],
      ["organisation.updated", ["policy"]],
      ["organisation.updated", ["policy"]],
    ])
  })

  test.each([
    ["a session of a minute", { sessionSeconds: 60 }],
    ["a session of a year", { sessionSeconds: 31_536_000 }],
    ["a domain with an @", { allowedDomains: ["@example.test"] }],
    ["an unknown demand", { ipRanges: [] }],
  ])("is refused for %s", async (_, policy) => {
    const id = await organisationOf(olga)
    expect(await refused(call(olga, "PATCH", path(id), { policy }), 400)).toBe("invalid_input")
  })

  test("of ten at once loses none", async () => {
    const id = await organisationOf(olga)
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => call(olga, "PATCH", path(id), { name: `Name ${n}` })),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200))
    expect((await read(call(olga, "GET", path(id)), 200)).version).toBe(11)
  })
})

describe("a deletion", () => {
  test("takes an empty organisation with its invitations, and leaves the audit log", async () => {
    const owner = await person("deleter")
    const id = await organisationOf(owner)
    await switchTo(owner, id)
    await call(owner, "POST", path(id, "/invitations"), {
      email: "x@example.test",
      roles: ["guest"],
    })
    const token = owner.token
    expect((await call(owner, "DELETE", path(id))).status).toBe(204)
    expect(
      await refused(call({ ...owner, token }, "POST", "/records/tickets", { subject: "x" }), 401),
    ).toBe("token_outdated")
    await refresh(owner)
    expect(claimsOf(owner.token).org).toBeNull()
    expect(await refused(call(owner, "GET", path(id)), 404)).toBe("not_found")
    expect(await query("SELECT 1 FROM invitations WHERE organisation = ?", [id])).toEqual([])
    expect(await query("SELECT 1 FROM member_organisations WHERE organisation = ?", [id])).toEqual(
      [],
    )
    expect((await auditOf(id)).at(-1)).toMatchObject({
      kind: "organisation.deleted",
      detail: { authority: "member", name: "Club" },
    })
  })

  test("is refused while there are records, in its own database too", async () => {
    for (const database of ["main", "second"]) {
      const { id } = await read<{ id: string }>(make(root, { name: "x", database }), 201)
      await refresh(root)
      await switchTo(root, id)
      const ticket = await read<{ id: string }>(
        call(root, "POST", "/records/tickets", { subject: "x" }),
        201,
      )
      expect(await refused(call(root, "DELETE", path(id)), 409)).toBe("conflict")
      expect((await call(root, "DELETE", `/records/tickets/${ticket.id}`)).status).toBe(204)
      expect((await call(root, "DELETE", path(id))).status).toBe(204)
      await refresh(root)
    }
  })

  test("is refused while there are other members, and without a fresh proof", async () => {
    const id = await organisationOf(olga)
    await join(stranger, id, "guest")
    expect(await refused(call(olga, "DELETE", path(id)), 409)).toBe("conflict")
    expect((await call(stranger, "DELETE", path(id, `/members/${stranger.id}`))).status).toBe(204)
    await refresh(stranger)
    await query("UPDATE sessions SET authenticatedAt = '2026-01-01T00:00:00.000Z' WHERE user = ?", [
      olga.id,
    ])
    await refresh(olga)
    expect(await refused(call(olga, "DELETE", path(id)), 401)).toBe("step_up_required")
  })
})
