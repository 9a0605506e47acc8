import { env } from "cloudflare:workers"
import { beforeAll, describe, expect, test } from "vitest"
import { fixtures } from "../../support/collections.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { create, type Json, query, read, refused } from "./cast.ts"
import { openWorkshop, type Workshop } from "./workshop.ts"

/* The ground that every route stands on: problems, headers, CORS, limits, bookmarks. */

let alice: Person
let administrator: Person
let production: Workshop
beforeAll(async () => {
  alice = await signedIn("alice")
  administrator = await signedIn("root", ["administrator"])
  production = await deployment({})
})

const deployment = (bindings: Record<string, unknown>) =>
  openWorkshop(fixtures, {
    tables: false,
    bindings: {
      ENVIRONMENT: "production",
      RATE_LIMIT: "off",
      ALLOWED_ORIGINS: "https://app.example.test, https://b.test",
      ...bindings,
    },
  })

describe("every answer", () => {
  test.each<[string, string, number]>([
    ["GET", "/records/articles", 200],
    ["GET", "/records/articles?limit=0", 400],
    ["HEAD", "/records/articles", 200],
    ["GET", "/records/vaults", 401],
    ["GET", "/records/nothing", 404],
    ["GET", "/nowhere", 404],
    ["PUT", "/records/articles", 405],
    ["POST", "/records/suggestions", 415],
    ["GET", "/health", 200],
  ])("%s %s carries its request's id and is kept by no cache", async (method, path, status) => {
    const answer = await call(null, method, path)
    expect(answer.status).toBe(status)
    expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/)
    expect(answer.headers.get("cache-control")).toBe("private, no-store")
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff")
    if (status < 400) return
    expect(answer.headers.get("content-type")).toBe("application/problem+json")
    const problem = (await answer.json()) as Json
    expect(problem).toMatchObject({
      status,
      type: `/docs#problem-${problem.code}`,
      title: expect.any(String),
      detail: expect.any(String),
      requestId: answer.headers.get("x-request-id"),
    })
  })

  test("of a failure of ours says no more than its request's id", async () => {
    const broken = await deployment({
      DB: {
        prepare: () => {
          throw new Error("SECRET detail of D1")
        },
      },
    })
    const answer = await broken.call(null, "GET", "/records/articles")
    const text = await answer.text()
    expect([answer.status, text.includes("SECRET")]).toEqual([500, false])
    expect(JSON.parse(text)).toMatchObject({
      code: "internal",
      requestId: answer.headers.get("x-request-id"),
    })
  })

  test("of a deployment without its variables says so, and names no value", async () => {
    const broken = await deployment({ SECRET: "short" })
    expect((await refused(broken.call(null, "GET", "/records/articles"), 500)).code).toBe(
      "misconfigured",
    )
  })
})

test("what a request cost is told in development, and else to administrators of the deployment alone", async () => {
  const path = "/records/articles"
  const told = async (answer: Promise<Response>) => (await answer).headers.has("server-timing")
  expect(await told(call(null, "GET", path))).toBe(true)
  expect(await told(production.call(null, "GET", path))).toBe(false)
  expect(await told(production.call(alice, "GET", path))).toBe(false)
  expect(await told(production.call(alice, "GET", "/records/nothing"))).toBe(false)
  expect(await told(production.call(administrator, "GET", path))).toBe(true)
  expect((await call(null, "GET", path)).headers.get("server-timing")).toMatch(
    /^db;dur=[\d.]+, trips;desc="1", rows-read;desc="\d+", rows-written;desc="0"$/,
  )
})

describe("an origin", () => {
  const own = "http://127.0.0.1"
  test.each<[string, string, boolean, boolean]>([
    // origin, allowed in production, allowed in development
    ["its own", own, true, true],
    ["one of the settings", "https://app.example.test", true, true],
    ["another of the settings", "https://b.test", true, true],
    ["one of the settings without TLS", "http://app.example.test", false, false],
    ["one of the settings on another port", "https://app.example.test:8443", false, false],
    ["a subdomain", "https://x.app.example.test", false, false],
    ["one that begins alike", "https://app.example.test.evil.test", false, false],
    ["loopback", "http://localhost:5173", false, true],
    ["loopback by number", "http://127.0.0.1:3000", false, true],
    ["loopback of IPv6", "http://[::1]:3000", false, true],
    ["a name that looks like loopback", "http://localhost.evil.test", false, false],
    ["an address that begins like loopback", "http://127.0.0.1.evil.test", false, false],
    ["none", "null", false, false],
    ["nonsense", "not an origin", false, false],
  ])("%s (%s)", async (_, origin, inProduction, inDevelopment) => {
    const development = await deployment({ ENVIRONMENT: "development" })
    for (const [workshop, allowed] of [
      [production, inProduction],
      [development, inDevelopment],
    ] as const) {
      for (const path of ["/records/articles", "/records/nothing", "/records/articles?limit=0"]) {
        const answer = await workshop.call(null, "GET", path, undefined, { origin })
        expect(answer.headers.get("access-control-allow-origin")).toBe(allowed ? origin : null)
        expect(answer.headers.get("access-control-allow-credentials")).toBe(allowed ? "true" : null)
        expect(answer.headers.get("vary")).toContain("Origin")
        if (allowed)
          expect(answer.headers.get("access-control-expose-headers")).toMatch(
            /ETag.*Link.*Location.*X-Request-Id/,
          )
      }
      const asked = await workshop.call(null, "OPTIONS", "/records/articles/x", undefined, {
        origin,
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "if-match,idempotency-key",
      })
      expect(asked.status).toBe(204)
      expect(asked.headers.get("access-control-allow-methods")?.includes("PATCH") ?? false).toBe(
        allowed,
      )
      for (const header of ["Authorization", "If-Match", "Idempotency-Key", "X-Bookmark"]) {
        expect(asked.headers.get("access-control-allow-headers")?.includes(header) ?? false).toBe(
          allowed,
        )
      }
    }
  })
})

