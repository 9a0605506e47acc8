import { afterEach, beforeAll, expect, test, vi } from "vitest"
import { sql } from "../../../src/platform/sql.ts"
import {
  call,
  claimsOf,
  json,
  query,
  refreshed,
  refusal,
  type SignedIn,
  signedIn,
  signIn,
  trips,
} from "./cast.ts"

interface SessionPage {
  items: { id: string; current: boolean; userAgent: string | null }[]
  next: string | null
}

let bob: SignedIn
beforeAll(async () => {
  bob = await signedIn("bob")
})
afterEach(() => {
  vi.useRealTimers()
})

const list = (token: string, search = "") =>
  json<SessionPage>(call(`/auth/sessions${search}`, { token }), 200)

test("a person sees their own living sessions, the newest first, and which one asks", async () => {
  const first = await signedIn("ann")
  const second = await signIn("ann", { headers: { "user-agent": "Phone" } })
  const { items, next } = await list(first.accessToken)
  expect(items.map((session) => session.id)).toEqual([
    claimsOf(second.accessToken).sid,
    claimsOf(first.accessToken).sid,
  ])
  expect(items.map((session) => session.current)).toEqual([false, true])
  expect(items[0]).toEqual({
    id: claimsOf(second.accessToken).sid,
    userAgent: "Phone",
    createdAt: expect.any(String),
    lastUsedAt: expect.any(String),
    expiresAt: expect.any(String),
    impersonator: false,
    current: false,
  })
  expect(next).toBeNull()
})

test("the list comes in pages", async () => {
  const { accessToken } = await signedIn("carol")
  for (let n = 0; n < 4; n++) await signIn("carol")
  const seen: string[] = []
  for (let cursor = ""; ; ) {
    const answer = await call(`/auth/sessions?limit=2${cursor}`, { token: accessToken })
    const link = answer.headers.get("link")
    const page = await json<SessionPage>(answer, 200)
    seen.push(...page.items.map((session) => session.id))
    if (page.next === null) {
      expect(link).toBeNull()
      break
    }
    cursor = `&cursor=${page.next}`
    expect(link).toBe(`</auth/sessions?limit=2${cursor}>; rel="next"`)
  }
  expect(new Set(seen).size).toBe(5)
  expect(seen).toEqual([...seen].sort().reverse())
})

test("signing out ends the session at once: its refresh token, its access token, its cookies", async () => {
  const { accessToken, refreshToken } = await signedIn("dave")
  const answer = await call("/auth/sessions/current", { method: "DELETE", token: accessToken })
  expect(answer.status).toBe(204)
  expect(trips(answer)).toBe("2")
  expect(answer.headers.getSetCookie()).toEqual(
    expect.arrayContaining([
      "__Host-access=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax",
      "__Host-refresh=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax",
    ]),
  )
  expect(await refusal(call("/auth/tokens", { body: { refreshToken } }), 401)).toBe("token_invalid")
  expect(await refusal(call("/auth/me", { token: accessToken }), 401)).toBe("token_outdated")
  expect(await refusal(call("/probe", { token: accessToken }), 401)).toBe("token_outdated")
  const write = await json(call("/probe", { method: "POST", token: accessToken }), 200)
  expect(write.refused).toBe(1)
})

test("signing out once more is no error, so that a failed call can be repeated", async () => {
  const { accessToken } = await signedIn("erin")
  for (let n = 0; n < 2; n++) {
    const answer = await call("/auth/sessions/current", { method: "DELETE", token: accessToken })
    expect(answer.status).toBe(204)
  }
})

test("another device is signed out without disturbing this one", async () => {
  const here = await signedIn("frank")
  const there = await signIn("frank")
  const { sid } = claimsOf(there.accessToken)
  const answer = await call(`/auth/sessions/${sid}`, { method: "DELETE", token: here.accessToken })
  expect(answer.status).toBe(204)
  expect(answer.headers.getSetCookie().join()).not.toContain("__Host-access")
  expect(await refusal(call("/probe", { token: there.accessToken }), 401)).toBe("token_outdated")
  await json(call("/probe", { token: here.accessToken }), 200)
  const write = await json(call("/probe", { method: "POST", token: here.accessToken }), 200)
  expect(write.refused).toBe(0)
  await refreshed(here.refreshToken)
  expect((await list(here.accessToken)).items).toHaveLength(1)
})

test("an ended session can end no other", async () => {
  const thief = await signedIn("grace")
  const owner = await signIn("grace")
  await call("/auth/sessions/current", { method: "DELETE", token: thief.accessToken })
  const path = `/auth/sessions/${claimsOf(owner.accessToken).sid}`
  const answer = call(path, { method: "DELETE", token: thief.accessToken })
  expect(await refusal(answer, 401)).toBe("token_outdated")
  await json(call("/auth/me", { token: owner.accessToken }), 200)
})

test.each(["0193a5e4-0000-7000-8000-000000000000", "nothing", "%00", "'%20OR%201=1"])(
  "a session %s does not exist",
  async (id) => {
    const answer = call(`/auth/sessions/${id}`, { method: "DELETE", token: bob.accessToken })
    expect(await refusal(answer, 404)).toBe("not_found")
  },
)

