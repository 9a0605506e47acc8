import { afterEach, beforeAll, describe, expect, test } from "vitest"
import { setRoles } from "../../../src/core/identity/users.ts"
import { type Sql, sql } from "../../../src/platform/sql.ts"
import {
  bindings,
  call,
  claimsOf,
  json,
  query,
  refreshed,
  refusal,
  signedIn,
  signIn,
  signUp,
  toolApp,
  trips,
} from "./cast.ts"

const second = (statement: Sql) => query(statement, bindings.DB_SECOND)
const memberOf = (id: string) =>
  sql`SELECT name, roles, epoch, version FROM members WHERE id = ${id}`
const linesOf = (id: string) =>
  sql`SELECT kind, version FROM changes WHERE record = ${id} ORDER BY seq`

async function join(user: string, organisation: string, roles: string[]): Promise<void> {
  await query(
    sql`INSERT INTO organisation_members VALUES (${organisation}, ${user}, ${JSON.stringify(roles)}, ${"2026-11-21T00:00:00.000Z"})`,
  )
  await query(sql`UPDATE users SET epoch = epoch + 1, version = version + 1 WHERE id = ${user}`)
}

beforeAll(async () => {
  for (const [id, database] of [
    ["here", "main"],
    ["far", "second"],
  ] as const) {
    await query(
      sql`INSERT INTO organisations (id, name, database, createdAt) VALUES (${id}, ${id}, ${database}, ${"2026-11-21T00:00:00.000Z"})`,
    )
  }
})

test("a projection that is missing comes back with the next refresh or sign-in", async () => {
  const ann = await signedIn("ann")
  const lose = () => query(sql`DELETE FROM members WHERE id = ${ann.user.id}`)
  const lost = async (token: string) =>
    expect(await refusal(call("/probe", { token }), 401)).toBe("token_outdated")

  await lose()
  await lost(ann.accessToken)
  const next = await refreshed(ann.refreshToken)
  await json(call("/probe", { token: next.accessToken }), 200)

  await lose()
  const again = await signIn("ann")
  await json(call("/probe", { token: again.accessToken }), 200)
  expect(await query(linesOf(ann.user.id))).toEqual([{ kind: "created", version: 1 }])
})

test("a projection that fell behind catches up, with one line in the log", async () => {
  const bob = await signedIn("bob")
  // As after a crash between the directory and the projection.
  await query(
    sql`UPDATE users SET roles = '["editor"]', epoch = 2, version = 2 WHERE id = ${bob.user.id}`,
  )
  const next = await refreshed(bob.refreshToken)
  expect(claimsOf(next.accessToken)).toMatchObject({ roles: ["editor"], epoch: 2 })
  await json(call("/probe", { token: next.accessToken }), 200)
  expect(await refusal(call("/probe", { token: bob.accessToken }), 401)).toBe("token_outdated")
  await refreshed(next.refreshToken)
  expect(await query(linesOf(bob.user.id))).toEqual([
    { kind: "created", version: 1 },
    { kind: "updated", version: 2 },
  ])
})

test("a late writer does not put an old state over a newer one", async () => {
  const { user, refreshToken } = await signedIn("carol")
  await query(sql`UPDATE members SET version = 7, epoch = 7, name = 'newer' WHERE id = ${user.id}`)
  await refreshed(refreshToken)
  const [member] = await query(memberOf(user.id))
  expect(member).toMatchObject({ version: 7, epoch: 7, name: "newer" })
})

