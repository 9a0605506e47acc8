import { env, exports } from "cloudflare:workers"
import { beforeAll, describe, expect, test, vi } from "vitest"
import { makeKeyText } from "../../../src/core/identity/api-key-text.ts"
import { authenticate } from "../../../src/core/identity/authenticate.ts"
import { settingsOf } from "../../../src/platform/http.ts"
import { eventually } from "../../support/eventually.ts"
import { call, costOf, type Person, signedIn, signIn } from "../../support/people.ts"
import { type Issued, issue, keyed, read, refusal, rows, withKey } from "./api-key-cast.ts"

let alice: Person
let admin: Person
let article: string
beforeAll(async () => {
  vi.spyOn(console, "info").mockImplementation(() => {})
  alice = await signedIn("alice")
  admin = await signedIn("admin", ["administrator"])
  const made = call(alice, "POST", "/records/articles", { title: "First", status: "published" })
  article = (await read<{ id: string }>(made, 201)).id
})

const readArticle = (as: Person) => call(as, "GET", `/records/articles/${article}`)
const writeArticle = (as: Person) =>
  call(as, "PATCH", `/records/articles/${article}`, { score: Math.random() })

describe("making a key", () => {
  test("shows it once, and stores no more than its hash", async () => {
    const issued = await issue(alice, ["articles:read", "articles:read"], { name: "Export" })
    expect(issued).toMatchObject({ user: alice.id, scopes: ["articles:read"], lastUsedAt: null })
    expect(issued.key.slice(-4)).toBe(issued.hint)
    const days = (Date.parse(issued.expiresAt as string) - Date.now()) / 86_400_000
    expect(days).toBeCloseTo(90, 1)
    const listed = await read<{ items: Issued[] }>(call(alice, "GET", "/auth/api-keys"), 200)
    expect(listed.items[0]).toMatchObject({ id: issued.id, name: "Export" })
    expect(JSON.stringify(listed)).not.toContain(issued.key)
    expect(JSON.stringify(await rows("SELECT * FROM api_keys"))).not.toContain(issued.key)
  })

  test.each([
    ["no scopes", { scopes: [] }],
    ["a scope of no form", { scopes: ["articles"] }],
    ["an unknown action", { scopes: ["articles:drop"] }],
    ["an end in the past", { scopes: ["*:*"], expiresAt: "2020-01-01T00:00:00Z" }],
    ["no name", { scopes: ["*:*"], name: " " }],
    ["an unknown field", { scopes: ["*:*"], roles: ["administrator"] }],
  ])("is refused with %s", async (_, body) => {
    const answer = call(alice, "POST", "/auth/api-keys", { name: "x", ...body })
    expect(await refusal(answer, 400)).toBe("invalid_input")
  })

  test("is refused in another's name, also to administrators, and for an organisation that one is not in", async () => {
    for (const more of [{ user: alice.id }, { organisation: crypto.randomUUID() }]) {
      const answer = call(admin, "POST", "/auth/api-keys", { name: "x", scopes: ["*:*"], ...more })
      expect(await refusal(answer, 404)).toBe("not_found")
    }
  })

  test("asks for a proof of identity that is recent", async () => {
    const person = await signedIn("sleepy")
    const later = Date.now() + 11 * 60 * 1_000
    vi.setSystemTime(later)
    try {
      const answer = call(person, "POST", "/auth/api-keys", { name: "x", scopes: ["*:*"] })
      expect(await refusal(answer, 401)).toBe("step_up_required")
    } finally {
      vi.useRealTimers()
    }
  })

  test("stops at a hundred", async () => {
    const person = await signedIn("collector")
    await issue(person, ["*:read"])
    await env.DB.batch(
      Array.from({ length: 99 }, (_, n) =>
        env.DB.prepare(
          "INSERT INTO api_keys (id, user, name, hash, hint, scopes, createdAt, createdBy) VALUES (?1, ?2, 'x', ?1, 'x', '[]', '', '')",
        ).bind(`k${n}`, person.id),
      ),
    )
    const answer = call(person, "POST", "/auth/api-keys", { name: "x", scopes: ["*:*"] })
    expect(await refusal(answer, 409)).toBe("conflict")
  })
})

