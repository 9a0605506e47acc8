import { DefinitionError } from "../../platform/definition-error.ts"
import type { SchemaObject } from "./ddl.ts"
import type { LinkedCollection } from "./link.ts"

/*
 * Counts and sums by span of time, in a table beside the collection's own: `sightings_by_month_seenOn`. Triggers keep it
 * in the transaction of the write itself, so an aggregate may read it instead of the records (`summarised.ts`). Nothing in
 * it is data: it can be dropped and computed anew.
 */

/** As a collection declares it. */
export interface SummaryOptions {
  /** The span, and the required date or instant that falls into it: `"month(seenOn)"`; also `day` and `year`. */
  readonly span: string
  /** A required choice or boolean whose values are told apart: what a read rule depends on, where it depends on something. */
  readonly group?: string
  /** Integer fields that are added up. Records are counted in any case. */
  readonly sum?: readonly string[]
}

export interface LinkedSummary {
  readonly table: string
  readonly span: Span
  readonly field: string
  readonly group: string | null
  readonly sums: readonly string[]
}

export type Span = keyof typeof spanLengths

/** Characters of an ISO date that name the span. */
export const spanLengths = { day: 10, month: 7, year: 4 } as const

const maxSummaries = 5
const maxSums = 10

/** @throws {DefinitionError} that names the summary and the mend. */
export function linkSummaries(collection: LinkedCollection): LinkedSummary[] {
  const { name, definition, fields } = collection
  const declared = definition.options.summaries ?? []
  const wrong = (problem: string) => new DefinitionError(`A summary of "${name}" ${problem}`)
  if (declared.length > maxSummaries) throw wrong(`is too many: at most ${maxSummaries}.`)
  const linked = declared.map(({ span: text, group = null, sum = [] }): LinkedSummary => {
    const [, span, field = ""] = /^(day|month|year)\((\w+)\)$/.exec(text) ?? []
    if (!span) throw wrong(`has the span "${text}": write day(…), month(…) or year(…) of a field.`)
    const dated = fields.get(field)
    const isDate = dated?.required && (dated.kind === "date" || dated.kind === "datetime")
    if (!isDate && field !== "createdAt" && field !== "updatedAt") {
      throw wrong(`is by "${field}": take a required date or datetime field, or createdAt.`)
    }
    const told = group === null ? null : fields.get(group)
    if (told !== null && !(told?.required && (told.kind === "choice" || told.kind === "boolean"))) {
      throw wrong(
        `is grouped by "${group}": take a required choice or boolean, whose values are few.`,
      )
    }
    const strange = sum.find((one) => fields.get(one)?.kind !== "integer")
    if (strange !== undefined) {
      throw wrong(`adds up "${strange}": take integer fields, whose sums stay exact.`)
    }
    if (sum.length > maxSums) throw wrong(`adds up more than ${maxSums} fields: make it two.`)
    const table = [name, "by", span, field, ...(group === null ? [] : [group])].join("_")
    return { table, span: span as Span, field, group, sums: [...new Set(sum)] }
  })
  const tables = new Set(linked.map(({ table }) => table))
  if (tables.size < linked.length) throw wrong("is declared twice: put the sums of both into one.")
  return linked
}

