import { env } from "cloudflare:workers"
import type { StoredJob } from "../../../src/core/jobs/stored-job.ts"
import { eventually } from "../../support/eventually.ts"

/* What all tests of jobs say often. */

/** Jobs as they are stored, oldest first; those that match `where`. */
export async function storedJobs(where = "name LIKE 'chore%'"): Promise<StoredJob[]> {
  const { results } = await env.DB.prepare(
    `SELECT * FROM jobs WHERE ${where} ORDER BY id`,
  ).all<StoredJob>()
  return results
}

/** Waits until every chore has ended, or waits for a later attempt. */
export async function settled(): Promise<StoredJob[]> {
  return eventually(async () => {
    const jobs = await storedJobs()
    const now = new Date().toISOString()
    const busy = jobs.filter(
      ({ state, runAt }) =>
        state === "queued" ||
        state === "running" ||
        state === "held" ||
        (state === "waiting" && runAt <= now),
    )
    if (busy.length > 0) throw new Error(`not settled: ${JSON.stringify(busy[0])}`)
    return jobs
  })
}

/** Brings the next attempt of every waiting chore forward, and wakes the dispatcher. */
export async function skipWaits(): Promise<void> {
  await env.DB.prepare(
    "UPDATE jobs SET runAt = '2000-01-01T00:00:00.000Z' WHERE state = 'waiting'",
  ).run()
  await dispatcher().poke("main")
}

export const dispatcher = () => env.JOB_DISPATCHER.get(env.JOB_DISPATCHER.idFromName("main"))

/** What the test opens and a run waits for, or the other way round: a promise of one request cannot wake another. */
export function gate() {
  let opened = false
  return {
    open() {
      opened = true
    },
    async passed() {
      while (!opened) await new Promise((resolve) => setTimeout(resolve, 5))
    },
  }
}
