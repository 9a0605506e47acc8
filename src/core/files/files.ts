import type { z } from "zod"
import type { App, UserActor } from "../../platform/app.ts"
import { Refusal, type Row } from "../../platform/database.ts"
import { describeError } from "../../platform/log.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, sql } from "../../platform/sql.ts"
import { refuse } from "../identity/directory-guard.ts"
import { assertEpoch, epochProbe, epochRefusal } from "../identity/epoch.ts"
import { ownFiles } from "./file-rights.ts"
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

/** One of the actor's own. One trip. @throws {Problem} `token_outdated`, `not_found` */
export async function getFile(app: App, actor: UserActor, id: string): Promise<StoredFile> {
  const [epoch, rows] = await app.db.batch([
    epochProbe(actor),
    sql`SELECT ${fileColumns} FROM files WHERE id = ${id} AND ${ownFiles(actor)}`,
  ])
  assertEpoch(actor, epoch)
  return found(rows)
}

/**
 * Any, for whoever has a link to it. One trip. It says no more than its owner may: of an organisation they have left, nothing.
 *
 * @throws {Problem} `not_found`
 */
export const getLinkedFile = async (app: App, id: string): Promise<StoredFile> =>
  found(
    await app.db.all(
      sql`SELECT ${fileColumns} FROM files WHERE id = ${id} AND state = 'stored' AND (organisation IS NULL OR EXISTS (SELECT 1 FROM member_organisations o WHERE o.organisation = files.organisation AND o.member = files.owner))`,
    ),
  )

function found(rows: readonly Row[] | undefined): StoredFile {
  const row = rows?.[0]
  if (!row) throw new Problem("not_found")
  return fileOf(row)
}

/**
 * Deletes one of the actor's own. One trip; the content goes after it, and if that fails, with the sweep.
 *
 * @throws {Problem} `token_outdated`, `not_found`
 */
export async function deleteFile(app: App, actor: UserActor, id: string): Promise<void> {
  const keys = [keyOf(id)]
  try {
    const [, rows, variants] = await app.db.batch([
      refuse("token_outdated", epochRefusal(actor)),
      sql`UPDATE files SET state = 'deleted' WHERE id = ${id} AND ${ownFiles(actor)} RETURNING id`,
      variantsLeft(id),
    ])
    if (!rows?.length) throw new Problem("not_found")
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
