import type {
  ActorName,
  Ast,
  ComparisonOperator,
  FunctionName,
  LiteralAst,
  NameAst,
  OperandAst,
  PathAst,
  TimeAst,
} from "./ast.ts"
import { ExpressionError } from "./error.ts"
import { type Token, tokenize } from "./tokens.ts"

/** Most comparisons in one expression. */
export const maxComparisons = 100
/** Deepest nesting of parentheses, `!`, functions and quantifiers; also the longest path. */
export const maxDepth = 30

/**
 * The text of a condition as a tree; `&&` binds tighter than `||`, `!` negates the comparison it precedes.
 *
 * @throws {ExpressionError} with the position, what was found, and what was expected there.
 */
export function parseExpression(text: string): Ast {
  const parser = createParser(text)
  const ast = parseOr(parser)
  expectEnd(parser, '"&&", "||" or the end')
  return ast
}

/**
 * The text of a single value, as in the default of a field: `@me.id`, `@now + 7d`, `lower("X")`.
 *
 * @throws {ExpressionError} as `parseExpression` does.
 */
export function parseOperand(text: string): OperandAst {
  const parser = createParser(text)
  const operand = parseValue(parser)
  expectEnd(parser, "the end")
  return operand
}

interface Parser {
  readonly tokens: readonly Token[]
  index: number
  depth: number
  comparisons: number
}

const createParser = (text: string): Parser => ({
  tokens: tokenize(text),
  index: 0,
  depth: 0,
  comparisons: 0,
})

const peek = (parser: Parser, ahead = 0): Token =>
  (parser.tokens[parser.index + ahead] ?? parser.tokens.at(-1)) as Token

function take(parser: Parser): Token {
  const token = peek(parser)
  parser.index += 1
  return token
}

const isSymbol = (token: Token, symbol: string): boolean =>
  token.kind === "symbol" && token.source === symbol

function takeIf(parser: Parser, symbol: string): boolean {
  const found = isSymbol(peek(parser), symbol)
  if (found) parser.index += 1
  return found
}

function expect(parser: Parser, symbol: string, expected = `"${symbol}"`): Token {
  if (!isSymbol(peek(parser), symbol)) throw unexpected(peek(parser), expected)
  return take(parser)
}

function expectEnd(parser: Parser, expected: string): void {
  if (peek(parser).kind !== "end") throw unexpected(peek(parser), expected)
}

function unexpected(token: Token, expected: string): ExpressionError {
  const found = token.kind === "end" ? "the end" : shorten(token.source)
  return new ExpressionError("syntax", token.position, `Found ${found}`, `expected ${expected}`)
}

