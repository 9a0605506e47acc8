import { env } from "cloudflare:workers"
import { beforeAll, describe, expect, test, vi } from "vitest"
import { call, costOf, type Person, signedIn, signIn } from "../../support/people.ts"
import { type Issued, issue, organisationOf, read, refusal, rows, withKey } from "./api-key-cast.ts"

interface Account {
  id: string
  name: string
  organisation: string | null
  roles: string[]
}

let admin: Person
let stranger: Person
beforeAll(async () => {
  vi.spyOn(console, "info").mockImplementation(() => {})
  admin = await signedIn("admin", ["administrator"])
  stranger = await signedIn("stranger")
})

const make = (as: Person, draft: object) =>
  read<Account>(call(as, "POST", "/auth/service-accounts", { name: "Importer", ...draft }), 201)

/** A program with an account of its own, and the caller that it is. */
async function program(as: Person, draft: object, scopes = ["*:*"]) {
  const account = await make(as, draft)
  const issued = await issue(as, scopes, { user: account.id })
  return { account, issued, caller: withKey(issued) }
}

describe("an account of the deployment", () => {
  test("is made by administrators alone, and nobody signs in to it", async () => {
    expect(
      await refusal(call(stranger, "POST", "/auth/service-accounts", { name: "x" }), 403),
    ).toBe("forbidden")
    expect(await refusal(call(stranger, "GET", "/auth/service-accounts"), 403)).toBe("forbidden")
    const account = await make(admin, { roles: ["editor"] })
    expect(account).toMatchObject({ name: "Importer", organisation: null, roles: ["editor"] })
    const attempt = call(null, "POST", "/auth/sessions", {
      email: `service:${account.id}`,
      password: "null",
    })
    expect(await refusal(attempt, 401)).toBe("invalid_credentials")
    const listed = call(admin, "GET", "/auth/service-accounts?limit=200")
    expect((await read<{ items: Account[] }>(listed, 200)).items).toContainEqual(account)
  })

  test("acts with its own roles, under its own name, as a service", async () => {
    const { account, caller } = await program(admin, { roles: ["editor"] })
    const made = call(caller, "POST", "/records/articles", { title: "Imported", featured: true })
    const record = await read<{ id: string; createdBy: string; author: string }>(made, 201)
    expect(record).toMatchObject({ createdBy: account.id, author: account.id })
    const read1 = await call(caller, "GET", `/records/articles/${record.id}`)
    expect(read1.status).toBe(200)
    expect(costOf(read1).trips).toBe(1)
    for (const [as, kind] of [
      [caller, "service"],
      [admin, "user"],
    ] as const) {
      const filter = encodeURIComponent(`id = "${record.id}" && @me.kind = "${kind}"`)
      const found = call(as, "GET", `/records/articles?filter=${filter}`)
      expect((await read<{ items: unknown[] }>(found, 200)).items).toHaveLength(1)
    }
  })

  test("changes its roles from its key's next request on", async () => {
    const { account, caller } = await program(admin, {})
    const own = call(caller, "POST", "/records/articles", { title: "x" })
    const { id } = await read<{ id: string }>(own, 201)
    const feature = () => call(caller, "PATCH", `/records/articles/${id}`, { featured: true })
    expect((await feature()).status).toBe(403)
    const path = `/auth/service-accounts/${account.id}`
    const patched = call(admin, "PATCH", path, { roles: ["editor"], name: "Renamed" })
    expect(await read(patched, 200)).toMatchObject({ roles: ["editor"], name: "Renamed" })
    expect((await feature()).status).toBe(200)
    await read(call(admin, "PATCH", path, { roles: [] }), 200)
    expect(
      (await call(caller, "PATCH", `/records/articles/${id}`, { featured: false })).status,
    ).toBe(403)
    await read(call(stranger, "PATCH", path, { roles: ["administrator"] }), 404)
    await read(call(stranger, "DELETE", path), 404)
  })

  test("ends with its keys when it is deleted, and its name stays on what it wrote", async () => {
    const { account, caller } = await program(admin, {})
    const { id } = await read<{ id: string }>(
      call(caller, "POST", "/records/articles", { title: "x", status: "published" }),
      201,
    )
    await read(call(admin, "DELETE", `/auth/service-accounts/${account.id}`), 204)
    expect(await refusal(call(caller, "GET", `/records/articles/${id}`), 401)).toBe("token_invalid")
    expect(await refusal(call(caller, "DELETE", `/records/articles/${id}`), 401)).toBe(
      "token_invalid",
    )
    const expanded = call(admin, "GET", `/records/articles/${id}?expand=author`)
    expect(await read(expanded, 200)).toMatchObject({ expanded: { author: { name: "Importer" } } })
    const draft = { name: "x", scopes: ["*:*"], user: account.id }
    expect((await call(admin, "POST", "/auth/api-keys", draft)).status).toBe(404)
    expect((await call(admin, "DELETE", `/auth/service-accounts/${account.id}`)).status).toBe(404)
  })

  test("is told in the audit log", async () => {
    const { account } = await program(admin, { roles: ["editor"] })
    await read(call(admin, "PATCH", `/auth/service-accounts/${account.id}`, { roles: [] }), 200)
    await read(call(admin, "DELETE", `/auth/service-accounts/${account.id}`), 204)
    const events = await rows(
      "SELECT kind, actor FROM audit_events WHERE user = ? ORDER BY id",
      account.id,
    )
    expect(events).toEqual(
      ["user.created", "apiKey.created", "roles.changed", "user.disabled"].map((kind) => ({
        kind,
        actor: admin.id,
      })),
    )
  })
})

