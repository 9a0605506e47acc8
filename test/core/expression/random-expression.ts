import type { Shape, ShapeField } from "../../../src/core/expression/types.ts"
import {
  type Choices,
  chance,
  dates,
  datetimes,
  ids,
  numbers,
  pick,
  randomPlace,
  texts,
} from "./random-laboratory.ts"

/** What a random expression may say. */
export interface Vocabulary {
  /** Names that may be used; others are unknown to the caller. */
  readonly allows: (shape: Shape, field: string) => boolean
  /** `@new` and `@changed`, about rows of this shape. */
  readonly write?: Shape
}

/** A well-typed condition about rows of a shape, as text. */
export function randomExpression(
  choices: Choices,
  shape: Shape,
  vocabulary: Vocabulary,
  depth = 3,
): string {
  const inner = (about = shape) => randomExpression(choices, about, vocabulary, depth - 1)
  const kind = depth > 0 ? choices.upTo(11) : 11
  if (kind === 0) return `(${inner()} && ${inner()})`
  if (kind === 1) return `(${inner()} || ${inner()})`
  if (kind === 2) return `!${inner()}`
  if (kind === 3) return `!(${inner()} || ${inner()} && ${inner()})`
  if (kind <= 6) {
    const many = randomMany(choices, shape, vocabulary)
    if (many) return aboutMany(choices, many, shape, vocabulary, inner)
  }
  return comparison(choices, shape, vocabulary)
}

interface Named {
  readonly path: string
  readonly field: ShapeField
}

function aboutMany(
  choices: Choices,
  { path, field }: Named,
  shape: Shape,
  vocabulary: Vocabulary,
  inner: (about?: Shape) => string,
): string {
  const target = (field as ShapeField & { kind: "many" }).target()
  const kind = choices.upTo(6)
  if (kind === 0) return `count(${path}) ${operator(choices)} ${choices.upTo(3)}`
  if (kind === 1) return `count(${path}, ${inner(target)}) ${operator(choices)} ${choices.upTo(2)}`
  if (kind === 2) return `has(${path}, ${textOperand(choices, shape, vocabulary, target.name)})`
  return `${pick(choices, ["any", "all", "none"])}(${path}, ${inner(target)})`
}

const operator = (choices: Choices): string => pick(choices, ["=", "!=", ">", ">=", "<", "<="])

/** A path to a field of one of the kinds, through up to two relations to one. */
function randomPath(
  choices: Choices,
  shape: Shape,
  vocabulary: Vocabulary,
  suits: (field: ShapeField) => boolean,
): Named | null {
  const fromNew = vocabulary.write !== undefined && chance(choices, 30)
  let path = fromNew ? "@new." : ""
  let at = fromNew ? (vocabulary.write as Shape) : shape
  for (let steps = choices.upTo(2); steps > 0; steps--) {
    const ones = fieldsOf(at, vocabulary).filter((field) => field.kind === "one")
    if (ones.length === 0) break
    const step = pick(choices, ones)
    path += `${step.name}.`
    at = step.target()
  }
  const fields = fieldsOf(at, vocabulary).filter(suits)
  if (fields.length === 0) return null
  const field = pick(choices, fields)
  return { path: path + field.name, field }
}

const fieldsOf = (shape: Shape, vocabulary: Vocabulary): ShapeField[] =>
  shape
    .fieldNames()
    .filter((name) => vocabulary.allows(shape, name))
    .map((name) => shape.field(name) as ShapeField)

const randomMany = (choices: Choices, shape: Shape, vocabulary: Vocabulary): Named | null =>
  randomPath(choices, shape, vocabulary, (field) => field.kind === "many")

const quote = (text: string): string => JSON.stringify(text)
const typeOf = (field: ShapeField): string => (field.kind === "value" ? field.type : field.kind)

function comparison(choices: Choices, shape: Shape, vocabulary: Vocabulary): string {
  if (vocabulary.write && chance(choices, 15)) {
    const stored = vocabulary.write.fieldNames().filter((name) => name !== "backs")
    return `@changed(${pick(choices, stored)})`
  }
  const named = randomPath(choices, shape, vocabulary, (field) => field.kind !== "many")
  if (!named) return pick(choices, ["true", "false"])
  const { path, field } = named
  const type = typeOf(field)
  if (type === "point" && chance(choices, 90)) return placeTest(choices, path)
  if (type === "json" || type === "point" || chance(choices, 10))
    return `${path} ${pick(choices, ["=", "!="])} null`
  if (type === "boolean") return booleanTest(choices, path)
  if (type === "number") return ordered(choices, path, numberOperand(choices, shape, vocabulary))
  if (type === "date" || type === "datetime") {
    if (chance(choices, 30)) {
      const part = pick(choices, ["day", "month", "year"])
      return `${part}(${path}) ${operator(choices)} ${pick(choices, [1, 11, 21, 2026])}`
    }
    return ordered(choices, path, () => momentOperand(choices, shape, vocabulary))
  }
  return textTest(choices, path, shape, vocabulary, field)
}

