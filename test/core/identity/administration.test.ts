import { afterEach, beforeAll, expect, test, vi } from "vitest"
import { sql } from "../../../src/platform/sql.ts"
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
  signUp,
  trips,
} from "./cast.ts"
import { eventsOf, mailedToken, mailsTo, post, signInStatus } from "./mailbox.ts"

let root: SignedIn
beforeAll(async () => {
  root = await firstAdministrator()
})
afterEach(() => {
  vi.useRealTimers()
})

const later = (seconds: number) =>
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + seconds * 1_000 })

const patch = (id: string, body: object, token = root.accessToken) =>
  call(`/auth/users/${id}`, { method: "PATCH", body, token })

interface Page<Item> {
  items: Item[]
  next: string | null
}
interface Event {
  id: string
  kind: string
  user: string
  actor: string | null
  network: string | null
  detail: Record<string, unknown>
}

const events = (path: string, token = root.accessToken) =>
  json<Page<Event>>(call(path, { token }), 200)

test("whoever is disabled is out with their very next request, and comes in no way", async () => {
  const { user, accessToken, refreshToken } = await signedIn("disabled")
  await post("/auth/password-resets", { email: user.email })
  const token = await mailedToken(user.id, "account.reset-password")
  await post("/auth/mail-codes", { email: user.email })
  const link = await mailedToken(user.id, "account.sign-in-code")
  expect(await json(patch(user.id, { disabled: true }), 200)).toMatchObject({
    disabledAt: expect.any(String),
  })
  expect(await refusal(call("/probe", { token: accessToken }), 401)).toBe("token_outdated")
  expect(await refusal(call("/auth/me", { token: accessToken }), 401)).toBe("token_outdated")
  expect(await refusal(call("/auth/tokens", { body: { refreshToken } }), 401)).toBe("token_invalid")
  expect(await signInStatus(user.email)).toBe(403)
  expect(await signInStatus(user.email, "wrong password")).toBe(401)
  expect(await refusal(post("/auth/sessions", { token: link }), 401)).toBe("code_invalid")
  const reset = post("/auth/password-resets/confirmations", { token, password: "new password" })
  expect(await refusal(reset, 401)).toBe("code_invalid")
  const mails = (await mailsTo(user.id)).length
  expect((await post("/auth/mail-codes", { email: user.email })).status).toBe(202)
  expect(await mailsTo(user.id)).toHaveLength(mails)
  await json(patch(user.id, { disabled: false, name: "Again" }), 200)
  expect(await signInStatus(user.email)).toBe(201)
  expect(await eventsOf(user.id)).toEqual(expect.arrayContaining(["user.disabled", "user.enabled"]))
})

test("the last administrator who can sign in can neither step down nor be disabled nor go", async () => {
  for (const body of [{ disabled: true }, { roles: [] }, { roles: [], disabled: true }]) {
    expect(await refusal(patch(root.user.id, body), 409)).toBe("conflict")
  }
  const gone = call("/auth/me", { method: "DELETE", token: root.accessToken })
  expect(await refusal(gone, 409)).toBe("conflict")
  const second = await signUp("second-root")
  await json(patch(second.id, { roles: ["administrator"] }), 200)
  await json(patch(second.id, { disabled: true }), 200)
  expect(await refusal(patch(root.user.id, { roles: [] }), 409)).toBe("conflict")
})

test("a forced reset voids the password, ends sessions, and mails a link", async () => {
  const { user, accessToken } = await signedIn("forced")
  const answer = await post(`/auth/users/${user.id}/password-resets`, undefined, {
    token: root.accessToken,
  })
  expect(answer.status).toBe(202)
  expect(await refusal(call("/auth/me", { token: accessToken }), 401)).toBe("token_outdated")
  expect(await signInStatus(user.email)).toBe(401)
  const token = await mailedToken(user.id, "account.renew-password")
  await post("/auth/password-resets/confirmations", { token, password: "renewed password" })
  expect(await signInStatus(user.email, "renewed password")).toBe(201)
})