describe("an organisation whose records lie in the second database", () => {
  test("its member's token leads there, and they are known there, and the log there says so", async () => {
    const dave = await signedIn("dave")
    expect(claimsOf(dave.accessToken)).toMatchObject({ org: null, db: "main" })
    await join(dave.user.id, "far", ["owner"])
    const answer = await signIn("dave")
    expect(claimsOf(answer.accessToken)).toMatchObject({
      org: "far",
      db: "second",
      roles: ["owner"],
      epoch: 2,
    })
    expect(await second(memberOf(dave.user.id))).toEqual([
      { name: "dave", roles: "[]", epoch: 2, version: 2 },
    ])
    expect(
      await second(
        sql`SELECT organisation, roles FROM member_organisations WHERE member = ${dave.user.id}`,
      ),
    ).toEqual([{ organisation: "far", roles: '["owner"]' }])
    expect(await second(linesOf(dave.user.id))).toEqual([{ kind: "created", version: 2 }])
    expect(
      await query(sql`SELECT * FROM member_organisations WHERE member = ${dave.user.id}`),
    ).toEqual([])
    const actor = await json(call("/probe", { token: answer.accessToken }), 200)
    expect(actor).toMatchObject({ database: "second", organisation: "far" })
  })

  test("no one else is known there", async () => {
    const { id } = await signUp("erin")
    expect(await second(memberOf(id))).toEqual([])
  })

  test("a sign-in there costs one trip more, a refresh none", async () => {
    const { id } = await signUp("frank")
    await join(id, "far", [])
    const answer = await call("/auth/sessions", {
      body: { email: "frank@example.com", password: "correct horse battery" },
    })
    expect(trips(answer)).toBe("3")
    const { refreshToken } = await json<{ refreshToken: string }>(answer, 201)
    expect(trips(await call("/auth/tokens", { body: { refreshToken } }))).toBe("2")
  })

  test("roles of the deployment change in both databases, and outdate the token there at once", async () => {
    const { id } = await signUp("grace")
    await join(id, "far", ["owner"])
    const grace = await signIn("grace")
    await setRoles(toolApp(), id, ["editor"])
    expect(await refusal(call("/probe", { token: grace.accessToken }), 401)).toBe("token_outdated")
    expect(await second(memberOf(id))).toEqual([
      { name: "grace", roles: '["editor"]', epoch: 3, version: 3 },
    ])
    expect(await query(memberOf(id))).toEqual(await second(memberOf(id)))
    const next = await refreshed(grace.refreshToken)
    expect(claimsOf(next.accessToken)).toMatchObject({ roles: ["editor", "owner"], db: "second" })
  })

  test("signing out ends the token there", async () => {
    const { id } = await signUp("heidi")
    await join(id, "far", [])
    const { accessToken } = await signIn("heidi")
    const answer = await call("/auth/sessions/current", { method: "DELETE", token: accessToken })
    expect(answer.status).toBe(204)
    expect(await refusal(call("/probe", { token: accessToken }), 401)).toBe("token_outdated")
  })

  test("who leaves it is sent back to the main database, and is no member there any more", async () => {
    const { id } = await signUp("ivan")
    await join(id, "far", ["owner"])
    await join(id, "here", ["guest"])
    const ivan = await signIn("ivan")
    expect(claimsOf(ivan.accessToken)).toMatchObject({ org: "far" })
    const there = sql`SELECT organisation FROM member_organisations WHERE member = ${id}`
    expect(await second(there)).toEqual([{ organisation: "far" }])
    await query(sql`DELETE FROM organisation_members WHERE user = ${id} AND organisation = 'far'`)
    await query(sql`UPDATE users SET epoch = epoch + 1, version = version + 1 WHERE id = ${id}`)
    const next = await refreshed(ivan.refreshToken)
    expect(claimsOf(next.accessToken)).toMatchObject({ org: null, db: "main", roles: [] })
    await json(call("/probe", { token: next.accessToken }), 200)
    expect(
      await query(sql`SELECT organisation FROM member_organisations WHERE member = ${id}`),
    ).toEqual([{ organisation: "here" }])
    await call("/auth/sessions/current", { method: "DELETE", token: next.accessToken })
    expect(await refusal(call("/probe", { token: next.accessToken }), 401)).toBe("token_outdated")
  })

  test("no organisation makes an administrator of the deployment", async () => {
    const { id } = await signUp("judy")
    await join(id, "far", ["administrator", "owner"])
    const { accessToken } = await signIn("judy")
    expect(claimsOf(accessToken).roles).toEqual(["owner"])
    expect(await refusal(call("/auth/users", { token: accessToken }), 403)).toBe("forbidden")
  })
})

describe("where people have a database of their own", () => {
  const env = { ...bindings, DIRECTORY: bindings.DB_SECOND }
  afterEach(async () => {
    await second(sql`DELETE FROM sign_in_attempts`)
  })

  test("they are written there, and only known in the database of the records", async () => {
    const body = { email: "kim@example.com", password: "correct horse battery", name: "Kim" }
    const { id } = await json<{ id: string }>(call("/auth/users", { body, env }), 201)
    expect(await second(sql`SELECT id FROM users WHERE id = ${id}`)).toHaveLength(1)
    expect(await query(sql`SELECT id FROM users WHERE id = ${id}`)).toEqual([])
    expect(await query(memberOf(id))).toMatchObject([{ name: "Kim", version: 1 }])
    expect(await second(memberOf(id))).toEqual([])

    const session = await json<{ accessToken: string; refreshToken: string }>(
      call("/auth/sessions", { body: { email: body.email, password: body.password }, env }),
      201,
    )
    await json(call("/probe", { token: session.accessToken, env }), 200)
    await query(sql`DELETE FROM members WHERE id = ${id}`)
    expect(await refusal(call("/probe", { token: session.accessToken, env }), 401)).toBe(
      "token_outdated",
    )
    const next = await json<{ accessToken: string }>(
      call("/auth/tokens", { body: { refreshToken: session.refreshToken }, env }),
      200,
    )
    await json(call("/probe", { token: next.accessToken, env }), 200)
  })
})
