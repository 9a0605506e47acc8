import { env, exports } from "cloudflare:workers"
import fc from "fast-check"
import { SignJWT } from "jose"
import { beforeAll, describe, expect, test, vi } from "vitest"
import { type Located, locate, type OpenApi } from "../../../src/core/docs/document.ts"
import { call, type Person, signedIn, signIn } from "../../support/people.ts"
import { contents } from "../fuzz/contents.ts"
import { type Draft, soundRequestsFor } from "../fuzz/sound.ts"

/*
 * One table of tokens, all routes. The routes are those of the OpenAPI document, so that a new one is in the table as soon
 * as it is documented (and one that is not documented fails elsewhere). Each is asked as the document says, because a
 * request that is refused for its body proves nothing of its token.
 */

const { env: variables = {} } = import.meta as { env?: Readonly<Record<string, string>> }
const seed = Number(variables.VITE_SEED ?? Math.floor(Math.random() * 2 ** 30))

let root: Person
let document: OpenApi
let operations: Located[]

beforeAll(async () => {
  vi.spyOn(console, "info").mockImplementation(() => {})
  root = await signedIn("root", ["administrator", "editor"])
  document = await (await call(root, "GET", "/openapi.json")).json()
  operations = locate(document.paths)
})

const [jwk] = JSON.parse(env.SIGNING_KEYS) as { kid: string; x: string; d: string }[]
const seconds = () => Math.floor(Date.now() / 1000)
const base64url = (bytes: string) =>
  btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")
const encode = (value: unknown) => base64url(JSON.stringify(value))
const claims = () =>
  JSON.parse(atob((root.token.split(".")[1] as string).replaceAll("-", "+").replaceAll("_", "/")))

/** Signed with the deployment's own key, so that only the claim or header in question can be the reason. */
async function signed(changes: object, header: object = {}): Promise<string> {
  const head = { alg: "EdDSA", typ: "at+jwt", kid: jwk?.kid, ...header }
  const text = `${encode(head)}.${encode({ ...claims(), ...changes })}`
  const material = { ...jwk, kty: "OKP", crv: "Ed25519" } as JsonWebKey
  const key = await crypto.subtle.importKey("jwk", material, "Ed25519", false, ["sign"])
  const signature = await crypto.subtle.sign("Ed25519", key, new TextEncoder().encode(text))
  return `${text}.${base64url(String.fromCharCode(...new Uint8Array(signature)))}`
}

const confused = () =>
  new SignJWT(claims())
    .setProtectedHeader({ alg: "HS256", typ: "at+jwt", kid: jwk?.kid as string })
    .sign(new TextEncoder().encode(jwk?.x))

async function ofAStranger(): Promise<string> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ])) as CryptoKeyPair
  return new SignJWT(claims())
    .setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: jwk?.kid as string })
    .sign(pair.privateKey)
}

const parts = () => root.token.split(".") as [string, string, string]

const bad: [string, string, () => string | Promise<string>][] = [
  ["expired", "token_expired", () => signed({ exp: seconds() - 1 })],
  ["not yet valid", "token_invalid", () => signed({ nbf: seconds() + 3_600 })],
  ["for another audience", "token_invalid", () => signed({ aud: "another" })],
  ["of another issuer", "token_invalid", () => signed({ iss: "https://evil.test" })],
  [
    "alg:none",
    "token_invalid",
    () => `${encode({ alg: "none", typ: "at+jwt", kid: jwk?.kid })}.${parts()[1]}.`,
  ],
  ["alg:none under a good signature", "token_invalid", () => signed({}, { alg: "none" })],
  ["with the public key as an HMAC secret", "token_invalid", confused],
  ["of a stranger's key", "token_invalid", ofAStranger],
  [
    "tampered with",
    "token_invalid",
    () => `${parts()[0]}.${encode({ ...claims(), exp: seconds() + 86_400 })}.${parts()[2]}`,
  ],
  ["truncated", "token_invalid", () => root.token.slice(0, -8)],
  ["without its signature", "token_invalid", () => `${parts()[0]}.${parts()[1]}.`],
]

