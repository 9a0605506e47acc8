import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { listProcesses } from "../dev-processes.ts"
import { type Backend, startBackend } from "./deployment.ts"
import { type Load, load, makeRequest, median, takeTurns } from "./load.ts"

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

/** A backend, and the process of its workerd. */
interface Side {
  readonly backend: Backend
  readonly pid: number
}

export async function printBackground(): Promise<void> {
  const on = await start({ background: true, waiting })
  const off = await start({ background: false, waiting: 0 })
  try {
    console.log(
      `Jobs and metrics on, ${waiting} jobs waiting, against both off: median of ${rounds} rounds of ${2 * slice.seconds} s\n`,
    )
    printRow(["", "on req/s", "off req/s", "ratio", "goal", "least", "most", "CPU ratio"])
    for (const [title, requestsFor] of cases) {
      const run = async (side: Side): Promise<Run> => [side, await requestsFor(side.backend)]
      printRow([title, ...(await compare(await run(on), await run(off)))])
    }
    console.log(
      `\nThen workerd held ${residentMegabytes(on.pid)} MB with both and ${waiting} jobs waiting, ${residentMegabytes(off.pid)} MB with neither.`,
    )
    // The second time shows whether memory that the first took is used again.
    for (let time = 0; time < 2; time++) await printDrain(on)
  } finally {
    await Promise.all([on.backend.stop(), off.backend.stop()])
  }
}

type Run = readonly [side: Side, requests: readonly Buffer[]]

/** The cells of a row. The ratio of CPU per request hardly depends on what else the machine does; it has no goal. */
async function compare(on: Run, off: Run): Promise<string[]> {
  for (const [{ backend }, requests] of [on, off]) {
    await load(backend.url, takeTurns(requests), warmUp)
  }
  const runs = [on, off, off, on]
  const before = [on, off].map(([{ pid }]) => cpuSeconds(pid))
  const answers = [0, 0]
  const speeds: [number, number][] = []
  for (let round = 0; round < rounds; round++) {
    const sums: [number, number] = [0, 0]
    // To and fro, so that whatever else the machine does falls on both.
    for (const run of runs) {
      const side = run === on ? 0 : 1
      const result = await serve(run)
      sums[side] += result.answers / result.seconds / 2
      answers[side] = (answers[side] ?? 0) + result.answers
    }
    speeds.push(sums)
  }
  const cpu = [on, off].map(
    ([{ pid }], side) => (cpuSeconds(pid) - (before[side] ?? 0)) / (answers[side] ?? 0),
  )
  const ratios = speeds.map(([a, b]) => a / b)
  const ratio = (value: number) => (Number.isFinite(value) ? value.toFixed(2) : "-")
  return [
    ...[0, 1].map((side) => `${Math.round(median(speeds.map((pair) => pair[side] as number)))}`),
    ...[median(ratios), goal, Math.min(...ratios), Math.max(...ratios)].map(ratio),
    ratio((cpu[1] ?? 0) / (cpu[0] ?? 0)),
  ]
}

const printRow = ([title = "", ...cells]: readonly string[]): void =>
  console.log(title.padEnd(18) + cells.map((cell) => cell.padStart(10)).join(""))

async function start(what: Parameters<typeof startBackend>[1]): Promise<Side> {
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

async function serve([{ backend }, requests]: Run): Promise<Load> {
  const result = await load(backend.url, takeTurns(requests), slice)
  const wrong = [...result.statuses].filter(([status]) => status > 299)
  if (wrong.length > 0) throw new Error(`Answers ${JSON.stringify(wrong)} were no success.`)
  return result
}

/** Makes all of the jobs due at once, those that have run as well. */
async function printDrain({ backend: { url, database }, pid }: Side): Promise<void> {
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
export function residentMegabytes(pid: number): number {
  const kilobytes = existsSync(`/proc/${pid}/status`)
    ? /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
    : execFileSync("ps", ["-o", "rss=", "-p", `${pid}`], { encoding: "utf8" })
  return Math.round(Number(kilobytes) / 1_024)
}

/** What a process has computed so far; not a number where there is no /proc. The kernel counts hundredths. */
function cpuSeconds(pid: number): number {
  if (!existsSync(`/proc/${pid}/stat`)) return Number.NaN
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) / 100
}
