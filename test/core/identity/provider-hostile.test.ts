import fc from "fast-check"
import { base64url, exportSPKI, generateKeyPair, importSPKI, SignJWT } from "jose"
import { beforeEach, expect, test, vi } from "vitest"
import { sql } from "../../../src/platform/sql.ts"
import { type Call, call, json, query, refusal } from "./cast.ts"
import { elsewhere } from "./mailbox.ts"
import {
  acme,
  type Begun,
  begin,
  claimsFor,
  clientId,
  clientPassword,
  comeBack,
  env,
  fragmentOf,
  grant,
  issuer,
  publicJwk,
  type Returned,
  resetStandIn,
  sessionOf,
  signed,
  standIn,
  visit,
  withProviders,
} from "./stand-in-issuer.ts"

let logged: string[]
beforeEach(() => {
  vi.restoreAllMocks()
  resetStandIn()
  logged = []
  for (const level of ["info", "warn", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((line: string) => {
      logged.push(line)
    })
  }
})

const people = async () => (await query(sql`SELECT count(*) AS n FROM users`))[0]?.n
const sessions = async () => (await query(sql`SELECT count(*) AS n FROM sessions`))[0]?.n

/** Nobody got in, nobody was made. */
async function gainsNothing<T>(attempt: () => Promise<T>): Promise<T> {
  const before = [await people(), await sessions()]
  const outcome = await attempt()
  expect([await people(), await sessions()]).toEqual(before)
  return outcome
}

interface Journey {
  readonly begun: Begun
  readonly returned: Returned
}

/** Another's way to the provider and back, up to the last step. */
async function journey(name: string, options: Call = {}): Promise<Journey> {
  const begun = await begin({}, options)
  return { begun, returned: grant(begun.url, claimsFor(name)) }
}

const flip = (text: string, at: number) =>
  text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1)

const badReturns: Record<string, (mine: Journey, other: Journey) => [cookie: string, object]> = {
  "no cookie at all": (mine) => ["", mine.returned],
  "the way of another browser": (mine, other) => [mine.begun.cookie, other.returned],
  "another's state and one's own cookie under its name": (mine, other) => [
    `${other.begun.cookie.split("=")[0]}=${mine.begun.cookie.split("=")[1]}`,
    { ...mine.returned, state: other.returned.state },
  ],
  "a state of which one letter is another": (mine) => [
    mine.begun.cookie,
    { ...mine.returned, state: flip(mine.returned.state, 42) },
  ],
  "a state that is cut short": (mine) => [
    mine.begun.cookie,
    { ...mine.returned, state: mine.returned.state.slice(0, -1) },
  ],
  "a state with a cookie's syntax in it": (mine) => [
    mine.begun.cookie,
    { ...mine.returned, state: `${mine.returned.state.slice(0, 12)}=;` },
  ],
  "a ticket of which one letter is another": (mine) => [
    flip(mine.begun.cookie, mine.begun.cookie.length - 20),
    mine.returned,
  ],
}

test.each(Object.entries(badReturns))("nobody comes back with %s", async (_, bend) => {
  const [mine, other] = [await journey("mallory"), await journey("victim")]
  const [cookie, returned] = bend(mine, other)
  const code = await gainsNothing(() => refusal(comeBack({ cookie }, returned), 401))
  expect(code).toBe("token_invalid")
  expect(standIn.asked.filter((one) => one.includes("/token"))).toEqual([])
  sessionOf(await comeBack(other.begun, other.returned))
})

test("a code of another's sign-in is of no use with one's own state and cookie", async () => {
  const [mine, other] = [await journey("mallory"), await journey("victim-too")]
  const swapped = { ...mine.returned, code: other.returned.code }
  const answer = await gainsNothing(() => comeBack(mine.begun, swapped))
  expect(fragmentOf(answer)).toEqual({ error: "code_invalid" })
})

