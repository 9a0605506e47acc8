import { type BenchDeployment, startBench } from "./deployment.ts"

const sizes = [1_000, 10_000, 100_000, 1_000_000]

/** How deep the deep page lies. */
const depth = 0.9

/** Rows read by a get, a first page and a deep page, for tables of different sizes: they should not grow. */
export async function printRowsRead(): Promise<void> {
  console.log("Rows read        rows      get     list   deep page   trips")
  for (const rows of sizes) {
    const deployment = await startBench(rows)
    try {
      const costs = [
        await costOf(deployment, `/records/articles/${idOf(rows - 1)}`),
        await costOf(deployment, `/records/articles?${filtered}&limit=20`),
        await costOfDeepPage(deployment, rows),
      ]
      const trips = Math.max(...costs.map((cost) => cost.trips))
      const cells = [rows, ...costs.map((cost) => cost.rowsRead)].map(String)
      const [size = "", get = "", list = "", deep = ""] = cells
      console.log(
        `          ${size.padStart(11)} ${get.padStart(8)} ${list.padStart(8)} ${deep.padStart(11)} ${String(trips).padStart(7)}`,
      )
    } finally {
      await deployment.stop()
    }
  }
}

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
