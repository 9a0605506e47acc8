import fc from "fast-check"
import type { OpenApi, Schema } from "../../../src/core/docs/document.ts"
import { resolve } from "../../../src/core/docs/sample.ts"
import { hostileText } from "./hostile.ts"

/*
 * Filters and paths that fit a collection, so that what is hostile in them gets past the parser and the type check.
 */

/** Paths through relations, up to `depth` of them: `project`, `project.owner`, `comments.article.tags`. */
export function relationPaths(document: OpenApi, record: Schema, depth = 3): string[] {
  const relations = Object.entries(record.properties?.expanded?.properties ?? {})
  return relations.flatMap(([name, related]) => {
    if (depth === 1) return [name]
    const target = targetOf(document, related)
    const further = target ? relationPaths(document, target, depth - 1) : []
    return [name, ...further.map((path) => `${name}.${path}`)]
  })
}

const targetOf = (document: OpenApi, related: Schema): Schema | null => {
  const reference = related.items ?? related.anyOf?.[0]
  return reference ? resolve<Schema>(document, reference) : null
}

/** Conditions about a record whose names and types are right. */
export function plausibleExpression(
  document: OpenApi,
  record: Schema,
  depth = 3,
): fc.Arbitrary<string> {
  const simple = fc.oneof(...comparisons(document, record, depth))
  if (depth === 0) return simple
  const inner = plausibleExpression(document, record, depth - 1)
  const many = Object.entries(record.properties?.expanded?.properties ?? {}).filter(
    ([, related]) => related.type === "array",
  )
  const quantified = many.map(([name, related]) => {
    const target = targetOf(document, related) as Schema
    const condition = plausibleExpression(document, target, Math.max(depth - 2, 0))
    return fc.oneof(
      fc
        .tuple(fc.constantFrom("any", "all", "none"), condition)
        .map(([quantifier, about]) => `${quantifier}(${name}, ${about})`),
      fc
        .tuple(orderOperator, number, condition)
        .map(([operator, count, about]) => `count(${name}, ${about}) ${operator} ${count}`),
      text.map((id) => `has(${name}, ${id})`),
    )
  })
  return fc.oneof(
    { weight: 4, arbitrary: simple },
    ...quantified.map((arbitrary) => ({ weight: 1, arbitrary })),
    {
      weight: 2,
      arbitrary: fc
        .tuple(inner, fc.constantFrom("&&", "||"), inner)
        .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
    },
    { weight: 1, arbitrary: inner.map((one) => `!(${one})`) },
  )
}

const orderOperator = fc.constantFrom("=", "!=", ">", ">=", "<", "<=")
const number = fc.constantFrom(
  "0",
  "-1",
  "3",
  "1.5",
  "9007199254740991",
  "1e300",
  "-0.1",
  "99999999999999999999",
)
const text = hostileText.map((value) => JSON.stringify(value.toWellFormed().replaceAll("\0", "")))
const moment = fc.constantFrom(
  '"2026-11-21"',
  '"2026-11-21T09:30:00+02:00"',
  "@now - 7d",
  "@today + 3h",
)

function comparisons(document: OpenApi, record: Schema, depth: number): fc.Arbitrary<string>[] {
  const own = Object.entries(record.properties ?? {}).flatMap(([name, property]) => {
    const types = typeof property.type === "string" ? [property.type] : (property.type ?? [])
    const isNull = fc.constantFrom("=", "!=").map((operator) => `${name} ${operator} null`)
    const compared = (operator: fc.Arbitrary<string>, value: fc.Arbitrary<string>) =>
      fc.tuple(operator, value).map(([sign, constant]) => `${name} ${sign} ${constant}`)
    switch (types[0]) {
      case "string":
        if (property.format === "date" || property.format === "date-time") {
          return [isNull, compared(orderOperator, moment), fc.constant(`year(${name}) > 1999`)]
        }
        return [
          isNull,
          compared(fc.constantFrom("=", "!=", "~", "!~", "<", ">="), text),
          fc
            .array(text, { minLength: 1, maxLength: 4 })
            .map((list) => `${name} in (${list.join(", ")})`),
          text.map((value) => `lower(${name}) = ${value}`),
          number.map((value) => `length(${name}) > ${value}`),
        ]
      case "integer":
      case "number":
        return [isNull, compared(orderOperator, number)]
      case "boolean":
        return [isNull, fc.constantFrom(name, `!${name}`, `${name} = false`)]
      default:
        return []
    }
  })
  if (depth === 0) return own
  const related = Object.entries(record.properties?.expanded?.properties ?? {}).flatMap(
    ([name, to]) => {
      const target = to.type === "array" ? null : targetOf(document, to)
      if (!target) return []
      return comparisons(document, target, 0).map((condition) =>
        condition.map((words) =>
          words.replace(/^(!?(?:lower\(|length\(|year\()?)(?=[a-z])/, `$1${name}.`),
        ),
      )
    },
  )
  return [...own, ...related]
}
