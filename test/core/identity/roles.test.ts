import { beforeAll, expect, test } from "vitest"
import { setRoles } from "../../../src/core/identity/users.ts"
import type { App } from "../../../src/platform/app.ts"
import type { Database } from "../../../src/platform/database.ts"
import { sql } from "../../../src/platform/sql.ts"
import {
  call,
  claimsOf,
  firstAdministrator,
  json,
  query,
  refreshed,
  refusal,
  type SignedIn,
  signedIn,
  signIn,
  signUp,
  toolApp,
} from "./cast.ts"

let root: SignedIn
let ann: SignedIn
beforeAll(async () => {
  root = await firstAdministrator()
  ann = await signedIn("ann")
})

const patchRoles = (id: string, roles: unknown, token = root.accessToken) =>
  call(`/auth/users/${id}`, { method: "PATCH", body: { roles }, token })

test("an administrator makes an editor; the editor's old token is outdated at once, the next one says it", async () => {
  const bob = await signedIn("bob")
  const answer = await json(patchRoles(bob.user.id, ["editor", "author", "editor"]), 200)
  expect(answer).toMatchObject({ ...bob.user, roles: ["author", "editor"] })
  for (const path of ["/auth/me", "/probe"]) {
    expect(await refusal(call(path, { token: bob.accessToken }), 401)).toBe("token_outdated")
  }
  const write = await json(call("/probe", { method: "POST", token: bob.accessToken }), 200)
  expect(write.refused).toBe(1)
  const rename = call("/auth/me", { method: "PATCH", body: { name: "x" }, token: bob.accessToken })
  expect(await refusal(rename, 401)).toBe("token_outdated")

  const next = await refreshed(bob.refreshToken)
  expect(claimsOf(next.accessToken)).toMatchObject({ roles: ["author", "editor"], epoch: 2 })
  await json(call("/probe", { token: next.accessToken }), 200)
  const [member] = await query(sql`SELECT roles, epoch FROM members WHERE id = ${bob.user.id}`)
  expect(member).toEqual({ roles: '["author","editor"]', epoch: 2 })
  const [line] = await query(
    sql`SELECT actor, kind, authority FROM changes WHERE record = ${bob.user.id} AND version = 2`,
  )
  expect(line).toEqual({ actor: root.user.id, kind: "updated", authority: "system" })
})

test("roles that are the same already outdate no token and write nothing", async () => {
  const carol = await signedIn("carol")
  const answer = await patchRoles(carol.user.id, [])
  expect(answer.headers.get("server-timing")).toContain('rows-written;desc="0"')
  await json(call("/probe", { token: carol.accessToken }), 200)
})

test("an administrator whose role is taken away administers no more, with the token in hand", async () => {
  const dave = await signedIn("dave")
  await setRoles(toolApp(), dave.user.id, ["administrator"])
  const { accessToken } = await refreshed(dave.refreshToken)
  await json(call("/auth/users", { token: accessToken }), 200)
  await json(patchRoles(dave.user.id, []), 200)
  expect(await refusal(call("/auth/users", { token: accessToken }), 401)).toBe("token_outdated")
  expect(await refusal(patchRoles(dave.user.id, ["administrator"], accessToken), 401)).toBe(
    "token_outdated",
  )
})

test("the last administrator stays one, also when two take each other's role at once", async () => {
  expect(await refusal(patchRoles(root.user.id, []), 409)).toBe("conflict")
  const { id } = await signUp("erin")
  await setRoles(toolApp(), id, ["administrator"])
  const erin = await signIn("erin")
  const answers = await Promise.all([
    patchRoles(root.user.id, [], erin.accessToken),
    patchRoles(erin.user.id, [], root.accessToken),
  ])
  expect(answers.map((answer) => answer.status).sort()).not.toEqual([200, 200])
  const administrators = await query(
    sql`SELECT id FROM users WHERE instr(roles, '"administrator"') > 0`,
  )
  expect(administrators).toHaveLength(1)
  // Leave root as the one administrator of the tests that follow.
  await setRoles(toolApp(), root.user.id, ["administrator"])
  await setRoles(toolApp(), erin.user.id, [])
  root = await signIn("root")
})

