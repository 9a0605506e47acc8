import { Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"
import { maxTakenAlong } from "./deletion.ts"
import type { HistoryReach } from "./history.ts"
import type { LinkedCollection } from "./link.ts"
import type { Line } from "./versions.ts"

/** As many as one batch takes, with room for its hooks. */
const maxTogether = 100

/** Of one deletion, at most. */
const lines = maxTakenAlong + 1

interface Gone {
  readonly collection: LinkedCollection
  /** A deletion takes along what points at its record in whatever organisation. */
  readonly organisation: string | null
  readonly line: Pick<Line, "record" | "version" | "image">
}

/**
 * What the deletion of a record took along (`onDelete: "cascade"`), because it pointed at it, or at what pointed at it:
 * whoever comes first is pointed at by those that follow. What has come back since is left out. One trip.
 *
 * @throws {Problem} `conflict` when there are too many for one batch.
 */
export async function deletedTogether(
  { app, collections, collection }: HistoryReach,
  { record, requestId, seq }: Line,
): Promise<Gone[]> {
  // A request may have deleted others too, each with much beside it; the lines of one deletion follow one another.
  const near = sql`c.seq BETWEEN ${seq - lines} AND ${seq + lines}`
  const rows = await app.db.all(
    sql`SELECT c.subject, c.record, c.version, c.organisation, c.payload FROM changes c WHERE c.requestId = ${requestId} AND ${near} AND c.kind = 'deleted' AND c.authority = 'system' AND NOT EXISTS (SELECT 1 FROM changes l WHERE l.subject = c.subject AND l.record = c.record AND l.version > c.version) ORDER BY c.seq DESC`,
  )
  const candidates = rows.flatMap((row): Gone[] => {
    const of = collections.get(row.subject as string)
    if (!of) return []
    const image = JSON.parse(row.payload as string) as Line["image"]
    return [
      {
        collection: of,
        organisation: row.organisation as string | null,
        line: { record: row.record as string, version: row.version as number, image },
      },
    ]
  })
  const own = `${collection.name} ${record}`
  const back = inOrder(own, reachedFrom(own, candidates))
  if (back.length > maxTogether) {
    throw new Problem(
      "conflict",
      `More than ${maxTogether} records went with this one: restore it alone, then those that matter.`,
    )
  }
  return back
}

/** Those that went because of the one that is named. */
function reachedFrom(own: string, candidates: readonly Gone[]): Gone[] {
  const reached = new Set([own])
  const found: Gone[] = []
  for (let grown = true; grown; ) {
    grown = false
    for (const gone of candidates) {
      const key = keyOf(gone)
      if (reached.has(key) || !targetsOf(gone, true).some((target) => reached.has(target))) continue
      reached.add(key)
      found.push(gone)
      grown = true
    }
  }
  return found
}

/** Whoever is pointed at first; those that point at each other in a circle come last, and will be refused. */
function inOrder(own: string, gone: readonly Gone[]): Gone[] {
  const among = new Set(gone.map(keyOf))
  const placed = new Set([own])
  const ordered: Gone[] = []
  for (let rest = gone; rest.length > 0; ) {
    const ready = rest.filter((one) =>
      targetsOf(one, false).every(
        (target) => placed.has(target) || !among.has(target) || target === keyOf(one),
      ),
    )
    const next = ready.length > 0 ? ready : rest
    for (const one of next) placed.add(keyOf(one))
    ordered.push(...next)
    rest = rest.filter((one) => !placed.has(keyOf(one)))
  }
  return ordered
}

const keyOf = ({ collection, line }: Pick<Gone, "collection" | "line">): string =>
  `${collection.name} ${line.record}`

/** What a record pointed at; `binding`: to go when that goes. */
const targetsOf = ({ collection, line }: Gone, binding: boolean): string[] =>
  [...collection.fields.values()].flatMap((field) => {
    if (!field.target || field.kind === "backRelation") return []
    if (binding && field.options.onDelete !== "cascade") return []
    const value = line.image[field.name]
    const ids = Array.isArray(value) ? value : [value]
    return ids.map((id) => `${field.target?.name} ${id}`)
  })
