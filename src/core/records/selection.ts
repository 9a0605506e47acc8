import { invalidInput } from "../../platform/problem.ts"
import { identifier, join, jsonArray, raw, type Sql, sql } from "../../platform/sql.ts"
import type { RowSource } from "../expression/types.ts"
import { joinTableOf } from "./columns.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"
import { systemFieldNames } from "./shape.ts"
import { decodeValue, isConverted } from "./values.ts"
import { mainAlias, mainSource, tableSource, type View } from "./view.ts"

/** Most records that one back-relation brings along; to-many fields bring all of theirs. */
const maxExpandedBack = 100
const maxExpandDepth = 3

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
}

/** The record as the API answers it. */
export type ApiRecord = Record<string, unknown>

interface Wanted {
  /** Null: all of them. */
  readonly fields: readonly string[] | null
  readonly expand: readonly string[]
}

/**
 * Which columns and relations answer a request.
 *
 * @throws {Problem} `invalid_input` for a name that this actor knows no field of.
 */
export function select(
  view: View,
  collection: LinkedCollection,
  wanted: Wanted,
  depth = 0,
): Selection {
  const plain = wanted.fields === null && wanted.expand.length === 0 && depth === 0
  if (!plain || hasReadableRules(collection)) return selectAnew(view, collection, wanted, depth)
  let whole = wholeSelections.get(collection)
  if (!whole) {
    whole = selectAnew(view, collection, wanted, depth)
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
): Selection {
  const own = wanted.fields?.filter((name) => !name.includes(".")) ?? null
  const nested = [...(wanted.fields?.filter((name) => name.includes(".")) ?? [])]
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
  const columns = [
    ...systemFieldNames.map((name) => column(name, name === "version" ? "integer" : "text", null)),
    ...[...collection.fields.values()]
      .filter((field) => field.kind !== "backRelation" && view.fieldRule(field) !== false)
      .map((field) => column(field.name, field.kind, field)),
  ].filter(({ name, hidden }) => !hidden || (depth === 0 && (name === "id" || name === "version")))
  return {
    collection,
    columns,
    expansions: expansionsOf(view, collection, wanted.expand, nested, depth),
    converted: columns.filter(({ kind }) => isConverted(kind)),
  }
}

function expansionsOf(
  view: View,
  collection: LinkedCollection,
  expand: readonly string[],
  nestedFields: readonly string[],
  depth: number,
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
    return { path, field, selection: select(view, field.target, wanted, depth + 1) }
  })
}

/** False also for what the actor can never read: to it, there is no such field. */
export function knows(view: View, collection: LinkedCollection, name: string): boolean {
  const field = collection.fields.get(name)
  return field ? view.fieldRule(field) !== false : systemFieldNames.includes(name)
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
  const { field, selection } = expansion
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
    return sql`(SELECT json_group_array(${record} ORDER BY ${order}) FROM ${from} JOIN ${link} WHERE ${visible} AND ${guard})`
  }
  const back = raw(`${inner}."${field.options.backField}"`)
  const backRule = target.fields.get(field.options.backField as string)
  const backGuard = backRule ? guardOfField(view, backRule, innerSource) : raw("1")
  return sql`(SELECT json_group_array(json(r)) FROM (SELECT ${record} AS r FROM ${from} WHERE ${back} = ${raw(`${alias}."id"`)} AND ${visible} AND ${guard} AND ${backGuard} ORDER BY ${raw(`${inner}."id"`)} LIMIT ${raw(String(maxExpandedBack))}))`
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
export const visibleRow = (view: View, collection: LinkedCollection, id: string): Sql =>
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
  if (selection.expansions.length) {
    record.expanded = Object.fromEntries(
      selection.expansions.map((expansion) => [
        expansion.path,
        unpackExpansion(view, expansion, row[`expanded.${expansion.path}`]),
      ]),
    )
  }
  return record
}

/**
 * The same for a whole selection without columns beside it: the row is the record, once its values are converted in place.
 */
export function decodeWhole(selection: Selection, row: Record<string, unknown>): ApiRecord {
  for (const { name, kind } of selection.converted) row[name] = decodeValue(kind, row[name])
  return row
}

function unpackExpansion(view: View, { field, selection }: Expansion, stored: unknown): unknown {
  const value = typeof stored === "string" ? (JSON.parse(stored) as unknown) : stored
  if (field.kind === "relation") return value ? unpack(view, selection, value as unknown[]) : null
  return ((value ?? []) as unknown[]).map((packedRecord) =>
    unpack(
      view,
      selection,
      (typeof packedRecord === "string" ? JSON.parse(packedRecord) : packedRecord) as unknown[],
    ),
  )
}

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
