import {
  decodeProtectedHeader,
  exportPKCS8,
  generateKeyPair,
  type JWTPayload,
  jwtVerify,
} from "jose"
import { beforeEach, expect, test, vi } from "vitest"
import { sql } from "../../../src/platform/sql.ts"
import { call, claimsOf, json, query } from "./cast.ts"
import { elsewhere } from "./mailbox.ts"
import {
  fragmentOf,
  publicJwk,
  resetStandIn,
  sessionOf,
  signed,
  standIn,
  withProviders,
} from "./stand-in-issuer.ts"

const appleKey = await generateKeyPair("ES256", { extractable: true })
const work = "11111111-2222-3333-4444-555555555555"
const consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"
const microsoft = (tenant: string) => `https://login.microsoftonline.com/${tenant}/v2.0`

const client = { clientId: "club", clientSecret: "a client's own" }
const apple = {
  name: "apple",
  kind: "apple",
  clientId: "club",
  teamId: "TEAM",
  keyId: "KEY",
  privateKey: await exportPKCS8(appleKey.privateKey),
}

beforeEach(() => {
  vi.restoreAllMocks()
  resetStandIn()
})

interface Seen {
  form: URLSearchParams
  authorization: string | null
}

/** An issuer at that address, which answers any code with a token of these claims. */
function serve(address: string, says: string, metadata: object, claims: () => JWTPayload): Seen {
  const seen: Seen = { form: new URLSearchParams(), authorization: null }
  standIn.answers.set(`${address}/.well-known/openid-configuration`, () =>
    Response.json({
      issuer: says,
      authorization_endpoint: `${address}/authorize`,
      token_endpoint: `${address}/token`,
      jwks_uri: `${address}/keys`,
      ...metadata,
    }),
  )
  standIn.answers.set(`${address}/keys`, () => Response.json({ keys: [publicJwk] }))
  standIn.answers.set(`${address}/token`, async (request) => {
    seen.form = new URLSearchParams(new TextDecoder().decode(await request.arrayBuffer()))
    seen.authorization = request.headers.get("authorization")
    const now = Math.floor(Date.now() / 1_000)
    const common = { iss: says, aud: "club", iat: now, exp: now + 300, nonce }
    const token = await signed({ ...common, ...claims() })
    return Response.json({ access_token: "a token", id_token: token })
  })
  return seen
}

let nonce: string | null

async function setOut(env: object, name: string) {
  const answer = await call(`/auth/providers/${name}/authorizations`, {
    env,
    headers: elsewhere(),
    body: {},
  })
  const { url } = await json<{ url: string }>(answer, 201)
  const { searchParams, origin } = new URL(url)
  nonce = searchParams.get("nonce")
  const [cookie = ""] = answer.headers.getSetCookie()
  return { searchParams, origin, cookie, state: searchParams.get("state") as string }
}

async function through(env: object, name: string): Promise<Response> {
  const { cookie, state } = await setOut(env, name)
  return call(
    `/auth/providers/${name}/callback?${new URLSearchParams({ state, code: "a code" })}`,
    {
      env,
      headers: { cookie: cookie.split(";")[0] as string },
    },
  )
}

test("Google is an OIDC issuer like any other", async () => {
  const env = withProviders([{ name: "google", kind: "google", ...client }])
  const address = "https://accounts.google.com"
  serve(address, address, {}, () => ({
    sub: "1",
    email: "google@example.com",
    email_verified: true,
  }))
  expect(claimsOf(sessionOf(await through(env, "google"))).email).toBe("google@example.com")
})

test("a client that is told how to authenticate does so, and one without a password says its name", async () => {
  const issuer = "https://sso.example/realms/club"
  const common = { name: "sso", kind: "oidc", clientId: "club", issuer }
  const claims = () => ({ sub: "1", email: "sso@example.com", email_verified: true })
  const posted = withProviders([
    { ...common, clientSecret: "p w", clientAuthentication: "client_secret_post" },
  ])
  const seen = serve(issuer, issuer, {}, claims)
  sessionOf(await through(posted, "sso"))
  expect(seen.authorization).toBeNull()
  expect(seen.form.get("client_secret")).toBe("p w")

  const published = serve(issuer, issuer, {}, claims)
  sessionOf(await through(withProviders([common]), "sso"))
  expect(published.authorization).toBeNull()
  expect(Object.fromEntries(published.form)).toEqual({
    grant_type: "authorization_code",
    code: "a code",
    redirect_uri: "https://hinterland.test/auth/providers/sso/callback",
    code_verifier: expect.stringMatching(/^[\w-]{43}$/),
    client_id: "club",
  })
})

