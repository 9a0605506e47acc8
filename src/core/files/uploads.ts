import type { App, UserActor } from "../../platform/app.ts"
import { Refusal } from "../../platform/database.ts"
import { describeError } from "../../platform/log.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { refuse } from "../identity/directory-guard.ts"
import { epochRefusal } from "../identity/epoch.ts"
import { fileHolders, isHeld } from "../records/file-records.ts"
import type { LinkedCollections } from "../records/link.ts"
import { assertFits, assertMayArrive, type Destination } from "./destinations.ts"
import { cleanName } from "./file-name.ts"
import { fileColumns, fileOf, keyOf, type StoredFile } from "./files.ts"
import { imageSizeOf } from "./image-size.ts"
import { mediaTypeOf } from "./media-type.ts"
import { type Received, receive } from "./receive.ts"
import { insertScan } from "./scan-job.ts"

export interface Upload {
  /** As it was sent. */
  readonly name: string
  readonly type: string | undefined
  readonly sizeBytes: number
  /** Each chunk is good until the next is asked for. */
  readonly content: AsyncIterable<Uint8Array>
  readonly destination: Destination | null
}

/**
 * Takes a file in, while it arrives. Two trips: room is reserved before a byte is read, and what turned out to be true of
 * the content is written when all of it is kept. Whatever goes wrong between, nothing stays: if this process is killed, the
 * row of the reservation leads the sweep to it.
 *
 * @throws {Problem} `payload_too_large`, `quota_exceeded`, `token_outdated`; `unsupported_media_type` where its destination
 * takes no such files; `invalid_input` when the length is another
 */
export function storeUpload(
  app: App,
  actor: UserActor,
  collections: LinkedCollections,
  upload: Upload,
): Promise<StoredFile> {
  const stored = store(app, actor, collections, upload)
  // When the sender is gone the runtime drops what nobody waits for, and with it the tidying up.
  app.waitUntil(stored.catch(() => {}))
  return stored
}

async function store(
  app: App,
  actor: UserActor,
  collections: LinkedCollections,
  upload: Upload,
): Promise<StoredFile> {
  const { sizeBytes, type, destination } = upload
  const { maxBytes } = app.settings.files
  if (sizeBytes > maxBytes) {
    throw new Problem("payload_too_large", `A file may have ${maxBytes} bytes at most.`)
  }
  if (destination) assertMayArrive(destination, upload)
  const id = app.newId()
  await reserve(app, actor, id, upload)
  try {
    const content = await receive(upload.content, sizeBytes, (stream) =>
      app.blobs.write(keyOf(id), stream),
    )
    const file = await settle(app, id, content, type, destination)
    if (!file) throw new Problem("conflict", "It took so long that it was given up.")
    return file
  } catch (error) {
    await giveUp(app, id, isFree(collections))
    throw error
  }
}

/**
 * Writes down what turned out to be true of content that is kept, and has it looked at for malware, where somebody does.
 * One trip. Null when it was given up meanwhile.
 *
 * @throws {Problem} `unsupported_media_type` where its destination takes no such files: then it is to be given up
 */
export async function settle(
  app: App,
  id: string,
  { start, sha256 }: Received,
  declaredType: string | undefined,
  destination: Destination | null,
): Promise<StoredFile | null> {
  const sniffed = mediaTypeOf(start, declaredType)
  if (destination) assertFits(destination, sniffed)
  // From now on it waits for a record.
  const since = destination ? new Date(app.now()).toISOString() : null
  const image = imageSizeOf(sniffed, start)
  const scanned = app.settings.files.scanner.driver !== "off"
  const stored = sql`UPDATE files SET state = 'stored', type = ${sniffed}, sha256 = ${sha256}, width = ${image?.width ?? null}, height = ${image?.height ?? null}, scan = ${scanned ? "pending" : null}, releasedAt = ${since}, expiresAt = NULL WHERE id = ${id} AND state = 'uploading' RETURNING ${fileColumns}`
  const rows = scanned
    ? (await app.db.batch([stored, insertScan(app, id)]))[0]
    : await app.db.all(stored)
  if (scanned) app.wake("jobs")
  return rows?.[0] ? fileOf(rows[0]) : null
}

