import { Problem } from "./problem.ts"

/** Content of any size under keys, as streams: never whole in memory. */
export interface Blobs {
  /** Resolves when all of it is there; of a stream that breaks off, nothing is. The stream has to know its length. */
  write(key: string, content: ReadableStream<Uint8Array>): Promise<void>
  /** Null when there is none. Without a range, all of it. */
  read(key: string, range?: ByteRange): Promise<ReadableStream<Uint8Array> | null>
  /** All of it with its size, where no row tells that; null when there is none. */
  open(key: string): Promise<SizedContent | null>
  /** In bytes; null when there is none. */
  sizeOf(key: string): Promise<number | null>
  /** What is not there is passed over. 1,000 keys at most. */
  delete(keys: readonly string[]): Promise<void>
  /** Begins content that comes in parts, of which nobody sees anything before they are joined. Answers its name. */
  beginParts(key: string): Promise<string>
  /** Those begun earlier. */
  parts(key: string, name: string): Parts
}

/**
 * Parts of the same size, 5 MiB or more, but the last, which may be smaller; 10,000 at most.
 * @see https://developers.cloudflare.com/r2/objects/multipart-objects/
 */
export interface Parts {
  /** Numbers begin with 1; a part that is written anew replaces the one before. The stream has to know its length. */
  write(number: number, content: ReadableStream<Uint8Array>): Promise<Part>
  join(parts: readonly Part[]): Promise<void>
  /** Deletes all of them. What has ended already is passed over. */
  abandon(): Promise<void>
}

export interface Part {
  readonly partNumber: number
  readonly etag: string
}

export interface SizedContent {
  readonly content: ReadableStream<Uint8Array>
  readonly sizeBytes: number
}

export interface ByteRange {
  readonly offset: number
  readonly length: number
}

/** @throws {Problem} `misconfigured` in a deployment without such a bucket. */
export function openBlobs(env: object, binding: string): Blobs {
  const bucket = (env as Record<string, R2Bucket | undefined>)[binding]
  if (!bucket) {
    throw new Problem("misconfigured", { cause: new Error(`no R2 binding ${binding}`) })
  }
  return {
    async write(key, content) {
      if (!(await bucket.put(key, content))) {
        throw new Problem("internal", { cause: new Error(`R2 did not take ${key}`) })
      }
    },
    async read(key, range) {
      return (await bucket.get(key, range && { range }))?.body ?? null
    },
    async open(key) {
      const object = await bucket.get(key)
      return object && { content: object.body, sizeBytes: object.size }
    },
    async sizeOf(key) {
      return (await bucket.head(key))?.size ?? null
    },
    async delete(keys) {
      await bucket.delete([...keys])
    },
    async beginParts(key) {
      return (await bucket.createMultipartUpload(key)).uploadId
    },
    parts(key, name) {
      const upload = bucket.resumeMultipartUpload(key, name)
      return {
        write: (number, content) => upload.uploadPart(number, content),
        async join(parts) {
          await upload.complete([...parts])
        },
        async abandon() {
          await upload.abort().catch((error: unknown) => {
            if (!hasEnded(error)) throw error
          })
        },
      }
    },
  }
}

/** NoSuchUpload: it was joined, abandoned, or given up by R2 after a week. */
const hasEnded = (error: unknown): boolean =>
  error instanceof Error && error.message.includes("(10024)")
