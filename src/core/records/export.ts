import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { invalidInput } from "../../platform/problem.ts"
import { allOf, identifier, join, raw, type Sql, sql } from "../../platform/sql.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { type Cell, csvLine } from "./csv.ts"
import { cellOf } from "./csv-values.ts"
import type { Place } from "./cursor.ts"
import type { LinkedCollection } from "./link.ts"
import { assertReadable, compileFilter, orderBy, seeks, sortValues } from "./list.ts"
import { type ListQuery, parseListQuery, readParameters } from "./query.ts"
import {
  type ApiRecord,
  decodeRow,
  type Selection,
  select,
  selectList,
  visibility,
} from "./selection.ts"
import { rowsOf } from "./sql-view.ts"
import type { StoredValue } from "./values.ts"
import { mainAlias, mainSource, type View } from "./view.ts"

export interface ExportQuery extends Pick<ListQuery, "filter" | "sort" | "fields" | "expand"> {
  readonly format: "csv" | "ndjson"
  /** Begins with a byte order mark, by which Excel knows UTF-8. */
  readonly bom: boolean
}

/** @throws {Problem} `invalid_input` or `invalid_expression`, naming the parameter. */
export function parseExportQuery(
  view: View,
  collection: LinkedCollection,
  parameters: URLSearchParams,
): ExportQuery {
  const one = readParameters(parameters, ["format", "filter", "sort", "fields", "bom"])
  const format = one("format") ?? "csv"
  if (format !== "csv" && format !== "ndjson") throw wrong("format", 'format: "csv" or "ndjson".')
  const bom = one("bom") ?? "false"
  if (bom !== "true" && bom !== "false") throw wrong("bom", 'bom: "true" or "false".')
  const asked = ["filter", "sort", "fields"].flatMap((name): [string, string][] => {
    const value = one(name)
    return value === null ? [] : [[name, value]]
  })
  const query = parseListQuery(view, collection, new URLSearchParams(asked))
  return { ...query, format, bom: bom === "true" && format === "csv" }
}

const wrong = (name: string, message: string) =>
  invalidInput({ path: `query.${name}`, code: "unknown_value", message })

/**
 * All that the query finds and the actor may see, as text, a page at a time: memory stays flat however much there is. Each
 * page is a trip, and asks whether the actor's token still stands. A record that nobody changes meanwhile is there once.
 *
 * @throws {Problem} as a list does; also between two pages, when rights are gone or the database fails.
 */
export async function* exportText(
  app: App,
  view: View,
  collection: LinkedCollection,
  query: ExportQuery,
): AsyncGenerator<string> {
  const selection = select(view, collection, query)
  const pages = recordPages(app, view, collection, selection, query)
  if (query.format === "ndjson") {
    for await (const page of pages) {
      yield page.map((record) => `${JSON.stringify(record)}\n`).join("")
    }
    return
  }
  const columns = columnsOf(selection, query)
  // With the first page, so that nothing is sent before it is known to be.
  let head = (query.bom ? "\ufeff" : "") + csvLine(columns.map(({ name }) => name))
  for await (const page of pages) {
    const lines = page.map((record) => csvLine(columns.map((column) => column.cell(record))))
    yield head + lines.join("")
    head = ""
  }
  if (head) yield head
}

interface CsvColumn {
  readonly name: string
  cell(record: ApiRecord): Cell
}

/** In the order in which fields were asked for, or else are declared. */
function columnsOf(selection: Selection, { fields }: ExportQuery): CsvColumn[] {
  const kinds = new Map(selection.columns.map(({ name, kind }) => [name, kind]))
  const names = fields ?? [...kinds.keys()]
  return names.map((name) => {
    const kind = kinds.get(name)
    if (kind) return { name, cell: (record) => cellOf(kind, record[name]) }
    const path = name.split(".")
    return { name, cell: (record) => cellOf("text", valueAt(record, path)) }
  })
}

/** The value of a related record: of many, an array of values. */
function valueAt(record: ApiRecord, [head = "", ...rest]: readonly string[]): unknown {
  if (rest.length === 0) return record[head]
  const related = (record.expanded as Record<string, unknown> | undefined)?.[head]
  if (Array.isArray(related)) return related.map((one) => valueAt(one, rest))
  return related ? valueAt(related as ApiRecord, rest) : null
}

