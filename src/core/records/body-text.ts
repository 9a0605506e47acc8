import { invalidInput, Problem } from "../../platform/problem.ts"

type Bytes = AsyncIterable<Uint8Array> | readonly Uint8Array[]

/**
 * The bytes of a body as they come in, each piece shown to `also`.
 *
 * @throws {Problem} `payload_too_large` beyond `most`: at once where the length is declared, else as soon as it is reached.
 */
export async function* bytesOfBody(
  request: Request,
  most: number,
  also: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  assertDeclared(request, most)
  let bytes = 0
  for await (const piece of (request.body ?? []) as Bytes) {
    bytes += piece.byteLength
    if (bytes > most) throw tooLarge(most)
    also(piece)
    yield piece
  }
  const declared = request.headers.get("content-length")
  if (declared !== null && bytes < Number(declared)) {
    throw invalidInput({ path: "body", code: "broken_off", message: "The body ended too early." })
  }
}

/** @throws {Problem} `payload_too_large` for a body that says that it is. */
export function assertDeclared({ headers }: Request, most: number): void {
  if (Number(headers.get("content-length")) > most) throw tooLarge(most)
}

const tooLarge = (most: number): Problem =>
  new Problem(
    "payload_too_large",
    `A file may have ${most.toLocaleString("en")} bytes at most: send it in several.`,
  )

/**
 * A body of any size as text, a piece at a time. A byte order mark is passed over.
 *
 * @throws {Problem} `unsupported_media_type` for a charset that is not UTF-8; `invalid_input` that names the encoding, as far
 * as it can be told, for bytes that are not.
 */
export async function* textOfBody(
  request: Request,
  body: Bytes = (request.body ?? []) as Bytes,
): AsyncGenerator<string> {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(request.headers.get("content-type") ?? "")
  if (charset && !/^utf-?8$/i.test(charset[1] as string)) {
    throw new Problem("unsupported_media_type", `The charset is ${charset[1]}: send UTF-8.`)
  }
  const decoder = new TextDecoder("utf-8", { fatal: true })
  let bytes = 0
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode()
    } catch {
      throw wrong(
        `Somewhere after byte ${bytes} it is not UTF-8; it may be Latin-1 (ISO 8859-1) or Windows-1252: save it as UTF-8.`,
      )
    }
  }
  for await (const chunk of body) {
    const known = bytes === 0 ? nameOf(chunk) : null
    if (known) throw wrong(`The body is ${known}: send text in UTF-8.`)
    const text = decode(chunk)
    bytes += chunk.byteLength
    if (text) yield text
  }
  const rest = decode()
  if (rest) yield rest
}

const wrong = (message: string): Problem =>
  invalidInput({ path: "body", code: "encoding", message })

/** What the first bytes give away, where they are no UTF-8: encodings of two and four bytes, and files that are no text. */
function nameOf(start: Uint8Array): string | null {
  const begins = (...bytes: number[]) => bytes.every((byte, at) => start[at] === byte)
  if (begins(0xff, 0xfe, 0, 0) || begins(0, 0, 0xfe, 0xff)) return "UTF-32"
  if (begins(0xff, 0xfe) || begins(0xfe, 0xff)) return "UTF-16"
  if (begins(0x1f, 0x8b)) return "compressed (gzip)"
  if (begins(0x50, 0x4b, 3, 4)) return "a ZIP file, as spreadsheets save workbooks"
  const empty = (at: number) => start[at] === 0 && start[at + 2] === 0
  // Without a mark: of the bytes of Latin letters, every other is nothing.
  if (start.length >= 4 && empty(0) !== empty(1)) return "UTF-16"
  return null
}
