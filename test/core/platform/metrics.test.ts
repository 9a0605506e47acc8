import { createExecutionContext } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { Hono } from "hono"
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import type { z } from "zod"
import { createBackend } from "../../../src/backend.ts"
import type { OwnHttp } from "../../../src/core/records/reach.ts"
import { countEvent, countRequest, drain } from "../../../src/platform/metrics.ts"
import { type Delta, noCounts } from "../../../src/platform/metrics-counts.ts"
import { flush, scheduleFlush } from "../../../src/platform/metrics-flush.ts"
import type { metricsReport } from "../../../src/platform/metrics-schema.ts"
import { allStores, ownStore, totalsOf } from "../../../src/platform/metrics-shards.ts"
import { fixtures } from "../../support/collections.ts"
import { eventually } from "../../support/eventually.ts"
import { call, costOf, type Person, signedIn, signIn } from "../../support/people.ts"
import { parsePrometheus } from "./prometheus.ts"

type Report = z.output<typeof metricsReport>

let admin: Person
let ann: Person
const organisation = crypto.randomUUID()

beforeAll(async () => {
  vi.spyOn(console, "info").mockImplementation(() => {})
  admin = await signedIn("admin", ["administrator"])
  ann = await signedIn("ann")
  const at = new Date().toISOString()
  await env.DB.batch([
    env.DB.prepare(
      "INSERT INTO organisations (id, name, database, createdAt) VALUES (?, 'Org', 'main', ?)",
    ).bind(organisation, at),
    env.DB.prepare("INSERT INTO organisation_members VALUES (?, ?, '[]', ?)").bind(
      organisation,
      ann.id,
      at,
    ),
    env.DB.prepare("INSERT INTO member_organisations VALUES (?, ?, '[]')").bind(
      organisation,
      ann.id,
    ),
  ])
  ann = await signIn(ann.email)
})
// What was counted before, and the batch that was to carry it, are none of a test's business.
beforeEach(async () => {
  await flush({})
  drain()
})

async function report(query = ""): Promise<Report> {
  const answer = await call(admin, "GET", `/metrics${query}`)
  expect(answer.status).toBe(200)
  return answer.json()
}
const routeIn = ({ routes }: Report, method: string, route: string) =>
  routes.find((one) => one.method === method && one.route === route)
const total = async (counter: string, labels: Record<string, string>): Promise<number> => {
  const text = await (await call(admin, "GET", "/metrics?format=prometheus")).text()
  const samples = parsePrometheus(text).get(`hinterland_${counter}_total`)?.samples ?? []
  return samples
    .filter((sample) =>
      Object.entries(labels).every(([name, value]) => sample.labels[name] === value),
    )
    .reduce((sum, { value }) => sum + value, 0)
}

