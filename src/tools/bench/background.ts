import { execFileSync } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import { type Backend, startBackend } from "./deployment.ts"
import { load, makeRequest, median, takeTurns } from "./load.ts"

/*
 * What jobs and metrics cost the requests that do not need them: the same backend with both, and 10,000 jobs waiting,
 * beside one without. Then all of those jobs at once: how fast, and in how much memory.
 */

const rows = 10_000
const waiting = 10_000
const rounds = 9
const slice = { connections: 16, seconds: 0.5 }
const goal = 0.95

export async function printBackground(): Promise<void> {
  const on = await startBackend(rows, { background: true, waiting })
  const off = await startBackend(rows, { background: false, waiting: 0 })
  try {
    console.log(
      `Jobs and metrics on, ${waiting} jobs waiting, against both off: median of ${rounds} rounds\n`,
    )
    console.log("                     on req/s  off req/s    ratio     goal")
    for (const [title, requestsFor] of cases) {
      const [mine, theirs] = [await requestsFor(on), await requestsFor(off)]
      const ratios: number[] = []
      const speeds: [number, number][] = []
      await Promise.all([
        load(on.url, takeTurns(mine), slice),
        load(off.url, takeTurns(theirs), slice),
      ])
      for (let round = 0; round < rounds; round++) {
        // To and fro, so that whatever else the machine does falls on both.
        const first = await perSecond(on, mine)
        const middle = [await perSecond(off, theirs), await perSecond(off, theirs)]
        const last = await perSecond(on, mine)
        const [a, b] = [(first + last) / 2, ((middle[0] as number) + (middle[1] as number)) / 2]
        speeds.push([a, b])
        ratios.push(a / b)
      }
      const cells = [0, 1].map((i) => Math.round(median(speeds.map((pair) => pair[i] as number))))
      console.log(
        `${title.padEnd(18)}${cells.map((cell) => `${cell}`.padStart(11)).join("")}${median(ratios).toFixed(2).padStart(9)}${goal.toFixed(2).padStart(9)}`,
      )
    }
    await printDrain(on)
  } finally {
    await Promise.all([on.stop(), off.stop()])
  }
}

const cases: [string, (backend: Backend) => Promise<Buffer[]>][] = [
  [
    "get, anonymous",
    async ({ database }) => {
      const { results } = await database
        .prepare("SELECT id FROM articles WHERE published = 1 LIMIT 1000")
        .all<{ id: string }>()
      return results.map(({ id }) => makeRequest(`/records/articles/${id}`))
    },
  ],
  [
    "create, signed in",
    async (backend) => {
      const token = await backend.signIn()
      return [makeRequest("/records/notes", { method: "POST", token, body: { title: "A note" } })]
    },
  ],
]

async function perSecond({ url }: Backend, requests: readonly Buffer[]): Promise<number> {
  const { answers, seconds, statuses } = await load(url, takeTurns(requests), slice)
  const wrong = [...statuses].filter(([status]) => status > 299)
  if (wrong.length > 0) throw new Error(`Answers ${JSON.stringify(wrong)} were no success.`)
  return answers / seconds
}

/** Makes all of the waiting jobs due at once. */
async function printDrain({ url, database }: Backend): Promise<void> {
  const before = residentMegabytes()
  await database
    .prepare("UPDATE jobs SET runAt = '2000-01-01T00:00:00.000Z' WHERE state = 'waiting'")
    .run()
  const started = performance.now()
  await fetch(`${url}/chores`, { method: "POST" })
  let peak = before
  for (let left = waiting; left > 0; ) {
    await sleep(250)
    peak = Math.max(peak, residentMegabytes())
    const row = await database
      .prepare("SELECT count(*) AS jobs FROM jobs WHERE finishedAt IS NULL")
      .first<{ jobs: number }>()
    left = row?.jobs ?? 0
  }
  const seconds = (performance.now() - started) / 1_000
  console.log(
    `\n${waiting} jobs due at once: done in ${seconds.toFixed(1)} s, ${Math.round(waiting / seconds)} a second; workerd held ${before} MB before, ${peak} MB at most meanwhile.`,
  )
}

/** Of the workerd processes that this one has started. */
function residentMegabytes(): number {
  const processes = execFileSync("ps", ["-A", "-o", "ppid=,rss=,comm="], { encoding: "utf8" })
  const sizes = processes
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([parent, , name]) => Number(parent) === process.pid && name?.startsWith("workerd"))
    .map(([, size]) => Number(size))
  return Math.round(Math.max(0, ...sizes) / 1_024)
}
