import { afterEach, describe, expect, test, vi } from "vitest"
import { sweepAnonymous } from "../../../src/core/identity/anonymous-sweep.ts"
import { arrivalLimits } from "../../../src/core/identity/attempts.ts"
import type { App } from "../../../src/platform/app.ts"
import { sql } from "../../../src/platform/sql.ts"
import { fetchFrom } from "../../support/deployment.ts"
import { bindings, claimsOf, json, password, query, refusal, toolApp, trips } from "./cast.ts"
import { mailedToken, mailsTo } from "./mailbox.ts"

/* The whole worker, with a setting that the other tests do without. */

const open = { ...bindings, ANONYMOUS_SESSIONS: "on" }
let networks = 0
const network = () => `203.0.${++networks >> 8}.${networks & 255}`

interface Asked {
  method?: string
  body?: unknown
  token?: string
  from?: string
  env?: object
}

const call = (path: string, { body, token, method, from, env = open }: Asked = {}) =>
  fetchFrom(
    env,
    new Request(`https://hinterland.test${path}`, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: {
        "cf-connecting-ip": from ?? network(),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }),
  )

interface Guest {
  user: { id: string; email: string | null; name: string | null }
  accessToken: string
  refreshToken: string
}

const begin = (from?: string, env?: object) =>
  call("/auth/sessions", {
    body: { kind: "anonymous" },
    ...(from && { from }),
    ...(env && { env }),
  })

const guest = () => json<Guest>(begin(), 201)

const signUp = (email: string) =>
  json<{ id: string }>(call("/auth/users", { body: { email, password } }), 201)

const signIn = (email: string) =>
  json<Guest>(call("/auth/sessions", { body: { email, password } }), 201)

const refreshed = (refreshToken: string, env: object = open) =>
  json<Guest>(call("/auth/tokens", { body: { refreshToken }, env }), 200)