describe("GET /metrics", () => {
  test("tells requests, errors, rows and latencies by route and by organisation", async () => {
    const made = await call(ann, "POST", "/records/articles", { title: "hello" })
    const { id } = (await made.json()) as { id: string }
    for (let n = 0; n < 3; n++) await call(ann, "GET", `/records/articles/${id}`)
    await call(null, "GET", `/records/articles/${crypto.randomUUID()}`)
    const told = await report()
    const get = routeIn(told, "GET", "/records/articles/:id")
    expect(get).toMatchObject({ requests: 4, clientErrors: 1, serverErrors: 0, trips: 4 })
    expect(get?.rowsRead).toBeGreaterThan(0)
    expect(get?.p50Milliseconds).toBeGreaterThan(0)
    expect(get?.p99Milliseconds as number).toBeGreaterThanOrEqual(get?.p50Milliseconds as number)
    const post = routeIn(told, "POST", "/records/articles")
    expect(post).toMatchObject({ requests: 1, trips: 1 })
    expect(post?.rowsWritten).toBe(costOf(made).rowsWritten)
    const own = told.organisations.find((one) => one.organisation === organisation)
    expect(own).toMatchObject({ requests: 4, clientErrors: 0 })
    expect(told.total.requests).toBeGreaterThanOrEqual(5)
    expect(told.steps).toHaveLength(60)
    expect(told.steps.reduce((sum, { requests }) => sum + requests, 0)).toBe(told.total.requests)
  })

  test("names patterns, never what a caller wrote", async () => {
    for (const path of ["/nothing/here", "/records/nothing", "/.env", "/auth/sessions/x/y"]) {
      await call(null, "GET", path)
    }
    await call(null, "PUT", "/auth/me", {})
    await call(null, "DELETE", "/records/articles")
    await call(null, "HEAD", "/health")
    await call(null, "OPTIONS", "/records/articles", undefined, {
      origin: "https://elsewhere.test",
      "access-control-request-method": "GET",
    })
    await call({ ...ann, token: "nonsense" }, "GET", "/auth/me")
    const { routes } = await report()
    const named = routes.map(({ method, route }) => `${method} ${route}`)
    expect(named).toEqual(
      expect.arrayContaining([
        "GET (none)",
        "PUT (none)",
        "GET /records/:collection",
        "DELETE /records/articles",
        "HEAD /health",
        "OPTIONS /records/:collection",
        "GET /auth/me",
      ]),
    )
    expect(named.join()).not.toMatch(/nothing|\.env|\/x/)
  })

  test("counts sign-ins, those that failed, and what jobs and mails report", async () => {
    const before = await report()
    await signIn(ann.email)
    await call(null, "POST", "/auth/sessions", {
      email: ann.email,
      password: "wrong horse battery",
    })
    const now = Date.now()
    countEvent(now, "jobs", { job: "digest", outcome: "succeeded", organisation })
    countEvent(now, "jobs", { job: "digest", outcome: "dead", organisation })
    countEvent(now, "mails", { template: "welcome\nhome", outcome: "suppressed" })
    const { total: sum, organisations, jobs, mails } = await report()
    expect(sum.signIns.succeeded - before.total.signIns.succeeded).toBe(1)
    expect(sum.signIns.failed - before.total.signIns.failed).toBe(1)
    expect(sum.jobs).toEqual({ succeeded: 1, failed: 0, dead: 1, cancelled: 0 })
    const own = organisations.find((one) => one.organisation === organisation)
    expect(own?.signIns).toEqual({ succeeded: 1, failed: 0 })
    expect(jobs).toContainEqual({ job: "digest", outcome: "dead", count: 1 })
    expect(mails).toEqual([{ template: "welcome home", outcome: "suppressed", count: 1 }])
  })

  test("holds ids of organisations, and neither names nor addresses", async () => {
    await call(ann, "GET", "/auth/me")
    const json = JSON.stringify(await report())
    const text = await (await call(admin, "GET", "/metrics?format=prometheus")).text()
    expect(json).toContain(organisation)
    expect(text).toContain(organisation)
    expect(json + text).not.toMatch(/@|example\.test|"Org"/)
    expect(json + text).not.toContain(ann.id)
  })

  test("tells other stretches of time, by the minute and by the hour", async () => {
    countEvent(Date.UTC(2026, 0, 2, 3, 4, 5), "jobs", { job: "old", outcome: "failed" })
    const by = async (query: string) => (await report(`?from=2026-01-02T03:00:30Z&${query}`)).steps
    const minutes = await by("to=2026-01-02T03:05:00Z")
    expect(minutes.map(({ at, jobs }) => [at.slice(11, 16), jobs.failed])).toEqual([
      ["03:00", 0],
      ["03:01", 0],
      ["03:02", 0],
      ["03:03", 0],
      ["03:04", 1],
    ])
    const hours = await by("to=2026-01-02T04:00:00.001Z&step=hour")
    expect(hours.map(({ at, jobs }) => [at, jobs.failed])).toEqual([
      ["2026-01-02T03:00:00.000Z", 1],
      ["2026-01-02T04:00:00.000Z", 0],
    ])
    expect((await by("to=2026-01-02T05:01:00%2B02:00")).length).toBe(1)
  })

  test.each([
    ["?from=yesterday", "query.from"],
    ["?step=day", "query.step"],
    ["?format=xml", "query.format"],
    ["?form=2026-01-01T00:00:00Z", "query.form"],
    ["?format=prometheus&stpe=hour", "query.stpe"],
    ["?format=prometheus&from=yesterday", "query.from"],
    ["?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "query.from"],
    ["?from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z", "query.from"],
    ["?from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z", "query.step"],
    ["?from=0000-01-01T00:00:00%2B01:00&to=0000-01-01T01:00:00Z", "query.from"],
    ["?from=9999-12-31T23:00:00Z&to=9999-12-31T23:59:59Z", "query.from"],
    ["?from=2025-01-01T00:00:00Z&to=2026-01-01T00:00:00Z&step=hour", "query.step"],
  ])("refuses %s and names what is wrong", async (query, path) => {
    const answer = await call(admin, "GET", `/metrics${query}`)
    const { code, errors } = (await answer.json()) as { code: string; errors: { path: string }[] }
    expect([answer.status, code, errors[0]?.path]).toEqual([400, "invalid_input", path])
  })

  test("answers thirty days by the hour", async () => {
    const from = new Date(Date.now() - 30 * 86_400_000).toISOString()
    expect((await report(`?step=hour&from=${from}`)).steps.length).toBeGreaterThanOrEqual(720)
  })
})

describe("the Prometheus text", () => {
  test.each([
    ["", "application/json", "application/json"],
    ["", "*/*", "application/json"],
    ["", "application/json, text/plain, */*", "application/json"],
    ["", "text/plain", "text/plain; version=0.0.4; charset=utf-8"],
    [
      "",
      "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
      "text/plain; version=0.0.4; charset=utf-8",
    ],
    ["?format=prometheus", "application/json", "text/plain; version=0.0.4; charset=utf-8"],
    ["?format=json", "text/plain", "application/json"],
    [
      "?format=prometheus&from=2025-01-01T00:00:00Z&to=2024-01-01T00:00:00Z&step=minute",
      "*/*",
      "text/plain; version=0.0.4; charset=utf-8",
    ],
  ])("%s with Accept %s is %s", async (query, accept, type) => {
    const answer = await call(admin, "GET", `/metrics${query}`, undefined, { accept })
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, type])
    await answer.text()
  })

  test("tells totals that only grow, whatever was asked in between", async () => {
    const health = { method: "GET", route: "/health" }
    const before = await total("requests", health)
    for (let n = 1; n <= 3; n++) {
      await call(null, "GET", "/health")
      expect(await total("requests", health)).toBe(before + n)
    }
  })
})

