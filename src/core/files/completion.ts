import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"
import { type Arrived, join } from "./arrived.ts"
import type { Incoming } from "./receiver.ts"
import { reread } from "./reread.ts"
import { settle } from "./uploads.ts"

/**
 * Makes a file of what has arrived whole. Whoever is killed in the middle begins again: each step finds out whether it has
 * been taken. Two trips.
 *
 * @returns false when the upload was given up meanwhile
 * @throws {Problem} `unsupported_media_type` where its destination takes no such files: then it is to be given up
 */
export async function storeArrived(
  app: App,
  arrived: Arrived,
  { id, type, destination }: Incoming,
): Promise<boolean> {
  const [row] = await app.db.all(sql`SELECT state FROM files WHERE id = ${id}`)
  if (row?.state !== "uploading") return row?.state === "stored"
  const { blobs, key, sizeBytes } = arrived
  // Nothing is under the key before all of it is.
  if ((await blobs.sizeOf(key)) === null) await join(arrived)
  const content = await reread(blobs, key, sizeBytes)
  if (!content) throw new Problem("internal", { cause: new Error(`R2 has lost ${key}`) })
  return (await settle(app, id, content, type, destination)) !== null
}
