import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { listProcesses } from "../dev-processes.ts"
import { type Backend, startBackend } from "./deployment.ts"
import { load, makeRequest, median, takeTurns } from "./load.ts"

/*
 * What jobs and metrics cost the requests that do not need them: the same backend with both, and 10,000 jobs waiting,
 * beside one without, in requests a second and in memory. Then all of those jobs at once: how fast, and in how much.
 */

const rows = 10_000
const waiting = 10_000
const rounds = 31
const slice = { connections: 16, seconds: 0.25 }
const warmUp = { ...slice, seconds: 2 }
const goal = 0.95

export async function printBackground(): Promise<void> {
  const { backend: on, pid: pidOn } = await start({ background: true, waiting })
  const { backend: off, pid: pidOff } = await start({ background: false, waiting: 0 })
  try {
    console.log(
      `Jobs and metrics on, ${waiting} jobs waiting, against both off: median of ${rounds} rounds of ${2 * slice.seconds} s\n`,
    )
    console.log("                     on req/s  off req/s    ratio     goal  rounds from to")
    for (const [title, requestsFor] of cases) {
      const [mine, theirs] = [await requestsFor(on), await requestsFor(off)]
      const ratios: number[] = []
      const speeds: [number, number][] = []
      await load(on.url, takeTurns(mine), warmUp)
      await load(off.url, takeTurns(theirs), warmUp)
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
        `${title.padEnd(18)}${cells.map((cell) => `${cell}`.padStart(11)).join("")}${[median(ratios), goal, Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2).padStart(9)).join("")}`,
      )
    }
    console.log(
      `\nThen workerd held ${residentMegabytes(pidOn)} MB with both and ${waiting} jobs waiting, ${residentMegabytes(pidOff)} MB with neither.`,
    )
    // The second time shows whether memory that the first took is used again.
    for (let time = 0; time < 2; time++) await printDrain(on, pidOn)
  } finally {
    await Promise.all([on.stop(), off.stop()])
  }
}

/** A backend, and the process of its workerd. */
async function start(
  what: Parameters<typeof startBackend>[1],
): Promise<{ backend: Backend; pid: number }> {
  const before = workerds()
  const backend = await startBackend(rows, what)
  const pid = workerds().find((pid) => !before.includes(pid))
  if (pid === undefined) throw new Error("No workerd was started.")
  return { backend, pid }
}

/** Those that this process has started. */
const workerds = (): number[] =>
  listProcesses()
    .filter(({ parent, command }) => parent === process.pid && /workerd\S* serve /.test(command))
    .map(({ pid }) => pid)

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

/** Makes all of the jobs due at once, those that have run as well. */
async function printDrain({ url, database }: Backend, pid: number): Promise<void> {
  const before = residentMegabytes(pid)
  await database
    .prepare(
      "UPDATE jobs SET state = 'waiting', finishedAt = NULL, runAt = '2000-01-01T00:00:00.000Z' WHERE name = 'chore'",
    )
    .run()
  const started = performance.now()
  await fetch(`${url}/chores`, { method: "POST" })
  let peak = before
  for (let left = waiting; left > 0; ) {
    await sleep(250)
    peak = Math.max(peak, residentMegabytes(pid))
    const row = await database
      .prepare("SELECT count(*) AS jobs FROM jobs WHERE finishedAt IS NULL")
      .first<{ jobs: number }>()
    left = row?.jobs ?? 0
  }
  const seconds = (performance.now() - started) / 1_000
  console.log(
    `${waiting} jobs due at once: done in ${seconds.toFixed(1)} s, ${Math.round(waiting / seconds)} a second; workerd held ${before} MB before, ${peak} MB at most meanwhile.`,
  )
}

/** From /proc where there is one, as in dev-processes.ts. */
function residentMegabytes(pid: number): number {
  const kilobytes = existsSync(`/proc/${pid}/status`)
    ? /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
    : execFileSync("ps", ["-o", "rss=", "-p", `${pid}`], { encoding: "utf8" })
  return Math.round(Number(kilobytes) / 1_024)
}
