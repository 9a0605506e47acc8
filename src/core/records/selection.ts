import { invalidInput } from "../../platform/problem.ts"
import { identifier, join, jsonArray, raw, type Sql, sql } from "../../platform/sql.ts"
import type { RowSource } from "../expression/types.ts"
import { joinTableOf } from "./columns.ts"
import { nextOf } from "./expanded-next.ts"
import { assertBounded, maxExpandDepth, mostOf } from "./fan-out.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"
import { systemFieldsOf } from "./shape.ts"
import { decodeValue, isConverted } from "./values.ts"
import { mainAlias, mainSource, tableSource, type View } from "./view.ts"

/** What of a record is answered: its fields, and related records under `expanded`. */
export interface Selection {
  readonly collection: LinkedCollection
  readonly columns: readonly SelectedColumn[]
  readonly expansions: readonly Expansion[]
  /** Columns whose stored form is not the API's. */
  readonly converted: readonly SelectedColumn[]
}
interface SelectedColumn {
  readonly name: string
  readonly kind: LinkedField["kind"]
  readonly field: LinkedField | null
  /** Selected for the engine's own use (cursor, ETag), not asked for. */
  readonly hidden: boolean
}
interface Expansion {
  readonly path: string
  readonly field: LinkedField
  readonly selection: Selection
  /** Most records that it brings of one record; null for a relation to one. */
  readonly most: number | null
}

/** The record as the API answers it. */
export type ApiRecord = Record<string, unknown>

interface Wanted {
  /** Null: all of them. */
  readonly fields: readonly string[] | null
  readonly expand: readonly string[]
  /** Of how many records, at most; one unless told. */
  readonly limit?: number
}

/**
 * Which columns and relations answer a request.
 *
 * @throws {Problem} `invalid_input` for a name that this actor knows no field of, and for more than may be brought along.
 */
export function select(
  view: View,
  collection: LinkedCollection,
  wanted: Wanted,
  depth = 0,
  nested = false,
): Selection {
  const plain = wanted.fields === null && wanted.expand.length === 0 && depth === 0
  if (!plain || hasReadableRules(collection))
    return selectAnew(view, collection, wanted, depth, nested)
  let whole = wholeSelections.get(collection)
  if (!whole) {
    whole = selectAnew(view, collection, wanted, depth, nested)
    wholeSelections.set(collection, whole)
  }
  return whole
}

/** All of a record whose fields everybody may read: the same for every request, and so is its select list. */
const wholeSelections = new WeakMap<LinkedCollection, Selection>()
const wholeLists = new WeakMap<Selection, Sql>()

/** True for all of a record whose fields everybody may read: it does not depend on the request. */
export const isWhole = (selection: Selection): boolean =>
  wholeSelections.get(selection.collection) === selection

function hasReadableRules(collection: LinkedCollection): boolean {
  for (const field of collection.fields.values()) if (field.readable !== null) return true
  return false
}

function selectAnew(
  view: View,
  collection: LinkedCollection,
  wanted: Wanted,
  depth: number,
  nested: boolean,
): Selection {
  const own = wanted.fields?.filter((name) => !name.includes(".")) ?? null
  const related = [...(wanted.fields?.filter((name) => name.includes(".")) ?? [])]
  for (const name of own ?? []) {
    if (!knows(view, collection, name)) throw unknownName("fields", name)
    if (collection.fields.get(name)?.kind === "backRelation") {
      const message = `fields: "${name}" is no value of the record: name it in expand.`
      throw invalidInput({ path: "query.fields", code: "not_selectable", message })
    }
  }
  const column = (
    name: string,
    kind: LinkedField["kind"],
    field: LinkedField | null,
  ): SelectedColumn => ({
    name,
    kind,
    field,
    hidden: own !== null && !own.includes(name),
  })
  const expansions = expansionsOf(view, collection, wanted.expand, related, depth, nested)
  if (depth === 0) assertBounded(expansions, wanted.limit ?? 1)
  const needed = new Set([
    ...(depth === 0 ? ["id", "version"] : []),
    // Where a relation that is cut off goes on is told by these.
    ...expansions.flatMap(({ field }) =>
      field.kind === "relation" ? [] : ["id", ...(field.kind === "relations" ? [field.name] : [])],
    ),
  ])
  const columns = [
    ...systemFieldsOf(collection).map((name) =>
      column(name, name === "version" ? "integer" : "text", null),
    ),
    ...[...collection.fields.values()]
      .filter((field) => field.kind !== "backRelation" && view.fieldRule(field) !== false)
      .map((field) => column(field.name, field.kind, field)),
  ].filter(({ name, hidden }) => !hidden || needed.has(name))
  return {
    collection,
    columns,
    expansions,
    converted: columns.filter(({ kind }) => isConverted(kind)),
  }
}