describe("the rate limit", () => {
  /** Counts like the binding: so many a key. */
  const limiter = (limit: number) => {
    const counts = new Map<string, number>()
    return {
      counts,
      limit: async ({ key }: { key: string }) => {
        counts.set(key, (counts.get(key) ?? 0) + 1)
        return { success: (counts.get(key) as number) <= limit }
      },
    }
  }

  test("answers 429 with Retry-After, for reads, writes and sign-ins alike", async () => {
    const limited = await deployment({ RATE_LIMIT: "on", RATE_LIMITER: limiter(3) })
    const statuses: number[] = []
    for (let n = 0; n < 5; n++)
      statuses.push((await limited.call(null, "GET", "/records/articles")).status)
    expect(statuses).toEqual([200, 200, 200, 429, 429])
    const answer = await limited.call(null, "POST", "/auth/sessions", { email: "x", password: "y" })
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0)
    expect((await refused(answer, 429)).code).toBe("rate_limited")
  })

  test("counts by address and by credential: neither buys a fresh count of the other", async () => {
    const binding = limiter(2)
    const limited = await deployment({ RATE_LIMIT: "on", RATE_LIMITER: binding })
    const ask = async (address: string, authorization?: string) =>
      (
        await limited.call(null, "GET", "/records/articles", undefined, {
          "cf-connecting-ip": address,
          ...(authorization && { authorization }),
        })
      ).status
    expect(
      [
        await ask("1.1.1.1", "Bearer a"),
        await ask("1.1.1.1", "Bearer b"),
        await ask("1.1.1.1", "Bearer c"),
      ].at(-1),
    ).toBe(429)
    expect(
      [
        await ask("2.2.2.2", "Bearer d"),
        await ask("3.3.3.3", "Bearer d"),
        await ask("4.4.4.4", "Bearer d"),
      ].at(-1),
    ).toBe(429)
    // Who has one IPv6 address has 2^64 of them.
    expect(
      [await ask("2001:db8::1"), await ask("2001:db8::2"), await ask("2001:db8:0:0:9::3")].at(-1),
    ).toBe(429)
    expect(await ask("2001:db8:0:1::1")).toBe(200)
    expect(await ask("5.5.5.5")).toBe(200)
    expect([...binding.counts.keys()].some((key) => key.includes("Bearer"))).toBe(false)
  })

  test("is off where the settings say so, and on in production unless they do", async () => {
    const binding = limiter(0)
    for (const [RATE_LIMIT, ENVIRONMENT, status] of [
      ["off", "production", 200],
      [undefined, "production", 429],
      [undefined, "development", 200],
      ["on", "development", 429],
    ] as const) {
      const limited = await deployment({ RATE_LIMIT, ENVIRONMENT, RATE_LIMITER: binding })
      expect((await limited.call(null, "GET", "/records/articles")).status).toBe(status)
    }
  })
})

test.each([
  "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
  "D1_ERROR: D1 DB is overloaded. Too many requests queued.",
  "D1_ERROR: Network connection lost.",
  "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
  "D1_ERROR: Internal error in D1 DB storage caused object to be reset.",
  "D1_ERROR: D1 DB reset because its code was updated.",
])("%s is a 503 that says when to come again", async (message) => {
  const fail = () => Promise.reject(new Error(message))
  const statement = { bind: () => statement, all: fail }
  const on = { prepare: () => statement, batch: fail, getBookmark: () => null }
  const broken = await deployment({ DB: { ...on, withSession: () => on } })
  for (const [as, method, path, body] of [
    [null, "GET", "/records/articles", undefined],
    [alice, "GET", "/records/articles", undefined],
    [alice, "POST", "/records/articles", { title: "x" }],
  ] as const) {
    const answer = await broken.call(as, method, path, body)
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0)
    expect((await refused(answer, 503)).code).toBe("overloaded")
  }
})

