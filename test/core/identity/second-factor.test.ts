import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { createChallenge } from "../../../src/core/identity/challenges.ts"
import { sql } from "../../../src/platform/sql.ts"
import {
  bindings,
  call,
  claimsOf,
  json,
  password,
  query,
  refusal,
  type SignedIn,
  signIn,
  signUp,
  toolApp,
  trips,
} from "./cast.ts"
import {
  answer,
  challengeOf,
  codeOf,
  firstFactor,
  guarded,
  signInTwice,
  wrongCodeOf,
} from "./factors-cast.ts"

// Mid-step, so that no test runs over the edge of one.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Math.floor(Date.now() / 30_000) * 30_000 + 5_000 })
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})
const pass = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000)

test("who has an authenticator signs in with password and code", async () => {
  const ann = await guarded("ann")
  const first = await firstFactor("ann")
  expect(trips(first)).toBe("1")
  expect(first.headers.get("set-cookie")).not.toContain("__Host-access")
  const problem = await json(first, 401)
  expect(problem).toMatchObject({
    code: "second_factor_required",
    challenge: expect.any(String),
    methods: ["otp", "rcv"],
  })
  const second = await answer({ challenge: problem.challenge, code: codeOf(ann.secret) })
  expect(trips(second)).toBe("2")
  expect(second.headers.getSetCookie().join()).toContain("__Host-access")
  const { accessToken, user } = await json<SignedIn>(second, 201)
  expect(user).toEqual(ann.user)
  expect(claimsOf(accessToken)).toMatchObject({ amr: ["pwd", "otp"], acr: "aal2" })
  const [audited] = await query(
    sql`SELECT detail FROM audit_events WHERE session = ${claimsOf(accessToken).sid}`,
  )
  expect(JSON.parse(audited?.detail as string).methods).toEqual(["pwd", "otp"])
})

test("who has none is not asked", async () => {
  await signUp("bob")
  expect(claimsOf((await signIn("bob")).accessToken)).toMatchObject({ amr: ["pwd"], acr: "aal1" })
})

test("a wrong password says nothing of the second factor", async () => {
  await guarded("carol")
  await signUp("carol-without")
  for (const name of ["carol", "carol-without", "carol-who"]) {
    const tried = call("/auth/sessions", {
      body: { email: `${name}@example.com`, password: `${password}!` },
    })
    expect(await refusal(tried, 401)).toBe("invalid_credentials")
  }
})

test("a code may be typed with a blank, and from a clock that is a step off", async () => {
  const dave = await guarded("dave")
  const code = codeOf(dave.secret, 1)
  const challenge = await challengeOf("dave")
  await json(answer({ challenge, code: ` ${code.slice(0, 3)} ${code.slice(3)}` }), 201)
})

test("no code is accepted twice, nor one that is older than the last", async () => {
  const erin = await guarded("erin")
  await signInTwice(erin)
  for (const steps of [0, -1]) {
    const again = answer({ challenge: await challengeOf("erin"), code: codeOf(erin.secret, steps) })
    expect(await refusal(again, 401)).toBe("code_invalid")
  }
  await signInTwice(erin, 1)
})

test("of twenty parallel sign-ins with one code, one is let in", async () => {
  const { name, secret } = await guarded("frank")
  // The limit of guesses is out of the way, so that only the guard of the code is left.
  const challenges = await Promise.all(
    Array.from({ length: 5 }, (_, n) =>
      firstFactor(name, `198.51.100.${n}`).then(
        async (answered) => ((await answered.json()) as { challenge: string }).challenge,
      ),
    ),
  )
  const answers = await Promise.all(
    challenges.map((challenge) => answer({ challenge, code: codeOf(secret) })),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 401, 401, 401, 401])
})

test("a challenge is good for one sign-in", async () => {
  const { name, secret, recoveryCodes } = await guarded("grace")
  const challenge = await challengeOf(name)
  await json(answer({ challenge, code: codeOf(secret) }), 201)
  const again = answer({ challenge, recoveryCode: recoveryCodes[0] })
  expect(await refusal(again, 401)).toBe("code_invalid")
  const [left] = await query(
    sql`SELECT count(*) AS n FROM recovery_codes r JOIN users u ON u.id = r.user WHERE u.email = 'grace@example.com' AND usedAt IS NULL`,
  )
  expect(left?.n).toBe(10)
})

test("of a thousand parallel guesses five are looked at, and nothing more until the window ends", async () => {
  const { name, secret } = await guarded("heidi")
  const challenge = await challengeOf(name)
  const answers = await Promise.all(
    Array.from({ length: 1000 }, (_, n) =>
      answer(
        { challenge, code: wrongCodeOf(secret) },
        `2001:db8:${Math.floor(n / 90).toString(16)}::1`,
      ),
    ),
  )
  const codes = await Promise.all(
    answers.map(async (answered) => ((await answered.json()) as { code: string }).code),
  )
  expect(codes.filter((code) => code === "code_invalid")).toHaveLength(5)
  expect(codes.filter((code) => code === "locked").length).toBeGreaterThan(900)
  expect(await refusal(answer({ challenge, code: codeOf(secret) }, "203.0.113.9"), 429)).toBe(
    "locked",
  )
  // A right password does not give the guesses back.
  const other = await challengeOf(name)
  expect(
    await refusal(answer({ challenge: other, code: codeOf(secret) }, "203.0.113.9"), 429),
  ).toBe("locked")
  pass(901)
  const later = await challengeOf(name)
  await json(answer({ challenge: later, code: codeOf(secret) }, "203.0.113.9"), 201)
})

