import { beforeEach, expect, test, vi } from "vitest"
import { sql } from "../../../src/platform/sql.ts"
import {
  call,
  claimsOf,
  json,
  query,
  refusal,
  type SignedIn,
  signedIn,
  signUp,
  trips,
} from "./cast.ts"
import { codeOf, guarded } from "./factors-cast.ts"
import { elsewhere, eventsOf, mailsTo } from "./mailbox.ts"
import {
  begin,
  claimsFor,
  comeBack,
  env,
  fragmentOf,
  grant,
  issuer,
  resetStandIn,
  sessionOf,
  standIn,
  visit,
  withProviders,
} from "./stand-in-issuer.ts"

beforeEach(() => {
  vi.restoreAllMocks()
  resetStandIn()
})

test("somebody whom nobody knows gets an account with a verified address, and a session", async () => {
  const answer = await visit(claimsFor("ann"))
  expect(answer.headers.get("location")).toBe("https://hinterland.test/")
  const token = sessionOf(answer)
  expect(claimsOf(token)).toMatchObject({ amr: ["fed"], acr: "aal1", email: "ann@example.com" })
  const me = await json(call("/auth/me", { token, env }), 200)
  expect(me).toMatchObject({
    email: "ann@example.com",
    name: "ann",
    roles: [],
    emailVerifiedAt: expect.any(String),
  })
  expect(await eventsOf(me.id as string)).toEqual([
    "user.created",
    "identity.linked",
    "session.created",
  ])
  // Nobody has to confirm what the provider has confirmed.
  expect(await mailsTo(me.id as string)).toEqual([])
  const { items } = await json<{ items: object[] }>(call("/auth/identities", { token, env }), 200)
  expect(items).toEqual([
    {
      id: expect.any(String),
      provider: "acme",
      issuer,
      email: "ann@example.com",
      createdAt: expect.any(String),
      lastUsedAt: null,
    },
  ])
})

test("they come back as the same person, in two trips, by their subject and no address", async () => {
  const first = await visit(claimsFor("bob"))
  expect(trips(first)).toBe("3")
  const again = await visit({ ...claimsFor("bob"), email: "bobby@example.com", name: "Bobby" })
  expect(trips(again)).toBe("2")
  expect(claimsOf(sessionOf(again))).toMatchObject({
    sub: claimsOf(sessionOf(first)).sub,
    email: "bob@example.com",
  })
  // Also where the provider has no address of theirs any more, or none that it vouches for.
  const bare = await visit({ sub: "sub-bob" })
  expect(claimsOf(sessionOf(bare)).sub).toBe(claimsOf(sessionOf(first)).sub)
  const [row] = await query(sql`SELECT lastUsedAt, email FROM identities WHERE subject = 'sub-bob'`)
  expect(row).toEqual({ lastUsedAt: expect.any(String), email: "bob@example.com" })
})

test("the way there has state, nonce and PKCE, and keeps what the endpoint had", async () => {
  const { url, ticket, cookie } = await begin()
  const { origin, pathname, searchParams } = new URL(url)
  expect(origin + pathname).toBe(`${issuer}/authorize`)
  expect(Object.fromEntries(searchParams)).toEqual({
    kept: "1",
    response_type: "code",
    client_id: "club",
    redirect_uri: "https://hinterland.test/auth/providers/acme/callback",
    scope: "openid email profile",
    state: expect.stringMatching(/^[\w-]{43}$/),
    nonce: expect.stringMatching(/^[\w-]{43}$/),
    code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    code_challenge_method: "S256",
  })
  expect(ticket).toBeNull()
  expect(cookie).toMatch(/^__Host-ticket-[\w-]{12}=[\w-]+$/)
  const values = ["state", "nonce", "code_challenge"].map((name) => searchParams.get(name))
  expect(new Set(values).size).toBe(3)
  // Nothing of it is stored, nor is anything of the person.
  expect(url).not.toContain(cookie.split("=")[1])
})