test("a code is good once, also at a provider that would take it again", async () => {
  const { begun, returned } = await journey("once")
  sessionOf(await comeBack(begun, returned))
  expect(fragmentOf(await comeBack(begun, returned))).toEqual({ error: "code_invalid" })
  const { searchParams: parameters } = new URL(begun.url)
  standIn.granted.set(returned.code, { parameters, claims: claimsFor("once") })
  const answer = await gainsNothing(() => comeBack(begun, returned))
  expect(fragmentOf(answer)).toEqual({ error: "code_invalid" })
})

test("of ten returns at once with one ticket one is let in", async () => {
  const { begun, returned } = await journey("rush")
  sessionOf(await visit(claimsFor("rush")))
  const { searchParams: parameters } = new URL(begun.url)
  vi.spyOn(standIn.granted, "delete").mockReturnValue(true)
  standIn.granted.set(returned.code, { parameters, claims: claimsFor("rush") })
  const answers = await Promise.all(Array.from({ length: 10 }, () => comeBack(begun, returned)))
  const outcomes = answers.map((answer) => fragmentOf(answer).error ?? "in").sort()
  expect(outcomes).toEqual([...Array(9).fill("code_invalid"), "in"])
})

test("a ticket is good for ten minutes", async () => {
  const { begun, returned } = await journey("slow")
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 600_001 })
  try {
    const code = await gainsNothing(() => refusal(comeBack(begun, returned), 401))
    expect(code).toBe("token_invalid")
  } finally {
    vi.useRealTimers()
  }
})

test("a ticket of one provider is of no use at another's address", async () => {
  const two = withProviders([acme, { ...acme, name: "other" }])
  const { begun, returned } = await journey("mixed", { env: two })
  const tried = comeBack(begun, returned, { env: two }, "other")
  expect(await refusal(tried, 401)).toBe("token_invalid")
})

test.each([
  ["of another issuer", { iss: "https://evil.example" }, false],
  ["of the same with a slash", { iss: `${issuer}/` }, false],
  ["missing, where it always says it", {}, true],
])("an answer whose issuer is %s is refused (RFC 9207)", async (_, said, always) => {
  const own = withProviders()
  standIn.metadata = { authorization_response_iss_parameter_supported: always }
  const { begun, returned } = await journey("mixed-up", { env: own })
  const answer = await gainsNothing(() => comeBack(begun, { ...returned, ...said }, { env: own }))
  expect(fragmentOf(answer)).toEqual({ error: "code_invalid" })
  expect(standIn.asked.filter((one) => one.includes("/token"))).toEqual([])
})

test("an answer of the right issuer is let in", async () => {
  const own = withProviders()
  standIn.metadata = { authorization_response_iss_parameter_supported: true }
  const { begun, returned } = await journey("named", { env: own })
  sessionOf(await comeBack(begun, { ...returned, iss: issuer }, { env: own }))
})

test.each([
  "access_denied",
  "server_error",
  "user_cancelled_authorize",
  "<script>alert(1)</script>",
])("a person who is sent back with %s is told so, in our words", async (error) => {
  const { begun, returned } = await journey("unwilling")
  const { state } = returned
  const answer = await gainsNothing(() => comeBack(begun, { state, error }))
  expect(fragmentOf(answer)).toEqual({ error: "authorization_denied" })
  expect(standIn.asked.filter((one) => one.includes("/token"))).toEqual([])
})

const other = await generateKeyPair("RS256")
const pem = "-----BEGIN PUBLIC KEY-----"