describe("the trip of a request", () => {
  test("is all that a key costs, for reads and writes, the first time as the hundredth", async () => {
    for (let n = 0; n < 3; n++) {
      const program = await keyed(alice, ["articles:*"])
      for (const ask of [readArticle, writeArticle, readArticle]) {
        const answer = await ask(program)
        expect(answer.status, await answer.text()).toBe(200)
        expect(costOf(answer).trips).toBe(1)
      }
    }
  })

  test("reads two rows more at most than a token's", async () => {
    const program = await keyed(alice, ["articles:*"])
    const own = costOf(await readArticle(alice)).rowsRead
    expect(costOf(await readArticle(program)).rowsRead).toBeLessThanOrEqual(own + 2)
  })

  test("a thousand invented keys do not cost one", async () => {
    const { key } = await issue(alice, ["articles:*"])
    for (let n = 0; n < 1_000; n++) {
      const invented = key.slice(0, 4) + crypto.randomUUID().replaceAll("-", "").repeat(8)
      const answer = await call({ ...alice, token: invented }, "GET", "/records/articles")
      expect(answer.status).toBe(401)
      expect(costOf(answer).trips || 0).toBe(0)
    }
  })
})

describe("a key is taken in the header Authorization alone", () => {
  test.each([
    ["a cookie", (key: string) => ["/records/articles", { cookie: `__Host-access=${key}` }]],
    ["X-Api-Key", (key: string) => ["/auth/me", { "x-api-key": key }]],
    ["Basic", (key: string) => ["/auth/me", { authorization: `Basic ${btoa(`${key}:`)}` }]],
    ["an address", (key: string) => [`/records/diaries?api_key=${key}`, {}]],
  ] as [string, (key: string) => [string, Record<string, string>]][])(
    "not in %s",
    async (_, ask) => {
      const { key } = await issue(alice, ["*:*"])
      const [path, headers] = ask(key)
      const answer = await exports.default.fetch(
        new Request(`http://127.0.0.1${path}`, { headers }),
      )
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.status).toBeLessThan(500)
    },
  )
})

describe("what ends a key", () => {
  test("expiry, to the millisecond", async () => {
    const expiresAt = new Date(Date.now() + 60_000).toISOString()
    const issued = await issue(alice, ["*:*"], { expiresAt })
    const request = new Request("http://127.0.0.1/records/articles", {
      headers: { authorization: `Bearer ${issued.key}` },
    })
    const settings = settingsOf(env)
    expect(authenticate(request, settings, Date.parse(expiresAt) - 1)).toMatchObject({
      id: alice.id,
    })
    expect(() => authenticate(request, settings, Date.parse(expiresAt))).toThrow(
      expect.objectContaining({ code: "token_expired" }),
    )
  })

  test("revocation, for the very next read and the very next write", async () => {
    for (const ask of [readArticle, writeArticle]) {
      const issued = await issue(alice, ["*:*"])
      const program = withKey(issued)
      expect((await ask(program)).status).toBe(200)
      const [{ version } = {}] = await rows("SELECT version FROM articles WHERE id = ?", article)
      await read(call(alice, "DELETE", `/auth/api-keys/${issued.id}`), 204)
      expect(await refusal(ask(program), 401)).toBe("token_invalid")
      // Now this isolate knows, and asks nobody.
      const again = await ask(program)
      expect(costOf(again).trips || 0).toBe(0)
      const [after] = await rows("SELECT version FROM articles WHERE id = ?", article)
      expect(after?.version).toBe(version)
      await read(call(alice, "DELETE", `/auth/api-keys/${issued.id}`), 204)
    }
  })

  test("not another's hand, unless it is an administrator's", async () => {
    const issued = await issue(alice, ["*:*"])
    const bob = await signedIn("bob")
    await read(call(bob, "DELETE", `/auth/api-keys/${issued.id}`), 404)
    await read(call(bob, "POST", `/auth/api-keys/${issued.id}/rotations`), 404)
    await read(call(admin, "POST", `/auth/api-keys/${issued.id}/rotations`), 404)
    await read(call(bob, "GET", `/auth/api-keys?user=${alice.id}`), 404)
    expect((await readArticle(withKey(issued))).status).toBe(200)
    const seen = await read<{ items: Issued[] }>(
      call(admin, "GET", `/auth/api-keys?user=${alice.id}`),
      200,
    )
    expect(seen.items.map(({ id }) => id)).toContain(issued.id)
    await read(call(admin, "DELETE", `/auth/api-keys/${issued.id}`), 204)
    expect((await readArticle(withKey(issued))).status).toBe(401)
  })

  test("the secret of another deployment, and an id that this one has not given out", async () => {
    const claims = {
      id: crypto.randomUUID(),
      user: admin.id,
      organisation: null,
      database: "main",
      email: admin.email,
      roles: ["administrator"],
      epoch: 1,
      scopes: ["*:*"],
      expiresAt: null,
      service: false,
    }
    for (const secret of ["another-secret-another-secret-another", env.SECRET]) {
      const forged = { ...admin, token: makeKeyText(secret, claims) }
      expect(await refusal(readArticle(forged), 401)).toBe("token_invalid")
      expect(await refusal(writeArticle(forged), 401)).toBe("token_invalid")
      expect((await call(forged, "GET", "/metrics")).status).toBeGreaterThanOrEqual(401)
    }
  })

  test("the hash that is stored being another's: the secret alone makes no key", async () => {
    const issued = await issue(alice, ["*:*"])
    await env.DB.prepare("DELETE FROM api_key_states WHERE id = ?").bind(issued.id).run()
    expect((await readArticle(withKey(issued))).status).toBe(401)
    expect((await writeArticle(withKey(issued))).status).toBe(401)
  })
})

