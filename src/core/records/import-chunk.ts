import type { Actor, App } from "../../platform/app.ts"
import { Refusal as Refused, UniqueViolation } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import type { Sql } from "../../platform/sql.ts"
import { epochRefusal } from "../identity/epoch.ts"
import { type Counts, isRefusal, noCounts, type Refusal, refusalOf } from "./bulk-report.ts"
import { commitAccepted } from "./commit-accepted.ts"
import { refusedCreates } from "./create-statements.ts"
import { decidesAmongItself } from "./decides-among-itself.ts"
import type { Draft } from "./draft.ts"
import { isOvertaken, isRehearsed, type Objection, refusalProblem, rehearsed } from "./guard.ts"
import type { FileRow } from "./import-file.ts"
import {
  assertComplete,
  parseNewId,
  parsePatch,
  parseReplacement,
  toStored,
  withDefaults,
} from "./input.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"
import type { CreateOperation, NewRecord } from "./operations.ts"
import { statementsOf } from "./statements.ts"
import { findByKey, type KnownRecord, keyText } from "./upsert.ts"
import type { View } from "./view.ts"
import { viewFor } from "./view.ts"

/** How the rows of a file become records. */
export interface ImportWay {
  /** The unique fields by which a record that is there already is found, and changed; null creates only. */
  readonly upsert: readonly string[] | null
  /** All is judged, nothing written. */
  readonly dryRun: boolean
  /** One row that is refused refuses all. */
  readonly atomic: boolean
}

/** What became of a chunk. */
export interface ChunkResult {
  readonly counts: Counts
  readonly refusals: readonly Refusal[]
}

/** Statements that belong into the batch of a chunk, and tell what became of it. */
export type Along = (result: ChunkResult) => readonly Sql[]

export interface Importer {
  /** Rows that one batch takes, at most. */
  readonly chunkRows: number
  /** Writes the rows in one batch, or as many of them as are not refused; some may be refused already. */
  run(rows: readonly (FileRow | Refusal)[], along?: Along): Promise<ChunkResult>
}

/** D1 gives a batch 30 s and is single-threaded meanwhile. */
const maxTogether = 1_000
/** What one batch writes in turn: each is some five statements, and a trip before it where a hook asks for the record. */
export const inTurn = ({ definition }: LinkedCollection): number =>
  definition.options.beforeWrite?.needs === "record" ? 25 : 100

/**
 * Writes rows through the one write path: a thousand new records are one statement, where each can be judged without the
 * others. Where they cannot (hooks, rules that look at siblings, records that are there already) they are written in turn.
 */
export function createImporter(
  app: App,
  actor: Actor,
  collections: LinkedCollections,
  collection: LinkedCollection,
  way: ImportWay,
): Importer {
  const view = viewFor(app, actor, collections)
  const into: Target = { app, actor, collections, collection, view, way }
  const together =
    way.upsert === null &&
    !collection.definition.options.beforeWrite &&
    !decidesAmongItself(view, collections, collection)
  return together
    ? { chunkRows: maxTogether, run: (rows, along) => createTogether(into, rows, along) }
    : { chunkRows: inTurn(collection), run: (rows, along) => writeInTurn(into, rows, along) }
}

interface Target {
  readonly app: App
  readonly actor: Actor
  readonly collections: LinkedCollections
  readonly collection: LinkedCollection
  readonly view: View
  readonly way: ImportWay
}

/** Rows that are still to be written, beside those that were refused. */
interface Sorted<Item> {
  readonly items: (Item & { readonly line: number })[]
  readonly refusals: Refusal[]
}

function sortOut<Item extends object>(
  rows: readonly (FileRow | Refusal)[],
  parse: (row: FileRow) => Item,
): Sorted<Item> {
  const sorted: Sorted<Item> = { items: [], refusals: [] }
  for (const row of rows) {
    if (isRefusal(row)) {
      sorted.refusals.push(row)
      continue
    }
    try {
      sorted.items.push({ ...parse(row), line: row.line })
    } catch (error) {
      if (!(error instanceof Problem) || error.status >= 500) throw error
      sorted.refusals.push(refusalOf(row.line, error))
    }
  }
  return sorted
}

const isFileRow = (row: FileRow | Refusal): row is FileRow => !isRefusal(row)

const byLine = (refusals: readonly Refusal[]): Refusal[] =>
  refusals.toSorted((a, b) => a.line - b.line)

const resultOf = (
  rows: number,
  refusals: readonly Refusal[],
  counts: Partial<Counts>,
): ChunkResult => ({
  counts: { ...noCounts(), ...counts, rows, refused: refusals.length },
  refusals: byLine(refusals),
})

