import { type Context, Hono, type MiddlewareHandler } from "hono"
import type { SignedIn } from "../../platform/http.ts"
import { isId } from "../../platform/ids.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import type { LinkedCollections } from "../records/link.ts"
import { allowedBytes, checkedBytes } from "./arrived.ts"
import { assertMayHaveFiles } from "./file-rights.ts"
import { deleteFile } from "./files.ts"
import { type Appended, type Chunk, receiverOf } from "./receiver.ts"
import {
  createUpload,
  endUpload,
  getUpload,
  giveUpUpload,
  type NewUpload,
  type ResumableUpload,
} from "./resumable.ts"
import {
  assertTusVersion,
  checksumAlgorithms,
  chunkType,
  parseByteCount,
  parseChecksum,
  parseMetadata,
  refuseDeferredLength,
  tusExtensions,
  tusVersion,
} from "./tus.ts"

/** Whoever may send files, in the version that is spoken here. What is spoken, anybody may ask. */
const speaksTus: MiddlewareHandler<SignedIn> = async (c, next) => {
  if (c.req.method === "OPTIONS") return spoken(c)
  assertMayHaveFiles(c.get("actor"), "create")
  assertTusVersion(c.req.header("tus-resumable"))
  await next()
}

/** In every answer, those of errors too. */
const saysVersion: MiddlewareHandler<SignedIn> = async (c, next) => {
  await next()
  c.header("tus-resumable", tusVersion)
}

const spoken = (c: Context<SignedIn>) =>
  c.body(null, 204, {
    "tus-version": tusVersion,
    "tus-extension": tusExtensions,
    "tus-max-size": String(c.get("app").settings.files.maxBytesResumable),
    "tus-checksum-algorithm": checksumAlgorithms.join(","),
  })

/** `/files/uploads…`: tus 1.0.0 */
export const tusRoutes = (collections: LinkedCollections) =>
  new Hono<SignedIn>()
    .use(saysVersion, speaksTus)
    .post("/", async (c) => {
      const upload = await createUpload(c.get("app"), c.get("actor"), collections, newUploadOf(c))
      const headers = { ...expiryOf(upload), location: `/files/uploads/${upload.id}` }
      // One that is empty has arrived whole.
      if (!isChunk(c) && upload.sizeBytes > 0) return c.body(null, 201, headers)
      const offset = await beginWith(c, collections, upload)
      return c.body(null, 201, { ...headers, "upload-offset": String(offset) })
    })
    // And HEAD, which is this without its body.
    .get("/:id", async (c) => {
      const upload = await getUpload(c.get("app"), c.get("actor"), collections, idOf(c))
      const { id, sizeBytes, metadata, incoming } = upload
      const offset = incoming ? await receiverOf(c.get("app"), id).offset(incoming) : sizeBytes
      if (offset === null) throw new Problem("not_found")
      return c.json({ id, offset, sizeBytes }, 200, {
        ...expiryOf(upload),
        ...(metadata !== null && { "upload-metadata": metadata }),
        "upload-length": String(sizeBytes),
        "upload-offset": String(offset),
      })
    })
    .patch("/:id", async (c) => {
      if (!isChunk(c)) {
        throw new Problem("unsupported_media_type", `The body has to be ${chunkType}.`)
      }
      const from = parseByteCount("Upload-Offset", c.req.header("upload-offset"))
      const upload = await getUpload(c.get("app"), c.get("actor"), collections, idOf(c))
      const offset = await append(c, upload, from)
      return c.body(null, 204, { ...expiryOf(upload), "upload-offset": String(offset) })
    })
    .delete("/:id", async (c) => {
      const [app, actor] = [c.get("app"), c.get("actor")]
      const { id, incoming } = await getUpload(app, actor, collections, idOf(c))
      if (incoming) await endUpload(app, actor, collections, id)
      else await deleteFile(app, assertMayHaveFiles(actor, "delete"), collections, id)
      return c.body(null, 204)
    })

