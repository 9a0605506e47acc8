import { afterEach, beforeAll, expect, test, vi } from "vitest"
import { acceptUserInvitation } from "../../../src/core/identity/user-invitations.ts"
import { type Sql, sql } from "../../../src/platform/sql.ts"
import {
  call,
  claimsOf,
  firstAdministrator,
  json,
  password,
  query,
  refusal,
  type SignedIn,
  signedIn,
  signIn,
  toolApp,
  trips,
} from "./cast.ts"
import { eventsOf, mailedToken, mailsTo, post, signInStatus, verified } from "./mailbox.ts"

let root: SignedIn
beforeAll(async () => {
  root = await firstAdministrator()
})
afterEach(() => {
  vi.useRealTimers()
})

const path = "/auth/invitations"
const template = "account.invitation"
const chosen = "a password of my own"

interface Invitation {
  id: string
  email: string
  roles: string[]
  createdAt: string
  expiresAt: string
}

const invite = (email: string, roles: string[] = ["editor"], token = root.accessToken) =>
  call(path, { body: { email, roles }, token })

const accept = (token: string, tried = chosen) =>
  post(`${path}/confirmations`, { token, password: tried })

const list = async () =>
  (await json<{ items: Invitation[] }>(call(path, { token: root.accessToken }), 200)).items

/** Invited, with the token that their mail carries. */
async function invited(email: string, roles?: string[]): Promise<string> {
  await json(invite(email, roles), 201)
  return mailedToken(email, template)
}

const personAt = async (email: string) =>
  (await query(sql`SELECT id, roles, emailVerifiedAt FROM users WHERE email = ${email}`))[0]

test("whoever is invited has an account with the roles when they accept, and none before", async () => {
  const email = "Nell@example.com"
  const answer = await invite(email, ["editor", "curator", "editor"])
  expect(trips(answer)).toBe("2")
  const invitation = await json<Invitation>(answer, 201)
  expect(invitation).toEqual({
    id: expect.any(String),
    email,
    roles: ["curator", "editor"],
    invitedBy: root.user.id,
    createdAt: expect.any(String),
    expiresAt: expect.any(String),
  })
  expect(Date.parse(invitation.expiresAt) - Date.parse(invitation.createdAt)).toBe(7 * 86_400_000)
  expect(await list()).toContainEqual(invitation)
  expect(await personAt(email)).toBeUndefined()
  const token = await mailedToken(email, template)
  const stored = [
    await query(sql`SELECT * FROM user_invitations`),
    await query(sql`SELECT * FROM audit_events`),
  ]
  expect(JSON.stringify(stored)).not.toContain(token)

  // What a browser still has of another session does not stand in the way.
  const headers = { authorization: "Bearer of.somebody.else" }
  const body = { token, password: chosen }
  const accepted = await post(`${path}/confirmations`, body, { headers })
  expect(accepted.status).toBe(204)
  expect(trips(accepted)).toBe("2")
  const { user, accessToken } = await json<SignedIn>(
    post("/auth/sessions", { email, password: chosen }),
    201,
  )
  expect(user).toMatchObject({ roles: ["curator", "editor"], emailVerifiedAt: expect.any(String) })
  expect(claimsOf(accessToken).roles).toEqual(["curator", "editor"])
  expect(await list()).not.toContainEqual(invitation)
  expect(await eventsOf(user.id)).toEqual(
    expect.arrayContaining(["user.created", "invitation.accepted"]),
  )
  expect(JSON.stringify(await query(sql`SELECT detail FROM audit_events`))).not.toContain("@")
})

test("a link works once, also for ten at once", async () => {
  const token = await invited("ten@example.com")
  const answers = await Promise.all(Array.from({ length: 10 }, () => accept(token)))
  expect(answers.map(({ status }) => status).sort()).toEqual([204, ...Array(9).fill(401)])
  expect(await refusal(accept(token, "of somebody later"), 401)).toBe("code_invalid")
  expect(await signInStatus("ten@example.com", "of somebody later")).toBe(401)
})

test("a link is void after seven days, when it is taken back, and when another follows it", async () => {
  const late = await invited("late@example.com")
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 7 * 86_400_000 })
  expect(await refusal(accept(late), 401)).toBe("code_invalid")
  vi.useRealTimers()

  const { id } = await json<Invitation>(invite("back@example.com"), 201)
  const revoked = await mailedToken("back@example.com", template)
  const revoke = (token?: string) =>
    call(`${path}/${id}`, { method: "DELETE", ...(token && { token }) })
  expect((await revoke(root.accessToken)).status).toBe(204)
  expect(await refusal(revoke(root.accessToken), 404)).toBe("not_found")
  expect(await refusal(accept(revoked), 401)).toBe("code_invalid")

  const first = await invited("twice@example.com", ["administrator"])
  await json(invite("TWICE@example.com", ["guest"]), 201)
  const second = await mailedToken("TWICE@example.com", template)
  expect(await refusal(accept(first), 401)).toBe("code_invalid")
  expect((await accept(second)).status).toBe(204)
  expect(await personAt("TWICE@example.com")).toMatchObject({ roles: '["guest"]' })
})

test.each(["hat_", "hat_x", "x".repeat(43), "' OR 1=1 --"])(
  "%j is no invitation",
  async (token) => {
    expect(await refusal(accept(token), 401)).toBe("code_invalid")
  },
)

test("the link of another purpose is no invitation, and an invitation none of theirs", async () => {
  const { user } = await signedIn("mixed")
  const verification = await mailedToken(user.id, "account.verify-email")
  expect(await refusal(accept(verification), 401)).toBe("code_invalid")
  const token = await invited("mixed-up@example.com")
  for (const other of [
    post("/auth/password-resets/confirmations", { token, password }),
    post("/auth/email-verifications/confirmations", { token }),
    post("/auth/sessions", { token }),
  ]) {
    expect(await refusal(other, 401)).toBe("code_invalid")
  }
})

