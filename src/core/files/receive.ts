import { invalidInput, Problem } from "../../platform/problem.ts"

/** What is kept of the content while it passes: enough for its type and the size of an image with large metadata. */
export const keptBytes = 262_144

/** Read at once. Streams give 4 KB where nobody asks for more. */
const chunkBytes = 65_536

/** What workerd adds to `crypto`, which types of Node hide. */
export const workerCrypto = crypto as unknown as { DigestStream: typeof DigestStream }

export interface Received {
  /** The first bytes, 256 KB at most. */
  readonly start: Uint8Array
  /** Hex. */
  readonly sha256: string
}

/**
 * Passes content on while it arrives, chunk by chunk: never is more of it in memory than its start and one chunk.
 *
 * @param chunks each is good until the next is asked for
 * @param size how many bytes it has to have
 * @param write takes what passes; it fails when that breaks off
 * @throws {Problem} `invalid_input` when it has more or fewer, or breaks off; whatever `write` throws
 */
export async function receive(
  chunks: AsyncIterable<Uint8Array>,
  size: number,
  write: (content: ReadableStream<Uint8Array>) => Promise<void>,
): Promise<Received> {
  const passage = new FixedLengthStream(size)
  const digest = new workerCrypto.DigestStream("SHA-256")
  const [store, hash] = [passage.writable.getWriter(), digest.getWriter()]
  const stored = write(passage.readable)
  const broken = failing(stored)
  // Each of these tells of the same failure, which is thrown below.
  for (const told of [broken, digest.digest, store.closed, hash.closed]) told.catch(() => {})
  const start = new Uint8Array(Math.min(size, keptBytes))
  try {
    let passed = 0
    for await (const chunk of chunks) {
      if (passed + chunk.byteLength > size) throw wrongLength(size)
      if (passed < start.length) start.set(chunk.subarray(0, start.length - passed), passed)
      passed += chunk.byteLength
      await Promise.race([Promise.all([store.write(chunk), hash.write(chunk)]), broken])
    }
    if (passed < size) throw wrongLength(size)
    await Promise.all([store.close(), hash.close(), stored])
  } catch (error) {
    await Promise.allSettled([store.abort(error), hash.abort(error), stored])
    throw error
  }
  return { start, sha256: hexOf(new Uint8Array(await digest.digest)) }
}

/** Never resolves: a store that fails must not leave its reader waiting. */
const failing = (stored: Promise<void>): Promise<never> =>
  new Promise((_, reject) => void stored.catch(reject))

/**
 * A body as it arrives, until it is told to stop. A chunk's bytes are good until the next is asked for: there is one buffer.
 */
export async function* chunksOf(
  body: ReadableStream<Uint8Array> | null,
  stop?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (!body) return
  const reader = body.getReader({ mode: "byob" })
  // Of what is cancelled, the end has come.
  stop?.addEventListener("abort", () => void reader.cancel().catch(() => {}))
  try {
    for (let buffer = new Uint8Array(chunkBytes); ; ) {
      const { done, value } = await reader.read(buffer).catch((cause: unknown) => {
        // Whoever sent it is gone, and it is no failure of ours.
        throw new Problem("invalid_input", {
          detail: "The body broke off.",
          errors: [{ path: "body", code: "broken_off", message: "The body broke off." }],
          cause,
        })
      })
      if (done) return
      yield value
      buffer = new Uint8Array(value.buffer)
    }
  } finally {
    reader.releaseLock()
  }
}

const wrongLength = (size: number): Problem =>
  invalidInput({
    path: "headers.content-length",
    code: "length",
    message: `The body has not the ${size} bytes that Content-Length says.`,
  })

export const hexOf = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")
