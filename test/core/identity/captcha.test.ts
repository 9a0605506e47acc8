import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { accountLimit } from "../../../src/core/identity/attempts.ts"
import { freeGuesses } from "../../../src/core/identity/captcha.ts"
import { sql } from "../../../src/platform/sql.ts"
import { fetchFrom } from "../../support/deployment.ts"
import { bindings, json, password, query, refusal, trips } from "./cast.ts"

/*
 * A stand-in of Cloudflare's siteverify: it knows the answers that its widget gave, each with its page, action and time,
 * and takes each of them once.
 */
const url = "https://siteverify.test/turnstile/v0/siteverify"
const secret = "planted-turnstile-secret"

interface Given {
  action: string
  hostname: string
  at: number
  used: boolean
}
const given = new Map<string, Given>()
/** What it was sent. */
const asked: URLSearchParams[] = []
/** Set where it shall not behave. */
let broken: (() => Promise<Response>) | null = null

const siteverify = (form: URLSearchParams): Response => {
  asked.push(form)
  const refuse = (code: string, status = 200) =>
    Response.json({ success: false, "error-codes": [code] }, { status })
  if (form.get("secret") !== secret) return refuse("invalid-input-secret", 400)
  const answer = given.get(form.get("response") ?? "")
  if (!answer) return refuse("invalid-input-response")
  if (answer.used) return refuse("timeout-or-duplicate")
  answer.used = true
  const { action, hostname, at } = answer
  const challenge_ts = new Date(at).toISOString()
  return Response.json({ success: true, "error-codes": [], action, hostname, challenge_ts })
}

/** What the widget gives. */
function widget(action: string, changes: Partial<Given> = {}): string {
  const answer = `widget-${crypto.randomUUID()}`
  given.set(answer, { action, hostname: "app.test", at: Date.now(), used: false, ...changes })
  return answer
}

const logged: string[] = []

beforeEach(() => {
  broken = null
  asked.length = 0
  logged.length = 0
  for (const level of ["info", "warn", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((...parts) => void logged.push(parts.join(" ")))
  }
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input as RequestInfo, init as RequestInit)
    expect([request.url, request.method, request.redirect]).toEqual([url, "POST", "manual"])
    if (broken) return broken()
    return siteverify(new URLSearchParams(init?.body as URLSearchParams))
  })
})

afterEach(() => {
  vi.restoreAllMocks()
})

const guarded = {
  ...bindings,
  ANONYMOUS_SESSIONS: "on",
  TURNSTILE_SECRET: secret,
  TURNSTILE_SITE_KEY: "0xSITE",
  TURNSTILE_URL: url,
  TURNSTILE_HOSTNAMES: "app.test, www.app.test",
}
const always = { ...guarded, TURNSTILE_SIGN_IN: "always" }

let networks = 0
const elsewhere = () => `198.${18 + (++networks >> 16)}.${(networks >> 8) & 255}.${networks & 255}`

