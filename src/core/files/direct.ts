import type { App, UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { describeError } from "../../platform/log.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { assertMayArrive, type Destination } from "./destinations.ts"
import { fileColumns, fileOf, keyOf, type StoredFile } from "./files.ts"
import { presign } from "./presign.ts"
import { reread } from "./reread.ts"
import { reserve, settle } from "./uploads.ts"

/*
 * Files that go to R2 without passing through the Worker: it reserves room and signs an address, the client puts the content
 * there, and says so; then the Worker reads what has come. The signature covers the length, and `If-None-Match: *`, so that
 * nothing is ever put in the place of what has been looked at. Until the address is of no use any more, the row stays, also
 * of what is deleted, and counts: whatever somebody puts there all the same is found by the sweep.
 */

/** Of an address. */
const addressSeconds = 3_600

/** For a request that began in time to end, and for its end to be told. */
const completionMilliseconds = 24 * 3_600_000

/** What S3 takes in one request. */
const maxPutBytes = 5_000_000_000

export interface DirectUpload {
  /** Of the file that it becomes. */
  readonly id: string
  readonly method: "PUT"
  readonly url: string
  /** To be sent with it, beside the length, which browsers tell by themselves. */
  readonly headers: Readonly<Record<string, string>>
  readonly expiresAt: string
}

interface NewDirectUpload {
  readonly name: string
  readonly type: string | undefined
  readonly sizeBytes: number
  readonly sha256?: string | undefined
  readonly destination: Destination | null
}

/**
 * Reserves room for a file, and says where to put it. One trip.
 *
 * @throws {Problem} `forbidden` where the deployment has no keys for it; `payload_too_large`,
 * `unsupported_media_type`, `quota_exceeded`, `token_outdated`
 */
export async function beginDirectUpload(
  app: App,
  actor: UserActor,
  upload: NewDirectUpload,
): Promise<DirectUpload> {
  const { direct } = app.settings.files
  if (!direct) throw new Problem("forbidden", "This deployment takes no files directly at R2.")
  if (upload.sizeBytes > maxPutBytes) {
    throw new Problem("payload_too_large", `A file may have ${maxPutBytes} bytes at most.`)
  }
  if (upload.destination) assertMayArrive(upload.destination, upload)
  const id = app.newId()
  await reserve(app, actor, id, {
    ...upload,
    type: upload.type,
    directUntil: app.now() + completionMilliseconds,
  })
  const headers = { "if-none-match": "*" }
  const url = presign({
    ...direct,
    method: "PUT",
    url: `${direct.endpoint}/${direct.bucket}/${keyOf(id)}`,
    headers: { ...headers, "content-length": String(upload.sizeBytes) },
    region: "auto",
    now: app.now(),
    expiresSeconds: addressSeconds,
  })
  const expiresAt = new Date(app.now() + addressSeconds * 1_000).toISOString()
  return { id, method: "PUT", url, headers, expiresAt }
}

/**
 * Reads what was put there, and makes a file of it; of one that is there already, however it came, nothing more. Two trips.
 *
 * @throws {Problem} `token_outdated`, `not_found`; `conflict` while there is nothing; `invalid_input` for content that has
 * another SHA-256 than was said, `unsupported_media_type` where its destination takes no such files: then it is gone
 */
export async function completeDirectUpload(
  app: App,
  actor: UserActor,
  id: string,
  named: (destination: string) => Destination,
): Promise<StoredFile> {
  const row = await findUpload(app, actor, id)
  if (row.state === "stored") return fileOf(row)
  const { size, type, sha256 } = row as { size: number; type: string; sha256: string | null }
  const found = await app.blobs.sizeOf(keyOf(id))
  if (found === null) throw new Problem("conflict", "Nothing has been put there yet.")
  const content = found === size ? await reread(app.blobs, keyOf(id), size) : null
  const isIt = content !== null && (sha256 === null || content.sha256 === sha256)
  if (!isIt) {
    await discard(app, id)
    const message = "What was put there has another length or SHA-256 than was said."
    throw invalidInput({ path: "body", code: "mismatch", message })
  }
  try {
    const destination = row.destination === null ? null : named(row.destination as string)
    const file = await settle(app, id, content, type, destination)
    // Another request may have done it meanwhile.
    return file ?? fileOf(await findUpload(app, actor, id))
  } catch (error) {
    if (error instanceof Problem && error.code === "unsupported_media_type") await discard(app, id)
    throw error
  }
}

async function findUpload(app: App, actor: UserActor, id: string): Promise<Row> {
  const { id: owner, organisation } = actor
  const [epoch, rows] = await app.db.batch([
    epochProbe(actor),
    sql`SELECT ${fileColumns}, state, destination FROM files WHERE id = ${id} AND owner = ${owner} AND organisation IS ${organisation} AND (state = 'stored' OR state = 'uploading' AND directUntil IS NOT NULL)`,
  ])
  assertEpoch(actor, epoch)
  const row = rows?.[0]
  if (!row) throw new Problem("not_found")
  return row
}

/** The row stays for the sweep. */
async function discard(app: App, id: string): Promise<void> {
  await app.db.all(sql`UPDATE files SET state = 'deleted' WHERE id = ${id} AND state = 'uploading'`)
  await app.blobs.delete([keyOf(id)]).catch((error: unknown) => {
    app.log("warn", "a deletion is left to the sweep", { file: id, error: describeError(error) })
  })
}
