import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { sql } from "../../../src/platform/sql.ts"
import { fromBase32 } from "../../support/base32.ts"
import { call, claimsOf, json, query, refusal, type SignedIn, signedIn, trips } from "./cast.ts"
import {
  answer,
  challengeOf,
  codeOf,
  firstFactor,
  guarded,
  signInTwice,
  startAuthenticator,
  wrongCodeOf,
} from "./factors-cast.ts"

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Math.floor(Date.now() / 30_000) * 30_000 + 5_000 })
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const confirm = (token: string, id: string, code: string) =>
  call(`/auth/authenticators/${id}/confirmations`, { token, body: { code } })

const kindsOf = async (user: string) =>
  (
    await query(
      sql`SELECT kind FROM audit_events WHERE user = ${user} AND kind NOT LIKE 'session.%' AND kind <> 'user.created' ORDER BY id`,
    )
  ).map(({ kind }) => kind)

test("an authenticator is answered with its secret once, and counts after its confirmation", async () => {
  const { accessToken: token, user } = await signedIn("ann")
  const answered = await call("/auth/authenticators", { token, body: { name: "Phone" } })
  expect(trips(answered)).toBe("1")
  const started = await json<{ id: string; secret: string; uri: string }>(answered, 201)
  expect(started).toEqual({
    id: expect.any(String),
    name: "Phone",
    createdAt: expect.any(String),
    confirmedAt: null,
    secret: expect.stringMatching(/^[A-Z2-7]{32}$/),
    uri: `otpauth://totp/127.0.0.1%3A8787:ann%40example.com?secret=${started.secret}&issuer=127.0.0.1%3A8787&algorithm=SHA1&digits=6&period=30`,
  })
  expect((await firstFactor("ann")).status).toBe(201)
  expect(await kindsOf(user.id)).toEqual([])

  const confirmed = await confirm(token, started.id, codeOf(fromBase32(started.secret)))
  expect(trips(confirmed)).toBe("2")
  const { recoveryCodes, ...authenticator } = await json(confirmed, 201)
  expect(recoveryCodes).toHaveLength(10)
  expect(new Set(recoveryCodes as string[]).size).toBe(10)
  for (const code of recoveryCodes as string[]) expect(code).toMatch(/^[0-9a-z]{5}-[0-9a-z]{5}$/)
  expect((await firstFactor("ann")).status).toBe(401)
  expect(await kindsOf(user.id)).toEqual(["authenticator.added"])
  const list = await json(call("/auth/authenticators", { token }), 200)
  expect(list).toEqual({ items: [authenticator], next: null })
})

test("the code that confirmed it signs nobody in", async () => {
  const { accessToken: token } = await signedIn("bob")
  const { id, secret } = await startAuthenticator(token)
  const code = codeOf(fromBase32(secret))
  await json(confirm(token, id, code), 201)
  const tried = answer({ challenge: await challengeOf("bob"), code })
  expect(await refusal(tried, 401)).toBe("code_invalid")
})

test("wrong codes confirm nothing, and are counted", async () => {
  const { accessToken: token } = await signedIn("carol")
  const { id, secret } = await startAuthenticator(token)
  const wrong = wrongCodeOf(fromBase32(secret))
  for (let n = 0; n < 5; n++)
    expect(await refusal(confirm(token, id, wrong), 401)).toBe("code_invalid")
  expect(await refusal(confirm(token, id, codeOf(fromBase32(secret))), 429)).toBe("locked")
})

test("who begins anew gives up what they did not confirm", async () => {
  const { accessToken: token } = await signedIn("dave")
  const first = await startAuthenticator(token)
  const second = await startAuthenticator(token)
  const tried = confirm(token, first.id, codeOf(fromBase32(first.secret)))
  expect(await refusal(tried, 404)).toBe("not_found")
  await json(confirm(token, second.id, codeOf(fromBase32(second.secret))), 201)
  const again = confirm(token, second.id, codeOf(fromBase32(second.secret), 1))
  expect(await refusal(again, 404)).toBe("not_found")
})

test("another's authenticator is neither confirmed nor removed", async () => {
  const { accessToken: token } = await signedIn("erin")
  const { id, secret } = await startAuthenticator(token)
  const mallory = await signedIn("mallory")
  const tried = confirm(mallory.accessToken, id, codeOf(fromBase32(secret)))
  expect(await refusal(tried, 404)).toBe("not_found")
  const removal = call(`/auth/authenticators/${id}`, {
    method: "DELETE",
    token: mallory.accessToken,
  })
  expect(await refusal(removal, 404)).toBe("not_found")
})

test("a second authenticator signs in as well as the first, and brings no recovery codes", async () => {
  const frank = await guarded("frank")
  const { accessToken: token } = await signInTwice(frank)
  const { id, secret } = await startAuthenticator(token, "Tablet")
  const { recoveryCodes } = await json(confirm(token, id, codeOf(fromBase32(secret), -1)), 201)
  expect(recoveryCodes).toBeNull()
  const code = codeOf(fromBase32(secret))
  await json(answer({ challenge: await challengeOf("frank"), code }), 201)
  await json(answer({ challenge: await challengeOf("frank"), code: codeOf(frank.secret, 1) }), 201)
})

