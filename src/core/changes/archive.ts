import type { App } from "../../platform/app.ts"
import type { Bucket } from "../../platform/bucket.ts"
import type { Row } from "../../platform/database.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import {
  type ArchivedLine,
  lineAsRow,
  lineHead,
  linesAsRows,
  lineText,
  readSegment,
  writeSegment,
} from "./segments.ts"

/*
 * Moves lines of the log to R2, and finds them there.
 *
 * What is moved: a line whose record had a later one before the cutoff, and the line of a deletion from before it. So
 * what stood at the cutoff, and everything since, stays in the database; the last line of a record that is there is
 * never moved. How: written to R2, read back, and then, in one batch, named in `archived_changes` and removed from
 * `changes`. A crash before the batch leaves the line in both, and the next run writes the same object again.
 */

/** Lines that one step looks at, and moves at most. */
const walkedLines = 2_000
const movedLines = 1_000
/** A segment is held in memory as a whole. */
const segmentBytes = 4_000_000

export interface Move {
  readonly subject: string
  /** ISO 8601 UTC. */
  readonly cutoff: string
  /** Lines beyond this one somebody still waits for. */
  readonly delivered: number
  /** SQL about `c` that is true of lines which must stay for another reason. */
  readonly held: Sql
}

/** Does a part of it; answers how many lines it moved, and whether there is more. Four trips at most. */
export async function archiveStep(
  app: App,
  bucket: Bucket,
  { subject, cutoff, delivered, held }: Move,
): Promise<{ moved: number; more: boolean }> {
  const from = sql`ifnull((SELECT seq FROM archive_positions WHERE subject = ${subject}), 0)`
  const walked = sql`SELECT seq, at FROM changes WHERE seq > ${from} AND seq <= ${delivered} ORDER BY seq LIMIT ${raw(String(walkedLines))}`
  const [position] = await app.db.all(
    sql`SELECT ${from} AS start, (SELECT max(seq) FROM (${walked}) WHERE seq < ifnull((SELECT min(seq) FROM (${walked}) WHERE at >= ${cutoff}), 9e15)) AS "end"`,
  )
  const { start, end } = position as { start: number; end: number | null }
  if (end === null) return { moved: 0, more: false }
  const lines = await app.db.all(movableLines(subject, start, end, held))
  if (lines.length > 0) await moveLines(app, bucket, lines)
  else await pass(app, subject, end)
  return { moved: lines.length, more: true }
}

/** What the lines of the subject in the stretch have left behind, the oldest first, as much as one segment takes. */
function movableLines(subject: string, start: number, end: number, held: Sql): Sql {
  const passed = sql`SELECT record, max(version) AS latest, max(iif(kind = 'deleted', version, 0)) AS ended FROM changes WHERE seq > ${start} AND seq <= ${end} AND subject = ${subject} GROUP BY record`
  const found = sql`SELECT c.seq, ${lineHead} AS head, c.payload FROM (${passed}) p CROSS JOIN changes c ON c.subject = ${subject} AND c.record = p.record AND (c.version < p.latest OR c.version <= p.ended) WHERE NOT (${held}) ORDER BY c.seq LIMIT ${raw(String(movedLines))}`
  const summed = sql`SELECT *, sum(octet_length(payload)) OVER (ORDER BY seq) AS size FROM (${found})`
  return sql`SELECT seq, head, payload FROM (${summed}) WHERE size - octet_length(payload) < ${segmentBytes} ORDER BY seq`
}

async function moveLines(app: App, bucket: Bucket, rows: readonly Row[]): Promise<void> {
  const seqs = rows.map((row) => row.seq as number)
  const texts = rows.map((row) => lineText(row.head as string, row.payload as string))
  const first = seqs[0] as number
  const segment = await writeSegment(app, bucket, first, seqs.at(-1) as number, texts)
  const { key, sha256, bytes } = segment
  const listed = sql`SELECT value FROM json_each(${JSON.stringify(seqs)})`
  await app.db.batch([
    sql`INSERT INTO change_segments (key, sha256, bytes, lines, createdAt) VALUES (${key}, ${sha256}, ${bytes}, ${seqs.length}, ${new Date(app.now()).toISOString()}) ON CONFLICT (key) DO NOTHING`,
    sql`INSERT INTO archived_changes (seq, subject, record, version, at, organisation, segment) SELECT c.seq, c.subject, c.record, c.version, c.at, c.organisation, (SELECT id FROM change_segments WHERE key = ${key}) FROM changes c WHERE c.seq IN (${listed})`,
    sql`DELETE FROM changes WHERE seq IN (SELECT seq FROM archived_changes WHERE seq IN (${listed}))`,
  ])
}

const pass = (app: App, subject: string, seq: number) =>
  app.db.all(
    sql`INSERT INTO archive_positions (subject, seq) VALUES (${subject}, ${seq}) ON CONFLICT (subject) DO UPDATE SET seq = max(seq, excluded.seq)`,
  )

/** Where a line lies in the archive, as `archivedLines` selects it. */
export interface Place {
  readonly seq: number
  readonly subject: string
  readonly organisation: string | null
  readonly version: number
  readonly key: string
  readonly sha256: string
}

/** Places of archived lines that satisfy `which` (SQL about `c`, with the columns of `archived_changes`). */
export const archivedPlaces = (which: Sql): Sql =>
  sql`SELECT c.seq, c.subject, c.organisation, c.version, s.key, s.sha256 FROM archived_changes c JOIN change_segments s ON s.id = c.segment WHERE ${which}`

/** Segments that one request reads. */
const maxSegments = 8

/**
 * The lines at these places, in their order, up to the first that would take one segment too many.
 *
 * @throws {Problem} `internal` when the archive is not what it was
 */
export async function loadArchived(
  bucket: Bucket | null,
  places: readonly Place[],
): Promise<ArchivedLine[]> {
  const keys = [...new Set(places.map(({ key }) => key))].slice(0, maxSegments)
  const segments = new Map(
    await Promise.all(
      keys.map(async (key) => {
        const place = places.find((one) => one.key === key) as Place
        return [key, await readSegment(bucket, place)] as const
      }),
    ),
  )
  const lines: ArchivedLine[] = []
  for (const { seq, key } of places) {
    const segment = segments.get(key)
    if (!segment) break
    const line = segment.get(seq)
    if (!line) throw new Error(`${key} does not hold line ${seq}`)
    lines.push(line)
  }
  return lines
}

/** Of lines that go back to the database as one parameter. */
const maxCharacters = 500_000

/** The lines as rows, in as many pieces as parameters take. */
export function archivedRows(lines: readonly ArchivedLine[]): Sql[] {
  const pieces: ArchivedLine[][] = []
  let room = 0
  for (const line of lines) {
    const size = JSON.stringify(line).length
    if (room < size || pieces.length === 0) {
      pieces.push([])
      room = maxCharacters
    }
    pieces.at(-1)?.push(line)
    room -= size
  }
  return pieces.map((lines) =>
    lines.length === 1 ? lineAsRow(lines[0] as ArchivedLine) : linesAsRows(lines),
  )
}