const edov = (value: unknown) => ({
  sub: `ms-${JSON.stringify(value)}`,
  tid: work,
  email: `ms-${String(value).replace(/\W/g, "")}@example.com`,
  email_verified: true,
  xms_edov: value,
})

test.each([[true], [1], ["1"], ["true"]])(
  "Microsoft's address counts where its tenant owns the domain: %j",
  async (value) => {
    const env = withProviders([{ name: "ms", kind: "microsoft", ...client, tenant: work }])
    serve(microsoft(work), microsoft(work), {}, () => ({
      ...edov(value),
      email: `${crypto.randomUUID()}@example.com`,
    }))
    sessionOf(await through(env, "ms"))
  },
)

test.each([[undefined], [false], [0], ["0"], ["false"], [null], [[true]]])(
  "Microsoft's address is not believed otherwise, whatever it says of its verification: %j",
  async (value) => {
    const env = withProviders([{ name: "ms", kind: "microsoft", ...client, tenant: work }])
    serve(microsoft(work), microsoft(work), {}, () => edov(value))
    expect(fragmentOf(await through(env, "ms"))).toEqual({ error: "email_unverified" })
  },
)

test("of several tenants each vouches for its own: the same subject of another is another person", async () => {
  const env = withProviders([{ name: "ms", kind: "microsoft", ...client }])
  const people = new Set<string>()
  for (const tid of [work, consumers]) {
    serve(microsoft("common"), microsoft("{tenantid}"), {}, () => ({
      ...edov(true),
      sub: "same",
      iss: microsoft(tid),
      tid,
      email: `${tid}@example.com`,
    }))
    people.add(claimsOf(sessionOf(await through(env, "ms"))).sub)
  }
  expect(people.size).toBe(2)
  const rows = await query(
    sql`SELECT issuer FROM identities WHERE subject = 'same' ORDER BY issuer`,
  )
  expect(rows).toEqual([{ issuer: microsoft(work) }, { issuer: microsoft(consumers) }])
})

test.each([
  ["names another tenant than its issuer", { iss: microsoft(consumers), tid: work }],
  ["names no tenant", { iss: microsoft(work), tid: undefined }],
  ["names what is no tenant", { iss: microsoft("x/../y"), tid: "x/../y" }],
  ["is of the pattern itself", { iss: microsoft("{tenantid}"), tid: "{tenantid}" }],
])("a token of Microsoft's that %s is refused", async (_, claims) => {
  const env = withProviders([{ name: "ms", kind: "microsoft", ...client }])
  serve(microsoft("common"), microsoft("{tenantid}"), {}, () => ({ ...edov(true), ...claims }))
  expect(fragmentOf(await through(env, "ms"))).toEqual({ error: "provider_failed" })
})

test("where work and school accounts may come, a personal one may not", async () => {
  const env = withProviders([{ name: "ms", kind: "microsoft", ...client, tenant: "organizations" }])
  serve(microsoft("organizations"), microsoft("{tenantid}"), {}, () => ({
    ...edov(true),
    iss: microsoft(consumers),
    tid: consumers,
  }))
  expect(fragmentOf(await through(env, "ms"))).toEqual({ error: "provider_failed" })
})

test("Apple posts its answer, with a name the first time, and gets a statement that is signed anew", async () => {
  const env = withProviders([apple])
  const address = "https://appleid.apple.com"
  const seen = serve(address, address, {}, () => ({
    sub: "apple-1",
    email: "apple@example.com",
    email_verified: "true",
  }))
  const { searchParams, cookie, state } = await setOut(env, "apple")
  expect(searchParams.get("response_mode")).toBe("form_post")
  // The only cookie that comes along with a POST of Apple's page.
  expect(cookie).toContain("SameSite=None")
  const answer = await call("/auth/providers/apple/callback", {
    env,
    method: "POST",
    headers: {
      cookie: cookie.split(";")[0] as string,
      origin: address,
      "content-type": "application/x-www-form-urlencoded",
    },
    body: new URLSearchParams({
      state,
      code: "a code",
      user: JSON.stringify({ name: { firstName: "Ada", lastName: "Lovelace" } }),
    }).toString(),
  })
  const token = sessionOf(answer)
  expect(await json(call("/auth/me", { token, env }), 200)).toMatchObject({
    email: "apple@example.com",
    name: "Ada Lovelace",
  })
  const statement = seen.form.get("client_secret") as string
  const verified = await jwtVerify(statement, appleKey.publicKey, {
    issuer: "TEAM",
    subject: "club",
    audience: address,
  })
  expect(decodeProtectedHeader(statement)).toEqual({ alg: "ES256", kid: "KEY" })
  const { exp = 0, iat = 0 } = verified.payload
  expect(exp - iat).toBe(300)
})

