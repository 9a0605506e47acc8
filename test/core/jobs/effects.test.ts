import { createExecutionContext, createMessageBatch } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { JobMessage } from "../../../src/core/jobs/dispatcher.ts"
import { jobsFor, newJob } from "../../../src/core/jobs/enqueue.ts"
import type { JobRun } from "../../../src/core/jobs/job.ts"
import { linkJobs } from "../../../src/core/jobs/registry.ts"
import { runJob } from "../../../src/core/jobs/run-job.ts"
import { runBatch } from "../../../src/core/jobs/runner.ts"
import { linkCollections } from "../../../src/core/records/link.ts"
import { type Reach, reachFor } from "../../../src/core/records/reach.ts"
import { system } from "../../../src/platform/app.ts"
import { fixtures, tags, tickets } from "../../support/collections.ts"
import { eventually } from "../../support/eventually.ts"
import { briefChore, chore, chores, fixtureJobs } from "../../support/jobs.ts"
import { call, type Person, signedIn, signIn } from "../../support/people.ts"
import { toolApp } from "../records/workshop.ts"
import { gate, settled, skipWaits, storedJobs } from "./cast.ts"
import { clearJobs, type StandIn, standIn } from "./stand-in.ts"

const registry = linkJobs<Reach>(fixtureJobs, [])
const collections = linkCollections(fixtures)
let it: StandIn

beforeEach(async () => {
  await clearJobs()
  it = standIn(registry)
  // The runner has the clock of the world.
  it.clock = Date.now()
})

/** What is due, by the worker's own runner. */
async function run(): Promise<void> {
  await it.lookAll()
  const messages = it.sent.splice(0).map((body) => ({
    id: crypto.randomUUID(),
    timestamp: new Date(),
    attempts: 1,
    body,
  }))
  const batch = createMessageBatch<JobMessage>("hinterland-jobs", messages)
  await runBatch(batch, env, createExecutionContext(), registry, (app) =>
    reachFor(app, system, collections),
  )
}
const tagsNamed = async (name: string) =>
  (await env.DB.prepare("SELECT id FROM tags WHERE name = ?").bind(name).all()).results

describe("an effect", () => {
  test("of 20 runs at once of one job is one record, with one line in the log", async () => {
    await it.enqueue(newJob(chore, { label: "twenty" }))
    await it.look()
    const [stored] = await it.take()
    if (!stored) throw new Error("nothing to run")
    const made: unknown[] = []
    chores.run = async ({ payload, idFor }, { records }) => {
      const tag = await records.ensure(tags, await idFor("tag"), { name: payload.label })
      made.push(tag.id)
    }
    const app = toolApp()
    await Promise.all(
      Array.from({ length: 20 }, () =>
        runJob(
          chore,
          { app, stored, attempts: 0, steps: new Map(), controller: new AbortController() },
          reachFor(app, system, collections),
        ),
      ),
    )
    expect(made).toHaveLength(20)
    expect(await tagsNamed("twenty")).toEqual([{ id: made[0] }])
    expect(new Set(made).size).toBe(1)
    const { results } = await env.DB.prepare("SELECT * FROM changes WHERE record = ?")
      .bind(made[0])
      .all()
    expect(results).toMatchObject([{ kind: "created", authority: "system" }])
  })

  test("goes on where a run died, and what the dead run still says is not kept", async () => {
    const log: string[] = []
    const dead = gate()
    const refused: unknown[] = []
    const died = gate()
    chores.run = async ({ attempt, step, idFor }, { records }) => {
      const name = await step("name", () => {
        log.push(`named in attempt ${attempt}`)
        return "phoenix"
      })
      await records.ensure(tags, await idFor("tag"), { name })
      log.push(`made in attempt ${attempt}`)
      if (log.length === 2) {
        died.open()
        await dead.passed()
        await step("late", () => 1).catch((error: unknown) => refused.push(error))
        return
      }
      await step("last", () => void log.push("last"))
    }
    await it.enqueue(newJob(chore, { label: "x" }))
    await run()
    await died.passed()
    const [before] = await storedJobs()
    // Silence, as the clock of the database's dispatcher sees it.
    it.clock = Date.parse(before?.leaseUntil as string)
    await it.lookAll()
    it.clock += 60_000
    await run()
    const [after] = await settled()
    expect(after).toMatchObject({ state: "succeeded", runs: 2 })
    dead.open()
    await eventually(() => expect(refused).toEqual(["lost"]))
    expect(log).toEqual(["named in attempt 1", "made in attempt 1", "made in attempt 2", "last"])
    expect(await tagsNamed("phoenix")).toHaveLength(1)
    expect(await storedJobs()).toEqual([after])
  })
})

const circle: unknown[] = []
circle.push(circle)

