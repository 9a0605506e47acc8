import { beforeEach, expect, test, vi } from "vitest"
import { signAccessToken, verifyAccessToken } from "../../../src/core/identity/access-tokens.ts"
import { sql } from "../../../src/platform/sql.ts"
import {
  type Call,
  call,
  claimsOf,
  json,
  password,
  query,
  refusal,
  type SignedIn,
  signedIn,
  toolApp,
  trips,
} from "./cast.ts"
import { codeOf, guarded } from "./factors-cast.ts"
import { elsewhere, eventsOf, mailedCode, mailedToken, mailsTo, post, verified } from "./mailbox.ts"
import {
  type Begun,
  claimsFor,
  comeBack,
  env,
  fragmentOf,
  grant,
  issuer,
  resetStandIn,
  sessionOf,
  standIn,
  visit,
} from "./stand-in-issuer.ts"

beforeEach(() => {
  vi.restoreAllMocks()
  resetStandIn()
})

interface Identity {
  readonly id: string
  readonly provider: string
  readonly lastUsedAt: string | null
}

const beginLinking = (token: string, body: object = {}, options: Call = {}) =>
  call("/auth/identities/authorizations", {
    env,
    headers: elsewhere(),
    ...options,
    ...(token && { token }),
    body: { provider: "acme", ...body },
  })

/** Sets out from a page, to link. */
async function setOut(token: string, body: object = {}): Promise<Begun> {
  const answer = await beginLinking(token, body)
  const [cookie = ""] = answer.headers.getSetCookie()
  return { ...(await json<Begun>(answer, 201)), cookie: cookie.split(";")[0] as string }
}

/** Links, as a page does, who the person is at the provider. */
async function link(token: string, claims = claimsFor("someone")): Promise<Response> {
  const begun = await setOut(token)
  return comeBack(begun, grant(begun.url, claims))
}

const identitiesOf = async (token: string) =>
  (await json<{ items: Identity[] }>(call("/auth/identities", { env, token }), 200)).items

const unlink = (token: string, id: string) =>
  call(`/auth/identities/${id}`, { env, token, method: "DELETE", headers: elsewhere() })

test("an identity that was linked signs in to the account, whatever its address is", async () => {
  const ann = await signedIn("ann")
  const answer = await link(ann.accessToken, claimsFor("ann-at-work"))
  expect(answer.headers.get("location")).toBe("https://hinterland.test/")
  // The session goes on as it was.
  expect(answer.headers.getSetCookie().join()).not.toContain("__Host-access")
  expect(trips(answer)).toBe("1")
  expect(await eventsOf(ann.user.id)).toContain("identity.linked")
  const [mail] = await mailsTo(ann.user.id, "account.notice")
  expect(mail).toMatchObject({ subject: "A way to sign in was added" })
  expect(mail?.text).toContain("acme")
  const token = sessionOf(await visit(claimsFor("ann-at-work")))
  expect(claimsOf(token)).toMatchObject({ sub: ann.user.id, email: "ann@example.com" })
  expect(await identitiesOf(token)).toMatchObject([
    { provider: "acme", issuer, email: "ann-at-work@example.com", lastUsedAt: expect.any(String) },
  ])
})

test("a program links with the code that it received itself", async () => {
  const bob = await signedIn("bob")
  const redirectUri = "com.example.club:/back"
  const { url, ticket } = await setOut(bob.accessToken, { redirectUri })
  const answer = await call("/auth/identities", {
    env,
    token: bob.accessToken,
    body: { ticket, ...grant(url, claimsFor("bob-at-work")) },
  })
  const identity = await json<Identity>(answer, 201)
  expect(answer.headers.get("location")).toBe(`/auth/identities/${identity.id}`)
  expect(await identitiesOf(bob.accessToken)).toEqual([identity])
})

test("without a session nothing is linked, nor with a proof that is too old, nor by an impersonator", async () => {
  expect(await refusal(beginLinking(""), 401)).toBe("unauthenticated")
  const carol = await signedIn("carol")
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 601_000 })
  try {
    expect(await refusal(beginLinking(carol.accessToken), 401)).toBe("step_up_required")
    expect(await refusal(unlink(carol.accessToken, crypto.randomUUID()), 401)).toBe(
      "step_up_required",
    )
  } finally {
    vi.useRealTimers()
  }
  const { settings } = toolApp()
  const actor = await verifyAccessToken(carol.accessToken, settings, Date.now())
  const acting = await signAccessToken(settings, { ...actor, impersonator: "admin" }, Date.now())
  expect(await refusal(beginLinking(acting), 403)).toBe("forbidden")
})

test("whoever has a second factor links only from a session that has shown it", async () => {
  const dave = await guarded("dave")
  expect(await refusal(beginLinking(dave.accessToken), 401)).toBe("step_up_required")
  const proved = await json<SignedIn>(
    post(
      "/auth/sessions/current/proofs",
      { code: codeOf(dave.secret) },
      { token: dave.accessToken },
    ),
    201,
  )
  expect((await link(proved.accessToken, claimsFor("dave-at-work"))).status).toBe(303)
  expect(await identitiesOf(proved.accessToken)).toHaveLength(1)
})