describe("rotation", () => {
  test("makes a key of the same kind, and both are good for the overlap", async () => {
    const old = await issue(alice, ["articles:*"], { expiresAt: null })
    const path = `/auth/api-keys/${old.id}/rotations`
    const next = await read<Issued>(call(alice, "POST", path, { overlapSeconds: 60 }), 201)
    expect(next).toMatchObject({ scopes: ["articles:*"], expiresAt: null, user: alice.id })
    expect(next.key).not.toBe(old.key)
    for (const one of [old, next]) expect((await writeArticle(withKey(one))).status).toBe(200)
    const [state] = await rows("SELECT endsAt FROM api_key_states WHERE id = ?", old.id)
    const seconds = (Date.parse(state?.endsAt as string) - Date.now()) / 1_000
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThanOrEqual(60)
    // The overlap ends: it is the database's clock that says so.
    await rows("UPDATE api_key_states SET endsAt = '2026-01-01' WHERE id = ?", old.id)
    await rows("UPDATE api_keys SET expiresAt = '2026-01-01' WHERE id = ?", old.id)
    expect((await writeArticle(withKey(old))).status).toBe(401)
    expect((await readArticle(withKey(old))).status).toBe(401)
    expect((await writeArticle(withKey(next))).status).toBe(200)
    expect(await refusal(call(alice, "POST", path), 409)).toBe("conflict")
  })

  test("overlaps for a day unless told, for a week at most, and never beyond the old end", async () => {
    const old = await issue(alice, ["*:read"])
    await read(call(alice, "POST", `/auth/api-keys/${old.id}/rotations`), 201)
    const [row] = await rows("SELECT expiresAt FROM api_keys WHERE id = ?", old.id)
    const hours = (Date.parse(row?.expiresAt as string) - Date.now()) / 3_600_000
    expect(hours).toBeCloseTo(24, 1)
    const path = `/auth/api-keys/${old.id}/rotations`
    const tooLong = call(alice, "POST", path, { overlapSeconds: 604_801 })
    expect(await refusal(tooLong, 400)).toBe("invalid_input")
    await read(call(alice, "POST", path, { overlapSeconds: 604_800 }), 201)
    const [after] = await rows("SELECT expiresAt FROM api_keys WHERE id = ?", old.id)
    expect(after).toEqual(row)
  })
})