function expansionsOf(
  view: View,
  collection: LinkedCollection,
  expand: readonly string[],
  nestedFields: readonly string[],
  depth: number,
  nested: boolean,
): Expansion[] {
  const paths = new Map<string, { expand: string[]; fields: string[] | null }>()
  for (const path of expand) {
    const [head = "", ...rest] = path.split(".")
    const wanted = paths.get(head) ?? { expand: [], fields: null }
    if (rest.length) wanted.expand.push(rest.join("."))
    paths.set(head, wanted)
  }
  for (const path of nestedFields) {
    const [head = "", ...rest] = path.split(".")
    const wanted = paths.get(head) ?? { expand: [], fields: null }
    wanted.fields = [...(wanted.fields ?? []), rest.join(".")]
    paths.set(head, wanted)
  }
  return [...paths].map(([path, wanted]) => {
    const field = collection.fields.get(path)
    if (!field || !knows(view, collection, path)) {
      const expanded = expand.some((one) => one.split(".")[0] === path)
      throw unknownName(expanded ? "expand" : "fields", path)
    }
    if (!field.target) {
      throw invalidInput({
        path: "query.expand",
        code: "no_relation",
        message: `"${path}" is not a relation.`,
      })
    }
    if (depth + 1 > maxExpandDepth) {
      throw invalidInput({
        path: "query.expand",
        code: "too_deep",
        message: `expand goes ${maxExpandDepth} relations deep at most.`,
      })
    }
    const most = mostOf(field, nested)
    const inMany = nested || most !== null
    return { path, field, most, selection: select(view, field.target, wanted, depth + 1, inMany) }
  })
}

/** False also for what the actor can never read: to it, there is no such field. */
export function knows(view: View, collection: LinkedCollection, name: string): boolean {
  const field = collection.fields.get(name)
  return field ? view.fieldRule(field) !== false : systemFieldsOf(collection).includes(name)
}

const unknownName = (parameter: string, name: string) =>
  invalidInput({
    path: `query.${parameter}`,
    code: "unknown_field",
    message: `${parameter}: there is no field "${name}".`,
  })

/** True when the body depends on more than the version: then its ETag needs a digest. */
export const isShaped = (selection: Selection, wanted: Wanted): boolean =>
  wanted.fields !== null || wanted.expand.length > 0 || hasShapedBody(selection.collection)

/** True when rollups or the rights of the reader shape the whole record. */
export const hasShapedBody = (collection: LinkedCollection): boolean =>
  collection.sqlView !== null ||
  [...collection.fields.values()].some(
    (field) => field.kind === "rollup" || field.readable !== null,
  )

/**
 * The select list, one column per field under its own name; `name?` beside it tells whether the actor may read it in
 * this row, and `expanded.path` holds related records as JSON.
 */
export function selectList(
  view: View,
  selection: Selection,
  alias: string,
  source: RowSource,
): Sql {
  if (source !== mainSource || !isWhole(selection)) {
    return listAnew(view, selection, alias, source)
  }
  let list = wholeLists.get(selection)
  if (!list) {
    list = listAnew(view, selection, alias, source)
    wholeLists.set(selection, list)
  }
  return list
}

