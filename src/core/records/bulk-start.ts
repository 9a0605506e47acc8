import type { App, UserActor } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { epochRefusal } from "../identity/epoch.ts"
import { insertJobs, newJob } from "../jobs/enqueue.ts"
import { bulkJob } from "./bulk-job.ts"
import {
  type BulkKind,
  type BulkRequest,
  getOwnOperation,
  insertOperation,
  type StoredOperation,
} from "./bulk-operation.ts"
import type { Refusal } from "./bulk-report.ts"
import { assertStill, guard, isOvertaken, refusalProblem } from "./guard.ts"
import type { FileRow } from "./import-file.ts"

import type { LinkedCollections } from "./link.ts"

interface Wanted {
  readonly kind: BulkKind
  readonly collection: string
  readonly request: BulkRequest
}

/** Operations of one person that are not over yet: each may hold a large file. */
const maxUnfinished = 5

/**
 * Begins an operation, with all that it needs: then it goes on by itself.
 *
 * @throws {Problem} `token_outdated`; `rate_limited` when too many of the actor's are not over yet.
 */
export async function startOperation(
  app: App,
  actor: UserActor,
  collections: LinkedCollections,
  wanted: Wanted,
  total: number,
): Promise<StoredOperation> {
  const id = app.newId()
  await begin(app, actor, [
    insertOperation(app, actor, { ...wanted, id, state: "running", total }),
    enqueue(app, actor, collections, id),
  ])
  app.wake("jobs")
  return getOwnOperation(app, actor, id)
}

/**
 * The same for the rows of a file: they are kept here, a batch a part, and nothing is written before all of them are.
 *
 * @throws {Problem} also for a file that cannot be read to its end: then nothing is kept of it.
 */
export async function receiveFile(
  app: App,
  actor: UserActor,
  collections: LinkedCollections,
  wanted: Wanted,
  chunks: AsyncIterable<readonly (FileRow | Refusal)[]>,
): Promise<StoredOperation> {
  const id = app.newId()
  await begin(app, actor, [
    insertOperation(app, actor, { ...wanted, id, state: "receiving", total: 0 }),
  ])
  let position = 0
  let total = 0
  try {
    for await (const chunk of chunks) {
      for (const rows of partsOf(chunk)) {
        await app.db.all(
          sql`INSERT INTO bulk_parts (operation, position, rows) VALUES (${id}, CAST(${position++} AS INTEGER), ${rows})`,
        )
      }
      total += chunk.length
    }
    await app.db.batch([
      sql`UPDATE bulk_operations SET state = 'running', total = CAST(${total} AS INTEGER) WHERE id = ${id}`,
      enqueue(app, actor, collections, id),
    ])
  } catch (error) {
    await app.db.batch([
      sql`DELETE FROM bulk_parts WHERE operation = ${id}`,
      sql`DELETE FROM bulk_operations WHERE id = ${id}`,
    ])
    throw error
  }
  app.wake("jobs")
  return getOwnOperation(app, actor, id)
}

/** D1 takes values of 2 MB. */
const maxPartBytes = 1_900_000

/** The rows as JSON, in halves where they are too long for one value. */
function partsOf(rows: readonly (FileRow | Refusal)[]): string[] {
  const json = JSON.stringify(rows)
  const fits =
    json.length * 3 < maxPartBytes || new TextEncoder().encode(json).length < maxPartBytes
  if (fits || rows.length < 2) return [json]
  const middle = rows.length >> 1
  return [...partsOf(rows.slice(0, middle)), ...partsOf(rows.slice(middle))]
}

async function begin(app: App, actor: UserActor, statements: readonly Sql[]): Promise<void> {
  const outdated = { outcome: "token_outdated", condition: epochRefusal(actor) } as const
  const unfinished = sql`(SELECT count(*) FROM bulk_operations WHERE owner = ${actor.id} AND state IN ('receiving', 'running'))`
  try {
    await app.db.batch([
      guard(raw("0"), [outdated], raw("(SELECT 1)")) as Sql,
      assertStill(sql`${unfinished} < ${raw(String(maxUnfinished))}`),
      ...statements,
    ])
  } catch (error) {
    if (!isOvertaken(error)) throw refusalProblem(error, false, false)
    const detail = `${maxUnfinished} of your operations are not over yet: wait for one of them.`
    throw new Problem("rate_limited", { detail, headers: { "retry-after": "10" } })
  }
}

const enqueue = (
  app: App,
  { organisation }: UserActor,
  collections: LinkedCollections,
  id: string,
) => insertJobs(app, [newJob(bulkJob(collections), { operation: id }, { key: id, organisation })])
