import { env } from "cloudflare:workers"
import { beforeAll, beforeEach, describe, expect, test } from "vitest"
import { startJobs } from "../../../src/core/jobs/dispatcher.ts"
import { jobsFor } from "../../../src/core/jobs/enqueue.ts"
import { permanent, postpone, retryAfter } from "../../../src/core/jobs/job.ts"
import { linkJobs } from "../../../src/core/jobs/registry.ts"
import { runningLeaseMilliseconds } from "../../../src/core/jobs/statements.ts"
import { eventually } from "../../support/eventually.ts"
import { agedChore, briefChore, chore, chores, fixtureJobs } from "../../support/jobs.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { toolApp } from "../records/workshop.ts"
import { dispatcher, settled, skipWaits, storedJobs } from "./cast.ts"

let alice: Person
let done: string[]

beforeAll(async () => {
  alice = await signedIn("alice")
})
beforeEach(async () => {
  done = []
  chores.run = ({ payload }) => void done.push(payload.label)
  await env.DB.batch([env.DB.prepare("DELETE FROM job_steps"), env.DB.prepare("DELETE FROM jobs")])
})

const jobs = () => jobsFor(toolApp(), null)

describe("a write that enqueues", () => {
  test("is followed by its job, in one trip of its own", async () => {
    const made = await call(alice, "POST", "/records/wishes", { label: "a bicycle" })
    expect(made.status).toBe(201)
    expect(made.headers.get("server-timing")).toContain('trips;desc="1"')
    await settled()
    expect(done).toEqual(["create a bicycle"])
    expect(await storedJobs()).toMatchObject([{ state: "succeeded", attempts: 0, runs: 1 }])
  })

  test("enqueues nothing when it is refused, by rule, by a constraint, or as stale", async () => {
    const made = await call(alice, "POST", "/records/wishes", { label: "taken" })
    const { id } = (await made.json()) as { id: string }
    await settled()
    done = []
    const refused = [
      await call(alice, "POST", "/records/wishes", { label: "forbidden" }),
      await call(alice, "POST", "/records/wishes", { label: "taken" }),
      await call(alice, "PATCH", `/records/wishes/${id}`, { granted: true }, { "if-match": '"7"' }),
      await call(alice, "DELETE", `/records/wishes/${crypto.randomUUID()}`),
    ]
    expect(refused.map(({ status }) => status)).toEqual([403, 409, 412, 404])
    expect(await storedJobs()).toHaveLength(1)
    await settled()
    expect(done).toEqual([])
  })

  test("enqueues nothing when it changes nothing", async () => {
    const made = await call(alice, "POST", "/records/wishes", { label: "still" })
    const { id } = (await made.json()) as { id: string }
    const same = await call(alice, "PATCH", `/records/wishes/${id}`, { label: "still" })
    expect(await same.json()).toMatchObject({ version: 1 })
    expect(await storedJobs()).toHaveLength(1)
    await call(alice, "PATCH", `/records/wishes/${id}`, { granted: true })
    expect(await storedJobs()).toHaveLength(2)
    await settled()
  })

  test("that is replayed enqueues nothing more", async () => {
    const once = { "idempotency-key": "wish-1" }
    for (let n = 0; n < 3; n++) {
      const made = await call(alice, "POST", "/records/wishes", { label: "once" }, once)
      expect(made.status).toBe(201)
    }
    await settled()
    expect(done).toEqual(["create once"])
  })
})

