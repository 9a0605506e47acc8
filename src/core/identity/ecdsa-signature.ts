/*
 * An ECDSA signature as authenticators write it: DER of `SEQUENCE { r INTEGER, s INTEGER }`. It is all of ASN.1 that passkeys
 * need here, in the words of @peculiar/asn1-schema, for which it stands in (no-certificates.ts). No I/O, no clock.
 * @see https://www.rfc-editor.org/rfc/rfc3279#section-2.2.3 for the structure, X.690 (8.1, 8.3, 10.1) for its bytes
 */

/** What is to be parsed; there is nothing else that can be. */
export const ECDSASigValue = Symbol("Ecdsa-Sig-Value")

export const AsnParser = {
  /**
   * The contents of both integers, big-endian, with the leading zero that DER puts before a first bit that is set.
   *
   * @throws {Error} for every encoding but the one that DER allows: a signature has one spelling
   */
  parse(bytes: Uint8Array, target: unknown): { r: Uint8Array; s: Uint8Array } {
    if (target !== ECDSASigValue) throw new Error("Only signatures are read here.")
    const sequence = readElement(bytes, 0x30)
    const r = readElement(sequence.content, 0x02)
    const s = readElement(r.rest, 0x02)
    if (sequence.rest.length > 0 || s.rest.length > 0) throw malformed()
    return { r: positive(r.content), s: positive(s.content) }
  },
}

/** One element with this tag, and what stands behind it. */
function readElement(bytes: Uint8Array, tag: number) {
  const [first, short = 0x80, long = 0] = bytes
  // Up to 127 the length is one byte; one byte more reaches 255, and two integers of P-521 take 138.
  const isLong = short === 0x81 && long > 127
  if (first !== tag || (short > 127 && !isLong)) throw malformed()
  const start = isLong ? 3 : 2
  const end = start + (isLong ? long : short)
  if (end > bytes.length) throw malformed()
  return { content: bytes.subarray(start, end), rest: bytes.subarray(end) }
}

/** As short as it can be, and not below zero. */
function positive(integer: Uint8Array): Uint8Array {
  const [first = 0x80, second = 0] = integer
  const isPadded = first === 0 && integer.length > 1 && second < 0x80
  if (first > 127 || isPadded) throw malformed()
  return integer
}

const malformed = () => new Error("This is no ECDSA signature in DER.")
