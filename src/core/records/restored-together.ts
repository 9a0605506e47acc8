import { Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import type { HistoryReach } from "./history.ts"
import type { LinkedCollection } from "./link.ts"
import type { Line } from "./versions.ts"
import { organisationOf } from "./view.ts"

/** As many as one batch takes, with room for its hooks. */
const maxTogether = 100

interface Gone {
  readonly collection: LinkedCollection
  readonly line: Pick<Line, "record" | "version" | "image">
}

/**
 * What went in the same request as a record because it pointed at it, or at what pointed at it: whoever comes first is
 * pointed at by those that follow. What has come back since is left out. One trip.
 *
 * @throws {Problem} `conflict` when there are too many for one batch.
 */
export async function deletedTogether(
  { app, view, collections, collection }: HistoryReach,
  { record, requestId }: Line,
): Promise<Gone[]> {
  const rows = await app.db.all(
    sql`SELECT c.subject, c.record, c.version, c.payload FROM changes c WHERE c.requestId = ${requestId} AND c.kind = 'deleted' AND ${boundary(organisationOf(view.actor))} AND NOT EXISTS (SELECT 1 FROM changes l WHERE l.subject = c.subject AND l.record = c.record AND l.version > c.version) ORDER BY c.seq DESC LIMIT ${raw("2000")}`,
  )
  const candidates = rows.flatMap((row): Gone[] => {
    const of = collections.get(row.subject as string)
    if (!of) return []
    const image = JSON.parse(row.payload as string) as Line["image"]
    return [
      {
        collection: of,
        line: { record: row.record as string, version: row.version as number, image },
      },
    ]
  })
  const back: Gone[] = []
  const reached = new Set([`${collection.name} ${record}`])
  for (let grown = true; grown; ) {
    grown = false
    for (const gone of candidates) {
      const key = keyOf(gone)
      if (reached.has(key) || !targetsOf(gone).some((target) => reached.has(target))) continue
      reached.add(key)
      back.push(gone)
      grown = true
    }
  }
  if (back.length > maxTogether) {
    throw new Problem(
      "conflict",
      `More than ${maxTogether} records went with this one: restore it alone, then those that matter.`,
    )
  }
  return back
}

const boundary = (organisation: string | null): Sql =>
  organisation === null
    ? raw("c.organisation IS NULL")
    : sql`(c.organisation IS NULL OR c.organisation = ${organisation})`

const keyOf = ({ collection, line }: Gone): string => `${collection.name} ${line.record}`

/** What a record pointed at with its own fields. */
const targetsOf = ({ collection, line }: Gone): string[] =>
  [...collection.fields.values()].flatMap((field) => {
    if (field.kind !== "relation" || !field.target) return []
    return [`${field.target.name} ${line.image[field.name]}`]
  })
