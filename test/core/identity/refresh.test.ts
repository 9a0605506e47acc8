import { afterEach, expect, test, vi } from "vitest"
import { parseRefreshToken, successorOf } from "../../../src/core/identity/refresh-tokens.ts"
import { sql } from "../../../src/platform/sql.ts"
import { call, claimsOf, json, query, refreshed, refusal, signedIn, trips } from "./cast.ts"

afterEach(() => {
  vi.useRealTimers()
})

const secondsLater = (seconds: number) =>
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + seconds * 1000 })

const isRefused = async (refreshToken: string) =>
  expect(await refusal(call("/auth/tokens", { body: { refreshToken } }), 401)).toBe("token_invalid")

const revokedAt = async (accessToken: string) => {
  const [row] = await query(
    sql`SELECT revokedAt FROM sessions WHERE id = ${claimsOf(accessToken).sid as string}`,
  )
  return row?.revokedAt
}

test("a refresh token buys the next pair, in two trips", async () => {
  const first = await signedIn("ann")
  const answer = await call("/auth/tokens", { body: { refreshToken: first.refreshToken } })
  expect(trips(answer)).toBe("2")
  const second = await json(answer, 200)
  expect(second).toEqual({
    accessToken: expect.any(String),
    expiresIn: 900,
    refreshToken: expect.stringMatching(/^hrt_/),
  })
  expect(second.refreshToken).not.toBe(first.refreshToken)
  const claims = claimsOf(second.accessToken as string)
  expect(claims).toMatchObject({ sid: claimsOf(first.accessToken).sid, sub: first.user.id })
  await json(call("/auth/me", { token: second.accessToken as string }), 200)
})

test("the immediate predecessor gets the same successor for 30 s: two tabs", async () => {
  const { refreshToken, accessToken } = await signedIn("bob")
  const answers = await Promise.all([refreshed(refreshToken), refreshed(refreshToken)])
  secondsLater(29)
  answers.push(await refreshed(refreshToken))
  expect(new Set(answers.map((answer) => answer.refreshToken)).size).toBe(1)
  expect(await revokedAt(accessToken)).toBeNull()
  await refreshed(answers[0]?.refreshToken as string)
})

test("after 30 s the predecessor ends the family", async () => {
  const { refreshToken, accessToken } = await signedIn("carol")
  const next = await refreshed(refreshToken)
  secondsLater(31)
  await isRefused(refreshToken)
  expect(await revokedAt(accessToken)).not.toBeNull()
  await isRefused(next.refreshToken)
})

test("a token two generations old ends the family at once, with its access tokens", async () => {
  const { refreshToken } = await signedIn("dave")
  const second = await refreshed(refreshToken)
  const third = await refreshed(second.refreshToken)
  await json(call("/probe", { token: third.accessToken }), 200)
  await isRefused(refreshToken)
  await isRefused(third.refreshToken)
  for (const path of ["/auth/me", "/probe"]) {
    expect(await refusal(call(path, { token: third.accessToken }), 401)).toBe("token_outdated")
  }
})

test("a family's end leaves the person's other sessions alone", async () => {
  const { refreshToken } = await signedIn("erin")
  const other = await json<{ accessToken: string; refreshToken: string }>(
    call("/auth/sessions", {
      body: { email: "erin@example.com", password: "correct horse battery" },
    }),
    201,
  )
  await refreshed((await refreshed(refreshToken)).refreshToken)
  await isRefused(refreshToken)
  await json(call("/probe", { token: other.accessToken }), 200)
  await refreshed(other.refreshToken)
})

test("one of ten parallel uses rotates, all get the same successor", async () => {
  const { refreshToken } = await signedIn("frank")
  const answers = await Promise.all(Array.from({ length: 10 }, () => refreshed(refreshToken)))
  expect(new Set(answers.map((answer) => answer.refreshToken)).size).toBe(1)
})

test("a family that is not used for 30 days ends; each use gives it 30 more", async () => {
  const { refreshToken } = await signedIn("grace")
  secondsLater(29 * 86_400)
  const next = await refreshed(refreshToken)
  secondsLater(29 * 86_400)
  const last = await refreshed(next.refreshToken)
  secondsLater(31 * 86_400)
  await isRefused(last.refreshToken)
})

test("neither a token nor anything that leads to one is stored", async () => {
  const { refreshToken } = await signedIn("heidi")
  const next = await refreshed(refreshToken)
  const stored = JSON.stringify(await query(sql`SELECT * FROM sessions`))
  for (const token of [refreshToken, next.refreshToken]) {
    expect(stored).not.toContain(token)
    expect(stored).not.toContain(token.slice(40, 60))
  }
})

test("what was never issued is refused without a trip, and ends nothing", async () => {
  const { refreshToken, accessToken } = await signedIn("ivan")
  const secret = "another-secret-another-secret-another-secret"
  const middle = refreshToken[40] === "A" ? "B" : "A"
  const forged = [
    "",
    "hrt_",
    "x",
    refreshToken.slice(0, -1),
    `${refreshToken}A`,
    `${refreshToken.slice(0, 40)}${middle}${refreshToken.slice(41)}`,
    refreshToken.replace("hrt_", ""),
    refreshToken.toUpperCase(),
    accessToken,
    `hrt_${"A".repeat(86)}`,
    successorOf(secret, { text: refreshToken, session: claimsOf(accessToken).sid }).text,
    "hrt_\u{1f511}",
    "' OR 1=1 --",
  ]
  for (const token of forged) {
    const answer = await call("/auth/tokens", { body: { refreshToken: token } })
    expect(trips(answer), token).toBe("0")
    expect(await refusal(answer, 401)).toBe("token_invalid")
  }
  expect(parseRefreshToken(secret, refreshToken)).toBeNull()
  await refreshed(refreshToken)
})

test.each([
  ["a number", { refreshToken: 1 }, "invalid_input"],
  ["a field too many", { refreshToken: "x", scope: "all" }, "invalid_input"],
  ["a list", [], "invalid_input"],
])("%s is invalid input", async (_, body, code) => {
  expect(await refusal(call("/auth/tokens", { body }), 400)).toBe(code)
})

test("a stale access token beside it does not stand in the way", async () => {
  const { refreshToken, accessToken } = await signedIn("judy")
  secondsLater(901)
  expect(await refusal(call("/auth/me", { token: accessToken }), 401)).toBe("token_expired")
  await json(call("/auth/tokens", { body: { refreshToken }, token: accessToken }), 200)
})
