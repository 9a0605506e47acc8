import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { allOf, anyOf, identifier, join, raw, type Sql, sql } from "../../platform/sql.ts"
import { ExpressionError } from "../expression/error.ts"
import { compileOperand } from "../expression/to-sql.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import type { AggregateQuery, Bucket, Group, Measure } from "./aggregate-query.ts"
import { readCursor, writeCursor } from "./cursor.ts"
import type { LinkedCollection } from "./link.ts"
import { assertReadable, compileFilter, searched } from "./list.ts"
import { filterProblem } from "./query.ts"
import { matchQuery } from "./search.ts"
import { visibility } from "./selection.ts"
import { rowsOf } from "./sql-view.ts"
import { type Summarised, summarised } from "./summarised.ts"
import type { StoredValue } from "./values.ts"
import { mainAlias, mainSource, organisationOf, type View } from "./view.ts"

/** Groups and measures by name; a sum of whole numbers beyond 2^53 is a bigint. */
export type AggregateItem = Record<string, string | number | bigint | boolean | null>
export interface AggregatePage {
  readonly items: readonly AggregateItem[]
  /** Null where these are all. */
  readonly next: string | null
}

/**
 * Groups of the records that the actor may see, and what is measured of each. One trip. Records that it may not read
 * are not counted; a field that it may not read is null, record by record, so that neither order nor error tells of it.
 * A summary is read where one answers (`summarised.ts`); else every record that matches is, or at least its line in an
 * index: a filter over an indexed field bounds it.
 *
 * @throws {Problem} `invalid_cursor`; `unauthenticated` and `not_found` where the actor could read nothing at all.
 */
export async function aggregateRecords(
  app: App,
  view: View,
  collection: LinkedCollection,
  query: AggregateQuery,
): Promise<AggregatePage> {
  assertReadable(view, collection)
  const { actor } = view
  const source = summarised(view, collection, query)
  const columns = source ? summaryColumns(source, query) : columnsOf(view, query)
  const keys = orderOf(query, columns)
  const identity = `${app.db.name} ${organisationOf(actor)} ${query.identity}`
  const place =
    query.cursor === null ? null : readCursor(identity, query.cursor, keys.length, false)
  const values = place && "values" in place ? place.values : null

  const statement = sql`SELECT * FROM (${groupsOf(view, collection, query, columns, source)}) WHERE ${values ? following(keys, values) : raw("1")} ORDER BY ${join(keys.map(({ column, descending }) => raw(`${column}${descending ? " DESC" : ""}`)))} LIMIT ${raw(String(query.limit + 1))}`
  const statements = [statement, ...(actor.kind === "user" ? [epochProbe(actor)] : [])]
  const [rows = [], epoch] = await app.db.batch(statements)
  if (actor.kind === "user") assertEpoch(actor, epoch)

  const last = rows.length > query.limit ? rows[query.limit - 1] : undefined
  return {
    items: rows
      .slice(0, query.limit)
      .map((row) => Object.fromEntries(columns.map(({ name, decode }) => [name, decode(row)]))),
    next: last
      ? writeCursor(identity, {
          values: keys.map(({ column }) => last[column] as StoredValue),
          // Groups are told apart by their values alone.
          id: "",
        })
      : null,
  }
}

/** A value of the answer: the columns that make it up, whose order is its own, and how it is put together. */
interface Column {
  readonly name: string
  readonly parts: readonly { readonly column: string; readonly value: Sql }[]
  decode(row: Row): AggregateItem[string]
}

function columnsOf(view: View, { groups, measures }: AggregateQuery): Column[] {
  const value = (of: Group | Measure) => {
    try {
      return of.path ? compileOperand(of.path, { ...view, source: mainSource }) : raw("NULL")
    } catch (error) {
      throw error instanceof ExpressionError ? filterProblem(error) : error
    }
  }
  return [
    ...groups.map((group, i) => single(group, `g${i}`, bucketOf(value(group), group.bucket))),
    ...measures.map((measure, i) =>
      measure.function === "sum" && measure.whole
        ? wholeSum(measure, `m${i}`, value(measure))
        : single(measure, `m${i}`, measured(measure, value(measure))),
    ),
  ]
}

function summaryColumns(source: Summarised, { groups, measures }: AggregateQuery): Column[] {
  return [
    ...groups.map((group, i) => single(group, `g${i}`, source.group(group))),
    ...measures.map((measure, i) =>
      measure.function === "count"
        ? single(measure, `m${i}`, source.count)
        : exactSum(measure, `m${i}`, source.sum(measure)),
    ),
  ]
}

function single(of: Group | Measure, column: string, value: Sql): Column {
  const isBoolean =
    of.path?.type === "boolean" && !("function" in of && of.function === "countDistinct")
  return {
    name: of.name,
    parts: [{ column, value }],
    decode: (row) => {
      const found = row[column] as string | number | null
      return isBoolean && found !== null ? found === 1 : found
    },
  }
}

