import { createHash } from "node:crypto"
import { expect, test, vi } from "vitest"
import { sql } from "../../../src/platform/sql.ts"
import { fromBase32 } from "../../support/base32.ts"
import { fetchFrom } from "../../support/deployment.ts"
import { bindings, query } from "./cast.ts"
import { codeOf } from "./factors-cast.ts"
import { assertionOf, createCredential } from "./soft-authenticator.ts"

/*
 * Secrets are planted through every flow, then searched for in every log line, every answer (headers and all) but the one
 * that hands them out, and every table, the change log and the audit log among them.
 */

const planted = {
  adminCode: "planted-admin-code-5b1c",
  pepper: "planted-pepper-planted-pepper-planted-pepper",
  turnstile: "planted-turnstile-secret-77aa",
  resend: "re_planted0resend0key0Planted",
  password: "planted password of ann",
  another: "planted password of ann, the next one",
}
const page = "https://club.example"
const env = {
  ...bindings,
  ADMIN_CODE_HASH: createHash("sha256").update(planted.adminCode).digest("hex"),
  PASSWORD_PEPPERS: JSON.stringify({ 1: planted.pepper }),
  RESEND_API_KEY: planted.resend,
  // Where administrators do not see what was mailed to people.
  ENVIRONMENT: "production",
  RATE_LIMIT: "off",
  ANONYMOUS_SESSIONS: "on",
  ALLOWED_ORIGINS: page,
  PUBLIC_URL: page,
}

/** What was answered, in order. */
const answers: string[] = []
/** Secrets, with the answers that hand each of them out: two tabs get the same. */
const secrets = new Map<string, { what: string; own: Set<number> }>()

const remember = (what: string, answer: number | null, ...values: unknown[]) => {
  for (const value of values) {
    if (typeof value !== "string" || value.length < 6) throw new Error(`no ${what}: ${value}`)
    const known = secrets.get(value) ?? { what, own: new Set() }
    secrets.set(value, known)
    if (answer !== null) known.own.add(answer)
  }
}

interface Asked {
  method?: string
  token?: string | undefined
  headers?: Record<string, string>
  status?: number
  env?: object
}

let networks = 0
type Body = Record<string, unknown>

