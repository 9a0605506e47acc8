import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { sql } from "../../../src/platform/sql.ts"
import {
  bindings,
  type Call,
  call,
  claimsOf,
  json,
  query,
  refusal,
  type SignedIn,
  signedIn,
  trips,
} from "./cast.ts"
import { challengeOf, codeOf, guarded } from "./factors-cast.ts"
import {
  assertionOf,
  type Bend,
  type Credential,
  cborList,
  cborMap,
  createCredential,
} from "./soft-authenticator.ts"

const page = "https://club.example"
const env = { ...bindings, ALLOWED_ORIGINS: `${page}, https://other.example` }

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Math.floor(Date.now() / 30_000) * 30_000 + 5_000 })
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})
const pass = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000)

/** A request from a page of the deployment. */
const ask = (path: string, options: Call = {}) =>
  call(path, { env, ...options, headers: { origin: page, ...options.headers } })

interface CreationOptions {
  challenge: string
  rp: { id: string }
  user: { id: string }
  excludeCredentials: { id: string }[]
}
interface RequestOptions {
  challenge: string
  rpId: string
  allowCredentials: { id: string }[]
}

const creationOptions = (token: string, secondFactor = false) =>
  json<CreationOptions>(ask("/auth/passkeys/registrations", { token, body: { secondFactor } }), 201)

async function register(token: string, secondFactor = false) {
  const options = await creationOptions(token, secondFactor)
  const { credential, response } = await createCredential(options, page)
  const passkey = await json<{ id: string; recoveryCodes: string[] | null }>(
    ask("/auth/passkeys", {
      token,
      body: { challenge: options.challenge, response, name: "Laptop" },
    }),
    201,
  )
  return { credential, passkey }
}

const requestOptions = (challenge?: string) =>
  json<RequestOptions>(ask("/auth/passkeys/challenges", { body: { challenge } }), 201)

async function signInWith(credential: Credential, bend: Bend = {}, options?: RequestOptions) {
  const asked = options ?? (await requestOptions())
  const passkey = await assertionOf(credential, asked, page, bend)
  return ask("/auth/sessions", { body: { challenge: asked.challenge, passkey } })
}

test("a passkey is registered, and signs its owner in without a name", async () => {
  const ann = await signedIn("ann")
  const { credential, passkey } = await register(ann.accessToken)
  expect(passkey).toEqual({
    id: credential.id,
    name: "Laptop",
    secondFactor: false,
    backedUp: false,
    createdAt: expect.any(String),
    lastUsedAt: null,
    recoveryCodes: null,
  })
  const options = await requestOptions()
  expect(options).toMatchObject({
    rpId: "club.example",
    userVerification: "required",
    allowCredentials: [],
  })
  const answered = await signInWith(credential, {}, options)
  expect(trips(answered)).toBe("2")
  const { user, accessToken } = await json<SignedIn>(answered, 201)
  expect(user).toEqual(ann.user)
  expect(claimsOf(accessToken)).toMatchObject({ amr: ["hwk"], acr: "aal2" })
  const list = await json<{ items: object[] }>(ask("/auth/passkeys", { token: accessToken }), 200)
  expect(list.items).toEqual([
    expect.objectContaining({ id: credential.id, lastUsedAt: expect.any(String) }),
  ])
})

test("asking for a passkey reads and writes nothing, so that strangers drive no database", async () => {
  const answered = await ask("/auth/passkeys/challenges", { body: {} })
  expect(trips(answered)).toBe("0")
})

test("a passkey that is only one more way to sign in asks nothing of a password", async () => {
  const bob = await signedIn("bob")
  await register(bob.accessToken)
  const again = await ask("/auth/sessions", {
    body: { email: "bob@example.com", password: "correct horse battery" },
  })
  expect(again.status).toBe(201)
})

test("a passkey that is the second factor is asked for, and comes with recovery codes", async () => {
  const carol = await signedIn("carol")
  const { credential, passkey } = await register(carol.accessToken, true)
  expect(passkey.recoveryCodes).toHaveLength(10)
  const challenge = await challengeOf("carol")
  const options = await requestOptions(challenge)
  expect(options.challenge).toBe(challenge)
  expect(options.allowCredentials).toEqual([
    { id: credential.id, type: "public-key", transports: ["internal"] },
  ])
  // Beside the password it is enough that it is there.
  const answered = await signInWith(credential, { verified: false }, options)
  expect(trips(answered)).toBe("2")
  const { accessToken } = await json<SignedIn>(answered, 201)
  expect(claimsOf(accessToken).amr).toEqual(["pwd", "hwk"])
})