function listAnew(view: View, selection: Selection, alias: string, source: RowSource): Sql {
  return join([
    ...selection.columns.flatMap((column) => {
      const rule = rowRule(view, column)
      const value = columnValue(selection.collection, column, alias, source)
      if (rule === null) return [sql`${value} AS ${identifier(column.name)}`]
      const allowed = view.compile(rule, source)
      return [
        sql`CASE WHEN ${allowed} THEN ${value} END AS ${identifier(column.name)}`,
        sql`(${allowed}) IS TRUE AS ${identifier(`${column.name}?`)}`,
      ]
    }),
    ...selection.expansions.map(
      (expansion) =>
        sql`${expansionValue(view, expansion, alias, source)} AS ${identifier(`expanded.${expansion.path}`)}`,
    ),
  ])
}

function rowRule(view: View, { field }: SelectedColumn) {
  const rule = field === null || view.fieldRule(field)
  return typeof rule === "boolean" ? null : rule
}

function columnValue(
  collection: LinkedCollection,
  column: SelectedColumn,
  alias: string,
  source: RowSource,
): Sql {
  if (column.kind !== "relations") return source.column(column.name)
  const ids = source.ids?.(column.name)
  return ids ?? orderedIds(collection, column.name, sql`${raw(`${alias}."id"`)}`)
}

/** The ids of a to-many field of one record, in order, as a JSON array. */
export const orderedIds = (collection: LinkedCollection, field: string, id: Sql): Sql =>
  sql`(SELECT json_group_array(j."target" ORDER BY j."position") FROM ${identifier(joinTableOf(collection.name, field))} j WHERE j."source" = ${id})`

/** Related records as one JSON value: an array of column values for one record, an array of those for many. */
function expansionValue(view: View, expansion: Expansion, alias: string, source: RowSource): Sql {
  const { field, selection, most } = expansion
  const target = field.target as LinkedCollection
  const inner = `${alias}_${field.name}`
  const innerSource = tableSource(inner)
  const visible = visibility(view, target, inner)
  const from = sql`${identifier(target.name)} ${raw(inner)}`
  const guard = guardOfField(view, field, source)
  const record = packed(view, selection, inner, innerSource)
  if (field.kind === "relation") {
    return sql`(SELECT ${record} FROM ${from} WHERE ${raw(`${inner}."id"`)} = ${source.column(field.name)} AND ${visible} AND ${guard})`
  }
  if (field.kind === "relations") {
    const ids = source.ids?.(field.name)
    const link = ids
      ? sql`json_each(${ids}) j ON j.value = ${raw(`${inner}."id"`)}`
      : sql`${identifier(joinTableOf(field.owner, field.name))} j ON j."target" = ${raw(`${inner}."id"`)} AND j."source" = ${raw(`${alias}."id"`)}`
    const order = ids ? raw("j.key") : raw('j."position"')
    return severalOf(
      inner,
      record,
      sql`${from} JOIN ${link} WHERE ${visible} AND ${guard}`,
      order,
      most,
    )
  }
  const back = raw(`${inner}."${field.options.backField}"`)
  const backRule = target.fields.get(field.options.backField as string)
  const backGuard = backRule ? guardOfField(view, backRule, innerSource) : raw("1")
  const found = sql`${from} WHERE ${back} = ${raw(`${alias}."id"`)} AND ${visible} AND ${guard} AND ${backGuard}`
  return severalOf(inner, record, found, raw(`${inner}."id"`), most)
}

/** Each with its id before it, and one more than are shown, which tells that there are more. */
function severalOf(alias: string, record: Sql, from: Sql, order: Sql, most: number | null): Sql {
  const limit = raw(String((most ?? 0) + 1))
  return sql`(SELECT json_group_array(json_array(i, json(r))) FROM (SELECT ${raw(`${alias}."id"`)} AS i, ${record} AS r FROM ${from} ORDER BY ${order} LIMIT ${limit}))`
}

