import { Buffer } from "node:buffer"
import { invalidInput, Problem } from "../../platform/problem.ts"
import { nameInDisposition } from "./file-name.ts"

/*
 * `multipart/form-data` (RFC 7578) with one file, which is its last part, read while it arrives. How long the file is, no
 * part says; but the form's own length, and what stands before and after the file, leave only one answer.
 */

/** Of all that comes before the file: room for names that are far too long, and will be cut. */
const maxHeadBytes = 49_152

export interface Form {
  /** Those before the file, by name. */
  readonly fields: Readonly<Record<string, string>>
  readonly file: {
    readonly name: string
    readonly type: string | undefined
    readonly sizeBytes: number
    /** Each chunk is good until the next is asked for. */
    readonly content: AsyncIterable<Uint8Array>
  }
}

export const isForm = (contentType: string | undefined): boolean =>
  /^\s*multipart\/form-data\s*(?:;|$)/i.test(contentType ?? "")

/**
 * Reads up to where the file begins.
 *
 * @param length of the whole body, in bytes
 * @param chunks of the body; each is good until the next is asked for
 * @throws {Problem} `invalid_input` for what is no form, or none with one file at its end, here or while `content` is read;
 * `payload_too_large` when the fields before it are
 */
export async function openForm(
  contentType: string,
  length: number,
  chunks: AsyncGenerator<Uint8Array>,
): Promise<Form> {
  const boundary = boundaryOf(contentType)
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  const head = headOf(chunks)
  const fields: Record<string, string> = Object.create(null)
  if ((await head.until(delimiter.subarray(2))).length > 0)
    throw notForm("It begins with its boundary.")
  for (;;) {
    // After the last delimiter of all stands `--`.
    if ((await head.until(lineEnd)).length > 0) throw noFile()
    const part = partOf((await head.until(headersEnd)).toString())
    if (part.fileName === null) {
      fields[part.name] = (await head.until(delimiter)).toString()
      continue
    }
    const ending = Buffer.concat([delimiter, Buffer.from("--\r\n")])
    const sizeBytes = length - head.consumed() - ending.length
    // What browsers send of an input with which nothing was chosen.
    if (sizeBytes < 0 || (sizeBytes === 0 && part.fileName === "")) throw noFile()
    const content = contentOf(head.rest(), chunks, sizeBytes, delimiter, ending)
    return { fields, file: { name: part.fileName, type: part.type, sizeBytes, content } }
  }
}

const lineEnd = Buffer.from("\r\n")
const headersEnd = Buffer.from("\r\n\r\n")

function boundaryOf(contentType: string): string {
  const found = /;\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;",]{1,70}))\s*(?:;|$)/i.exec(contentType)
  const boundary = found?.[1] ?? found?.[2]
  if (boundary !== undefined) return boundary
  const message = "Content-Type: the boundary between the parts of the form is not told."
  throw invalidInput({ path: "headers.content-type", code: "boundary", message })
}

/** The beginning of the body, piece by piece: what has been read and not taken is held, and there is a limit to it. */
function headOf(chunks: AsyncGenerator<Uint8Array>) {
  let received = 0
  let held: Buffer = Buffer.alloc(0)
  return {
    consumed: () => received - held.length,
    rest: () => held,
    /** What stands before `mark`, which is taken too. */
    async until(mark: Buffer): Promise<Buffer> {
      for (let searched = 0; ; ) {
        const at = held.indexOf(mark, searched)
        if (received - held.length + Math.max(at, searched) > maxHeadBytes) {
          const detail = `What stands before the file may have ${maxHeadBytes} bytes at most.`
          throw new Problem("payload_too_large", detail)
        }
        if (at >= 0) {
          const found = held.subarray(0, at)
          held = held.subarray(at + mark.length)
          return found
        }
        searched = Math.max(0, held.length - mark.length + 1)
        const { done, value } = await chunks.next()
        if (done) throw noFile()
        received += value.byteLength
        held = Buffer.concat([held, value])
      }
    },
  }
}

interface Part {
  readonly name: string
  /** As it was sent; null for a field. */
  readonly fileName: string | null
  readonly type: string | undefined
}

/** @param headers without the line end after them */
function partOf(headers: string): Part {
  const lines = headers.split("\r\n").map((line) => /^([\w-]+):\s*(.*)$/s.exec(line))
  const named = (wanted: string) => lines.find((line) => line?.[1]?.toLowerCase() === wanted)?.[2]
  const disposition = named("content-disposition") ?? ""
  const name = quoted("name", disposition)
  if (!/^form-data\s*;/i.test(disposition) || name === null)
    throw notForm("Each of its parts has a name.")
  const fileName = quoted("filename", disposition) ?? nameInDisposition(disposition)
  return { name, fileName, type: named("content-type") }
}

/**
 * As browsers write it: in UTF-8, of which only quotation marks and line ends are encoded. A backslash is one, but before a
 * quotation mark, as curl once wrote it.
 * @see https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
 */
function quoted(parameter: string, disposition: string): string | null {
  const pattern = new RegExp(`;\\s*${parameter}="((?:[^"\\\\]|\\\\"?)*)"`, "i")
  const written = pattern.exec(disposition)?.[1]
  if (written === undefined) return null
  return written
    .replaceAll('\\"', '"')
    .replace(/%(?:22|0D|0A)/gi, (encoded) => decodeURIComponent(encoded))
}

/** So many bytes, of which the first have been read already, and behind them the form's end, and nothing else. */
async function* contentOf(
  first: Uint8Array,
  chunks: AsyncGenerator<Uint8Array>,
  size: number,
  delimiter: Buffer,
  ending: Buffer,
): AsyncGenerator<Uint8Array> {
  let passed = 0
  /** The last bytes that have passed: a delimiter may begin in one chunk and end in the next. */
  let before: Buffer = Buffer.alloc(0)
  let behind: Buffer = Buffer.alloc(0)
  for await (const chunk of following(first, chunks)) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const content = bytes.subarray(0, Math.max(0, size - passed))
    const seam = Buffer.concat([before, content.subarray(0, delimiter.length - 1)])
    if (seam.includes(delimiter) || content.includes(delimiter)) throw anotherPart()
    behind = Buffer.concat([behind, bytes.subarray(content.length)])
    if (behind.length > ending.length) break
    passed += content.length
    before = Buffer.concat([before, content.subarray(-delimiter.length)]).subarray(
      1 - delimiter.length,
    )
    yield content
  }
  if (!behind.equals(ending)) throw notForm(endsSo)
}

async function* following(
  first: Uint8Array,
  chunks: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield first
  yield* chunks
}

const refusal = (code: string, message: string): Problem =>
  invalidInput({ path: "body", code, message })

const notForm = (why: string): Problem =>
  refusal("form", `The form is not as browsers send it. ${why}`)

const endsSo = "It ends with its boundary, two hyphens and a line end, right behind the file."

const noFile = (): Problem =>
  refusal("file_missing", "The form has no file: it is its last part, and has a file name.")

const anotherPart = (): Problem =>
  refusal("last_part", "A form holds one file, and nothing after it.")