/** A text as written, cut where a message would drown in it. */
const shorten = (source: string): string => {
  const quoted = /^["']/.test(source) ? source : `"${source}"`
  return quoted.length > 60 ? `${quoted.slice(0, 57)}…` : quoted
}

/** Parses something one level deeper; the recursion of this parser is bounded by it. */
function nested<T>(parser: Parser, position: number, parse: () => T): T {
  parser.depth += 1
  if (parser.depth > maxDepth) {
    throw new ExpressionError("too_deep", position, `Nested deeper than ${maxDepth}`)
  }
  const result = parse()
  parser.depth -= 1
  return result
}

function countComparison(parser: Parser, position: number): void {
  parser.comparisons += 1
  if (parser.comparisons > maxComparisons) {
    const problem = `More than ${maxComparisons} comparisons`
    throw new ExpressionError("too_many_comparisons", position, problem)
  }
}

const parseOr = (parser: Parser): Ast => parseJunction(parser, "or", "||", parseAnd)
const parseAnd = (parser: Parser): Ast => parseJunction(parser, "and", "&&", parseCondition)

function parseJunction(
  parser: Parser,
  kind: "and" | "or",
  symbol: string,
  parsePart: (parser: Parser) => Ast,
): Ast {
  const first = parsePart(parser)
  const parts = [first]
  while (takeIf(parser, symbol)) parts.push(parsePart(parser))
  return parts.length === 1 ? first : { kind, parts }
}

function parseCondition(parser: Parser): Ast {
  const token = peek(parser)
  if (takeIf(parser, "!")) {
    return { kind: "not", part: nested(parser, token.position, () => parseCondition(parser)) }
  }
  if (takeIf(parser, "(")) {
    const ast = nested(parser, token.position, () => parseOr(parser))
    expect(parser, ")", '"&&", "||" or ")"')
    return ast
  }
  if (token.source === "@changed") return parseChanged(parser)
  if (token.kind === "name" && isSymbol(peek(parser, 1), "(")) {
    const word = token.source
    if (word === "any" || word === "all" || word === "none") return parseQuantifier(parser, word)
    if (word === "has") return parseHas(parser)
    if (word === "within") return parseWithin(parser)
  }
  return parseComparison(parser)
}

const comparisonOperators: ReadonlySet<string> = new Set([
  "=",
  "!=",
  ">",
  ">=",
  "<",
  "<=",
  "~",
  "!~",
])

function parseComparison(parser: Parser): Ast {
  const left = parseValue(parser, "a condition")
  countComparison(parser, left.position)
  const token = peek(parser)
  if (token.kind === "symbol" && comparisonOperators.has(token.source)) {
    parser.index += 1
    const operator = token.source as ComparisonOperator
    const right = parseValue(parser)
    return { kind: "comparison", operator, position: token.position, left, right }
  }
  const negated = isSymbol(token, "!") && isWord(peek(parser, 1), "in")
  if (!negated && !isWord(token, "in")) return { kind: "truth", operand: left }
  parser.index += negated ? 2 : 1
  return { kind: "in", negated, position: token.position, left, list: parseList(parser) }
}

const isWord = (token: Token, word: string): boolean =>
  token.kind === "name" && token.source === word

function parseList(parser: Parser): readonly OperandAst[] {
  expect(parser, "(")
  const list: OperandAst[] = []
  do {
    const item = parseValue(parser)
    // Constants become one list; each other item becomes a comparison of its own.
    if (list.length > 0 && item.kind !== "literal") countComparison(parser, item.position)
    list.push(item)
  } while (takeIf(parser, ","))
  expect(parser, ")", '"," or ")"')
  return list
}

/** The parenthesised arguments after a word that was already seen. */
function parseArguments<T>(parser: Parser, parse: () => T): T {
  const open = expect(parser, "(")
  const result = nested(parser, open.position, parse)
  expect(parser, ")")
  return result
}

function parseQuantifier(parser: Parser, quantifier: "any" | "all" | "none"): Ast {
  parser.index += 1
  return parseArguments(parser, () => {
    const path = parsePath(parser)
    expect(parser, ",")
    return { kind: "quantifier", quantifier, path, condition: parseOr(parser) }
  })
}

function parseHas(parser: Parser): Ast {
  const { position } = take(parser)
  countComparison(parser, position)
  return parseArguments(parser, () => {
    const path = peek(parser).source === "@me" ? parseRoles(parser) : parsePath(parser)
    expect(parser, ",")
    return { kind: "has", path, value: parseValue(parser) }
  })
}

function parseWithin(parser: Parser): Ast {
  const { position } = take(parser)
  countComparison(parser, position)
  return parseArguments(parser, () => {
    const path = parsePath(parser)
    const south = parseDegrees(parser, 90)
    const west = parseDegrees(parser, 180)
    const north = parseDegrees(parser, 90)
    const east = parseDegrees(parser, 180)
    if (south <= north) return { kind: "within", path, box: { south, west, north, east }, position }
    const hint = "expected within(point, south, west, north, east)"
    throw new ExpressionError("bad_point", position, "The south of a box lies north of it", hint)
  })
}

/** A comma and a number of degrees, written out: a latitude has 90 either way, a longitude 180. */
function parseDegrees(parser: Parser, most: 90 | 180): number {
  expect(parser, ",")
  const token = peek(parser)
  const expected = most === 90 ? "a latitude in degrees" : "a longitude in degrees"
  const sign = takeIf(parser, "-") ? -1 : 1
  const digits = peek(parser)
  if (digits.kind !== "number") throw unexpected(digits, expected)
  parser.index += 1
  const degrees = sign * (digits.value as number)
  if (Math.abs(degrees) <= most) return degrees
  const hint = `expected ${expected}, from -${most} to ${most}`
  throw new ExpressionError("bad_point", token.position, `${degrees} is too much`, hint)
}

/** `@me.roles`, the only list of the actor. */
function parseRoles(parser: Parser): null {
  const { position } = take(parser)
  expect(parser, ".", '".roles"')
  const name = parseName(parser)
  if (name.name !== "roles") {
    throw new ExpressionError("unknown_name", position, `"@me.${name.name}" is no list`, listHint)
  }
  return null
}

const listHint = "expected @me.roles or a relation to many"

function parseChanged(parser: Parser): Ast {
  const { position } = take(parser)
  countComparison(parser, position)
  const field = parseArguments(parser, () => parseName(parser))
  return { kind: "changed", position, field }
}

function parseName(parser: Parser): NameAst {
  const token = peek(parser)
  if (token.kind !== "name") throw unexpected(token, "the name of a field")
  parser.index += 1
  return { name: token.source, position: token.position }
}

/** `project.owner.name`, or the same after `@new.` or `@old.` */
function parsePath(parser: Parser): PathAst {
  const { position, source } = peek(parser)
  const root = source === "@new" ? "new" : source === "@old" ? "old" : "row"
  if (root !== "row") {
    parser.index += 1
    expect(parser, ".", `a field, as in "@${root}.status"`)
  }
  const names: [NameAst, ...NameAst[]] = [parseName(parser)]
  while (takeIf(parser, ".")) {
    names.push(parseName(parser))
    if (names.length > maxDepth) {
      throw new ExpressionError("too_deep", position, `A path longer than ${maxDepth} names`)
    }
  }
  return { kind: "path", root, names, position }
}

const functions: ReadonlySet<string> = new Set(["lower", "length", "day", "month", "year"])
const words: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["false", false],
  ["null", null],
])

