import type { Plan } from "./plan.ts"

/* What a plan and its figures mean, and what to do about it. Pure. */

/** Something that is asked of a collection, and what it cost on the data at hand. */
export interface Explained {
  readonly collection: string
  /** As a person would say it: `list sort=-imdbRating`, `update rule`. */
  readonly title: string
  readonly persona: string
  /** The plan of what finds the records, without that of counting them. */
  readonly plan: Plan
  /** Rows that D1 read and would bill, without those of counting them. */
  readonly rowsRead: number
  /** Rows that `count=exact` read besides; null when nobody counts. */
  readonly rowsCounted: number | null
  /** At most so many records are answered. */
  readonly limit: number
  /** Own fields that are compared for equality, and those that are sorted by, `-` for descending. */
  readonly wanted: { readonly equal: readonly string[]; readonly sort: readonly string[] } | null
}

export interface Finding {
  /** `scan` grows with the table, and fails a build; `note` is to be known. */
  readonly kind: "scan" | "note"
  readonly text: string
}

/** From here on a table is large: to read all of it, for each request, is a mistake. */
export const largeTableRows = 1_000

/**
 * What is wrong with how a question is answered. `rowsOf` answers how many rows a table has.
 *
 * A scan is fine where it ends early, as in the order of an index: what counts is how many rows it read.
 */
export function judge(explained: Explained, rowsOf: (table: string) => number): Finding[] {
  const { plan, rowsRead, rowsCounted, limit, collection } = explained
  const findings: Finding[] = []
  const own = rowsOf(collection)
  for (const { table, index } of plan.scans) {
    const rows = rowsOf(table)
    const whole =
      index === null ? rowsRead >= rows : rowsRead > 10 * (limit + 1) && rowsRead >= rows / 2
    if (!whole || rows === 0) continue
    const now = `reads ${rowsRead.toLocaleString("en")} rows, with ${rows.toLocaleString("en")} in ${table}`
    findings.push(
      rows >= largeTableRows
        ? { kind: "scan", text: `${now}: a full scan. ${mendOf(explained, table)}` }
        : {
            kind: "note",
            text: `${now}: a full scan, which grows with it. ${mendOf(explained, table)}`,
          },
    )
  }
  for (const table of plan.automatic) {
    findings.push({
      kind: rowsOf(table) >= largeTableRows ? "scan" : "note",
      text: `makes an index over ${table} for each request and throws it away. ${mendOf(explained, table)}`,
    })
  }
  if (plan.sorts && findings.length === 0 && rowsRead > 10 * (limit + 1)) {
    findings.push({
      kind: rowsRead >= own / 2 && own >= largeTableRows ? "scan" : "note",
      text: `sorts ${rowsRead.toLocaleString("en")} rows before it answers the first. ${mendOf(explained, collection)}`,
    })
  }
  if (rowsCounted !== null && rowsCounted >= largeTableRows) {
    findings.push({
      kind: "note",
      text: `count=exact reads ${rowsCounted.toLocaleString("en")} rows more, each time: ask for it once, not a page.`,
    })
  }
  return findings
}

/** The line to add to the collection, where it follows from what was asked. */
function mendOf({ wanted, collection }: Explained, table: string): string {
  if (table !== collection || !wanted)
    return `See that the rule or filter reaches ${table} by a relation or an indexed field.`
  const columns = [...new Set([...wanted.equal, ...wanted.sort])]
  if (columns.length === 0) return "Compare an indexed field, or sort by one."
  const entry =
    columns.length === 1
      ? JSON.stringify(columns[0])
      : `[${columns.map((name) => JSON.stringify(name)).join(", ")}]`
  return `Add to indexes of "${collection}": ${entry}`
}

/** Indexes that cost a row at each write, and that nothing asked for. */
export const unusedIndexes = (declared: readonly string[], used: ReadonlySet<string>): string[] =>
  declared.filter((name) => !used.has(name))
