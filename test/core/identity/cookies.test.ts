import { beforeAll, describe, expect, test } from "vitest"
import { findCookie } from "../../../src/core/identity/cookies.ts"
import {
  bindings,
  call,
  json,
  origin,
  password,
  refusal,
  type SignedIn,
  signedIn,
  signUp,
} from "./cast.ts"

let ann: SignedIn
beforeAll(async () => {
  ann = await signedIn("ann")
})

const access = () => `__Host-access=${ann.accessToken}`
const production = () => ({ ...bindings, ENVIRONMENT: "production", RATE_LIMIT: "off" })

test("a sign-in sets both cookies, which scripts, other hosts and plain HTTP never see", async () => {
  await signUp("cookies")
  const answer = await call("/auth/sessions", {
    body: { email: "cookies@example.com", password },
  })
  const cookies = answer.headers.getSetCookie()
  const { accessToken, refreshToken } = await json(answer, 201)
  expect(cookies.filter((cookie) => !cookie.startsWith("__Host-bookmark="))).toEqual([
    `__Host-access=${accessToken}; Max-Age=900; Path=/; HttpOnly; Secure; SameSite=Lax`,
    `__Host-refresh=${refreshToken}; Max-Age=2592000; Path=/; HttpOnly; Secure; SameSite=Lax`,
  ])
})

describe("a write by cookie asks where it comes from", () => {
  const refused = 403
  const passed = 200
  test.each<[string, Record<string, string>, number, boolean?]>([
    ["the own origin", { origin }, passed],
    ["another site", { origin: "https://evil.test" }, refused],
    ["a look-alike", { origin: `${origin}.evil.test` }, refused],
    ["the own host without TLS", { origin: "http://hinterland.test" }, refused],
    ["another port", { origin: `${origin}:8443` }, refused],
    ["an opaque origin", { origin: "null" }, refused],
    ["an empty origin", { origin: "" }, refused],
    ["an origin in the settings", { origin: "https://app.example.com" }, passed],
    ["loopback, in development", { origin: "http://localhost:5173" }, passed],
    ["loopback, in production", { origin: "http://localhost:5173" }, refused, true],
    ["no origin, fetched by the own origin", { "sec-fetch-site": "same-origin" }, passed],
    ["no origin, typed by the person", { "sec-fetch-site": "none" }, passed],
    ["no origin, from the same site", { "sec-fetch-site": "same-site" }, refused],
    ["no origin, from another site", { "sec-fetch-site": "cross-site" }, refused],
    [
      "a foreign origin that claims to be none",
      { origin: "https://evil.test", "sec-fetch-site": "none" },
      refused,
    ],
    ["neither", {}, refused],
  ])("%s", async (_, headers, status, live = false) => {
    const base = live ? production() : { ...bindings }
    const env = { ...base, ALLOWED_ORIGINS: "https://app.example.com" }
    const write = (name: string, value: string) =>
      call(name, { method: "POST", headers: { ...headers, cookie: value }, env })
    const answer = await write("/probe", access())
    expect(answer.status).toBe(status)
    if (status === refused) expect(await refusal(answer, 403)).toBe("forbidden")
    // The refresh cookie is guarded in the same way: an empty POST needs no preflight.
    const { refreshToken } = await json<SignedIn>(
      call("/auth/sessions", { body: { email: "ann@example.com", password } }),
      201,
    )
    const next = await write("/auth/tokens", `__Host-refresh=${refreshToken}`)
    expect(next.status).toBe(status)
  })

  test("but a read does not, and a bearer never", async () => {
    await json(call("/probe", { headers: { cookie: access(), origin: "https://evil.test" } }), 200)
    await json(
      call("/probe", {
        method: "POST",
        token: ann.accessToken,
        headers: { origin: "https://evil.test", cookie: access() },
      }),
      200,
    )
  })
})

test("the cookie says who reads", async () => {
  const headers = { cookie: `theme=dark; ${access()}; x=y` }
  expect(await json(call("/auth/me", { headers }), 200)).toEqual(ann.user)
})

test("a page and its parts open with a bad cookie, as for anyone; its scripts are told", async () => {
  for (const [destination, status] of [
    ["document", 200],
    ["script", 200],
    ["image", 200],
    ["empty", 401],
  ] as const) {
    const headers = { cookie: "__Host-access=rubbish", "sec-fetch-dest": destination }
    const answer = await call("/probe", { headers })
    expect(answer.status, destination).toBe(status)
    if (status === 200) expect(await answer.json()).toEqual({ kind: "anonymous" })
  }
})

test("a bad cookie or bearer does not stand in the way of signing up, in or refreshing", async () => {
  for (const headers of [
    { cookie: "__Host-access=rubbish" },
    { authorization: "Bearer rubbish" },
  ] as Record<string, string>[]) {
    const email = `new-${Object.keys(headers)[0]}@example.com`
    await json(call("/auth/users", { body: { email, password }, headers }), 201)
    const session = await json<SignedIn>(
      call("/auth/sessions?x", { body: { email, password }, headers }),
      201,
    )
    await json(call("/auth/tokens", { body: { refreshToken: session.refreshToken }, headers }), 200)
  }
})

test("a browser refreshes by its cookie, with an empty body", async () => {
  const { refreshToken } = await signedIn("browser")
  const headers = { cookie: `__Host-refresh=${refreshToken}`, origin }
  const answer = await call("/auth/tokens", { method: "POST", headers })
  const next = await json<SignedIn>(answer, 200)
  expect(answer.headers.getSetCookie().join("\n")).toContain(`__Host-refresh=${next.refreshToken};`)
  const again = { cookie: `__Host-refresh=${next.refreshToken}`, origin }
  await json(call("/auth/tokens", { body: "", headers: again }), 200)
  await json(call("/auth/tokens", { body: {}, headers: again }), 200)
})

test("a refresh cookie that is good for nothing is taken back; without one it is a 401", async () => {
  const headers = { cookie: "__Host-refresh=rubbish", origin }
  const answer = await call("/auth/tokens", { method: "POST", headers })
  expect(answer.headers.getSetCookie()).toEqual([
    "__Host-access=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax",
    "__Host-refresh=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax",
  ])
  expect(await refusal(answer, 401)).toBe("token_invalid")
  expect(await refusal(call("/auth/tokens", { method: "POST" }), 401)).toBe("unauthenticated")
})

test.each([
  ["a=b", "a", "b"],
  ["x=1; a=b", "a", "b"],
  ["x=1;a=b;y=2", "a", "b"],
  ["xa=1", "a", null],
  ["a=", "a", null],
  ["a", "a", null],
  ["b=a=c", "a", null],
  ["a=b=c", "a", "b=c"],
  ["", "a", null],
])("in %j the cookie %s is %j", (header, name, value) => {
  expect(findCookie(header, name)).toBe(value)
})
