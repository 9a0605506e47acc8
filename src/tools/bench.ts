import { printBackground } from "./bench/background.ts"
import { measureBulk } from "./bench/bulk.ts"
import { type BenchDeployment, startBench } from "./bench/deployment.ts"
import { measureFiles } from "./bench/files.ts"
import { printLargeFile } from "./bench/large-file.ts"
import { type Load, load, makeRequest, median, percentile, takeTurns } from "./bench/load.ts"
import { type Figure, printFigure, printHead } from "./bench/report.ts"
import { printRowsRead } from "./bench/scale.ts"
import { printWebhooks } from "./bench/webhooks.ts"
import { buildPages } from "./build-pages.ts"

/*
 * `npm run bench`: requests a second of the production bundle on workerd, beside a bare handler over the same rows; then
 * what jobs and metrics cost the requests beside them, which `-- --background` prints alone, and webhooks, which `-- --webhooks` does. `-- --json` prints only the
 * figures of the first, `-- --scale` how many rows are read from a thousand to a million, and what a file of 100 MB takes,
 * which `-- --file` prints alone.
 */

interface Case {
  name: string
  title: string
  /** The share of the bare handler's requests a second that we mean to reach. */
  target: number
  ours: readonly Buffer[]
  bare: readonly Buffer[]
  /** The same request for `fetch`, to ask what it costs. */
  probe: [path: string, init?: RequestInit]
}

const rows = 100_000
const rounds = 5
/** A round goes to and fro between the two in slices, so that whatever else the machine does falls on both. */
const slices = 4
const options = { connections: 16, seconds: 0.5 }
const json = process.argv.includes("--json")

// They are part of the bundle that is measured, and a fresh clone has none.
await buildPages()
if (process.argv.includes("--file")) await printLargeFile()
else if (process.argv.includes("--scale")) {
  await printRowsRead()
  await printLargeFile()
} else if (process.argv.includes("--background")) await printBackground()
else if (process.argv.includes("--webhooks")) await printWebhooks()
else await main()

async function main(): Promise<void> {
  const deployment = await startBench(rows)
  try {
    const figures: Figure[] = []
    const cases = await makeCases(deployment)
    if (!json)
      printHead(
        `${rows} rows, ${options.connections} connections, median of ${rounds} rounds of ${slices * options.seconds} s`,
      )
    for (const one of cases) {
      const figure = await measure(deployment, one)
      figures.push(figure)
      if (!json) printFigure(one.title, one.target, figure)
    }
    const bulk = await measureBulk(deployment)
    for (const { title, target, figure } of [...bulk, ...(await measureFiles(deployment))]) {
      figures.push(figure)
      if (!json) printFigure(title, target, figure)
    }
    if (json) console.log(JSON.stringify(figures))
    else await printSaturation(deployment, figures)
  } finally {
    await deployment.stop()
  }
  if (json) return
  console.log()
  await printBackground()
  console.log()
  await printWebhooks()
}

async function makeCases({ database, signIn }: BenchDeployment): Promise<Case[]> {
  const { results } = await database
    .prepare("SELECT id FROM articles WHERE published = 1 ORDER BY random() LIMIT 1000")
    .all<{ id: string }>()
  const paths = results.map(({ id }) => `/records/articles/${id}`)
  const gets = paths.map((path) => makeRequest(path))
  const token = await signIn()
  const headers = { authorization: `Bearer ${token}` }
  const categories = Array.from({ length: 100 }, (_, n) => `c${n}`)
  const list = (category: string) =>
    `/records/articles?filter=${encodeURIComponent(`category = "${category}"`)}&sort=-score&limit=20`
  const note = { title: "A note of the bench", body: "As long as notes are, which is not very." }
  const create = (more: object) =>
    makeRequest("/records/notes", { method: "POST", body: note, ...more })
  return [
    {
      name: "get",
      title: "get, anonymous",
      target: 0.85,
      ours: gets,
      bare: gets,
      probe: [paths[0] as string],
    },
    {
      name: "list",
      title: "list of 20: rule, filter, sort",
      target: 0.8,
      ours: categories.map((category) => makeRequest(list(category))),
      bare: categories.map((category) =>
        makeRequest(`/records/articles?category=${category}&limit=20`),
      ),
      probe: [list("c7")],
    },
    {
      name: "create",
      title: "create, signed in",
      target: 0.6,
      ours: [create({ token })],
      bare: [create({})],
      probe: [
        "/records/notes",
        {
          method: "POST",
          headers: { ...headers, "content-type": "application/json" },
          body: JSON.stringify(note),
        },
      ],
    },
    {
      name: "signedInGet",
      title: "get, signed in",
      target: 0.75,
      ours: paths.map((path) => makeRequest(path, { token })),
      bare: gets,
      probe: [paths[0] as string, { headers }],
    },
  ]
}