const forgeries: Record<string, (claims: Record<string, unknown>) => string | Promise<string>> = {
  "of another audience": (claims) => signed({ ...claims, aud: "another" }),
  "of several audiences, and for another of them": (claims) =>
    signed({ ...claims, aud: [clientId, "another"], azp: "another" }),
  "of several audiences, and not said for which": (claims) =>
    signed({ ...claims, aud: [clientId, "another"] }),
  "without an audience": ({ aud: _, ...claims }) => signed(claims),
  "of another issuer": (claims) => signed({ ...claims, iss: "https://evil.example" }),
  "of the issuer with a slash": (claims) => signed({ ...claims, iss: `${issuer}/` }),
  "without a subject": ({ sub: _, ...claims }) => signed(claims),
  "with an empty subject": (claims) => signed({ ...claims, sub: "" }),
  "with a subject that is a number": (claims) => signed({ ...claims, sub: 1 }),
  "with a subject of a thousand letters": (claims) => signed({ ...claims, sub: "a".repeat(1_000) }),
  expired: (claims) => signed({ ...claims, exp: Math.floor(Date.now() / 1_000) - 61 }),
  "without an end": ({ exp: _, ...claims }) => signed(claims),
  "not valid yet": (claims) => signed({ ...claims, nbf: Math.floor(Date.now() / 1_000) + 120 }),
  "without a nonce": ({ nonce: _, ...claims }) => signed(claims),
  unsigned: (claims) =>
    `${base64url.encode('{"alg":"none"}')}.${base64url.encode(JSON.stringify(claims))}.`,
  "signed by another with the same key id": (claims) => signed(claims, "one", other.privateKey),
  "signed with an unknown key": (claims) => signed(claims, "two", other.privateKey),
  "signed as a MAC with the public key": async (claims) => {
    const spki = await exportSPKI(await importSPKI(await publicPem(), "RS256"))
    return new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256", kid: "one" })
      .sign(new TextEncoder().encode(spki))
  },
  "signed as a MAC with the client's password": (claims) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256" })
      .sign(new TextEncoder().encode(clientPassword)),
  "tampered with": async (claims) => {
    const [head, , signature] = (await signed(claims)).split(".")
    const body = base64url.encode(JSON.stringify({ ...claims, sub: "victim" }))
    return `${head}.${body}.${signature}`
  },
  "cut short": async (claims) => (await signed(claims)).slice(0, -10),
  "no token": () => "no token at all",
  "of two parts": () => "e30.e30",
}

async function publicPem(): Promise<string> {
  const { importJWK } = await import("jose")
  const key = (await importJWK(publicJwk, "RS256", { extractable: true })) as CryptoKey
  const spki = await exportSPKI(key)
  expect(spki).toContain(pem)
  return spki
}

test.each(Object.entries(forgeries))("an identity token is refused: %s", async (_, forge) => {
  standIn.forge = forge
  const answer = await gainsNothing(() => visit(claimsFor("forged")))
  expect(fragmentOf(answer)).toEqual({ error: "provider_failed" })
  expect(logged.join()).toContain('"step":"identityToken"')
})

test.each([
  ["of another sign-in", (nonce: string) => flip(nonce, 3)],
  ["that is empty", () => ""],
])("an identity token with a nonce %s is refused: its code was slipped in", async (_, bend) => {
  standIn.forge = (claims) => signed({ ...claims, nonce: bend(claims.nonce as string) })
  const answer = await gainsNothing(() => visit(claimsFor("slipped")))
  expect(fragmentOf(answer)).toEqual({ error: "code_invalid" })
})

test("an answer without an identity token is refused", async () => {
  standIn.answers.set(`${issuer}/token`, () => Response.json({ access_token: "planted" }))
  expect(fragmentOf(await visit(claimsFor("bare")))).toEqual({ error: "provider_failed" })
})

