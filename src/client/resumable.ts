import { ApiProblem } from "./problem.ts"
import type { Progress } from "./progress.ts"
import { type Transport, wait } from "./transport.ts"

/** What is sent in one request, in bytes: so much is lost when it breaks off. */
export const pieceBytes = 16 * 2 ** 20

/** In a row, before it is given up. */
const mostFailures = 8

interface Sending {
  /** What is said of it: `filename`, `filetype`, `for`. */
  readonly metadata: Readonly<Record<string, string | undefined>>
  readonly onProgress: Progress | undefined
  readonly signal: AbortSignal | undefined
}

/**
 * Sends a file in pieces, by tus 1.0.0, and goes on where it broke off when the server is out of reach for a while. Answers
 * the file's id. Whoever ends it by `signal` leaves nothing there.
 */
export async function sendInPieces(send: Transport, file: Blob, sending: Sending): Promise<string> {
  const { metadata, onProgress, signal } = sending
  const version = { "tus-resumable": "1.0.0" }
  const created = await send({
    method: "POST",
    path: "/files/uploads",
    headers: {
      ...version,
      "upload-length": String(file.size),
      "upload-metadata": metadataOf(metadata),
    },
    signal,
  })
  const path = created.headers.get("location") as string
  const offsetOf = ({ headers }: Response) => Number(headers.get("upload-offset"))
  const ask = () => send({ method: "HEAD", path, headers: version, signal })
  try {
    for (let offset = 0, failures = 0; offset < file.size; ) {
      try {
        if (failures > 0) offset = offsetOf(await ask())
        const piece = file.slice(offset, offset + pieceBytes)
        const from = offset
        const answer = await send({
          method: "PATCH",
          path,
          file: piece,
          headers: {
            ...version,
            "content-type": "application/offset+octet-stream",
            "upload-offset": String(from),
          },
          onProgress: onProgress && ((sent) => onProgress(from + sent, file.size)),
          signal,
        })
        offset = offsetOf(answer)
        failures = 0
        onProgress?.(offset, file.size)
      } catch (error) {
        failures++
        if (signal?.aborted || !passes(error) || failures > mostFailures) throw error
        await wait(Math.min(10, 0.25 * 2 ** failures), signal)
      }
    }
  } catch (error) {
    if (signal?.aborted) await send({ method: "DELETE", path, headers: version }).catch(() => {})
    throw error
  }
  return path.slice(path.lastIndexOf("/") + 1)
}

/** The network, the server's load, and a piece that has arrived without its answer. */
const passes = (error: unknown): boolean =>
  error instanceof ApiProblem &&
  ([0, 429, 502, 503, 504].includes(error.status) ||
    ["offset_mismatch", "conflict"].includes(error.code))

const metadataOf = (metadata: Sending["metadata"]): string =>
  Object.entries(metadata)
    .filter((pair): pair is [string, string] => Boolean(pair[1]))
    .map(([name, value]) => {
      const bytes = new TextEncoder().encode(value)
      return `${name} ${btoa(String.fromCharCode(...bytes))}`
    })
    .join(",")
