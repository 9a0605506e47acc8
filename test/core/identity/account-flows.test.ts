import { afterEach, describe, expect, test, vi } from "vitest"
import { accountTemplates } from "../../../src/core/identity/mails.ts"
import { samplesOf } from "../../../src/core/mail/template.ts"
import { sql } from "../../../src/platform/sql.ts"
import {
  bindings,
  call,
  claimsOf,
  json,
  password,
  query,
  refusal,
  signedIn,
  signIn,
  signUp,
  trips,
} from "./cast.ts"
import {
  elsewhere,
  eventsOf,
  mailedCode,
  mailedToken,
  mailsTo,
  post,
  signInStatus,
  verified,
} from "./mailbox.ts"

afterEach(() => {
  vi.useRealTimers()
})

const later = (seconds: number) =>
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + seconds * 1_000 })

const done = async (answer: Promise<Response>, status = 204) => json(answer, status)

describe("verification", () => {
  test("sign-up mails a link, in two trips, and the link verifies the address", async () => {
    const answer = await call("/auth/users", {
      body: { email: "vera@example.com", password },
      headers: { "accept-language": "fr, de-AT;q=0.8, en;q=0.5" },
    })
    expect(trips(answer)).toBe("2")
    const user = await json<{ id: string; emailVerifiedAt: null }>(answer, 201)
    expect(user.emailVerifiedAt).toBeNull()
    const [mail] = await mailsTo(user.id, "account.verify-email")
    expect(mail).toMatchObject({ locale: "de", subject: "Bestätige deine E-Mail-Adresse" })
    expect(mail?.address ?? "not looked up yet").not.toContain("hat_")
    const token = await mailedToken(user.id, "account.verify-email")
    const confirmed = await post("/auth/email-verifications/confirmations", { token })
    expect(trips(confirmed)).toBe("2")
    expect(confirmed.status).toBe(204)
    expect((await signIn("vera")).user).toMatchObject({ emailVerifiedAt: expect.any(String) })
    expect(await eventsOf(user.id)).toContain("email.verified")
  })

  test("another link can be asked for until the address is verified", async () => {
    const { user, accessToken } = await signedIn("again")
    await done(post("/auth/email-verifications", undefined, { token: accessToken }), 202)
    expect(await mailsTo(user.id, "account.verify-email")).toHaveLength(2)
    const token = await mailedToken(user.id, "account.verify-email")
    await done(post("/auth/email-verifications/confirmations", { token }))
    await done(post("/auth/email-verifications", undefined, { token: accessToken }), 202)
    expect(await mailsTo(user.id, "account.verify-email")).toHaveLength(2)
  })

  test("where it is demanded, the right password alone learns that it is missing", async () => {
    const env = { ...bindings, REQUIRE_VERIFIED_EMAIL: "on" }
    const user = await signUp("unverified")
    const attempt = (tried: string) =>
      post("/auth/sessions", { email: "unverified@example.com", password: tried }, { env })
    expect(await refusal(attempt("wrong password"), 401)).toBe("invalid_credentials")
    expect(await refusal(attempt(password), 403)).toBe("email_unverified")
    const token = await mailedToken(user.id, "account.verify-email")
    await done(post("/auth/email-verifications/confirmations", { token }, { env }))
    await done(attempt(password), 201)
  })
})

