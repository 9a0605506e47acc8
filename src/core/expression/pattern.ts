import { foldAscii } from "./text.ts"

/**
 * The right side of `~`, folded to lower case (ASCII). Without `%` the text may stand anywhere; with `%`
 * the parts follow one another and the first and last are anchored (possibly empty).
 */
export type Pattern =
  | { readonly kind: "contains"; readonly text: string }
  | { readonly kind: "parts"; readonly parts: readonly string[] }

/** `%` cannot be escaped, `_` and everything else stand for themselves. */
export function parsePattern(text: string): Pattern {
  const folded = foldAscii(text)
  const parts = folded.split("%").filter((part, i, all) => part || i === 0 || i === all.length - 1)
  const [first, middle, last] = parts
  if (parts.length === 1) return { kind: "contains", text: folded }
  if (parts.length === 3 && first === "" && last === "") {
    return { kind: "contains", text: middle as string }
  }
  return { kind: "parts", parts }
}

/** Whether a text matches, ignoring the case of A to Z. */
export function matchesPattern(text: string, pattern: Pattern): boolean {
  const folded = foldAscii(text)
  if (pattern.kind === "contains") return folded.includes(pattern.text)
  const first = pattern.parts[0] as string
  const last = pattern.parts.at(-1) as string
  if (folded.length < first.length + last.length) return false
  if (!folded.startsWith(first) || !folded.endsWith(last)) return false
  const end = folded.length - last.length
  let position = first.length
  for (const part of pattern.parts.slice(1, -1)) {
    const found = folded.indexOf(part, position)
    if (found < 0 || found + part.length > end) return false
    position = found + part.length
  }
  return true
}

/** D1 refuses LIKE patterns above 50 bytes. */
const maxLikeBytes = 50

/** The pattern for `LIKE … ESCAPE '\'`, or null when D1 would refuse its length. */
export function likePattern(parts: readonly string[]): string | null {
  const like = parts.map((part) => part.replace(/[\\_%]/g, "\\$&")).join("%")
  return new TextEncoder().encode(like).length <= maxLikeBytes ? like : null
}
