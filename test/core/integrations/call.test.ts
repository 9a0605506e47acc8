import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { type Integrations, integrationsFor } from "../../../src/core/integrations/call.ts"
import { type Integration, integration } from "../../../src/core/integrations/integration.ts"
import { toolApp } from "../records/workshop.ts"

const planted = "planted-secret-of-the-sensors"

/** A service of a test's own, because a circuit is kept by its name. */
const service = (more: Partial<Integration["options"]> = {}): Integration =>
  integration(crypto.randomUUID(), {
    hosts: ["api.partner.dev", "127.0.0.1"],
    secrets: { authorization: { name: "HOOK_SENSORS", prefix: "Bearer " } },
    retryMilliseconds: [0, 0],
    ...more,
  })

let requests: Request[]
let answer: (attempt: number, request: Request) => Response | Promise<Response>
let lines: string[]
let integrations: Integrations

beforeEach(() => {
  requests = []
  lines = []
  answer = () => Response.json({ good: true })
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input as string | URL, init)
    requests.push(request)
    return answer(requests.length, request)
  })
  for (const level of ["info", "warn", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((...said) => void lines.push(said.join(" ")))
  }
  integrations = integrationsFor(toolApp())
})
afterEach(() => vi.restoreAllMocks())

const url = "https://api.partner.dev/films?page=2"
const failed = { code: "integration_failed" }

describe("a call", () => {
  test("goes to a listed host with the secret in its header, and follows no redirect", async () => {
    const headers = { authorization: "mine", accept: "application/json" }
    const said = await integrations.call(service(), { url, headers })
    expect([said.status, said.ok, said.json()]).toEqual([200, true, { good: true }])
    const [request] = requests
    expect(request?.url).toBe(url)
    expect(request?.redirect).toBe("manual")
    expect(request?.headers.get("authorization")).toBe(`Bearer ${planted}`)
    expect(request?.headers.get("accept")).toBe("application/json")
  })

  test("says an object as JSON, and bytes and text as they are", async () => {
    const one = service()
    await integrations.call(one, { method: "POST", url, body: { title: "M" } })
    await integrations.call(one, { method: "POST", url, body: "M" })
    await integrations.call(one, { method: "POST", url, body: new Uint8Array([77]) })
    expect(requests[0]?.headers.get("content-type")).toBe("application/json")
    expect(await Promise.all(requests.map((request) => request.text()))).toEqual([
      '{"title":"M"}',
      "M",
      "M",
    ])
  })

  test("answers what the service says, also when it is a redirect or a refusal", async () => {
    const statuses = [302, 400, 401, 404, 410]
    for (const status of statuses) {
      answer = () =>
        new Response(null, { status, headers: { location: "http://169.254.169.254/" } })
      expect((await integrations.call(service(), { url })).status).toBe(status)
    }
    expect(requests).toHaveLength(statuses.length)
  })
})

describe("where a call may not go", () => {
  test.each([
    ["another host", "https://api.other.dev/"],
    ["a host that ends alike", "https://evil-api.partner.dev/"],
    ["a host below it", "https://x.api.partner.dev/"],
    ["without TLS", "http://api.partner.dev/"],
    ["with a password", "https://me:secret@api.partner.dev/"],
    ["to a port of another kind", "https://api.partner.dev:25/"],
    ["to metadata", "http://169.254.169.254/latest/meta-data"],
    ["to this network", "https://10.0.0.1/"],
    ["to a number", "https://167772161/"],
    ["no address", "api.partner.dev"],
    ["another scheme", "file:///etc/passwd"],
  ])("%s: nothing is sent", async (_, address) => {
    await expect(integrations.call(service(), { url: address })).rejects.toThrow(/Integration/)
    expect(requests).toEqual([])
  })

  test("a listed host of this machine is called in development alone", async () => {
    const local = { url: "http://127.0.0.1:8999/" }
    expect((await integrations.call(service(), local)).status).toBe(200)
    const app = toolApp()
    const settings = { ...app.settings, development: false }
    const deployed = integrationsFor({ ...app, settings })
    await expect(deployed.call(service(), local)).rejects.toThrow(/refused/)
    expect(requests).toHaveLength(1)
  })

  test("without its secret: it says which variable is missing", async () => {
    const bare = service({ secrets: { authorization: "HOOK_SILENT" } })
    await expect(integrations.call(bare, { url })).rejects.toMatchObject({
      code: "misconfigured",
      cause: { message: expect.stringContaining("HOOK_SILENT") },
    })
    expect(requests).toEqual([])
  })
})