// ---- together

/** Others may write meanwhile, so that what was let through a moment ago is refused now. */
const maxRounds = 5

async function createTogether(
  into: Target,
  rows: readonly (FileRow | Refusal)[],
  along: Along = () => [],
): Promise<ChunkResult> {
  const { app, actor, collection, view, way } = into
  const { items, refusals } = sortOut(rows, (row) => newRecordOf(into, row))
  let records = items
  const first: readonly Objection[] =
    actor.kind === "user" ? [{ outcome: "token_outdated", condition: epochRefusal(actor) }] : []
  for (let round = 1; ; round++) {
    const spoilt = way.atomic && refusals.length > 0
    // What else speaks against them is to be known as well.
    const rehearsal = way.dryRun || spoilt
    const result = resultOf(rows.length, refusals, { created: spoilt ? 0 : records.length })
    const operation: CreateOperation = {
      action: "create",
      collection,
      records,
      chosenIds: records.some(({ chosen }) => chosen),
    }
    const statements = [
      ...(records.length > 0 ? statementsOf(app, view, operation, 0, first) : []),
      ...along(result),
      ...(rehearsal ? [rehearsed] : []),
    ]
    try {
      if (statements.length > 0) await app.db.batch(statements)
      if (!rehearsal) {
        if (collection.definition.options.afterCommit) app.wake("changes")
        else app.wakeFollowers()
      }
      return result
    } catch (error) {
      if (rehearsal && isRehearsed(error)) return result
      if (!(error instanceof Refused || error instanceof UniqueViolation) || isOvertaken(error)) {
        throw error
      }
      const found = await refusedOf(into, operation, first)
      if (found.size === 0 && round === maxRounds) {
        throw refusalProblem(error, actor.kind === "anonymous", false)
      }
      for (const [at, problem] of found) {
        refusals.push(refusalOf((records[at] as (typeof records)[number]).line, problem))
      }
      records = records.filter((_, at) => !found.has(at))
    }
  }
}

function newRecordOf(
  { app, view, collection }: Target,
  { values }: FileRow,
): NewRecord & { chosen: boolean } {
  const { id: given, ...rest } = values
  const chosen = given !== undefined && given !== null
  const id = chosen ? chosenId(given) : app.newId()
  const input = parseReplacement(view, collection, id, rest)
  const whole = withDefaults(view, collection, input)
  assertComplete(collection, whole)
  return { id, ...toStored(collection, whole), given: new Set(Object.keys(input)), chosen }
}

/**
 * All that speaks against a chunk, in one trip, by position: first what the database says, then what the rows that are left
 * take from each other.
 */
async function refusedOf(
  { app, actor, collection, view }: Target,
  operation: CreateOperation,
  first: readonly Objection[],
): Promise<Map<number, Problem>> {
  const found = new Map<number, Problem>()
  const question = refusedCreates(app, view, operation, first)
  for (const { refusal } of question ? await app.db.all(question) : []) {
    const [, at, outcome = "", detail = ""] = (refusal as string).split("|")
    const problem = problemOf(actor, outcome, detail)
    // It is about the caller, and not about the row.
    if (outcome === "token_outdated") throw problem
    found.set(Number(at), problem)
  }
  if (found.size > 0) return found
  for (const fields of [["id"], ...collection.uniques]) {
    const taken = new Set<string>()
    for (const [at, record] of operation.records.entries()) {
      const values = fields.map((name) =>
        name === "id" ? record.id : (record.columns[name] ?? null),
      )
      if (values.includes(null) || found.has(at)) continue
      const key = JSON.stringify(values)
      if (taken.has(key)) found.set(at, problemOf(actor, "taken", fields.join(",")))
      taken.add(key)
    }
  }
  return found
}

const problemOf = (actor: Actor, outcome: string, detail: string): Problem =>
  refusalProblem(new Refused(0, outcome, detail), actor.kind === "anonymous", false) as Problem

// ---- in turn