async function measure({ ours, bare, probe }: BenchDeployment, one: Case): Promise<Figure> {
  const run = async (origin: string, requests: readonly Buffer[], seconds = options.seconds) => {
    const result = await load(origin, takeTurns(requests), { ...options, seconds })
    assertServed(one, result)
    return result
  }
  // One request first: what it costs, and whether it is served at all.
  const [path, init] = one.probe
  const answer = await fetch(probe + path, init)
  if (!answer.ok) throw new Error(`${one.title}: ${answer.status} ${await answer.text()}`)
  const timing = answer.headers.get("server-timing") ?? ""
  await run(bare, one.bare, 1)
  await run(ours, one.ours, 1)
  const results: { bare: number; ours: number }[] = []
  const latencies: number[] = []
  for (let round = 0; round < rounds; round++) {
    const theirs: Load[] = []
    const mine: Load[] = []
    for (let slice = 0; slice < slices; slice++) {
      theirs.push(await run(bare, one.bare))
      mine.push(await run(ours, one.ours))
    }
    results.push({ bare: perSecond(theirs), ours: perSecond(mine) })
    for (const latency of mine.flatMap((result) => result.latencies)) latencies.push(latency)
  }
  const cost = (name: string) => Number(new RegExp(`${name};desc="(\\d+)"`).exec(timing)?.[1])
  return {
    name: one.name,
    requestsPerSecond: Math.round(median(results.map((result) => result.ours))),
    bareRequestsPerSecond: Math.round(median(results.map((result) => result.bare))),
    ratio: round(median(results.map((result) => result.ours / result.bare)), 2),
    p50Milliseconds: round(percentile(latencies, 0.5), 1),
    p99Milliseconds: round(percentile(latencies, 0.99), 1),
    trips: cost("trips"),
    rowsRead: cost("rows-read"),
  }
}

function perSecond(loads: readonly Load[]): number {
  const sum = (of: (load: Load) => number) => loads.reduce((total, load) => total + of(load), 0)
  return sum((load) => load.answers) / sum((load) => load.seconds)
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

/** A figure of refusals would be worth nothing. */
function assertServed({ title }: Case, { statuses }: Load): void {
  const wrong = [...statuses].filter(([status]) => status < 200 || status > 299)
  if (wrong.length > 0)
    throw new Error(`${title}: answers ${JSON.stringify(wrong)} were no success.`)
}

/** Twice as many creates as the deployment can take: each one that was acknowledged has to be there. */
async function printSaturation(
  { ours, database, signIn }: BenchDeployment,
  figures: readonly Figure[],
): Promise<void> {
  const capacity = figures.find(({ name }) => name === "create")?.requestsPerSecond ?? 500
  const title = "saturation"
  const request = makeRequest("/records/notes", {
    method: "POST",
    token: await signIn(),
    body: { title },
  })
  const seconds = 3
  const offered = capacity * 2
  const { statuses } = await load(ours, () => request, {
    connections: offered,
    seconds,
    requestsPerSecond: offered,
  })
  const row = await database
    .prepare("SELECT count(*) AS stored FROM notes WHERE title = ?")
    .bind(title)
    .first<{ stored: number }>()
  const answers = [...statuses].map(([status, count]) => `${count} × ${status}`).join(", ")
  const acknowledged = statuses.get(201) ?? 0
  console.log(
    `\nTwice saturation, ${offered} creates a second for ${seconds} s: ${answers}; ${row?.stored} stored, ${acknowledged > (row?.stored ?? 0) ? "SOME ACKNOWLEDGED ONES LOST" : "no acknowledged one lost"}.`,
  )
}