test("two tabs of one browser do not take each other's ticket", async () => {
  const [one, two] = [await begin({ returnTo: "/one" }), await begin({ returnTo: "/two" })]
  const cookie = `${one.cookie}; ${two.cookie}`
  const claims = claimsFor("carol")
  const first = await comeBack({ cookie }, grant(one.url, claims))
  const second = await comeBack({ cookie }, grant(two.url, claims))
  expect(first.headers.get("location")).toBe("https://hinterland.test/one")
  expect(second.headers.get("location")).toBe("https://hinterland.test/two")
})

test("of two first sign-ins at once both are let in, as one person", async () => {
  const ways = await Promise.all([1, 2, 3].map(() => begin()))
  const answers = await Promise.all(
    ways.map((way) => comeBack(way, grant(way.url, claimsFor("dave")))),
  )
  const people = answers.map((answer) => claimsOf(sessionOf(answer)).sub)
  expect(new Set(people).size).toBe(1)
})

test("an old session of the browser, or a bad one, does not stand in the way", async () => {
  const headers = { cookie: "__Host-access=left.over.token" }
  const begun = await begin({}, { headers: { ...headers, origin: "https://hinterland.test" } })
  const cookie = `${begun.cookie}; ${headers.cookie}`
  sessionOf(await comeBack({ cookie }, grant(begun.url, claimsFor("erin"))))
})

test("a program takes the code itself, and gets its session as JSON", async () => {
  const redirectUri = "com.example.club:/back"
  const { url, ticket, cookie } = await begin({ redirectUri })
  expect(cookie).toBe("")
  expect(new URL(url).searchParams.get("redirect_uri")).toBe(redirectUri)
  const answer = await call("/auth/sessions", {
    env,
    body: { ticket, ...grant(url, claimsFor("frank")) },
  })
  expect(trips(answer)).toBe("3")
  const { user, accessToken } = await json<SignedIn>(answer, 201)
  expect(user.email).toBe("frank@example.com")
  expect(claimsOf(accessToken).amr).toEqual(["fed"])
})

test("whoever has a second factor is asked for it, and the code is used up", async () => {
  const grace = await guarded("grace")
  await query(
    sql`INSERT INTO identities (id, user, provider, issuer, subject, email, createdAt) VALUES ('grace', ${grace.user.id}, 'acme', ${issuer}, 'sub-grace', 'grace@example.com', '2026')`,
  )
  const begun = await begin({ returnTo: "/films" })
  const returned = grant(begun.url, claimsFor("grace"))
  const answer = await comeBack(begun, returned)
  expect(trips(answer)).toBe("2")
  expect(answer.headers.getSetCookie().join()).not.toContain("__Host-access")
  const { error, challenge, methods } = fragmentOf(answer)
  expect([error, methods]).toEqual(["second_factor_required", "otp rcv"])
  const second = call("/auth/sessions", {
    env,
    headers: elsewhere(),
    body: { challenge, code: codeOf(grace.secret) },
  })
  expect(claimsOf((await json<SignedIn>(second, 201)).accessToken)).toMatchObject({
    amr: ["fed", "otp"],
    acr: "aal2",
  })
  // Also if the provider would take the code once more.
  standIn.granted.set(returned.code, {
    parameters: new URL(begun.url).searchParams,
    claims: claimsFor("grace"),
  })
  expect(fragmentOf(await comeBack(begun, returned))).toEqual({ error: "code_invalid" })
})

test("an address that has an account is not linked by itself, whether it is verified or not", async () => {
  const heidi = await signUp("heidi")
  for (const verifiedAt of [null, new Date().toISOString()]) {
    await query(sql`UPDATE users SET emailVerifiedAt = ${verifiedAt} WHERE id = ${heidi.id}`)
    for (const email of ["heidi@example.com", "HEIDI@Example.COM"]) {
      const answer = await visit({ ...claimsFor("heidi"), email })
      expect(fragmentOf(answer)).toEqual({ error: "identity_not_linked" })
      expect(answer.headers.getSetCookie().join()).not.toContain("__Host-access")
    }
  }
  expect(await query(sql`SELECT 1 FROM identities WHERE subject = 'sub-heidi'`)).toEqual([])
})