describe("metrics are closed", () => {
  test("to anyone who is not signed in, and to people who are no administrators", async () => {
    for (const query of ["", "?format=prometheus", "?step=nonsense"]) {
      expect((await call(null, "GET", `/metrics${query}`)).status).toBe(401)
      expect((await call(ann, "GET", `/metrics${query}`)).status).toBe(403)
    }
  })

  test("to an administrator whose role was taken, or whose session has ended", async () => {
    const former = await signedIn("former", ["administrator"])
    expect(costOf(await call(former, "GET", "/metrics"))).toMatchObject({
      trips: 1,
      rowsWritten: 0,
    })
    await call(admin, "PATCH", `/auth/users/${former.id}`, { roles: [] })
    const demoted = await call(former, "GET", "/metrics")
    expect([demoted.status, ((await demoted.json()) as { code: string }).code]).toEqual([
      401,
      "token_outdated",
    ])
    const gone = await signedIn("gone", ["administrator"])
    await call(gone, "DELETE", "/auth/sessions/current")
    expect((await call(gone, "GET", "/metrics")).status).toBe(401)
  })
})

/** A deployment with other bindings, whose objects and clocks nobody waits for. */
function deployment(bindings: Record<string, unknown>) {
  const { handler } = createBackend({ collections: fixtures, routes: new Hono<OwnHttp>() })
  const bound = { ...env, ...bindings } as unknown as Env
  const waited: Promise<unknown>[] = []
  const context = createExecutionContext()
  context.waitUntil = (work) => void waited.push(work)
  const get = (path: string, headers: Record<string, string> = {}) =>
    handler.fetch(new Request(`http://127.0.0.1${path}`, { headers }) as never, bound, context)
  return { bound, get, waited }
}

/** Stands in for the object METRICS; fails while `down`. */
function standIn() {
  const state = { down: false, batches: [] as Delta[] }
  const add = async (delta: Delta) => {
    if (state.down) throw new Error("Network connection lost")
    state.batches.push(delta)
  }
  return { state, namespace: { idFromName: (name: string) => name, get: () => ({ add }) } }
}