describe("whose rights a key has", () => {
  const setRoles = (id: string, roles: string[]) =>
    read(call(admin, "PATCH", `/auth/users/${id}`, { roles }), 200)
  const feature = (as: Person) =>
    call(as, "PATCH", `/records/articles/${article}`, { featured: Math.random() > 0.5 })

  test("its person's of this moment: what was given and what was taken away", async () => {
    const person = await signedIn("promoted")
    const program = await keyed(person, ["*:*"])
    expect((await feature(program)).status).toBe(403)
    await setRoles(person.id, ["editor"])
    // The request is repeated with what was learned: its caller sees one answer.
    expect((await feature(program)).status).toBe(200)
    const settled = await feature(program)
    expect(settled.status).toBe(200)
    expect(costOf(settled).trips).toBe(1)
    await setRoles(person.id, [])
    expect((await feature(program)).status).toBe(403)
  })

  test("with a body that is too long to be kept, the caller is told, and the next request goes through", async () => {
    const person = await signedIn("streaming")
    const program = await keyed(person, ["*:*"])
    await setRoles(person.id, ["editor"])
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"featured":true}'))
        controller.close()
      },
    })
    const request = new Request(`http://127.0.0.1/records/articles/${article}`, {
      method: "PATCH",
      headers: { authorization: `Bearer ${program.token}`, "content-type": "application/json" },
      body: stream,
    })
    expect(await refusal(exports.default.fetch(request), 401)).toBe("token_outdated")
    expect((await feature(program)).status).toBe(200)
  })

  test("none once the person is disabled, and theirs again when they are not", async () => {
    const person = await signedIn("disabled")
    const program = await keyed(person, ["*:*"])
    const bump = (at: string | null) =>
      env.DB.batch([
        env.DB.prepare(
          "UPDATE users SET disabledAt = ?, epoch = epoch + 1, version = version + 1 WHERE id = ?",
        ).bind(at, person.id),
        env.DB.prepare(
          "UPDATE members SET epoch = epoch + 1, version = version + 1 WHERE id = ?",
        ).bind(person.id),
      ])
    expect((await readArticle(program)).status).toBe(200)
    await bump(new Date().toISOString())
    expect(await refusal(readArticle(program), 401)).toBe("token_invalid")
    expect(await refusal(call(program, "POST", "/records/tags", { name: "x" }), 401)).toBe(
      "token_invalid",
    )
    await bump(null)
    expect((await readArticle(program)).status).toBe(200)
  })

  test("none once the person is gone", async () => {
    const person = await signedIn("deleted")
    const issued = await issue(person, ["*:*"])
    await env.DB.batch(
      [
        "DELETE FROM api_keys WHERE user = ?",
        "DELETE FROM account_tokens WHERE user = ?",
        "DELETE FROM sessions WHERE user = ?",
        "DELETE FROM members WHERE id = ?",
        "DELETE FROM users WHERE id = ?",
      ].map((text) => env.DB.prepare(text).bind(person.id)),
    )
    expect(await refusal(readArticle(withKey(issued)), 401)).toBe("token_invalid")
  })

  test("a new password does not end it", async () => {
    const person = await signedIn("forgetful")
    const program = await keyed(person, ["*:*"])
    await env.DB.batch([
      env.DB.prepare("UPDATE users SET epoch = 7, version = 7 WHERE id = ?").bind(person.id),
      env.DB.prepare("UPDATE members SET epoch = 7, version = 7 WHERE id = ?").bind(person.id),
    ])
    expect((await readArticle(program)).status).toBe(200)
    await signIn(person.email)
  })
})

