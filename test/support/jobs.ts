import { z } from "zod"
import { type JobRun, job } from "../../src/core/jobs/job.ts"
import { schedule } from "../../src/core/jobs/schedule.ts"
import type { Reach } from "../../src/core/records/reach.ts"

const payload = z.object({ label: z.string() })
type Chore = z.output<typeof payload>

/** Where the chores go; tests put a handler of their own here. */
export const chores: { run: (run: JobRun<Chore>, reach: Reach) => Promise<void> | void } = {
  run: () => {},
}

/** Whatever the test at hand wants done. */
export const chore = job("chore", {
  payload,
  retryDelays: [60, 120],
  run: (run, reach: Reach) => chores.run(run, reach),
})

/** One at a time for each label. */
export const queuedChore = job("chore.queued", {
  payload,
  retryDelays: [60, 120],
  concurrency: { limit: 1, key: ({ label }) => label },
  run: (run, reach: Reach) => chores.run(run, reach),
})

/** Its payload was once a text alone, then had a name. */
export const agedChore = job("chore.aged", {
  payload,
  version: 3,
  upgrade: { 1: (name) => ({ name }), 2: (old) => ({ label: (old as { name: string }).name }) },
  run: (run, reach: Reach) => chores.run(run, reach),
})

export const briefChore = job("chore.brief", {
  payload,
  timeoutSeconds: 0.2,
  retryDelays: [],
  run: (run, reach: Reach) => chores.run(run, reach),
})

export const fixtureJobs = [chore, queuedChore, agedChore, briefChore]

/** Due once a year, so that no test meets it by chance. */
export const fixtureSchedules = [
  schedule("chores.yearly", {
    cron: "0 0 1 1 *",
    timeZone: "Europe/Berlin",
    retryDelays: [60, 120],
    run: ({ payload: { dueAt }, ...run }, reach: Reach) =>
      chores.run({ ...run, payload: { label: `due ${dueAt}` } }, reach),
  }),
]