test.each(["{", '"x"', '{"name":1}', '{"name":{"firstName":[1]}}', '{"name":{}}'])(
  "what Apple's form says of a name is none where it is %s",
  async (user) => {
    const env = withProviders([apple])
    const address = "https://appleid.apple.com"
    const who = crypto.randomUUID()
    serve(address, address, {}, () => ({
      sub: who,
      email: `${who}@example.com`,
      email_verified: true,
    }))
    const { cookie, state } = await setOut(env, "apple")
    const answer = await call("/auth/providers/apple/callback", {
      env,
      method: "POST",
      headers: {
        cookie: cookie.split(";")[0] as string,
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
      },
      body: new URLSearchParams({ state, code: "a code", user }).toString(),
    })
    const token = sessionOf(answer)
    expect(await json(call("/auth/me", { token, env }), 200)).toMatchObject({ name: null })
  },
)

test("a private key that is none is told to whoever runs the deployment", async () => {
  const privateKey = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"
  const env = withProviders([{ ...apple, privateKey }])
  serve("https://appleid.apple.com", "https://appleid.apple.com", {}, () => ({ sub: "1" }))
  const lines: string[] = []
  vi.spyOn(console, "warn").mockImplementation((line: string) => void lines.push(line))
  expect(fragmentOf(await through(env, "apple"))).toEqual({ error: "provider_failed" })
  expect(lines.join()).toContain("the private key cannot be read")
  expect(lines.join()).not.toContain("AAAA")
})

/** GitHub, where the person has these addresses. */
function serveGithub(id: unknown, emails: unknown): Seen {
  const seen: Seen = { form: new URLSearchParams(), authorization: null }
  standIn.answers.set("https://github.com/login/oauth/access_token", async (request) => {
    seen.form = new URLSearchParams(new TextDecoder().decode(await request.arrayBuffer()))
    return Response.json({ access_token: "gho_token", scope: "user:email", token_type: "bearer" })
  })
  const guarded = (body: unknown) => (request: Request) => {
    seen.authorization = request.headers.get("authorization")
    expect(request.headers.get("user-agent")).toBe("hinterland")
    return Response.json(body)
  }
  standIn.answers.set("https://api.github.com/user", guarded({ id, login: "ann", name: null }))
  standIn.answers.set("https://api.github.com/user/emails", guarded(emails))
  return seen
}

const github = withProviders([{ name: "github", kind: "github", ...client }])
const emailOf = (email: string, primary: boolean, verified: boolean) => ({
  email,
  primary,
  verified,
  visibility: null,
})

test("GitHub's people are known by number, with their primary verified address", async () => {
  const seen = serveGithub(7, [
    emailOf("other@example.com", false, true),
    emailOf("octo@example.com", true, true),
  ])
  const { searchParams, origin } = await setOut(github, "github")
  expect(origin).toBe("https://github.com")
  expect(Object.fromEntries(searchParams)).toMatchObject({
    scope: "read:user user:email",
    code_challenge_method: "S256",
  })
  expect(searchParams.has("nonce")).toBe(false)
  expect(claimsOf(sessionOf(await through(github, "github"))).email).toBe("octo@example.com")
  expect(seen.authorization).toBe("Bearer gho_token")
  expect(Object.fromEntries(seen.form)).toMatchObject({
    client_id: "club",
    client_secret: "a client's own",
    code_verifier: expect.any(String),
  })
  const [row] = await query(sql`SELECT subject, issuer FROM identities WHERE provider = 'github'`)
  expect(row).toEqual({ subject: "7", issuer: "https://github.com/login/oauth" })
})

test.each([
  ["primary, and not verified", [emailOf("a@example.com", true, false)]],
  ["verified, and not primary", [emailOf("a@example.com", false, true)]],
  ["none", []],
])("an address of GitHub's that is %s is not believed", async (_, emails) => {
  serveGithub(8, emails)
  expect(fragmentOf(await through(github, "github"))).toEqual({ error: "email_unverified" })
})

