import { invalidInput, Problem } from "../../platform/problem.ts"
import { allOf, identifier, raw, type Sql, sql } from "../../platform/sql.ts"
import type { Checked } from "../expression/checked.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import {
  addTo,
  type BulkRefusal,
  type Counts,
  maxTrips,
  newReport,
  noCounts,
  type Report,
  recordRefusal,
  withReport,
} from "./bulk-report.ts"
import { commitAccepted, type Writer } from "./commit-accepted.ts"
import type { Draft } from "./draft.ts"
import { inTurn } from "./import-chunk.ts"
import { type Input, toChanges } from "./input.ts"
import type { LinkedCollection } from "./link.ts"
import { assertReadable, compileFilter } from "./list.ts"
import { changedRowSource } from "./rows.ts"
import { visibility } from "./selection.ts"
import { mainAlias, mainSource, type View } from "./view.ts"

/** What becomes of every record that a filter finds and the actor may see. */
export interface ManyChange {
  readonly collection: LinkedCollection
  readonly filter: Checked
  /** A merge patch; null deletes. */
  readonly patch: Input | null
  readonly dryRun: boolean
}

interface FoundRecord {
  readonly id: string
  readonly version: number
  /** 0 where the rule refuses it, whatever else is asked: then no write has to be tried to find that out. */
  readonly allowed?: number
}

const matching = (view: View, { collection, filter }: ManyChange, more: readonly Sql[]): Sql =>
  sql`${identifier(collection.name)} ${raw(mainAlias)} WHERE ${allOf([visibility(view, collection, mainAlias), compileFilter(view, filter), ...more])}`

const own = (column: string): Sql => raw(`${mainAlias}."${column}"`)

/** How many records there are to change, counted no further than `most` and one more. */
export async function countMatching(
  { app }: Writer,
  view: View,
  change: ManyChange,
  most: number,
): Promise<number> {
  assertReadable(view, change.collection)
  const { actor } = view
  const [rows, epoch] = await app.db.batch([
    sql`SELECT count(*) AS n FROM (SELECT 1 FROM ${matching(view, change, [])} LIMIT ${raw(String(most + 1))})`,
    ...(actor.kind === "user" ? [epochProbe(actor)] : []),
  ])
  assertEpoch(actor, epoch)
  return rows?.[0]?.n as number
}

/**
 * SQL for whether the rule about the record as it is lets it be changed or deleted at all. True where only a write can tell:
 * what a hook will have made of the new values.
 */
function allowedBefore(view: View, { collection, patch }: ManyChange): Sql {
  const action = patch === null ? "delete" : "update"
  const { update, delete: remove } = collection.rules
  const { rules, beforeWrite } = collection.definition.options
  const written = typeof rules?.update === "object" ? rules.update.before : rules?.update
  if (action === "update" && beforeWrite && /@new|@changed/.test(written ?? "")) {
    return raw("1")
  }
  const rule = action === "delete" ? remove : (update?.before ?? null)
  const next = changedRowSource(collection, toChanges(collection, patch ?? {}))
  return sql`(${view.compile(view.writeRule(collection, action, rule), mainSource, { next })}) IS TRUE`
}

/** The next records in the order of their ids. One trip. */
export async function nextMatching(
  { app }: Writer,
  view: View,
  change: ManyChange,
  after: string,
): Promise<FoundRecord[]> {
  const { actor } = view
  const [rows = [], epoch] = await app.db.batch([
    sql`SELECT ${own("id")}, ${own("version")}, ${allowedBefore(view, change)} AS allowed FROM ${matching(view, change, [sql`${own("id")} > ${after}`])} ORDER BY ${own("id")} LIMIT ${raw(String(inTurn(change.collection)))}`,
    ...(actor.kind === "user" ? [epochProbe(actor)] : []),
  ])
  assertEpoch(actor, epoch)
  return rows as unknown as FoundRecord[]
}

/** A record that others keep changing is left to them. */
const maxLooks = 3

/** What became of some records, beside those that the filter no longer finds when their turn comes. */
export interface ManyResult {
  readonly counts: Counts
  readonly refusals: readonly BulkRefusal[]
}

/**
 * Changes the records in one batch, or as many of them as are not refused. Each is changed as it was found: if somebody was
 * faster, it is looked at again.
 */
