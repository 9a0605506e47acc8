import type { App } from "../../platform/app.ts"
import { raw, sql } from "../../platform/sql.ts"
import { dayOf } from "./variant-claims.ts"
import { variantKey } from "./variant-keys.ts"

/** Longer than any request takes to make an image: nothing is written after it. */
const begunMilliseconds = 2 * 3_600_000

/** What R2 deletes in one call. */
const sweptVariants = 1_000

/**
 * Deletes the variants of files that are no more, those too that were written when their file had just been deleted: a row
 * stays until nothing can be written any more. Two trips for a thousand, and one for what was counted on former days.
 */
export async function sweepVariants(app: App): Promise<void> {
  await app.db.all(sql`DELETE FROM images_made WHERE day < ${dayOf(app.now())}`)
  const before = new Date(app.now() - begunMilliseconds).toISOString()
  for (let swept = sweptVariants; swept === sweptVariants; ) {
    const rows = await app.db.all(
      sql`SELECT file, name FROM file_variants WHERE fileGone = 1 AND begunAt < ${before} LIMIT ${raw(String(sweptVariants))}`,
    )
    if (rows.length === 0) return
    await app.blobs.delete(rows.map(({ file, name }) => variantKey(file as string, name as string)))
    await app.db.all(
      sql`DELETE FROM file_variants WHERE (file, name) IN (SELECT value ->> 'file', value ->> 'name' FROM json_each(${JSON.stringify(rows)})) AND begunAt < ${before}`,
    )
    swept = rows.length
  }
}