test("only administrators see and change people", async () => {
  for (const [method, path, body] of [
    ["GET", "/auth/users", undefined],
    ["PATCH", `/auth/users/${ann.user.id}`, { roles: ["administrator"] }],
    ["PATCH", `/auth/users/${ann.user.id}`, { roles: "nonsense" }],
  ] as const) {
    expect(await refusal(call(path, { method, body }), 401)).toBe("unauthenticated")
    const asAnn = call(path, { method, body, token: ann.accessToken })
    expect(await refusal(asAnn, 403)).toBe("forbidden")
  }
  await json(call("/auth/me", { token: ann.accessToken }), 200)
})

test("the list of people comes in pages, the oldest first, and holds no secret", async () => {
  const seen: { id: string }[] = []
  for (let cursor = ""; ; ) {
    const page = await json<{ items: { id: string }[]; next: string | null }>(
      call(`/auth/users?limit=2${cursor}`, { token: root.accessToken }),
      200,
    )
    seen.push(...page.items)
    if (page.next === null) break
    cursor = `&cursor=${page.next}`
  }
  const all = await query(sql`SELECT id FROM users ORDER BY id`)
  expect(seen.map((user) => user.id)).toEqual(all.map((user) => user.id))
  for (const user of seen) {
    expect(Object.keys(user).sort()).toEqual([
      "createdAt",
      "disabledAt",
      "email",
      "emailVerifiedAt",
      "id",
      "kind",
      "name",
      "roles",
      "updatedAt",
    ])
  }
})

test.each([
  ["a stranger to us", "0193a5e4-0000-7000-8000-000000000000", ["editor"], 404, "not_found"],
  ["no id", "x", ["editor"], 404, "not_found"],
  ["a text for a list", "ann", "editor", 400, "invalid_input"],
  ["capital letters", "ann", ["Editor"], 400, "invalid_input"],
  ["a quote", "ann", ['"administrator"'], 400, "invalid_input"],
  ["an empty name", "ann", [""], 400, "invalid_input"],
  ["too many", "ann", Array.from({ length: 21 }, (_, n) => `r${n}`), 400, "invalid_input"],
])("roles: %s", async (_, id, roles, status, code) => {
  const answer = patchRoles(id === "ann" ? ann.user.id : id, roles)
  expect(await refusal(answer, status)).toBe(code)
})

test("ten role changes at once leave directory and members the same", async () => {
  const { id } = await signUp("frank")
  await Promise.all(Array.from({ length: 4 }, (_, n) => setRoles(toolApp(), id, [`role-${n}`])))
  const [user] = await query(sql`SELECT roles, epoch, version FROM users WHERE id = ${id}`)
  const [member] = await query(sql`SELECT roles, epoch, version FROM members WHERE id = ${id}`)
  expect(member).toEqual(user)
  expect(user).toMatchObject({ epoch: 5, version: 5 })
})

test("an administrator who loses the role between reading and writing writes nothing", async () => {
  const grace = await signedIn("grace")
  const { id } = await signUp("heidi")
  await setRoles(toolApp(), grace.user.id, ["administrator"])
  const { sid } = claimsOf(grace.accessToken)
  const actor = {
    kind: "user",
    id: grace.user.id,
    email: grace.user.email,
    roles: ["administrator"],
    organisation: null,
    database: "main",
    epoch: 2,
    session: sid as string,
    methods: [],
    authenticatedAt: 0,
    impersonator: null,
  } as const
  const app = toolApp()
  let reads = 0
  const directory: Database = {
    ...app.directory,
    async batch(statements) {
      const rows = await app.directory.batch(statements)
      if (reads++ === 0) await setRoles(toolApp(), grace.user.id, [])
      return rows
    },
  }
  const interrupted: App = Object.create(app, { directory: { value: directory } })
  await expect(setRoles(interrupted, id, ["editor"], actor)).rejects.toMatchObject({
    code: "token_outdated",
  })
  expect(await query(sql`SELECT roles FROM users WHERE id = ${id}`)).toEqual([{ roles: "[]" }])
})