export async function changeThese(
  writer: Writer,
  view: View,
  change: ManyChange,
  records: readonly FoundRecord[],
  along: (result: ManyResult) => readonly Sql[] = () => [],
): Promise<ManyResult> {
  const { collection, patch, dryRun } = change
  const barred = records.filter(({ allowed }) => allowed === 0)
  const code = writer.actor.kind === "anonymous" ? "unauthenticated" : "forbidden"
  // Together: a trip for each would let anybody ask for a thousand.
  const refusals = barred.map(({ id }) => recordRefusal(id, new Problem(code)))
  const draftOf = ({ id, version }: FoundRecord): Draft =>
    patch === null
      ? { action: "delete", collection, id, expected: [version] }
      : { action: "update", collection, id, input: patch, expected: [version] }
  // Server-written fields are passed over, as in the patch of one: then there is nothing that could change.
  const nothing =
    patch !== null && Object.keys(patch).length === 0 && !collection.definition.options.beforeWrite
  const resultOf = (changed: number, unchanged = nothing ? changed : 0): ManyResult => ({
    counts: {
      ...noCounts(),
      rows: changed + refusals.length,
      [patch === null ? "deleted" : "updated"]: changed - unchanged,
      unchanged,
      refused: refusals.length,
    },
    refusals: refusals.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  })
  const { accepted, written } = await commitAccepted(writer, {
    items: records
      .filter((record) => !barred.includes(record))
      .map((record) => ({ draft: draftOf(record), record, looks: 1 })),
    async refuse(refused) {
      const overtaken = refused.filter(
        ({ item, problem }) => problem.code === "precondition_failed" && item.looks < maxLooks,
      )
      for (const one of refused) {
        if (one.problem.code === "not_found" || overtaken.includes(one)) continue
        refusals.push(recordRefusal(one.item.record.id, one.problem))
      }
      if (overtaken.length === 0) return new Map()
      const ids = JSON.stringify(overtaken.map(({ item }) => item.record.id))
      const these = sql`${own("id")} IN (SELECT value FROM json_each(${ids}))`
      const again = sql`SELECT ${own("id")}, ${own("version")} FROM ${matching(view, change, [these])}`
      const found = (await writer.app.db.all(again)) as unknown as FoundRecord[]
      const now = new Map(found.map((record) => [record.id, record]))
      return new Map(
        overtaken.flatMap(({ item }) => {
          const record = now.get(item.record.id)
          return record ? [[item, { draft: draftOf(record), record, looks: item.looks + 1 }]] : []
        }),
      )
    },
    options: (left) => ({ rehearsal: dryRun, along: along(resultOf(left.length)) }),
  })
  const before = new Map(accepted.map(({ record }) => [record.id, record.version]))
  const unchanged = written.filter(
    ({ id, version }) => version !== null && before.get(id) === version,
  ).length
  return nothing ? resultOf(accepted.length) : resultOf(accepted.length, unchanged)
}

/** Beyond it a change takes longer than a request should. */
export const maxChangedDirectly = 1_000

/**
 * Changes all that the filter finds, a hundred a batch.
 *
 * @throws {Problem} `invalid_input` for more than a request can do; with the report of what was done when rights end meanwhile.
 */
export async function changeMany(writer: Writer, view: View, change: ManyChange): Promise<Report> {
  const found = await countMatching(writer, view, change, maxChangedDirectly)
  if (found > maxChangedDirectly) throw tooMany()
  const report = newReport(change.dryRun)
  try {
    for (let after: string | null = found > 0 ? "" : null; after !== null; ) {
      if (writer.app.cost.trips > maxTrips) throw tooLong()
      const records = await nextMatching(writer, view, change, after)
      if (records.length > 0) addTo(report, await changeThese(writer, view, change, records))
      after =
        records.length === inTurn(change.collection) ? (records.at(-1) as FoundRecord).id : null
    }
  } catch (error) {
    throw withReport(error, report)
  }
  return report
}

const tooMany = (): Problem =>
  tooMuch(
    `The filter finds more than ${maxChangedDirectly} records: send "Prefer: respond-async", and they are changed in the background.`,
  )

const tooLong = (): Problem =>
  tooMuch(
    'One request can ask the database no more: what the report tells is done. Send it anew with "Prefer: respond-async", and the rest is done in the background.',
  )

const tooMuch = (message: string): Problem =>
  invalidInput({ path: "query.filter", code: "too_many", message })