test("only administrators who proved lately who they are invite, and what they promised ends with their role", async () => {
  const editor = await signedIn("mere")
  expect(await refusal(invite("x@example.com", ["editor"], editor.accessToken), 403)).toBe(
    "forbidden",
  )
  expect(await refusal(call(path, { token: editor.accessToken }), 403)).toBe("forbidden")
  expect(await refusal(call(path, { body: { email: "x@example.com", roles: [] } }), 401)).toBe(
    "unauthenticated",
  )
  const roles = (id: string, names: string[]) =>
    json(
      call(`/auth/users/${id}`, {
        method: "PATCH",
        body: { roles: names },
        token: root.accessToken,
      }),
      200,
    )
  await roles(editor.user.id, ["administrator"])
  const second = await signIn("mere")
  await json(invite("promised@example.com", ["administrator"], second.accessToken), 201)
  const token = await mailedToken("promised@example.com", template)
  await roles(editor.user.id, [])
  expect(await refusal(invite("y@example.com", ["editor"], second.accessToken), 401)).toBe(
    "token_outdated",
  )
  expect(await refusal(accept(token), 401)).toBe("code_invalid")
  expect(await mailsTo("y@example.com")).toEqual([])

  await query(
    sql`UPDATE sessions SET authenticatedAt = '2026-01-01T00:00:00.000Z' WHERE user = ${root.user.id}`,
  )
  const stale = await json<SignedIn>(
    call("/auth/tokens", { body: { refreshToken: root.refreshToken } }),
    200,
  )
  expect(await refusal(invite("y@example.com", ["editor"], stale.accessToken), 401)).toBe(
    "step_up_required",
  )
  root = await signIn("root")
})

test("whoever took the address before is out, and an account that was there keeps its roles", async () => {
  const squatter = await signedIn("squatted")
  expect((await accept(await invited("squatted@example.com"))).status).toBe(204)
  expect(await signInStatus("squatted@example.com")).toBe(401)
  expect(await refusal(call("/auth/me", { token: squatter.accessToken }), 401)).toBe(
    "token_outdated",
  )
  const { refreshToken } = squatter
  expect(await refusal(call("/auth/tokens", { body: { refreshToken } }), 401)).toBe("token_invalid")

  const { user } = await verified("colleague")
  await query(sql`UPDATE users SET roles = '["curator"]' WHERE id = ${user.id}`)
  expect((await accept(await invited("Colleague@example.com"))).status).toBe(204)
  expect(await personAt("colleague@example.com")).toMatchObject({
    id: user.id,
    roles: '["curator","editor"]',
  })
  expect(await signInStatus("colleague@example.com", chosen)).toBe(201)

  const token = await invited("colleague@example.com", ["administrator"])
  await query(sql`UPDATE users SET disabledAt = createdAt WHERE id = ${user.id}`)
  expect(await refusal(accept(token), 403)).toBe("account_disabled")
})

test("an account that is deleted takes the invitation of its address along", async () => {
  const { user, accessToken } = await verified("leaving")
  const token = await invited(user.email)
  expect((await call("/auth/me", { method: "DELETE", token: accessToken })).status).toBe(204)
  expect((await list()).map(({ email }) => email)).not.toContain(user.email)
  expect(await refusal(accept(token), 401)).toBe("code_invalid")
})

test("bad addresses, roles and passwords are named, and use nothing up", async () => {
  const bad = async (body: object, at: string) => {
    const { errors } = await json<{ errors: { path: string }[] }>(
      call(path, { body, token: root.accessToken }),
      400,
    )
    expect(errors.map((one) => one.path)).toEqual([at])
  }
  await bad({ email: "nobody", roles: ["editor"] }, "email")
  await bad({ email: "a@example.com", roles: ["Editor!"] }, "roles.0")
  await bad({ email: "a@example.com" }, "roles")
  const token = await invited("short@example.com")
  expect(await refusal(accept(token, "short"), 400)).toBe("invalid_input")
  expect((await accept(token)).status).toBe(204)
})

test("the mail leads to a page that asks for a password", async () => {
  await invited("page@example.com")
  const [mail] = await mailsTo("page@example.com", template)
  const address = /https?:\/\/\S+#/.exec(mail?.text ?? "")?.[0] ?? ""
  const page = await (await call(new URL(address).pathname)).text()
  expect(page).toContain('data-endpoint="/auth/invitations/confirmations"')
  expect(page).toContain('name="password"')
})

test("an invitation gives nothing to whoever has another address by the time it is written", async () => {
  const { user } = await signedIn("rover")
  const token = await invited(user.email, ["curator"])
  const app = toolApp()
  const { directory } = app
  // Between the first trip and the second.
  const batch = vi.fn(async (statements: readonly Sql[]) => {
    const results = await directory.batch(statements)
    await query(
      sql`UPDATE users SET email = 'moved@example.com', emailNormalised = 'moved@example.com' WHERE id = ${user.id}`,
    )
    return results
  })
  const racing = { ...app, directory: { ...directory, batch } }
  const acceptance = {
    passwordHash: () => "none",
    locale: null,
    caller: { address: "203.0.113.1", userAgent: null },
  }
  await expect(acceptUserInvitation(racing, token, acceptance)).rejects.toMatchObject({
    code: "code_invalid",
  })
  expect(await personAt("moved@example.com")).toMatchObject({ id: user.id, roles: "[]" })
})
