import { type InputError, invalidInput, type Problem } from "../../platform/problem.ts"
import type { NameAst, PathAst } from "../expression/ast.ts"
import type { Checked, Path } from "../expression/checked.ts"
import { ExpressionError } from "../expression/error.ts"
import { resolvePath } from "../expression/names.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"
import { parseFilter, parseSearch, readParameters } from "./query.ts"
import type { View } from "./view.ts"

/** What an aggregate is asked for, validated for one actor. */
export interface AggregateQuery {
  readonly groups: readonly Group[]
  readonly measures: readonly Measure[]
  readonly filter: Checked | null
  readonly search: string | null
  readonly sort: readonly AggregateSort[]
  readonly limit: number
  readonly cursor: string | null
  /** What a cursor is bound to. */
  readonly identity: string
}

/** A span of time that dates and instants fall into, in UTC; a week is that of ISO 8601. */
export type Bucket = "day" | "week" | "month" | "year"
export type MeasureFunction = "count" | "sum" | "avg" | "min" | "max" | "countDistinct"

/** `name` is the term as it was sent (`month(releasedOn)`, `sum(project.budget)`): the name of the value in the answer. */
export interface Group {
  readonly name: string
  readonly path: Path
  readonly bucket: Bucket | null
}
export interface Measure {
  readonly name: string
  readonly function: MeasureFunction
  /** Null for `count`. */
  readonly path: Path | null
  /** Whole numbers alone: their sum is exact, however large. */
  readonly whole: boolean
}
export interface AggregateSort {
  /** Of a group or a measure. */
  readonly name: string
  readonly descending: boolean
}

const parameterNames = ["group", "measure", "filter", "sort", "limit", "cursor", "search"]
export const maxGroups = 4
export const maxMeasures = 20
export const maxAggregateItems = 1_000
export const defaultAggregateItems = 200
const maxSortKeys = 3

/**
 * Groups without a measure are the distinct values. Without either it is the count of all.
 *
 * @throws {Problem} `invalid_input` or `invalid_expression`, naming the parameter; a field that the actor may never read
 * is an unknown one.
 */
export function parseAggregateQuery(
  view: View,
  collection: LinkedCollection,
  parameters: URLSearchParams,
): AggregateQuery {
  const one = readParameters(parameters, parameterNames)
  const groups = terms("group", one("group"), maxGroups).map((term) =>
    parseGroup(view, collection, term),
  )
  const measured = one("measure")?.trim() || (groups.length === 0 ? "count" : null)
  const measures = terms("measure", measured, maxMeasures).map((term) =>
    parseMeasure(view, collection, term),
  )
  const names = [...groups, ...measures].map(({ name }) => name)
  if (new Set(names).size < names.length) {
    throw wrong("measure", "repeated", "a group and a measure have the same name.")
  }
  const filter = one("filter")
  const search = parseSearch(collection, one("search"))
  return {
    groups,
    measures,
    filter: filter ? parseFilter(view, collection, filter) : null,
    search,
    sort: terms("sort", one("sort"), maxSortKeys).map((term) => parseSort(term, names)),
    limit: parseLimit(one("limit")),
    cursor: one("cursor"),
    identity: JSON.stringify([
      "aggregate",
      collection.name,
      one("group"),
      measured,
      filter,
      one("sort"),
      search,
    ]),
  }
}

interface Term {
  readonly parameter: "group" | "measure" | "sort"
  readonly text: string
  /** Where it begins in its parameter. */
  readonly position: number
}

/** The parts of a parameter that lists things with commas. */
function terms(parameter: Term["parameter"], list: string | null, most: number): Term[] {
  if (list === null || list.trim() === "") return []
  let position = 0
  const found = list.split(",").map((part): Term => {
    const term = { parameter, text: part.trim(), position: position + part.search(/\S|$/) }
    position += part.length + 1
    return term
  })
  if (found.length > most) throw wrong(parameter, "too_many", `at most ${most} of them.`)
  if (new Set(found.map(({ text }) => text.replace(/^-/, ""))).size < found.length) {
    throw wrong(parameter, "repeated", "something is named twice.")
  }
  return found
}

const buckets: readonly string[] = ["day", "week", "month", "year"] satisfies Bucket[]
const measureFunctions: readonly string[] = [
  "sum",
  "avg",
  "min",
  "max",
  "countDistinct",
] satisfies MeasureFunction[]

