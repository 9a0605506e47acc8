const bytes = new Uint8Array(16)
const hex = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"))
let lastMilliseconds = 0
let sequence = 0

/**
 * A UUIDv7: 48 bits of milliseconds, a 12-bit sequence that keeps ids of one isolate in order within a
 * millisecond, and 62 random bits.
 * @see https://www.rfc-editor.org/rfc/rfc9562#section-5.7
 */
export function uuidv7(now: number): string {
  crypto.getRandomValues(bytes)
  if (now > lastMilliseconds) {
    lastMilliseconds = now
    // Room to count up: the sequence starts in the lower half.
    sequence = (((bytes[6] as number) << 8) | (bytes[7] as number)) & 0x7ff
  } else if (++sequence > 0xfff) {
    lastMilliseconds++
    sequence = 0
  }
  let rest = lastMilliseconds
  for (let i = 5; i >= 0; i--) {
    bytes[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  bytes[6] = 0x70 | (sequence >> 8)
  bytes[7] = sequence & 0xff
  bytes[8] = 0x80 | ((bytes[8] as number) & 0x3f)
  let id = ""
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) id += "-"
    id += hex[bytes[i] as number]
  }
  return id
}

/** What UUIDv7s that are made from that moment on (milliseconds since the epoch) are not below. */
export function firstIdAt(milliseconds: number): string {
  const time = Math.max(0, milliseconds).toString(16).padStart(12, "0")
  return `${time.slice(0, 8)}-${time.slice(8)}`
}

/** Any UUID in the lower-case form, the only form in which ids are stored and compared. */
export const isId = (text: string): boolean =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(text)
