import type { z } from "zod"
import type { Actor, App, UserActor } from "../../platform/app.ts"
import { Refusal, type Row } from "../../platform/database.ts"
import { describeError } from "../../platform/log.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, sql } from "../../platform/sql.ts"
import { refuse } from "../identity/directory-guard.ts"
import { assertEpoch, epochProbe, epochRefusal } from "../identity/epoch.ts"
import { fileHolders, isHeld, ownFiles } from "../records/file-records.ts"
import type { LinkedCollections } from "../records/link.ts"
import { holdingRecords } from "./file-rights.ts"
import type { file } from "./schema.ts"
import { variantKeys, variantsLeft } from "./variant-keys.ts"

export type StoredFile = z.output<typeof file>

export const fileColumns = raw("id, name, type, size, sha256, width, height, createdAt, scan")

export const fileOf = (row: Row): StoredFile => ({
  id: row.id as string,
  name: row.name as string,
  type: row.type as string,
  sizeBytes: row.size as number,
  sha256: row.sha256 as string,
  width: row.width as number | null,
  height: row.height as number | null,
  createdAt: row.createdAt as string,
  scan: row.scan as StoredFile["scan"],
})

/** Where the content of a file lies. */
export const keyOf = (id: string): string => `files/${id}`

/** The actor's own, the newest first. One trip. @throws {Problem} `token_outdated` */
export async function listFiles(
  app: App,
  actor: UserActor,
  { limit, cursor }: { limit: number; cursor: string | null },
): Promise<Page<StoredFile>> {
  const before = cursor === null ? raw("1") : sql`id < ${cursor}`
  const [epoch, rows = []] = await app.db.batch([
    epochProbe(actor),
    sql`SELECT ${fileColumns} FROM files WHERE ${ownFiles(actor)} AND ${before} ORDER BY id DESC LIMIT CAST(${limit + 1} AS INTEGER)`,
  ])
  assertEpoch(actor, epoch)
  return pageOf(rows.map(fileOf), limit)
}

/** A file as somebody finds it who may read it. */
export interface FoundFile {
  readonly file: StoredFile
  /** Whether everybody may, whoever they are. */
  readonly open: boolean
}

/**
 * One of the actor's own, or that a record holds which they may read. One trip.
 *
 * @throws {Problem} `token_outdated`; `not_found`, and to those who have not said who they are, `unauthenticated`
 */
export async function getFile(
  app: App,
  actor: Actor,
  collections: LinkedCollections,
  id: string,
): Promise<FoundFile> {
  const [rows, epoch, ...records] = await app.db.batch([
    sql`SELECT ${fileColumns}, (${ownFiles(actor)}) AS own FROM files WHERE id = ${id} AND state = 'stored'`,
    actor.kind === "user" ? epochProbe(actor) : raw("SELECT NULL AS epoch"),
    ...holdingRecords(app, actor, collections, id),
  ])
  assertEpoch(actor, epoch)
  const [row] = rows ?? []
  const holding = records.flat()
  if (!row || (row.own !== 1 && holding.length === 0)) {
    throw new Problem(actor.kind === "anonymous" ? "unauthenticated" : "not_found")
  }
  return { file: fileOf(row), open: holding.some(({ open }) => open === 1) }
}

/**
 * Any, for whoever has a link to it. One trip. Of an organisation that its owner has left it says nothing, unless a record
 * holds it.
 *
 * @throws {Problem} `not_found`
 */
export async function getLinkedFile(
  app: App,
  collections: LinkedCollections,
  id: string,
): Promise<StoredFile> {
  const held = isHeld(fileHolders(collections.values()), raw("files.id"))
  const [row] = await app.db.all(
    sql`SELECT ${fileColumns} FROM files WHERE id = ${id} AND state = 'stored' AND (organisation IS NULL OR EXISTS (SELECT 1 FROM member_organisations o WHERE o.organisation = files.organisation AND o.member = files.owner) OR ${held})`,
  )
  if (!row) throw new Problem("not_found")
  return fileOf(row)
}

/**
 * Deletes one of the actor's own that no record holds. One trip; the content goes after it, and if that fails, with the sweep.
 *
 * @throws {Problem} `token_outdated`, `not_found`; `conflict` that names the record, if the actor may read it
 */
export async function deleteFile(
  app: App,
  actor: UserActor,
  collections: LinkedCollections,
  id: string,
): Promise<void> {
  const held = isHeld(fileHolders(collections.values()), raw("files.id"))
  const keys = [keyOf(id)]
  try {
    const [, gone, left, variants, ...records] = await app.db.batch([
      refuse("token_outdated", epochRefusal(actor)),
      // While its address may be used, it counts.
      sql`UPDATE files SET state = 'deleted', directUntil = CASE WHEN directUntil > ${new Date(app.now()).toISOString()} THEN directUntil END WHERE id = ${id} AND ${ownFiles(actor)} AND NOT ${held} RETURNING id`,
      sql`SELECT id FROM files WHERE id = ${id} AND ${ownFiles(actor)}`,
      variantsLeft(id),
      ...holdingRecords(app, actor, collections, id),
    ])
    if (!gone?.length) throw left?.length ? heldBy(records.flat()) : new Problem("not_found")
    keys.push(...variantKeys(id, variants))
  } catch (error) {
    if (error instanceof Refusal && error.outcome === "token_outdated") {
      throw new Problem("token_outdated")
    }
    throw error
  }
  app.waitUntil(
    app.blobs.delete(keys).catch((error: unknown) => {
      app.log("warn", "a deletion is left to the sweep", { file: id, error: describeError(error) })
    }),
  )
}

const heldBy = ([record]: readonly Row[]): Problem =>
  new Problem(
    "conflict",
    record
      ? `The record ${record.id} of "${record.collection}" holds it: give that another, or delete it.`
      : "A record holds it.",
  )
