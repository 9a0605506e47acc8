import type { BenchDeployment } from "./deployment.ts"
import { median } from "./load.ts"
import type { Figure } from "./report.ts"

/** A figure with the share of the bare handler's speed that we mean to reach. */
export interface BulkFigure {
  readonly title: string
  readonly target: number
  readonly figure: Figure
}

const importedRows = 20_000
const rounds = 5

/**
 * Whole files, one at a time, each after the same by hand: all published articles as CSV beside a bare select, and notes as
 * CSV beside a bare insert of lines that are JSON already. What comes to a file a second is told as requests a second.
 */
export async function measureBulk(deployment: BenchDeployment): Promise<BulkFigure[]> {
  const { ours, bare, probe, signIn } = deployment
  const authorization = `Bearer ${await signIn()}`
  const bodies = makeBodies()
  const post = (type: string, body: string): RequestInit => ({
    method: "POST",
    body,
    headers: { authorization, "content-type": type },
  })
  const csv = post("text/csv", bodies.csv)
  return [
    {
      title: "export of all, CSV (files)",
      target: 0.3,
      figure: await measure("export", {
        ours: () => run(`${ours}/records/articles/export?format=csv`),
        bare: () => run(`${bare}/records/articles/export`),
        probe: () => run(`${probe}/records/articles/export?format=csv`),
      }),
    },
    {
      title: `import of ${importedRows / 1_000}k, CSV (files)`,
      target: 0.3,
      figure: await measure("import", {
        ours: () => run(`${ours}/records/notes/import`, csv),
        bare: () =>
          run(`${bare}/records/notes/import`, post("application/x-ndjson", bodies.ndjson)),
        probe: () => run(`${probe}/records/notes/import`, csv),
      }),
    },
  ]
}

function makeBodies(): { csv: string; ndjson: string } {
  const rows = Array.from({ length: importedRows }, (_, n) => ({
    title: `Note ${n} of the bench`,
    body: "As long as notes are, which is not very, but for a comma.",
  }))
  const lines = rows.map(({ title, body }) => `${title},"${body}"`)
  return {
    csv: `title,body\r\n${lines.join("\r\n")}\r\n`,
    ndjson: rows.map((row) => JSON.stringify(row)).join("\n"),
  }
}

export interface Ran {
  readonly seconds: number
  readonly timing: string
}

/** To the last byte. */
async function run(url: string, init?: RequestInit): Promise<Ran> {
  const started = performance.now()
  const response = await fetch(url, init)
  const bytes = (await response.arrayBuffer()).byteLength
  if (!response.ok || bytes === 0) throw new Error(`${url} answered ${response.status}`)
  const timing = response.headers.get("server-timing") ?? ""
  return { seconds: (performance.now() - started) / 1_000, timing }
}

/** Whole files, each after the same by hand. */
export async function measure(
  name: string,
  sides: Record<"ours" | "bare" | "probe", () => Promise<Ran>>,
): Promise<Figure> {
  const { timing } = await sides.probe()
  await sides.bare()
  const results: { ours: number; bare: number }[] = []
  for (let round = 0; round < rounds; round++) {
    const bare = (await sides.bare()).seconds
    results.push({ bare, ours: (await sides.ours()).seconds })
  }
  const round = (value: number, digits: number) => Number(value.toFixed(digits))
  const cost = (figure: string) => Number(new RegExp(`${figure};desc="(\\d+)"`).exec(timing)?.[1])
  const seconds = results.map(({ ours }) => ours)
  return {
    name,
    requestsPerSecond: round(1 / median(seconds), 2),
    bareRequestsPerSecond: round(1 / median(results.map(({ bare }) => bare)), 2),
    ratio: round(median(results.map(({ ours, bare }) => bare / ours)), 2),
    p50Milliseconds: Math.round(median(seconds) * 1_000),
    p99Milliseconds: Math.round(Math.max(...seconds) * 1_000),
    trips: cost("trips"),
    rowsRead: cost("rows-read"),
  }
}
