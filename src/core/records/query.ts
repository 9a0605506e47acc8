import { type InputError, invalidInput, Problem } from "../../platform/problem.ts"
import { isStorableText } from "../../platform/storable-text.ts"
import { checkExpression } from "../expression/check.ts"
import { type Checked, constant, type Distance, type Path } from "../expression/checked.ts"
import { parseInstant, storedDatetime } from "../expression/dates.ts"
import { ExpressionError } from "../expression/error.ts"
import { checkOperandAst } from "../expression/operands.ts"
import { parseExpression, parseOperand } from "../expression/parse.ts"
import type { LinkedCollection } from "./link.ts"
import { knows } from "./selection.ts"
import type { View } from "./view.ts"

/** What a list is asked for, validated for one actor. */
export interface ListQuery {
  readonly filter: Checked | null
  readonly sort: readonly SortKey[]
  readonly limit: number
  readonly cursor: string | null
  readonly fields: readonly string[] | null
  readonly expand: readonly string[]
  readonly search: string | null
  readonly count: boolean
  /** What a cursor is bound to. */
  readonly identity: string
}

/** What a single record is asked for. */
export interface RecordQuery extends Pick<ListQuery, "fields" | "expand"> {
  /** The instant (ISO 8601 UTC) whose record is wanted; null for now. */
  readonly asOf: string | null
}
export interface SortKey {
  readonly field: string
  /** For `distance(field, latitude, longitude)`: the distance itself. */
  readonly distance: Distance | null
  readonly descending: boolean
}

const listParameters = ["filter", "sort", "limit", "cursor", "fields", "expand", "search", "count"]
const recordParameters = ["fields", "expand", "asOf"]
const wholeRecord: RecordQuery = { fields: null, expand: [], asOf: null }
const maxSortKeys = 3
export const maxSearchCharacters = 500

/** @throws {Problem} `invalid_input` or `invalid_expression`, naming the parameter. */
export function parseListQuery(
  view: View,
  collection: LinkedCollection,
  parameters: URLSearchParams,
): ListQuery {
  const one = readParameters(parameters, listParameters)
  const filterText = one("filter")
  const sortText = one("sort")
  const search = parseSearch(collection, one("search"))
  return {
    filter: filterText ? parseFilter(view, collection, filterText) : null,
    sort: sortText ? parseSort(view, collection, sortText) : [],
    limit: parseLimit(one("limit")),
    cursor: one("cursor"),
    fields: parseNames(one("fields")),
    expand: parseNames(one("expand")) ?? [],
    search,
    count: parseCount(one("count")),
    identity: JSON.stringify([collection.name, filterText, sortText, search]),
  }
}

/** The parameters of a single record. */
export function parseRecordQuery(parameters: URLSearchParams): RecordQuery {
  if (parameters.size === 0) return wholeRecord
  const one = readParameters(parameters, recordParameters)
  const asOf = parseAsOf(one("asOf"))
  const fields = parseNames(one("fields"))
  const expand = parseNames(one("expand")) ?? []
  if (asOf !== null && (fields !== null || expand.length > 0)) {
    const message = "asOf: a record of old comes whole and by itself, without fields and expand."
    throw invalidInput({ path: "query.asOf", code: "not_together", message })
  }
  return { fields, expand, asOf }
}

function parseAsOf(text: string | null): string | null {
  if (text === null) return null
  const instant = parseInstant(text)
  if (instant !== null) return storedDatetime(instant)
  const message = "asOf: an instant like 2026-11-21T09:30:00Z."
  throw invalidInput({ path: "query.asOf", code: "datetime", message })
}

/** @throws {Problem} for a parameter that is unknown, given twice, or holds NUL. */
export function readParameters(
  parameters: URLSearchParams,
  known: readonly string[],
): (name: string) => string | null {
  if (parameters.size === 0) return () => null
  const errors: InputError[] = []
  for (const name of new Set(parameters.keys())) {
    const path = `query.${name}`
    if (!known.includes(name)) {
      errors.push({
        path,
        code: "unknown_parameter",
        message: `There is no parameter "${name}" here; there are: ${known.join(", ") || "none"}.`,
      })
    } else if (parameters.getAll(name).length > 1) {
      errors.push({ path, code: "repeated", message: `The parameter "${name}" is given twice.` })
    } else if (!isStorableText(parameters.get(name) ?? "")) {
      errors.push({
        path,
        code: "text",
        message: `The parameter "${name}" contains NUL or half of a surrogate pair.`,
      })
    }
  }
  if (errors.length) throw invalidInput(...errors)
  return (name) => parameters.get(name)
}