/** ISO 8601, shortened: `2026-11-21`, `2026-W47`, `2026-11`, `2026`. Stored dates and instants begin alike. */
function bucketOf(value: Sql, bucket: Bucket | null): Sql {
  switch (bucket) {
    case null:
      return value
    case "day":
      return sql`substr(${value}, 1, 10)`
    case "week":
      return sql`strftime('%G-W%V', ${value})`
    case "month":
      return sql`substr(${value}, 1, 7)`
    case "year":
      return sql`substr(${value}, 1, 4)`
  }
}

function measured({ function: measure }: Measure, value: Sql): Sql {
  switch (measure) {
    case "count":
      return raw("count(*)")
    case "countDistinct":
      return sql`count(DISTINCT ${value})`
    case "sum":
      return sql`ifnull(sum(${value}), 0.0)`
    default:
      return sql`${raw(measure)}(${value})`
  }
}

/**
 * SQLite's sum of whole numbers fails beyond 2^63, and D1 answers none exactly beyond 2^53: so the upper and the lower 32
 * bits are added up apart. As a pair they are in the order of the sums.
 */
function wholeSum(measure: Measure, column: string, value: Sql): Column {
  const lower = sql`ifnull(sum((${value}) & 4294967295), 0)`
  const upper = sql`ifnull(sum((${value}) >> 32), 0)`
  return exactSum(measure, column, { upper, lower })
}

function exactSum(
  { name }: Measure,
  column: string,
  { upper, lower }: { upper: Sql; lower: Sql },
): Column {
  const [high, low] = [`${column}h`, `${column}l`]
  return {
    name,
    parts: [
      { column: high, value: sql`(${upper} + (${lower} >> 32))` },
      { column: low, value: sql`(${lower} & 4294967295)` },
    ],
    decode: (row) => {
      const sum = BigInt(row[high] as number) * 4294967296n + BigInt(row[low] as number)
      const number = Number(sum)
      return Number.isSafeInteger(number) ? number : sum
    },
  }
}

function groupsOf(
  view: View,
  collection: LinkedCollection,
  query: AggregateQuery,
  columns: readonly Column[],
  source: Summarised | null,
): Sql {
  const selected = columns.flatMap(({ parts }) =>
    parts.map(({ column, value }) => sql`${value} AS ${identifier(column)}`),
  )
  const numbers = query.groups.map((_, i) => raw(String(i + 1)))
  const grouped = numbers.length > 0 ? sql` GROUP BY ${join(numbers)}` : raw("")
  if (source) {
    return sql`SELECT ${join(selected)} FROM ${source.from} ${raw(mainAlias)} WHERE ${allOf(source.conditions)}${grouped}`
  }
  const match = query.search === null ? null : matchQuery(view, collection, query.search)
  const conditions = [visibility(view, collection, mainAlias)]
  if (query.filter) conditions.push(compileFilter(view, query.filter))
  if (query.search !== null) {
    conditions.push(match === null ? raw("0") : searched(collection, match))
  }
  return sql`SELECT ${join(selected)} FROM ${rowsOf(view, collection)} ${raw(mainAlias)} WHERE ${allOf(conditions)}${grouped}`
}

interface OrderKey {
  readonly column: string
  readonly descending: boolean
}

/** As asked for, then by the groups, which tell all items apart. */
function orderOf({ sort, groups }: AggregateQuery, columns: readonly Column[]): OrderKey[] {
  const rest = groups
    .filter(({ name }) => !sort.some((key) => key.name === name))
    .map(({ name }) => ({ name, descending: false }))
  const keys = [...sort, ...rest].flatMap(({ name, descending }) => {
    const parts = columns.find((column) => column.name === name)?.parts ?? []
    return parts.map(({ column }) => ({ column, descending }))
  })
  // Without groups there is one item, and an order needs a column.
  return keys.length > 0 ? keys : [{ column: "1", descending: false }]
}

/** What comes after a place; nulls first ascending and last descending, as SQLite orders them. */
function following(keys: readonly OrderKey[], values: readonly StoredValue[]): Sql {
  return anyOf(
    keys.map(({ column, descending }, i) => {
      const value = values[i] ?? null
      const equal = keys
        .slice(0, i)
        .map((key, j) => sql`${raw(key.column)} IS ${values[j] ?? null}`)
      const name = raw(column)
      const beyond = descending
        ? value === null
          ? raw("0")
          : sql`(${name} < ${value} OR ${name} IS NULL)`
        : value === null
          ? sql`${name} IS NOT NULL`
          : sql`${name} > ${value}`
      return allOf([...equal, beyond])
    }),
  )
}

/** As JSON, where sums keep all their digits: a number has no limit there. Stored text never holds NUL. */
export const aggregateJson = (page: AggregatePage): string =>
  JSON.stringify(page, (_, value) => (typeof value === "bigint" ? `\0${value}` : value)).replaceAll(
    /"\\u0000(-?\d+)"/g,
    "$1",
  )
