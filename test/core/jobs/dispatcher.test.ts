import { env } from "cloudflare:workers"
import fc from "fast-check"
import { beforeEach, describe, expect, test } from "vitest"
import { z } from "zod"
import { endRun } from "../../../src/core/jobs/endings.ts"
import { type EnqueueOptions, newJob } from "../../../src/core/jobs/enqueue.ts"
import { cancelJob, editJob, retryJob } from "../../../src/core/jobs/interventions.ts"
import { type JobRun, job } from "../../../src/core/jobs/job.ts"
import { linkJobs } from "../../../src/core/jobs/registry.ts"
import { type Run, runJob } from "../../../src/core/jobs/run-job.ts"
import type { Ending } from "../../../src/core/jobs/statements.ts"
import type { StoredJob } from "../../../src/core/jobs/stored-job.ts"
import { Problem } from "../../../src/platform/problem.ts"
import { storedJobs } from "./cast.ts"
import { claimed, clearJobs, fill, type StandIn, standIn, start } from "./stand-in.ts"

const { env: settings = {} } = import.meta as { env?: Readonly<Record<string, string>> }
/** Set VITE_SEED to replay a run, VITE_RUNS to look harder. */
const seed = Number(settings.VITE_SEED ?? Math.floor(Math.random() * 2 ** 30))
const runs = Number(settings.VITE_RUNS ?? 25)

const payload = z.object({ label: z.string() })
let handler: (run: JobRun<{ label: string }>) => Promise<void> | void = () => {}
const options = { payload, retryDelays: [60, 120], run: (run: never) => handler(run) }
const plain = job("chore", options)
const brief = job("chore.brief", { ...options, retryDelays: [] })
/** One at a time, and three at a time, of those with the same label. */
const single = job("chore.single", {
  ...options,
  concurrency: { limit: 1, key: ({ label }) => label },
})
const triple = job("chore.triple", {
  ...options,
  concurrency: { limit: 3, key: ({ label }) => label },
})
const registry = linkJobs<never>([plain, brief, single, triple], [])

let it: StandIn
beforeEach(async () => {
  await clearJobs()
  it = standIn(registry)
  handler = () => {}
})

const chore = (label: string, wanted?: EnqueueOptions) => newJob(plain, { label }, wanted)
const labelsOf = async (ids: readonly string[]) => {
  const byId = new Map((await storedJobs()).map(({ id, payload }) => [id, payload]))
  return ids.map((id) => (JSON.parse(byId.get(id) as string) as { label: string }).label)
}
const statesOf = async (where?: string) => {
  const counts: Record<string, number> = {}
  for (const { state } of await storedJobs(where)) counts[state] = (counts[state] ?? 0) + 1
  return counts
}
const succeeded: Ending = { state: "succeeded" }
const second = 1_000
const dayMs = 86_400_000

describe("what is due", () => {
  test("is sent by priority, then by when it is due", async () => {
    await it.enqueue(chore("low", { priority: "low" }), chore("second"))
    it.clock += 1
    await it.enqueue(chore("third"), chore("high, later", { priority: "high", delaySeconds: 5 }))
    await it.enqueue(chore("high", { priority: "high" }), chore("not yet", { delaySeconds: 60 }))
    it.clock += 10 * second
    await it.enqueue(chore("fourth"))
    expect(await it.look()).toBe(it.clock + 30 * second)
    expect(await labelsOf(it.sent.map(({ id }) => id))).toEqual([
      "high",
      "high, later",
      "second",
      "third",
      "fourth",
      "low",
    ])
  })

  test("and most urgent goes first when the window has room for a few only", async () => {
    await fill(97)
    await it.look()
    it.sent.length = 0
    await it.enqueue(...["a", "b", "c", "d"].map((label) => chore(label, { priority: "low" })))
    it.clock += 1
    await it.enqueue(chore("urgent", { priority: "high" }))
    await it.look()
    expect(it.sent).toHaveLength(3)
    expect(await labelsOf(it.sent.slice(0, 1).map(({ id }) => id))).toEqual(["urgent"])
  })

  test("is looked for at once, what is delayed for years when its time has come", async () => {
    expect(await it.look()).toBeNull()
    await it.enqueue(chore("late", { delaySeconds: 5 * 365 * 86_400 }))
    expect(await it.look()).toBe(start + 5 * 365 * dayMs)
    // Texts of years with five digits would sort before all others.
    await it.enqueue(chore("never", { delaySeconds: 1e12 }))
    expect(await it.look()).toBe(start + 5 * 365 * dayMs)
    it.clock = start + 5 * 365 * dayMs
    expect(await it.look()).toBe(it.clock + 30 * second)
    expect(it.sent).toHaveLength(1)
  })
})