/** Remembers what is answered, and every token in it as that answer's own. */
async function ask<Answer = Body>(
  path: string,
  body?: object | null,
  { method, token, headers = {}, status, env: own = env }: Asked = {},
): Promise<Answer> {
  const answer = await fetchFrom(
    own,
    new Request(`https://hinterland.test${path}`, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: {
        "cf-connecting-ip": `10.9.${++networks >> 8}.${networks & 255}`,
        origin: page,
        ...(body && { "content-type": "application/json" }),
        ...(token && { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body && { body: JSON.stringify(body) }),
    }),
  )
  const text = new TextDecoder().decode(await answer.arrayBuffer())
  if (status !== undefined)
    expect([path, answer.status, answer.status === status || text]).toEqual([path, status, true])
  const index = answers.push(`${text}\n${JSON.stringify([...answer.headers])}`) - 1
  let parsed = {} as Body
  try {
    parsed = JSON.parse(text)
  } catch {
    // A page, or lines.
  }
  for (const name of ["accessToken", "refreshToken", "key", "secret"] as const) {
    if (name in parsed && answer.ok) remember(name, index, parsed[name])
  }
  if (answer.status === 401 && "challenge" in parsed) remember("challenge", index, parsed.challenge)
  for (const name of ["codes", "recoveryCodes"]) {
    const codes = answer.ok && parsed[name]
    if (Array.isArray(codes)) remember("recovery code", index, ...codes)
  }
  return parsed as Answer
}

/** Tokens and codes of what was mailed meanwhile: no answer holds them. */
async function readMail(): Promise<string[]> {
  const mails = await query(sql`SELECT text FROM mails ORDER BY id`)
  const found = mails.flatMap(({ text }) => [
    ...[...(text as string).matchAll(/\b(?:hat|hiv)_[\w-]{43}/g)].map(([token]) => token),
    ...[...(text as string).matchAll(/^\s*(\d{6})\s*$/gm)].map(([, code]) => code as string),
  ])
  for (const token of found)
    remember(/^\d/.test(token) ? "mailed code" : "mailed token", null, token)
  return found
}

const newest = async (prefix: RegExp) =>
  (await readMail()).filter((one) => prefix.test(one)).at(-1) as string

interface Session {
  user: { id: string }
  accessToken: string
  refreshToken: string
}

test("no token, hash, code or secret is in a log line, an answer that is not its own, or a table that it does not belong in", async () => {
  const logged: string[] = []
  for (const level of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, level).mockImplementation((...parts) => {
      logged.push(
        parts.map((part) => (typeof part === "string" ? part : JSON.stringify(part))).join(" "),
      )
    })
  }
  vi.spyOn(globalThis, "fetch").mockImplementation(async () => Response.json({ success: false }))
  const [key] = JSON.parse(bindings.SIGNING_KEYS) as { d: string }[]
  remember("setting", null, ...Object.values(planted), bindings.SECRET, key?.d, env.ADMIN_CODE_HASH)

  // The first administrator, by the one-time code.
  const chief = { email: "chief@example.com", password: "planted password of the chief" }
  remember("password", null, chief.password)
  await ask("/auth/administrators", { ...chief, code: `${planted.adminCode}!` })
  await ask("/auth/administrators", { ...chief, code: planted.adminCode }, { status: 201 })
  const admin = await ask<Session>("/auth/sessions", chief, { status: 201 })

  // Sign-up, sign-in, refresh, theft.
  const ann = { email: "ann@example.com", password: planted.password }
  await ask("/auth/users", ann, { status: 201 })
  await ask("/auth/sessions", { ...ann, password: `${ann.password}!` }, { status: 401 })
  const stolen = await ask<Session>("/auth/sessions", ann, { status: 201 })
  const second = await ask<Session>(
    "/auth/tokens",
    { refreshToken: stolen.refreshToken },
    { status: 200 },
  )
  await ask("/auth/tokens", { refreshToken: second.refreshToken }, { status: 200 })
  await ask("/auth/tokens", { refreshToken: stolen.refreshToken }, { status: 401 })
  const { accessToken: token } = await ask<Session>("/auth/sessions", ann, { status: 201 })

  // By mail: verification, code and link, reset, change of address and its undoing.
  await ask(
    "/auth/email-verifications/confirmations",
    { token: await newest(/^hat/) },
    { status: 204 },
  )
  await ask("/auth/mail-codes", { email: ann.email }, { status: 202 })
  const code = await newest(/^\d/)
  await ask(
    "/auth/sessions",
    { email: ann.email, code: code === "000000" ? "000001" : "000000" },
    { status: 401 },
  )
  await ask("/auth/sessions", { email: ann.email, code }, { status: 201 })
  await ask("/auth/email-changes", { email: "ann.next@example.com" }, { token, status: 202 })
  const [undo] = (await readMail()).slice(-1)
  await ask("/auth/email-changes/undos", { token: undo }, { status: 204 })
  await ask("/auth/password-resets", { email: ann.email }, { status: 202 })
  const reset = { token: await newest(/^hat/), password: planted.another }
  await ask("/auth/password-resets/confirmations", reset, { status: 204 })
  await ask("/auth/password-resets/confirmations", reset, { status: 401 })
  const again = { email: ann.email, password: planted.another }
  const session = await ask<Session>("/auth/sessions", again, { status: 201 })
  const me = { token: session.accessToken }

  // Second factors, and a step up.
  const started = await ask<{ id: string; secret: string }>(
    "/auth/authenticators",
    { name: "Phone" },
    { ...me, status: 201 },
  )
  const secret = fromBase32(started.secret)
  const confirmation = `/auth/authenticators/${started.id}/confirmations`
  await ask(confirmation, { code: codeOf(secret, -1) }, { ...me, status: 201 })
  const asked = await ask<{ challenge: string }>("/auth/sessions", again, { status: 401 })
  const strong = await ask<Session>(
    "/auth/sessions",
    { challenge: asked.challenge, code: codeOf(secret) },
    { status: 201 },
  )
  const both = { token: strong.accessToken }
  const { codes } = await ask<{ codes: string[] }>("/auth/recovery-codes", null, {
    ...both,
    method: "POST",
    status: 201,
  })
  await ask("/auth/sessions/current/proofs", { recoveryCode: codes[0] }, { ...both, status: 201 })
  await ask("/auth/sessions/current/proofs", { recoveryCode: codes[0] }, { ...both, status: 401 })
  const options = await ask<{ challenge: string; rp: { id: string }; user: { id: string } }>(
    "/auth/passkeys/registrations",
    { secondFactor: false },
    { ...both, status: 201 },
  )
  const { credential, response } = await createCredential(options, page)
  const registration = { challenge: options.challenge, response, name: "Laptop" }
  await ask("/auth/passkeys", registration, { ...both, status: 201 })
  const wanted = await ask<{ challenge: string; rpId: string }>(
    "/auth/passkeys/challenges",
    {},
    { status: 201 },
  )
  const passkey = await assertionOf(credential, wanted, page)
  await ask("/auth/sessions", { challenge: wanted.challenge, passkey }, { status: 201 })

  // Keys of programs.
  const issued = await ask<{ id: string; key: string }>(
    "/auth/api-keys",
    { name: "Key", scopes: ["*:*"] },
    { ...both, status: 201 },
  )
  await ask("/records/articles", undefined, { token: issued.key, status: 200 })
  await ask("/auth/me", undefined, { token: issued.key })
  const rotated = await ask<{ id: string; key: string }>(
    `/auth/api-keys/${issued.id}/rotations`,
    null,
    { ...both, method: "POST", status: 201 },
  )
  await ask(`/auth/api-keys/${rotated.id}`, undefined, { ...both, method: "DELETE", status: 204 })
  await ask("/records/articles", undefined, { token: rotated.key, status: 401 })
  const service = await ask<{ id: string }>(
    "/auth/service-accounts",
    { name: "Robot" },
    { token: admin.accessToken, status: 201 },
  )
  await ask(
    "/auth/api-keys",
    { name: "Robot's", scopes: ["*:*"], user: service.id },
    { token: admin.accessToken, status: 201 },
  )

  // Organisations.
  const club = await ask<{ id: string }>(
    "/auth/organisations",
    { name: "Club" },
    { ...both, status: 201 },
  )
  const owner = await ask<Session>(
    "/auth/tokens",
    { refreshToken: strong.refreshToken },
    { status: 200 },
  )
  const invitation = { email: "bob@example.com", roles: ["member"] }
  await ask(`/auth/organisations/${club.id}/invitations`, invitation, {
    token: owner.accessToken,
    status: 201,
  })
  const bob = { email: "bob@example.com", password: "planted password of bob" }
  remember("password", null, bob.password)
  const invited = await newest(/^hiv/)
  await ask("/auth/users", bob, { status: 201 })
  const guest = await ask<Session>("/auth/sessions", bob, { status: 201 })
  await ask(
    "/auth/invitations/acceptances",
    { token: `${invited}x` },
    { token: guest.accessToken, status: 401 },
  )
  await ask(
    "/auth/invitations/acceptances",
    { token: invited },
    { token: guest.accessToken, status: 201 },
  )
  await ask(
    "/auth/sessions/current/organisation",
    { organisation: club.id },
    { token: owner.accessToken, method: "PUT" },
  )

  // Administration, and what it reads.
  const by = { token: admin.accessToken }
  await ask(
    `/auth/users/${guest.user.id}/impersonations`,
    { reason: "Support" },
    { ...by, status: 201 },
  )
  await ask(`/auth/users/${guest.user.id}/password-resets`, null, {
    ...by,
    method: "POST",
    status: 202,
  })
  for (const path of [
    "/auth/users?limit=200",
    `/auth/users/${guest.user.id}`,
    "/auth/events?limit=200",
    "/mails?limit=200",
    "/jobs?limit=200",
    "/metrics",
    "/auth/service-accounts",
    `/auth/users/${guest.user.id}/sessions`,
    "/openapi.json",
  ]) {
    await ask(path, undefined, { ...by, status: 200 })
  }
  for (const { id } of await query(sql`SELECT id FROM mails`))
    await ask(`/mails/${id}`, undefined, by)

  // One's own data.
  for (const path of [
    "/auth/me",
    "/auth/me/events?limit=200",
    "/auth/me/export",
    "/auth/sessions",
    "/auth/passkeys",
    "/auth/authenticators",
    "/auth/recovery-codes",
    "/auth/api-keys",
    "/records/members",
  ]) {
    await ask(path, undefined, { token: owner.accessToken, status: 200 })
  }

  // Those who begin without an account, and programs that are kept out.
  const nobody = await ask<Session>("/auth/sessions", { kind: "anonymous" }, { status: 201 })
  const grown = { email: "grown@example.com", password: "planted password of nobody" }
  remember("password", null, grown.password)
  await ask("/auth/me/credentials", grown, { token: nobody.accessToken, status: 201 })
  const guarded = { ...env, TURNSTILE_SECRET: planted.turnstile }
  const widget = "planted-widget-answer-1234"
  remember("captcha answer", null, widget)
  await ask("/auth/users", grown, {
    env: guarded,
    headers: { "x-captcha-response": widget },
    status: 503,
  })

  await readMail()
  // Each where it does not belong: in an address, a body, a header.
  for (const one of [...secrets.keys()]) {
    await ask(`/records/articles/${encodeURIComponent(one)}`)
    await ask("/auth/tokens", { refreshToken: one })
    await ask("/auth/sessions", { token: one.slice(0, 200) })
    await ask("/auth/me", undefined, { headers: { authorization: `Bearer ${one}` } })
    await ask("/auth/me", undefined, { headers: { cookie: `__Host-access=${one}` } })
  }
  // Failures of ours, logged whole.
  for (const failing of [
    { DB: undefined },
    { SECRET: "" },
    { SIGNING_KEYS: `[{"d":"${key?.d}"}]` },
  ]) {
    const broken = { ...env, ...failing }
    await ask("/auth/sessions", again, { env: broken, status: 500 })
    await ask("/auth/users", ann, { env: broken, status: 500 })
    await ask("/auth/password-resets", { email: ann.email }, { env: broken, status: 500 })
    await ask("/auth/me", undefined, { env: broken, token: owner.accessToken, status: 500 })
  }

  // Enough was planted, of every kind, that silence means something.
  const kinds = new Map<string, number>()
  for (const { what } of secrets.values()) kinds.set(what, (kinds.get(what) ?? 0) + 1)
  expect(Object.fromEntries(kinds)).toMatchObject({
    accessToken: expect.any(Number),
    refreshToken: expect.any(Number),
    challenge: expect.any(Number),
    key: expect.any(Number),
    secret: 1,
    "recovery code": 20,
    "mailed code": expect.any(Number),
    "mailed token": expect.any(Number),
    "captcha answer": 1,
  })
  expect(secrets.size).toBeGreaterThan(70)
  expect(logged.length).toBeGreaterThan(20)

  const tables = await query(
    sql`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_cf%' ESCAPE '\\'`,
  )
  const stored = new Map<string, string>()
  for (const { name } of tables as { name: string }[]) {
    const { results } = await bindings.DB.prepare(`SELECT * FROM "${name}"`).all()
    if (results.length > 0) stored.set(name, JSON.stringify(results))
  }
  for (const table of ["changes", "audit_events", "sessions", "users", "api_keys", "jobs"]) {
    expect(stored.get(table)?.length, table).toBeGreaterThan(100)
  }
  const log = logged.join("\n")
  const found: string[] = []
  for (const [secret, { what, own }] of secrets) {
    // Six digits are too few to be looked for among numbers that are long.
    const isIn = (text: string) =>
      /^\d{6}$/.test(secret)
        ? new RegExp(`(?<![\\w.:-])${secret}(?![\\w:-])`).test(text)
        : text.includes(secret)
    if (isIn(log)) found.push(`${what} in the log`)
    for (const [i, text] of answers.entries()) {
      if (!own.has(i) && isIn(text)) found.push(`${what} in answer ${i}: ${text.slice(0, 200)}`)
    }
    for (const [table, rows] of stored) {
      // Mails are what carries them, and are emptied in time.
      if (table !== "mails" && isIn(rows)) found.push(`${what} in ${table}`)
    }
  }

  // What is stored of them is no more to be seen than they are.
  const hashes = [
    ...(await query(sql`SELECT passwordHash AS hash FROM users WHERE passwordHash IS NOT NULL`)),
    ...(await query(sql`SELECT refreshHash AS hash FROM sessions`)),
    ...(await query(
      sql`SELECT hash FROM account_tokens UNION SELECT hash FROM api_keys UNION SELECT hash FROM recovery_codes UNION SELECT hash FROM invitations`,
    )),
    ...(await query(sql`SELECT secret AS hash FROM authenticators`)),
  ].map(({ hash }) => hash as string)
  expect(hashes.length).toBeGreaterThan(30)
  const shown = ["changes", "audit_events", "jobs", "members", "mails"].map(
    (name) => stored.get(name) ?? "",
  )
  for (const hash of hashes) {
    for (const place of [log, ...answers, ...shown]) {
      if (place.includes(hash)) found.push(`a hash: ${place.slice(0, 200)}`)
    }
  }
  expect(found).toEqual([])
})