test("a known passkey is excluded from registration, and cannot be added again", async () => {
  const dave = await signedIn("dave")
  const { credential } = await register(dave.accessToken)
  const { excludeCredentials } = await creationOptions(dave.accessToken)
  expect(excludeCredentials.map(({ id }) => id)).toEqual([credential.id])
})

test("a challenge is good for one passkey, and one sign-in", async () => {
  const erin = await signedIn("erin")
  const options = await creationOptions(erin.accessToken)
  const first = await createCredential(options, page)
  const second = await createCredential(options, page)
  const add = (response: object) =>
    ask("/auth/passkeys", {
      token: erin.accessToken,
      body: { challenge: options.challenge, response, name: "x" },
    })
  await json(add(first.response), 201)
  expect(await refusal(add(second.response), 401)).toBe("code_invalid")

  const asked = await requestOptions()
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => signInWith(first.credential, {}, asked)),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 401, 401, 401, 401])
})

test.each<[string, Bend]>([
  ["of a page of another site", { origin: "https://evil.example" }],
  ["of another page of the deployment", { origin: "https://other.example" }],
  ["for another site", { rpId: "evil.example" }],
  ["over another challenge", { challenge: "AAAA" }],
  ["of another kind", { type: "webauthn.create" }],
  ["out of a frame", { crossOrigin: true }],
  ["without PIN or finger", { verified: false }],
  ["for another's handle", { userHandle: "AAAA" }],
])("an answer %s signs nobody in", async (title, bend) => {
  const name = `frank-${title.replaceAll(/\W/g, "-")}`
  const { accessToken } = await signedIn(name)
  const { credential } = await register(accessToken)
  expect(await refusal(signInWith(credential, bend), 401)).toBe("code_invalid")
  await json(signInWith(credential), 201)
})

test.each<[string, Bend]>([
  ["of a page of another site", { origin: "https://evil.example" }],
  ["for another site", { rpId: "evil.example" }],
  ["over another challenge", { challenge: "AAAA" }],
  ["of another kind", { type: "webauthn.get" }],
  ["out of a frame", { crossOrigin: true }],
  ["without PIN or finger", { verified: false }],
  [
    "with certificates, which would be looked up at an address of a stranger's choice",
    {
      attestation: cborMap([
        ["alg", -7],
        ["sig", Buffer.alloc(70)],
        ["x5c", cborList([Buffer.alloc(300)])],
      ]),
    },
  ],
])("no passkey is made of an answer %s", async (title, bend) => {
  const fetched = vi.spyOn(globalThis, "fetch")
  const { accessToken } = await signedIn(`grace-${title.replaceAll(/\W/g, "-").slice(0, 40)}`)
  const options = await creationOptions(accessToken)
  const { response } = await createCredential(options, page, bend)
  const added = ask("/auth/passkeys", {
    token: accessToken,
    body: { challenge: options.challenge, response, name: "x" },
  })
  expect(await refusal(added, 401)).toBe("code_invalid")
  expect(fetched).not.toHaveBeenCalled()
})

test("another's signature, an unknown passkey and a bent signature are refused alike", async () => {
  const { accessToken } = await signedIn("heidi")
  const { credential } = await register(accessToken)
  const mallory = await signedIn("mallory")
  const { credential: other } = await register(mallory.accessToken)
  const codes = []
  for (const bent of [
    { ...credential, key: other.key },
    { ...credential, id: "AAAA" },
    { ...other, userHandle: credential.userHandle },
  ]) {
    codes.push(await refusal(signInWith(bent), 401))
  }
  expect(codes).toEqual(["code_invalid", "code_invalid", "code_invalid"])
})

test("a passkey answers its own person's first factor only", async () => {
  const victim = await guarded("victim")
  const mallory = await signedIn("mallory-2")
  const { credential } = await register(mallory.accessToken, true)
  const options = await requestOptions(await challengeOf("victim"))
  expect(options.allowCredentials).toEqual([])
  expect(await refusal(signInWith(credential, {}, options), 401)).toBe("code_invalid")
  expect(victim.user.id).not.toBe(mallory.user.id)
})