test("a key that the issuer has added since is found, and made-up ones do not make us ask each time", async () => {
  const own = withProviders()
  vi.useFakeTimers({ toFake: ["Date"] })
  try {
    sessionOf(await visit(claimsFor("rotated"), { env: own }))
    const { exportJWK } = await import("jose")
    const fresh = await generateKeyPair("RS256", { extractable: true })
    standIn.keys = [publicJwk, { ...(await exportJWK(fresh.publicKey)), kid: "two" }]
    standIn.forge = (claims) => signed(claims, "two", fresh.privateKey)
    vi.setSystemTime(Date.now() + 31_000)
    sessionOf(await visit(claimsFor("rotated"), { env: own }))
    standIn.forge = (claims) => signed(claims, crypto.randomUUID(), fresh.privateKey)
    for (let n = 0; n < 5; n++) {
      const answer = await visit(claimsFor("rotated"), { env: own })
      expect(fragmentOf(answer)).toEqual({ error: "provider_failed" })
    }
    expect(standIn.asked.filter((one) => one.endsWith("/keys"))).toHaveLength(2)
  } finally {
    vi.useRealTimers()
  }
})

const failures: Record<string, () => Response | Promise<Response>> = {
  "is down": () => new Response("down", { status: 503 }),
  "is not there": () => Promise.reject(new TypeError("planted: connection refused")),
  "answers HTML": () =>
    new Response("<h1>Hello</h1>", { headers: { "content-type": "text/html; charset=utf-8" } }),
  "answers HTML that says to be JSON": () =>
    new Response("<h1>", { headers: { "content-type": "application/json" } }),
  "answers something else": () => Response.json({ hello: "world" }),
  "answers an array": () => Response.json([]),
  "answers null": () => Response.json(null),
  "answers nothing": () =>
    new Response(null, { status: 204, headers: { "content-type": "application/json" } }),
  "leads elsewhere": () =>
    new Response(null, { status: 302, headers: { location: "http://169.254.169.254/" } }),
  "answers without an end": () =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new TextEncoder().encode(" ".repeat(65_536))),
      }),
      { headers: { "content-type": "application/json" } },
    ),
}

const places = ["/.well-known/openid-configuration", "/keys", "/token", "/me"]

test.each(
  Object.entries(failures).flatMap(([what, answer]) =>
    places.map((place) => [what, place, answer] as const),
  ),
)("a provider that %s at %s is told as its failure", async (_, place, answer) => {
  const own = withProviders()
  if (place === "/me") standIn.metadata = { userinfo_endpoint: `${issuer}/me` }
  standIn.answers.set(issuer + place, answer)
  await gainsNothing(async () => {
    if (place === places[0]) {
      const tried = call("/auth/providers/acme/authorizations", { env: own, body: {} })
      expect(await refusal(tried, 502)).toBe("provider_failed")
    } else {
      const returned = await visit(claimsFor("unlucky"), { env: own })
      expect(fragmentOf(returned)).toEqual({ error: "provider_failed" })
    }
  })
  expect(standIn.asked.join()).not.toContain("169.254")
  const lines = logged.filter((line) => line.includes("identity provider failed"))
  expect(lines).toHaveLength(1)
  expect(logged.join()).not.toMatch(/planted|Hello/)
})

test.each([
  ["says to be another", { issuer: "https://evil.example" }],
  ["has a token endpoint without TLS", { token_endpoint: "http://id.example/token" }],
  ["has keys in a file", { jwks_uri: "file:///etc/passwd" }],
  ["has keys without TLS", { jwks_uri: "http://169.254.169.254/keys" }],
  ["leads people to a script", { authorization_endpoint: "javascript:alert(1)" }],
  ["leads people away without TLS", { authorization_endpoint: "http://id.example/authorize" }],
  ["has people described in the clear", { userinfo_endpoint: "http://id.example/me" }],
])("an issuer that %s is not believed", async (_, metadata) => {
  standIn.metadata = metadata
  const tried = call("/auth/providers/acme/authorizations", { env: withProviders(), body: {} })
  expect(await refusal(tried, 502)).toBe("provider_failed")
})

test.each([
  ["invalid_client", "provider_failed"],
  ["planted_and_never_logged", "provider_failed"],
  ["invalid_grant", "code_invalid"],
])("a token endpoint that says %s is told as %s", async (error, code) => {
  const body = { error, error_description: "planted description" }
  standIn.answers.set(`${issuer}/token`, () => Response.json(body, { status: 400 }))
  expect(fragmentOf(await visit(claimsFor("refused")))).toEqual({ error: code })
  expect(logged.join()).not.toContain("planted")
  if (error === "invalid_client") expect(logged.join()).toContain('"reason":"invalid_client"')
})