/** A filter that this actor sent. */
export function parseFilter(view: View, collection: LinkedCollection, text: string): Checked {
  try {
    return checkExpression(parseExpression(text), collection.shape, {
      mode: "client",
      access: view.access,
    })
  } catch (error) {
    throw filterProblem(error)
  }
}

/** What is wrong with a filter, found when it was parsed or (`too_complex`) when it was compiled. */
export function filterProblem(error: unknown): unknown {
  if (!(error instanceof ExpressionError)) return error
  return new Problem("invalid_expression", {
    detail: `filter: ${error.message}`,
    errors: [{ path: "query.filter", code: error.code, message: error.message }],
  })
}

function parseSort(view: View, collection: LinkedCollection, text: string): SortKey[] {
  const wrong = (code: string, message: string) =>
    invalidInput({ path: "query.sort", code, message: `sort: ${message}` })
  // A comma within parentheses belongs to a distance.
  const keys = text.split(/,(?![^(]*\))/).map((term): SortKey => {
    const descending = term.startsWith("-")
    const written = descending ? term.slice(1) : term
    const distance = written.trim().startsWith("distance(")
      ? parseDistance(view, collection, written, wrong)
      : null
    const name = distance ? distance.point.field.name : written
    const field = collection.fields.get(name)
    if (!knows(view, collection, name)) throw wrong("unknown_field", `there is no field "${name}".`)
    const unordered =
      !distance && field && ["json", "point", "relations", "backRelation"].includes(field.kind)
    // A field that some rows hide from the caller would tell their order.
    if (unordered || (field && view.fieldRule(field) !== true)) {
      throw wrong("not_sortable", `"${name}" cannot be sorted by.`)
    }
    return { field: name, distance, descending }
  })
  if (keys.length > maxSortKeys) throw wrong("too_many", `at most ${maxSortKeys} fields.`)
  if (new Set(keys.map((key) => key.field)).size < keys.length)
    throw wrong("repeated", "a field is named twice.")
  return keys
}

function parseDistance(
  view: View,
  { shape }: LinkedCollection,
  text: string,
  wrong: (code: string, message: string) => Problem,
): OwnDistance {
  try {
    const names = { shape, top: shape, access: view.access, write: false }
    const operand = checkOperandAst(parseOperand(text), names, () => constant(true))
    if (operand.kind === "distance" && operand.point.kind === "path") {
      const { point } = operand
      if (point.steps.length === 0) return { ...operand, point }
    }
  } catch (error) {
    throw error instanceof ExpressionError ? wrong(error.code, error.message) : error
  }
  throw wrong("not_sortable", "a distance is that of a point of the record itself.")
}

type OwnDistance = Distance & { readonly point: Path }

/** @throws {Problem} unless it is absent, or a whole number from 1 to `most`. */
export function parseLimit(text: string | null, most = 200, fallback = 50): number {
  if (text === null) return fallback
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > most) {
    throw invalidInput({
      path: "query.limit",
      code: "out_of_range",
      message: `limit: a whole number from 1 to ${most}.`,
    })
  }
  return limit
}

function parseCount(text: string | null): boolean {
  if (text === null) return false
  if (text === "exact") return true
  throw invalidInput({
    path: "query.count",
    code: "unknown_value",
    message: 'count: only "exact" is known.',
  })
}

/** Names with commas between them, each once. */
export function parseNames(text: string | null): string[] | null {
  if (text === null) return null
  const names = text.split(",").map((name) => name.trim())
  if (names.length > 100) {
    throw invalidInput({ path: "query", code: "too_many", message: "At most 100 names." })
  }
  return [...new Set(names)]
}

/** The words of a search; null where there are none. */
export function parseSearch(collection: LinkedCollection, text: string | null): string | null {
  if (text === null) return null
  if (collection.searchFields.length === 0) {
    throw invalidInput({
      path: "query.search",
      code: "not_searchable",
      message: `"${collection.name}" has no full-text search.`,
    })
  }
  if (text.length > maxSearchCharacters) {
    throw invalidInput({
      path: "query.search",
      code: "too_big",
      message: `search: at most ${maxSearchCharacters} characters.`,
    })
  }
  return text.trim() === "" ? null : text
}