describe("password reset", () => {
  const reset = (email: string, options = {}) => post("/auth/password-resets", { email }, options)

  test("known and unknown addresses get the same answer, by the same trips", async () => {
    await signUp("known")
    const seen = await Promise.all(
      ["known@example.com", "unknown@example.com", "%", "known@EXAMPLE.com "].map(async (email) => {
        const answer = await reset(email)
        const headers = [...answer.headers].filter(
          ([name]) => !["x-request-id", "server-timing", "x-bookmark", "set-cookie"].includes(name),
        )
        return { status: answer.status, headers, trips: trips(answer), body: await answer.text() }
      }),
    )
    expect(seen[0]).toMatchObject({ status: 202, trips: "2", body: "" })
    for (const one of seen) expect(one).toEqual(seen[0])
  })

  test("it gives a new password, ends every session, voids other links, and tells the person", async () => {
    const { user, accessToken, refreshToken } = await signedIn("forgetful")
    const email = "forgetful@example.com"
    await done(reset(email), 202)
    const older = await mailedToken(user.id, "account.reset-password")
    await done(reset(email), 202)
    const token = await mailedToken(user.id, "account.reset-password")
    const answer = await post("/auth/password-resets/confirmations", {
      token,
      password: "another password",
    })
    expect(answer.status).toBe(204)
    expect(trips(answer)).toBe("2")
    expect(await refusal(call("/auth/me", { token: accessToken }), 401)).toBe("token_outdated")
    expect(await refusal(call("/probe", { token: accessToken }), 401)).toBe("token_outdated")
    expect(await refusal(call("/auth/tokens", { body: { refreshToken } }), 401)).toBe(
      "token_invalid",
    )
    expect(await signInStatus(email)).toBe(401)
    expect(await signInStatus(email, "another password")).toBe(201)
    const late = post("/auth/password-resets/confirmations", { token: older, password })
    expect(await refusal(late, 401)).toBe("code_invalid")
    expect(await eventsOf(user.id)).toContain("password.reset")
    const [notice] = await mailsTo(user.id, "account.notice")
    expect(notice?.subject).toBe("New sign-in to your account")
    expect((await mailsTo(user.id, "account.notice")).map(({ subject }) => subject)).toContain(
      "Your password was changed",
    )
    const [row] = await query(sql`SELECT emailVerifiedAt FROM users WHERE id = ${user.id}`)
    expect(row?.emailVerifiedAt).not.toBeNull()
  })

  test("a locked account is open again after a reset", async () => {
    const user = await signUp("attacked")
    const email = "attacked@example.com"
    for (let n = 0; n < 10; n++) await signInStatus(email, "wrong password")
    expect(await signInStatus(email)).toBe(429)
    await done(reset(email), 202)
    const token = await mailedToken(user.id, "account.reset-password")
    await done(post("/auth/password-resets/confirmations", { token, password: "a new one 1" }))
    expect(await signInStatus(email, "a new one 1")).toBe(201)
  })

  test.each(["limited@example.com", "nobody-limited@example.com"])(
    "of twenty requests at once for %s five are mailed",
    async (email) => {
      if (email.startsWith("limited")) await signUp("limited")
      const answers = await Promise.all(Array.from({ length: 20 }, () => reset(email)))
      expect(answers.filter(({ status }) => status === 202)).toHaveLength(5)
      const refused = answers.filter(({ status }) => status === 429)
      expect(refused).toHaveLength(15)
      expect(refused[0]?.headers.get("retry-after")).toMatch(/^\d+$/)
      expect(await json(refused[0] as Response, 429)).toMatchObject({ code: "rate_limited" })
    },
  )

  test("one network address asks for fifty in all", async () => {
    const headers = elsewhere()
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) => reset(`spray-${n}@example.com`, { headers })),
    )
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(50)
  })

  test("twenty uses of one link at once: one gets through", async () => {
    const user = await signUp("racer")
    await reset("racer@example.com")
    const token = await mailedToken(user.id, "account.reset-password")
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        post("/auth/password-resets/confirmations", { token, password: `password ${n}` }),
      ),
    )
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(19)
    expect((await eventsOf(user.id)).filter((kind) => kind === "password.reset")).toHaveLength(1)
  })
})

describe("what is wrong with a link is told to nobody", () => {
  const confirmations = [
    ["/auth/email-verifications/confirmations", "account.verify-email", {}],
    ["/auth/password-resets/confirmations", "account.reset-password", { password: "new password" }],
    ["/auth/email-changes/confirmations", "account.confirm-new-address", {}],
    ["/auth/email-changes/undos", "account.address-is-changing", {}],
  ] as const

  const tokensFor = async (name: string) => {
    const { user, accessToken } = await verified(name)
    await post("/auth/password-resets", { email: user.email })
    await post("/auth/email-changes", { email: `${name}-new@example.com` }, { token: accessToken })
    await post("/auth/email-verifications", undefined, { token: accessToken })
    const whoms = [user.id, user.id, `${name}-new@example.com`, user.email]
    return Promise.all(
      confirmations.map(([, template], i) =>
        mailedToken(whoms[i] as string, template).catch(() => "hat_none"),
      ),
    )
  }

  test("used up, expired, of another purpose, changed by a letter, empty of meaning", async () => {
    const tokens = await tokensFor("holder")
    for (const [i, [path, , extra]] of confirmations.entries()) {
      const others = tokens.filter((_, n) => n !== i)
      const own = tokens[i] as string
      const swapped = own.slice(0, -2) + (own.at(-2) === "A" ? "B" : "A") + own.at(-1)
      for (const token of [...others, swapped, own.toUpperCase(), `${own}x`, "x", "hat_"]) {
        expect(await refusal(post(path, { token, ...extra }), 401), path).toBe("code_invalid")
      }
    }
    later(8 * 86_400)
    for (const [i, [path, , extra]] of confirmations.entries()) {
      const token = tokens[i] as string
      expect(await refusal(post(path, { token, ...extra }), 401), path).toBe("code_invalid")
    }
  })

  test("a code or a link to sign in is no session twice, and none after ten minutes", async () => {
    const user = await signUp("late")
    const email = "late@example.com"
    await post("/auth/mail-codes", { email })
    const token = await mailedToken(user.id, "account.sign-in-code")
    const code = await mailedCode(user.id)
    later(601)
    expect(await refusal(post("/auth/sessions", { email, code }), 401)).toBe("code_invalid")
    expect(await refusal(post("/auth/sessions", { token }), 401)).toBe("code_invalid")
  })
})

