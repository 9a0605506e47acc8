import { queryOptions } from "@tanstack/react-query"
import type { StoredFile } from "../../client/types.ts"
import { isProblem } from "../backend.ts"
import type { Reader } from "../data/viewer.tsx"

/** What whoever may read a file can tell from its headers. */
export type FileFacts = Readonly<Pick<StoredFile, "id" | "name" | "type" | "sizeBytes">>

/** What a file is, for whoever may read it. It never changes; who may read it does. */
export const factsQuery = (id: string, reader: Reader) =>
  queryOptions({
    queryKey: ["files", "facts", reader.key, id],
    staleTime: 300_000,
    queryFn: async ({ signal }): Promise<FileFacts> => {
      const { headers } = await reader.open(`/files/${id}`, signal, "HEAD")
      return {
        id,
        name: nameIn(headers.get("content-disposition") ?? "") ?? id,
        type: (headers.get("content-type") ?? "").split(";")[0] ?? "",
        sizeBytes: Number(headers.get("content-length")),
      }
    },
  })

/** The file name that `Content-Disposition` tells (RFC 6266), as the server writes it. */
export function nameIn(disposition: string): string | null {
  const extended = /filename\*=UTF-8''([^;]+)/.exec(disposition)?.[1]
  if (extended !== undefined) return decodeURIComponent(extended)
  return /filename="([^"]*)"/.exec(disposition)?.[1] ?? null
}

const images = /^image\/(?:png|jpeg|gif|webp|avif)$/
/** An original is drawn small only when it is not worth a smaller one. */
const maxOriginalBytes = 500_000
/** A deployment that names a size of images so has them drawn from it. */
const preset = "thumb"
let hasPreset = true

export const isImage = ({ type }: FileFacts): boolean => images.test(type)

/** A small picture of an image; null where there is none that is small. */
export const thumbnailQuery = (file: FileFacts, reader: Reader) =>
  queryOptions({
    queryKey: ["files", "thumbnail", reader.key, file.id],
    staleTime: 300_000,
    // Pictures are large to keep.
    gcTime: 60_000,
    queryFn: async ({ signal }): Promise<Blob | null> => {
      const content = async (path: string) => (await reader.open(path, signal)).blob()
      const original = `/files/${file.id}`
      if (file.sizeBytes <= 20_000) return content(original)
      if (hasPreset) {
        try {
          return await content(`${original}?preset=${preset}`)
        } catch (error) {
          if (!isProblem(error)) throw error
          // Without it nobody else's is asked for; an image that cannot be made smaller says nothing of others.
          if (error.status === 400) hasPreset = false
        }
      }
      return file.sizeBytes <= maxOriginalBytes ? content(original) : null
    },
  })

/** What a field takes. */
export interface Limits {
  /** Such as `image/*` or `application/pdf`. */
  readonly types?: readonly string[] | undefined
  readonly maxBytes?: number | undefined
}

/** What speaks against a file before it is sent. The server judges the content; this saves sending it. */
export function refusalOf(
  { type, size }: Pick<File, "type" | "size">,
  { types, maxBytes }: Limits,
): "type" | "size" | null {
  if (maxBytes !== undefined && size > maxBytes) return "size"
  // What the browser does not know the server will.
  if (type === "" || !types) return null
  const isOne = (pattern: string) =>
    pattern === type || (pattern.endsWith("/*") && type.startsWith(pattern.slice(0, -1)))
  return types.some(isOne) ? null : "type"
}
