import { createHash } from "node:crypto"
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose"
import { expect, vi } from "vitest"
import { bindings, type Call, call, json } from "./cast.ts"
import { elsewhere } from "./mailbox.ts"

/*
 * An OIDC issuer that does whatever a test wants of it, in the place of `fetch`. It is strict where a good one is: a code
 * is good once, for the client, the address and the verifier that it was made for.
 */

export const issuer = "https://id.example"
export const clientId = "club"
export const clientPassword = "planted-client+secret/%:"

/** What the person's browser brings back. */
export interface Returned {
  readonly state: string
  readonly code: string
  readonly iss?: string
}

interface Granted {
  readonly parameters: URLSearchParams
  readonly claims: JWTPayload
}

const pair = await generateKeyPair("RS256", { extractable: true })
export const publicJwk = { ...(await exportJWK(pair.publicKey)), kid: "one", alg: "RS256" }

export const signed = (claims: Record<string, unknown>, kid = "one", key = pair.privateKey) =>
  new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid }).sign(key)

type Answer = (request: Request) => Response | Promise<Response>

/** Of one test file: reset before each test. */
export const standIn = {
  /** In the place of what a path of the issuer answers. */
  answers: new Map<string, Answer>(),
  metadata: {} as Record<string, unknown>,
  /** In the place of the signed token. */
  forge: null as null | ((claims: Record<string, unknown>) => string | Promise<string>),
  keys: [publicJwk] as object[],
  asked: [] as string[],
  granted: new Map<string, Granted>(),
  tokens: new Map<string, Granted>(),
}

export function resetStandIn(): void {
  standIn.answers.clear()
  standIn.metadata = {}
  standIn.forge = null
  standIn.keys = [publicJwk]
  standIn.asked = []
  standIn.granted.clear()
  standIn.tokens.clear()
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input as RequestInfo, init as RequestInit)
    const { origin, pathname } = new URL(request.url)
    standIn.asked.push(`${request.method} ${origin}${pathname}`)
    const answer =
      standIn.answers.get(`${origin}${pathname}`) ??
      (origin === issuer ? routes.get(pathname) : undefined)
    if (!answer) throw new Error(`nobody answers at ${origin}${pathname}`)
    return answer(request)
  })
}

const routes = new Map<string, Answer>([
  [
    "/.well-known/openid-configuration",
    () =>
      Response.json({
        issuer,
        authorization_endpoint: `${issuer}/authorize?kept=1`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/keys`,
        ...standIn.metadata,
      }),
  ],
  ["/keys", () => Response.json({ keys: standIn.keys })],
  ["/token", tokenAnswer],
  ["/me", userinfoAnswer],
])

async function tokenAnswer(request: Request): Promise<Response> {
  const form = new URLSearchParams(new TextDecoder().decode(await request.arrayBuffer()))
  if (request.headers.get("authorization") !== basic(clientId, clientPassword)) {
    return Response.json({ error: "invalid_client" }, { status: 401 })
  }
  const code = form.get("code") ?? ""
  const granted = standIn.granted.get(code)
  standIn.granted.delete(code)
  const challenge = createHash("sha256")
    .update(form.get("code_verifier") ?? "")
    .digest("base64url")
  if (
    !granted ||
    granted.parameters.get("code_challenge") !== challenge ||
    granted.parameters.get("redirect_uri") !== form.get("redirect_uri")
  ) {
    return Response.json({ error: "invalid_grant" }, { status: 400 })
  }
  const accessToken = `planted-access-${crypto.randomUUID()}`
  standIn.tokens.set(accessToken, granted)
  const now = Math.floor(Date.now() / 1_000)
  const { email, email_verified, ...rest } = granted.claims
  const claims = {
    iss: issuer,
    aud: clientId,
    iat: now,
    exp: now + 300,
    nonce: granted.parameters.get("nonce"),
    ...rest,
    ...(!standIn.metadata.userinfo_endpoint && { email, email_verified }),
  }
  return Response.json({
    access_token: accessToken,
    token_type: "Bearer",
    id_token: await (standIn.forge ?? signed)(claims),
  })
}

function userinfoAnswer(request: Request): Response {
  const token = request.headers.get("authorization")?.slice(7) ?? ""
  const granted = standIn.tokens.get(token)
  return granted ? Response.json(granted.claims) : new Response(null, { status: 401 })
}

const basic = (id: string, password: string) => {
  const encode = (text: string) => new URLSearchParams({ "": text }).toString().slice(1)
  return `Basic ${btoa(`${encode(id)}:${encode(password)}`)}`
}

/** The deployment, with this issuer and whatever else. */
export const withProviders = (
  providers: readonly object[] = [acme],
  variables: object = {},
): object => ({
  ...bindings,
  PUBLIC_URL: "https://hinterland.test",
  ALLOWED_ORIGINS: "https://club.example",
  IDENTITY_PROVIDERS: JSON.stringify(providers),
  ...variables,
})

export const acme = {
  name: "acme",
  kind: "oidc",
  issuer,
  clientId,
  clientSecret: clientPassword,
  redirectUris: ["com.example.club:/back"],
}

export const env = withProviders()

/** The person signs in there, and is sent back. */
export function grant(url: string, claims: JWTPayload): Returned {
  const { searchParams } = new URL(url)
  const code = `planted-code-${crypto.randomUUID()}`
  standIn.granted.set(code, { parameters: searchParams, claims })
  return { state: searchParams.get("state") as string, code }
}

export interface Begun {
  readonly url: string
  readonly ticket: string | null
  /** As a browser sends it back. */
  readonly cookie: string
}

/** Sets out, as a page does. */
export async function begin(body: object = {}, options: Call = {}): Promise<Begun> {
  const answer = await call("/auth/providers/acme/authorizations", {
    env,
    headers: elsewhere(),
    ...options,
    body,
  })
  const [cookie = ""] = answer.headers.getSetCookie()
  return { ...(await json<Begun>(answer, 201)), cookie: cookie.split(";")[0] as string }
}

/** The same browser is sent back. */
export const comeBack = (
  { cookie }: Pick<Begun, "cookie">,
  returned: object,
  options: Call = {},
  name = "acme",
): Promise<Response> =>
  call(`/auth/providers/${name}/callback?${new URLSearchParams(returned as never)}`, {
    env,
    ...options,
    headers: { ...elsewhere(), ...(cookie && { cookie }), ...options.headers },
  })

/** All of it, as `claims`. */
export async function visit(claims: JWTPayload, options: Call = {}): Promise<Response> {
  const begun = await begin({}, options)
  return comeBack(begun, grant(begun.url, claims), options)
}

/** What a page finds behind the `#`. */
export function fragmentOf(answer: Response): Record<string, string> {
  expect(answer.status).toBe(303)
  const { hash } = new URL(answer.headers.get("location") as string)
  return Object.fromEntries(new URLSearchParams(hash.slice(1)))
}

/** The access token of the session that was opened. */
export function sessionOf(answer: Response): string {
  expect(answer.headers.get("location"), "the page").not.toContain("#")
  const cookies = answer.headers.getSetCookie()
  const [, token] = /__Host-access=([^;]+)/.exec(cookies.join("\n")) ?? []
  expect(token).toBeDefined()
  return token as string
}

/** Somebody with a verified address. */
export const claimsFor = (name: string): JWTPayload => ({
  sub: `sub-${name}`,
  email: `${name}@example.com`,
  email_verified: true,
  name,
})
