import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { createClient } from "../../src/client/client.ts"
import { memoryStorage } from "../../src/client/session.ts"
import type { collections } from "./collections.ts"
import { alice, answers, fails, fakeServer, refuses, tokens } from "./fake-server.ts"

const credentials = { email: "alice@example.org", password: "correct horse" }
const emptyList = answers({ items: [], next: null })

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"] })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function connect(server: ReturnType<typeof fakeServer>, storage?: Storage) {
  return createClient<typeof collections>({
    url: "http://server.test",
    fetch: server.fetch,
    ...(storage && { storage }),
  })
}

function atOwnOrigin() {
  vi.stubGlobal("location", new URL("http://server.test/films"))
}

const storage = (kept?: string) => {
  const memory = memoryStorage(false)
  if (kept) memory.setItem("", kept)
  return memory as Storage
}

test("sign-up makes an account and does not sign in", async () => {
  const server = fakeServer(answers(alice, {}, 201), emptyList)
  const client = connect(server)
  expect(await client.auth.signUp({ ...credentials, name: "Alice" })).toEqual(alice)
  await client.records("films").list()
  expect(server.sent[0]).toMatchObject({ path: "/auth/users", body: { name: "Alice" } })
  expect(server.sent[1]?.headers.has("authorization")).toBe(false)
})

test("after sign-in the access token goes with every call", async () => {
  const server = fakeServer(tokens(1), emptyList, answers(alice))
  const client = connect(server)
  expect(await client.auth.signIn(credentials)).toEqual(alice)
  await client.records("reviews").list()
  await client.auth.me()
  expect(server.sent.map((call) => call.headers.get("authorization"))).toEqual([
    null,
    "Bearer access-1",
    "Bearer access-1",
  ])
})

test("an anonymous session is one like any other, and becomes that of a person with an address", async () => {
  const nobody = { ...alice, email: null }
  const opened = answers({ user: nobody, accessToken: "a-1", expiresIn: 900, refreshToken: "r-1" })
  const server = fakeServer(opened, emptyList, answers(alice, {}, 201), opened)
  const client = connect(server)
  const seen: unknown[] = []
  client.auth.onChange((user) => seen.push(user))
  expect(await client.auth.signInAnonymously("widget")).toEqual(nobody)
  await client.records("films").list()
  expect(await client.auth.takeCredentials(credentials)).toEqual(alice)
  await client.auth.signInAnonymously()
  expect(seen).toEqual([nobody, alice, nobody])
  expect(server.sent.map(({ method, path, body }) => [method, path, body])).toEqual([
    ["POST", "/auth/sessions", { kind: "anonymous" }],
    ["GET", "/records/films", undefined],
    ["POST", "/auth/me/credentials", credentials],
    ["POST", "/auth/sessions", { kind: "anonymous" }],
  ])
  expect(server.sent.map(({ headers }) => headers.get("authorization"))).toEqual([
    null,
    "Bearer a-1",
    "Bearer a-1",
    null,
  ])
  expect(server.sent.map(({ headers }) => headers.get("x-captcha-response"))).toEqual([
    "widget",
    null,
    null,
    null,
  ])
})

test("after a fresh proof the token that knows of it goes with every call", async () => {
  const proved = answers({ accessToken: "access-2", expiresIn: 900 }, {}, 201)
  const server = fakeServer(tokens(1), proved, emptyList)
  const client = connect(server)
  await client.auth.signIn(credentials)
  await client.auth.prove({ password: "correct horse" })
  await client.records("films").list()
  expect(server.sent.map((call) => call.headers.get("authorization"))).toEqual([
    null,
    "Bearer access-1",
    "Bearer access-2",
  ])
})

test("a wrong password is a problem, not a reason to renew", async () => {
  const server = fakeServer(refuses(401, "invalid_credentials"))
  await expect(connect(server).auth.signIn(credentials)).rejects.toMatchObject({
    code: "invalid_credentials",
  })
  expect(server.sent).toHaveLength(1)
})

test("to a stranger a 401 is final: there is nothing to renew", async () => {
  const server = fakeServer(refuses(401, "unauthenticated"))
  await expect(connect(server).records("reviews").create({ stars: 1 })).rejects.toMatchObject({
    code: "unauthenticated",
  })
  expect(server.sent).toHaveLength(1)
})