describe("closed to keys", () => {
  test.each([
    ["GET", "/auth/me"],
    ["GET", "/%61uth/me"],
    ["GET", "/auth/me/"],
    ["PATCH", "/auth/me"],
    ["GET", "/auth/sessions"],
    ["DELETE", "/auth/sessions/current"],
    ["GET", "/auth/users"],
    ["PATCH", "/auth/users/x"],
    ["GET", "/auth/api-keys"],
    ["POST", "/auth/api-keys"],
    ["DELETE", "/auth/api-keys/x"],
    ["POST", "/auth/api-keys/x/rotations"],
    ["GET", "/auth/service-accounts"],
    ["POST", "/auth/service-accounts"],
    ["PATCH", "/auth/service-accounts/x"],
    ["DELETE", "/auth/service-accounts/x"],
    ["GET", "/mails"],
    ["GET", "/jobs"],
    ["GET", "/metrics"],
    ["POST", "/jobs/schedules/x/runs"],
  ])("%s %s", async (method, path) => {
    const program = await keyed(admin, ["*:*"])
    const body = ["POST", "PATCH"].includes(method) ? {} : undefined
    const answer = await call(program, method, path, body)
    expect(await refusal(answer, 403)).toBe("forbidden")
    expect(costOf(answer).trips || 0).toBe(0)
  })

  test("but metrics and jobs, for administrators' keys whose scopes name them", async () => {
    const scraper = await keyed(admin, ["metrics:read"])
    expect((await call(scraper, "GET", "/metrics?format=prometheus")).status).toBe(200)
    expect((await call(scraper, "GET", "/jobs")).status).toBe(403)
    const watcher = await issue(admin, ["jobs:read"])
    expect((await call(withKey(watcher), "GET", "/jobs")).status).toBe(200)
    expect((await call(withKey(watcher), "POST", "/jobs/schedules/x/runs")).status).toBe(403)
    expect((await call(await keyed(alice, ["metrics:read"]), "GET", "/metrics")).status).toBe(403)
    await read(call(admin, "DELETE", `/auth/api-keys/${watcher.id}`), 204)
    expect((await call(withKey(watcher), "GET", "/jobs")).status).toBe(401)
  })
})

test("the last use is noted to the hour, once, and never by what was refused", async () => {
  const issued = await issue(alice, ["articles:read"])
  const lastUsed = async () =>
    (await rows("SELECT lastUsedAt FROM api_keys WHERE id = ?", issued.id))[0]?.lastUsedAt
  expect((await writeArticle(withKey(issued))).status).toBe(403)
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(await lastUsed()).toBe(null)
  await readArticle(withKey(issued))
  await eventually(async () =>
    expect(await lastUsed()).toMatch(/^\d{4}-\d\d-\d\dT\d\d:00:00.000Z$/),
  )
  await env.DB.prepare("UPDATE api_keys SET lastUsedAt = NULL WHERE id = ?").bind(issued.id).run()
  await readArticle(withKey(issued))
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(await lastUsed()).toBe(null)
})

test("making, rotating and revoking are in the audit log, with neither key nor hash; and nothing else tells of them", async () => {
  const logged: string[] = []
  for (const level of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, level).mockImplementation((...parts) => {
      logged.push(parts.map(String).join(" "))
    })
  }
  const first = await issue(alice, ["articles:*"])
  const path = `/auth/api-keys/${first.id}`
  const second = await read<Issued>(call(alice, "POST", `${path}/rotations`), 201)
  const answers = [
    await (await writeArticle(withKey(second))).text(),
    await (await call(withKey(second), "GET", "/auth/me")).text(),
    await (await call({ ...alice, token: `${second.key}x` }, "GET", "/auth/me")).text(),
    await (await call(alice, "GET", "/auth/api-keys")).text(),
  ]
  await read(call(alice, "DELETE", path), 204)
  await read(call(alice, "DELETE", `/auth/api-keys/${second.id}`), 204)
  answers.push(await (await readArticle(withKey(second))).text())
  const events = await rows(
    "SELECT kind, user, actor, detail FROM audit_events WHERE kind LIKE 'apiKey.%' ORDER BY id DESC LIMIT 4",
  )
  expect(events.map(({ kind }) => kind)).toEqual([
    "apiKey.revoked",
    "apiKey.revoked",
    "apiKey.rotated",
    "apiKey.created",
  ])
  const hashes = await rows("SELECT hash FROM api_keys WHERE user = ?", alice.id)
  const changes = JSON.stringify(await rows("SELECT * FROM changes"))
  expect(logged.length).toBeGreaterThan(2)
  for (const place of [JSON.stringify(events), changes, logged.join("\n"), answers.join("\n")]) {
    for (const secret of [first.key, second.key, ...hashes.map(({ hash }) => hash as string)]) {
      expect(place).not.toContain(secret)
    }
  }
})
