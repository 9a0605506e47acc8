import { Problem } from "../../platform/problem.ts"
import { raw, sql } from "../../platform/sql.ts"
import { openPosition, sealPosition } from "../changes/position.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import type { HistoryReach } from "./history.ts"
import { imageSource } from "./image.ts"
import { assertReadable } from "./list.ts"
import type { ApiRecord } from "./selection.ts"
import {
  headOfLine,
  isSeenDeleted,
  lineAlias,
  lineColumns,
  lineOf,
  readableFields,
  type VersionHead,
  versionRecord,
} from "./versions.ts"

/** A deleted record: who deleted it, when, and what it last was. */
export interface BinItem extends VersionHead {
  readonly id: string
  readonly record: ApiRecord
}

export interface BinPage {
  /** What was deleted last comes first. */
  readonly items: readonly BinItem[]
  readonly next: string | null
}

/** Deletions that one page looks at, whatever it shows of them. */
const scannedDeletions = 1_000

/**
 * A page of the deleted records that the actor may bring back: of what they last were, the read rule, the delete rule
 * and the create rule hold. One trip.
 *
 * @throws {Problem} `invalid_cursor`, `unauthenticated`, `not_found`
 */
export async function listBin(
  { app, view, collections, collection }: HistoryReach,
  limit: number,
  cursor: string | null,
): Promise<BinPage> {
  assertReadable(view, collection)
  if (collection.rules.delete === null && !view.passes(collection)) {
    throw new Problem(view.actor.kind === "anonymous" ? "unauthenticated" : "not_found")
  }
  const purpose = `bin ${collection.name}`
  const before = cursor === null ? null : openPosition(app, purpose, cursor, "cursor")
  const image = imageSource(collection, lineAlias, null)
  const create = view.writeRule(collection, "create", collection.rules.create)
  const creatable = view.compile(create, image, { next: image, oneRow: true })
  const seen = sql`(${isSeenDeleted(view, collection, image)} AND (${creatable}))`
  const window = sql`SELECT seq FROM changes WHERE subject = ${collection.name} AND kind = 'deleted'${before === null ? raw("") : sql` AND seq < ${before}`} ORDER BY seq DESC LIMIT ${raw(String(scannedDeletions))}`
  const { actor } = view
  const [rows = [], scanned = [], epoch] = await app.db.batch([
    sql`SELECT ${lineColumns(view, collections, collection, seen, image)} FROM (${window}) w JOIN changes c ON c.seq = w.seq WHERE NOT EXISTS (SELECT 1 FROM ${raw(`"${collection.name}"`)} t WHERE t."id" = c.record) AND NOT EXISTS (SELECT 1 FROM changes l WHERE l.subject = c.subject AND l.record = c.record AND l.version > c.version) AND ${seen} ORDER BY c.seq DESC LIMIT ${raw(String(limit + 1))}`,
    sql`SELECT min(seq) AS oldest, count(*) AS count FROM (${window})`,
    ...(actor.kind === "user" ? [epochProbe(actor)] : []),
  ])
  assertEpoch(actor, epoch)
  const lines = rows.map(lineOf)
  const shown = lines.slice(0, limit)
  const end =
    lines.length > limit
      ? shown.at(-1)?.seq
      : scanned[0]?.count === scannedDeletions
        ? (scanned[0].oldest as number)
        : undefined
  return {
    items: shown.map((line) => ({
      id: line.record,
      ...headOfLine(line),
      record: versionRecord(line.image, readableFields(view, collection, line.rights)),
    })),
    next: end === undefined ? null : sealPosition(app, purpose, end),
  }
}