const requestsIn = (batches: readonly Delta[]): number =>
  batches
    .flatMap((delta) => [...delta.values()])
    .flatMap(({ names }) => [...names.values()])
    .reduce((sum, [n = 0]) => sum + n, 0)

describe("the hot path", () => {
  // Whoever signed up above is mailed by the same isolate, which sends what it counts when its jobs are done.
  beforeAll(() =>
    eventually(async () => {
      const waiting =
        "SELECT count(*) AS n FROM jobs WHERE name = 'mail.deliver' AND finishedAt IS NULL"
      expect(await env.DB.prepare(waiting).first("n")).toBe(0)
    }, 500),
  )
  afterEach(() => void vi.useRealTimers())

  test("writes nothing: a hundred requests are one batch, in one call, and no trip more", async () => {
    const { state, namespace } = standIn()
    const { bound, get, waited } = deployment({ METRICS: namespace })
    // The first request of a deployment wakes its pumps as well.
    await get("/health")
    await flush(bound)
    state.batches.length = 0
    waited.length = 0
    // However slow the machine, the batch is not due before the last request.
    vi.useFakeTimers({ toFake: ["Date", "setTimeout"] })
    const trips = new Set<number>()
    for (let n = 0; n < 100; n++) trips.add(costOf(await get("/records/tags")).trips)
    expect([...trips]).toEqual([1])
    expect(state.batches).toHaveLength(0)
    expect(waited).toHaveLength(1)
    await flush(bound)
    expect(state.batches).toHaveLength(1)
    expect(requestsIn(state.batches)).toBe(100)
  })

  test("sends by itself some seconds later", async () => {
    const { state, namespace } = standIn()
    const { get, waited } = deployment({ METRICS: namespace })
    await get("/health")
    await Promise.all(waited)
    expect(requestsIn(state.batches)).toBe(1)
  })

  test("keeps what could not be sent for the next batch", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {})
    const { state, namespace } = standIn()
    const { bound, get } = deployment({ METRICS: namespace })
    state.down = true
    await get("/health")
    await flush(bound)
    await get("/health")
    await flush(bound)
    expect(warn).toHaveBeenCalledTimes(2)
    state.down = false
    await get("/health")
    await flush(bound)
    expect(requestsIn(state.batches)).toBe(3)
    warn.mockRestore()
  })

  test("counts nothing where metrics are off, or have no place to go to", async () => {
    const { namespace } = standIn()
    for (const bindings of [
      { METRICS: namespace, COLLECT_METRICS: "off" },
      { METRICS: undefined },
    ]) {
      const { bound, get, waited } = deployment(bindings)
      if (!bindings.METRICS) delete (bound as unknown as Record<string, unknown>).METRICS
      await get("/health")
      waited.length = 0
      await get("/health")
      expect(waited).toHaveLength(0)
      expect(drain().size).toBe(0)
      const answer = await get("/metrics", { authorization: `Bearer ${admin.token}` })
      expect(answer.status).toBe(404)
    }
  })

  test("lets another request send when the one that meant to is gone", async () => {
    vi.useFakeTimers({ toFake: ["Date"] })
    const works: Promise<unknown>[] = []
    const schedule = () => scheduleFlush({}, (work) => void works.push(work))
    schedule()
    vi.advanceTimersByTime(14_000)
    schedule()
    expect(works).toHaveLength(1)
    vi.advanceTimersByTime(2_000)
    schedule()
    expect(works).toHaveLength(2)
  })
})

describe("memory", () => {
  const request = { method: "GET", status: 200, milliseconds: 3, cost: null }
  const sizes = (delta: Delta) =>
    [...delta.values()].flatMap(({ names, organisations }) => [names.size, organisations.size])

  test("stays flat under many organisations and routes, and the sums right", () => {
    const at = Date.now()
    for (let n = 0; n < 20_000; n++) {
      countRequest({ ...request, at, route: `/r${n % 3_000}`, organisation: `org-${n}` })
    }
    const delta = drain()
    expect(Math.max(...sizes(delta))).toBeLessThanOrEqual(1_001)
    expect(requestsIn([delta])).toBe(20_000)
  })

  test("stays flat while nothing can be sent: the oldest minutes are let go", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {})
    const { state, namespace } = standIn()
    state.down = true
    for (let minute = 0; minute < 100; minute++) {
      countRequest({ ...request, at: minute * 60_000, route: "/x", organisation: null })
      await flush({ METRICS: namespace })
    }
    expect([...drain().keys()]).toEqual([95, 96, 97, 98, 99])
    warn.mockRestore()
  })
})