async function writeInTurn(
  into: Target,
  rows: readonly (FileRow | Refusal)[],
  along: Along = () => [],
): Promise<ChunkResult> {
  const { way } = into
  const drafted = await draftsOf(into, rows)
  const sorted = sortOut(rows, drafted.draftOf)
  const { refusals } = sorted
  const countsOf = (drafts: readonly { draft: Draft }[]): Pick<Counts, "created" | "updated"> => {
    if (way.atomic && refusals.length > 0) return { created: 0, updated: 0 }
    const made = new Set<string>()
    for (const { draft } of drafts) if (draft.action !== "update") made.add(draft.id)
    return { created: made.size, updated: drafts.length - made.size }
  }
  const { accepted, written } = await commitAccepted(into, {
    items: sorted.items,
    async refuse(refused) {
      for (const { item, problem } of refused) {
        refusals.push(refusalOf(item.line, asOfRow(problem, item)))
      }
      return new Map()
    },
    options: (left) => ({
      rehearsal: way.dryRun || (way.atomic && refusals.length > 0),
      along: along(resultOf(rows.length, refusals, countsOf(left))),
    }),
  })
  const { created, updated } = countsOf(accepted)
  const versions = new Map(drafted.versions)
  let unchanged = 0
  for (const { id, version } of written) {
    if (version === null) continue
    if (versions.get(id) === version) unchanged++
    versions.set(id, version)
  }
  return resultOf(rows.length, refusals, { created, updated: updated - unchanged, unchanged })
}

/** JSON has ids that are no text, and cannot even be made one. @throws {Problem} */
const chosenId = (given: unknown): string => parseNewId(typeof given === "string" ? given : "")

interface DraftedRow {
  readonly draft: Draft
  /** What speaks against it where the row before it under the same key is not there for it. */
  readonly alone?: Problem
}

interface Drafted {
  /** In the order of the rows. @throws {Problem} */
  draftOf(row: FileRow): DraftedRow
  /** Of the records that are there already. */
  readonly versions: ReadonlyMap<string, number>
}

/**
 * A record is made as by a PUT that only creates: of an id that exists the row says it is taken. A row of an upsert changes
 * the record under its key; where an earlier row of the chunk is to make that, it makes it itself if that one is refused.
 */
async function draftsOf(
  { app, collection, view, way: { upsert } }: Target,
  rows: readonly (FileRow | Refusal)[],
): Promise<Drafted> {
  const known = upsert
    ? await findByKey(app, view, collection, upsert, rows.filter(isFileRow))
    : new Map<FileRow, KnownRecord>()
  const first = new Map<string, string>()
  return {
    versions: new Map([...known.values()].map(({ id, version }) => [id, version])),
    draftOf(row) {
      const { id: given, ...rest } = row.values
      const stored = known.get(row)
      if (stored !== undefined) {
        const input = parsePatch(view, collection, stored.id, withoutHidden(row, rest, stored))
        return { draft: { action: "update", collection, id: stored.id, input, expected: null } }
      }
      const key = upsert && keyText(collection, upsert, row)
      const earlier = key === null ? undefined : first.get(key)
      if (earlier !== undefined) return followerOf(view, collection, upsert ?? [], earlier, rest)
      const chosen = given !== undefined && given !== null
      const id = chosen ? chosenId(given) : app.newId()
      const input = parseReplacement(view, collection, id, rest)
      if (key !== null) first.set(key, id)
      if (!chosen) return { draft: { action: "create", collection, id, input } }
      return { draft: { action: "put", collection, id, input, expected: null, only: "create" } }
    },
  }
}

/** What an export left empty because it may not be shown stays as it is. */
const withoutHidden = (
  { perhapsHidden = [] }: FileRow,
  values: FileRow["values"],
  { hidden }: KnownRecord,
): FileRow["values"] =>
  perhapsHidden.length === 0
    ? values
    : Object.fromEntries(
        Object.entries(values).filter(
          ([name]) => !(perhapsHidden.includes(name) && hidden.has(name)),
        ),
      )

function followerOf(
  view: View,
  collection: LinkedCollection,
  key: readonly string[],
  id: string,
  rest: Readonly<Record<string, unknown>>,
): DraftedRow {
  const input = parsePatch(view, collection, id, rest)
  const update: Draft = { action: "update", collection, id, input, expected: null }
  try {
    const whole = parseReplacement(view, collection, id, rest)
    assertComplete(collection, withDefaults(view, collection, whole))
    const draft: Draft = { ...update, action: "put", input: whole, only: null, patch: input }
    // Whoever may not read what they have made does not find it by its key.
    return { draft, alone: problemOf({ kind: "system" }, "taken", key.join(",")) }
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500) throw error
    return { draft: update, alone: error }
  }
}

function asOfRow(problem: Problem, { draft, alone }: DraftedRow): Problem {
  if (alone && problem.code === "not_found") return alone
  return draft.action === "put" && problem.code === "precondition_failed"
    ? problemOf({ kind: "system" }, "taken", "id")
    : problem
}