test("an address that its former owner can still take back is not given away", async () => {
  const ivan = await signedIn("ivan")
  const { hash } = await import("node:crypto")
  const reserved = hash("sha256", "email-reservation\nivan.old@example.com")
  await query(
    sql`INSERT INTO account_tokens (hash, purpose, user, createdAt, expiresAt) VALUES (${reserved}, 'email_reservation', ${ivan.user.id}, '2026', '9999')`,
  )
  const answer = await visit({ ...claimsFor("ivan"), email: "ivan.old@example.com" })
  expect(fragmentOf(answer)).toEqual({ error: "identity_not_linked" })
})

test.each([
  ["false", { email_verified: false }],
  ["missing", { email_verified: undefined }],
  ['"false"', { email_verified: "false" }],
  ["0", { email_verified: 0 }],
  ["1", { email_verified: 1 }],
  ['"TRUE"', { email_verified: "TRUE" }],
  ["without an address", { email: undefined }],
  ["of no address", { email: "nobody" }],
  ["of several addresses", { email: ["a@example.com", "b@example.com"] }],
  ["of an address with NUL", { email: "mallory\0@example.com" }],
])("a new identity whose verification is %s gets nothing", async (_, claims) => {
  const answer = await visit({ ...claimsFor("mallory"), ...claims })
  expect(fragmentOf(answer)).toEqual({ error: "email_unverified" })
  expect(await query(sql`SELECT 1 FROM users WHERE email LIKE 'mallory%'`)).toEqual([])
})

test('a verification that is "true" as text counts, as Apple writes it', async () => {
  sessionOf(await visit({ ...claimsFor("judy"), email_verified: "true" }))
})

test.each([
  ["an array", ["Judy"]],
  ["two lines", "Judy\r\nBcc: all@example.com"],
  ["NUL", "Ju\0dy"],
  ["a thousand letters", "J".repeat(1_000)],
  ["blanks", "   "],
])("a name that is %s is none", async (title, name) => {
  const who = `named-${title.replaceAll(" ", "-")}`
  const token = sessionOf(await visit({ ...claimsFor(who), name } as never))
  expect(await json(call("/auth/me", { token, env }), 200)).toMatchObject({ name: null })
})

test("what the issuer keeps out of its token is asked for apart, and must be of the same person", async () => {
  const apart = withProviders()
  standIn.metadata = { userinfo_endpoint: `${issuer}/me` }
  sessionOf(await visit(claimsFor("kim"), { env: apart }))
  expect(standIn.asked.at(-1)).toBe(`GET ${issuer}/me`)
  standIn.answers.set(`${issuer}/me`, () => Response.json({ ...claimsFor("kim"), sub: "another" }))
  const answer = await visit(claimsFor("kim"), { env: apart })
  expect(fragmentOf(answer)).toEqual({ error: "provider_failed" })
})

test("disabled people are refused", async () => {
  const { sub } = claimsOf(sessionOf(await visit(claimsFor("lou"))))
  await query(sql`UPDATE users SET disabledAt = '2026' WHERE id = ${sub}`)
  expect(fragmentOf(await visit(claimsFor("lou")))).toEqual({ error: "account_disabled" })
})

test("where addresses have to be verified, an identity does not stand in for it", async () => {
  const strict = withProviders(undefined, { REQUIRE_VERIFIED_EMAIL: "on" })
  const { sub } = claimsOf(sessionOf(await visit(claimsFor("mia"), { env: strict })))
  await query(sql`UPDATE users SET emailVerifiedAt = NULL WHERE id = ${sub}`)
  const answer = await visit(claimsFor("mia"), { env: strict })
  expect(fragmentOf(answer)).toEqual({ error: "email_unverified" })
})