describe("sign-in by mail", () => {
  const ask = (email: string) => post("/auth/mail-codes", { email })

  test("a code signs in once, by two trips, and takes its link along", async () => {
    const user = await signUp("coder")
    const email = "coder@example.com"
    const asked = await ask(email)
    expect([asked.status, trips(asked)]).toEqual([202, "2"])
    const [code, token] = [
      await mailedCode(user.id),
      await mailedToken(user.id, "account.sign-in-code"),
    ]
    const answer = await post("/auth/sessions", { email: " CODER@example.com", code })
    expect(trips(answer)).toBe("2")
    const session = await json<{ accessToken: string; user: object }>(answer, 201)
    expect(claimsOf(session.accessToken).amr).toEqual(["mail"])
    expect(session.user).toMatchObject({ id: user.id, emailVerifiedAt: expect.any(String) })
    for (const body of [{ email, code }, { token }]) {
      expect(await refusal(post("/auth/sessions", body), 401)).toBe("code_invalid")
    }
  })

  test("a link signs in once, by two trips, and takes its code along", async () => {
    const user = await signUp("linker")
    await ask("linker@example.com")
    const [code, token] = [
      await mailedCode(user.id),
      await mailedToken(user.id, "account.sign-in-code"),
    ]
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => post("/auth/sessions", { token })),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(trips(answers.find(({ status }) => status === 201) as Response)).toBe("2")
    const body = { email: "linker@example.com", code }
    expect(await refusal(post("/auth/sessions", body), 401)).toBe("code_invalid")
  })

  test("an address without an account takes the same trips", async () => {
    const asked = await ask("no-coder@example.com")
    expect([asked.status, trips(asked)]).toEqual([202, "2"])
    const tried = { email: "no-coder@example.com", code: "123456" }
    expect(await refusal(post("/auth/sessions", tried), 401)).toBe("code_invalid")
  })

  test("of a thousand guesses at once five are looked at, and the code is dead", async () => {
    const user = await signUp("guessed")
    const email = "guessed@example.com"
    await ask(email)
    const code = await mailedCode(user.id)
    const wrong = Array.from({ length: 1_000 }, (_, n) => String(n).padStart(6, "0")).filter(
      (guess) => guess !== code,
    )
    const codes: string[] = []
    for (let from = 0; from < wrong.length; from += 100) {
      const answers = await Promise.all(
        wrong
          .slice(from, from + 100)
          .map((guess) => post("/auth/sessions", { email, code: guess })),
      )
      for (const answer of answers) codes.push(((await answer.json()) as { code: string }).code)
    }
    // The account's own limit lets ten come as far as the code, whose limit is five.
    expect(codes.filter((one) => one === "code_invalid")).toHaveLength(10)
    const [row] = await query(
      sql`SELECT attempts FROM account_tokens WHERE user = ${user.id} AND purpose = 'mail_code'`,
    )
    expect(row?.attempts).toBe(5)
    await query(sql`DELETE FROM sign_in_attempts`)
    expect(await refusal(post("/auth/sessions", { email, code }), 401)).toBe("code_invalid")
  })

  test("the code of one person is nothing to another", async () => {
    const [ann] = [await signUp("code-ann"), await signUp("code-bob")]
    await ask("code-ann@example.com")
    await ask("code-bob@example.com")
    const code = await mailedCode(ann.id)
    const body = { email: "code-bob@example.com", code }
    expect(await refusal(post("/auth/sessions", body), 401)).toBe("code_invalid")
  })
})