const post = (
  path: string,
  body: object,
  answer: string | null = null,
  { env = guarded as object, from = elsewhere() } = {},
) =>
  fetchFrom(
    env,
    new Request(`https://hinterland.test${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "cf-connecting-ip": from,
        ...(answer !== null && { "x-captcha-response": answer }),
      },
      body: JSON.stringify(body),
    }),
  )

let people = 0
const newcomer = () => ({ email: `human${++people}@example.com`, password })

const member = async () => {
  const person = newcomer()
  await json(post("/auth/users", person, null, { env: bindings }), 201)
  return person
}

/** Every call that strangers' programs would make in numbers: its action, address, body and what a good one is answered. */
const doors: [string, string, () => object | Promise<object>, number, object][] = [
  ["sign-up", "/auth/users", newcomer, 201, guarded],
  ["anonymous", "/auth/sessions", () => ({ kind: "anonymous" }), 201, guarded],
  [
    "password-reset",
    "/auth/password-resets",
    () => ({ email: "nobody@example.com" }),
    202,
    guarded,
  ],
  ["mail-code", "/auth/mail-codes", () => ({ email: "nobody@example.com" }), 202, guarded],
  ["sign-in", "/auth/sessions", member, 201, always],
]

const rows = async () =>
  (
    await query(
      sql`SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM sessions) AS sessions, (SELECT count(*) FROM account_tokens) AS tokens, (SELECT count(*) FROM mails) AS mails, (SELECT coalesce(sum(attempts), 0) FROM sign_in_attempts) AS attempts`,
    )
  )[0]

describe.each(doors)("%s", (action, path, bodyOf, good, env) => {
  test("goes on for whoever shows that they are no program, once", async () => {
    const body = await bodyOf()
    const answer = widget(action)
    const from = elsewhere()
    expect((await post(path, body, answer, { env, from })).status).toBe(good)
    expect(asked).toHaveLength(1)
    expect(asked[0]?.get("remoteip")).toBe(from)
    const again = { ...body, ...(action === "sign-up" && newcomer()) }
    expect(await refusal(post(path, again, answer, { env }), 403)).toBe("captcha_invalid")
  })

  test.each<[string, () => string | null, string, number]>([
    ["nothing", () => null, "captcha_required", 403],
    ["something made up", () => "made-up", "captcha_invalid", 403],
    ["something empty", () => "", "captcha_invalid", 403],
    ["more than there can be", () => "x".repeat(2_049), "captcha_invalid", 403],
    ["an answer for another action", () => widget("other"), "captcha_invalid", 403],
    ["an answer without an action", () => widget(""), "captcha_invalid", 403],
    [
      "an answer of another page",
      () => widget(action, { hostname: "evil.test" }),
      "captcha_invalid",
      403,
    ],
    [
      "an answer of a page whose name ends alike",
      () => widget(action, { hostname: "xapp.test" }),
      "captcha_invalid",
      403,
    ],
    [
      "an answer of an hour ago",
      () => widget(action, { at: Date.now() - 3_600_000 }),
      "captcha_invalid",
      403,
    ],
    [
      "an answer of tomorrow",
      () => widget(action, { at: Date.now() + 86_400_000 }),
      "captcha_invalid",
      403,
    ],
  ])("is refused to %s, and nothing is written or counted", async (_, answerOf, code, status) => {
    const body = await bodyOf()
    const before = await rows()
    const refused = await post(path, body, answerOf(), { env })
    expect(trips(refused)).toBe("0")
    const problem = await json<{ code: string; siteKey: string; action: string }>(refused, status)
    expect(problem.code).toBe(code)
    if (code === "captcha_required") expect(problem).toMatchObject({ siteKey: "0xSITE", action })
    expect(await rows()).toEqual(before)
  })

  test.each<[string, () => Promise<Response>]>([
    ["does not answer in time", () => Promise.reject(new DOMException("late", "TimeoutError"))],
    ["cannot be reached", () => Promise.reject(new TypeError("Network connection lost"))],
    ["is broken", async () => new Response("<h1>502</h1>", { status: 502 })],
    ["answers something else", async () => Response.json({ ok: true })],
    ["answers something long", async () => new Response("x".repeat(1_000_000))],
    [
      "leads elsewhere",
      async () => new Response(null, { status: 302, headers: { location: "https://evil.test" } }),
    ],
    [
      "has another secret of us",
      async () => Response.json({ success: false, "error-codes": ["invalid-input-secret"] }),
    ],
    [
      "has an error of its own",
      async () => Response.json({ success: false, "error-codes": ["internal-error"] }),
    ],
    ["says no without a reason", async () => Response.json({ success: false })],
  ])("stays closed while the verifier %s", async (_, failing) => {
    broken = failing
    const body = await bodyOf()
    const before = await rows()
    const refused = await post(path, body, widget(action), { env })
    expect(refused.headers.get("retry-after")).toBe("5")
    expect(await refusal(refused, 503)).toBe("captcha_unavailable")
    expect(await rows()).toEqual(before)
    expect(logged.join("\n")).toContain("captcha not verified")
    expect(logged.join("\n")).not.toContain(secret)
  })
})

test("of one answer at many places at once, one is let in", async () => {
  const answer = widget("sign-up")
  const many = await Promise.all(
    Array.from({ length: 10 }, () => post("/auth/users", newcomer(), answer)),
  )
  expect(many.filter(({ status }) => status === 201)).toHaveLength(1)
})

test("input that is not valid uses no answer up", async () => {
  const answer = widget("sign-up")
  expect((await post("/auth/users", { email: "x" }, answer)).status).toBe(400)
  expect((await post("/auth/users", newcomer(), answer)).status).toBe(201)
})

test("without the secret nobody is asked, and nobody outside either", async () => {
  expect((await post("/auth/users", newcomer(), "made-up", { env: bindings })).status).toBe(201)
  expect(asked).toEqual([])
})

describe("sign-in, where it is asked for after failures", () => {
  const wrong = { password: "wrong password" }

  test("is as it was until then, with the same trips", async () => {
    const { email } = await member()
    const answer = await post("/auth/sessions", { email, password })
    expect([answer.status, trips(answer)]).toEqual([201, "2"])
    expect(asked).toEqual([])
  })

  test("of a thousand guesses at once no more are let through than are free, with or without an account", async () => {
    const { email } = await member()
    for (const target of [email, "nobody.at.all@example.com"]) {
      const guesses = Array.from({ length: 1_000 }, () =>
        post("/auth/sessions", { email: target, ...wrong }),
      )
      const codes = await Promise.all(
        guesses.map(async (one) => ((await (await one).json()) as { code: string }).code),
      )
      const of = (code: string) => codes.filter((one) => one === code).length
      expect([of("invalid_credentials"), of("captcha_required")]).toEqual([
        freeGuesses.account,
        1_000 - freeGuesses.account,
      ])
    }
    // The right password needs it now, too; and then gets in and starts anew.
    expect(await refusal(post("/auth/sessions", { email, password }), 403)).toBe("captcha_required")
    expect((await post("/auth/sessions", { email, password }, widget("sign-in"))).status).toBe(201)
    expect((await post("/auth/sessions", { email, password })).status).toBe(201)
  })

  test("whoever shows it each time is locked out all the same", async () => {
    const { email } = await member()
    const codes: string[] = []
    for (let i = 0; i < accountLimit + 2; i++) {
      const answer = await post("/auth/sessions", { email, ...wrong }, widget("sign-in"))
      codes.push(((await answer.json()) as { code: string }).code)
    }
    expect(codes.filter((code) => code === "invalid_credentials")).toHaveLength(accountLimit)
    expect(codes.at(-1)).toBe("locked")
    // Without it, what matters is said: no widget would help.
    expect(await refusal(post("/auth/sessions", { email, password }), 429)).toBe("locked")
  })

  test("one network that tries many accounts has to show it, too", async () => {
    const from = elsewhere()
    const codes: string[] = []
    for (let i = 0; i < freeGuesses.address + 5; i++) {
      const answer = await post(
        "/auth/sessions",
        { email: `spray${i}@example.com`, ...wrong },
        null,
        { from },
      )
      codes.push(((await answer.json()) as { code: string }).code)
    }
    expect(codes.filter((code) => code === "invalid_credentials")).toHaveLength(freeGuesses.address)
    expect(codes.at(-1)).toBe("captcha_required")
  })
})

test("a deployment that does not say whose pages show the widget is not configured", async () => {
  const env = { ...guarded, TURNSTILE_HOSTNAMES: "", ENVIRONMENT: "production" }
  expect(await refusal(post("/auth/users", newcomer(), null, { env }), 500)).toBe("misconfigured")
  const public_ = { ...env, PUBLIC_URL: "https://app.test:8443/" }
  expect((await post("/auth/users", newcomer(), widget("sign-up"), { env: public_ })).status).toBe(
    201,
  )
})