describe("the window", () => {
  test("is never overfull, and what waits moves up when a job ends", async () => {
    await fill(250)
    for (let n = 0; n < 3; n++) await it.look()
    expect(it.batches).toEqual([100])
    // Nothing but an end, or silence, makes room: no look at once.
    expect(await it.look()).toBe(it.clock + second)
    const taken = await it.take()
    for (const run of taken.slice(0, 30)) await endRun(it.app(), run, succeeded)
    await it.look()
    expect(it.batches).toEqual([100, 30])
    expect(await statesOf()).toEqual({ succeeded: 30, running: 70, queued: 30, waiting: 120 })
  })

  const crowds: [string, Record<string, string>][] = [
    ["due jobs", {}],
    [
      "delayed jobs of high priority",
      { priority: "0", runAt: "printf('2026-07-%02dT00:00:00.000Z', 1 + n % 30)" },
    ],
    ["held jobs of one lane", { state: "'held'", lane: "'full'", laneLimit: "1" }],
    ["due jobs of one full lane", { priority: "0", lane: "'full'", laneLimit: "1" }],
    ["ended jobs", { state: "'dead'", finishedAt: "'2026-05-02T00:00:00.000Z'" }],
  ]
  test.each(crowds)(
    "costs a look no more with 10,000 %s than with 300, and they keep no other job back",
    async (_, columns) => {
      const cost: number[] = []
      for (const count of [300, 10_000]) {
        await clearJobs()
        it = standIn(registry)
        await fill(count, columns)
        if (columns.lane) {
          // Somebody is in the lane already.
          await it.enqueue({ ...chore("first"), lane: "full", laneLimit: 1, priority: "high" })
          await env.DB.prepare(
            "UPDATE jobs SET state = 'running', leaseUntil = '2026-06-01T13:00:00.000Z' WHERE requestId = 'tool'",
          ).run()
        }
        const app = it.app()
        it.app = () => app
        await it.look()
        cost.push(app.cost.rowsRead)
        expect(app.cost.trips).toBe(1)
        expect(it.sent.length).toBeLessThanOrEqual(100)
      }
      expect(Math.max(...cost)).toBeLessThan(2_000)
      expect(Math.abs((cost[1] as number) - (cost[0] as number))).toBeLessThan(50)
      if (!("lane" in columns)) return
      await it.enqueue(chore("other", { priority: "low" }))
      await it.lookAll()
      expect(await labelsOf(it.sent.map(({ id }) => id))).toEqual(["other"])
    },
  )

  test("costs a run no more, whatever waits", async () => {
    const crowd = { lane: "'l'", laneLimit: "1" }
    await fill(5_000, { ...crowd, state: "'held'" })
    await fill(5_000, { ...crowd, id: "printf('00000000-0000-7000-9000-%012x', n)" })
    await it.enqueue({ ...chore("a", { priority: "high" }), lane: "l", laneLimit: 1 })
    await it.look()
    const app = it.app()
    it.app = () => app
    const cost: number[] = []
    const spent = () => {
      cost.push(app.cost.rowsRead)
      app.cost.rowsRead = 0
    }
    spent()
    const [stored] = (await it.take()) as [StoredJob]
    spent()
    handler = ({ step }) => step("one", () => 1).then(spent)
    await runJob(plain, runOf(stored), undefined as never)
    await endRun(app, stored, { state: "waiting", attempts: 1, error: "", runAt: "2026" })
    spent()
    await retryJob(app, stored.id)
    spent()
    await cancelJob(app, stored.id)
    spent()
    expect(Math.max(...cost.slice(1))).toBeLessThan(20)
  })

  test("may be full: what a lane keeps back is put aside all the same, a bounded number a look", async () => {
    await fill(100, { priority: "0" })
    await it.look()
    await fill(10_000, {
      id: "printf('00000000-0000-7000-9000-%012x', n)",
      priority: "0",
      lane: "'full'",
      laneLimit: "1",
    })
    // The lane's own first run is among those on their way.
    await env.DB.prepare("UPDATE jobs SET lane = 'full', laneLimit = 1 WHERE id = ?")
      .bind(it.sent[0]?.id)
      .run()
    await it.enqueue(chore("behind"))
    expect(await it.look()).toBe(it.clock)
    expect(await statesOf()).toEqual({ queued: 100, held: 100, waiting: 9_901 })
    expect(await it.lookAll()).toBe(it.clock + second)
    const [, other] = await it.take()
    it.sent.length = 0
    await endRun(it.app(), other as StoredJob, succeeded)
    await it.look()
    expect(await labelsOf(it.sent.map(({ id }) => id))).toEqual(["behind"])
  })
})

