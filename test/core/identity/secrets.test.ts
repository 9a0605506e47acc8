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