describe("a service in trouble", () => {
  test.each(["GET", "HEAD", "PUT", "DELETE"] as const)("is asked again for %s", async (method) => {
    answer = (attempt) => new Response(null, { status: attempt < 3 ? 503 : 200 })
    expect((await integrations.call(service(), { method, url })).status).toBe(200)
    expect(requests).toHaveLength(3)
  })

  test("is given what streams anew each time", async () => {
    answer = (attempt) => new Response(null, { status: attempt < 3 ? 503 : 200 })
    const body = async () => new Blob(["much"]).stream()
    expect((await integrations.call(service(), { method: "PUT", url, body })).status).toBe(200)
    expect(await Promise.all(requests.map((request) => request.text()))).toEqual(
      Array(3).fill("much"),
    )
  })

  test.each(["POST", "PATCH"] as const)(
    "is asked for %s once, unless it has a key",
    async (method) => {
      answer = () => new Response(null, { status: 503 })
      expect((await integrations.call(service(), { method, url })).status).toBe(503)
      expect(requests).toHaveLength(1)
      await integrations.call(service(), { method, url, idempotencyKey: "job-1" })
      expect(requests).toHaveLength(4)
      expect(requests[3]?.headers.get("idempotency-key")).toBe("job-1")
    },
  )

  test("that gives no answer is a failure, told without a secret", async () => {
    answer = () => {
      throw new Error(`refused: authorization Bearer ${planted}`)
    }
    const error: unknown = await integrations.call(service(), { url }).catch((thrown) => thrown)
    expect(error).toMatchObject(failed)
    expect(lines.join("\n")).toContain("integration failed")
    expect(
      [...lines, String((error as Error).cause), JSON.stringify(error)].join("\n"),
    ).not.toContain(planted)
  })

  test("that says too much is a failure, and is read no further", async () => {
    let pulled = 0
    answer = () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            pulled++
            controller.enqueue(new Uint8Array(1_000))
          },
        }),
      )
    const small = service({ maxBytes: 10_000 })
    await expect(integrations.call(small, { url })).rejects.toMatchObject(failed)
    expect(pulled).toBeLessThan(20)
    // It is well: it is neither asked again nor left alone.
    expect(requests).toHaveLength(1)
    for (const _ of [2, 3, 4, 5]) await integrations.call(small, { url }).catch(() => {})
    answer = () => new Response("little")
    expect((await integrations.call(small, { url })).status).toBe(200)
  })

  test("that asks for a minute is not asked again meanwhile, and is not ill", async () => {
    const one = service()
    answer = () => new Response(null, { status: 429, headers: { "retry-after": "60" } })
    for (let n = 1; n <= 6; n++) {
      const said = await integrations.call(one, { url })
      expect([said.status, said.headers.get("retry-after")]).toEqual([429, "60"])
      expect(requests).toHaveLength(n)
    }
  })

  test("that asks for a moment is given it", async () => {
    answer = (attempt) =>
      attempt > 1
        ? Response.json({})
        : new Response(null, { status: 429, headers: { "retry-after": "1" } })
    const before = Date.now()
    expect((await integrations.call(service(), { url })).status).toBe(200)
    expect(Date.now() - before).toBeGreaterThanOrEqual(900)
  })

  test("that is silent is a failure when its time is up, and ends with whoever asked", async () => {
    answer = (_, { signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
    const brief = service({ timeoutSeconds: 0.05, retryMilliseconds: [] })
    await expect(integrations.call(brief, { url })).rejects.toMatchObject(failed)
    const signal = AbortSignal.timeout(20)
    await expect(integrations.call(service(), { url, signal })).rejects.toMatchObject({
      name: "TimeoutError",
    })
  })

  test("five times in a row is left alone, until it is its time again", async () => {
    const one = service({ retryMilliseconds: [] })
    answer = () => new Response(null, { status: 500 })
    for (let i = 0; i < 5; i++) await integrations.call(one, { url })
    await expect(integrations.call(one, { url })).rejects.toMatchObject(failed)
    expect(requests).toHaveLength(5)
    // Others are none the worse for it.
    await integrations.call(service(), { url })
    const later = Date.now() + 31_000
    vi.spyOn(Date, "now").mockImplementation(() => later)
    answer = () => new Response(null, { status: 200 })
    const tries = await Promise.allSettled([
      integrations.call(one, { url }),
      integrations.call(one, { url }),
    ])
    expect(tries.map(({ status }) => status)).toEqual(["fulfilled", "rejected"])
    expect((await integrations.call(one, { url })).status).toBe(200)
  })
})
