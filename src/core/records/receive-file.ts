import type { App, UserActor } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { getOwnOperation, insertOperation, type StoredOperation } from "./bulk-operation.ts"
import type { Refusal } from "./bulk-report.ts"
import { begin, enqueue, type Wanted } from "./bulk-start.ts"
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
  /** Its rows, a batch each. */
  readonly chunks: AsyncIterable<readonly (FileRow | Refusal)[]>
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
    const total = await keepParts(app, id, upload.chunks)
    const key = idempotency && { ...idempotency, requestHash: upload.hash() }
    await app.db.batch([
      ...unused,
      assertReceiving(id),
      sql`UPDATE bulk_operations SET state = 'running', total = CAST(${total} AS INTEGER) WHERE id = ${id}`,
      enqueue(app, actor, collections, id),
      ...(key ? [keepOperation(app, actor, key, id)] : []),
    ])
  } catch (error) {
    await app.db.batch([
      sql`DELETE FROM bulk_parts WHERE operation = ${id}`,
      sql`DELETE FROM bulk_operations WHERE id = ${id}`,
    ])
    if (isOvertaken(error)) throw new Problem("conflict", "The upload stood still for too long.")
    // The same file came twice at once, and the other was faster.
    if (!idempotency || !isReplay(error)) throw error
    return repeated(app, actor, { ...idempotency, requestHash: upload.hash() })
  }
  app.wake("jobs")
  return getOwnOperation(app, actor, id)
}

const repeated = async (app: App, actor: UserActor, idempotency: Idempotency) =>
  getOwnOperation(app, actor, await operationOfKey(app, actor, idempotency))

/** What stood still was swept away meanwhile, and has no place for further parts. */
const assertReceiving = (id: string): Sql =>
  assertStill(sql`EXISTS (SELECT 1 FROM bulk_operations WHERE id = ${id} AND state = 'receiving')`)

/** Answers how many rows there were. */
async function keepParts(app: App, id: string, chunks: Upload["chunks"]): Promise<number> {
  const started = performance.now()
  let written = started
  let total = 0
  let position = 0
  let waiting: string[] = []
  let bytes = 0
  const write = async (): Promise<void> => {
    if (waiting.length === 0) return
    const receivedAt = new Date(app.now() + performance.now() - started).toISOString()
    await app.db.batch([
      assertReceiving(id),
      sql`INSERT INTO bulk_parts (operation, position, rows) SELECT ${id}, CAST(${position} AS INTEGER) + key, value FROM json_each(${`[${waiting.join()}]`})`,
      sql`UPDATE bulk_operations SET receivedAt = ${receivedAt} WHERE id = ${id}`,
    ])
    written = performance.now()
    position += waiting.length
    waiting = []
    bytes = 0
  }
  for await (const chunk of chunks) {
    for (const part of partsOf(chunk)) {
      const more = byteLength(part) + 1
      if (bytes + more > maxValueBytes) await write()
      waiting.push(part)
      bytes += more
    }
    total += chunk.length
    if (performance.now() - written > writtenEveryMilliseconds) await write()
  }
  await write()
  return total
}

const byteLength = (text: string): number => new TextEncoder().encode(text).length

/** The rows as JSON, in halves where they are too long for one value. */
function partsOf(rows: readonly (FileRow | Refusal)[]): string[] {
  const json = JSON.stringify(rows)
  const fits = json.length * 3 < maxValueBytes || byteLength(json) < maxValueBytes - 2
  if (fits || rows.length < 2) return [json]
  const middle = rows.length >> 1
  return [...partsOf(rows.slice(0, middle)), ...partsOf(rows.slice(middle))]
}