function guardOfField(view: View, field: LinkedField, source: RowSource): Sql {
  const rule = view.fieldRule(field)
  return rule === true ? raw("1") : sql`(${view.compile(rule, source)})`
}

function packed(view: View, selection: Selection, alias: string, source: RowSource): Sql {
  return jsonArray([
    ...selection.columns.flatMap((column) => {
      const rule = rowRule(view, column)
      const value = columnValue(selection.collection, column, alias, source)
      if (rule === null) return [value]
      const allowed = view.compile(rule, source)
      return [sql`CASE WHEN ${allowed} THEN ${value} END`, sql`(${allowed}) IS TRUE`]
    }),
    ...selection.expansions.map(
      (expansion) => sql`json(${expansionValue(view, expansion, alias, source)})`,
    ),
  ])
}

/** The condition under which the actor sees a row of a collection: tenant and read rule. */
export function visibility(
  view: View,
  collection: LinkedCollection,
  alias: string,
  oneRow = false,
): Sql {
  const scope = view.scope(collection.shape, alias)
  const rule = view.readRule(collection)
  if (rule === true) return scope ?? raw("1")
  const readable = view.compile(rule, tableSource(alias), { oneRow })
  return scope ? sql`${scope} AND (${readable})` : sql`(${readable})`
}

/** One row in any case: with the record, where the actor sees it, and otherwise with nulls. */
export const visibleRow = (view: View, collection: LinkedCollection, id: Sql): Sql =>
  sql`(SELECT 1) LEFT JOIN ${identifier(collection.name)} ${raw(mainAlias)} ON ${raw(`${mainAlias}."id"`)} = ${id} AND ${visibility(view, collection, mainAlias, true)}`

/** A row of `selectList`, as the API answers it. */
export function decodeRow(
  view: View,
  selection: Selection,
  row: Readonly<Record<string, unknown>>,
): ApiRecord {
  const record: ApiRecord = {}
  for (const column of selection.columns) {
    if (column.hidden || row[`${column.name}?`] === 0) continue
    record[column.name] = decodeValue(column.kind, row[column.name])
  }
  if (selection.expansions.length) expand(view, selection, row, record)
  return record
}

/**
 * The same for a whole selection without columns beside it: the row is the record, once its values are converted in place.
 */
export function decodeWhole(selection: Selection, row: Record<string, unknown>): ApiRecord {
  for (const { name, kind } of selection.converted) row[name] = decodeValue(kind, row[name])
  return row
}

/** Adds `expanded`, and `expandedNext` where there is more than was brought along. */
function expand(
  view: View,
  { expansions }: Selection,
  row: Readonly<Record<string, unknown>>,
  record: ApiRecord,
): void {
  const expanded: Record<string, unknown> = {}
  const next: Record<string, string> = {}
  for (const { path, field, selection, most } of expansions) {
    const value = parsed(row[`expanded.${path}`])
    if (most === null) {
      expanded[path] = value ? unpack(view, selection, value as unknown[]) : null
      continue
    }
    const several = (value ?? []) as [id: string, packed: unknown][]
    const shown = several.slice(0, most)
    expanded[path] = shown.map(([, packed]) => unpack(view, selection, parsed(packed) as unknown[]))
    const last = shown.at(-1)
    if (several.length > most && last) {
      const ids = (parsed(row[field.name]) ?? []) as string[]
      next[path] = nextOf(field, row.id as string, last[0], ids)
    }
  }
  record.expanded = expanded
  if (Object.keys(next).length > 0) record.expandedNext = next
}

const parsed = (value: unknown): unknown =>
  typeof value === "string" ? (JSON.parse(value) as unknown) : value

function unpack(view: View, selection: Selection, values: readonly unknown[]): ApiRecord {
  const row: Record<string, unknown> = {}
  let at = 0
  for (const column of selection.columns) {
    row[column.name] = values[at++]
    if (rowRule(view, column) !== null) row[`${column.name}?`] = values[at++]
  }
  for (const { path } of selection.expansions) row[`expanded.${path}`] = values[at++]
  return decodeRow(view, selection, row)
}
