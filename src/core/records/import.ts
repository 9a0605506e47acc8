import type { Actor, App } from "../../platform/app.ts"
import { refusalProblem } from "./guard.ts"
import { assertComplete, type Input, parseCreate, toStored, withDefaults } from "./input.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"
import type { NewRecord } from "./operations.ts"
import { statementsOf } from "./statements.ts"
import { viewFor } from "./view.ts"

/** Rows in one batch: D1 gives a batch 30 s and is single-threaded meanwhile. */
const chunkRows = 1_000

export interface ImportRow {
  /** A UUID in lower case; made when absent. */
  readonly id?: string
  readonly input: Input
}

/**
 * Creates many records through the one write path, a thousand a batch: each batch all or nothing. Answers their ids.
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
  for (let at = 0; at < records.length; at += chunkRows) {
    const chunk = records.slice(at, at + chunkRows)
    try {
      await app.db.batch(
        statementsOf(app, view, { action: "create", collection, records: chunk, chosenIds }, at),
      )
    } catch (error) {
      throw refusalProblem(error, actor.kind === "anonymous", true)
    }
    if (collection.definition.options.afterCommit) app.wake("changes")
  }
  return records.map(({ id }) => id)
}
