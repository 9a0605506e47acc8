import * as z from "zod"
import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"
import { addressOf } from "../identity/mail-address.ts"
import { type JobRun, job, postpone } from "../jobs/job.ts"
import { exponential } from "../jobs/retry.ts"
import {
  actorOf,
  bulkJobName,
  endOperation,
  findOperation,
  moveOn,
  type StoredOperation,
} from "./bulk-operation.ts"
import { type BulkRefusal, type Counts, maxTrips } from "./bulk-report.ts"
import { changeThese, type ManyChange, nextMatching } from "./change-many.ts"
import type { Writer } from "./commit-accepted.ts"
import { isOvertaken } from "./guard.ts"
import { createImporter } from "./import-chunk.ts"
import type { FileRow } from "./import-file.ts"
import { parsePatch } from "./input.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"
import { parseFilter } from "./query.ts"
import { parseUpsert } from "./upsert.ts"
import { viewFor } from "./view.ts"

const payload = z.object({ operation: z.string() })

const batchesAStep = 25

/** Does a stored operation, batch by batch, from where it is. */
export const bulkJob = (collections: LinkedCollections) =>
  job(bulkJobName, {
    payload,
    timeoutSeconds: 600,
    // Somebody waits for it, and what it has done it need not do again.
    retryDelays: exponential({ attempts: 20, firstSeconds: 1, mostSeconds: 600 }),
    // D1 does one thing at a time: more of them would only keep people waiting.
    concurrency: { limit: 2 },
    async run(run: JobRun<z.output<typeof payload>>) {
      const { app } = run
      const { operation: id } = run.payload
      const operation = await findOperation(app, id)
      if (operation?.state !== "running") return
      try {
        const next = await stepsOf(app, collections, operation)
        for (let batch = 0; app.cost.trips < maxTrips; batch++) {
          run.signal.throwIfAborted()
          const done = await goOn(next)
          if (done === null) return
          await run.progress(Math.min(done, operation.total), operation.total)
          // What moves on is not failing: a step gives the job all its attempts again.
          if (batch % batchesAStep === 0) await run.step(`rows ${done}`, () => done)
        }
      } catch (error) {
        // What is refused once is refused again: it is no failure of the job.
        if (!(error instanceof Problem) || error.status >= 500) throw error
        await app.db.batch(endOperation(app, id, error))
        return
      }
      throw postpone(0, "The rest is for another invocation.")
    },
  })

/** Does one batch. Answers how many rows are done, or null at the end. */
type Step = () => Promise<number | null>

/** A batch that finds the operation elsewhere was done by another run: from there it goes on. */
async function goOn(step: Step): Promise<number | null> {
  for (;;) {
    try {
      return await step()
    } catch (error) {
      if (!isOvertaken(error)) throw error
    }
  }
}

async function stepsOf(
  app: App,
  collections: LinkedCollections,
  { id, actor: stored, collection: name, kind, request }: StoredOperation,
): Promise<Step> {
  const collection = collections.get(name)
  if (!collection) throw new Problem("not_found", "There is no such collection any more.")
  const address = await addressOf(app, stored.id)
  const writer: Writer = { app, actor: actorOf(stored, address?.email ?? ""), collections }
  const step =
    kind === "import"
      ? importStep(writer, collection, request)
      : changeStep(writer, collection, request)
  return async () => {
    // Asked anew each time: it is the one place where it stands.
    const operation = await findOperation(app, id)
    if (operation?.state !== "running") return null
    const more = await step(operation)
    if (more) return operation.rows
    await app.db.batch(endOperation(app, id, null))
    return null
  }
}

/** Does the next batch of an operation; false when there is none. */
type Work = (operation: StoredOperation) => Promise<boolean>

interface Result {
  readonly counts: Counts
  readonly refusals: readonly BulkRefusal[]
}

function importStep(
  writer: Writer,
  collection: LinkedCollection,
  { upsert, dryRun }: StoredOperation["request"],
): Work {
  const { app, actor, collections } = writer
  const view = viewFor(app, actor, collections)
  const importer = createImporter(app, actor, collections, collection, {
    upsert: upsert === null ? null : parseUpsert(view, collection, upsert),
    dryRun,
    atomic: false,
  })
  return async (operation) => {
    const { id, place } = operation
    const position = Number(place || 0)
    const [part] = await app.db.all(
      sql`SELECT rows FROM bulk_parts WHERE operation = ${id} AND position = CAST(${position} AS INTEGER)`,
    )
    if (!part) return false
    const rows = JSON.parse(part.rows as string) as FileRow[]
    const along = (result: Result) => [
      ...moveOn(operation, String(position + 1), result),
      sql`DELETE FROM bulk_parts WHERE operation = ${id} AND position = CAST(${position} AS INTEGER)`,
    ]
    // Whatever a rehearsal writes is undone, and so would this be.
    if (dryRun) await app.db.batch(along(await importer.run(rows)))
    else await importer.run(rows, along)
    return true
  }
}

function changeStep(
  writer: Writer,
  collection: LinkedCollection,
  { filter, patch, dryRun }: StoredOperation["request"],
): Work {
  const { app, actor, collections } = writer
  return async (operation) => {
    const view = viewFor(app, actor, collections)
    const change: ManyChange = {
      collection,
      filter: parseFilter(view, collection, filter ?? ""),
      patch: patch && parsePatch(view, collection, "", patch),
      dryRun,
    }
    const records = await nextMatching(writer, view, change, operation.place)
    const last = records.at(-1)
    if (!last) return false
    const along = (result: Result) => moveOn(operation, last.id, result)
    if (dryRun) await app.db.batch(along(await changeThese(writer, view, change, records)))
    else await changeThese(writer, view, change, records, along)
    return true
  }
}