test("an organisation that asks for a second factor does not let the session in", async () => {
  const { sub } = claimsOf(sessionOf(await visit(claimsFor("nora"))))
  await query(
    sql`INSERT INTO organisations (id, name, database, createdAt, policy) VALUES ('club', 'Club', 'main', '2026', '{"secondFactorRequired":true}')`,
  )
  await query(
    sql`INSERT INTO organisation_members (organisation, user, roles, createdAt) VALUES ('club', ${sub}, '["member"]', '2026')`,
  )
  expect(claimsOf(sessionOf(await visit(claimsFor("nora"))))).toMatchObject({ org: null })
})

test("a sign-in from a new device is told by mail", async () => {
  const { sub } = claimsOf(sessionOf(await visit(claimsFor("olga"))))
  const begun = await begin()
  const headers = { "user-agent": "Another/1.0", "cf-connecting-ip": "203.0.113.77" }
  sessionOf(await comeBack(begun, grant(begun.url, claimsFor("olga")), { headers }))
  const [mail] = await mailsTo(sub, "account.notice")
  expect(mail?.subject).toBe("New sign-in to your account")
})

test("the language of the browser is that of the account's mails", async () => {
  const begun = await begin()
  const headers = { "accept-language": "de-AT,de;q=0.9" }
  const answer = await comeBack(begun, grant(begun.url, claimsFor("paul")), { headers })
  const [row] = await query(
    sql`SELECT locale FROM users WHERE id = ${claimsOf(sessionOf(answer)).sub}`,
  )
  expect(row?.locale).toBe("de")
})

test("buttons are for the providers of the deployment, in order, and nothing of their settings is told", async () => {
  const text = await (await call("/auth/providers", { env, token: "stale" })).text()
  expect(JSON.parse(text)).toEqual({
    items: [{ name: "acme", kind: "oidc", label: "acme" }],
    next: null,
  })
  expect(await json(call("/auth/providers"), 200)).toEqual({ items: [], next: null })
  const unknown = call("/auth/providers/acme/authorizations", { body: {} })
  expect(await refusal(unknown, 404)).toBe("not_found")
})

test("the provider is asked what it is once an hour, and trusted a day when it is down", async () => {
  const own = withProviders()
  vi.useFakeTimers({ toFake: ["Date"] })
  try {
    const discoveries = () => standIn.asked.filter((one) => one.includes("openid-conf")).length
    await begin({}, { env: own })
    await begin({}, { env: own })
    expect(discoveries()).toBe(1)
    vi.setSystemTime(Date.now() + 3_601_000)
    await begin({}, { env: own })
    expect(discoveries()).toBe(2)
    const down = `${issuer}/.well-known/openid-configuration`
    standIn.answers.set(down, () => new Response(null, { status: 503 }))
    vi.setSystemTime(Date.now() + 23 * 3_600_000)
    await begin({}, { env: own })
    vi.setSystemTime(Date.now() + 2 * 3_600_000)
    const later = call("/auth/providers/acme/authorizations", { env: own, body: {} })
    expect(await refusal(later, 502)).toBe("provider_failed")
  } finally {
    vi.useRealTimers()
  }
})

test("a provider that is down is asked once in a while, and not for everybody who wants to sign in", async () => {
  const own = withProviders()
  vi.useFakeTimers({ toFake: ["Date"] })
  try {
    const address = `${issuer}/.well-known/openid-configuration`
    standIn.answers.set(address, () => new Response(null, { status: 503 }))
    const tried = () => call("/auth/providers/acme/authorizations", { env: own, body: {} })
    for (let n = 0; n < 5; n++) expect(await refusal(tried(), 502)).toBe("provider_failed")
    expect(standIn.asked).toHaveLength(1)
    standIn.answers.clear()
    expect(await refusal(tried(), 502)).toBe("provider_failed")
    vi.setSystemTime(Date.now() + 15_000)
    expect((await tried()).status).toBe(201)
    expect(standIn.asked).toHaveLength(2)
  } finally {
    vi.useRealTimers()
  }
})