const administrator = async (email: string) => {
  await signUp(email)
  await query(sql`UPDATE users SET roles = '["administrator"]' WHERE email = ${email}`)
  await query(
    sql`UPDATE members SET roles = '["administrator"]' WHERE id = (SELECT id FROM users WHERE email = ${email})`,
  )
  return signIn(email)
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe("a session without an account", () => {
  test("is for deployments that switch it on, and for no other", async () => {
    expect(await refusal(begin(undefined, bindings), 403)).toBe("forbidden")
    expect(await query(sql`SELECT 1 FROM users WHERE kind = 'anonymous'`)).toEqual([])
  })

  test("is a person with an id and nothing else, in two trips and without a hash", async () => {
    const answer = await begin()
    expect(trips(answer)).toBe("2")
    const { user, accessToken } = await json<Guest>(answer, 201)
    expect(user).toMatchObject({ email: null, name: null, roles: [] })
    expect(answer.headers.getSetCookie().join()).toContain("__Host-refresh=")
    expect(claimsOf(accessToken)).toMatchObject({ sub: user.id, anon: true, amr: [], roles: [] })
    expect(await json(call("/auth/me", { token: accessToken }), 200)).toEqual(user)
    expect(
      await query(sql`SELECT kind, passwordHash, email FROM users WHERE id = ${user.id}`),
    ).toEqual([{ kind: "anonymous", passwordHash: null, email: `anonymous:${user.id}` }])
    expect(await query(sql`SELECT name, epoch FROM members WHERE id = ${user.id}`)).toEqual([
      { name: null, epoch: 1 },
    ])
    expect(
      await query(sql`SELECT kind FROM audit_events WHERE user = ${user.id} ORDER BY id`),
    ).toEqual([{ kind: "user.created" }, { kind: "session.created" }])
  })

  test("says what was sent that does not belong there", async () => {
    const body = { kind: "anonymous", email: "ann@example.com" }
    expect(await refusal(call("/auth/sessions", { body }), 400)).toBe("invalid_input")
    expect(await refusal(call("/auth/sessions", { body: { kind: "admin" } }), 400)).toBe(
      "invalid_input",
    )
  })

  test("is refreshed, listed and ended like any other", async () => {
    const { accessToken, refreshToken } = await guest()
    const next = await refreshed(refreshToken)
    expect(claimsOf(next.accessToken).anon).toBe(true)
    const { items } = await json<{ items: object[] }>(
      call("/auth/sessions", { token: accessToken }),
      200,
    )
    expect(items).toHaveLength(1)
    expect(
      (await call("/auth/sessions/current", { method: "DELETE", token: accessToken })).status,
    ).toBe(204)
    expect(await refusal(call("/auth/me", { token: accessToken }), 401)).toBe("token_outdated")
    expect(
      await refusal(call("/auth/tokens", { body: { refreshToken: next.refreshToken } }), 401),
    ).toBe("token_invalid")
  })

  test("is known to rules by @me.kind, and has no address there", async () => {
    const { accessToken } = await guest()
    const asked = async (filter: string, token: string) => {
      const path = `/records/parcels?filter=${encodeURIComponent(`label = "one" && ${filter}`)}`
      return (await json<{ items: unknown[] }>(call(path, { token }), 200)).items
    }
    await json(call("/records/parcels", { body: { label: "one" }, token: accessToken }), 201)
    await signUp("kind@example.com")
    const { accessToken: person } = await signIn("kind@example.com")
    const cases = [
      ["@me.kind = 'anonymous'", 1, 0],
      ["@me.kind = 'user'", 0, 1],
      ["@me.email = null", 1, 0],
      ["@me.id != null", 1, 1],
    ] as const
    for (const [filter, ofGuest, ofPerson] of cases) {
      const found = [accessToken, person].map(async (token) => (await asked(filter, token)).length)
      expect([filter, ...(await Promise.all(found))]).toEqual([filter, ofGuest, ofPerson])
    }
  })

  test("sees no people but itself", async () => {
    await signUp("seen@example.com")
    const { user, accessToken } = await guest()
    const { items } = await json<{ items: { id: string }[] }>(
      call("/records/members", { token: accessToken }),
      200,
    )
    expect(items.map(({ id }) => id)).toEqual([user.id])
    const { accessToken: person } = await signIn("seen@example.com")
    const all = await json<{ items: { id: string }[] }>(
      call("/records/members?limit=200", { token: person }),
      200,
    )
    expect(all.items.length).toBeGreaterThan(1)
  })

  test.each([
    ["POST", "/auth/organisations", { name: "Club" }],
    ["GET", "/auth/organisations", undefined],
    ["POST", "/auth/invitations/acceptances", { token: "hiv_x" }],
    ["POST", "/auth/api-keys", { name: "Key", scopes: ["*:*"] }],
    ["GET", "/auth/api-keys", undefined],
    ["POST", "/auth/passkeys/registrations", {}],
    ["POST", "/auth/authenticators", { name: "Phone" }],
    ["POST", "/auth/recovery-codes", undefined],
    ["POST", "/auth/password-changes", { password: "another good password" }],
    ["POST", "/auth/email-verifications", undefined],
    ["POST", "/auth/sessions/current/proofs", { password }],
    ["PUT", "/auth/sessions/current/organisation", { organisation: null }],
  ])("is refused what only accounts have: %s %s", async (method, path, body) => {
    const { accessToken: token } = await guest()
    expect(await refusal(call(path, { method, body, token }), 403)).toBe("account_required")
  })

  test("is no administrator, whatever is asked for it", async () => {
    const { user, accessToken: token } = await guest()
    expect(await refusal(call("/auth/users", { token }), 403)).toBe("forbidden")
    const { accessToken } = await administrator("roles@example.com")
    for (const roles of [["administrator"], ["editor"]]) {
      const asked = { method: "PATCH", body: { roles }, token: accessToken }
      expect(await refusal(call(`/auth/users/${user.id}`, asked), 409)).toBe("conflict")
    }
    for (const path of ["password-resets", "impersonations"]) {
      const asked = { method: "POST", body: { reason: "x" }, token: accessToken }
      expect([403, 409]).toContain((await call(`/auth/users/${user.id}/${path}`, asked)).status)
    }
  })

  test("cannot be signed in to by what stands in the place of its address", async () => {
    const { user } = await guest()
    const email = `anonymous:${user.id}`
    expect(await refusal(call("/auth/sessions", { body: { email, password } }), 401)).toBe(
      "invalid_credentials",
    )
    for (const path of ["/auth/mail-codes", "/auth/password-resets"]) {
      expect((await call(path, { body: { email } })).status).toBe(202)
    }
    expect(await mailsTo(user.id)).toEqual([])
    expect(await query(sql`SELECT 1 FROM account_tokens WHERE user = ${user.id}`)).toEqual([])
  })
})

describe("strangers fill no database", () => {
  test("of so many at once from one network exactly as many begin as may, and no more later", async () => {
    const from = network()
    const many = Array.from({ length: 60 }, () => begin(from).then(({ status }) => status))
    const statuses = await Promise.all(many)
    expect(statuses.filter((status) => status === 201)).toHaveLength(arrivalLimits.address)
    const refused = await begin(from)
    expect(refused.headers.get("retry-after")).toMatch(/^\d+$/)
    expect(await refusal(refused, 429)).toBe("rate_limited")
    expect((await begin()).status).toBe(201)
  })

  test("and networks without number get no more together than the deployment allows", async () => {
    await query(
      sql`UPDATE sign_in_attempts SET attempts = ${arrivalLimits.account} WHERE attempts > 1 AND key IN (SELECT key FROM sign_in_attempts ORDER BY attempts DESC LIMIT 1)`,
    )
    const statuses: number[] = []
    for (let i = 0; i < 3; i++) statuses.push((await begin()).status)
    expect(statuses).toEqual([429, 429, 429])
    expect(await refusal(begin(), 429)).toBe("rate_limited")
    await query(sql`DELETE FROM sign_in_attempts`)
  })
})

describe("an anonymous session that becomes an account", () => {
  test("keeps its id and its records, and its own refresh token", async () => {
    const { user, accessToken, refreshToken } = await guest()
    const made = await json<{ id: string; owner: string }>(
      call("/records/diaries", { body: { entry: "Before" }, token: accessToken }),
      201,
    )
    const answer = await call("/auth/me/credentials", {
      body: { email: "Grown@example.com", password, name: "Grown" },
      token: accessToken,
    })
    expect(trips(answer)).toBe("3")
    const grown = await json<Guest["user"]>(answer, 201)
    expect(grown).toMatchObject({ id: user.id, email: "Grown@example.com", name: "Grown" })
    expect(await refusal(call("/records/diaries", { token: accessToken }), 401)).toBe(
      "token_outdated",
    )
    const next = await refreshed(refreshToken)
    expect(claimsOf(next.accessToken)).toMatchObject({ sub: user.id, amr: ["pwd"] })
    expect(claimsOf(next.accessToken).anon).toBeUndefined()
    const again = await signIn("grown@example.com")
    for (const token of [next.accessToken, again.accessToken]) {
      const { items } = await json<{ items: object[] }>(call("/records/diaries", { token }), 200)
      expect(items).toEqual([
        expect.objectContaining({ id: made.id, owner: user.id, createdBy: user.id }),
      ])
    }
    const kinds = await query(
      sql`SELECT kind FROM audit_events WHERE user = ${user.id} ORDER BY id`,
    )
    expect(kinds.map(({ kind }) => kind)).toContain("user.upgraded")
    expect(await mailsTo(user.id, "account.verify-email")).toHaveLength(1)
    expect((await call("/auth/organisations", { token: next.accessToken })).status).toBe(200)
  })

  test("is refused an address that somebody has, in any case, and stays what it was", async () => {
    await signUp("taken@example.com")
    const { user, accessToken: token, refreshToken } = await guest()
    const body = { email: "TAKEN@example.com", password }
    expect(await refusal(call("/auth/me/credentials", { body, token }), 409)).toBe("conflict")
    expect(await query(sql`SELECT kind, passwordHash FROM users WHERE id = ${user.id}`)).toEqual([
      { kind: "anonymous", passwordHash: null },
    ])
    expect((await call("/auth/me", { token })).status).toBe(200)
    expect(claimsOf((await refreshed(refreshToken)).accessToken).anon).toBe(true)
  })

  test("asks about few addresses, however many it asks about at once, and from wherever", async () => {
    await signUp("known@example.com")
    const { accessToken: token } = await guest()
    const body = { email: "known@example.com", password }
    const ask = () => call("/auth/me/credentials", { body, token })
    const answers = await Promise.all(Array.from({ length: 8 }, ask))
    expect(answers.map(({ status }) => status).sort()).toEqual([
      ...Array.from({ length: 5 }, () => 409),
      ...Array.from({ length: 3 }, () => 429),
    ])
    const refused = await ask()
    expect(refused.headers.get("retry-after")).toMatch(/^\d+$/)
    expect(await refusal(refused, 429)).toBe("rate_limited")
    const { accessToken } = await guest()
    const other = { body: { ...body, email: "unknown@example.com" }, token: accessToken }
    await json(call("/auth/me/credentials", other), 201)
  })

  test("is not given away by a link that was mailed to another address before", async () => {
    const { user, accessToken: token } = await guest()
    const body = { email: "before@example.com" }
    expect((await call("/auth/email-changes", { body, token })).status).toBe(202)
    const [mail] = await mailsTo("before@example.com")
    const link = /#(hat_[\w-]{43})/.exec(mail?.text ?? "")?.[1]
    await json(
      call("/auth/me/credentials", { body: { email: "after@example.com", password }, token }),
      201,
    )
    const opened = call("/auth/email-changes/confirmations", { body: { token: link } })
    expect(await refusal(opened, 401)).toBe("code_invalid")
    expect(await query(sql`SELECT email FROM users WHERE id = ${user.id}`)).toEqual([
      { email: "after@example.com" },
    ])
  })

  test("of two upgrades at once one gets through", async () => {
    const { accessToken: token } = await guest()
    const answers = await Promise.all(
      ["one@example.com", "two@example.com"].map((email) =>
        call("/auth/me/credentials", { body: { email, password }, token }),
      ),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 401])
  })

  test("needs a password that is not everybody's, and happens once", async () => {
    const { accessToken: token, refreshToken } = await guest()
    const body = { email: "once@example.com", password: "password1" }
    expect(await refusal(call("/auth/me/credentials", { body, token }), 400)).toBe("invalid_input")
    await json(call("/auth/me/credentials", { body: { ...body, password }, token }), 201)
    const next = await refreshed(refreshToken)
    const asked = { body: { email: "twice@example.com", password }, token: next.accessToken }
    expect(await refusal(call("/auth/me/credentials", asked), 409)).toBe("conflict")
    expect(await refusal(call("/auth/me/credentials", { ...asked, token: "" }), 401)).toBe(
      "unauthenticated",
    )
  })

  test("is out until its address is confirmed, where the deployment asks for that", async () => {
    const env = { ...open, REQUIRE_VERIFIED_EMAIL: "on" }
    const { user, accessToken: token, refreshToken } = await guest()
    const email = "confirmed@example.com"
    await json(call("/auth/me/credentials", { body: { email, password }, token, env }), 201)
    expect(await refusal(call("/auth/me", { token, env }), 401)).toBe("token_outdated")
    expect(await refusal(call("/auth/tokens", { body: { refreshToken }, env }), 401)).toBe(
      "token_invalid",
    )
    const signingIn = { body: { email, password }, env }
    expect(await refusal(call("/auth/sessions", signingIn), 403)).toBe("email_unverified")
    const link = await mailedToken(user.id, "account.verify-email")
    await call("/auth/email-verifications/confirmations", { body: { token: link }, env })
    expect((await json<Guest>(call("/auth/sessions", signingIn), 201)).user.id).toBe(user.id)
  })

  test("can come by a mailed link, without a password", async () => {
    const { user, accessToken: token, refreshToken } = await guest()
    const email = "bylink@example.com"
    expect((await call("/auth/email-changes", { body: { email }, token })).status).toBe(202)
    const [mail] = await mailsTo(email)
    const link = /#(hat_[\w-]{43})/.exec(mail?.text ?? "")?.[1]
    expect(
      (await call("/auth/email-changes/confirmations", { body: { token: link } })).status,
    ).toBe(204)
    const { accessToken } = await refreshed(refreshToken)
    expect(claimsOf(accessToken).anon).toBeUndefined()
    expect(await json(call("/auth/me", { token: accessToken }), 200)).toMatchObject({
      id: user.id,
      email,
      emailVerifiedAt: expect.any(String),
    })
    // Nothing goes to what stood in the place of an address, and nothing is kept for it.
    expect(
      await query(sql`SELECT address, recipient FROM mails WHERE address LIKE 'anonymous:%'`),
    ).toEqual([])
    expect(await query(sql`SELECT purpose FROM account_tokens WHERE user = ${user.id}`)).toEqual([])
    expect((await call("/auth/mail-codes", { body: { email } })).status).toBe(202)
    expect(await mailsTo(user.id, "account.sign-in-code")).toHaveLength(1)
  })
})

