import { env } from "cloudflare:workers"
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import { jobsFor } from "../../../src/core/jobs/enqueue.ts"
import { jobStates } from "../../../src/core/jobs/stored-job.ts"
import { eventually } from "../../support/eventually.ts"
import { chore, chores, queuedChore } from "../../support/jobs.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { toolApp } from "../records/workshop.ts"
import { dispatcher, gate, settled, skipWaits, storedJobs } from "./cast.ts"
import { clearJobs, fill } from "./stand-in.ts"

interface Item {
  id: string
  state: string
  name: string
  priority: string
  steps: unknown[]
  [field: string]: unknown
}

let root: Person
let alice: Person
let done: string[]

beforeAll(async () => {
  root = await signedIn("root", ["administrator"])
  alice = await signedIn("alice", ["editor"])
})
beforeEach(async () => {
  done = []
  chores.run = ({ payload }) => void done.push(payload.label)
  await clearJobs()
})
afterEach(() => void vi.restoreAllMocks())

const later = { delaySeconds: 3_600 }
/** Enqueued, and started when it is due; answers its id. */
async function enqueue(kind: typeof chore, label: string, options = {}): Promise<string> {
  const known = new Set((await storedJobs()).map(({ id }) => id))
  await jobsFor(toolApp(), null).enqueue(kind, { label }, options)
  return (await storedJobs()).find(({ id }) => !known.has(id))?.id as string
}
async function ask(method: string, path: string, body?: unknown, status = 200) {
  const response = await call(root, method, `/jobs${path}`, body)
  const text = await response.text()
  expect(`${response.status} ${text}`).toMatch(new RegExp(`^${status} `))
  return { response, json: (text ? JSON.parse(text) : null) as Item }
}
const list = async (parameters = "") => {
  const { json, response } = await ask("GET", `?${parameters}`)
  return { ...(json as unknown as { items: Item[]; next: string | null }), response }
}
const stateOf = async (id: string) => (await ask("GET", `/${id}`)).json.state
const untilState = (id: string, state: string) =>
  eventually(async () => expect(await stateOf(id)).toBe(state))

const id = "00000000-0000-7000-8000-000000000001"
const routes: [string, string, unknown?][] = [
  ["GET", ""],
  ["GET", "/schedules"],
  ["POST", "/schedules/chores.yearly/runs"],
  ["GET", `/${id}`],
  ["PATCH", `/${id}`, { priority: "high" }],
  ["DELETE", `/${id}`],
  ["POST", `/${id}/cancellation`],
  ["POST", `/${id}/retries`],
]

describe("a route", () => {
  test.each(routes)("%s /jobs%s is for administrators alone", async (method, path, body) => {
    await fill(1, { runAt: "'2099-01-01T00:00:00.000Z'" })
    const before = await storedJobs()
    const refused = async (person: Person | null, status: number, code: string) => {
      const response = await call(person, method, `/jobs${path}`, body)
      expect(response.status).toBe(status)
      expect(await response.json()).toMatchObject({ code })
    }
    await refused(null, 401, "unauthenticated")
    await refused(alice, 403, "forbidden")
    const outdated = await signedIn(`r${crypto.randomUUID().slice(0, 8)}`, ["administrator"])
    await env.DB.prepare("UPDATE users SET epoch = epoch + 1 WHERE id = ?").bind(outdated.id).run()
    await refused(outdated, 401, "token_outdated")
    expect(await storedJobs()).toEqual(before)
  })

  test.each(routes)("%s /jobs%s knows its databases", async (method, path, body) => {
    const response = await call(root, method, `/jobs${path}?database=third`, body)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      code: "invalid_input",
      errors: [{ path: "query.database", message: expect.stringContaining("main, second") }],
    })
    if (path.includes("schedules") || path === "") return
    const elsewhere = await call(root, method, `/jobs${path}?database=second`, body)
    expect(elsewhere.status).toBe(404)
    expect((await call(root, method, `/jobs${path.replace(id, "7")}`, body)).status).toBe(404)
  })
})