describe("a lane", () => {
  test.each([
    ["chore.single", single, 1],
    ["chore.triple", triple, 3],
  ] as const)("of %s has its limit on its way, and hands over in order", async (_, kind, limit) => {
    const add = (label: string, priority?: "high") =>
      it.enqueue(newJob(kind, { label: "lane" }, { ...(priority && { priority }), key: label }))
    for (const label of ["a", "b", "c", "d", "e"]) {
      await add(label)
      it.clock += 1
    }
    const order: string[] = []
    await it.lookAll()
    await add("urgent", "high")
    for (let n = 0; n < 6; n++) {
      await it.lookAll()
      const taken = await it.take()
      order.push(...taken.map(({ key }) => key as string).sort())
      const running = await storedJobs("state IN ('queued', 'running')")
      expect(running.length).toBe(Math.min(limit, 6 - n))
      await endRun(it.app(), running[0] as StoredJob, succeeded)
    }
    expect(order).toEqual(
      limit === 1 ? ["a", "urgent", "b", "c", "d", "e"] : ["a", "b", "c", "urgent", "d", "e"],
    )
    expect(await it.lookAll()).toBeNull()
  })

  test("does not wait for a job that is put off, edited away or cancelled when its turn has come", async () => {
    for (const move of ["put off", "edited", "cancelled"]) {
      await clearJobs()
      it = standIn(registry)
      for (const key of ["a", "b", "c"]) {
        await it.enqueue(newJob(single, { label: "lane" }, { key }))
        it.clock += 1
      }
      await it.lookAll()
      const [run] = await it.take()
      await endRun(it.app(), run as StoredJob, succeeded)
      const [next] = await storedJobs("state = 'waiting'")
      const id = next?.id as string
      if (move === "cancelled") await cancelJob(it.app(), id)
      else if (move === "edited")
        await editJob(it.app(), registry, id, { payload: { label: "other" } })
      else await editJob(it.app(), registry, id, { runAt: "2030-01-01T00:00:00.000Z" })
      await it.lookAll()
      const keys = (await it.take()).map(({ key }) => key)
      expect(keys.toSorted()).toEqual(move === "edited" ? ["b", "c"] : ["c"])
    }
  })

  test("is not kept idle by a held job that was put off", async () => {
    for (const key of ["a", "b", "c"]) await it.enqueue(newJob(single, { label: "l" }, { key }))
    await it.lookAll()
    const [run] = await it.take()
    const held = await storedJobs("state = 'held'")
    await editJob(it.app(), registry, held[0]?.id as string, {
      runAt: "2030-01-01T00:00:00.000Z",
      priority: "high",
    })
    await it.lookAll()
    await endRun(it.app(), run as StoredJob, succeeded)
    await it.lookAll()
    expect((await it.take()).map(({ id }) => id)).toEqual([held[1]?.id])
  })

  test(`never has more on its way than its limit, and leaves nobody behind (seed ${seed})`, async () => {
    const step = fc.oneof(
      fc.record({
        do: fc.constant("enqueue" as const),
        kind: fc.constantFrom(plain, single, triple),
        label: fc.constantFrom("x", "y"),
        priority: fc.constantFrom("high", "normal", "low"),
        delaySeconds: fc.constantFrom(0, 0, 0, 30, 4_000),
      }),
      fc.record({ do: fc.constantFrom("look", "look", "lookAll", "take", "redeliver") }),
      fc.record({
        do: fc.constantFrom(
          "succeed",
          "succeed",
          "fail",
          "die",
          "cancel",
          "put off",
          "move",
          "retry",
        ),
        which: fc.nat(50),
      }),
      fc.record({ do: fc.constant("wait"), seconds: fc.constantFrom(1, 31, 61, 200) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        await clearJobs()
        it = standIn(registry)
        const messages: string[] = []
        const pick = (jobs: StoredJob[], which: number) => jobs[which % jobs.length]
        for (const action of steps) {
          messages.push(...it.sent.map(({ id }) => id))
          if ("kind" in action) {
            const { kind, label, priority, delaySeconds } = action
            await it.enqueue(
              newJob(kind, { label }, { priority: priority as "high", delaySeconds }),
            )
          } else if ("seconds" in action) it.clock += action.seconds * second
          else if ("which" in action) await intervene(action.do, action.which, pick)
          else if (action.do === "redeliver") await claimed(it, messages)
          else await it[action.do as "look" | "lookAll" | "take"]()
          it.clock += 1
          await expectLimits()
        }
        // In the end, all goes on to its end.
        for (let round = 0; round < 400; round++) {
          const next = await it.lookAll()
          await expectLimits()
          const running = await storedJobs(
            "state = 'held' AND lane NOT IN (SELECT lane FROM jobs WHERE lane IS NOT NULL AND state IN ('queued', 'running'))",
          )
          expect(running).toEqual([])
          if (next === null) break
          for (const run of await it.take()) await endRun(it.app(), run, succeeded)
          it.clock = Math.max(it.clock, Math.min(next, it.clock + 40 * second))
          if (next > it.clock + dayMs) break
        }
        expect(await storedJobs("finishedAt IS NULL AND runAt < '2027'")).toEqual([])
      }),
      { seed, numRuns: runs },
    )
  })
})