test("an administrator sees a person's sessions and ends them all", async () => {
  const { user, accessToken, refreshToken } = await signedIn("watched")
  const path = `/auth/users/${user.id}/sessions`
  const { items } = await json<Page<{ id: string }>>(call(path, { token: root.accessToken }), 200)
  expect(items.map(({ id }) => id)).toEqual([claimsOf(accessToken).sid])
  expect((await call(path, { method: "DELETE", token: root.accessToken })).status).toBe(204)
  expect(await refusal(call("/probe", { token: accessToken }), 401)).toBe("token_outdated")
  expect(await refusal(call("/auth/tokens", { body: { refreshToken } }), 401)).toBe("token_invalid")
})

test("the search finds beginnings of addresses and names in any case, and reads no more than it shows", async () => {
  const at = new Date().toISOString()
  await query(
    sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
INSERT INTO users (id, email, emailNormalised, name, roles, epoch, version, createdAt, updatedAt)
SELECT printf('01900000-0000-7000-8000-%012d', i), 'bulk' || i || '@example.com', 'bulk' || i || '@example.com', 'Crowd ' || i, '[]', 1, 1, ${at}, ${at} FROM n`,
  )
  await signUp("zelda")
  for (const [search, least, first] of [
    ["ZEL", 1, "zelda@example.com"],
    ["zelda@example.com", 1, "zelda@example.com"],
    ["crowd 17", 10, "bulk17@example.com"],
    ["bulk", 10, "bulk1000@example.com"],
    ["100%", 0, undefined],
    ["_elda", 0, undefined],
    ["' OR 1=1 --", 0, undefined],
  ] as const) {
    const answer = await call(`/auth/users?limit=10&search=${encodeURIComponent(search)}`, {
      token: root.accessToken,
    })
    const read = Number(
      /rows-read;desc="(\d+)"/.exec(answer.headers.get("server-timing") ?? "")?.[1],
    )
    const page = await json<Page<{ email: string }>>(answer, 200)
    expect(page.items.length, search).toBe(least)
    if (first) expect(page.items[0]?.email).toBe(first)
    expect(read, search).toBeLessThan(150)
  }
  await query(sql`DELETE FROM users WHERE email LIKE 'bulk%'`)
})

test("who acts in another's name ends the session that they act in", async () => {
  const ann = await signedIn("left-alone")
  const acting = await json<SignedIn>(
    call(`/auth/users/${ann.user.id}/impersonations`, {
      body: { reason: "Support request 4712" },
      token: root.accessToken,
    }),
    201,
  )
  const { accessToken: token } = acting
  expect((await call("/auth/sessions/current", { method: "DELETE", token })).status).toBe(204)
  expect(await refusal(call("/auth/me", { token }), 401)).toBe("token_outdated")
  expect((await call("/auth/me", { token: ann.accessToken })).status).toBe(200)
})

test("acting in another's name: for an hour, seen, told, recorded, and not for what is sensitive", async () => {
  const ann = await signedIn("ann")
  const answer = await call(`/auth/users/${ann.user.id}/impersonations`, {
    body: { reason: "Support request 4711" },
    token: root.accessToken,
  })
  expect([trips(answer), answer.headers.getSetCookie().join().includes("__Host-access")]).toEqual([
    "2",
    false,
  ])
  const acting = await json<SignedIn>(answer, 201)
  const { accessToken: token } = acting
  expect(claimsOf(token)).toMatchObject({ sub: ann.user.id, imp: root.user.id, amr: [] })
  for (const [method, path, body] of [
    ["POST", "/auth/password-changes", { password: "taken over" }],
    ["POST", "/auth/password-changes", { currentPassword: password, password: "taken over" }],
    ["POST", "/auth/email-changes", { email: "root-2@example.com" }],
    ["DELETE", "/auth/me", undefined],
    ["GET", "/auth/me/export", undefined],
    ["PATCH", "/auth/me", { name: "Renamed" }],
    ["DELETE", `/auth/sessions/${claimsOf(ann.accessToken).sid}`, undefined],
  ] as const) {
    const refused = call(path, { method, token, ...(body && { body }) })
    expect(await refusal(refused, 403), path).toBe("forbidden")
  }
  const { items } = await json<Page<{ id: string; impersonator: boolean }>>(
    call("/auth/sessions", { token: ann.accessToken }),
    200,
  )
  expect(items.map(({ impersonator }) => impersonator)).toEqual([true, false])
  const [mail] = await mailsTo(ann.user.id, "account.notice")
  expect(mail?.subject).toBe("An administrator acts in your name")
  expect(mail?.text).toContain("Support request 4711")
  const own = await events("/auth/me/events", ann.accessToken)
  const started = own.items.find(({ kind }) => kind === "impersonation.started")
  expect(started).toMatchObject({ actor: root.user.id, detail: { reason: "Support request 4711" } })

  // However it is refreshed, the last token that it gives is void after the hour.
  const from = Date.now()
  let { refreshToken } = acting
  let last = claimsOf(token).exp as number
  for (let minute = 10; minute <= 60; minute += 5) {
    vi.useFakeTimers({ toFake: ["Date"], now: from + minute * 60_000 })
    const next = await call("/auth/tokens", { body: { refreshToken } })
    if (next.status !== 200) break
    // By the first of these a page comes into their session: the beginning leaves its cookies as they are.
    expect(next.headers.getSetCookie().join()).toContain("__Host-access")
    const tokens = (await next.json()) as SignedIn
    refreshToken = tokens.refreshToken
    last = claimsOf(tokens.accessToken).exp as number
  }
  expect(last * 1_000).toBeLessThanOrEqual(from + 3_600_000)
})

test("nobody goes on acting in the name of somebody who becomes an administrator", async () => {
  const riser = await signedIn("riser")
  const asked = { body: { reason: "Before" }, token: root.accessToken }
  const path = `/auth/users/${riser.user.id}/impersonations`
  const { accessToken: token, refreshToken } = await json<SignedIn>(call(path, asked), 201)
  await json(patch(riser.user.id, { roles: ["administrator"] }), 200)
  expect(await refusal(call("/auth/me", { token }), 401)).toBe("token_outdated")
  const again = call("/auth/tokens", { body: { refreshToken } })
  expect(await refusal(again, 401)).toBe("token_invalid")
  const own = await call("/auth/tokens", { body: { refreshToken: riser.refreshToken } })
  expect(own.status).toBe(200)
  await json(patch(riser.user.id, { roles: [] }), 200)
})

test("nobody acts in the name of administrators, of the disabled, or after a long time", async () => {
  const other = await signUp("other-root")
  await json(patch(other.id, { roles: ["administrator"] }), 200)
  const ann = await signUp("name-lender")
  const act = (id: string, token = root.accessToken, body: object = { reason: "x" }) =>
    call(`/auth/users/${id}/impersonations`, { body, token })
  expect(await refusal(act(other.id), 403)).toBe("forbidden")
  expect(await refusal(act(root.user.id), 403)).toBe("forbidden")
  expect(await refusal(act(ann.id, root.accessToken, {}), 400)).toBe("invalid_input")
  await json(patch(ann.id, { disabled: true }), 200)
  expect(await refusal(act(ann.id), 403)).toBe("account_disabled")
  await json(patch(ann.id, { disabled: false }), 200)
  const second = await signIn("other-root")
  const acting = await json<SignedIn>(act(ann.id, second.accessToken), 201)
  await json(patch(other.id, { roles: [] }), 200)
  const { refreshToken } = acting
  expect(await refusal(call("/auth/tokens", { body: { refreshToken } }), 401)).toBe("token_invalid")
  expect(await refusal(act(ann.id, second.accessToken), 401)).toBe("token_outdated")
  later(601)
  expect(await refusal(act(ann.id), 401)).toBe("step_up_required")
})

test("people see their own security events, administrators all of them, in pages and by filter", async () => {
  const { user, accessToken } = await signedIn("audited")
  await signIn("audited")
  await json(patch(user.id, { roles: ["editor"] }), 200)
  await signIn("audited")
  const current = await signIn("audited")
  const ended = `/auth/sessions/${claimsOf(current.accessToken).sid}`
  const here = await signIn("audited")
  for (let n = 0; n < 2; n++) await call(ended, { method: "DELETE", token: here.accessToken })
  const own = await events("/auth/me/events", here.accessToken)
  expect(own.items.map(({ kind }) => kind)).toEqual([
    "session.ended",
    "session.created",
    "session.created",
    "session.created",
    "roles.changed",
    "session.created",
    "session.created",
    "user.created",
  ])
  const roles = own.items.find(({ kind }) => kind === "roles.changed")
  expect(roles).toMatchObject({
    actor: root.user.id,
    network: null,
    detail: { before: [], roles: ["editor"] },
  })
  const seen: string[] = []
  for (let path: string | null = `/auth/events?limit=3&user=${user.id}`; path; ) {
    const answer: Response = await call(path, { token: root.accessToken })
    path = /^<(.*)>; rel="next"$/.exec(answer.headers.get("link") ?? "")?.[1] ?? null
    const page = await json<Page<Event>>(answer, 200)
    seen.push(...page.items.map(({ id }) => id))
  }
  expect(seen).toEqual(own.items.map(({ id }) => id))
  const filtered = await events(`/auth/events?kind=roles.changed&user=${user.id}`)
  expect(filtered.items).toHaveLength(1)
  expect(await refusal(call("/auth/events", { token: here.accessToken }), 403)).toBe("forbidden")
  expect(await refusal(call("/auth/events"), 401)).toBe("unauthenticated")
  expect(await refusal(call("/auth/me/events", { token: accessToken }), 401)).toBe("token_outdated")
})

test("strangers write nothing into the audit log", async () => {
  await signUp("quiet")
  const count = async () => (await query(sql`SELECT count(*) AS n FROM audit_events`))[0]?.n
  const before = await count()
  for (let n = 0; n < 3; n++) await signInStatus("quiet@example.com", "wrong password")
  await signInStatus("nobody-quiet@example.com")
  await post("/auth/password-resets", { email: "nobody-quiet@example.com" })
  await post("/auth/mail-codes", { email: "quiet@example.com" })
  await post("/auth/sessions", { email: "quiet@example.com", code: "000000" })
  await post("/auth/password-resets/confirmations", { token: "hat_x", password: "new password" })
  expect(await count()).toBe(before)
})

test("whoever deletes their account is forgotten everywhere, and their records stay whole", async () => {
  const { user, accessToken, refreshToken } = await signedIn("leaver")
  const mailed = await mailedToken(user.id, "account.verify-email")
  const answer = await call("/auth/me", { method: "DELETE", token: accessToken })
  expect(answer.status).toBe(204)
  expect(answer.headers.getSetCookie().join()).toContain("__Host-access=; Max-Age=0")
  const [row] = await query(sql`SELECT * FROM users WHERE id = ${user.id}`)
  expect(row).toMatchObject({
    email: `deleted:${user.id}`,
    name: null,
    passwordHash: null,
    roles: "[]",
    disabledAt: expect.any(String),
  })
  const [member] = await query(sql`SELECT name, epoch FROM members WHERE id = ${user.id}`)
  expect(member).toEqual({ name: null, epoch: 2 })
  const log = await query(sql`SELECT payload FROM changes WHERE record = ${user.id}`)
  expect(JSON.stringify(log)).not.toContain("leaver")
  for (const [path, options] of [
    ["/auth/me", { token: accessToken }],
    ["/probe", { token: accessToken }],
    ["/auth/tokens", { body: { refreshToken } }],
    ["/auth/email-verifications/confirmations", { body: { token: mailed } }],
    ["/auth/sessions", { body: { email: user.email, password } }],
  ] as const) {
    expect((await call(path, options)).status, path).toBe(401)
  }
  for (const table of [sql`sessions`, sql`account_tokens`]) {
    expect(await query(sql`SELECT 1 FROM ${table} WHERE user = ${user.id}`)).toEqual([])
  }
  expect(await eventsOf(user.id)).toContain("user.deleted")
  // The address is free again, and its next owner is somebody else.
  expect((await signUp("leaver")).id).not.toBe(user.id)
})

test("deletion and export ask for a proof that is not old", async () => {
  const { accessToken: token } = await signedIn("idle")
  later(601)
  for (const [method, path] of [
    ["DELETE", "/auth/me"],
    ["GET", "/auth/me/export"],
  ] as const) {
    expect(await refusal(call(path, { method, token }), 401)).toBe("step_up_required")
  }
})