describe("the list", () => {
  test("is of one state, of one name, or of both, newest first, without payloads", async () => {
    for (const state of jobStates) {
      const n = jobStates.indexOf(state)
      await fill(3, {
        id: `printf('0000000${n}-0000-7000-8000-%012x', n)`,
        state: `'${state}'`,
        name: "CASE n WHEN 1 THEN 'chore.queued' ELSE 'chore' END",
        runAt: "'2099-01-01T00:00:00.000Z'",
        ...(["queued", "running"].includes(state) && { leaseUntil: "'2099'" }),
        ...(["succeeded", "cancelled", "dead"].includes(state) && { finishedAt: "'2026'" }),
      })
    }
    const { items } = await list("name=chore&limit=200")
    expect(items).toHaveLength(14)
    expect(items.map((item) => item.id)).toEqual(
      items
        .map((item) => item.id)
        .sort()
        .reverse(),
    )
    expect(items[0]).not.toHaveProperty("payload")
    for (const state of jobStates) {
      const found = (await list(`state=${state}`)).items
      expect(found.map((item) => item.state)).toEqual([state, state, state])
      const named = (await list(`state=${state}&name=chore.queued`)).items
      expect(named.map(({ state, name }) => [state, name])).toEqual([[state, "chore.queued"]])
    }
    expect((await list("name=unknown")).items).toEqual([])
    for (const wrong of ["state=lost", "limit=0", "limit=201", "cursor=7", "sort=id"]) {
      await ask("GET", `?${wrong}`, undefined, 400)
    }
  })

  test("shows each job once, page by page, while others are added", async () => {
    for (let n = 0; n < 25; n++) await enqueue(chore, `old ${n}`, later)
    const old = (await storedJobs()).map((job) => job.id)
    const seen: string[] = []
    let link: string | null = "/jobs?state=waiting&limit=4"
    while (link) {
      await enqueue(chore, "new", later)
      const response: Response = await call(root, "GET", link)
      expect(costOf(response).trips).toBe(2)
      const page = (await response.json()) as { items: Item[]; next: string | null }
      seen.push(...page.items.map((item) => item.id))
      link = /^<(.*)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1] ?? null
      expect(link === null).toBe(page.next === null)
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.slice(1)).toEqual(old.reverse())
  })

  test("reads no more than it shows, with 10,000 jobs in each state", async () => {
    for (const state of jobStates) {
      const n = jobStates.indexOf(state)
      await fill(10_000, {
        id: `printf('0000000${n}-0000-7000-8000-%012x', n)`,
        state: `'${state}'`,
        runAt: "'2099-01-01T00:00:00.000Z'",
        ...(state === "held" && { lane: "'l'", laneLimit: "1" }),
        ...(state === "running" && { lane: "'l'", laneLimit: "1" }),
        ...(["queued", "running"].includes(state) && { leaseUntil: "'2099'" }),
        ...(["succeeded", "cancelled", "dead"].includes(state) && { finishedAt: "'2099'" }),
      })
    }
    const inFlight = ["queued", "running"]
    for (const parameters of ["", "name=chore", ...jobStates.map((state) => `state=${state}`)]) {
      // No more than a window of these are ever there.
      if (inFlight.some((state) => parameters.includes(state))) continue
      const { items, response, next } = await list(`${parameters}&limit=50`)
      expect(items).toHaveLength(50)
      const read = costOf(response).rowsRead
      expect(`${parameters} ${read}`).toBe(`${parameters} ${Math.min(read, 120)}`)
      const more = await list(`${parameters}&limit=50&cursor=${next}`)
      expect(costOf(more.response).rowsRead).toBeLessThan(120)
      expect(more.items[0]?.id).not.toBe(items.at(-1)?.id)
    }
  })
})

