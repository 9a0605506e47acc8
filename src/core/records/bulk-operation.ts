import * as z from "zod"
import type { ActingKey, App, UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { type BulkRefusal, type Counts, counts, refusal } from "./bulk-report.ts"
import { assertStill } from "./guard.ts"

/*
 * An operation that takes longer than a request, as it is stored. Its place moves in the batch of the writes that it counts,
 * and only from where it was: so each is made once, whoever is killed, and however many run it.
 */

export const bulkJobName = "records.bulk"

export type BulkKind = "import" | "update" | "delete"

/** What it was asked for, in the forms of the API; parsed anew whenever it goes on. */
export const bulkRequest = z.object({
  upsert: z.string().nullable().default(null),
  filter: z.string().nullable().default(null),
  patch: z.record(z.string(), z.unknown()).nullable().default(null),
  dryRun: z.boolean(),
})
export type BulkRequest = z.output<typeof bulkRequest>

export interface StoredOperation extends Counts {
  readonly id: string
  readonly kind: BulkKind
  readonly collection: string
  readonly actor: StoredActor
  readonly request: BulkRequest
  readonly state: "receiving" | "running" | "succeeded" | "failed"
  readonly problem: { code: string; detail: string } | null
  readonly total: number
  readonly place: string
  readonly createdAt: string
  readonly finishedAt: string | null
  readonly receivedAt: string | null
}

/** Somebody who acts later on, by the rights of when they asked: as soon as these change, no more. */
type StoredActor = Pick<UserActor, "id" | "roles" | "organisation" | "database" | "epoch"> & {
  readonly key: ActingKey | null
  /** Absent in what was stored before it was kept. */
  readonly impersonation?: Pick<UserActor, "session" | "impersonator"> | null
  readonly anonymous?: boolean
}

const storedActor = ({
  id,
  roles,
  organisation,
  database,
  epoch,
  key,
  session,
  impersonator,
  anonymous,
}: UserActor): StoredActor => ({
  id,
  roles,
  organisation,
  database,
  epoch,
  key: key ?? null,
  impersonation: impersonator === null ? null : { session, impersonator },
  // What they are is part of their rights: to a rule, @me.kind.
  ...(anonymous && { anonymous }),
})

/**
 * Whoever signs out has not taken back what they asked for: so there is no session that could end. A key can, and so can
 * the session of an administrator who acts in their name, whom the log has to name.
 */
export const actorOf = (
  { key, impersonation, ...stored }: StoredActor,
  email: string,
): UserActor => ({
  kind: "user",
  ...stored,
  email,
  session: impersonation?.session ?? "",
  methods: [],
  authenticatedAt: 0,
  impersonator: impersonation?.impersonator ?? null,
  ...(key && { key }),
})

interface NewOperation {
  readonly id: string
  readonly kind: BulkKind
  readonly collection: string
  readonly request: BulkRequest
  readonly state: "receiving" | "running"
  readonly total: number
}

export function insertOperation(app: App, actor: UserActor, operation: NewOperation): Sql {
  const { id, kind, collection, request, state, total } = operation
  const at = new Date(app.now()).toISOString()
  return sql`INSERT INTO bulk_operations (id, kind, collection, owner, organisation, actor, request, state, total, place, rows, created, updated, unchanged, deleted, refused, createdAt, receivedAt) VALUES (${id}, ${kind}, ${collection}, ${actor.id}, ${actor.organisation}, ${JSON.stringify(storedActor(actor))}, ${JSON.stringify(request)}, ${state}, CAST(${total} AS INTEGER), '', 0, 0, 0, 0, 0, 0, ${at}, ${state === "receiving" ? at : null})`
}

/**
 * For the batch of some writes: the operation goes on from here to there, with what became of them.
 * A batch that finds it elsewhere is `isOvertaken`.
 */
export function moveOn(
  { id, place }: Pick<StoredOperation, "id" | "place">,
  to: string,
  { counts, refusals }: { counts: Counts; refusals: readonly BulkRefusal[] },
): Sql[] {
  const still = sql`EXISTS (SELECT 1 FROM bulk_operations WHERE id = ${id} AND state = 'running' AND place = ${place})`
  const { rows, created, updated, unchanged, deleted, refused } = counts
  const more = (column: string, by: number): Sql =>
    sql`${raw(column)} = ${raw(column)} + CAST(${by} AS INTEGER)`
  return [
    assertStill(still),
    ...refusalPieces(refusals).map(
      (json, piece) =>
        sql`INSERT INTO bulk_refusals (operation, position, refusal) SELECT ${id}, o.refused + CAST(${piece * refusalsAPiece} AS INTEGER) + r.key, r.value FROM bulk_operations o, json_each(${json}) r WHERE o.id = ${id}`,
    ),
    sql`UPDATE bulk_operations SET place = ${to}, ${more("rows", rows)}, ${more("created", created)}, ${more("updated", updated)}, ${more("unchanged", unchanged)}, ${more("deleted", deleted)}, ${more("refused", refused)} WHERE id = ${id}`,
  ]
}

/** D1 takes values of 2 MB, and what is said of a row is as long as its names are. */
const refusalsAPiece = 100

const refusalPieces = (refusals: readonly BulkRefusal[]): string[] =>
  Array.from({ length: Math.ceil(refusals.length / refusalsAPiece) }, (_, piece) =>
    JSON.stringify(refusals.slice(piece * refusalsAPiece, (piece + 1) * refusalsAPiece)),
  )

/** The end of an operation. What of its file is left over goes as well. */
export function endOperation(app: App, id: string, problem: Problem | null): Sql[] {
  const at = new Date(app.now()).toISOString()
  const reason = problem && JSON.stringify({ code: problem.code, detail: problem.message })
  return [
    sql`UPDATE bulk_operations SET state = ${problem ? "failed" : "succeeded"}, problem = ${reason}, finishedAt = ${at} WHERE id = ${id} AND state = 'running'`,
    sql`DELETE FROM bulk_parts WHERE operation = ${id}`,
  ]
}

export async function findOperation(app: App, id: string): Promise<StoredOperation | null> {
  const [row] = await app.db.all(sql`SELECT * FROM bulk_operations WHERE id = ${id}`)
  return row ? storedOperation(row) : null
}

function storedOperation(row: Row): StoredOperation {
  const { actor, request, problem, ...rest } = row
  return {
    ...(rest as unknown as StoredOperation),
    actor: JSON.parse(actor as string) as StoredActor,
    request: bulkRequest.parse(JSON.parse(request as string)),
    problem: problem === null ? null : JSON.parse(problem as string),
  }
}

export const bulkOperation = counts
  .extend({
    id: z.uuid(),
    kind: z.enum(["import", "update", "delete"]),
    collection: z.string(),
    state: z.enum(["running", "succeeded", "failed"]),
    dryRun: z.boolean(),
    total: z.int().meta({
      description: "Rows of the file, or records that the filter found when it began.",
    }),
    problem: z
      .object({ code: z.string(), detail: z.string() })
      .nullable()
      .meta({ description: "Why it failed. What was done before that stays." }),
    createdAt: z.string(),
    finishedAt: z.string().nullable(),
  })
  .meta({ description: "What takes longer than a request, and how far it is." })

/** As its owner sees it. */
export function operationAnswer(stored: StoredOperation): z.output<typeof bulkOperation> {
  const { id, kind, collection, state, request, total, problem, createdAt, finishedAt } = stored
  const { rows, created, updated, unchanged, deleted, refused } = stored
  return {
    id,
    kind,
    collection,
    state: state === "receiving" ? "running" : state,
    dryRun: request.dryRun,
    total,
    rows,
    created,
    updated,
    unchanged,
    deleted,
    refused,
    problem,
    createdAt,
    finishedAt,
  }
}

/** @throws {Problem} `not_found` for what is not the actor's own, or was asked for within another organisation. */
export async function getOwnOperation(
  app: App,
  actor: UserActor,
  id: string,
): Promise<StoredOperation> {
  const [rows, epoch] = await app.db.batch([ownOperation(actor, id), epochProbe(actor)])
  assertEpoch(actor, epoch)
  const row = rows?.[0]
  if (!row) throw new Problem("not_found")
  const { jobState, ...stored } = row
  const operation = storedOperation(stored)
  const given = operation.state === "running" && (jobState === "dead" || jobState === "cancelled")
  return given ? { ...operation, state: "failed", problem: givenUp } : operation
}

/** An administrator sees why, among the jobs, and can run it again from where it is. */
const givenUp = {
  code: "internal",
  detail: "It was given up or cancelled; an administrator can run it again.",
}

const ownOperation = (actor: UserActor, id: string): Sql =>
  sql`SELECT o.*, (SELECT j.state FROM jobs j WHERE j.name = ${bulkJobName} AND j.key = o.id) AS jobState FROM bulk_operations o WHERE o.id = ${id} AND o.owner = ${actor.id} AND o.organisation IS ${actor.organisation}`

export const refusalPage = z.object({
  items: z.array(refusal),
  next: z.string().nullable().meta({ description: "Cursor of the next page." }),
})

/** What of an operation of the actor's own was refused, in the order in which it was found out. */
export async function listRefusals(
  app: App,
  actor: UserActor,
  id: string,
  { limit, cursor }: { limit: number; cursor: number },
): Promise<z.output<typeof refusalPage>> {
  const [owned, rows = [], epoch] = await app.db.batch([
    ownOperation(actor, id),
    sql`SELECT position, refusal FROM bulk_refusals WHERE operation = ${id} AND position >= CAST(${cursor} AS INTEGER) ORDER BY position LIMIT CAST(${limit + 1} AS INTEGER)`,
    epochProbe(actor),
  ])
  assertEpoch(actor, epoch)
  if (!owned?.length) throw new Problem("not_found")
  const next = rows[limit]?.position
  return {
    items: rows.slice(0, limit).map((row) => JSON.parse(row.refusal as string)),
    next: next === undefined ? null : String(next),
  }
}