describe("change of address", () => {
  const ask = (email: string, token: string) => post("/auth/email-changes", { email }, { token })

  test("the new address is asked, the old one is told, and the link changes it", async () => {
    const { user, accessToken } = await verified("mover")
    const answer = await ask("moved@example.com", accessToken)
    expect([answer.status, trips(answer)]).toEqual([202, "2"])
    expect((await mailsTo("mover@example.com"))[0]?.template).toBe("account.address-is-changing")
    const token = await mailedToken("moved@example.com", "account.confirm-new-address")
    await done(post("/auth/email-changes/confirmations", { token }))
    expect(await signInStatus("mover@example.com")).toBe(401)
    expect(await signInStatus("moved@example.com")).toBe(201)
    expect(await refusal(call("/auth/me", { token: accessToken }), 401)).toBe("token_outdated")
    expect(await eventsOf(user.id)).toEqual(
      expect.arrayContaining(["email.changeRequested", "email.changed"]),
    )
    expect((await mailsTo("mover@example.com")).map(({ subject }) => subject)).toContain(
      "Your e-mail address was changed",
    )
  })

  test("whether another has the address shows in nothing but a mail to them", async () => {
    await signUp("owner")
    const { user, accessToken } = await verified("curious")
    const [taken, free] = [
      await ask("owner@example.com", accessToken),
      await ask("free@example.com", accessToken),
    ]
    expect([taken.status, trips(taken), await taken.text()]).toEqual([
      free.status,
      trips(free),
      await free.text(),
    ])
    const [mail] = await mailsTo("owner@example.com")
    expect(mail?.template).toBe("account.address-in-use")
    expect(mail?.text).not.toContain("hat_")
    expect(mail?.text).not.toContain(user.email)
  })

  test("an address that was taken meanwhile is refused like any bad link", async () => {
    const { accessToken } = await verified("slow")
    await ask("wanted@example.com", accessToken)
    await signUp("wanted")
    const token = await mailedToken("wanted@example.com", "account.confirm-new-address")
    const answer = post("/auth/email-changes/confirmations", { token })
    expect(await refusal(answer, 401)).toBe("code_invalid")
  })

  test("the old address takes the account back from a thief", async () => {
    const { user, accessToken } = await verified("victim")
    await ask("thief@example.com", accessToken)
    const undo = await mailedToken("victim@example.com", "account.address-is-changing")
    const change = await mailedToken("thief@example.com", "account.confirm-new-address")
    await done(post("/auth/email-changes/confirmations", { token: change }))
    const thief = await json<{ refreshToken: string; accessToken: string }>(
      post("/auth/sessions", { email: "thief@example.com", password }),
      201,
    )
    await ask("thief-2@example.com", thief.accessToken)
    await done(post("/auth/email-changes/undos", { token: undo }))
    const { refreshToken } = thief
    expect(await refusal(call("/auth/tokens", { body: { refreshToken } }), 401)).toBe(
      "token_invalid",
    )
    expect(await signInStatus("thief@example.com")).toBe(401)
    // The thief knows the old password, perhaps: it is void.
    expect(await signInStatus("victim@example.com")).toBe(401)
    for (const [path, whom, template] of [
      ["undos", "thief@example.com", "account.address-is-changing"],
      ["confirmations", "thief-2@example.com", "account.confirm-new-address"],
    ] as const) {
      const token = await mailedToken(whom, template)
      expect(await refusal(post(`/auth/email-changes/${path}`, { token }), 401)).toBe(
        "code_invalid",
      )
    }
    const token = await mailedToken(user.id, "account.renew-password")
    await done(post("/auth/password-resets/confirmations", { token, password: "mine again" }))
    expect(await signInStatus("victim@example.com", "mine again")).toBe(201)
  })

  test("an address that was given up is kept for its person, so that no thief can sign up with it", async () => {
    const { user, accessToken } = await verified("kept")
    await ask("elsewhere@example.com", accessToken)
    const undo = await mailedToken("kept@example.com", "account.address-is-changing")
    const change = await mailedToken("elsewhere@example.com", "account.confirm-new-address")
    await done(post("/auth/email-changes/confirmations", { token: change }))
    const body = { email: "KEPT@example.com", password }
    expect(await refusal(call("/auth/users", { body }), 409)).toBe("conflict")
    const other = await signedIn("keeper")
    await ask("kept@example.com", other.accessToken)
    const token = await mailedToken("kept@example.com", "account.confirm-new-address")
    const taking = post("/auth/email-changes/confirmations", { token })
    expect(await refusal(taking, 401)).toBe("code_invalid")
    await done(post("/auth/email-changes/undos", { token: undo }))
    const [row] = await query(sql`SELECT email FROM users WHERE id = ${user.id}`)
    expect(row?.email).toBe("kept@example.com")
    // The address that was given back is free at once.
    await json(call("/auth/users", { body: { email: "elsewhere@example.com", password } }), 201)
  })

  test("an address that was never verified gets nothing to undo with", async () => {
    const { accessToken } = await signedIn("mistyped")
    await done(ask("right@example.com", accessToken), 202)
    expect(await mailsTo("mistyped@example.com")).toEqual([])
  })

  test.each(["/auth/email-changes", "/auth/password-changes"])(
    "%s asks for a proof that is not old",
    async (path) => {
      const { accessToken } = await signedIn(`stale-${path.slice(6, 9)}`)
      later(601)
      const body = path.includes("email")
        ? { email: "x@example.com" }
        : { password: "new password" }
      expect(await refusal(post(path, body, { token: accessToken }), 401)).toBe("step_up_required")
    },
  )
})