describe("a dead job", () => {
  test("is looked at, edited, and run again", async () => {
    chores.run = ({ payload }) => {
      if (payload.label !== "mended") throw new Error(`no ${payload.label}`)
      done.push(payload.label)
    }
    const id = await enqueue(chore, "broken")
    for (let n = 0; n < 3; n++) {
      await settled()
      await skipWaits()
    }
    await settled()
    const { items } = await list("state=dead")
    expect(items).toMatchObject([{ id, attempts: 3 }])
    const { json, response } = await ask("GET", `/${id}`)
    expect(json).toMatchObject({ payload: { label: "broken" }, state: "dead", steps: [] })
    expect(json.error).toContain("no broken")
    expect(costOf(response).trips).toBe(2)

    const wrong = await ask("PATCH", `/${id}`, { payload: { label: 7 } }, 400)
    expect(wrong.json).toMatchObject({ code: "invalid_input", errors: [{ path: "payload.label" }] })
    const whole = await ask("PATCH", `/${id}`, { payload: "text" }, 400)
    expect(whole.json).toMatchObject({ errors: [{ path: "payload" }] })
    await ask("PATCH", `/${id}`, {}, 400)
    await ask("PATCH", `/${id}`, { state: "waiting" }, 400)

    const edited = await ask("PATCH", `/${id}`, { payload: { label: "mended" } })
    expect(edited.json).toMatchObject({ state: "dead", payload: { label: "mended" } })
    const again = await ask("POST", `/${id}/retries`)
    expect(again.json).toMatchObject({ attempts: 0, finishedAt: null })
    expect(costOf(again.response).trips).toBe(2)
    await untilState(id, "succeeded")
    expect(done).toEqual(["mended"])
    for (const [method, path, body] of [
      ["POST", `/${id}/retries`],
      ["POST", `/${id}/cancellation`],
      ["PATCH", `/${id}`, { payload: { label: "x" } }],
    ] as const) {
      expect((await ask(method, path, body, 409)).json).toMatchObject({ code: "conflict" })
    }
  })

  test("goes on from its last step", async () => {
    let fail = true
    chores.run = async ({ step }) => {
      await step("one", () => void done.push("one"))
      if (fail) throw new Error("no")
      done.push("two")
    }
    const id = await enqueue(chore, "x", { key: "k" })
    for (let n = 0; n < 4; n++) {
      await settled()
      await skipWaits()
    }
    await settled()
    expect((await ask("GET", `/${id}`)).json).toMatchObject({
      state: "dead",
      steps: [{ name: "one", result: null }],
    })
    fail = false
    await ask("POST", `/${id}/retries`)
    await untilState(id, "succeeded")
    expect(done).toEqual(["one", "two"])
    expect((await ask("GET", `/${id}`)).json.steps).toEqual([])
  })

  test("is deleted with its steps; a job that has not ended is not", async () => {
    await fill(1, { state: "'dead'", finishedAt: "'2026'" })
    await env.DB.prepare("INSERT INTO job_steps VALUES (?, 'one', '1', '2026')").bind(id).run()
    await ask("DELETE", `/${id}`, undefined, 204)
    await ask("GET", `/${id}`, undefined, 404)
    await ask("DELETE", `/${id}`, undefined, 404)
    const { results } = await env.DB.prepare("SELECT * FROM job_steps").all()
    expect(results).toEqual([])
    const waiting = await enqueue(chore, "x", later)
    await ask("DELETE", `/${waiting}`, undefined, 409)
    expect(await stateOf(waiting)).toBe("waiting")
  })
})

describe("a cancellation", () => {
  test("ends what waits at once; a retry brings it back", async () => {
    const id = await enqueue(chore, "later", later)
    const { json, response } = await ask("POST", `/${id}/cancellation`)
    expect(json).toMatchObject({ state: "cancelled", cancelRequestedAt: expect.any(String) })
    expect(costOf(response).trips).toBe(2)
    await ask("POST", `/${id}/cancellation`, undefined, 409)
    await ask("POST", `/${id}/retries`)
    await untilState(id, "succeeded")
    expect((await ask("GET", `/${id}`)).json.cancelRequestedAt).toBeNull()
  })

  test("of a message on its way is heard before the run", async () => {
    await fill(1, { state: "'queued'", leaseUntil: "'2099'", lane: "'l'", laneLimit: "1" })
    await ask("POST", `/${id}/cancellation`)
    await env.JOBS.send({ database: "main", id })
    // Messages are handed over in order: when the next has been done, this one has come.
    await untilState(await enqueue(chore, "next"), "succeeded")
    expect(await stateOf(id)).toBe("cancelled")
    expect(done).toEqual(["next"])
  })

  test("stops a run at its next step, frees its lane, and leaves held ones alone", async () => {
    const begun = gate()
    const asked = gate()
    chores.run = async ({ payload, step, progress }) => {
      done.push(payload.label)
      if (done.length > 1) return
      await step("one", () => 1)
      await progress(1, 3)
      begun.open()
      await asked.passed()
      await step("two", () => void done.push("two"))
      done.push("never")
    }
    const first = await enqueue(queuedChore, "lane")
    const second = await enqueue(queuedChore, "lane")
    const third = await enqueue(queuedChore, "lane")
    await begun.passed()
    await untilState(third, "held")
    await ask("POST", `/${third}/retries`, undefined, 409)
    expect((await ask("POST", `/${third}/cancellation`)).json.state).toBe("cancelled")
    const told = await ask("POST", `/${first}/cancellation`)
    expect(told.json).toMatchObject({
      state: "running",
      cancelRequestedAt: expect.any(String),
      progress: { done: 1, total: 3 },
    })
    for (const [method, path, body] of [
      ["PATCH", "", { priority: "high" }],
      ["POST", "/retries", undefined],
      ["DELETE", "", undefined],
    ] as const) {
      await ask(method, `/${first}${path}`, body, 409)
    }
    asked.open()
    await untilState(first, "cancelled")
    await untilState(second, "succeeded")
    expect(await stateOf(third)).toBe("cancelled")
    expect(done).toEqual(["lane", "two", "lane"])
    // What it did before stays known.
    const { json } = await ask("GET", `/${first}`)
    expect(json.steps).toMatchObject([{ name: "one" }, { name: "two" }])
  })

  test("stops a run without steps at the next sign of life", async () => {
    const { setInterval } = globalThis
    const beats: unknown[] = []
    vi.spyOn(globalThis, "setInterval").mockImplementation(((work: () => void, ms: number) => {
      beats.push(ms)
      return setInterval(work, ms === 10_000 ? 50 : ms)
    }) as typeof setInterval)
    const begun = gate()
    chores.run = async ({ signal }) => {
      begun.open()
      await new Promise((resolve) => signal.addEventListener("abort", resolve))
      done.push(String(signal.reason))
    }
    const id = await enqueue(chore, "deaf")
    await begun.passed()
    await ask("POST", `/${id}/cancellation`)
    await untilState(id, "cancelled")
    expect(beats).toContain(10_000)
    expect(done).toEqual(["cancelled"])
  })

  test("of a run that fails meanwhile is the end of it", async () => {
    const begun = gate()
    const asked = gate()
    chores.run = async () => {
      begun.open()
      await asked.passed()
      throw new Error("no luck")
    }
    const id = await enqueue(chore, "x")
    await begun.passed()
    await ask("POST", `/${id}/cancellation`)
    asked.open()
    await untilState(id, "cancelled")
  })
})

