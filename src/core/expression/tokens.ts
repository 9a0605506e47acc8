import { isStorableText } from "../../platform/storable-text.ts"
import { ExpressionError } from "./error.ts"

export type TokenKind = "name" | "actor" | "text" | "number" | "duration" | "symbol" | "end"

export interface Token {
  readonly kind: TokenKind
  /** As written, for messages; a text token keeps its quotes here. */
  readonly source: string
  readonly position: number
  /** The decoded text, the number, or a duration in milliseconds. */
  readonly value: string | number
}

/** Longest expression, in characters (code points). */
export const maxCharacters = 4_000

/**
 * Cuts a text into tokens; the last one is always `end`.
 *
 * @throws {ExpressionError} `too_long`, `bad_text` (NUL, lone surrogates), `syntax`.
 */
export function tokenize(text: string): readonly Token[] {
  refuseUnusable(text)
  const tokens: Token[] = []
  let position = 0
  while (true) {
    position += match(space, text, position)?.length ?? 0
    const token = nextToken(text, position)
    tokens.push(token)
    if (token.kind === "end") return tokens
    position += token.source.length
  }
}

const space = /[ \t\r\n]+/y
const name = /[A-Za-z_][A-Za-z0-9_]*/y
const actor = /@[A-Za-z]*/y
const duration = /\d+[dhm](?![A-Za-z0-9_])/y
const number = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const symbol = /&&|\|\||!=|!~|>=|<=|[=><~!(),.+-]/y
const milliseconds = { d: 86_400_000, h: 3_600_000, m: 60_000 }

function refuseUnusable(text: string): void {
  // Length in UTF-16 first: counting the code points of a megabyte would be work for the attacker.
  if (
    text.length > maxCharacters &&
    (text.length > 2 * maxCharacters || codePoints(text) > maxCharacters)
  ) {
    throw new ExpressionError("too_long", maxCharacters, `More than ${maxCharacters} characters`)
  }
  if (!isStorableText(text)) {
    const position = text.search(/\0|\p{Surrogate}/u)
    throw new ExpressionError("bad_text", position, "NUL or half a surrogate pair")
  }
}

const codePoints = (text: string): number => [...text].length

function match(pattern: RegExp, text: string, position: number): string | null {
  pattern.lastIndex = position
  return pattern.exec(text)?.[0] ?? null
}

function nextToken(text: string, position: number): Token {
  if (position >= text.length) return { kind: "end", source: "", position, value: "" }
  const quote = text[position]
  if (quote === '"' || quote === "'") return textToken(text, position, quote)
  const span = match(duration, text, position)
  if (span) {
    const unit = milliseconds[span.at(-1) as "d" | "h" | "m"]
    return { kind: "duration", source: span, position, value: Number(span.slice(0, -1)) * unit }
  }
  const digits = match(number, text, position)
  if (digits) return numberToken(text, position, digits)
  const kinds = [
    ["name", name],
    ["actor", actor],
    ["symbol", symbol],
  ] as const
  for (const [kind, pattern] of kinds) {
    const source = match(pattern, text, position)
    if (source) return { kind, source, position, value: source }
  }
  const found = String.fromCodePoint(text.codePointAt(position) as number)
  const hint =
    { "&": 'write "&&"', "|": 'write "||"' }[found] ?? "expected a name, a value or an operator"
  throw new ExpressionError("syntax", position, `Unexpected ${JSON.stringify(found)}`, hint)
}

function numberToken(text: string, position: number, source: string): Token {
  const rest = match(name, text, position + source.length)
  if (rest) {
    const problem = `Unexpected ${JSON.stringify(rest)} after a number`
    throw new ExpressionError(
      "syntax",
      position + source.length,
      problem,
      "durations end in d, h or m",
    )
  }
  const value = Number(source)
  if (!Number.isFinite(value)) {
    throw new ExpressionError("syntax", position, `The number ${source} is too large`)
  }
  return { kind: "number", source, position, value }
}

const escapes: Readonly<Record<string, string>> = { '"': '"', "'": "'", "\\": "\\", n: "\n" }

function textToken(text: string, start: number, quote: string): Token {
  let value = ""
  let position = start + 1
  while (text[position] !== quote) {
    const char = text[position]
    if (char === undefined) {
      throw new ExpressionError("syntax", start, "Text without an end", `expected ${quote}`)
    }
    if (char !== "\\") {
      value += char
      position += 1
      continue
    }
    const next = text[position + 1] ?? ""
    const hex = next === "u" ? match(/[0-9A-Fa-f]{4}/y, text, position + 2) : null
    const decoded = hex === null ? escapes[next] : String.fromCharCode(Number.parseInt(hex, 16))
    if (decoded === undefined) {
      const hint = String.raw`expected \" \' \\ \n or \uXXXX`
      throw new ExpressionError("syntax", position, `Unknown escape "\\${next}"`, hint)
    }
    value += decoded
    position += hex === null ? 2 : 6
  }
  if (!isStorableText(value)) {
    throw new ExpressionError("bad_text", start, "NUL or half a surrogate pair in text")
  }
  return { kind: "text", source: text.slice(start, position + 1), position: start, value }
}
