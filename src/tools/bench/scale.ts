import { type BenchDeployment, fillRemarks, startBench } from "./deployment.ts"

const sizes = [1_000, 10_000, 100_000, 1_000_000]

/** How deep the deep page lies. */
const depth = 0.9

/** What is asked of tables of each size. */
const questions: Readonly<
  Record<string, (deployment: BenchDeployment, rows: number) => Promise<Cost>>
> = {
  get: (deployment, rows) => costOf(deployment, `/records/articles/${idOf(rows - 1)}`),
  list: (deployment) => costOf(deployment, `/records/articles?${filtered}&limit=20`),
  "deep page": costOfDeepPage,
  // A thousandth of the records has the one word, all of them the other.
  search: (deployment) => costOf(deployment, "/records/remarks?search=word7%20&limit=20"),
  "of all": (deployment) => costOf(deployment, "/search?q=remark&collections=remarks&limit=20"),
  "expand 50": (deployment) =>
    costOf(deployment, "/records/articles?expand=remarks.article&limit=50"),
  near: (deployment) => costOf(deployment, `/records/sightings?${near}&limit=20`),
  // An aggregate has to read what it adds up: a hundredth of the sightings, and all of them.
  "year's 12": (deployment) => costOf(deployment, `${byMonth}&${year}`),
  "all months": (deployment) => costOf(deployment, byMonth),
}

/** Rows read by each question, for tables of different sizes: they should not grow with these without bounds. */
export async function printRowsRead(): Promise<void> {
  const names = Object.keys(questions)
  console.log(line("Rows read        rows", [...names, "trips"]))
  for (const rows of sizes) {
    const deployment = await startBench(rows)
    try {
      await fillRemarks(deployment.database, rows)
      await fillSightings(deployment.database, rows)
      const costs: Cost[] = []
      for (const ask of Object.values(questions)) costs.push(await ask(deployment, rows))
      const trips = Math.max(...costs.map((cost) => cost.trips))
      console.log(line(String(rows), [...costs.map((cost) => cost.rowsRead), trips]))
    } finally {
      await deployment.stop()
    }
  }
}

const line = (head: string, cells: readonly (string | number)[]): string =>
  head.padStart(21) + cells.map((cell) => String(cell).padStart(11)).join("")

/** All over the globe and over a hundred years. */
async function fillSightings(database: D1Database, rows: number): Promise<void> {
  for (let at = 0; at < rows; at += fillRows) {
    await database
      .prepare(
        `WITH RECURSIVE n (n) AS (SELECT CAST(?1 AS INTEGER) UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?2)
INSERT INTO sightings (id, version, createdAt, updatedAt, seenOn, location, animals)
SELECT printf('01900000-0000-7000-8000-%012x', n), 1, ?3, ?3, date('1926-01-01', ((n * 7919) % 36500) || ' days'),
  json_object('latitude', (n * 104729) % 180000 / 1000.0 - 90, 'longitude', (n * 1299709) % 360000 / 1000.0 - 180), n % 9
FROM n`,
      )
      .bind(at, Math.min(at + fillRows, rows), new Date().toISOString())
      .run()
  }
  await database.prepare("PRAGMA optimize").run()
}

const fillRows = 100_000
const near = `filter=${encodeURIComponent("distance(location, 52.52, 13.405) < 50000")}`
const byMonth = `/records/sightings/aggregate?group=${encodeURIComponent("month(seenOn)")}&measure=count,sum(animals)`
const year = `filter=${encodeURIComponent('seenOn >= "2025-01-01" && seenOn < "2026-01-01"')}`

const filtered = `filter=${encodeURIComponent('category = "c7"')}&sort=-score`

const idOf = (row: number): string =>
  `01900000-0000-7000-8000-${row.toString(16).padStart(12, "0")}`

interface Cost {
  trips: number
  rowsRead: number
  next: string | null
}

async function costOf({ probe }: BenchDeployment, path: string): Promise<Cost> {
  const response = await fetch(probe + path)
  if (!response.ok) throw new Error(`${path} answered ${response.status} ${await response.text()}`)
  const timing = response.headers.get("server-timing") ?? ""
  const { next = null } = (await response.json()) as { next?: string | null }
  const figure = (name: string) => Number(new RegExp(`${name};desc="(\\d+)"`).exec(timing)?.[1])
  return { trips: figure("trips"), rowsRead: figure("rows-read"), next }
}

/** Walks there as a caller would, in pages of 200. */
async function costOfDeepPage(deployment: BenchDeployment, rows: number): Promise<Cost> {
  const path = "/records/articles?sort=-score"
  let cursor = ""
  for (let seen = 0; seen < rows * depth * 0.9; seen += 200) {
    const { next } = await costOf(deployment, `${path}&limit=200${cursor}`)
    if (next === null) break
    cursor = `&cursor=${encodeURIComponent(next)}`
  }
  return costOf(deployment, `${path}&limit=20${cursor}`)
}
