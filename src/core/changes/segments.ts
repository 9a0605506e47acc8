import { Buffer } from "node:buffer"
import type { App } from "../../platform/app.ts"
import type { Bucket } from "../../platform/bucket.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"

/*
 * Lines of the log that have left the database for R2. A segment is one object of NDJSON: a line of the log each, with
 * all its columns, `payload` as the very text that it was. Its key is made of what it holds, so that writing it again
 * writes the same. `archived_changes` says which segment holds a line; `change_segments` what the segment's bytes are.
 */

/** The columns of a line, in the order of the table. */
const columns = [
  "seq",
  "id",
  "at",
  "actor",
  "organisation",
  "subject",
  "record",
  "version",
  "kind",
  "authority",
  "requestId",
  "salt",
  "payload",
  "impersonator",
] as const

const headColumns = columns.filter((name) => name !== "payload")

/** SQL for the line `c` as JSON, without its payload: text within text is escaped twice, and a row has 2 MB at most. */
export const lineHead: Sql = raw(
  `json_object(${headColumns.map((name) => `'${name}', c.${name}`).join(", ")})`,
)

/** A line as it stands in a segment. */
export const lineText = (head: string, payload: string): string =>
  `${head.slice(0, -1)},"payload":${JSON.stringify(payload)}}`

/** A line of a segment. */
export type ArchivedLine = Readonly<Record<(typeof columns)[number], string | number | null>>

/** Rows of lines that were read from segments, with the columns of `changes`; at most 1 MB of them a statement. */
export const linesAsRows = (lines: readonly ArchivedLine[]): Sql =>
  sql`(SELECT ${selected(columns)} FROM json_each(${JSON.stringify(lines)}))`

/** One line whose payload may be as long as any: a parameter of its own, which no JSON escapes once more. */
export const lineAsRow = ({ payload, ...head }: ArchivedLine): Sql =>
  sql`(SELECT ${selected(headColumns)}, ${payload} AS payload FROM json_each(${JSON.stringify([head])}))`

const selected = (names: readonly string[]): Sql =>
  raw(names.map((name) => `value ->> '${name}' AS ${name}`).join(", "))

export interface Segment {
  readonly key: string
  /** SHA-256 of its bytes, hex. */
  readonly sha256: string
  readonly bytes: number
}

/**
 * Writes lines (JSON texts, by `seq`) to a segment, reads it back, and answers only when all of it is there.
 *
 * @throws {Error} when what is there is not what was written
 */
export async function writeSegment(
  { db }: App,
  bucket: Bucket,
  first: number,
  last: number,
  lines: readonly string[],
): Promise<Segment> {
  const bytes = Buffer.from(`${lines.join("\n")}\n`)
  const sha256 = await sha256Of(bytes)
  const key = `changes/${db.name}/${first}-${last}-${sha256.slice(0, 16)}.ndjson`
  await bucket.put(key, bytes, sha256)
  const stored = await bucket.get(key)
  if (!stored || (await sha256Of(stored)) !== sha256)
    throw new Error(`${key} is not in the archive`)
  return { key, sha256, bytes: bytes.length }
}

/**
 * The lines of a segment, by `seq`.
 *
 * @throws {Problem} `internal` when it is not there, or not what it was: that is told to administrators, in the log.
 */
export async function readSegment(
  bucket: Bucket | null,
  { key, sha256 }: Pick<Segment, "key" | "sha256">,
): Promise<Map<number, ArchivedLine>> {
  const bytes = await bucket?.get(key)
  if (!bytes || (await sha256Of(bytes)) !== sha256) {
    const cause = new Error(`${key} is ${bytes ? "not what was archived" : "not in the archive"}`)
    throw new Problem("internal", { cause })
  }
  const lines = new TextDecoder().decode(bytes).trimEnd().split("\n")
  return new Map(
    lines.map((text) => {
      const line = JSON.parse(text) as ArchivedLine
      return [line.seq as number, line]
    }),
  )
}

async function sha256Of(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(bytes))).toString("hex")
}
