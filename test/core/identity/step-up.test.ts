import Argon2 from "@phi-ag/argon2"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { signAccessToken } from "../../../src/core/identity/access-tokens.ts"
import { settingsOf } from "../../../src/platform/http.ts"
import { sql } from "../../../src/platform/sql.ts"
import {
  bindings,
  type Call,
  call,
  claimsOf,
  json,
  password,
  query,
  refreshed,
  refusal,
  signedIn,
  trips,
} from "./cast.ts"
import { codeOf, guarded, signInTwice, wrongCodeOf } from "./factors-cast.ts"
import { assertionOf, createCredential } from "./soft-authenticator.ts"

const page = "http://localhost:8787"

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Math.floor(Date.now() / 30_000) * 30_000 + 5_000 })
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})
const pass = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000)

const ask = (path: string, options: Call = {}) =>
  call(path, { ...options, headers: { origin: page, ...options.headers } })

const prove = (token: string, body: object, headers = {}) =>
  ask("/auth/sessions/current/proofs", { token, body, headers })

interface Proved {
  accessToken: string
}

const response = {
  id: "AAAA",
  rawId: "AAAA",
  type: "public-key",
  clientExtensionResults: {},
  response: { clientDataJSON: "AAAA", attestationObject: "AAAA" },
}
const sensitive: [method: string, path: string, body?: object][] = [
  ["POST", "/auth/authenticators", { name: "x" }],
  ["POST", "/auth/authenticators/x/confirmations", { code: "123456" }],
  ["DELETE", "/auth/authenticators/x"],
  ["POST", "/auth/recovery-codes"],
  ["POST", "/auth/passkeys/registrations", {}],
  ["POST", "/auth/passkeys", { challenge: "x", response, name: "x" }],
  ["DELETE", "/auth/passkeys/x"],
]

test.each(sensitive)("%s %s asks for a recent proof", async (method, path, body) => {
  const { accessToken: token } = await signedIn(
    `old-${sensitive.findIndex((one) => one[1] === path && one[0] === method)}`,
  )
  pass(601)
  const answered = await ask(path, { method, token, ...(body && { body }) })
  expect(answered.headers.get("www-authenticate")).toContain("insufficient_user_authentication")
  expect(await json(answered, 401)).toMatchObject({ code: "step_up_required", maxAge: 600 })
  const { accessToken: fresh } = await json<Proved>(prove(token, { password }), 201)
  const again = await ask(path, { method, token: fresh, ...(body && { body }) })
  expect(await again.text()).not.toContain("step_up_required")
})

test.each(sensitive)(
  "%s %s is for nobody who acts in another's name",
  async (method, path, body) => {
    const { accessToken } = await signedIn(
      `acted-${sensitive.findIndex((one) => one[1] === path && one[0] === method)}`,
    )
    const token = await impersonating(accessToken)
    const answered = ask(path, { method, token, ...(body && { body }) })
    expect(await refusal(answered, 403)).toBe("forbidden")
  },
)

const routes: [string, string, object?][] = [
  ...sensitive,
  ["GET", "/auth/authenticators"],
  ["GET", "/auth/recovery-codes"],
  ["GET", "/auth/passkeys"],
  ["PATCH", "/auth/passkeys/x", { name: "x" }],
  ["POST", "/auth/sessions/current/challenges"],
  ["POST", "/auth/sessions/current/proofs", { password }],
]

test.each(routes)(
  "%s %s is for people who are signed in, and whose session lives",
  async (method, path, body) => {
    const options = { method, ...(body && { body }) }
    expect(await refusal(ask(path, options), 401)).toBe("unauthenticated")
    const name = `ended-${routes.findIndex((one) => one[1] === path && one[0] === method)}`
    const { accessToken: token } = await signedIn(name)
    await call("/auth/sessions/current", { method: "DELETE", token })
    const code = await refusal(ask(path, { ...options, token }), 401)
    // A challenge that is none of ours is refused before anything is read.
    expect(code).toBe(
      method === "POST" && path === "/auth/passkeys" ? "token_invalid" : "token_outdated",
    )
  },
)

/** The token of an administrator who acts in this person's name. */
async function impersonating(token: string): Promise<string> {
  const claims = claimsOf(token)
  return signAccessToken(
    settingsOf(bindings),
    {
      kind: "user",
      id: claims.sub,
      email: claims.email,
      roles: [],
      organisation: null,
      database: "main",
      epoch: claims.epoch,
      session: claims.sid,
      methods: ["pwd"],
      authenticatedAt: Date.now(),
      impersonator: crypto.randomUUID(),
    },
    Date.now(),
  )
}

test("nobody proves an identity that is not theirs", async () => {
  const { accessToken } = await signedIn("ann")
  const token = await impersonating(accessToken)
  expect(await refusal(prove(token, { password }), 403)).toBe("forbidden")
})

test("a password proves who has nothing else, in one hash and two trips, and the next refresh knows it", async () => {
  const { accessToken: token, refreshToken } = await signedIn("bob")
  const before = claimsOf(token)
  pass(600)
  const verify = vi.spyOn(Argon2.prototype, "tryVerify")
  const answered = await prove(token, { password })
  expect(trips(answered)).toBe("2")
  expect(verify).toHaveBeenCalledTimes(1)
  expect(answered.headers.getSetCookie().join()).not.toContain("__Host-access")
  const proved = await json<Proved>(answered, 201)
  expect(proved).toEqual({ accessToken: expect.any(String), expiresIn: 900 })
  for (const { accessToken } of [proved, await refreshed(refreshToken)]) {
    expect(claimsOf(accessToken)).toMatchObject({
      sid: before.sid,
      amr: ["pwd"],
      acr: "aal1",
      auth_time: before.auth_time + 600,
    })
  }
  const audited = await query(
    sql`SELECT detail FROM audit_events WHERE session = ${before.sid} AND kind = 'session.proved'`,
  )
  expect(audited).toEqual([{ detail: '{"method":"pwd"}' }])
})