/** Of a table by its text: holds sums, and no data of its own. */
export const isSummaryTable = (sql: string): boolean =>
  /^CREATE TABLE "[a-z][A-Za-z0-9]*_by_(day|month|year)_\w+" \(\s*("organisation" TEXT NOT NULL,\s*)?"bucket" TEXT NOT NULL,/.test(
    sql,
  )

const quote = (name: string) => `"${name}"`

/**
 * The two halves of a sum, added up apart: a sum of whole numbers may leave the 64 bits of SQLite, and would then refuse
 * the write. As `aggregate.ts` does it for rows.
 */
export const halves = (field: string) => ({ high: `${field}_high`, low: `${field}_low` })

const keysOf = ({ scoped }: LinkedCollection, { group }: LinkedSummary): string[] => [
  ...(scoped ? ["organisation"] : []),
  "bucket",
  ...(group === null ? [] : [group]),
]
const measuresOf = ({ sums }: LinkedSummary): string[] => [
  "rows",
  ...sums.flatMap((field) => Object.values(halves(field))),
]

/** What a row adds to its bucket, in the order of `measuresOf`. */
const partsOf = ({ sums }: LinkedSummary, row: string): string[] => [
  "1",
  ...sums.flatMap((field) => [
    `ifnull(${row}${quote(field)} >> 32, 0)`,
    `ifnull(${row}${quote(field)} & 4294967295, 0)`,
  ]),
]
const keyValues = (collection: LinkedCollection, summary: LinkedSummary, row: string): string[] =>
  keysOf(collection, summary).map((key) =>
    key === "bucket"
      ? `substr(${row}${quote(summary.field)}, 1, ${spanLengths[summary.span]})`
      : `${row}${quote(key)}`,
  )

/** The table of each summary, and the triggers on the collection's own that keep it. */
export const summaryObjects = (collection: LinkedCollection): SchemaObject[] =>
  collection.summaries.flatMap((summary) => [
    tableObject(collection, summary),
    ...triggers(collection, summary),
  ])

function tableObject(collection: LinkedCollection, summary: LinkedSummary): SchemaObject {
  const keys = keysOf(collection, summary)
  const isNumber = (key: string) => collection.fields.get(key)?.kind === "boolean"
  const columns = [
    ...keys.map((key) => `${quote(key)} ${isNumber(key) ? "INTEGER" : "TEXT"} NOT NULL`),
    ...measuresOf(summary).map((measure) => `${quote(measure)} INTEGER NOT NULL`),
    `PRIMARY KEY (${keys.map(quote).join(", ")})`,
  ]
  return {
    kind: "summary",
    name: summary.table,
    table: collection.name,
    sql: `CREATE TABLE ${quote(summary.table)} (\n${columns.map((column) => `  ${column}`).join(",\n")}\n) STRICT, WITHOUT ROWID`,
  }
}

function triggers(collection: LinkedCollection, summary: LinkedSummary): SchemaObject[] {
  const table = quote(summary.table)
  const keys = keysOf(collection, summary)
  const measures = measuresOf(summary)
  const added = measures.map((name) => `${quote(name)} = ${quote(name)} + excluded.${quote(name)}`)
  const enter = `INSERT INTO ${table} (${[...keys, ...measures].map(quote).join(", ")}) VALUES (${[...keyValues(collection, summary, "new."), ...partsOf(summary, "new.")].join(", ")}) ON CONFLICT (${keys.map(quote).join(", ")}) DO UPDATE SET ${added.join(", ")};`
  const values = keyValues(collection, summary, "old.")
  const bucket = keys.map((key, i) => `${quote(key)} = ${values[i]}`).join(" AND ")
  const parts = partsOf(summary, "old.")
  const taken = measures.map((name, i) => `${quote(name)} = ${quote(name)} - ${parts[i]}`)
  // A bucket without records is no group of any answer.
  const leave = `UPDATE ${table} SET ${taken.join(", ")} WHERE ${bucket};\n  DELETE FROM ${table} WHERE ${bucket} AND "rows" = 0;`
  const watched = [
    ...new Set([...keys.map((key) => (key === "bucket" ? summary.field : key)), ...summary.sums]),
  ]
  const differs = watched.map((name) => `old.${quote(name)} IS NOT new.${quote(name)}`)
  const own = quote(collection.name)
  const trigger = (event: string, when: string, body: string): SchemaObject => ({
    kind: "trigger",
    name: `${summary.table}_${event}`,
    table: collection.name,
    sql: `CREATE TRIGGER ${quote(`${summary.table}_${event}`)} ${when} BEGIN\n  ${body}\nEND`,
  })
  return [
    trigger("insert", `AFTER INSERT ON ${own}`, enter),
    trigger("delete", `AFTER DELETE ON ${own}`, leave),
    trigger(
      "update",
      `AFTER UPDATE OF ${watched.map(quote).join(", ")} ON ${own} WHEN ${differs.join(" OR ")}`,
      `${leave}\n  ${enter}`,
    ),
  ]
}

/** Statements that compute a summary anew: after a migration adds one, or to check it. */
export function recomputeSummary(collection: LinkedCollection, summary: LinkedSummary): string[] {
  const columns = [...keysOf(collection, summary), ...measuresOf(summary)]
  const keys = keyValues(collection, summary, "")
  const sums = partsOf(summary, "").map((part) => `sum(${part})`)
  return [
    `DELETE FROM ${quote(summary.table)}`,
    `INSERT INTO ${quote(summary.table)} (${columns.map(quote).join(", ")}) SELECT ${[...keys, ...sums].join(", ")} FROM ${quote(collection.name)} GROUP BY ${keys.map((_, i) => i + 1).join(", ")}`,
  ]
}