/** What is reserved for. */
interface Reservation extends Omit<Upload, "content"> {
  /** Of one that may go on later: until when, in milliseconds since the epoch. */
  readonly expiresAt?: number
  readonly metadata?: string | null
  /** Of one that does not pass through here: until when somebody may be sending it, in milliseconds since the epoch. */
  readonly directUntil?: number
  /** What its SHA-256 (hex) has to be. */
  readonly sha256?: string | undefined
}

/**
 * The row of a file that is under way, unless there is no room for it. One trip.
 *
 * @throws {Problem} `quota_exceeded`, `token_outdated`
 */
export async function reserve(
  app: App,
  actor: UserActor,
  id: string,
  upload: Reservation,
): Promise<void> {
  const { quotaOfPerson, quotaOfOrganisation, countOfPerson } = app.settings.files
  const { sizeBytes, name, type, destination, metadata = null, sha256 = null } = upload
  const [expiresAt = null, directUntil = null] = [upload.expiresAt, upload.directUntil].map((at) =>
    at === undefined ? null : new Date(at).toISOString(),
  )
  const full = (holder: string, quota: number): Sql =>
    sql`ifnull((SELECT bytes FROM file_usage WHERE holder = ${holder}), 0) + ${sizeBytes} > ${quota}`
  try {
    await app.db.batch([
      refuse("token_outdated", epochRefusal(actor)),
      refuse(
        "count_of_person",
        sql`ifnull((SELECT files FROM file_usage WHERE holder = ${actor.id}), 0) >= ${countOfPerson}`,
      ),
      refuse("quota_of_person", full(actor.id, quotaOfPerson)),
      ...(actor.organisation === null
        ? []
        : [refuse("quota_of_organisation", full(actor.organisation, quotaOfOrganisation))]),
      sql`INSERT INTO files (id, owner, organisation, state, name, type, size, createdAt, destination, expiresAt, metadata, sha256, directUntil) VALUES (${id}, ${actor.id}, ${actor.organisation}, 'uploading', ${cleanName(name)}, ${declared(type)}, ${sizeBytes}, ${new Date(app.now()).toISOString()}, ${destination?.name ?? null}, ${expiresAt}, ${metadata}, ${sha256}, ${directUntil})`,
    ])
  } catch (error) {
    throw refusalOf(error)
  }
}

/** A header from a stranger. */
const declared = (type: string | undefined): string => (type ?? "").slice(0, 100)

function refusalOf(error: unknown): unknown {
  if (!(error instanceof Refusal)) return error
  switch (error.outcome) {
    case "token_outdated":
      return new Problem("token_outdated")
    case "count_of_person":
      return new Problem("quota_exceeded", "You have as many files as you may have.")
    case "quota_of_person":
      return new Problem("quota_exceeded", "Your files would have more bytes than you may have.")
    case "quota_of_organisation":
      return new Problem(
        "quota_exceeded",
        "The files of your organisation would have more bytes than it may have.",
      )
    default:
      return error
  }
}

/** SQL that is true of files that no record holds. */
export const isFree = (collections: LinkedCollections): Sql =>
  sql`NOT ${isHeld(fileHolders(collections.values()), raw("files.id"))}`

/**
 * First the row says that it is gone, also one that is stored: D1 may have done what its answer, lost on the way, would have
 * told, and the sender hears of a failure. Then the content, then the row: what is left is still known until it is gone.
 *
 * @param which SQL: a file that is stored and of which it is not true stays
 * @param discard deletes what there is of its content
 */
export async function giveUp(
  app: App,
  id: string,
  which: Sql,
  discard = () => app.blobs.delete([keyOf(id)]),
): Promise<void> {
  try {
    const [, stored] = await app.db.batch([
      sql`UPDATE files SET state = 'deleted' WHERE id = ${id} AND ${which}`,
      sql`SELECT id FROM files WHERE id = ${id} AND state = 'stored'`,
    ])
    if (stored?.length) return
    await discard()
    await app.db.all(sql`DELETE FROM files WHERE id = ${id} AND ${raw("state = 'deleted'")}`)
  } catch (error) {
    app.log("warn", "an upload is left to the sweep", { file: id, error: describeError(error) })
  }
}
