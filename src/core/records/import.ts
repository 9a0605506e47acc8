import type { Actor, App } from "../../platform/app.ts"
import { invalidInput, type Problem } from "../../platform/problem.ts"
import { addTo, maxTrips, newReport, type Report, withReport } from "./bulk-report.ts"
import { refusalProblem } from "./guard.ts"
import type { Importer, ImportWay } from "./import-chunk.ts"
import { chunkCharacters, chunksOf, type FileRows } from "./import-chunks.ts"
import { assertComplete, type Input, parseCreate, toStored, withDefaults } from "./input.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"
import type { NewRecord } from "./operations.ts"
import { statementsOf } from "./statements.ts"
import { viewFor } from "./view.ts"

/**
 * Writes the rows of a file as they come in, a batch at a time. Answers what became of them.
 *
 * @throws {Problem} with the report of what had been done by then: for a file that cannot be read on, and where the caller's
 * rights end or the database fails. Of an atomic import, when any row is refused: then nothing is written.
 */
export async function importRows(
  app: App,
  importer: Importer,
  collection: LinkedCollection,
  way: ImportWay,
  rows: FileRows,
): Promise<Report> {
  const report = newReport(way.dryRun)
  try {
    const chunks = chunksOf(importer, collection, way, rows)
    for await (const chunk of way.atomic ? onlyOne(importer, chunks) : chunks) {
      if (app.cost.trips > maxTrips) throw tooLong()
      addTo(report, await importer.run(chunk))
    }
  } catch (error) {
    throw withReport(error, report)
  }
  if (!way.atomic || way.dryRun || report.refused === 0) return report
  const detail = `${report.refused} of ${report.rows} rows are refused, and nothing is imported.`
  throw withReport(invalidInput({ path: "body", code: "refused", message: detail }), report)
}

const tooLong = (): Problem => {
  const message =
    "One request can ask the database no more: what the report tells is imported. Send the rest anew, or all of it in the background."
  return invalidInput({ path: "body", code: "too_many", message })
}

/** All or nothing is one batch, and nothing may be written before the file has ended. */
async function* onlyOne<Chunk>(
  { chunkRows }: Importer,
  chunks: AsyncIterable<Chunk>,
): AsyncGenerator<Chunk> {
  const found: Chunk[] = []
  for await (const chunk of chunks) {
    if (found.push(chunk) > 1) {
      const message = `An atomic import is one batch: at most ${chunkRows} rows and ${chunkCharacters} characters here, and of one key no two ids.`
      throw invalidInput({ path: "body", code: "too_many", message })
    }
  }
  yield* found
}

export interface ImportRow {
  /** A UUID in lower case; made when absent. */
  readonly id?: string
  readonly input: Input
}

/** Rows in one batch: D1 gives a batch 30 s and is single-threaded meanwhile. */
const batchRows = 1_000

/**
 * Creates many records for a tool that is sure of them, a thousand a batch: each batch all or nothing. Answers their ids.
 * Hooks do not run: what they would derive has to be in the rows.
 *
 * @throws {Problem} `invalid_input`, `conflict`, … of the first row that is refused, with its `index`; earlier batches stay.
 */
export async function importRecords(
  app: App,
  actor: Actor,
  collections: LinkedCollections,
  collection: LinkedCollection,
  rows: readonly ImportRow[],
): Promise<string[]> {
  const view = viewFor(app, actor, collections)
  const chosenIds = rows.some(({ id }) => id !== undefined)
  const records = rows.map(({ id, input }): NewRecord => {
    const whole = withDefaults(view, collection, parseCreate(view, collection, input))
    assertComplete(collection, whole)
    return {
      id: id ?? app.newId(),
      ...toStored(collection, whole),
      given: new Set(Object.keys(input)),
    }
  })
  for (let at = 0; at < records.length; at += batchRows) {
    const chunk = records.slice(at, at + batchRows)
    try {
      await app.db.batch(
        statementsOf(app, view, { action: "create", collection, records: chunk, chosenIds }, at),
      )
    } catch (error) {
      throw refusalProblem(error, actor.kind === "anonymous", true)
    }
    if (collection.definition.options.afterCommit) app.wake("changes")
    else app.wakeFollowers()
  }
  return records.map(({ id }) => id)
}