async function intervene(
  what: string,
  which: number,
  pick: (jobs: StoredJob[], which: number) => StoredJob | undefined,
): Promise<void> {
  const running = ["succeed", "fail", "die"].includes(what)
  const found = pick(await storedJobs(running ? "state = 'running'" : "true"), which)
  if (!found) return
  const { id, attempts } = found
  const failed = { attempts: attempts + 1, error: "no luck" }
  const runAt = new Date(it.clock + 45 * second).toISOString()
  try {
    if (what === "succeed") await endRun(it.app(), found, succeeded)
    if (what === "fail") await endRun(it.app(), found, { state: "waiting", ...failed, runAt })
    if (what === "die") await endRun(it.app(), found, { state: "dead", ...failed })
    if (what === "cancel") await cancelJob(it.app(), id)
    if (what === "put off") await editJob(it.app(), registry, id, { runAt, priority: "high" })
    if (what === "move") await editJob(it.app(), registry, id, { payload: { label: "x" } })
    if (what === "retry") await retryJob(it.app(), id)
  } catch (error) {
    if (!(error instanceof Problem && error.code === "conflict")) throw error
  }
}

async function expectLimits(): Promise<void> {
  const { results } = await env.DB.prepare(
    "SELECT lane, count(*) AS jobs, min(laneLimit) AS most FROM jobs WHERE lane IS NOT NULL AND state IN ('queued', 'running') GROUP BY lane HAVING jobs > most",
  ).all()
  expect(results).toEqual([])
}

describe("a message that is lost", () => {
  test("is sent again after a minute, which is no attempt", async () => {
    await it.enqueue(chore("a"))
    expect(await it.look()).toBe(it.clock + 30 * second)
    it.clock += 59 * second
    await it.look()
    expect(it.sent).toHaveLength(1)
    it.clock += second
    await it.look()
    expect(it.sent).toHaveLength(2)
    // Both come in the end: one run.
    expect(await it.take()).toMatchObject([{ runs: 1, attempts: 0 }])
  })

  test("because the queue is down, is sent when it is up, whatever else is due", async () => {
    await it.enqueue(chore("a"))
    it.down = true
    await expect(it.look()).rejects.toThrow("down")
    it.down = false
    it.clock += 60 * second
    await it.look()
    expect(await it.take()).toMatchObject([{ attempts: 0 }])
  })

  test("comes when its job was cancelled, or has run: nothing runs", async () => {
    await it.enqueue(chore("a"))
    await it.look()
    const [message] = it.sent
    await cancelJob(it.app(), message?.id as string)
    expect(await it.take()).toEqual([])
    await retryJob(it.app(), message?.id as string)
    await it.look()
    const [run] = await it.take()
    await endRun(it.app(), run as StoredJob, succeeded)
    expect(await claimed(it, [message?.id as string])).toEqual([])
  })
})