describe("a job", () => {
  test("that fails is tried again after its delays, and then is dead, with its error", async () => {
    chores.run = ({ attempt }) => {
      done.push(`attempt ${attempt}`)
      throw new Error("no luck")
    }
    await call(alice, "POST", "/records/wishes", { label: "luck" })
    for (const [attempts, delay] of [
      [1, 60_000],
      [2, 120_000],
    ] as const) {
      const [job] = await settled()
      expect(job).toMatchObject({ state: "waiting", attempts })
      // It failed at some moment between its start and now.
      const runAt = Date.parse(job?.runAt as string)
      expect(runAt).toBeGreaterThan(Date.parse(job?.startedAt as string) + delay / 2)
      expect(runAt).toBeLessThanOrEqual(Date.now() + delay)
      await skipWaits()
    }
    const [job] = await settled()
    expect(job).toMatchObject({ state: "dead", attempts: 3 })
    expect(job?.error).toContain("no luck")
    expect(done).toEqual(["attempt 1", "attempt 2", "attempt 3"])
  })

  test("that says so is given up at once, or comes back when it says", async () => {
    chores.run = () => {
      throw permanent("never")
    }
    await jobs().enqueue(chore, { label: "a" })
    await skipWaits()
    expect(await settled()).toMatchObject([{ state: "dead", attempts: 1 }])
    chores.run = () => {
      throw retryAfter(3_600, "later")
    }
    await jobs().enqueue(chore, { label: "b" })
    const before = Date.now()
    await skipWaits()
    const [, later] = await settled()
    expect(later?.state).toBe("waiting")
    expect(Date.parse(later?.runAt as string) - before).toBeGreaterThan(3_590_000)
  })

  test("that is postponed comes back as often as it wants, and has not failed", async () => {
    let runs = 0
    chores.run = ({ attempt }) => {
      expect(attempt).toBe(1)
      runs += 1
      if (runs <= 5) throw postpone(3_600, "full")
    }
    await jobs().enqueue(chore, { label: "a" })
    for (let n = 1; n <= 5; n++) {
      await skipWaits()
      await eventually(() => expect(runs).toBe(n))
      expect(await settled()).toMatchObject([{ state: "waiting", attempts: 0, error: "full" }])
    }
    await skipWaits()
    await eventually(() => expect(runs).toBe(6))
    expect(await settled()).toMatchObject([{ state: "succeeded" }])
  })

  test("with a key that was enqueued before is not enqueued again, whatever has become of it", async () => {
    await jobs().enqueue(chore, { label: "first" }, { key: "k" })
    await jobs().enqueue(chore, { label: "second" }, { key: "k" })
    await skipWaits()
    await settled()
    await jobs().enqueue(chore, { label: "third" }, { key: "k" })
    await skipWaits()
    await settled()
    expect(done).toEqual(["first"])
  })

  test("of an older version gets its payload brought up to date; of a newer one it waits for its deployment", async () => {
    await jobs().enqueue(agedChore, { label: "new" })
    await env.DB.prepare(
      "INSERT INTO jobs (id, name, version, payload, priority, state, runAt, requestId, createdAt) VALUES ('1', 'chore.aged', 1, '\"old\"', 1, 'waiting', '', '', ''), ('2', 'chore.aged', 4, '{}', 1, 'waiting', '', '', ''), ('3', 'chore.gone', 1, '{}', 1, 'waiting', '', '', '')",
    ).run()
    await skipWaits()
    const states = new Map((await settled()).map((job) => [job.id, job]))
    expect(done.sort()).toEqual(["new", "old"])
    expect(states.get("2")).toMatchObject({ state: "waiting", attempts: 1 })
    expect(states.get("3")).toMatchObject({ state: "waiting", attempts: 1 })
  })

  test("whose payload nobody can read is dead at once", async () => {
    await env.DB.prepare(
      "INSERT INTO jobs (id, name, version, payload, priority, state, runAt, requestId, createdAt) VALUES ('1', 'chore', 1, '{\"label\":7}', 1, 'waiting', '', '', '')",
    ).run()
    await skipWaits()
    expect(await settled()).toMatchObject([{ state: "dead", attempts: 1 }])
  })

  test("that takes too long has failed, and what it still does is not kept", async () => {
    const late = Promise.withResolvers<unknown>()
    chores.run = async ({ step, signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve))
      late.resolve(await step("late", () => 1).catch((error: unknown) => error))
    }
    await jobs().enqueue(briefChore, { label: "slow" })
    await skipWaits()
    const [job] = await settled()
    expect(job).toMatchObject({ state: "dead" })
    expect(job?.error).toContain("took longer than 0.2 s")
    expect(await late.promise).toBeInstanceOf(Error)
    const { results } = await env.DB.prepare("SELECT * FROM job_steps").all()
    expect(results).toEqual([])
  })

  test("whose message comes a second time is not run before its next attempt is due", async () => {
    chores.run = ({ payload }) => {
      done.push(payload.label)
      if (payload.label === "fails") throw new Error("later")
    }
    await jobs().enqueue(chore, { label: "fails" })
    await skipWaits()
    const [failed] = await settled()
    await env.JOBS.send({ database: "main", id: failed?.id as string })
    // Messages are handed over in order: when the next has been done, this one has come.
    await jobs().enqueue(chore, { label: "next" })
    await dispatcher().poke("main")
    await eventually(() => expect(done).toContain("next"))
    expect((await settled())[0]).toMatchObject({ state: "waiting", runs: 1 })
    expect(done).toEqual(["fails", "next"])
  })

  test("that is on its way is looked after by the time that its run could have fallen silent", async () => {
    await jobs().enqueue(chore, { label: "silent" })
    const queue = { sendBatch: async () => ({}) as QueueSendBatchResponse }
    const before = Date.now()
    const again = await startJobs(toolApp(), queue, linkJobs(fixtureJobs, []), new Map())
    expect(await storedJobs()).toMatchObject([{ state: "queued" }])
    expect(again).toBeGreaterThanOrEqual(before + runningLeaseMilliseconds)
    expect(again).toBeLessThanOrEqual(Date.now() + runningLeaseMilliseconds)
  })

  test("that moves on in its last attempt has all of them before it again", async () => {
    chores.run = async ({ attempt, step }) => {
      if (attempt === 3) await step("a little further", () => 1)
      throw new Error("no luck")
    }
    await jobs().enqueue(chore, { label: "slow but sure" })
    for (let n = 0; n < 3; n++) {
      await skipWaits()
      await settled()
    }
    expect(await storedJobs()).toMatchObject([{ state: "waiting", attempts: 1, runs: 3 }])
  })

  test("goes on from its last step, which gives it all its attempts again", async () => {
    const log: string[] = []
    let failures = 2
    chores.run = async ({ step, idFor, key, attempt }) => {
      log.push(`attempt ${attempt} ${await idFor("x")} ${key}`)
      const one = await step("one", () => {
        log.push("one")
        return { n: 1 }
      })
      await step("two", () => {
        log.push(`two after ${JSON.stringify(one)}`)
        if (failures-- > 0) throw new Error("not yet")
      })
    }
    await jobs().enqueue(chore, { label: "steps" }, { key: "stepwise" })
    for (let n = 0; n < 3; n++) {
      await skipWaits()
      await settled()
    }
    const [{ state } = { state: null }] = await storedJobs()
    expect(state).toBe("succeeded")
    const ids = new Set(log.flatMap((line) => /attempt \d (.*)/.exec(line)?.[1] ?? []))
    expect([...ids]).toEqual([expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8.* stepwise$/)])
    expect(log.map((line) => line.replace(/ [0-9a-f]{8}-.*/, ""))).toEqual([
      "attempt 1",
      "one",
      'two after {"n":1}',
      // The step has begun the count anew; the failure after it counted once.
      "attempt 2",
      'two after {"n":1}',
      "attempt 3",
      'two after {"n":1}',
    ])
    const { results } = await env.DB.prepare("SELECT * FROM job_steps").all()
    expect(results).toEqual([])
  })
})