describe("an edit", () => {
  test("of a waiting job changes when, how soon and what", async () => {
    const id = await enqueue(chore, "x", later)
    const runAt = "2098-01-01T00:00:00.000Z"
    const { json } = await ask("PATCH", `/${id}`, {
      runAt,
      priority: "low",
      payload: { label: "y" },
    })
    expect(json).toMatchObject({
      state: "waiting",
      runAt,
      priority: "low",
      payload: { label: "y" },
    })
    await ask("PATCH", `/${id}`, { runAt: "tomorrow" }, 400)
    await ask("PATCH", `/${id}`, { runAt: "2000-01-01T00:00:00.000Z" })
    await untilState(id, "succeeded")
    expect(done).toEqual(["y"])
  })

  test("moves a job to the lane of its new payload", async () => {
    const id = await enqueue(queuedChore, "a", later)
    const { json } = await ask("PATCH", `/${id}`, { payload: { label: "b" } })
    expect(json.lane).toBe("chore.queued/b")
  })
})

describe("schedules", () => {
  test("are listed with their times, and started by hand", async () => {
    await dispatcher().poke("main")
    const { json, response } = await ask("GET", "/schedules")
    const { items } = json as unknown as { items: Item[] }
    // Other modules have schedules of their own.
    const names = items.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(["jobs.sweep", "mail.sweep"]))
    expect(names.at(-1)).toBe("chores.yearly")
    expect(items.at(-1)).toMatchObject({ timeZone: "Europe/Berlin", lastAt: null })
    expect(costOf(response).trips).toBe(2)
    const started = await ask("POST", "/schedules/chores.yearly/runs", undefined, 201)
    expect(started.response.headers.get("location")).toBe(`/jobs/${started.json.id}`)
    await untilState(started.json.id, "succeeded")
    expect(done).toEqual([expect.stringMatching(/^due 20/)])
    await ask("POST", "/schedules/unknown/runs", undefined, 404)
  })

  test("of another database are those that it has", async () => {
    const { json } = await ask("GET", "/schedules?database=second")
    const names = (json as unknown as { items: Item[] }).items.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(["jobs.sweep", "mail.sweep"]))
    expect(names).not.toContain("chores.yearly")
    await ask("POST", "/schedules/chores.yearly/runs?database=second", undefined, 404)
  })
})

test("a job of another database is seen and run there", async () => {
  const databases: string[] = []
  chores.run = ({ app }) => void databases.push(app.db.name)
  await jobsFor(toolApp("second"), null).enqueue(chore, { label: "x" }, later)
  const { items } = await list("database=second&name=chore")
  expect(items).toHaveLength(1)
  const path = `/${items[0]?.id}`
  await ask("GET", path, undefined, 404)
  expect((await ask("POST", `${path}/cancellation?database=second`)).json.state).toBe("cancelled")
  await ask("POST", `${path}/retries?database=second`)
  await eventually(async () =>
    expect((await ask("GET", `${path}?database=second`)).json.state).toBe("succeeded"),
  )
  expect(databases).toEqual(["second"])
  await ask("DELETE", `${path}?database=second`, undefined, 204)
  expect((await list("database=second&name=chore")).items).toEqual([])
})
