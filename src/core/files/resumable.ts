import type { App, UserActor } from "../../platform/app.ts"
import { Refusal } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { refuse } from "../identity/directory-guard.ts"
import { assertEpoch, epochProbe, epochRefusal } from "../identity/epoch.ts"
import type { LinkedCollections } from "../records/link.ts"
import { assertMayArrive, destinationNamed } from "./destinations.ts"
import { type Incoming, receiverOf } from "./receiver.ts"
import { giveUp, isFree, reserve } from "./uploads.ts"

/*
 * Uploads that may break off and go on (tus). Their rows are those of files; what has arrived is known by an object of its
 * own for each (receiver-object.ts), which begins with the first byte and ends with the last.
 */

/** How long there is to send all of it, in milliseconds. R2 itself gives up after a week. */
export const uploadMilliseconds = 24 * 3_600_000

export interface NewUpload {
  /** As they were sent. */
  readonly name: string
  readonly type: string | undefined
  readonly metadata: string | null
  readonly sizeBytes: number
  /** The name of the field of records that it is for. */
  readonly for: string | undefined
}

export interface ResumableUpload {
  /** That of the file which it becomes. */
  readonly id: string
  readonly sizeBytes: number
  readonly metadata: string | null
  /** What its object has to know; null when it is stored. */
  readonly incoming: Incoming | null
}

/**
 * Reserves room for a file that is yet to come. One trip.
 *
 * @throws {Problem} `payload_too_large`, `quota_exceeded`, `token_outdated`; `invalid_input`, `unsupported_media_type` where
 * there is no such field, or it takes no such files
 */
export async function createUpload(
  app: App,
  actor: UserActor,
  collections: LinkedCollections,
  upload: NewUpload,
): Promise<ResumableUpload> {
  const { maxBytesResumable } = app.settings.files
  if (upload.sizeBytes > maxBytesResumable) {
    throw new Problem("payload_too_large", `A file may have ${maxBytesResumable} bytes at most.`)
  }
  const { sizeBytes, metadata, type = "" } = upload
  const destination = upload.for ? destinationNamed(app, actor, collections, upload.for) : null
  if (destination) assertMayArrive(destination, upload)
  const id = app.newId()
  const expiresAt = app.now() + uploadMilliseconds
  await reserve(app, actor, id, { ...upload, destination, expiresAt })
  const incoming = { id, database: app.db.name, sizeBytes, type, destination, expiresAt }
  return { id, sizeBytes, metadata, incoming }
}

/**
 * One of the actor's own, under way or stored. One trip.
 *
 * @throws {Problem} `token_outdated`, `not_found`; `invalid_input` where the field that it is for is none any more
 */
export async function getUpload(
  app: App,
  actor: UserActor,
  collections: LinkedCollections,
  id: string,
): Promise<ResumableUpload> {
  const [epoch, rows] = await app.db.batch([
    epochProbe(actor),
    sql`SELECT size, type, metadata, destination, expiresAt FROM files WHERE id = ${id} AND ${ownUploads(actor, app.now())}`,
  ])
  assertEpoch(actor, epoch)
  const row = rows?.[0]
  if (!row) throw new Problem("not_found")
  const [sizeBytes, metadata] = [row.size as number, row.metadata as string | null]
  if (row.expiresAt === null) return { id, sizeBytes, metadata, incoming: null }
  const field = row.destination as string | null
  const incoming = {
    id,
    database: app.db.name,
    sizeBytes,
    type: row.type as string,
    destination: field === null ? null : destinationNamed(app, actor, collections, field),
    expiresAt: Date.parse(row.expiresAt as string),
  }
  return { id, sizeBytes, metadata, incoming }
}

/**
 * Ends one of the actor's own that is under way, and deletes what has arrived of it. Two trips; what fails after the first is
 * left to the sweep.
 *
 * @throws {Problem} `token_outdated`, `not_found`
 */
export async function endUpload(
  app: App,
  actor: UserActor,
  collections: LinkedCollections,
  id: string,
): Promise<void> {
  try {
    const [, rows] = await app.db.batch([
      refuse("token_outdated", epochRefusal(actor)),
      sql`UPDATE files SET state = 'deleted' WHERE id = ${id} AND ${ownUploads(actor, app.now())} AND state = 'uploading' RETURNING id`,
    ])
    if (!rows?.length) throw new Problem("not_found")
  } catch (error) {
    if (error instanceof Refusal && error.outcome === "token_outdated") {
      throw new Problem("token_outdated")
    }
    throw error
  }
  await giveUpUpload(app, collections, id)
}

/** One that is under way, with what has arrived of it. What fails is left to the sweep. */
export const giveUpUpload = (app: App, collections: LinkedCollections, id: string): Promise<void> =>
  giveUp(app, id, isFree(collections), () => receiverOf(app, id).discard(id))

/** SQL that is true of the actor's own that are stored, or may still go on at that moment (milliseconds since the epoch). */
const ownUploads = ({ id, organisation }: UserActor, now: number): Sql =>
  sql`owner = ${id} AND organisation IS ${organisation} AND (state = 'stored' OR state = 'uploading' AND expiresAt > ${new Date(now).toISOString()})`
