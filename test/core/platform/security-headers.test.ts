import { expect, test, vi } from "vitest"
import type { OpenApi } from "../../../src/core/docs/document.ts"
import { fetchFrom } from "../../support/deployment.ts"
import { bindings } from "../identity/cast.ts"

/* Every route of the OpenAPI document, so that a new one is looked at as well, and what stands in no document. */

const ask = (url: string, init: RequestInit = {}, env: object = bindings) =>
  fetchFrom(env, new Request(url, init))

const secure = "https://hinterland.test"

function assertSecured(answer: Response, what: string, https = true): void {
  const header = (name: string) => answer.headers.get(name)
  expect(header("x-content-type-options"), what).toBe("nosniff")
  expect(header("content-security-policy"), what).toMatch(/frame-ancestors 'none'/)
  expect(header("content-security-policy"), what).toMatch(/base-uri 'none'/)
  expect(header("referrer-policy"), what).toMatch(/^(no-referrer|same-origin)$/)
  expect(header("permissions-policy"), what).toContain("camera=()")
  expect(header("cross-origin-opener-policy"), what).toBe("same-origin")
  expect(header("cross-origin-resource-policy"), what).toBe("same-origin")
  expect(header("strict-transport-security"), what).toBe(https ? "max-age=31536000" : null)
  const page = header("content-type")?.startsWith("text/html")
  if (!page) expect(header("content-security-policy"), what).toMatch(/^default-src 'none'/)
}

test("every route says what browsers may do with its answer, whichever the answer", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {})
  const document = (await (await ask(`${secure}/openapi.json`)).json()) as OpenApi
  const seen = new Set<number>()
  let routes = 0
  for (const [path, item] of Object.entries(document.paths)) {
    const url = `${secure}${path.replaceAll(/\{\w+\}/g, "x")}`
    for (const method of [...Object.keys(item), "head", "options", "patch"]) {
      const answer = await ask(url, { method: method.toUpperCase() })
      assertSecured(answer, `${method} ${path}`)
      seen.add(answer.status)
      routes++
    }
  }
  expect(routes).toBeGreaterThan(200)
  for (const status of [200, 400, 401, 404, 405]) expect([...seen]).toContain(status)
})

test.each([
  ["a page", "/docs", {}, {}, 200],
  ["a style", "/docs/style.css", {}, {}, 200],
  ["the page of a link", "/auth/links/sessions", {}, {}, 200],
  ["no such page", "/auth/links/nothing", {}, {}, 404],
  ["no such route", "/nowhere", {}, {}, 404],
  ["a path that is none", "/%ff/..%2f", {}, {}, 404],
  ["a bad credential", "/auth/me", { headers: { authorization: "Bearer x" } }, {}, 401],
  ["a body that is none", "/auth/users", { method: "POST", body: "{" }, {}, 415],
  ["a deployment without its settings", "/health", {}, { SECRET: "" }, 500],
  ["a failure of ours", "/health", {}, { DB: undefined }, 500],
  [
    "a preflight",
    "/records/articles",
    { method: "OPTIONS", headers: { "access-control-request-method": "GET" } },
    {},
    204,
  ],
] as [string, string, RequestInit, object, number][])(
  "%s too",
  async (what, path, init, env, status) => {
    vi.spyOn(console, "error").mockImplementation(() => {})
    const answer = await ask(`${secure}${path}`, init, { ...bindings, ...env })
    expect(answer.status).toBe(status)
    assertSecured(answer, what)
  },
)

test("without TLS nobody is told to insist on it", async () => {
  assertSecured(await ask("http://127.0.0.1/health"), "http", false)
})

test("pages of allowed origins go on reading the API, credentials and all", async () => {
  const origin = "https://app.example.com"
  const env = { ...bindings, ALLOWED_ORIGINS: origin }
  const answer = await ask(`${secure}/records/articles`, { headers: { origin } }, env)
  expect(answer.headers.get("access-control-allow-origin")).toBe(origin)
  expect(answer.headers.get("access-control-allow-credentials")).toBe("true")
  assertSecured(answer, "cross-origin")
})
