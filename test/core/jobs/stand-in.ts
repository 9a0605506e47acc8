import { env } from "cloudflare:workers"
import { type JobMessage, type JobQueue, startJobs } from "../../../src/core/jobs/dispatcher.ts"
import { insertJobs, type NewJob } from "../../../src/core/jobs/enqueue.ts"
import type { Registry } from "../../../src/core/jobs/registry.ts"
import type { DueTimes } from "../../../src/core/jobs/schedules.ts"
import { claim, runningLeaseMilliseconds } from "../../../src/core/jobs/statements.ts"
import { type StoredJob, storedJob } from "../../../src/core/jobs/stored-job.ts"
import type { App } from "../../../src/platform/app.ts"
import { toolApp } from "../records/workshop.ts"

/*
 * The dispatcher without its object and its queue, on a clock that the test sets. Nothing here wakes the real one.
 */

export interface StandIn {
  /** Milliseconds since the epoch. */
  clock: number
  /** What was sent and not taken yet, first come first. */
  readonly sent: JobMessage[]
  /** Sizes of the batches. */
  readonly batches: number[]
  /** Set, the queue is down. */
  down: boolean
  /** A new one for each look, so that its cost is the look's. */
  app(): App
  /** One look of the dispatcher: when it wants the next. */
  look(): Promise<number | null>
  /** Looks until it wants to wait; answers until when. */
  lookAll(): Promise<number | null>
  /** Takes all messages and makes their runs. */
  take(): Promise<StoredJob[]>
  enqueue(...jobs: NewJob[]): Promise<void>
}

export const start = Date.parse("2026-06-01T12:00:00.000Z")

export function standIn(
  registry: Registry<never>,
  { database = "main", times = new Map() }: { database?: string; times?: DueTimes } = {},
): StandIn {
  const sent: JobMessage[] = []
  const batches: number[] = []
  const queue = {
    async sendBatch(messages: Iterable<MessageSendRequest<JobMessage>>) {
      if (it.down) throw new Error("the queue is down")
      const bodies = [...messages].map(({ body }) => body)
      batches.push(bodies.length)
      sent.push(...bodies)
    },
  } as unknown as JobQueue
  const it: StandIn = {
    clock: start,
    sent,
    batches,
    down: false,
    app: () => ({ ...toolApp(database, () => it.clock), wake() {} }),
    look: () => startJobs(it.app(), queue, registry, times),
    async lookAll() {
      for (let looks = 0; looks < 500; looks++) {
        const next = await it.look()
        if (next === null || next > it.clock) return next
      }
      throw new Error("the dispatcher never rests")
    },
    async take() {
      const ids = sent.splice(0).map(({ id }) => id)
      return claimed(it, ids)
    },
    async enqueue(...jobs) {
      await it.app().db.all(insertJobs(it.app(), jobs))
    },
  }
  return it
}

/** Makes the runs of these messages, as the worker does. */
export async function claimed(it: StandIn, ids: readonly string[]): Promise<StoredJob[]> {
  const lease = new Date(it.clock + runningLeaseMilliseconds).toISOString()
  const rows = await it.app().db.all(claim(ids, new Date(it.clock).toISOString(), lease))
  return rows.map(storedJob)
}

/** So many rows at once, with ids that say which; `columns` replaces what they are made of. */
export async function fill(count: number, columns: Record<string, string> = {}): Promise<void> {
  const row: Record<string, string> = {
    id: "printf('00000000-0000-7000-8000-%012x', n)",
    name: "'chore'",
    version: "1",
    payload: `'{"label":"x"}'`,
    priority: "1",
    state: "'waiting'",
    runAt: "'2026-05-01T00:00:00.000Z'",
    requestId: "'fill'",
    createdAt: "'2026-05-01T00:00:00.000Z'",
    ...columns,
  }
  await env.DB.prepare(
    `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
INSERT INTO jobs (${Object.keys(row).join(", ")}) SELECT ${Object.values(row).join(", ")} FROM numbers`,
  )
    .bind(count)
    .run()
}

export async function clearJobs(): Promise<void> {
  for (const database of [env.DB, env.DB_SECOND]) {
    await database.batch(
      ["job_steps", "jobs", "job_schedules"].map((table) =>
        database.prepare(`DELETE FROM ${table}`),
      ),
    )
  }
}