test("challenges do not stand in for each other", async () => {
  const ivan = await guarded("ivan")
  const fresh = await json<SignedIn>(
    ask("/auth/sessions", {
      body: { challenge: await challengeOf("ivan"), code: codeOf(ivan.secret) },
    }),
    201,
  )
  const { credential } = await register(fresh.accessToken)
  const token = fresh.accessToken
  const made = await creationOptions(token)
  const proof = await json<RequestOptions>(
    ask("/auth/sessions/current/challenges", { method: "POST", token }),
    201,
  )
  const signIn = await requestOptions()
  for (const { challenge } of [made, proof]) {
    const tried = signInWith(credential, {}, { ...signIn, challenge })
    expect(await refusal(tried, 401)).toBe("token_invalid")
  }
  // A code says nothing to a challenge that asks for a passkey alone.
  const code = codeOf(ivan.secret, 1)
  const answered = ask("/auth/sessions", { body: { challenge: signIn.challenge, code } })
  expect(await refusal(answered, 401)).toBe("token_invalid")
  const { response } = await createCredential({ ...made, challenge: signIn.challenge }, page)
  const added = ask("/auth/passkeys", {
    token,
    body: { challenge: signIn.challenge, response, name: "x" },
  })
  expect(await refusal(added, 401)).toBe("token_invalid")
})

test("a challenge of another's session registers nothing", async () => {
  const judy = await signedIn("judy")
  const mallory = await signedIn("mallory-3")
  const options = await creationOptions(judy.accessToken)
  const { response } = await createCredential(options, page)
  const added = ask("/auth/passkeys", {
    token: mallory.accessToken,
    body: { challenge: options.challenge, response, name: "x" },
  })
  expect(await refusal(added, 401)).toBe("token_invalid")
})

test("challenges are good for five minutes", async () => {
  const niaj = await signedIn("niaj")
  const { credential } = await register(niaj.accessToken)
  const options = await requestOptions()
  pass(299)
  await json(signInWith(credential, {}, options), 201)
  const late = await requestOptions()
  pass(300)
  expect(await refusal(signInWith(credential, {}, late), 401)).toBe("token_invalid")
})

test("a counter that does not rise is refused, and stands in the audit log", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => {})
  const olivia = await signedIn("olivia")
  const { credential } = await register(olivia.accessToken)
  await json(signInWith(credential, { counter: 7 }), 201)
  for (const counter of [7, 6, 0]) {
    expect(await refusal(signInWith(credential, { counter }), 401)).toBe("code_invalid")
  }
  await json(signInWith(credential, { counter: 8 }), 201)
  const rows = await query(
    sql`SELECT detail FROM audit_events WHERE user = ${olivia.user.id} AND kind = 'passkey.counterRegressed' ORDER BY id`,
  )
  expect(rows.map((row) => JSON.parse(row.detail as string))).toEqual(
    [7, 6, 0].map((counter) => ({ passkey: credential.id, counter, known: 7 })),
  )
})

test.each([
  ["of another site", { origin: "https://evil.example" }, {}],
  ["without an origin, addressed to a host of the caller's choice", { origin: "" }, {}],
  [
    "of this machine, in production",
    { origin: "http://localhost:8787" },
    {
      ENVIRONMENT: "production",
      RATE_LIMIT: "off",
    },
  ],
])("a page %s gets no challenge", async (_, { origin }, variables) => {
  const headers: Record<string, string> = origin ? { origin } : {}
  const answered = call("/auth/passkeys/challenges", {
    env: { ...env, ...variables },
    body: {},
    headers,
  })
  expect(await refusal(answered, 403)).toBe("forbidden")
})

test("PUBLIC_URL is a page of the deployment", async () => {
  const answered = call("/auth/passkeys/challenges", {
    env: { ...env, PUBLIC_URL: "https://club.test" },
    body: {},
    headers: { origin: "https://club.test" },
  })
  expect((await json<RequestOptions>(answered, 201)).rpId).toBe("club.test")
})

test("passkeys are renamed and removed by their owner only", async () => {
  const peggy = await signedIn("peggy")
  const mallory = await signedIn("mallory-4")
  const { credential } = await register(peggy.accessToken)
  const path = `/auth/passkeys/${credential.id}`
  const rename = (token: string) =>
    ask(path, { method: "PATCH", token, body: { name: "Key ring" } })
  expect(await refusal(rename(mallory.accessToken), 404)).toBe("not_found")
  const removal = ask(path, { method: "DELETE", token: mallory.accessToken })
  expect(await refusal(removal, 404)).toBe("not_found")
  expect(await json(rename(peggy.accessToken), 200)).toMatchObject({ name: "Key ring" })
  const removed = await ask(path, { method: "DELETE", token: peggy.accessToken })
  expect(removed.status).toBe(204)
  expect(trips(removed)).toBe("1")
  expect(await refusal(signInWith(credential), 401)).toBe("code_invalid")
  const kinds = await query(
    sql`SELECT kind FROM audit_events WHERE user = ${peggy.user.id} AND kind LIKE 'passkey.%' ORDER BY id`,
  )
  expect(kinds.map(({ kind }) => kind)).toEqual(["passkey.added", "passkey.removed"])
})
