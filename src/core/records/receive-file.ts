import type { App, UserActor } from "../../platform/app.ts"
import { describeError } from "../../platform/log.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { getOwnOperation, insertOperation, type StoredOperation } from "./bulk-operation.ts"
import { maxTrips, type Refusal } from "./bulk-report.ts"
import { begin, enqueue, type Wanted } from "./bulk-start.ts"
import { dropReceiving, receiving } from "./bulk-sweep.ts"
import { assertStill, isOvertaken } from "./guard.ts"
import {
  assertUnused,
  type Idempotency,
  isReplay,
  keepOperation,
  operationOfKey,
} from "./idempotency.ts"
import { maxValueBytes } from "./import-chunks.ts"
import type { FileRow } from "./import-file.ts"
import type { LinkedCollections } from "./link.ts"

/** A file as it comes in. */
export interface Upload {
  /** Its rows, a batch each; none of them where for a while none came. */
  readonly chunks: AsyncIterable<readonly (FileRow | Refusal)[]>
  /** What its rows may take as they are kept, in bytes: a refusal is many times as long as what it speaks of. */
  readonly roomBytes: number
  /** Reads what is left of it, for its hash alone. */
  readRest(): Promise<void>
  /** What makes it the same upload when it is sent again; the hash is known when all of it was read. */
  readonly idempotency: Pick<Idempotency, "route" | "key"> | null
  hash(): string
}

/** What comes in more slowly than a value is filled is written down nevertheless, so that the upload is seen to live. */
const writtenEveryMilliseconds = 30_000

/**
 * Begins an operation for the rows of a file: they are kept here, a batch a part, and nothing is written before all of them
 * are. A trip for each two megabytes of them. Sent again under its Idempotency-Key it is the operation that it was.
 *
 * @throws {Problem} also for a file that cannot be read to its end: then nothing is kept of it, nor its key.
 */
export function receiveFile(
  app: App,
  actor: UserActor,
  collections: LinkedCollections,
  wanted: Wanted,
  upload: Upload,
): Promise<StoredOperation> {
  const received = receive(app, actor, collections, wanted, upload)
  // When the sender is gone the runtime drops what nobody waits for, and with it the tidying up.
  app.waitUntil(received.catch(() => {}))
  return received
}

async function receive(
  app: App,
  actor: UserActor,
  collections: LinkedCollections,
  wanted: Wanted,
  upload: Upload,
): Promise<StoredOperation> {
  const id = app.newId()
  const { idempotency } = upload
  const unused = idempotency ? [assertUnused(app, actor, idempotency)] : []
  try {
    const first = insertOperation(app, actor, { ...wanted, id, state: "receiving", total: 0 })
    await begin(app, actor, [first], unused)
  } catch (error) {
    if (!idempotency || !isReplay(error)) throw error
    await upload.readRest()
    return repeated(app, actor, { ...idempotency, requestHash: upload.hash() })
  }
  try {
    const total = await keepParts(app, id, upload)
    const key = idempotency && { ...idempotency, requestHash: upload.hash() }
    await app.db.batch([
      ...unused,
      assertReceiving(id),
      sql`UPDATE bulk_operations SET state = 'running', total = CAST(${total} AS INTEGER) WHERE id = ${id}`,
      enqueue(app, actor, collections, id),
      ...(key ? [keepOperation(app, actor, key, id)] : []),
    ])
  } catch (error) {
    await tidyUp(app, id)
    if (isOvertaken(error)) throw new Problem("conflict", "The upload stood still for too long.")
    // The same file came twice at once, and the other was faster.
    if (!idempotency || !isReplay(error)) throw error
    return repeated(app, actor, { ...idempotency, requestHash: upload.hash() })
  }
  app.wake("jobs")
  return getOwnOperation(app, actor, id)
}

/** Nothing that has begun after all: of the last batch the answer alone may have been lost. What stays is for the sweep. */
async function tidyUp(app: App, id: string): Promise<void> {
  try {
    await dropReceiving(app, sql`id = ${id} AND ${receiving}`)
  } catch (error) {
    app.log("warn", "a file that broke off is not tidied up yet", { error: describeError(error) })
  }
}

const repeated = async (app: App, actor: UserActor, idempotency: Idempotency) =>
  getOwnOperation(app, actor, await operationOfKey(app, actor, idempotency))

/** What stood still was swept away meanwhile, and has no place for further parts. */
const assertReceiving = (id: string): Sql =>
  assertStill(sql`EXISTS (SELECT 1 FROM bulk_operations WHERE id = ${id} AND ${receiving})`)

/** Answers how many rows there were. @throws {Problem} `payload_too_large` for more than a file may take here. */
async function keepParts(
  app: App,
  id: string,
  { chunks, roomBytes }: Pick<Upload, "chunks" | "roomBytes">,
): Promise<number> {
  const started = performance.now()
  let written = started
  let total = 0
  let position = 0
  let waiting: string[] = []
  let bytes = 0
  let kept = 0
  const write = async (): Promise<void> => {
    if (app.cost.trips > maxTrips) throw tooMuchRoom()
    const receivedAt = new Date(app.now() + performance.now() - started).toISOString()
    const parts = sql`INSERT INTO bulk_parts (operation, position, rows) SELECT ${id}, CAST(${position} AS INTEGER) + key, value FROM json_each(${`[${waiting.join()}]`})`
    await app.db.batch([
      assertReceiving(id),
      ...(waiting.length > 0 ? [parts] : []),
      sql`UPDATE bulk_operations SET receivedAt = ${receivedAt} WHERE id = ${id}`,
    ])
    written = performance.now()
    position += waiting.length
    waiting = []
    bytes = 0
  }
  for await (const chunk of chunks) {
    for (const part of chunk.length > 0 ? partsOf(chunk) : []) {
      const more = byteLength(part) + 1
      kept += more
      if (kept > roomBytes) throw tooMuchRoom()
      if (bytes + more > maxValueBytes) await write()
      waiting.push(part)
      bytes += more
    }
    total += chunk.length
    if (performance.now() - written > writtenEveryMilliseconds) await write()
  }
  if (waiting.length > 0) await write()
  return total
}

const tooMuchRoom = (): Problem =>
  new Problem("payload_too_large", "The rows of this file take too much room: send it in several.")

const byteLength = (text: string): number => new TextEncoder().encode(text).length

/** The rows as JSON, in halves where they are too long for one value. */
function partsOf(rows: readonly (FileRow | Refusal)[]): string[] {
  const json = JSON.stringify(rows)
  const fits = json.length * 3 < maxValueBytes || byteLength(json) < maxValueBytes - 2
  if (fits || rows.length < 2) return [json]
  const middle = rows.length >> 1
  return [...partsOf(rows.slice(0, middle)), ...partsOf(rows.slice(middle))]
}