describe("administration", () => {
  test("lists the anonymous apart", async () => {
    const { user } = await guest()
    const { accessToken: token } = await administrator("lister@example.com")
    const listed = async (query: string) =>
      (
        await json<{ items: { id: string; kind: string; email: string | null }[] }>(
          call(`/auth/users?limit=200${query}`, { token }),
          200,
        )
      ).items
    const all = await listed("")
    expect(all.length).toBeGreaterThan(0)
    expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(["person"]))
    const apart = await listed("&kind=anonymous")
    expect(new Set(apart.map(({ kind }) => kind))).toEqual(new Set(["anonymous"]))
    expect(apart).toContainEqual(expect.objectContaining({ id: user.id, email: null }))
    expect(await listed("&search=anonymous")).toEqual([])
    expect((await listed("&kind=anonymous&search=anonymous")).length).toBeGreaterThan(0)
  })

  test("reads no more rows for the people than it shows, however many are anonymous", async () => {
    for (let i = 0; i < 30; i++) await guest()
    const { accessToken: token } = await administrator("reader@example.com")
    const answer = await call("/auth/users?limit=2", { token })
    const rows = Number(
      /rows-read;desc="(\d+)"/.exec(answer.headers.get("server-timing") ?? "")?.[1],
    )
    expect(rows).toBeLessThan(15)
  })

  test("disables one, who is out with the very next request", async () => {
    const { user, accessToken, refreshToken } = await guest()
    const { accessToken: token } = await administrator("disabler@example.com")
    await json(
      call(`/auth/users/${user.id}`, { method: "PATCH", body: { disabled: true }, token }),
      200,
    )
    expect(await refusal(call("/auth/me", { token: accessToken }), 401)).toBe("token_outdated")
    expect(await refusal(call("/auth/tokens", { body: { refreshToken } }), 401)).toBe(
      "token_invalid",
    )
  })
})

