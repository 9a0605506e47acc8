/**
 * Text as SQLite sees it, for everything that memory must answer like SQL: ASCII folding, order by
 * code point, length in code points. No locale.
 */

/** SQLite's `lower()`: A to Z and nothing else. */
export const foldAscii = (text: string): string =>
  text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

/** SQLite's `length()` of text. */
export function codePointLength(text: string): number {
  let length = 0
  for (const _ of text) length += 1
  return length
}

/** Negative, 0 or positive, by code point: the order of UTF-8 bytes, where JavaScript orders UTF-16 units. */
export function compareCodePoints(a: string, b: string): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const difference = codePointRank(a.charCodeAt(i)) - codePointRank(b.charCodeAt(i))
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** Surrogates stand for code points above U+FFFF, but their units lie below U+E000: lift them over it. */
const codePointRank = (unit: number): number =>
  unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800