test.each([
  ["a code that it has seen before", { error: "bad_verification_code" }, "code_invalid"],
  ["a wrong password of ours", { error: "incorrect_client_credentials" }, "provider_failed"],
])("GitHub says with status 200 that it got %s", async (_, body, code) => {
  serveGithub(9, [])
  standIn.answers.set("https://github.com/login/oauth/access_token", () => Response.json(body))
  expect(fragmentOf(await through(github, "github"))).toEqual({ error: code })
})

test.each([["text"], [0], [-1], [1.5], [null], [2 ** 60]])(
  "GitHub's number of a person is a whole one: %j is none",
  async (id) => {
    serveGithub(id, [emailOf("nobody@example.com", true, true)])
    expect(fragmentOf(await through(github, "github"))).toEqual({ error: "provider_failed" })
  },
)

test("buttons say whose they are", async () => {
  const env = withProviders([
    { name: "google", kind: "google", ...client },
    { name: "work", kind: "microsoft", ...client, label: "Acme staff" },
    { name: "github", kind: "github", ...client },
    apple,
  ])
  const { items } = await json<{ items: { label: string }[] }>(
    call("/auth/providers", { env }),
    200,
  )
  expect(items.map(({ label }) => label)).toEqual(["Google", "Acme staff", "GitHub", "Apple"])
})

const oidc = { name: "sso", kind: "oidc", clientId: "club", issuer: "https://sso.example" }

test.each<[title: string, settings: unknown, named: string, variables?: object]>([
  ["no JSON", "[", "IDENTITY_PROVIDERS: is not JSON"],
  ["no list", "{}", "IDENTITY_PROVIDERS: "],
  ["an unknown kind", [{ ...oidc, kind: "myspace" }], "IDENTITY_PROVIDERS.0.kind: "],
  ["a name with a slash", [{ ...oidc, name: "a/b" }], "IDENTITY_PROVIDERS.0.name: has to be"],
  ["no name", [{ ...oidc, name: undefined }], "IDENTITY_PROVIDERS.0.name: "],
  ["one name twice", [oidc, oidc], "IDENTITY_PROVIDERS.1.name: is the name of another"],
  ["no client", [oidc, { ...oidc, name: "b", clientId: "" }], "IDENTITY_PROVIDERS.1.clientId: "],
  [
    "Google without its password",
    [{ name: "g", kind: "google", clientId: "c" }],
    "IDENTITY_PROVIDERS.0.clientSecret: ",
  ],
  ["a misspelt member", [{ ...oidc, clientsecret: "x" }], "IDENTITY_PROVIDERS.0: Unrecognized"],
  ["no issuer", [{ ...oidc, issuer: undefined }], "IDENTITY_PROVIDERS.0.issuer: "],
  [
    "an issuer of another machine without TLS",
    [{ ...oidc, issuer: "http://sso.example" }],
    "https",
  ],
  [
    "an issuer of this machine without TLS in production",
    [{ ...oidc, issuer: "http://127.0.0.1:9000" }],
    "IDENTITY_PROVIDERS.0.issuer: has to be https",
    { ENVIRONMENT: "production" },
  ],
  [
    "an issuer with a query",
    [{ ...oidc, issuer: "https://sso.example/?a=1" }],
    "0.issuer: may have",
  ],
  ["an issuer with a user", [{ ...oidc, issuer: "https://a:b@sso.example" }], "0.issuer: may have"],
  [
    "a tenant that is a name",
    [{ name: "m", kind: "microsoft", ...client, tenant: "acme.com" }],
    "IDENTITY_PROVIDERS.0.tenant: ",
  ],
  ["a key that is none", [{ ...apple, privateKey: "AAAA" }], "0.privateKey: is not PKCS#8"],
  ["a scope with a blank", [{ ...oidc, scopes: ["openid email"] }], "0.scopes.0: is not a scope"],
  [
    "no PUBLIC_URL in production",
    [oidc],
    "PUBLIC_URL: is needed",
    { ENVIRONMENT: "production", PUBLIC_URL: undefined },
  ],
])(
  "settings with %s are told as wrong, without their values",
  async (_, given, named, variables) => {
    const lines: string[] = []
    vi.spyOn(console, "error").mockImplementation((line: string) => void lines.push(line))
    const text = typeof given === "string" ? given : JSON.stringify(given)
    const env = { ...withProviders([], variables), IDENTITY_PROVIDERS: text }
    const { code } = await json<{ code: string }>(call("/auth/providers", { env }), 500)
    expect(code).toBe("misconfigured")
    expect(lines.join()).toContain(named)
    expect(lines.join()).not.toContain("AAAA")
  },
)