test("a stranger's session does not exist either, and lives on", async () => {
  const heidi = await signedIn("heidi")
  const path = `/auth/sessions/${claimsOf(heidi.accessToken).sid}`
  const answer = call(path, { method: "DELETE", token: bob.accessToken })
  expect(await refusal(answer, 404)).toBe("not_found")
  await json(call("/auth/me", { token: heidi.accessToken }), 200)
})

test("marks of ended sessions go when their tokens have expired", async () => {
  const { accessToken } = await signedIn("ivan")
  await call("/auth/sessions/current", { method: "DELETE", token: accessToken })
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 901_000 })
  const later = await signedIn("judy")
  await call("/auth/sessions/current", { method: "DELETE", token: later.accessToken })
  const rows = await query(sql`SELECT session FROM session_revocations`)
  expect(rows).toEqual([{ session: claimsOf(later.accessToken).sid }])
})

test("sessions that expired are swept at the person's next sign-in", async () => {
  const { user } = await signedIn("mallory")
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 31 * 86_400_000 })
  await signIn("mallory")
  expect(await query(sql`SELECT id FROM sessions WHERE user = ${user.id}`)).toHaveLength(1)
})

test("who is not signed in has no sessions and no self", async () => {
  for (const [method, path] of [
    ["GET", "/auth/sessions"],
    ["GET", "/auth/sessions?limit=x"],
    ["DELETE", "/auth/sessions/current"],
    ["GET", "/auth/me"],
    ["PATCH", "/auth/me"],
  ] as const) {
    expect(await refusal(call(path, { method }), 401), path).toBe("unauthenticated")
  }
})

test.each([
  ["limit=0", "invalid_input", "query.limit"],
  ["limit=201", "invalid_input", "query.limit"],
  ["limit=two", "invalid_input", "query.limit"],
  ["sort=id", "invalid_input", "query.sort"],
  ["cursor=x", "invalid_cursor", "query.cursor"],
])("?%s is a %s", async (search, code, path) => {
  const problem = await json<{ code: string; errors?: { path: string }[] }>(
    call(`/auth/sessions?${search}`, { token: bob.accessToken }),
    400,
  )
  expect(problem.code).toBe(code)
  expect(problem.errors?.[0]?.path).toBe(path)
})

test("a person changes their name, in the directory and among the members, and no token is outdated", async () => {
  const { accessToken, user } = await signedIn("nina")
  const patched = await json(
    call("/auth/me", {
      method: "PATCH",
      body: { name: "Nina B." },
      token: accessToken,
      headers: { "content-type": "application/merge-patch+json" },
    }),
    200,
  )
  expect(patched).toEqual({ ...user, name: "Nina B." })
  expect(await json(call("/auth/me", { token: accessToken }), 200)).toEqual(patched)
  await json(call("/probe", { token: accessToken }), 200)
  const [member] = await query(sql`SELECT name, version, epoch FROM members WHERE id = ${user.id}`)
  expect(member).toEqual({ name: "Nina B.", version: 2, epoch: 1 })
  const lines = await query(
    sql`SELECT kind, version, actor FROM changes WHERE record = ${user.id} ORDER BY seq`,
  )
  expect(lines).toEqual([
    { kind: "created", version: 1, actor: null },
    { kind: "updated", version: 2, actor: user.id },
  ])
})

test("the same name once more writes nothing; null takes the name away", async () => {
  const { accessToken, user } = await signedIn("olga")
  const patch = (name: string | null) =>
    call("/auth/me", { method: "PATCH", body: { name }, token: accessToken })
  const same = await patch("olga")
  expect(same.headers.get("server-timing")).toContain('rows-written;desc="0"')
  await json(same, 200)
  expect((await json(patch(null), 200)).name).toBeNull()
  const lines = await query(sql`SELECT version FROM changes WHERE record = ${user.id}`)
  expect(lines).toHaveLength(2)
})

test.each([
  ["roles", { roles: ["administrator"] }],
  ["an address", { email: "other@example.com" }],
  ["an empty name", { name: " " }],
  ["NUL", { name: "a\0b" }],
  ["a number", { name: 1 }],
])("nobody gives themselves %s", async (_, body) => {
  const answer = call("/auth/me", { method: "PATCH", body, token: bob.accessToken })
  expect(await refusal(answer, 400)).toBe("invalid_input")
})

test("of ten names at once the last one stands everywhere", async () => {
  const { accessToken, user } = await signedIn("peggy")
  const answers = await Promise.all(
    Array.from({ length: 4 }, (_, n) =>
      call("/auth/me", { method: "PATCH", body: { name: `Peggy ${n}` }, token: accessToken }),
    ),
  )
  expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200])
  const [stored] = await query(sql`SELECT name, version FROM users WHERE id = ${user.id}`)
  const [member] = await query(sql`SELECT name, version FROM members WHERE id = ${user.id}`)
  expect(member).toEqual(stored)
  expect(stored?.version).toBe(5)
})