/** What its headers say. */
function newUploadOf(c: Context<SignedIn>): NewUpload {
  refuseDeferredLength(c.req.header("upload-defer-length"))
  const metadata = c.req.header("upload-metadata") ?? null
  const said = parseMetadata(metadata)
  const sizeBytes = parseByteCount("Upload-Length", c.req.header("upload-length"))
  // Before room is reserved for what would be refused then.
  const { lengthBytes, checksum } = chunkOf(c, 0)
  const length = lengthBytes ?? 0
  if (length > 0 && !isChunk(c)) {
    throw new Problem("unsupported_media_type", `What begins with content has to be ${chunkType}.`)
  }
  if (length > allowedBytes(sizeBytes, checksum)) throw tooLong()
  return { name: said.filename ?? "", type: said.filetype, metadata, sizeBytes, for: said.for }
}

/** The first of the content. When that is refused there is no upload either: nobody has been told where it is. */
function beginWith(
  c: Context<SignedIn>,
  collections: LinkedCollections,
  upload: ResumableUpload,
): Promise<number> {
  const app = c.get("app")
  const begun = append(c, upload, 0).catch(async (error: unknown) => {
    await giveUpUpload(app, collections, upload.id)
    throw error
  })
  app.waitUntil(begun.catch(() => {}))
  return begun
}

/**
 * Hands the body to the object that takes it in. Answers how far the upload is then.
 *
 * @throws {Problem} `offset_mismatch`, `conflict`, `payload_too_large`, `checksum_mismatch`, `not_found`; `invalid_input` when
 * it breaks off; `unsupported_media_type` where its destination takes no such files
 */
async function append(
  c: Context<SignedIn>,
  upload: ResumableUpload,
  from: number,
): Promise<number> {
  const { id, sizeBytes, incoming } = upload
  const chunk = chunkOf(c, from)
  const body = c.req.raw.body as ReadableStream<Uint8Array> | null
  const app = c.get("app")
  if (!incoming) {
    if (from !== sizeBytes) throw elsewhere(sizeBytes)
    if (chunk.lengthBytes) throw tooLong()
    return from
  }
  const appended = receiverOf(app, id).append(incoming, chunk, body)
  // When the sender is gone the runtime drops what nobody waits for, and with it what has come.
  app.waitUntil(appended.catch(() => {}))
  const result = await appended
  if (result.outcome === "kept") return result.offset
  throw refusalOf(result)
}

function refusalOf(result: Exclude<Appended, { outcome: "kept" }>): Problem {
  switch (result.outcome) {
    case "elsewhere":
      return elsewhere(result.offset)
    case "overtaken":
      return new Problem("conflict", "Another request has asked where this upload goes on.")
    case "broken_off":
      return invalidInput({ path: "body", code: "broken_off", message: "The body broke off." })
    case "too_long":
      return tooLong()
    case "wrong_checksum":
      return new Problem("checksum_mismatch")
    case "gone":
      return new Problem("not_found")
    case "unfit":
      return new Problem("unsupported_media_type", result.detail)
  }
}

const elsewhere = (offset: number): Problem =>
  new Problem("offset_mismatch", {
    detail: `It goes on at ${offset}.`,
    headers: { "upload-offset": String(offset) },
  })

const tooLong = (): Problem =>
  new Problem(
    "payload_too_large",
    `The body has more bytes than are to come, or a checksum and more than ${checkedBytes}.`,
  )

/** What is said of the body. @throws {Problem} `invalid_input` */
function chunkOf(c: Context<SignedIn>, from: number): Chunk {
  const length = c.req.header("content-length")
  return {
    from,
    lengthBytes: length === undefined ? null : parseByteCount("Content-Length", length),
    checksum: parseChecksum(c.req.header("upload-checksum")),
  }
}

const isChunk = (c: Context<SignedIn>): boolean => c.req.header("content-type") === chunkType

const expiryOf = ({ incoming }: ResumableUpload): Record<string, string> =>
  incoming ? { "upload-expires": new Date(incoming.expiresAt).toUTCString() } : {}

/** An id that cannot be one is an id of nothing. */
function idOf(c: Context<SignedIn>): string {
  const id = c.req.param("id") ?? ""
  if (!isId(id)) throw new Problem("not_found")
  return id
}