test.each([
  "https://evil.example/",
  "//evil.example/",
  "/\\evil.example/",
  "\\\\evil.example",
  "/\t/evil.example/",
  "https://hinterland.test.evil.example/",
  "https://hinterland.test@evil.example/",
  "https://user:password@hinterland.test/",
  "http://hinterland.test/",
  "https://hinterland.test:8443/",
  "javascript:alert(document.cookie)",
  "data:text/html,<script>",
  "com.example.club:/back",
  "blob:https://hinterland.test/1",
  "https://club.example.evil.example/",
  "/page#token",
  "https://",
  `/${"é".repeat(999)}`,
])("nobody is led to %s", async (returnTo) => {
  const tried = call("/auth/providers/acme/authorizations", {
    env,
    headers: elsewhere(),
    body: { returnTo },
  })
  const { code, errors } = await json<{ code: string; errors: object[] }>(tried, 400)
  expect(code).toBe("invalid_input")
  expect(errors).toMatchObject([{ path: "returnTo", code: "not_allowed" }])
})

test.each([
  ["films?search=a b", "https://hinterland.test/films?search=a%20b"],
  ["/", "https://hinterland.test/"],
  ["https:evil.example", "https://hinterland.test/evil.example"],
  ["https://hinterland.test/x", "https://hinterland.test/x"],
  ["https://club.example/back?x=1", "https://club.example/back?x=1"],
  ["http://127.0.0.1:5173/", "http://127.0.0.1:5173/"],
])("people are led to %s, which is the deployment's", async (returnTo, page) => {
  const begun = await begin({ returnTo })
  const { state } = grant(begun.url, {})
  const answer = await comeBack(begun, { state, error: "access_denied" })
  expect(answer.headers.get("location")).toBe(`${page}#error=authorization_denied`)
})

const schemes = fc.constantFrom(
  "",
  "/",
  "//",
  "\\\\",
  "https:",
  "https://",
  "http://",
  "/\\",
  "blob:https://",
)
const hosts = fc.constantFrom("", "evil.example", "hinterland.test", "club.example", "127.0.0.1")
const joints = fc.constantFrom("", "/", "@", ":443", ".", "\\", "?", "#", "%2f", "\t", " ", "\0")
const addresses = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 40 }),
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc
    .tuple(joints, schemes, hosts, joints, hosts, joints, fc.webPath())
    .map((parts) => parts.join("") || "/"),
)

test("whatever address a page names, nobody is led off the deployment", async () => {
  const led: string[] = []
  await fc.assert(
    fc.asyncProperty(addresses, async (returnTo) => {
      const answer = await call("/auth/providers/acme/authorizations", { env, body: { returnTo } })
      if (answer.status === 400) return
      const { url } = await json<Begun>(answer, 201)
      const cookie = answer.headers.getSetCookie()[0]?.split(";")[0] as string
      const { state } = grant(url, {})
      const back = await comeBack({ cookie }, { state, error: "access_denied" })
      const { protocol, host, origin } = new URL(back.headers.get("location") as string)
      expect(protocol).toMatch(/^https?:$/)
      expect(["hinterland.test", "club.example", "127.0.0.1"]).toContain(host.replace(/:\d+$/, ""))
      led.push(origin)
    }),
    // Two that are led somewhere, so that refusing everything would not pass.
    { numRuns: 400, examples: [["/films"], ["https://club.example/films"]] },
  )
  expect(new Set(led).size).toBeGreaterThan(1)
})