describe("one's own data", () => {
  test("is exported and deleted for the anonymous too, however long ago they came", async () => {
    const { user, refreshToken, accessToken } = await guest()
    await json(call("/records/diaries", { body: { entry: "Mine" }, token: accessToken }), 201)
    await query(
      sql`UPDATE sessions SET authenticatedAt = '2020-01-01T00:00:00.000Z' WHERE user = ${user.id}`,
    )
    const { accessToken: token } = await refreshed(refreshToken)
    expect(claimsOf(token).auth_time).toBeLessThan(1_600_000_000)
    const lines = new TextDecoder().decode(
      await (await call("/auth/me/export", { token })).arrayBuffer(),
    )
    expect(lines).toContain('"Mine"')
    expect((await call("/auth/me", { method: "DELETE", token })).status).toBe(204)
    expect(await refusal(call("/auth/me", { token }), 401)).toBe("token_outdated")
    expect(await query(sql`SELECT state FROM mails WHERE recipient = ${user.id}`)).toEqual([])
  })
})

describe("the sweep", () => {
  const at = (days: number): App => ({
    ...toolApp(open),
    now: () => Date.now() + days * 86_400_000,
  })

  test("forgets who can never come back, keeps who can, and the bare id of whom a record points at", async () => {
    vi.spyOn(console, "info").mockImplementation(() => {})
    await query(
      sql`UPDATE sessions SET revokedAt = '2020-01-01T00:00:00.000Z' WHERE user IN (SELECT id FROM users WHERE kind = 'anonymous')`,
    )
    const [gone, signedOut, pointed, living, upgraded] = await Promise.all([
      guest(),
      guest(),
      guest(),
      guest(),
      guest(),
    ])
    await json(
      call("/auth/me", { method: "PATCH", body: { name: "Pointed" }, token: pointed.accessToken }),
      200,
    )
    await json(
      call("/records/diaries", { body: { entry: "Kept" }, token: pointed.accessToken }),
      201,
    )
    await json(
      call("/auth/me/credentials", {
        body: { email: "kept@example.com", password },
        token: upgraded.accessToken,
      }),
      201,
    )
    await call("/auth/sessions/current", { method: "DELETE", token: signedOut.accessToken })
    const ids = [gone, signedOut, pointed, living, upgraded].map(({ user }) => user.id)
    const left = async () => {
      const rows = await query(
        sql`SELECT id FROM users WHERE id IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`,
      )
      return ids.map((id) => rows.some((row) => row.id === id))
    }
    await sweepAnonymous(at(1))
    expect(await left()).toEqual([true, true, true, true, true])
    await sweepAnonymous(at(3))
    expect(await left()).toEqual([true, false, true, true, true])
    await query(
      sql`UPDATE sessions SET expiresAt = '2100-01-01T00:00:00.000Z' WHERE user = ${living.user.id}`,
    )
    await sweepAnonymous(at(40))
    expect(await left()).toEqual([false, false, false, true, true])

    const members = await query(
      sql`SELECT id, name FROM members WHERE id IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`,
    )
    expect(new Map(members.map(({ id, name }) => [id, name]))).toEqual(
      new Map([pointed, living, upgraded].map(({ user }) => [user.id, null])),
    )
    expect(
      await query(sql`SELECT owner, entry FROM diaries WHERE owner = ${pointed.user.id}`),
    ).toEqual([{ owner: pointed.user.id, entry: "Kept" }])
    const kinds = await query(
      sql`SELECT kind FROM changes WHERE subject = 'members' AND record = ${gone.user.id} ORDER BY seq`,
    )
    expect(kinds).toEqual([{ kind: "created" }, { kind: "deleted" }])
    expect(await query(sql`SELECT 1 FROM changes WHERE payload LIKE '%Pointed%'`)).toEqual([])
    expect(await query(sql`SELECT 1 FROM sessions WHERE user = ${gone.user.id}`)).toEqual([])
  })
})