test.each(["token_expired", "token_outdated", "unauthenticated"])(
  "many calls that meet %s renew once, and each is repeated once",
  async (code) => {
    const server = fakeServer(tokens(1))
    const client = connect(server)
    await client.auth.signIn(credentials)
    const no = refuses(401, code)
    server.continue(no, no, no, tokens(2), emptyList, emptyList, emptyList)
    await Promise.all([1, 2, 3].map(() => client.records("reviews").list()))
    expect(server.sent.slice(1).map((call) => call.path)).toEqual([
      "/records/reviews",
      "/records/reviews",
      "/records/reviews",
      "/auth/tokens",
      "/records/reviews",
      "/records/reviews",
      "/records/reviews",
    ])
    expect(server.sent[4]?.body).toEqual({ refreshToken: "refresh-1" })
    expect(server.sent.at(-1)?.headers.get("authorization")).toBe("Bearer access-2")
  },
)

test("a 401 that arrives after the renewal repeats without a second one", async () => {
  const late = Promise.withResolvers<Response>()
  const server = fakeServer(tokens(1))
  const client = connect(server)
  await client.auth.signIn(credentials)
  server.continue(
    () => late.promise,
    refuses(401, "token_outdated"),
    tokens(2),
    emptyList,
    emptyList,
  )
  const first = client.records("reviews").list()
  await client.records("reviews").list()
  late.resolve(new Response('{"code":"token_outdated"}', { status: 401 }))
  await first
  expect(server.sent.filter((call) => call.path === "/auth/tokens")).toHaveLength(1)
})

test("a call is repeated only once", async () => {
  const no = refuses(401, "token_outdated")
  const server = fakeServer(tokens(1), no, tokens(2), no)
  const client = connect(server)
  await client.auth.signIn(credentials)
  await expect(client.records("reviews").list()).rejects.toMatchObject({
    code: "token_outdated",
  })
  expect(server.sent).toHaveLength(4)
})

test("an expired token is renewed before the call, lest a list be answered as to a stranger", async () => {
  const server = fakeServer(tokens(1), tokens(2), emptyList)
  const client = connect(server)
  await client.auth.signIn(credentials)
  vi.advanceTimersByTime(601_000)
  await client.records("reviews").list()
  expect(server.sent.map((call) => call.path)).toEqual([
    "/auth/sessions",
    "/auth/tokens",
    "/records/reviews",
  ])
})

test("when the refresh token is refused the session is over, and public calls go on", async () => {
  const server = fakeServer(tokens(1), refuses(401, "token_invalid"), emptyList)
  const client = connect(server)
  await client.auth.signIn(credentials)
  const seen: unknown[] = []
  client.auth.onChange((user) => seen.push(user))
  vi.advanceTimersByTime(601_000)
  await client.records("films").list()
  expect(seen).toEqual([null])
  expect(server.sent[2]?.headers.has("authorization")).toBe(false)
})

test("a renewal that meets no network keeps the session", async () => {
  const server = fakeServer(tokens(1), fails, tokens(2), answers(alice))
  const client = connect(server)
  await client.auth.signIn(credentials)
  vi.advanceTimersByTime(601_000)
  await expect(client.auth.me()).rejects.toMatchObject({ code: "unreachable" })
  expect(await client.auth.me()).toEqual(alice)
})

test("onChange tells of a sign-in and a sign-out, and of nothing else, until stopped", async () => {
  const server = fakeServer(tokens(1), answers(alice), answers(null, {}, 204), tokens(2))
  const client = connect(server)
  const seen: unknown[] = []
  const stop = client.auth.onChange((user) => seen.push(user?.email ?? null))
  await client.auth.signIn(credentials)
  await client.auth.me()
  await client.auth.signOut()
  stop()
  await client.auth.signIn(credentials)
  expect(seen).toEqual(["alice@example.org", null])
})

test("sign-out forgets the tokens", async () => {
  const server = fakeServer(tokens(1), answers(null, {}, 204), emptyList)
  const client = connect(server)
  await client.auth.signIn(credentials)
  await client.auth.signOut()
  await client.records("films").list()
  expect(server.sent[1]).toMatchObject({ method: "DELETE", path: "/auth/sessions/current" })
  expect(server.sent[2]?.headers.has("authorization")).toBe(false)
  expect(await client.auth.me()).toBeNull()
})

test("a sign-out that does not reach the server is reported, and the session stays", async () => {
  const server = fakeServer(tokens(1), fails, answers(alice))
  const client = connect(server)
  await client.auth.signIn(credentials)
  await expect(client.auth.signOut()).rejects.toMatchObject({ code: "unreachable" })
  expect(await client.auth.me()).toEqual(alice)
})

test("nobody is signed in at first, and no call is needed to know it", async () => {
  const server = fakeServer()
  expect(await connect(server).auth.me()).toBeNull()
  expect(server.sent).toEqual([])
})

