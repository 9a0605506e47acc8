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
import { brokenOff } from "./bulk-sweep.ts"
import { assertStill, guard, isOvertaken, refusalProblem } from "./guard.ts"
import { isReplay } from "./idempotency.ts"
import type { LinkedCollections } from "./link.ts"

export interface Wanted {
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

/** The first batch of an operation. @throws {Problem} as `startOperation` does; a refusal that `isReplay` knows. */
export async function begin(
  app: App,
  actor: UserActor,
  statements: readonly Sql[],
  unused: readonly Sql[] = [],
): Promise<void> {
  const outdated = { outcome: "token_outdated", condition: epochRefusal(actor) } as const
  const unfinished = sql`(SELECT count(*) FROM bulk_operations WHERE owner = ${actor.id} AND state IN ('receiving', 'running') AND NOT (${brokenOff(app)}))`
  try {
    await app.db.batch([
      guard(raw("0"), [outdated], raw("(SELECT 1)")) as Sql,
      ...unused,
      assertStill(sql`${unfinished} < ${raw(String(maxUnfinished))}`),
      ...statements,
    ])
  } catch (error) {
    if (isReplay(error)) throw error
    if (!isOvertaken(error)) throw refusalProblem(error, false, false)
    const detail = `${maxUnfinished} of your operations are not over yet: wait for one of them.`
    throw new Problem("rate_limited", { detail, headers: { "retry-after": "10" } })
  }
}

export const enqueue = (
  app: App,
  { organisation }: UserActor,
  collections: LinkedCollections,
  id: string,
) => insertJobs(app, [newJob(bulkJob(collections), { operation: id }, { key: id, organisation })])
