import { Buffer } from "node:buffer"
import { invalidInput, Problem } from "../../platform/problem.ts"

/*
 * What the headers of tus say, and what is answered in them. Pure: no I/O, no clock.
 * @see https://tus.io/protocols/resumable-upload
 */

export const tusVersion = "1.0.0"

export const tusExtensions = "creation,creation-with-upload,termination,expiration,checksum"

/** In the order of the client's choice: what it does not say is sent as it is. */
export const checksumAlgorithms = ["sha1", "sha256"] as const

/** The body of a `PATCH`. */
export const chunkType = "application/offset+octet-stream"

export interface Checksum {
  readonly algorithm: (typeof checksumAlgorithms)[number]
  /** Base64. */
  readonly digest: string
}

/** What an upload says of the file. Whatever else it says is given back, and means nothing here. */
export interface UploadMetadata {
  readonly filename: string | undefined
  readonly filetype: string | undefined
  /** The field of records that it is for. */
  readonly for: string | undefined
}

/** @throws {Problem} `tus_version_unsupported` */
export function assertTusVersion(header: string | undefined): void {
  if (header === tusVersion) return
  throw new Problem("tus_version_unsupported", {
    detail: `Tus-Resumable: ${tusVersion} is what is spoken here.`,
    headers: { "tus-version": tusVersion },
  })
}

/** A number of bytes. @throws {Problem} `invalid_input` */
export function parseByteCount(name: string, header: string | undefined): number {
  if (header !== undefined && /^\d{1,15}$/.test(header)) return Number(header)
  throw wrongHeader(name, header === undefined ? "required" : "format", "a number of bytes")
}

/** How much there will be has to be said when room is reserved for it. @throws {Problem} `invalid_input` */
export function refuseDeferredLength(header: string | undefined): void {
  if (header !== undefined) {
    throw wrongHeader("Upload-Defer-Length", "unknown", "not spoken here, say Upload-Length")
  }
}

/** Null where nothing has to be compared. @throws {Problem} `invalid_input` */
export function parseChecksum(header: string | undefined): Checksum | null {
  if (header === undefined) return null
  const [name, digest = "", ...more] = header.split(" ")
  const algorithm = checksumAlgorithms.find((one) => one === name)
  if (!algorithm || more.length > 0 || !isBase64(digest)) {
    const expected = `${checksumAlgorithms.join(" or ")}, a space, and the digest in Base64`
    throw wrongHeader("Upload-Checksum", "format", expected)
  }
  return { algorithm, digest }
}

/** It is kept as long as the file, for whoever asks how far its upload is. */
const maxMetadata = 4_096

/** @throws {Problem} `invalid_input` */
export function parseMetadata(header: string | null): UploadMetadata {
  const said = new Map<string, string>()
  if (header !== null && header.length > maxMetadata) {
    throw wrongHeader("Upload-Metadata", "length", `${maxMetadata} characters at most`)
  }
  for (const pair of header?.split(",") ?? []) {
    const [key = "", value = "", ...more] = pair.trim().split(" ")
    if (key === "" || more.length > 0 || said.has(key) || !isBase64(value)) {
      const expected =
        "keys that differ, each with a space and its value in Base64, and commas between"
      throw wrongHeader("Upload-Metadata", "format", expected)
    }
    said.set(key, Buffer.from(value, "base64").toString())
  }
  return { filename: said.get("filename"), filetype: said.get("filetype"), for: said.get("for") }
}

const isBase64 = (text: string): boolean =>
  text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)

const wrongHeader = (name: string, code: string, expected: string): Problem =>
  invalidInput({
    path: `headers.${name.toLowerCase()}`,
    code,
    message: `${name}: ${expected}.`,
  })