function parseGroup(view: View, collection: LinkedCollection, term: Term): Group {
  const { called, path } = parseTerm(view, collection, term, buckets)
  if (isOpaque(path)) throw unfit(term, `${path.type} cannot be grouped by.`)
  const dated = path.type === "date" || path.type === "datetime"
  if (called !== null && !dated) throw unfit(term, `${called}() takes a date, not ${path.type}.`)
  return { name: term.text, path, bucket: called as Bucket | null }
}

function parseMeasure(view: View, collection: LinkedCollection, term: Term): Measure {
  if (term.text === "count") {
    return { name: "count", function: "count", path: null, whole: true }
  }
  const { called, path, whole } = parseTerm(view, collection, term, measureFunctions)
  if (called === null) {
    throw wrong(
      "measure",
      "unknown_measure",
      `"${shortened(term.text)}" measures nothing; there are: count, ${measureFunctions.map((name) => `${name}(field)`).join(", ")}.`,
    )
  }
  const adds = called === "sum" || called === "avg"
  if (isOpaque(path) || (adds && path.type !== "number")) {
    throw unfit(term, `${called}() does not take ${path.type}.`)
  }
  return { name: term.text, function: called as MeasureFunction, path, whole }
}

const isOpaque = ({ type }: Path): boolean => type === "json" || type === "point"

const form = /^(?:([A-Za-z]+)\(([A-Za-z_][A-Za-z0-9_.]*)\)|([A-Za-z_][A-Za-z0-9_.]*))$/

/** A path, perhaps with one of the functions around it. */
function parseTerm(
  view: View,
  collection: LinkedCollection,
  term: Term,
  functions: readonly string[],
): { called: string | null; path: Path; whole: boolean } {
  const { parameter, text, position } = term
  const match = form.exec(text)
  const called = match?.[1] ?? null
  if (!match || (called !== null && !functions.includes(called))) {
    const known = functions.map((name) => `${name}(field)`).join(", ")
    throw wrong(
      parameter,
      "unknown_term",
      `"${shortened(text)}" is not understood: name a field, or one of ${known}.`,
    )
  }
  const written = (match[2] ?? match[3]) as string
  let at = position + text.indexOf(written, called === null ? 0 : called.length)
  const names = written.split(".").map((name): NameAst => {
    const named = { name, position: at }
    at += name.length + 1
    return named
  })
  const ast: PathAst = {
    kind: "path",
    root: "row",
    names: names as [NameAst, ...NameAst[]],
    position: names[0]?.position ?? position,
  }
  const { shape } = collection
  try {
    const path = resolvePath(ast, { shape, top: shape, access: view.access, write: false })
    return { called, path, whole: isWhole(collection, names) }
  } catch (error) {
    throw termProblem(parameter, error)
  }
}

/** What the expression language finds wrong with a path, said of the parameter that holds it. */
function termProblem(parameter: string, error: unknown): unknown {
  if (!(error instanceof ExpressionError)) return error
  return invalidInput({
    path: `query.${parameter}`,
    code: error.code,
    message: `${parameter}: ${error.message}`,
  })
}

function isWhole(collection: LinkedCollection, names: readonly NameAst[]): boolean {
  let holder: LinkedCollection | null | undefined = collection
  let field: LinkedField | undefined
  for (const { name } of names) {
    field = holder?.fields.get(name)
    holder = field?.target
  }
  if (!field) return names.at(-1)?.name === "version"
  const { rollup } = field
  return field.kind === "integer" || (rollup?.exact === true && rollup.measure !== "avg")
}

function parseSort({ text }: Term, names: readonly string[]): AggregateSort {
  const descending = text.startsWith("-")
  const name = descending ? text.slice(1) : text
  if (!names.includes(name)) {
    throw wrong(
      "sort",
      "unknown_field",
      `"${shortened(name)}" is not in the answer; there are: ${names.join(", ")}.`,
    )
  }
  return { name, descending }
}

function parseLimit(text: string | null): number {
  if (text === null) return defaultAggregateItems
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= maxAggregateItems) return limit
  throw wrong("limit", "out_of_range", `a whole number from 1 to ${maxAggregateItems}.`)
}

function wrong(parameter: string, code: string, message: string): Problem {
  const error: InputError = {
    path: `query.${parameter}`,
    code,
    message: `${parameter}: ${message}`,
  }
  return invalidInput(error)
}

const unfit = ({ parameter, text }: Term, message: string): Problem =>
  wrong(parameter, "wrong_type", `${shortened(text)}: ${message}`)

const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}…` : text)
