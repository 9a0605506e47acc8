import { createHash } from "node:crypto"
import type { Blobs } from "../../platform/blobs.ts"
import type { Checksum } from "./tus.ts"

/*
 * What of an upload has arrived. Its beginning is in R2, as parts of one size; what is too little for a part is in the
 * storage of the upload's object, as pieces. So no more than a piece is ever in memory, however many send at once, and no
 * more is lost when a process is killed.
 *
 * Storage: `offset`, how much has arrived; `parts`, the name that R2 gave to the parts; the table `parts` of those that are
 * whole; the table `pieces` of what follows them, by the offset at which each begins, none across the border of two parts.
 */

/** As large as it gets with 10,000 of them for 80 GB. R2 wants 5 MiB or more. */
export const partBytes = 8 * 2 ** 20

/** A value in storage has two megabytes at most. */
const pieceBytes = 2 ** 20

/** What may be held back until its checksum is known. */
export const checkedBytes = 8 * 2 ** 20

/** How many bytes may come of so many that are missing. */
export const allowedBytes = (missing: number, checksum: Checksum | null): number =>
  checksum ? Math.min(missing, checkedBytes) : missing

export interface Arrived {
  readonly storage: DurableObjectStorage
  readonly blobs: Blobs
  readonly key: string
  /** Of all of it. */
  readonly sizeBytes: number
}

/** How much is kept for good, in bytes. */
export const offsetOf = ({ storage }: Arrived): number => storage.kv.get<number>("offset") ?? 0

/**
 * Takes in what follows. When the chunks break off, what came of them is kept, unless it has a checksum.
 *
 * @returns `too_long` when more came than is to come, or than can be checked: none of the chunk that went beyond is kept
 * @throws whatever the chunks or R2 throw
 */
export async function takeIn(
  arrived: Arrived,
  chunks: AsyncIterable<Uint8Array>,
  checksum: Checksum | null,
): Promise<"kept" | "too_long" | "wrong_checksum"> {
  const { storage, sizeBytes } = arrived
  createTables(storage)
  let at = offsetOf(arrived)
  // What was held back for a checksum when it broke off.
  storage.sql.exec("DELETE FROM pieces WHERE at >= ?", at)
  const hash = checksum && createHash(checksum.algorithm)
  const piece = new Uint8Array(pieceBytes)
  let filled = 0
  const end = at + allowedBytes(sizeBytes - at, checksum)
  const keep = (): void => {
    if (filled === 0) return
    storage.transactionSync(() => {
      storage.sql.exec("INSERT INTO pieces VALUES (?, ?)", at, piece.slice(0, filled).buffer)
      at += filled
      if (!hash) storage.kv.put("offset", at)
    })
    filled = 0
  }
  try {
    await moveWholeParts(arrived)
    for await (const chunk of chunks) {
      if (at + filled + chunk.byteLength > end) return "too_long"
      hash?.update(chunk)
      for (let read = 0; read < chunk.byteLength; ) {
        const room = Math.min(pieceBytes, partBytes - (at % partBytes))
        const some = chunk.subarray(read, read + room - filled)
        piece.set(some, filled)
        filled += some.byteLength
        read += some.byteLength
        if (filled < room) continue
        keep()
        if (!hash) await moveWholeParts(arrived)
      }
    }
  } finally {
    if (!hash) keep()
  }
  if (hash && hash.digest("base64") !== checksum?.digest) return "wrong_checksum"
  keep()
  storage.kv.put("offset", at)
  await moveWholeParts(arrived)
  return "kept"
}

/** Makes one object of all that has arrived, when all of it has. */
export async function join(arrived: Arrived): Promise<void> {
  const { blobs, key, sizeBytes, storage } = arrived
  createTables(storage)
  const parts = await moveWholeParts(arrived)
  const from = parts.length * partBytes
  const name = storage.kv.get<string>("parts")
  if (name === undefined) {
    await withPieces(arrived, from, sizeBytes, (content) => blobs.write(key, content))
    return
  }
  // The rest stays in storage until it is over: whoever has to begin again writes it in its own place.
  const rest =
    from === sizeBytes
      ? []
      : [
          await withPieces(arrived, from, sizeBytes, (content) =>
            blobs.parts(key, name).write(parts.length + 1, content),
          ),
        ]
  await blobs.parts(key, name).join([...parts, ...rest])
}

/** Nothing of it is kept from then on, neither what has been joined nor what has not. */
export async function forget(arrived: Omit<Arrived, "sizeBytes">): Promise<void> {
  await abandonParts(arrived)
  await arrived.blobs.delete([arrived.key])
}

/** What has not been joined. */
export async function abandonParts({
  storage,
  blobs,
  key,
}: Omit<Arrived, "sizeBytes">): Promise<void> {
  const name = storage.kv.get<string>("parts")
  if (name !== undefined) await blobs.parts(key, name).abandon()
}

function createTables({ sql }: DurableObjectStorage): void {
  sql.exec(`CREATE TABLE IF NOT EXISTS pieces (at INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS parts (partNumber INTEGER PRIMARY KEY, etag TEXT NOT NULL);`)
}

type PartRow = { partNumber: number; etag: string }

/** To R2, as many as there are. Answers all that are there. */
async function moveWholeParts(arrived: Arrived): Promise<PartRow[]> {
  const { storage, blobs, key } = arrived
  const parts = storage.sql
    .exec<PartRow>("SELECT partNumber, etag FROM parts ORDER BY partNumber")
    .toArray()
  for (let from = parts.length * partBytes; offsetOf(arrived) - from >= partBytes; ) {
    const name = await nameOfParts(arrived)
    const number = parts.length + 1
    const { etag } = await withPieces(arrived, from, from + partBytes, (content) =>
      blobs.parts(key, name).write(number, content),
    )
    from += partBytes
    storage.transactionSync(() => {
      storage.sql.exec("INSERT INTO parts VALUES (?, ?)", number, etag)
      storage.sql.exec("DELETE FROM pieces WHERE at < ?", from)
    })
    parts.push({ partNumber: number, etag })
  }
  return parts
}

/** What is begun at R2 by a process that is killed before it has written down its name, R2 itself gives up after a week. */
async function nameOfParts({ storage, blobs, key }: Arrived): Promise<string> {
  const known = storage.kv.get<string>("parts")
  if (known !== undefined) return known
  const name = await blobs.beginParts(key)
  storage.kv.put("parts", name)
  return name
}

/** Pieces as a stream that knows its length, one in memory at a time. */
async function withPieces<Result>(
  { storage }: Arrived,
  from: number,
  to: number,
  write: (content: ReadableStream<Uint8Array>) => Promise<Result>,
): Promise<Result> {
  const passage = new FixedLengthStream(to - from)
  const writer = passage.writable.getWriter()
  const pass = async (): Promise<void> => {
    for (let at = from; at < to; ) {
      const query = "SELECT bytes FROM pieces WHERE at = ?"
      const { bytes } = storage.sql.exec<{ bytes: ArrayBuffer }>(query, at).one()
      await writer.write(bytes)
      at += bytes.byteLength
    }
    await writer.close()
  }
  const passed = pass().catch(async (error: unknown) => {
    await writer.abort(error)
    throw error
  })
  const [result] = await Promise.all([write(passage.readable), passed])
  return result
}