test("a browser gets the cookie of the new access token", async () => {
  const { accessToken } = await signedIn("carol")
  const answered = await ask("/auth/sessions/current/proofs", {
    body: { password },
    headers: { cookie: `__Host-access=${accessToken}` },
  })
  const cookies = answered.headers.getSetCookie().join("\n")
  expect(cookies).toContain(`__Host-access=${(await json<Proved>(answered, 201)).accessToken}`)
  expect(cookies).not.toContain("__Host-refresh")
})

test("wrong passwords prove nothing, and are counted with those of sign-in", async () => {
  const { accessToken: token } = await signedIn("dave")
  for (let n = 0; n < 10; n++) {
    expect(await refusal(prove(token, { password: "wrong" }), 401)).toBe("invalid_credentials")
  }
  expect(await refusal(prove(token, { password }), 429)).toBe("locked")
})

test("who has a second factor shows that one: a password that leaked with a session is not enough", async () => {
  const erin = await guarded("erin")
  // This session began with a password alone.
  const token = erin.accessToken
  const problem = await json(prove(token, { password }), 401)
  expect(problem).toMatchObject({ code: "second_factor_required", methods: ["otp", "rcv"] })
  const path = `/auth/authenticators/${erin.authenticator}`
  const weak = await json(ask(path, { method: "DELETE", token }), 401)
  expect(weak).toMatchObject({ code: "step_up_required", level: "aal2" })
  expect(await refusal(ask("/auth/recovery-codes", { method: "POST", token }), 401)).toBe(
    "step_up_required",
  )
  const { accessToken } = await json<Proved>(prove(token, { code: codeOf(erin.secret) }), 201)
  expect(claimsOf(accessToken)).toMatchObject({ amr: ["pwd", "otp"], acr: "aal2" })
  expect((await ask(path, { method: "DELETE", token: accessToken })).status).toBe(204)
})

test("a code proves once, and guesses are counted", async () => {
  const frank = await guarded("frank")
  const { accessToken: token } = await signInTwice(frank)
  expect(await refusal(prove(token, { code: codeOf(frank.secret) }), 401)).toBe("code_invalid")
  const answers = await Promise.all(
    [1, 2, 3].map(() => prove(token, { code: codeOf(frank.secret, 1) })),
  )
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
  for (let n = 0; n < 5; n++) await prove(token, { code: wrongCodeOf(frank.secret) })
  expect(await refusal(prove(token, { recoveryCode: frank.recoveryCodes[0] }), 429)).toBe("locked")
})

test("a recovery code proves too, for those who lost their phone", async () => {
  const { accessToken: token, recoveryCodes } = await guarded("grace")
  const { accessToken } = await json<Proved>(prove(token, { recoveryCode: recoveryCodes[0] }), 201)
  expect(claimsOf(accessToken).amr).toEqual(["pwd", "rcv"])
})

test("a passkey proves, with a challenge of the session's own", async () => {
  const { accessToken: token } = await signedIn("heidi")
  const made = await json<Parameters<typeof createCredential>[0]>(
    ask("/auth/passkeys/registrations", { token, body: {} }),
    201,
  )
  const { credential, response: attestation } = await createCredential(made, page)
  const draft = { challenge: made.challenge, response: attestation, name: "Laptop" }
  await json(ask("/auth/passkeys", { token, body: draft }), 201)
  pass(601)
  const challengeFor = (asking: string) =>
    json<{ challenge: string; rpId: string; allowCredentials: object[] }>(
      ask("/auth/sessions/current/challenges", { method: "POST", token: asking }),
      201,
    )
  const options = await challengeFor(token)
  expect(options.allowCredentials).toHaveLength(1)
  const passkey = await assertionOf(credential, options, page)
  const { challenge } = options
  const mallory = await signedIn("mallory")
  const stolen = prove(mallory.accessToken, { challenge, passkey })
  expect(await refusal(stolen, 401)).toBe("token_invalid")
  const { accessToken } = await json<Proved>(prove(token, { challenge, passkey }), 201)
  expect(claimsOf(accessToken)).toMatchObject({ amr: ["pwd", "hwk"], acr: "aal2" })
  expect(await refusal(prove(token, { challenge, passkey }), 401)).toBe("code_invalid")
  const other = await challengeFor(mallory.accessToken)
  const foreign = await assertionOf(credential, other, page)
  const tried = prove(mallory.accessToken, { challenge: other.challenge, passkey: foreign })
  expect(await refusal(tried, 401)).toBe("code_invalid")
})

test.each([
  ["nothing", {}],
  ["two proofs", { password, code: "123456" }],
  ["a challenge without a passkey", { code: "123456", challenge: "x" }],
  ["a field too many", { password, admin: true }],
])("%s is no proof", async (_, body) => {
  const { accessToken: token } = await signedIn(`judy-${Object.keys(body).join("-")}`)
  expect(await refusal(prove(token, body), 400)).toBe("invalid_input")
})