test("on another origin storage keeps the refresh token, and cookies are left out", async () => {
  const kept = storage()
  const first = fakeServer(tokens(1))
  await connect(first, kept).auth.signIn(credentials)
  expect(first.sent[0]?.credentials).toBe("omit")
  expect(kept.getItem("")).toContain("refresh-1")

  const second = fakeServer(tokens(2), answers(alice))
  expect(await connect(second, kept).auth.me()).toEqual(alice)
  expect(second.sent[0]).toMatchObject({
    path: "/auth/tokens",
    body: { refreshToken: "refresh-1" },
  })
  expect(kept.getItem("")).not.toContain("access-2")
})

test("a tab renews with the token that another tab last stored", async () => {
  const kept = storage()
  const server = fakeServer(tokens(1), tokens(3), answers(alice))
  const client = connect(server, kept)
  await client.auth.signIn(credentials)
  kept.setItem("", JSON.stringify({ expiresAt: Date.now(), refreshToken: "refresh-2" }))
  await client.auth.me()
  expect(server.sent[1]?.body).toEqual({ refreshToken: "refresh-2" })
})

test("when another tab has signed out, so has this one", async () => {
  const kept = storage()
  const server = fakeServer(tokens(1), emptyList)
  const client = connect(server, kept)
  await client.auth.signIn(credentials)
  kept.removeItem("")
  await client.records("films").list()
  expect(server.sent[1]?.headers.has("authorization")).toBe(false)
})

test("at the server's own origin cookies carry the session, and storage holds no secret", async () => {
  atOwnOrigin()
  const kept = storage()
  const first = fakeServer(tokens(1))
  await connect(first, kept).auth.signIn(credentials)
  expect(first.sent[0]?.credentials).toBe("include")
  expect(kept.getItem("")).not.toMatch(/refresh-1|access-1/)

  const reloaded = fakeServer(answers(alice), refuses(401, "token_outdated"), tokens(2), emptyList)
  const client = connect(reloaded, kept)
  await client.auth.me()
  await client.records("reviews").list()
  expect(reloaded.sent.map((call) => [call.path, call.body])).toEqual([
    ["/auth/me", undefined],
    ["/records/reviews", undefined],
    ["/auth/tokens", {}],
    ["/records/reviews", undefined],
  ])
})

test("who goes to a provider is asked for at their return, by the cookie", async () => {
  atOwnOrigin()
  const kept = storage()
  const there = fakeServer(
    answers({ items: [{ name: "acme", kind: "oidc", label: "Acme" }], next: null }),
    answers({ url: "https://id.example/authorize", ticket: null, expiresIn: 600 }, {}, 201),
  )
  const { auth } = connect(there, kept)
  expect(await auth.providers()).toEqual([{ name: "acme", kind: "oidc", label: "Acme" }])
  expect(await auth.beginSignInWith("acme", "/films")).toBe("https://id.example/authorize")
  expect(there.sent[1]).toMatchObject({
    path: "/auth/providers/acme/authorizations",
    body: { returnTo: "/films" },
    credentials: "include",
  })

  const back = fakeServer(tokens(1), answers(alice))
  expect(await connect(back, kept).auth.me()).toEqual(alice)
  expect(back.sent.map(({ path }) => path)).toEqual(["/auth/tokens", "/auth/me"])
  // They may as well come back without.
  kept.setItem("", JSON.stringify({ expiresAt: 0 }))
  const nobody = fakeServer(refuses(401, "unauthenticated"), refuses(401, "unauthenticated"))
  expect(await connect(nobody, kept).auth.me()).toBeNull()
})

test("without storage, the first call at the own origin asks whether cookies hold a session", async () => {
  atOwnOrigin()
  const server = fakeServer(refuses(401, "unauthenticated"), emptyList, emptyList)
  const client = connect(server)
  await client.records("films").list()
  await client.records("films").list()
  expect(server.sent.map((call) => call.path)).toEqual([
    "/auth/tokens",
    "/records/films",
    "/records/films",
  ])
})

test("a bad cookie that the client knows nothing of is renewed away", async () => {
  atOwnOrigin()
  const no = refuses(401, "token_invalid")
  const server = fakeServer(no, no, emptyList)
  await connect(server, storage()).records("films").list()
  expect(server.sent.map((call) => call.path)).toEqual([
    "/records/films",
    "/auth/tokens",
    "/records/films",
  ])
})

test("a renewal that does not repeat who is signed in changes nothing about it", async () => {
  const renewal = answers({ accessToken: "access-2", refreshToken: "refresh-2", expiresIn: 600 })
  const server = fakeServer(tokens(1), renewal, emptyList)
  const client = connect(server)
  await client.auth.signIn(credentials)
  const listener = vi.fn()
  client.auth.onChange(listener)
  vi.advanceTimersByTime(601_000)
  await client.records("films").list()
  expect(listener).not.toHaveBeenCalled()
})