describe("change of password", () => {
  const change = (body: object, token: string) => post("/auth/password-changes", body, { token })

  test("the other sessions end; this one goes on with its next refresh", async () => {
    const here = await signedIn("changer")
    const there = await signIn("changer")
    const answer = await change({ password: "changed password" }, here.accessToken)
    expect([answer.status, trips(answer)]).toEqual([204, "2"])
    for (const { accessToken } of [here, there]) {
      expect(await refusal(call("/probe", { token: accessToken }), 401)).toBe("token_outdated")
    }
    const renewed = await json<{ accessToken: string }>(
      call("/auth/tokens", { body: { refreshToken: here.refreshToken } }),
      200,
    )
    await json(call("/probe", { token: renewed.accessToken }), 200)
    const gone = call("/auth/tokens", { body: { refreshToken: there.refreshToken } })
    expect(await refusal(gone, 401)).toBe("token_invalid")
    expect(await eventsOf(here.user.id)).toContain("password.changed")
    expect((await mailsTo(here.user.id, "account.notice"))[0]?.subject).toBe(
      "Your password was changed",
    )
  })

  test("whoever knows the password may change it later, and guesses are counted", async () => {
    const { accessToken } = await signedIn("knower")
    later(700)
    const guess = (currentPassword: string) =>
      change({ currentPassword, password: "changed password" }, accessToken)
    for (let n = 0; n < 9; n++)
      expect(await refusal(guess(`wrong ${n}`), 401)).toBe("invalid_credentials")
    await done(guess(password))
    const { accessToken: other } = await signedIn("guesser")
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        change({ currentPassword: `wrong ${n}`, password: "changed password" }, other),
      ),
    )
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(10)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(10)
  })
})

test("a sign-in from elsewhere is told, one from where one was is not", async () => {
  const user = await signUp("traveller")
  const from = (ip: string, agent: string) =>
    call("/auth/sessions", {
      body: { email: user.email, password },
      headers: { "cf-connecting-ip": ip, "user-agent": agent },
    })
  const told = async () => (await mailsTo(user.id, "account.notice")).length
  const seen: number[] = []
  for (const [ip, agent] of [
    ["192.0.2.1", "Firefox"],
    ["192.0.2.200", "Firefox"],
    ["203.0.113.1", "Firefox"],
    ["203.0.113.1", "Safari"],
    ["192.0.2.1", "Safari"],
  ] as const) {
    const answer = await from(ip, agent)
    expect([answer.status, trips(answer)]).toEqual([201, "2"])
    seen.push(await told())
  }
  expect(seen).toEqual([0, 0, 1, 2, 2])
  const [mail] = await mailsTo(user.id, "account.notice")
  expect(mail?.text).toContain("Safari")
  expect(mail?.text).not.toContain("203.0.113")
})

test("every mail is written in both languages, and names nobody", () => {
  for (const template of accountTemplates) {
    const samples = samplesOf(template)
    expect(new Set(samples.map(({ subject }) => subject)).size, template.name).toBe(2)
    for (const { text } of samples) expect(text).not.toContain("@")
  }
})

test("the page of a link runs its own script and nothing else, in the reader's language", async () => {
  const answer = await call("/auth/links/password-resets", {
    headers: { "accept-language": "de" },
  })
  expect(answer.headers.get("content-security-policy")).toMatch(
    /^default-src 'none';.*script-src 'sha256-/,
  )
  expect(answer.headers.get("referrer-policy")).toBe("no-referrer")
  expect(await answer.text()).toContain("Neues Passwort wählen")
  expect(await refusal(call("/auth/links/nothing"), 404)).toBe("not_found")
})
