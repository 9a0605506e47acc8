import {
  type Algorithm,
  type Encoding,
  isRecent,
  isSame,
  membersOf,
  type Scheme,
  sign,
  textOrNull,
  toleranceSeconds,
} from "./scheme.ts"

interface HmacOptions {
  /** That the signature comes in. */
  readonly header: string
  /** SHA-256 unless told. */
  readonly algorithm?: Algorithm
  /** Hexadecimal, in small letters, unless told. */
  readonly encoding?: Encoding
  /** What stands before the signature, such as `sha256=`. */
  readonly prefix?: string
  /** Of a moment in whole seconds, which is signed before the body: `timestamp.body`. Without one, the body alone is signed. */
  readonly timestamp?: {
    readonly header: string
    /** Between the moment and the body; a dot unless told. */
    readonly separator?: string
    /** 300 unless told. */
    readonly toleranceSeconds?: number
  }
  /** That the event's id comes in. Without one it is the member `id` of a JSON body. */
  readonly idHeader?: string
  /** That its type comes in. Without one it is the member `type` of a JSON body. */
  readonly typeHeader?: string
}

/** An HMAC over the body, as whoever has no scheme of their own sends it. */
export function hmac({
  header,
  algorithm = "sha256",
  encoding = "hex",
  prefix = "",
  timestamp,
  idHeader,
  typeHeader,
}: HmacOptions): Scheme {
  const kept = [timestamp?.header, idHeader, typeHeader].filter((name) => name !== undefined)
  return {
    keeps: kept.map((name) => name.toLowerCase()),
    isSigned({ headers, body }, secret, now) {
      let before = ""
      if (timestamp) {
        const moment = headers.get(timestamp.header) ?? ""
        const tolerance = timestamp.toleranceSeconds ?? toleranceSeconds
        if (!isRecent(moment, now, tolerance)) return false
        before = `${moment}${timestamp.separator ?? "."}`
      }
      const expected = prefix + sign(algorithm, secret, before, body, encoding)
      return isSame(headers.get(header) ?? "", expected)
    },
    identify({ headers, body }) {
      const { id, type } = idHeader && typeHeader ? {} : membersOf(body)
      return {
        eventId: textOrNull(idHeader ? headers.get(idHeader) : id),
        type: textOrNull(typeHeader ? headers.get(typeHeader) : type),
      }
    },
  }
}
