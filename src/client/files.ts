import type { Progress } from "./progress.ts"
import { search } from "./records.ts"
import { pieceBytes, sendInPieces } from "./resumable.ts"
import type { Call, Transport } from "./transport.ts"
import type { Page, StoredFile } from "./types.ts"

interface Uploading {
  /** That of a `File`, unless given. */
  name?: string
  /** The field of records that it is to go into, whose limits are judged at once: `films.poster`. */
  for?: string
  /** What has been sent, and of how much, in bytes. `fetch` does not tell, so outside of browsers it is called after each piece. */
  onProgress?: Progress
  signal?: AbortSignal
}

/** One's own files. Each call throws `ApiProblem`. */
export interface Files {
  /** One of more than 16 MB goes in pieces, and goes on where it broke off when the server is out of reach for a while. */
  upload(file: Blob, options?: Uploading): Promise<StoredFile>
  /** The newest first. */
  list(query?: { limit?: number; cursor?: string }): Promise<Page<StoredFile>>
  /** The content: `(await files.get(id)).blob()`. */
  get(id: string, options?: ReadingFile): Promise<Response>
  delete(id: string): Promise<void>
  /** An address at which anybody reads it, for an hour unless told. */
  link(id: string, expiresInSeconds?: number): Promise<{ url: string; expiresAt: string }>
  /** Where it is: for pages at the server's own origin, whose cookies show who asks. Others take a link. */
  url(id: string, options?: Omit<ReadingFile, "signal">): string
}

interface ReadingFile {
  /** To be kept as a file, also where browsers could show it. */
  download?: boolean
  /** Of an image: the size in which it is wanted, by the name that the deployment gave it. */
  preset?: string
  signal?: AbortSignal
}

/** @param base where the server is, without a slash at its end */
export function createFiles(send: Transport, base: string): Files {
  const pathOf = (id: string) => `/files/${encodeURIComponent(id)}`
  const contentPath = (id: string, { download, preset }: ReadingFile = {}) =>
    pathOf(id) + search({ ...(download && { download: "true" }), preset })
  // The types above say what comes back; the server has checked it.
  const answer = async <T>(call: Call): Promise<T> => (await send(call)).json()
  return {
    async upload(file, { name = (file as Partial<File>).name, onProgress, signal, ...asked } = {}) {
      if (file.size > pieceBytes) {
        const metadata = { filename: name, filetype: file.type, for: asked.for }
        const id = await sendInPieces(send, file, { metadata, onProgress, signal })
        return answer({ method: "POST", path: `${pathOf(id)}/completion` })
      }
      const stored = await answer<StoredFile>({
        method: "POST",
        path: `/files${search({ name, for: asked.for })}`,
        file,
        headers: { "content-type": file.type || "application/octet-stream" },
        onProgress,
        signal,
      })
      onProgress?.(file.size, file.size)
      return stored
    },
    list: (query = {}) => answer({ method: "GET", path: `/files${search(query)}` }),
    get: (id, options = {}) =>
      send({ method: "GET", path: contentPath(id, options), signal: options.signal }),
    async delete(id) {
      await send({ method: "DELETE", path: pathOf(id) })
    },
    async link(id, expiresInSeconds) {
      const body = { expiresInSeconds }
      const link = await answer<{ url: string; expiresAt: string }>({
        method: "POST",
        path: `${pathOf(id)}/links`,
        body,
      })
      return { ...link, url: base + link.url }
    },
    url: (id, options) => base + contentPath(id, options),
  }
}