/** The same requests for the same operation, each time. */
const drafts = new Map<string, Draft[]>()
function draftsOf(located: Located): Draft[] {
  const { operationId } = located.operation
  const known = drafts.get(operationId)
  if (known) return known
  const drawn = fc
    .sample(soundRequestsFor(document, located), { numRuns: 60, seed })
    .map((draft) => ({
      ...draft,
      // A bookmark or a precondition would be judged, too; what has to be said is not.
      headers: Object.fromEntries(
        Object.entries(draft.headers).filter(([header]) =>
          /^content-|^tus-|^upload-(?:l|o)/i.test(header),
        ),
      ),
    }))
  const [first] = drawn
  const body = questions[operationId]
  if (first && body) drawn.push({ ...first, body: JSON.stringify(body) })
  // Whatever a query may say: without one there is nothing to refuse.
  if (first?.method === "GET") drawn.push({ ...first, path: first.path.replace(/\?.*/s, "") })
  drafts.set(operationId, drawn)
  return drawn
}

/** What has to fit collections, hosts or the log, which no generator knows. */
const question = { name: "All", collection: "articles" }
const questions: Readonly<Record<string, object>> = {
  createSearch: question,
  replaceSearch: question,
  createWebhookEndpoint: { url: "https://hooks.example.com/", events: ["articles.created"] },
  replayWebhookEvents: { from: "2026-01-01T00:00:00.000Z" },
}

const someId = "019aa2c5-7d00-7000-8000-000000000001"
const fill = (text: string) => text.replace(/<[\w-]+:\d+>/g, someId)

async function ask(
  located: Located,
  credential: Record<string, string>,
  draft = draftsOf(located)[0] as Draft,
) {
  const { method, path, headers, body } = draft
  const answer = await exports.default.fetch(
    new Request(`http://127.0.0.1${fill(path)}`, {
      method,
      headers: {
        ...headers,
        // Counted by address: nobody is to be locked out by what came before.
        "cf-connecting-ip": `10.1.${Math.floor(Math.random() * 256)}.${Math.floor(Math.random() * 256)}`,
        ...credential,
      },
      ...(body !== null && { body: fill(body) }),
    }),
  )
  const text = new TextDecoder().decode(await answer.arrayBuffer())
  const problem = answer.headers.get("content-type") === "application/problem+json"
  return { status: answer.status, code: problem ? (JSON.parse(text).code as string) : null }
}

const asBearer = (token: string) => ({ authorization: `Bearer ${token}` })
const asCookie = (token: string) => ({
  cookie: `__Host-access=${token}`,
  origin: "http://127.0.0.1",
})

/** Where sessions begin, and what says the same to everybody, pass credentials over. */
const passesOver = ({ operation }: Located) =>
  operation.security.length === 1 && Object.keys(operation.security[0] as object).length === 0

const name = ({ operation }: Located) => operation.operationId

test("the table has all routes: most ask for a credential, and a good one is not refused for itself", async () => {
  expect(operations.length).toBeGreaterThan(150)
  const asking = operations.filter((located) => !passesOver(located))
  expect(asking.length).toBeGreaterThan(120)
  const refused: string[] = []
  for (const located of asking.filter(({ method }) => method === "get")) {
    const { code } = await ask(located, asBearer(root.token))
    if (code?.startsWith("token_")) refused.push(`${name(located)} ${code}`)
  }
  expect(refused).toEqual([])
})

describe.each(bad)("a token %s", (_, code, make) => {
  test(`is refused by every route that looks at one, as bearer and as cookie (seed ${seed})`, async () => {
    const token = await make()
    const before = await contents()
    const wrong: string[] = []
    for (const located of operations) {
      if (passesOver(located)) continue
      for (const credential of [asBearer(token), asCookie(token)]) {
        const answer = await ask(located, credential)
        if (answer.status !== 401 || answer.code !== code) wrong.push(tell(located, answer))
      }
    }
    expect(wrong).toEqual([])
    expect(await contents()).toEqual(before)
  })

  test("is worth nothing where sessions begin, and where everybody is told the same", async () => {
    const token = await make()
    const wrong: string[] = []
    for (const located of operations.filter(passesOver)) {
      // The first one may make something, and is not what the next is compared with.
      await askAnew(located, {})
      const without = await askAnew(located, {})
      for (const credential of [asBearer(token), asCookie(token)]) {
        const answer = await askAnew(located, credential)
        const isSame = answer.status === without.status && answer.code === without.code
        if (!isSame && answer.code !== code) wrong.push(tell(located, answer))
      }
    }
    expect(wrong).toEqual([])
  })
})