describe("a step", () => {
  type Handler = (run: JobRun<{ label: string }>) => Promise<void>
  const ended = async (handler: Handler) => {
    chores.run = handler
    await it.enqueue(newJob(chore, { label: "x" }))
    await run()
    const [job] = await settled()
    return job
  }

  test.each<[string, Handler]>([
    [
      "in turn",
      async ({ step }) => {
        await step("page", () => 1)
        await step("page", () => 2)
      },
    ],
    [
      "at once",
      async ({ step }) => {
        await Promise.all([step("page", () => 1), step("page", () => 2)])
      },
    ],
  ])("whose name is used twice %s is given up, and not passed over", async (_, handler) => {
    const job = await ended(handler)
    expect(job).toMatchObject({ state: "dead", runs: 1 })
    expect(job?.error).toContain('Two steps of the job are named "page"')
  })

  test.each<[string, unknown]>([
    ["a bigint", 7n],
    ["a function", () => 1],
    ["a circle", circle],
  ])("whose result is %s is given up", async (_, result) => {
    const job = await ended(async ({ step }) => void (await step("odd", () => result)))
    expect(job).toMatchObject({ state: "dead", runs: 1 })
    expect(job?.error).toContain('The result of step "odd" is not JSON.')
  })

  test("answers the same in the attempt that does it and in those after", async () => {
    const seen: unknown[] = []
    const job = await ended(async ({ step, attempt }) => {
      seen.push(await step("when", () => ({ at: new Date(0), nothing: undefined })))
      seen.push(await step("void", () => {}))
      if (attempt === 1 && seen.length === 2) throw new Error("again")
    })
    expect(job?.state).toBe("waiting")
    it.clock = Date.parse(job?.runAt as string)
    await run()
    expect(await settled()).toMatchObject([{ state: "succeeded" }])
    const once = [{ at: "1970-01-01T00:00:00.000Z" }, null]
    expect(seen).toEqual([...once, ...once])
  })

  test("that fails may be tried again in the same run", async () => {
    let failures = 1
    const job = await ended(async ({ step }) => {
      const work = () => {
        if (failures-- > 0) throw new Error("no luck")
      }
      await step("flaky", work).catch(() => step("flaky", work))
    })
    expect(job?.state).toBe("succeeded")
  })
})

describe("a batch of messages", () => {
  test("in which one job runs long keeps neither its others nor the next batch waiting", async () => {
    const long = gate()
    chores.run = ({ payload }) => (payload.label === "long" ? long.passed() : undefined)
    const app = { ...toolApp(), wake() {} }
    await jobsFor(app, null).enqueue(chore, { label: "long" })
    for (let n = 0; n < 9; n++) await jobsFor(app, null).enqueue(chore, { label: "short" })
    const doneWithin = (count: number) =>
      eventually(async () => expect(await storedJobs("state = 'succeeded'")).toHaveLength(count))
    await skipWaits()
    await doneWithin(9)
    for (let n = 0; n < 15; n++) await jobsFor(app, null).enqueue(chore, { label: "next" })
    await skipWaits()
    await doneWithin(24)
    expect(await storedJobs("state = 'running'")).toHaveLength(1)
    long.open()
    await doneWithin(25)
  })

  test("in which handlers throw all sorts of things ends each by itself", async () => {
    const thrown: Record<string, unknown> = {
      undefined: undefined,
      null: null,
      text: "text",
      object: { odd: true },
      error: new Error("error"),
    }
    chores.run = ({ payload: { label } }) => {
      if (label !== "fine") throw thrown[label]
    }
    const labels = [...Object.keys(thrown), "fine"]
    await it.enqueue(...labels.map((label) => newJob(briefChore, { label })))
    await run()
    const states = (await settled()).map(({ payload, state }) => [JSON.parse(payload).label, state])
    expect(Object.fromEntries(states)).toEqual(
      Object.fromEntries(labels.map((label) => [label, label === "fine" ? "succeeded" : "dead"])),
    )
  })

  test("that could not be claimed goes back to the queue; one of no database harms no other", async () => {
    const done: string[] = []
    chores.run = ({ payload }) => void done.push(payload.label)
    await it.enqueue(newJob(chore, { label: "x" }))
    await it.look()
    const [body] = it.sent
    const message = (body: JobMessage) => ({
      id: body.database,
      timestamp: new Date(),
      attempts: 1,
      body,
    })
    const batch = createMessageBatch<JobMessage>("hinterland-jobs", [
      message({ database: "gone", id: "1" }),
      message(body as JobMessage),
    ])
    const retried: string[] = []
    for (const one of batch.messages) one.retry = () => void retried.push(one.id)
    await runBatch(batch, env, createExecutionContext(), registry, (app) =>
      reachFor(app, system, collections),
    )
    await settled()
    expect(done).toEqual(["x"])
    expect(retried).toEqual(["gone"])
  })
})

describe("a job of an organisation in another database", () => {
  let fay: Person
  beforeAll(async () => {
    await env.DB.prepare(
      "INSERT INTO organisations (id, name, database, createdAt) VALUES ('far', 'far', 'second', '2026-01-01T00:00:00.000Z')",
    ).run()
    const person = await signedIn("fay")
    await env.DB.batch([
      env.DB.prepare(
        "INSERT INTO organisation_members VALUES ('far', ?, '[]', '2026-01-01T00:00:00.000Z')",
      ).bind(person.id),
      env.DB.prepare("UPDATE users SET epoch = epoch + 1 WHERE id = ?").bind(person.id),
    ])
    fay = await signIn(person.email)
  })

  test("is enqueued by its write there, runs there, and acts in that organisation", async () => {
    const seen: unknown[] = []
    chores.run = async ({ app, organisation, payload, idFor }, { records, jobs }) => {
      seen.push([app.db.name, organisation, payload.label])
      if (payload.label === "child") return
      await records.ensure(tickets, await idFor("ticket"), { subject: "from a job" })
      await jobs.enqueue(chore, { label: "child" }, { organisation })
    }
    const made = await call(fay, "POST", "/records/wishes", { label: "far away" })
    expect(made.status).toBe(201)
    await eventually(() => expect(seen).toHaveLength(2))
    expect(seen).toEqual([
      ["second", "far", "create far away"],
      ["second", "far", "child"],
    ])
    expect(await storedJobs()).toEqual([])
    const listed = await call(fay, "GET", "/records/tickets")
    expect(await listed.json()).toMatchObject({ items: [{ subject: "from a job" }] })
    const { results } = await env.DB_SECOND.prepare("SELECT organisation FROM tickets").all()
    expect(results).toEqual([{ organisation: "far" }])
  })
})