test("in production, loopback is elsewhere too", async () => {
  const tried = call("/auth/providers/acme/authorizations", {
    env: withProviders(undefined, { ENVIRONMENT: "production", RATE_LIMIT: "off" }),
    body: { returnTo: "http://127.0.0.1:5173/" },
  })
  expect(await refusal(tried, 400)).toBe("invalid_input")
})

test.each([
  "https://evil.example/back",
  "com.example.club:/back/elsewhere",
  "com.example.club:/back?x=1",
  "com.example.other:/back",
  "https://club.example@evil.example/",
  "https://club.example/back#x",
])("no code is sent to %s", async (redirectUri) => {
  const tried = call("/auth/providers/acme/authorizations", { env, body: { redirectUri } })
  expect(await refusal(tried, 400)).toBe("invalid_input")
})

test("a program's ticket does not come back by a cookie, nor a page's by a program", async () => {
  const program = await begin({ redirectUri: "https://club.example/back" })
  const returned = grant(program.url, claimsFor("confused"))
  const cookie = `__Host-ticket-${returned.state.slice(0, 12)}=${program.ticket}`
  expect(await refusal(comeBack({ cookie }, returned), 401)).toBe("token_invalid")

  const page = await journey("confused")
  const ticket = page.begun.cookie.split("=")[1]
  const tried = call("/auth/sessions", { env, body: { ticket, ...page.returned } })
  expect(await refusal(tried, 401)).toBe("token_invalid")
})

test("a program's code is of no use with another's ticket, nor without one", async () => {
  const redirectUri = "https://club.example/back"
  const [mine, others] = [await begin({ redirectUri }), await begin({ redirectUri })]
  const returned = grant(others.url, claimsFor("intercepted"))
  const bodies = [
    { ticket: mine.ticket, ...returned },
    { ticket: mine.ticket, ...returned, state: grant(mine.url, {}).state },
    { ticket: "x", ...returned },
    { ticket: returned.state, ...returned },
  ]
  const codes: string[] = []
  await gainsNothing(async () => {
    for (const body of bodies) codes.push(await refusal(call("/auth/sessions", { env, body }), 401))
  })
  expect(codes).toEqual(["token_invalid", "code_invalid", "token_invalid", "token_invalid"])
})

test("a page of another site cannot set out", async () => {
  for (const headers of [{ origin: "https://evil.example" }, { origin: "null" }]) {
    const tried = call("/auth/providers/acme/authorizations", { env, headers, body: {} })
    const answer = await tried
    expect(answer.headers.getSetCookie()).toEqual([])
    expect(await refusal(answer, 403)).toBe("forbidden")
  }
  // As a form of another site would send it.
  const form = call("/auth/providers/acme/authorizations", {
    env,
    headers: { "content-type": "text/plain" },
    body: "{}",
  })
  expect(await refusal(form, 415)).toBe("unsupported_media_type")
})

test("no code, token, ticket, secret or address is in a log line, the change log, or another table", async () => {
  const { begun, returned } = await journey("planted-person")
  const answer = await comeBack(begun, returned)
  sessionOf(answer)
  standIn.forge = async (claims) => `${await signed(claims)}x`
  await visit(claimsFor("planted-person"))
  await call("/auth/providers/acme/callback?state=x&code=planted-code", {
    env: { ...env, DB: undefined },
  })
  const ticket = begun.cookie.split("=")[1] as string
  const [access] = [...standIn.tokens.keys()]
  const places = [logged.join("\n")]
  const tables = await query(
    sql`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_cf%' ESCAPE '\\'`,
  )
  for (const { name } of tables as { name: string }[]) {
    const rows = await query({ text: `SELECT * FROM "${name}"`, params: [] } as never)
    places.push(JSON.stringify(rows))
  }
  const planted = [returned.code, returned.state, ticket, access, clientPassword, "eyJ"]
  for (const place of places) {
    for (const one of planted) expect(place).not.toContain(one)
  }
  expect(places[0]).not.toContain("planted")
  expect(logged.length).toBeGreaterThan(1)
})