describe.each(["main", "second"] as const)("an account of an organisation in %s", (database) => {
  let organisation: string
  let owner: Person
  let manager: Person
  let member: Person
  beforeAll(async () => {
    const people = await Promise.all(
      ["owner", "manager", "member"].map((name) => signedIn(`${name}-${database}`)),
    )
    const [first, second, third] = people as [Person, Person, Person]
    organisation = await organisationOf(
      [
        [first, ["owner"]],
        [second, ["admin"]],
        [third, []],
      ],
      database,
    )
    owner = await signIn(first.email)
    manager = await signIn(second.email)
    member = await signIn(third.email)
  })

  test("is made by owners and admins, and by no other member; only owners make owners", async () => {
    for (const as of [owner, manager, admin]) await make(as, { organisation })
    const post = (as: Person, roles: string[]) =>
      call(as, "POST", "/auth/service-accounts", { name: "x", organisation, roles })
    expect((await post(member, [])).status).toBe(403)
    expect((await post(stranger, [])).status).toBe(404)
    expect((await post(manager, ["owner"])).status).toBe(403)
    expect((await post(owner, ["owner"])).status).toBe(201)
    expect((await post(owner, ["administrator"])).status).toBe(403)
    const listed = (as: Person) =>
      call(as, "GET", `/auth/service-accounts?organisation=${organisation}`)
    expect((await read<{ items: Account[] }>(listed(manager), 200)).items).toHaveLength(4)
    expect((await listed(member)).status).toBe(403)
    expect((await listed(stranger)).status).toBe(404)
  })

  test("has roles that organisations declare, and none that only the deployment gives", async () => {
    const post = (roles: string[]) =>
      call(owner, "POST", "/auth/service-accounts", { name: "x", organisation, roles })
    expect(await refusal(post(["editor"]), 400)).toBe("invalid_input")
    const account = await read<Account>(post(["herald"]), 201)
    const path = `/auth/service-accounts/${account.id}`
    expect(await refusal(call(owner, "PATCH", path, { roles: ["editor"] }), 400)).toBe(
      "invalid_input",
    )
    await read(call(owner, "DELETE", path), 204)
  })

  test("that asks for a second factor gets no keys from sessions without one", async () => {
    const policy = (json: string) =>
      env.DB.prepare("UPDATE organisations SET policy = ? WHERE id = ?")
        .bind(json, organisation)
        .run()
    await policy('{"secondFactorRequired":true}')
    const draft = { name: "x", scopes: ["*:*"] }
    expect(await refusal(call(owner, "POST", "/auth/api-keys", draft), 401)).toBe(
      "second_factor_required",
    )
    expect(
      (await call(owner, "POST", "/auth/service-accounts", { name: "x", organisation })).status,
    ).toBe(403)
    await policy("{}")
  })

  test("acts in its organisation, in one trip, and is revoked there at once", async () => {
    const { caller, issued, account } = await program(manager, { organisation })
    expect(issued.organisation).toBe(organisation)
    const made = await call(caller, "POST", "/records/tickets", { subject: "Automatic" })
    expect(costOf(made).trips).toBe(1)
    const { id } = await read<{ id: string }>(made, 201)
    expect((await call(owner, "GET", `/records/tickets/${id}`)).status).toBe(200)
    const seen = await call(caller, "GET", `/records/tickets/${id}`)
    expect(seen.status).toBe(200)
    expect(costOf(seen).trips).toBe(1)
    expect((await call(member, "GET", `/auth/api-keys?user=${account.id}`)).status).toBe(404)
    const rotated = await read<Issued>(
      call(owner, "POST", `/auth/api-keys/${issued.id}/rotations`, { overlapSeconds: 0 }),
      201,
    )
    expect((await call(caller, "GET", `/records/tickets/${id}`)).status).toBe(401)
    const next = withKey(rotated)
    expect((await call(next, "GET", `/records/tickets/${id}`)).status).toBe(200)
    await read(call(owner, "DELETE", `/auth/api-keys/${rotated.id}`), 204)
    expect((await call(next, "GET", `/records/tickets/${id}`)).status).toBe(401)
    expect((await call(next, "DELETE", `/records/tickets/${id}`)).status).toBe(401)
  })

  test("has no roles of the deployment for its organisation to use", async () => {
    const account = await make(manager, { organisation })
    await read(call(admin, "PATCH", `/auth/users/${account.id}`, { roles: ["administrator"] }), 200)
    const draft = { name: "x", scopes: ["*:*"], user: account.id }
    expect((await call(manager, "POST", "/auth/api-keys", draft)).status).toBe(404)
    expect((await call(owner, "POST", "/auth/api-keys", draft)).status).toBe(404)
  })

  test("of a person who leaves the organisation no key remains good", async () => {
    const issued = await issue(member, ["*:*"])
    expect(issued.organisation).toBe(organisation)
    const caller = withKey(issued)
    expect((await call(caller, "GET", "/records/tickets")).status).toBe(200)
    await env.DB.batch([
      env.DB.prepare("DELETE FROM organisation_members WHERE user = ?").bind(member.id),
      env.DB.prepare("UPDATE users SET epoch = epoch + 1, version = version + 1 WHERE id = ?").bind(
        member.id,
      ),
    ])
    const there = database === "main" ? env.DB : env.DB_SECOND
    await there.prepare("UPDATE members SET epoch = epoch + 1 WHERE id = ?").bind(member.id).run()
    expect(await refusal(call(caller, "GET", "/records/tickets"), 401)).toBe("token_invalid")
  })
})
