/*
 * Access rules read as far as there are words for them (rule-words.ts): a part of the server's language, which its own
 * parser confirms in the tests. What says more is null, and stays text. No I/O.
 */

/** The server's tree of an expression without positions. */
export type Condition =
  | { readonly kind: "and" | "or"; readonly parts: readonly Condition[] }
  | { readonly kind: "not"; readonly part: Condition }
  | {
      readonly kind: "comparison"
      readonly operator: Operator
      readonly left: Operand
      readonly right: Operand
    }
  | {
      readonly kind: "in"
      readonly negated: boolean
      readonly left: Operand
      readonly list: readonly Operand[]
    }
  | { readonly kind: "truth"; readonly operand: Operand }
  /** The path is null for `@me.roles`. */
  | { readonly kind: "has"; readonly path: Path | null; readonly value: Operand }
  | { readonly kind: "changed"; readonly field: string }

export type Operator = "=" | "!=" | ">" | ">=" | "<" | "<=" | "~" | "!~"

export interface Path {
  readonly kind: "path"
  readonly root: "row" | "new" | "old"
  readonly names: readonly string[]
}

export type Operand =
  | Path
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  | { readonly kind: "actor"; readonly name: string }
  | { readonly kind: "time"; readonly base: "now" | "today" }

interface Reader {
  readonly tokens: readonly string[]
  index: number
  depth: number
}

/** What this reader does not know. It never leaves this file. */
const unknown = Symbol("unknown")

/** Null where the text says more than this reader knows, or is no condition. */
export function readRule(text: string): Condition | null {
  const tokens = cut(text)
  if (tokens === null) return null
  const reader = { tokens, index: 0, depth: 0 }
  try {
    const condition = readOr(reader)
    return reader.index === tokens.length ? condition : null
  } catch (reason) {
    if (reason === unknown) return null
    throw reason
  }
}

const token =
  /[ \t\r\n]*("(?:[^"\\]|\\["'\\])*"|'(?:[^'\\]|\\["'\\])*'|\d+(?:\.\d+)?(?![\w.])|@?[A-Za-z_]\w*|@(?![A-Za-z])|&&|\|\||!=|!~|>=|<=|[=><~!(),.])/y

function cut(text: string): string[] | null {
  const tokens: string[] = []
  const end = text.trimEnd().length
  for (token.lastIndex = 0; token.lastIndex < end; ) {
    const found = token.exec(text)?.[1]
    if (found === undefined) return null
    tokens.push(found)
  }
  return tokens
}

const peek = ({ tokens, index }: Reader): string => tokens[index] ?? ""

function take(reader: Reader): string {
  const found = peek(reader)
  reader.index += 1
  return found
}

function takeIf(reader: Reader, wanted: string): boolean {
  const found = peek(reader) === wanted
  if (found) reader.index += 1
  return found
}

function expect(reader: Reader, wanted: string): void {
  if (!takeIf(reader, wanted)) throw unknown
}

const readOr = (reader: Reader): Condition => readJunction(reader, "or", "||", readAnd)
const readAnd = (reader: Reader): Condition => readJunction(reader, "and", "&&", readCondition)

function readJunction(
  reader: Reader,
  kind: "and" | "or",
  sign: string,
  readPart: (reader: Reader) => Condition,
): Condition {
  const first = readPart(reader)
  const parts = [first]
  while (takeIf(reader, sign)) parts.push(readPart(reader))
  return parts.length === 1 ? first : { kind, parts }
}

/** Deeper than any rule that could be told in words. */
const maxDepth = 8

function deeper<T>(reader: Reader, read: (reader: Reader) => T): T {
  reader.depth += 1
  if (reader.depth > maxDepth) throw unknown
  const found = read(reader)
  reader.depth -= 1
  return found
}

function readCondition(reader: Reader): Condition {
  if (takeIf(reader, "!")) return { kind: "not", part: deeper(reader, readCondition) }
  if (takeIf(reader, "(")) {
    const inner = deeper(reader, readOr)
    expect(reader, ")")
    return inner
  }
  if (takeIf(reader, "@changed")) {
    expect(reader, "(")
    const field = readName(reader)
    expect(reader, ")")
    return { kind: "changed", field }
  }
  if (peek(reader) === "has" && reader.tokens[reader.index + 1] === "(") return readHas(reader)
  return readComparison(reader)
}

function readHas(reader: Reader): Condition {
  reader.index += 2
  const path = peek(reader) === "@me" ? readRoles(reader) : readPath(reader, "row")
  expect(reader, ",")
  const value = readOperand(reader)
  expect(reader, ")")
  return { kind: "has", path, value }
}

function readRoles(reader: Reader): null {
  for (const wanted of ["@me", ".", "roles"]) expect(reader, wanted)
  return null
}

const operators: ReadonlySet<string> = new Set(["=", "!=", ">", ">=", "<", "<=", "~", "!~"])

function readComparison(reader: Reader): Condition {
  const left = readOperand(reader)
  if (operators.has(peek(reader))) {
    const operator = take(reader) as Operator
    return { kind: "comparison", operator, left, right: readOperand(reader) }
  }
  const negated = takeIf(reader, "!")
  if (!takeIf(reader, "in")) {
    if (negated) throw unknown
    return { kind: "truth", operand: left }
  }
  expect(reader, "(")
  const list = [readOperand(reader)]
  while (takeIf(reader, ",")) list.push(readOperand(reader))
  expect(reader, ")")
  return { kind: "in", negated, left, list }
}

const actorNames: ReadonlySet<string> = new Set(["me.id", "me.email", "me.kind", "org.id"])

function readOperand(reader: Reader): Operand {
  const found = peek(reader)
  if (/^["']/.test(found)) {
    return { kind: "literal", value: take(reader).slice(1, -1).replace(/\\(.)/g, "$1") }
  }
  if (/^\d/.test(found)) return { kind: "literal", value: Number(take(reader)) }
  if (found === "@now" || found === "@today") {
    reader.index += 1
    return { kind: "time", base: found === "@now" ? "now" : "today" }
  }
  if (found === "@new" || found === "@old") {
    reader.index += 1
    expect(reader, ".")
    return readPath(reader, found === "@new" ? "new" : "old")
  }
  if (found.startsWith("@")) return readActor(reader)
  // A function: none is known here.
  if (reader.tokens[reader.index + 1] === "(") throw unknown
  if (found === "true" || found === "false") {
    return { kind: "literal", value: take(reader) === "true" }
  }
  if (takeIf(reader, "null")) return { kind: "literal", value: null }
  return readPath(reader, "row")
}

function readActor(reader: Reader): Operand {
  const base = take(reader).slice(1)
  expect(reader, ".")
  const name = `${base}.${readName(reader)}`
  if (!actorNames.has(name)) throw unknown
  return { kind: "actor", name }
}

function readPath(reader: Reader, root: Path["root"]): Path {
  const names = [readName(reader)]
  while (takeIf(reader, ".")) names.push(readName(reader))
  return { kind: "path", root, names }
}

function readName(reader: Reader): string {
  const found = take(reader)
  if (!/^[A-Za-z_]\w*$/.test(found)) throw unknown
  return found
}