test.each([
  ["false", "f", { email_verified: false }],
  ["missing", "m", { email_verified: undefined }],
  ['"false"', "t", { email_verified: "false" }],
  ["of no address", "n", { email: undefined }],
])("an identity whose verification is %s is not linked", async (_, who, claims) => {
  const erin = await signedIn(`erin-${who}`)
  const answer = await link(erin.accessToken, { ...claimsFor("erin-at-work"), ...claims })
  expect(fragmentOf(answer)).toEqual({ error: "email_unverified" })
  expect(await identitiesOf(erin.accessToken)).toEqual([])
})

test("an identity is linked to one account, and once", async () => {
  const [frank, grace] = [await signedIn("frank"), await signedIn("grace")]
  sessionOf(await visit(claimsFor("heidi")))
  expect((await link(frank.accessToken, claimsFor("frank-at-work"))).status).toBe(303)
  for (const [token, claims] of [
    [grace.accessToken, claimsFor("frank-at-work")],
    [grace.accessToken, claimsFor("heidi")],
    [frank.accessToken, claimsFor("frank-at-work")],
  ] as const) {
    expect(fragmentOf(await link(token, claims))).toEqual({ error: "conflict" })
  }
  expect(await identitiesOf(grace.accessToken)).toEqual([])
  expect(await mailsTo(grace.user.id, "account.notice")).toEqual([])
})

test("a way that was begun to link does not sign in, and the other way round", async () => {
  const ivan = await signedIn("ivan")
  const redirectUri = "com.example.club:/back"
  const linking = await setOut(ivan.accessToken, { redirectUri })
  const returned = { ticket: linking.ticket, ...grant(linking.url, claimsFor("ivan-at-work")) }
  const tried = call("/auth/sessions", { env, body: returned })
  expect(await refusal(tried, 401)).toBe("token_invalid")
  const begun = await json<Begun>(
    call("/auth/providers/acme/authorizations", { env, body: { redirectUri } }),
    201,
  )
  const other = call("/auth/identities", {
    env,
    token: ivan.accessToken,
    body: { ticket: begun.ticket, ...grant(begun.url, claimsFor("ivan-at-work")) },
  })
  expect(await refusal(other, 401)).toBe("token_invalid")
})

test("nobody is made to link another's identity: a ticket is of the session that set out", async () => {
  const [mallory, victim] = [await signedIn("mallory"), await signedIn("victim")]
  const redirectUri = "com.example.club:/back"
  const { url, ticket } = await setOut(mallory.accessToken, { redirectUri })
  const body = { ticket, ...grant(url, claimsFor("mallory-at-work")) }
  const tried = call("/auth/identities", { env, token: victim.accessToken, body })
  expect(await refusal(tried, 401)).toBe("token_invalid")
  // Nor do they in the browser: without the cookie of whoever set out there is no ticket.
  const page = await setOut(mallory.accessToken)
  const returned = grant(page.url, claimsFor("victim-at-work"))
  expect(await refusal(comeBack({ cookie: "" }, returned), 401)).toBe("token_invalid")
  expect(await identitiesOf(victim.accessToken)).toEqual([])
})

test.each([
  ["has ended", sql`UPDATE sessions SET revokedAt = '2026' WHERE user = `],
  ["is outdated", sql`UPDATE users SET epoch = epoch + 1 WHERE id = `],
])("nothing is linked when the session that set out %s meanwhile", async (title, statement) => {
  const judy = await signedIn(`judy-${title.replace(/\W/g, "")}`)
  const begun = await setOut(judy.accessToken)
  await query(sql`${statement}${judy.user.id}`)
  const answer = await comeBack(begun, grant(begun.url, claimsFor("judy-at-work")))
  expect(fragmentOf(answer)).toEqual({ error: "token_outdated" })
  expect(await query(sql`SELECT 1 FROM identities WHERE user = ${judy.user.id}`)).toEqual([])
})

test("a ticket links once", async () => {
  const kim = await signedIn("kim")
  const begun = await setOut(kim.accessToken)
  const returned = grant(begun.url, claimsFor("kim-at-work"))
  expect((await comeBack(begun, returned)).headers.get("location")).not.toContain("#")
  const { searchParams: parameters } = new URL(begun.url)
  standIn.granted.set(returned.code, { parameters, claims: claimsFor("kim-elsewhere") })
  expect(fragmentOf(await comeBack(begun, returned))).toEqual({ error: "code_invalid" })
})

test("twenty identities are enough", async () => {
  const lou = await signedIn("lou")
  for (let n = 0; n < 20; n++) {
    await query(
      sql`INSERT INTO identities (id, user, provider, issuer, subject, email, createdAt) VALUES (${`lou-${n}`}, ${lou.user.id}, 'acme', 'https://other.example', ${`lou-${n}`}, 'lou@example.com', '2026')`,
    )
  }
  expect(fragmentOf(await link(lou.accessToken))).toEqual({ error: "conflict" })
})

