import { SignJWT } from "jose"
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { authenticate } from "../../../src/core/identity/authenticate.ts"
import { identityDocs } from "../../../src/core/identity/openapi.ts"
import { settingsOf } from "../../../src/platform/http.ts"
import { bindings, call, claimsOf, json, origin, refusal, type SignedIn, signedIn } from "./cast.ts"

let ann: SignedIn
beforeAll(async () => {
  ann = await signedIn("ann")
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const [jwk] = JSON.parse(bindings.SIGNING_KEYS) as { kid: string; x: string; d: string }[]
const now = () => Math.floor(Date.now() / 1000)

/** Signed with the deployment's own key, so that only the claim or header in question can be the reason. */
async function signed(claims: object, header: object = {}): Promise<string> {
  const head = { alg: "EdDSA", typ: "at+jwt", kid: "test-1", ...header }
  const text = `${encode(head)}.${encode({ ...claimsOf(ann.accessToken), ...claims })}`
  const material = { ...jwk, kty: "OKP", crv: "Ed25519" } as JsonWebKey
  const key = await crypto.subtle.importKey("jwk", material, "Ed25519", false, ["sign"])
  const signature = await crypto.subtle.sign("Ed25519", key, new TextEncoder().encode(text))
  return `${text}.${base64url(String.fromCharCode(...new Uint8Array(signature)))}`
}

const base64url = (bytes: string) =>
  btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")

const encode = (value: unknown) => base64url(JSON.stringify(value))

const parts = () => ann.accessToken.split(".") as [string, string, string]

async function hmacWithPublicKey(): Promise<string> {
  const claims = claimsOf(ann.accessToken)
  return new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256", typ: "at+jwt", kid: "test-1" })
    .sign(new TextEncoder().encode(jwk?.x))
}

async function withStrangersKey(): Promise<string> {
  const { privateKey } = (await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair
  return new SignJWT(claimsOf(ann.accessToken))
    .setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: "test-1" })
    .sign(privateKey)
}

/** The last letter of a signature carries four unused bits: a lenient decoder takes sixteen spellings. */
const respelt = () => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
  const at = alphabet.indexOf(ann.accessToken.at(-1) as string)
  return ann.accessToken.slice(0, -1) + alphabet[at ^ 1]
}

const bad: [string, () => string | Promise<string>, string?][] = [
  ["expired", () => signed({ exp: now() - 1 }), "token_expired"],
  ["expiring this second", () => signed({ exp: now() }), "token_expired"],
  ["not yet valid", () => signed({ nbf: now() + 60 })],
  ["for another audience", () => signed({ aud: "another" })],
  ["for several audiences", () => signed({ aud: ["hinterland", "another"] })],
  ["of another issuer", () => signed({ iss: "https://evil.test" })],
  ["without exp", () => signed({ exp: undefined })],
  ["with exp in a string", () => signed({ exp: String(now() + 60) })],
  ["without sub", () => signed({ sub: undefined })],
  ["without epoch", () => signed({ epoch: undefined })],
  ["with another typ", () => signed({}, { typ: "JWT" })],
  ["without typ", () => signed({}, { typ: undefined })],
  ["with an unknown kid", () => signed({}, { kid: "test-2" })],
  ["without kid", () => signed({}, { kid: undefined })],
  ["with a kid from a prototype", () => signed({}, { kid: "__proto__" })],
  ["of a stranger's key", withStrangersKey],
  ["with the public key as an HMAC secret", hmacWithPublicKey],
  ["alg none", () => `${encode({ alg: "none", typ: "at+jwt", kid: "test-1" })}.${parts()[1]}.`],
  ["that says none, signed all the same", () => signed({}, { alg: "none" })],
  ["that says HS256, signed all the same", () => signed({}, { alg: "HS256" })],
  ["that says eddsa", () => signed({}, { alg: "eddsa" })],
  ["with a critical header", () => signed({}, { crit: ["x"], x: 1 })],
  [
    "whose header is a list",
    () => signed({}, []).then((token) => `${encode([])}.${token.split(".").slice(1).join(".")}`),
  ],
  [
    "with other claims under the signature",
    () =>
      `${parts()[0]}.${encode({ ...claimsOf(ann.accessToken), roles: ["administrator"] })}.${parts()[2]}`,
  ],
  ["without its signature", () => parts().slice(0, 2).join(".")],
  ["with an empty signature", () => `${parts()[0]}.${parts()[1]}.`],
  ["cut off", () => ann.accessToken.slice(0, -10)],
  ["spelt another way", respelt],
  ["with a fourth part", () => `${ann.accessToken}.x`],
  ["with padding", () => `${ann.accessToken}=`],
  ["dots", () => ".."],
  ["nothing", () => "x"],
  ["long", () => "x".repeat(100_000)],
  ["a refresh token", () => ann.refreshToken],
]

test("the deployment's own token passes, and so does one signed by hand in the same way", async () => {
  await json(call("/auth/me", { token: ann.accessToken }), 200)
  await json(call("/auth/me", { token: await signed({}) }), 200)
})

