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
}

/** Rows read by each question, for tables of different sizes: they should not grow with these without bounds. */
export async function printRowsRead(): Promise<void> {
  const names = Object.keys(questions)
  console.log(line("Rows read        rows", [...names, "trips"]))
  for (const rows of sizes) {
    const deployment = await startBench(rows)
    try {
      await fillRemarks(deployment.database, rows)
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
