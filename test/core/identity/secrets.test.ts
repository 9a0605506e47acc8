import { createHash } from "node:crypto"
import { afterEach, expect, test, vi } from "vitest"
import { sql } from "../../../src/platform/sql.ts"
import { bindings, call, json, query, type SignedIn } from "./cast.ts"

afterEach(() => {
  vi.restoreAllMocks()
})

test("no address, password, hash, token, code or key reaches a log line, the change log, or an answer that is not meant to have it", async () => {
  const logged: string[] = []
  for (const level of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, level).mockImplementation((...parts) => {
      logged.push(parts.map(String).join(" "))
    })
  }
  const email = "planted.address@example.com"
  const password = "planted password"
  const code = "planted-one-time-code"
  const hash = createHash("sha256").update(code).digest("hex")
  const env = { ...bindings, ADMIN_CODE_HASH: hash }
  const answered: string[] = []
  const ask = async (path: string, options: object) => {
    const answer = await call(path, { env, ...options })
    answered.push(await answer.clone().text())
    return answer
  }

  await ask("/auth/administrators", { body: { email, password, code } })
  await ask("/auth/administrators", { body: { email, password, code: `${code}!` } })
  await ask("/auth/users", { body: { email, password } })
  await ask("/auth/users", { body: { email: "planted", password } })
  await ask("/auth/sessions", { body: { email, password: `${password}!` } })
  const first = await json<SignedIn>(
    call("/auth/sessions", { env, body: { email, password } }),
    201,
  )
  const { refreshToken, accessToken } = first
  const next = await json<SignedIn>(call("/auth/tokens", { env, body: { refreshToken } }), 200)
  await call("/auth/tokens", { env, body: { refreshToken: next.refreshToken } })
  await ask("/auth/tokens", { body: { refreshToken } })
  await ask("/auth/me", { token: accessToken })
  await ask("/auth/users", { token: `${accessToken}x` })
  await ask("/.well-known/jwks.json", {})
  // A failure of ours, logged whole.
  await ask("/auth/sessions", { env: { ...env, DB: undefined }, body: { email, password } })
  await ask("/auth/me", { env: { ...env, SIGNING_KEYS: '[{"d":"planted"}]' }, token: accessToken })
  expect(logged.length).toBeGreaterThan(3)

  const [user] = await query(sql`SELECT passwordHash FROM users`)
  const [key] = JSON.parse(bindings.SIGNING_KEYS) as { d: string }[]
  const changes = JSON.stringify(await query(sql`SELECT * FROM changes`))
  const secrets = [password, code, hash, refreshToken, next.refreshToken, bindings.SECRET, key?.d]
  for (const secret of [...secrets, accessToken, user?.passwordHash, "argon2"] as string[]) {
    for (const place of [logged.join("\n"), changes, answered.join("\n")]) {
      expect(place).not.toContain(secret)
    }
  }
  for (const place of [logged.join("\n"), changes]) expect(place).not.toContain("planted")
})

test("no link, code or address that was mailed is in a log line, an answer, or a table but that of mails", async () => {
  const logged: string[] = []
  for (const level of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, level).mockImplementation((...parts) => {
      logged.push(parts.map(String).join(" "))
    })
  }
  const answered: string[] = []
  const ask = async (path: string, body: object | undefined, token?: string) => {
    const method = body ? "POST" : "GET"
    const answer = await call(path, { method, ...(body && { body }), ...(token && { token }) })
    answered.push(await answer.clone().text(), JSON.stringify([...answer.headers]))
    return answer
  }
  const email = "sown.address@example.com"
  const next = "sown.next@example.com"
  const password = "sown password"
  await ask("/auth/users", { email, password })
  const session = await json<SignedIn>(call("/auth/sessions", { body: { email, password } }), 201)
  const { accessToken } = session
  // So that the old address is mailed a link, too.
  await query(sql`UPDATE users SET emailVerifiedAt = createdAt`)
  await ask("/auth/password-resets", { email })
  await ask("/auth/mail-codes", { email })
  await ask("/auth/email-changes", { email: next }, accessToken)
  const tokens: string[] = []
  let code = ""
  for (const { text } of await query(sql`SELECT text FROM mails ORDER BY id`)) {
    tokens.push(...[...(text as string).matchAll(/hat_[\w-]{43}/g)].map(([token]) => token))
    code = /^\s*(\d{6})\s*$/m.exec(text as string)?.[1] ?? code
  }
  const hashes = (await query(sql`SELECT hash FROM account_tokens`)).map(({ hash }) => hash)
  for (const token of tokens) {
    for (const path of [
      "/auth/email-verifications/confirmations",
      "/auth/email-changes/undos",
      "/auth/sessions",
    ]) {
      await ask(path, { token: `${token}x` })
      await ask(path, { token: path === "/auth/sessions" ? `${token}y` : token })
    }
    await ask(`/auth/links/sessions?token=${token}`, undefined)
  }
  await ask("/auth/sessions", { email, code: code === "000000" ? "000001" : "000000" })
  // A failure of ours, logged whole.
  await call("/auth/password-resets", { env: { ...bindings, DB: undefined }, body: { email } })
  expect(tokens.length).toBeGreaterThan(4)
  expect(code).toMatch(/^\d{6}$/)

  const tables = await query(
    sql`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_cf%' ESCAPE '\\'`,
  )
  const stored = new Map<string, string>()
  for (const { name } of tables as { name: string }[]) {
    const rows = await bindings.DB.prepare(`SELECT * FROM "${name}"`).all()
    stored.set(name, JSON.stringify(rows.results))
  }
  const elsewhere = [...stored].filter(([name]) => name !== "mails" && name !== "account_tokens")
  const places = [logged.join("\n"), answered.join("\n"), ...elsewhere.map(([, rows]) => rows)]
  for (const secret of [...tokens, ...hashes, password] as string[]) {
    for (const place of places) expect(place).not.toContain(secret)
  }
  expect(stored.get("account_tokens")).not.toContain("hat_")
  expect(stored.get("account_tokens")).not.toContain(`"${code}"`)
  for (const [name, rows] of elsewhere) {
    if (name !== "users") expect(rows, name).not.toContain("sown.")
    expect(rows, name).not.toContain(`"${code}"`)
  }
  expect(logged.join("\n")).not.toContain("sown.")
})