function parseValue(parser: Parser, expected = "a field or a value"): OperandAst {
  const token = peek(parser)
  if (token.kind === "text" || token.kind === "number") {
    return literal(take(parser), token.value)
  }
  if (isSymbol(token, "-") && peek(parser, 1).kind === "number") {
    parser.index += 1
    const digits = take(parser)
    return { ...literal(digits, -(digits.value as number)), position: token.position }
  }
  if (token.kind === "actor") return parseActor(parser)
  if (token.kind !== "name") throw unexpected(token, expected)
  if (isSymbol(peek(parser, 1), "(")) return parseCall(parser)
  if (words.has(token.source)) return literal(take(parser), words.get(token.source) ?? null)
  return parsePath(parser)
}

const literal = (token: Token, value: LiteralAst["value"]): LiteralAst => ({
  kind: "literal",
  value,
  source: shorten(token.source),
  position: token.position,
})

function parseCall(parser: Parser): OperandAst {
  const { source, position } = take(parser)
  if (functions.has(source)) {
    const argument = parseArguments(parser, () => parseValue(parser))
    return { kind: "call", name: source as FunctionName, argument, position }
  }
  if (source === "count") {
    return parseArguments(parser, () => {
      const path = parsePath(parser)
      const condition = takeIf(parser, ",") ? parseOr(parser) : null
      return { kind: "count", path, condition, position }
    })
  }
  if (source === "distance") {
    return parseArguments(parser, () => {
      const path = parsePath(parser)
      const latitude = parseDegrees(parser, 90)
      return {
        kind: "distance",
        path,
        from: { latitude, longitude: parseDegrees(parser, 180) },
        position,
      }
    })
  }
  const isCondition = ["any", "all", "none", "has", "within"].includes(source)
  const problem = isCondition
    ? `"${source}" is a condition, not a value`
    : `Unknown function "${source}"`
  const hint = isCondition
    ? "it stands alone"
    : "expected lower, length, day, month, year, count, distance, any, all, none, has or within"
  throw new ExpressionError(isCondition ? "syntax" : "unknown_name", position, problem, hint)
}

const actorNames: ReadonlySet<string> = new Set(["me.id", "me.email", "me.kind", "org.id"])

function parseActor(parser: Parser): OperandAst {
  const token = peek(parser)
  if (token.source === "@new" || token.source === "@old") return parsePath(parser)
  parser.index += 1
  if (token.source === "@now" || token.source === "@today") return parseTime(parser, token)
  if (token.source === "@changed") {
    throw new ExpressionError("syntax", token.position, '"@changed" is a condition, not a value')
  }
  const dotted = takeIf(parser, ".") ? `.${parseName(parser).name}` : ""
  const name = token.source.slice(1) + dotted
  if (actorNames.has(name))
    return { kind: "actor", name: name as ActorName, position: token.position }
  const hint =
    name === "me.roles"
      ? 'ask has(@me.roles, "…")'
      : "expected @me.id, @me.email, @me.kind, @me.roles, @org.id, @now, @today, @new, @old or @changed"
  throw new ExpressionError("unknown_name", token.position, `Unknown value "@${name}"`, hint)
}

/** Far beyond any purpose, and so small that the result stays within the years 0 to 9999. */
const maxOffsetMilliseconds = 200_000 * 86_400_000

function parseTime(parser: Parser, token: Token): TimeAst {
  let offsetMilliseconds = 0
  while (isSymbol(peek(parser), "+") || isSymbol(peek(parser), "-")) {
    const sign = take(parser).source === "-" ? -1 : 1
    const span = peek(parser)
    if (span.kind !== "duration") throw unexpected(span, "a duration such as 7d, 3h or 15m")
    parser.index += 1
    offsetMilliseconds += sign * (span.value as number)
    if (Math.abs(offsetMilliseconds) > maxOffsetMilliseconds) {
      throw new ExpressionError(
        "bad_date",
        span.position,
        `The duration ${shorten(span.source)} is too long`,
      )
    }
  }
  const base = token.source === "@now" ? "now" : "today"
  return { kind: "time", base, offsetMilliseconds, position: token.position }
}