/** Few trips where rows are short, and few rows where they are long: what an isolate holds at a time. */
const pageRows = 5_000
const pageBytes = 4_000_000

async function* recordPages(
  app: App,
  view: View,
  collection: LinkedCollection,
  selection: Selection,
  query: ExportQuery,
): AsyncGenerator<ApiRecord[]> {
  assertReadable(view, collection)
  const conditions = [visibility(view, collection, mainAlias)]
  if (query.filter) conditions.push(compileFilter(view, query.filter))
  const columns = join([
    selectList(view, selection, mainAlias, mainSource),
    ...sortValues(view, query.sort),
  ])
  const { actor } = view
  for (let place: Place | null = null; ; ) {
    const statements = seeks(view, query.sort, place).map((seek) =>
      pageOf(
        selection,
        sql`SELECT ${columns} FROM ${rowsOf(view, collection)} ${raw(mainAlias)} WHERE ${allOf([...conditions, ...seek.conditions])} ORDER BY ${orderBy(view, query.sort)} LIMIT ${raw(String(pageRows))}`,
      ),
    )
    if (actor.kind === "user") statements.push(epochProbe(actor))
    const results = await app.db.batch(statements)
    if (actor.kind === "user") assertEpoch(actor, results.pop())
    const { rows, cut } = inOrder(results)
    if (rows.length > 0) yield rows.map((row) => decodeRow(view, selection, row))
    const last = rows.at(-1)
    if (!last || !cut) return
    const values = query.sort.map((_, i) => last[`~${i}`] as StoredValue)
    place = { values, id: last.id as string }
  }
}

/**
 * The rows of a page up to the one with which it is long enough; each says how long it is till there. One window, because
 * each puts all rows aside, and D1 counts what is read from there: three rows for each that is answered.
 */
function pageOf(selection: Selection, page: Sql): Sql {
  const long = [
    ...selection.columns.filter(({ kind }) => longKinds.has(kind)).map(({ name }) => name),
    ...selection.expansions.map(({ path }) => `expanded.${path}`),
  ]
  const size = join(
    [
      raw(String(bytesOfShort)),
      ...long.map((name) => sql`ifnull(octet_length(p.${identifier(name)}), 0)`),
    ],
    " + ",
  )
  return sql`SELECT * FROM (SELECT p.*, ${size} AS "~size", sum(${size}) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS "~bytes" FROM (${page}) p) WHERE "~bytes" - "~size" <= ${raw(String(pageBytes))}`
}

const longKinds: ReadonlySet<string> = new Set([
  "text",
  "markdown",
  "email",
  "url",
  "json",
  "relations",
])
/** Of a row's ids, dates and numbers, generously. */
const bytesOfShort = 400

/** Ranges follow one another, so what stands after one that was cut off comes with the next page. */
function inOrder(ranges: readonly Row[][]): { rows: Row[]; cut: boolean } {
  const rows: Row[] = []
  for (const range of ranges) {
    for (const row of range) rows.push(row)
    const bytes = (range.at(-1)?.["~bytes"] as number | undefined) ?? 0
    if (bytes > pageBytes || range.length === pageRows) return { rows, cut: true }
  }
  return { rows, cut: false }
}

/**
 * A body that is made as it is read. When the text cannot go on, the connection breaks off, so that nobody takes a part
 * for the whole.
 */
export function streamOf(
  text: AsyncIterator<string>,
  first: string,
  failed: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let next: Promise<IteratorResult<string>> | null = null
  const ahead = () => {
    const asked = text.next()
    // Heard when it is awaited; until then it is nobody's unhandled rejection.
    asked.catch(() => {})
    return asked
  }
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (first) controller.enqueue(encoder.encode(first))
    },
    async pull(controller) {
      try {
        const { done, value } = await (next ?? ahead())
        // While this page is on its way, the database looks for the next.
        next = done ? null : ahead()
        if (done) controller.close()
        else controller.enqueue(encoder.encode(value))
      } catch (error) {
        failed(error)
        controller.error(error)
      }
    },
    async cancel() {
      await text.return?.()
    },
  })
}