test("with the last factor its recovery codes go, and a password is enough again", async () => {
  const grace = await guarded("grace")
  const { accessToken: token } = await signInTwice(grace)
  const removed = await call(`/auth/authenticators/${grace.authenticator}`, {
    method: "DELETE",
    token,
  })
  expect(removed.status).toBe(204)
  expect(trips(removed)).toBe("1")
  expect((await firstFactor("grace")).status).toBe(201)
  expect(await json(call("/auth/recovery-codes", { token }), 200)).toEqual({
    remaining: 0,
    createdAt: null,
  })
  expect(await kindsOf(grace.user.id)).toEqual(["authenticator.added", "authenticator.removed"])
})

test("a recovery code stands in for the code once, however it is typed", async () => {
  const heidi = await guarded("heidi")
  const [code = "", other = ""] = heidi.recoveryCodes
  const challenge = await challengeOf("heidi")
  const typed = ` ${code.toUpperCase().replace("-", " ").replaceAll("0", "O").replaceAll("1", "l")} `
  const { accessToken } = await json<SignedIn>(answer({ challenge, recoveryCode: typed }), 201)
  expect(claimsOf(accessToken)).toMatchObject({ amr: ["pwd", "rcv"], acr: "aal2" })
  const again = answer({ challenge: await challengeOf("heidi"), recoveryCode: code })
  expect(await refusal(again, 401)).toBe("code_invalid")
  expect(await json(call("/auth/recovery-codes", { token: accessToken }), 200)).toMatchObject({
    remaining: 9,
  })
  expect(await kindsOf(heidi.user.id)).toContain("recoveryCodes.used")

  const challenges = await Promise.all(Array.from({ length: 3 }, () => challengeOf("heidi")))
  const answers = await Promise.all(
    challenges.map((one) => answer({ challenge: one, recoveryCode: other })),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 401, 401])
})

test("guesses of recovery codes are counted with those of codes", async () => {
  const ivan = await guarded("ivan")
  const challenge = await challengeOf("ivan")
  for (let n = 0; n < 3; n++) await answer({ challenge, recoveryCode: "00000-00000" })
  for (let n = 0; n < 2; n++) await answer({ challenge, code: wrongCodeOf(ivan.secret) })
  const tried = answer({ challenge, recoveryCode: ivan.recoveryCodes[0] })
  expect(await refusal(tried, 429)).toBe("locked")
})

test("new recovery codes void the old ones", async () => {
  const judy = await guarded("judy")
  const { accessToken: token } = await signInTwice(judy)
  const made = await call("/auth/recovery-codes", { method: "POST", token })
  expect(trips(made)).toBe("1")
  const { codes } = await json<{ codes: string[] }>(made, 201)
  expect(codes).toHaveLength(10)
  const tried = answer({
    challenge: await challengeOf("judy"),
    recoveryCode: judy.recoveryCodes[0],
  })
  expect(await refusal(tried, 401)).toBe("code_invalid")
  await json(answer({ challenge: await challengeOf("judy"), recoveryCode: codes[0] }), 201)
  expect(await kindsOf(judy.user.id)).toContain("recoveryCodes.replaced")
})

test("there are no recovery codes without a factor that they stand in for", async () => {
  const { accessToken: token } = await signedIn("niaj")
  const made = call("/auth/recovery-codes", { method: "POST", token })
  expect(await refusal(made, 409)).toBe("conflict")
})

test("secrets and codes are in no table, no log line, and no answer but their own", async () => {
  const logged: string[] = []
  for (const level of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, level).mockImplementation((...parts) => {
      logged.push(parts.map(String).join(" "))
    })
  }
  const { accessToken: token } = await signedIn("planted")
  const { id, secret } = await startAuthenticator(token)
  const bytes = fromBase32(secret)
  const code = codeOf(bytes, -1)
  const { recoveryCodes } = await json<{ recoveryCodes: string[] }>(confirm(token, id, code), 201)
  const challenge = await challengeOf("planted")
  const later = [
    await answer({ challenge, code: wrongCodeOf(bytes) }),
    await answer({ challenge, recoveryCode: recoveryCodes[1] }),
    await call("/auth/authenticators", { token }),
    await call("/auth/recovery-codes", { token }),
  ]
  const answered = (await Promise.all(later.map((one) => one.text()))).join("\n")
  const tables = ["authenticators", "recovery_codes", "account_tokens", "audit_events", "changes"]
  const stored = await Promise.all(
    [...tables, "sessions", "members", "sign_in_attempts"].map((table) =>
      query({ text: `SELECT * FROM ${table}`, params: [] }),
    ),
  )
  const hidden = [secret, Buffer.from(bytes).toString("base64"), Buffer.from(bytes).toString("hex")]
  hidden.push(challenge, ...recoveryCodes, ...recoveryCodes.map((one) => one.replace("-", "")))
  for (const one of hidden) {
    for (const place of [logged.join("\n"), JSON.stringify(stored), answered]) {
      expect(place).not.toContain(one)
    }
  }
})