test("what an isolate counted goes to the dataset as well, once the store has it", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {})
  const points: AnalyticsEngineDataPoint[] = []
  const { state, namespace } = standIn()
  const { bound, get } = deployment({
    METRICS: namespace,
    ANALYTICS: { writeDataPoint: (point: AnalyticsEngineDataPoint) => void points.push(point) },
  })
  state.down = true
  await get("/health")
  await flush(bound)
  expect(points).toHaveLength(0)
  state.down = false
  await flush(bound)
  expect(points.map(({ indexes }) => indexes)).toEqual([["/health"], ["organisations"]])
  warn.mockRestore()
})

describe("the stores", () => {
  const named = { idFromName: (name: string) => name, get: (id: string) => ({ id }) }
  const idOf = (store: unknown) => (store as { id: string }).id

  test("are four, and an isolate keeps to the one that it has drawn", () => {
    const all = (allStores({ METRICS: named }) ?? []).map(idOf)
    expect(all).toEqual(["metrics-0", "metrics-1", "metrics-2", "metrics-3"])
    const own = Array.from({ length: 50 }, () => idOf(ownStore({ METRICS: named })))
    expect([...new Set(own)]).toHaveLength(1)
    expect(all).toContain(own[0])
    expect([allStores({}), ownStore({})]).toEqual([null, null])
  })

  test("are added up by whoever reads", async () => {
    const organisations = ["a", "b", "c", "d"].map((one) => `${one}-${crypto.randomUUID()}`)
    const at = Date.UTC(2026, 0, 3, 4, 5)
    const stores = allStores(env) ?? []
    for (const [shard, store] of stores.entries()) {
      for (const id of [organisations[0], organisations[shard]] as string[]) {
        countEvent(at, "jobs", { job: "spread", outcome: "failed", organisation: id })
      }
      await store.add(drain())
    }
    const told = await report("?from=2026-01-03T04:00:00Z&to=2026-01-03T04:10:00Z")
    expect(told.total.jobs.failed).toBe(8)
    expect(told.steps.map(({ jobs }) => jobs.failed)).toEqual([0, 0, 0, 0, 0, 8, 0, 0, 0, 0])
    expect(told.organisations.map((one) => [one.organisation, one.jobs.failed])).toEqual([
      [organisations[0], 5],
      ...organisations.slice(1).map((id) => [id, 1]),
    ])
    expect(await total("jobs", { job: "spread" })).toBe(8)
    expect(await total("organisation_jobs", { organisation: organisations[0] as string })).toBe(5)
  })

  test("are added up whole: a series of the totals never vanishes for one that another found", async () => {
    const stores = [1, 2, 3, 4].map((shard) => ({
      add: async () => {},
      read: async () => ({ steps: new Map(), sum: noCounts() }),
      totals: async () => ({
        names: new Map(),
        organisations: new Map(
          Array.from({ length: 1_000 }, (_, n) => [`${shard}-${n}`, [1]] as [string, number[]]),
        ),
      }),
    }))
    const { organisations } = await totalsOf(stores)
    expect([organisations.size, organisations.get("4-999")]).toEqual([4_000, [1]])
  })

  test("tell thirty routes and a hundred organisations apart, for ever", async () => {
    const request = { at: Date.now(), milliseconds: 3, method: "GET", status: 200, cost: null }
    for (let n = 0; n < 3_000; n++) {
      countRequest({ ...request, route: `/r${n % 30}`, organisation: `member-${n % 100}` })
    }
    await flush(env)
    const late = crypto.randomUUID()
    countRequest({ ...request, route: "/r0", organisation: late })
    await flush(env)
    const totals = await totalsOf(allStores(env) ?? [])
    expect(totals.organisations.get(late)?.[0]).toBe(1)
    expect(totals.organisations.get("member-99")?.[0]).toBe(30)
    expect(totals.names.get("requests\nGET\n/r0")?.[0]).toBe(101)
    expect(await total("requests", { route: "/r0" })).toBe(101)
  })
})
