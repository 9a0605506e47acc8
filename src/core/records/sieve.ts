import { raw, type Sql, sql } from "../../platform/sql.ts"

/*
 * A batch that finds all that is refused of a list of writes, in one trip, by writing what is not: each write is judged
 * after those before it that go through, as it would be if they came one by one. Its guards keep what they object to in
 * `sifted`, instead of aborting, and a write that is objected to does nothing. At the end all of it is undone, and the
 * message of the abort carries the refusals out. No I/O.
 */

/** Where an operation stands in such a batch. */
export interface Sieve {
  /** Position of its draft in the list. */
  readonly at: number
  /** True where an earlier operation of the same draft may have written: what follows cannot be judged any more. */
  readonly halts: boolean
}

/** True while nothing speaks against the draft, nor has halted the judgement. */
export const passes = ({ at }: Sieve): Sql =>
  raw(`NOT EXISTS (SELECT 1 FROM sifted WHERE place = ${at} OR halts = 1)`)

/** A guard in a sieve: the first objection to a draft is kept, and nothing is aborted. */
export const kept = (sieve: Sieve, found: Sql): Sql =>
  sql`INSERT OR IGNORE INTO sifted (place, halts, refusal) SELECT ${raw(`${sieve.at}, ${sieve.halts ? 1 : 0}`)}, refusal FROM (${found} LIMIT 1) WHERE ${passes(sieve)}`

/** The id, or null where the draft is refused: then what is written under it finds nothing. */
export const unlessRefused = (sieve: Sieve | null, id: string): Sql =>
  sieve ? sql`(SELECT ${id} WHERE ${passes(sieve)})` : sql`${id}`

/** For a WHERE. */
export const andPasses = (sieve: Sieve | null): Sql =>
  sieve ? sql` AND ${passes(sieve)}` : raw("")

/** Ends the batch, and tells. */
export const tell: Sql = raw(
  "INSERT INTO refusals SELECT 'refused|0|sifted|' || ifnull(group_concat(place || '/' || halts || '/' || replace(refusal, '|', '/'), ';'), '') || '|' FROM (SELECT place, halts, refusal FROM sifted ORDER BY place)",
)

export interface Sifted {
  readonly at: number
  /** True where nothing behind it has been judged. */
  readonly halts: boolean
  readonly outcome: string
  readonly detail: string
}

/** What a sieve told, by position. A message that was cut off tells less, and is asked again. */
export const parseSifted = (detail: string): Sifted[] =>
  detail.split(";").flatMap((one) => {
    const [at, halts, , , outcome, field, end] = one.split("/")
    if (!outcome || end === undefined) return []
    return [{ at: Number(at), halts: halts === "1", outcome, detail: field ?? "" }]
  })