describe.each(bad)("a token %s", (_, make, code = "token_invalid") => {
  const routes = [
    ["get", "/probe"],
    ...identityDocs.operations
      .filter((operation) => operation.auth !== "none")
      .map((operation) => [operation.method, operation.path.replace("{id}", ann?.user.id ?? "x")]),
  ] as [string, string][]

  test("is refused by every route, as bearer and as cookie", async () => {
    const token = await make()
    for (const [method, path] of routes) {
      const verb = method.toUpperCase()
      expect(await refusal(call(path, { method: verb, token }), 401), path).toBe(code)
      const headers = { cookie: `__Host-access=${token}`, origin }
      expect(await refusal(call(path, { method: verb, headers }), 401), path).toBe(code)
    }
  })
})

test.each(["Basic YTpi", "Bearer", "Bearer ", "token x", ""])(
  "Authorization: %s is a bad credential, not none",
  async (authorization) => {
    const code = await refusal(call("/probe", { headers: { authorization } }), 401)
    expect(code).toBe("token_invalid")
  },
)

test("a token expires after 15 minutes also where it was verified before", async () => {
  await json(call("/probe", { token: ann.accessToken }), 200)
  const { exp } = claimsOf(ann.accessToken)
  vi.useFakeTimers({ toFake: ["Date"], now: exp * 1000 - 1 })
  await json(call("/probe", { token: ann.accessToken }), 200)
  vi.setSystemTime(exp * 1000)
  expect(await refusal(call("/probe", { token: ann.accessToken }), 401)).toBe("token_expired")
})

describe("the hot path", () => {
  const settings = settingsOf(bindings)
  const request = (headers: Record<string, string>) =>
    new Request(`${origin}/records/films`, { headers })

  test("answers at once where there is no credential", () => {
    expect(authenticate(request({}), settings, Date.now())).toEqual({ kind: "anonymous" })
    expect(authenticate(request({ cookie: "theme=dark" }), settings, Date.now())).toEqual({
      kind: "anonymous",
    })
  })

  test("verifies a token once, and knows it from then on", async () => {
    const { accessToken, user } = await signedIn("hot")
    const verify = vi.spyOn(crypto.subtle, "verify")
    const bearer = request({ authorization: `Bearer ${accessToken}` })
    const first = authenticate(bearer, settings, Date.now())
    expect(first).toBeInstanceOf(Promise)
    await first
    expect(verify).toHaveBeenCalledTimes(1)
    expect(authenticate(bearer, settings, Date.now())).toMatchObject({ kind: "user", id: user.id })
    const cookie = request({ cookie: `a=b; __Host-access=${accessToken}` })
    expect(authenticate(cookie, settings, Date.now())).toMatchObject({ id: user.id })
    expect(verify).toHaveBeenCalledTimes(1)
  })

  test("forgets the oldest of many tokens, not all", async () => {
    const first = await signed({ jti: "first" })
    await authenticate(request({ authorization: `Bearer ${first}` }), settings, Date.now())
    for (let n = 0; n < 5_000; n++) {
      const token = await signed({ jti: String(n) })
      await authenticate(request({ authorization: `Bearer ${token}` }), settings, Date.now())
    }
    const again = authenticate(request({ authorization: `Bearer ${first}` }), settings, Date.now())
    expect(again).toBeInstanceOf(Promise)
    await again
  })

  test("keeps no token that was refused", async () => {
    const expired = await signed({ exp: now() - 1 })
    const ask = async () =>
      authenticate(request({ authorization: `Bearer ${expired}` }), settings, Date.now())
    const verify = vi.spyOn(crypto.subtle, "verify")
    await expect(ask()).rejects.toMatchObject({ code: "token_expired" })
    await expect(ask()).rejects.toMatchObject({ code: "token_expired" })
    expect(verify).toHaveBeenCalledTimes(2)
  })
})

test("after a rotation of keys old tokens still verify, and new ones carry the new key", async () => {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair
  const { x, d } = (await crypto.subtle.exportKey("jwk", pair.privateKey)) as JsonWebKey
  const fresh = { kid: "test-2", kty: "OKP", crv: "Ed25519", x, d }
  const env = {
    ...bindings,
    SIGNING_KEYS: JSON.stringify([fresh, { ...jwk, kty: "OKP", crv: "Ed25519" }]),
  }
  await json(call("/auth/me", { token: ann.accessToken, env }), 200)
  const next = await json<SignedIn>(
    call("/auth/tokens", { body: { refreshToken: ann.refreshToken }, env }),
    200,
  )
  expect(JSON.parse(atob(next.accessToken.split(".")[0] as string))).toMatchObject({
    kid: "test-2",
  })
  await json(call("/auth/me", { token: next.accessToken, env }), 200)
  const { keys } = await json<{ keys: object[] }>(call("/.well-known/jwks.json", { env }), 200)
  expect(keys).toHaveLength(2)
  expect(JSON.stringify(keys)).not.toContain('"d"')
  expect(await refusal(call("/auth/me", { token: next.accessToken }), 401)).toBe("token_invalid")
})