test("an identity that was unlinked signs in no more, and its person is told", async () => {
  const mia = await signedIn("mia")
  await link(mia.accessToken, claimsFor("mia-at-work"))
  const [identity] = await identitiesOf(mia.accessToken)
  const answer = await unlink(mia.accessToken, identity?.id as string)
  expect(answer.status).toBe(204)
  expect(trips(answer)).toBe("2")
  expect(await eventsOf(mia.user.id)).toContain("identity.unlinked")
  const [mail] = await mailsTo(mia.user.id, "account.notice")
  expect(mail?.subject).toBe("A way to sign in was removed")
  const { sub } = claimsOf(sessionOf(await visit(claimsFor("mia-at-work"))))
  expect(sub).not.toBe(mia.user.id)
  expect(await refusal(unlink(mia.accessToken, identity?.id as string), 404)).toBe("not_found")
})

test("the last way to sign in stays; a password, a passkey or another identity is one more", async () => {
  const token = sessionOf(await visit(claimsFor("nora")))
  const { sub } = claimsOf(token)
  const [identity] = await identitiesOf(token)
  const id = identity?.id as string
  expect(await refusal(unlink(token, id), 409)).toBe("conflict")
  await query(
    sql`INSERT INTO passkeys (id, user, publicKey, counter, transports, backedUp, name, createdAt, secondFactor) VALUES ('nora', ${sub}, '', 0, '[]', 0, 'Key', '2026', 0)`,
  )
  expect((await unlink(token, id)).status).toBe(204)
})

test("nobody unlinks another's identity, nor learns that there is one", async () => {
  const [olga, peggy] = [await signedIn("olga"), await signedIn("peggy")]
  await link(olga.accessToken, claimsFor("olga-at-work"))
  const [identity] = await identitiesOf(olga.accessToken)
  const tried = unlink(peggy.accessToken, identity?.id as string)
  expect(await refusal(tried, 404)).toBe("not_found")
  expect(await identitiesOf(olga.accessToken)).toHaveLength(1)
  expect(await identitiesOf(peggy.accessToken)).toEqual([])
})

test("an identity that a stranger left in an account goes with the first proof of its address", async () => {
  const stranger = await signedIn("rupert")
  await link(stranger.accessToken, claimsFor("stranger"))
  await post("/auth/mail-codes", { email: "rupert@example.com" })
  const code = await mailedCode(stranger.user.id)
  await json(post("/auth/sessions", { email: "rupert@example.com", code }), 201)
  expect(await query(sql`SELECT 1 FROM identities WHERE user = ${stranger.user.id}`)).toEqual([])
})

test("whoever takes an account back by its old address is rid of the identities that came with the change", async () => {
  const sybil = await verified("sybil")
  await link(sybil.accessToken, claimsFor("sybil-of-old"))
  await query(sql`UPDATE identities SET createdAt = '2026-01-01' WHERE user = ${sybil.user.id}`)
  await link(sybil.accessToken, claimsFor("thief"))
  const { accessToken: token } = sybil
  await post("/auth/email-changes", { email: "thief@example.org" }, { token })
  const confirm = await mailedToken("thief@example.org", "account.confirm-new-address")
  expect((await post("/auth/email-changes/confirmations", { token: confirm })).status).toBe(204)
  const undo = await mailedToken("sybil@example.com", "account.address-is-changing")
  expect((await post("/auth/email-changes/undos", { token: undo })).status).toBe(204)
  const left = await query(sql`SELECT subject FROM identities WHERE user = ${sybil.user.id}`)
  expect(left).toEqual([{ subject: "sub-sybil-of-old" }])
})

test("a deleted account's identities go with it, and may make a new one", async () => {
  const token = sessionOf(await visit(claimsFor("trent")))
  const { sub } = claimsOf(token)
  expect((await call("/auth/me", { env, token, method: "DELETE" })).status).toBe(204)
  expect(await query(sql`SELECT 1 FROM identities WHERE user = ${sub}`)).toEqual([])
  expect(claimsOf(sessionOf(await visit(claimsFor("trent")))).sub).not.toBe(sub)
})

test("one's own identities are in the export", async () => {
  const token = sessionOf(await visit(claimsFor("uma")))
  const lines = (await (await call("/auth/me/export", { env, token })).text()).trim().split("\n")
  const own = lines.map((line) => JSON.parse(line)).filter(({ type }) => type === "identity")
  expect(own).toMatchObject([{ provider: "acme", issuer, subject: "sub-uma" }])
})

test("whoever came by a provider can choose a password by mail, and then unlink", async () => {
  const token = sessionOf(await visit(claimsFor("victor")))
  const { sub } = claimsOf(token)
  await post("/auth/password-resets", { email: "victor@example.com" })
  const reset = await mailedToken(sub, "account.reset-password")
  const chosen = await post("/auth/password-resets/confirmations", { token: reset, password })
  expect(chosen.status).toBe(204)
  const session = await json<SignedIn>(
    post("/auth/sessions", { email: "victor@example.com", password }),
    201,
  )
  const [identity] = await identitiesOf(session.accessToken)
  expect((await unlink(session.accessToken, identity?.id as string)).status).toBe(204)
})