describe("a bookmark", () => {
  const bookmarkOf = (answer: Response) => answer.headers.get("x-bookmark")
  const cookieOf = (answer: Response) =>
    answer.headers.getSetCookie().find((cookie) => cookie.startsWith("__Host-bookmark="))
  const written = () => call(alice, "POST", "/records/articles", { title: "x" })

  test("comes signed with every write, in a header and in a cookie for browsers", async () => {
    const answer = await written()
    const bookmark = bookmarkOf(answer) as string
    expect(bookmark).toMatch(/^main\.[0-9a-f-]+\.[\w-]{22}$/)
    expect(cookieOf(answer)).toBe(
      `__Host-bookmark=${encodeURIComponent(bookmark)}; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=Lax`,
    )
  })

  test("is in no cookie after a read, nor after a write that was refused or changed nothing", async () => {
    const { id } = await create(alice, "articles", { title: "x" })
    for (const answer of [
      await call(alice, "GET", "/records/articles"),
      await call(null, "GET", "/records/articles", undefined, {
        "x-bookmark": bookmarkOf(await written()) as string,
      }),
      await call(alice, "PATCH", `/records/articles/${id}`, { title: "x" }),
      await call(alice, "PATCH", `/records/articles/${id}`, { project: id }),
    ]) {
      expect(cookieOf(answer)).toBeUndefined()
    }
  })

  test("that is brought along, by header or cookie, is continued", async () => {
    const bookmark = bookmarkOf(await written()) as string
    const headers: Record<string, string>[] = [
      { "x-bookmark": bookmark },
      { cookie: `a=b; __Host-bookmark=${encodeURIComponent(bookmark)}` },
      { "x-bookmark": `second.00.${"x".repeat(22)} ${bookmark}` },
    ]
    for (const header of headers) {
      const answer = await call(null, "GET", "/records/articles", undefined, header)
      expect(bookmarkOf(answer)).toMatch(/^main\./)
    }
  })

  test("that is forged, of another name, or no bookmark at all is passed over", async () => {
    const bookmark = bookmarkOf(await written()) as string
    const [name, position, signature] = bookmark.split(".") as [string, string, string]
    const forged = [
      `${name}.${position}.${"A".repeat(22)}`,
      `${name}.${position}0.${signature}`,
      `second.${position}.${signature}`,
      `${name}.${position}`,
      `${bookmark}x`,
      `${name}..${signature}`,
      "first-primary",
      "…".repeat(3),
      "%",
      " ".repeat(500),
      `${"x.y.z ".repeat(2_000)}`,
    ]
    for (const value of forged) {
      const headers: Record<string, string>[] = [
        { "x-bookmark": encodeURI(value).slice(0, 8_000) },
        { cookie: `__Host-bookmark=${value.replaceAll("…", "%E0%A4%A")}` },
      ]
      for (const header of headers) {
        const answer = await call(null, "GET", "/records/articles", undefined, header)
        expect(answer.status, value.slice(0, 50)).toBe(200)
        expect(bookmarkOf(answer)).toBeNull()
      }
    }
  })

  test("is asked for by the session that D1 opens", async () => {
    const starts: unknown[] = []
    const spied = {
      prepare: (text: string) => env.DB.prepare(text),
      batch: (statements: D1PreparedStatement[]) => env.DB.batch(statements),
      withSession: (start: string) => {
        starts.push(start)
        return env.DB.withSession(start)
      },
    }
    const spying = await deployment({ DB: spied })
    const bookmark = bookmarkOf(await written()) as string
    await spying.call(null, "GET", "/records/articles", undefined, { "x-bookmark": bookmark })
    await spying.call(null, "GET", "/records/articles", undefined, { "x-bookmark": `${bookmark}x` })
    await spying.call(alice, "POST", "/records/articles", { title: "x" })
    expect(starts).toEqual([bookmark.split(".")[1], "first-primary"])
    const replicated = await deployment({ DB: spied, READ_REPLICATION: "on" })
    starts.length = 0
    await replicated.call(null, "GET", "/records/articles")
    expect(starts).toEqual(["first-unconstrained"])
  })
})

test("an outdated token is told so, by reads and writes, and writes nothing", async () => {
  const carol = await signedIn("carol")
  const { id } = await create(carol, "articles", { title: "x", status: "published" })
  await query("UPDATE members SET epoch = epoch + 1 WHERE id = ?", [carol.id])
  for (const [method, path, body] of [
    ["GET", `/records/articles/${id}`, undefined],
    ["GET", "/records/articles", undefined],
    ["POST", "/records/articles", { title: "x" }],
    ["PATCH", `/records/articles/${id}`, { title: "y" }],
    ["PUT", `/records/articles/${id}`, { title: "y" }],
    ["DELETE", `/records/articles/${id}`, undefined],
    ["PATCH", "/records/articles/00000000-0000-4000-8000-000000000000", {}],
  ] as const) {
    const answer = await call(carol, method, path, body)
    expect(answer.headers.get("www-authenticate")).toBe("Bearer")
    expect((await refused(answer, 401)).code).toBe("token_outdated")
  }
  expect(await read(call(null, "GET", `/records/articles/${id}`), 200)).toMatchObject({
    title: "x",
    version: 1,
  })
  expect(costOf(await call(carol, "GET", "/records/articles")).trips).toBe(1)
})