/** Distances of places to one another, and boxes, also across the antimeridian and as narrow as a point. */
function placeTest(choices: Choices, path: string): string {
  const place = randomPlace(choices)
  if (chance(choices, 50)) {
    const distance = `distance(${path}, ${place.latitude}, ${place.longitude})`
    const metres = pick(choices, [0, 150, 400, 5_000, 1_000_000, 9_000_000, 20_020_000, 1e300, -1])
    return ordered(choices, distance, () => String(metres))
  }
  const other = chance(choices, 20) ? place : randomPlace(choices)
  const [south, north] = [place.latitude, other.latitude].sort((a, b) => a - b)
  return `within(${path}, ${south}, ${place.longitude}, ${north}, ${other.longitude})`
}

const booleanTest = (choices: Choices, path: string): string =>
  pick(choices, [
    path,
    `${path} = true`,
    `${path} != true`,
    `false = ${path}`,
    `${path} in (true, null)`,
  ])

/** A comparison from either side, or membership in a list. */
function ordered(choices: Choices, path: string, operand: () => string): string {
  if (chance(choices, 20)) {
    const list = [operand(), operand(), ...(chance(choices, 20) ? ["null"] : [])]
    const [left = "", ...items] = chance(choices, 30) ? [...list, path] : [path, ...list]
    return `${left} ${pick(choices, ["in", "!in"])} (${items.join(", ")})`
  }
  const sides = chance(choices, 20) ? [operand(), path] : [path, operand()]
  return sides.join(` ${operator(choices)} `)
}

function numberOperand(choices: Choices, shape: Shape, vocabulary: Vocabulary): () => string {
  return () => {
    if (chance(choices, 70)) return String(pick(choices, numbers))
    const text = randomPath(choices, shape, vocabulary, (field) => typeOf(field) === "text")
    const number = randomPath(choices, shape, vocabulary, (field) => typeOf(field) === "number")
    if (text && chance(choices, 50)) return `length(${text.path})`
    return number?.path ?? "7"
  }
}

function momentOperand(choices: Choices, shape: Shape, vocabulary: Vocabulary): string {
  const kind = choices.upTo(5)
  if (kind === 0)
    return pick(choices, ["@now", "@today", "@now - 7d", "@today - 7d", "@now + 3h - 15m"])
  if (kind === 1) {
    const moment = randomPath(choices, shape, vocabulary, (field) =>
      ["date", "datetime"].includes(typeOf(field)),
    )
    if (moment) return moment.path
  }
  return quote(pick(choices, [...dates, ...datetimes, "2026-11-21T11:30:00+01:00"]))
}

function textTest(
  choices: Choices,
  path: string,
  shape: Shape,
  vocabulary: Vocabulary,
  field: ShapeField,
): string {
  const left = chance(choices, 15) ? `lower(${path})` : path
  if (chance(choices, 40))
    return `${left} ${pick(choices, ["~", "!~"])} ${quote(randomPattern(choices))}`
  if (chance(choices, 10)) return `has(@me.roles, ${left})`
  const target = field.kind === "one" ? field.target().name : ""
  return ordered(choices, left, () => textOperand(choices, shape, vocabulary, target))
}

function randomPattern(choices: Choices): string {
  const parts = [pick(choices, texts), "%", pick(choices, texts), "%", pick(choices, texts)]
  const length = 1 + choices.upTo(4)
  const pattern = parts.slice(0, length).join("")
  // Long, to leave the reach of LIKE; only two parts may be that long.
  const extra = length <= 2 && chance(choices, 15) ? "ö".repeat(30) : ""
  return chance(choices, 20) ? `%${pattern.replaceAll("%", "")}` : pattern + extra
}

function textOperand(
  choices: Choices,
  shape: Shape,
  vocabulary: Vocabulary,
  target: string,
): string {
  if (chance(choices, 15)) return pick(choices, ["@me.id", "@me.email", "@me.kind", "@org.id"])
  if (chance(choices, 20)) {
    const text = randomPath(choices, shape, vocabulary, (field) =>
      ["text", "one"].includes(typeOf(field)),
    )
    if (text) return chance(choices, 30) ? `lower(${text.path})` : text.path
  }
  return quote(target ? pick(choices, ids(target)) : pick(choices, texts))
}