const tell = (located: Located, { status, code }: { status: number; code: string | null }) =>
  `${name(located)}: ${status} ${code}`

/** Sign-ins that fail lock an account in the end, whoever sends what along. */
async function askAnew(located: Located, credential: Record<string, string>) {
  await env.DB.prepare("DELETE FROM sign_in_attempts").run()
  return ask(located, credential)
}

/** Each ends the token in another way, which no signature shows. */
const outdated: [string, (person: Person) => Promise<unknown>][] = [
  ["of a session that has ended", (person) => call(person, "DELETE", "/auth/sessions/current")],
  [
    "of a person whose roles were taken away",
    (person) => call(root, "PATCH", `/auth/users/${person.id}`, { roles: [] }),
  ],
  [
    "of a person who was disabled",
    (person) => call(root, "PATCH", `/auth/users/${person.id}`, { disabled: true }),
  ],
  [
    "of a person whose password is another",
    (person) =>
      call(person, "POST", "/auth/password-changes", { password: "another good password" }),
  ],
]

describe.each(outdated)("a token %s", (what, end) => {
  test("is refused by every route that may show or change anything, at once", async () => {
    const person = await signedIn(`outdated-${outdated.findIndex(([one]) => one === what)}`, [
      "administrator",
      "editor",
    ])
    root = await signIn(root.email)
    expect(((await end(person)) as Response).status).toBeLessThan(300)
    const before = await contents()
    const through: string[] = []
    const judgedBefore: string[] = []
    for (const located of operations) {
      if (passesOver(located)) continue
      const outcomes = new Set<string>()
      for (const draft of draftsOf(located)) {
        const answer = await ask(located, asBearer(person.token), draft)
        outcomes.add(tell(located, answer))
        if (answer.status < 400) through.push(tell(located, answer))
        if (answer.code === "token_outdated") break
      }
      // Some drafts are refused for themselves; one at least has to come so far.
      if (![...outcomes].some((outcome) => outcome.endsWith("token_outdated"))) {
        judgedBefore.push(name(located))
      }
    }
    expect(through).toEqual([])
    // Their own input is refused first: signatures and one-time codes come out of no generator, and that there is an account
    // already is what the token says. There is no provider here, and no key for R2.
    expect(judgedBefore.sort()).toEqual([
      "addPasskey",
      "beginLinking",
      "confirmAuthenticator",
      "createDirectUpload",
      "linkIdentity",
      "takeCredentials",
    ])
    expect(await contents()).toEqual(before)
  })
})

test("an anonymous session is refused by every route that asks for an account", async () => {
  const asking = operations.filter(({ operation }) =>
    JSON.stringify(operation.responses["403"] ?? null).includes("account_required"),
  )
  expect(asking.length).toBeGreaterThan(35)
  const guest = await signed({ anon: true, roles: [] })
  const wrong: string[] = []
  for (const located of asking) {
    const answer = await ask(located, asBearer(guest))
    // A link to a file is judged instead of whoever brings it.
    if (name(located) === "readFile" && answer.code === "code_invalid") continue
    // Administrators' routes say that it is not one.
    if (answer.code !== "account_required" && answer.code !== "forbidden") {
      wrong.push(tell(located, answer))
    }
  }
  expect(wrong).toEqual([])
  // All others under /auth that ask for a session at all are these.
  const others = operations.filter(
    (located) =>
      located.path.startsWith("/auth/") && !passesOver(located) && !asking.includes(located),
  )
  const open: string[] = []
  for (const located of others) {
    const answer = await ask(located, asBearer(guest))
    if (answer.code !== "forbidden") open.push(name(located))
  }
  expect(open.sort()).toEqual([
    "deleteMe",
    "deleteOwnRecords",
    "endSession",
    "exportMe",
    "getMe",
    "listOwnEvents",
    "listSessions",
    "requestEmailChange",
    "takeCredentials",
    "updateMe",
  ])
})