describe("a run that falls silent", () => {
  test("has failed by its own policy, and in the end is dead", async () => {
    await it.enqueue(chore("a"), newJob(brief, { label: "b" }))
    const delays = [60, 120]
    for (let attempt = 1; attempt <= 3; attempt++) {
      await it.lookAll()
      await it.take()
      it.clock += 29 * second
      await it.look()
      expect(await statesOf("state = 'running' AND name = 'chore'")).toEqual({ running: 1 })
      it.clock += second
      const next = await it.lookAll()
      const [mine] = await storedJobs("name = 'chore'")
      expect(mine).toMatchObject({ attempts: attempt, state: attempt < 3 ? "waiting" : "dead" })
      expect(mine?.error).toContain("fell silent")
      expect(await statesOf("name = 'chore.brief'")).toEqual({ dead: 1 })
      if (attempt === 3) break
      expect(next).toBe(Date.parse(mine?.runAt as string))
      const wait = (next as number) - it.clock
      const delay = (delays[attempt - 1] as number) * second
      expect(wait).toBeGreaterThanOrEqual(delay / 2)
      expect(wait).toBeLessThanOrEqual(delay)
      it.clock = next as number
    }
    expect(await it.look()).toBeNull()
  })

  test("is cancelled when that was asked for; so is one that fails", async () => {
    await it.enqueue(chore("silent"), chore("fails"), newJob(brief, { label: "last attempt" }))
    await it.look()
    const [silent, fails, last] = await it.take()
    for (const run of [silent, fails, last]) await cancelJob(it.app(), run?.id as string)
    const runAt = new Date(it.clock).toISOString()
    const waiting = { state: "waiting", attempts: 1, error: "no", runAt } as const
    await endRun(it.app(), fails as StoredJob, waiting)
    it.clock += 30 * second
    expect(await it.lookAll()).toBeNull()
    expect(await statesOf()).toEqual({ cancelled: 3 })
  })

  test("lets its lane go on", async () => {
    for (const key of ["a", "b"]) await it.enqueue(newJob(single, { label: "l" }, { key }))
    await it.lookAll()
    await it.take()
    it.clock += 30 * second
    await it.lookAll()
    expect(await it.take()).toMatchObject([{ key: "b" }])
  })
})

describe("an older run", () => {
  test("changes nothing any more: no step, no progress, no end, no lease", async () => {
    await it.enqueue(chore("a"))
    await it.look()
    const [old] = (await it.take()) as [StoredJob]
    it.clock += 30 * second
    await it.lookAll()
    it.clock += 120 * second
    await it.lookAll()
    const [young] = (await it.take()) as [StoredJob]
    expect([old.runs, young.runs]).toEqual([1, 2])
    const before = await storedJobs()
    const refused: unknown[] = []
    for (const attempt of [
      (run: JobRun<unknown>) => run.step("one", () => 1),
      (run: JobRun<unknown>) => run.progress(1, 2),
    ]) {
      handler = async (run) => {
        refused.push(
          await attempt(run).then(
            () => "kept",
            (reason) => reason,
          ),
        )
      }
      await runJob(plain, runOf(old), undefined as never).catch(() => {})
    }
    expect(refused).toEqual(["lost", "lost"])
    for (const ending of [
      succeeded,
      { state: "cancelled" },
      { state: "dead", attempts: 9, error: "old" },
      { state: "waiting", attempts: 9, error: "old", runAt: "2026" },
    ] as Ending[]) {
      expect(await endRun(it.app(), old, ending)).toBe(false)
    }
    expect(await storedJobs()).toEqual(before)
    const { results } = await env.DB.prepare("SELECT * FROM job_steps").all()
    expect(results).toEqual([])
    expect(await endRun(it.app(), young, succeeded)).toBe(true)
    expect(await endRun(it.app(), young, { state: "cancelled" })).toBe(false)
  })
})

const runOf = (stored: StoredJob): Run => ({
  app: it.app(),
  stored,
  attempts: stored.attempts,
  steps: new Map(),
  controller: new AbortController(),
})