test("a success takes back what the first factor and the guesses counted", async () => {
  const ivan = await guarded("ivan")
  for (let round = 0; round < 3; round++) {
    pass(60)
    const challenge = await challengeOf("ivan")
    for (let n = 0; n < 4; n++) {
      const wrong = answer({ challenge, code: wrongCodeOf(ivan.secret) })
      expect(await refusal(wrong, 401)).toBe("code_invalid")
    }
    await json(answer({ challenge, code: codeOf(ivan.secret) }), 201)
  }
})

const forged = {
  "one that was tampered with": async (name: string) => {
    const challenge = await challengeOf(name)
    const bytes = Buffer.from(challenge, "base64url")
    bytes[20] = (bytes[20] as number) ^ 1
    return bytes.toString("base64url")
  },
  "one with another last letter": async (name: string) => {
    const challenge = await challengeOf(name)
    return challenge.slice(0, -1) + (challenge.endsWith("A") ? "B" : "A")
  },
  "one with padding": async (name: string) => `${await challengeOf(name)}=`,
  "one of another secret": async (name: string) => {
    const [user] = await query(sql`SELECT id, epoch FROM users WHERE name = ${name}`)
    const app = toolApp({ ...bindings, SECRET: "another secret, another secret, another" })
    return createChallenge(app, "secondFactor", {
      user: user?.id as string,
      epoch: user?.epoch as number,
      methods: ["pwd"],
    })
  },
  "one for another purpose": async () => createChallenge(toolApp(), "passkeySignIn", {}),
  "one of a session's own proof": async () =>
    createChallenge(toolApp(), "proof", { session: crypto.randomUUID() }),
  "one from before a new password": async (name: string) => {
    const challenge = await challengeOf(name)
    await query(sql`UPDATE users SET epoch = epoch + 1 WHERE name = ${name}`)
    return challenge
  },
  "one that expired": async (name: string) => {
    const challenge = await challengeOf(name)
    pass(301)
    return challenge
  },
  "an access token": async (name: string) => {
    const [user] = await query(sql`SELECT id FROM users WHERE name = ${name}`)
    return user?.id as string
  },
  "one letter": async () => "A",
  "a word of another alphabet": async () => "пароль",
}

test.each(Object.entries(forged))("a challenge is refused: %s", async (title, forge) => {
  const name = `mallory-${Object.keys(forged).indexOf(title)}`
  const { secret } = await guarded(name)
  const challenge = await forge(name)
  for (const code of [codeOf(secret), wrongCodeOf(secret)]) {
    expect(await refusal(answer({ challenge, code }), 401)).toBe("token_invalid")
  }
})

test("a challenge is answered by its own person's factors only", async () => {
  const judy = await guarded("judy")
  const mallory = await guarded("mallory")
  const challenge = await challengeOf("judy")
  for (const body of [
    { challenge, code: codeOf(mallory.secret) },
    { challenge, recoveryCode: mallory.recoveryCodes[0] },
  ]) {
    expect(await refusal(answer(body), 401)).toBe("code_invalid")
  }
  expect(claimsOf((await signInTwice(judy)).accessToken).sub).toBe(judy.user.id)
})

test("an authenticator that was copied to another person's rows does not open there", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {})
  const victim = await guarded("victim")
  const thief = await guarded("thief")
  await query(
    sql`UPDATE authenticators SET secret = (SELECT secret FROM authenticators WHERE user = ${thief.user.id}) WHERE user = ${victim.user.id}`,
  )
  const tried = answer({ challenge: await challengeOf("victim"), code: codeOf(thief.secret) })
  expect(await refusal(tried, 500)).toBe("misconfigured")
})

test("a disabled account is refused after the first factor, and after the second", async () => {
  const { name, secret, user } = await guarded("niaj")
  const challenge = await challengeOf(name)
  await query(sql`UPDATE users SET disabledAt = ${new Date().toISOString()} WHERE id = ${user.id}`)
  expect(await refusal(firstFactor(name), 403)).toBe("account_disabled")
  expect(await refusal(answer({ challenge, code: codeOf(secret) }), 403)).toBe("account_disabled")
})

test.each([
  ["nothing", {}],
  ["two factors", { code: "123456", recoveryCode: "x" }],
  ["a password beside it", { password }],
  ["five digits", { code: "12345" }],
  ["letters", { code: "abcdef" }],
  ["a number", { code: 123456 }],
  ["digits of another script", { code: "١٢٣٤٥٦" }],
  ["an empty recovery code", { recoveryCode: "" }],
])("a challenge with %s is invalid input", async (_, factors) => {
  const challenge = createChallenge(toolApp(), "passkeySignIn", {})
  expect(await refusal(answer({ challenge, ...factors }), 400)).toBe("invalid_input")
})
