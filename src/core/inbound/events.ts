import type { z } from "zod"
import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { firstIdAt } from "../../platform/ids.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { allOf, raw, type Sql, sql } from "../../platform/sql.ts"
import type { inboundEvent, inboundEventSummary, inboundEventsQuery } from "./schema.ts"
import type { EventState } from "./stored-event.ts"

export type EventSummary = z.output<typeof inboundEventSummary>
export type EventDetails = z.output<typeof inboundEvent>

type Asked = Omit<z.output<typeof inboundEventsQuery>, "limit" | "cursor">

/** Events without their bodies, the newest first. One trip. */
export async function listEvents(
  app: App,
  asked: Asked,
  { limit, cursor }: { limit: number; cursor: string | null },
): Promise<Page<EventSummary>> {
  const conditions = [...conditionsOf(asked), ...(cursor === null ? [] : [sql`e.id < ${cursor}`])]
  const rows = await app.db.all(
    sql`SELECT ${summaryColumns} FROM inbound_events e LEFT JOIN jobs j ON ${itsJob} WHERE ${allOf(conditions)} ORDER BY e.id DESC LIMIT CAST(${limit + 1} AS INTEGER)`,
  )
  return pageOf(rows as unknown as EventSummary[], limit)
}

/** @throws {Problem} `not_found` */
export async function getEvent(app: App, id: string): Promise<EventDetails> {
  const [row] = await app.db.all(selectEvent(id))
  return detailsOf(row)
}

export const selectEvent = (id: string): Sql =>
  sql`SELECT ${summaryColumns}, e.headers, e.body, e.encoding, j.error FROM inbound_events e LEFT JOIN jobs j ON ${itsJob} WHERE e.id = ${id}`

/** @throws {Problem} `not_found` */
export function detailsOf(row: Row | undefined): EventDetails {
  if (!row) throw new Problem("not_found")
  return { ...row, headers: JSON.parse(row.headers as string) } as unknown as EventDetails
}

/** Where events `e` and their jobs `j` are joined. */
export const itsJob = raw("j.name = 'hooks.' || e.source AND j.key = e.id")

const states: Readonly<Record<EventState, Sql>> = {
  applied: raw("e.appliedAt IS NOT NULL"),
  waiting: raw("(e.appliedAt IS NULL AND j.state IN ('waiting', 'held', 'queued', 'running'))"),
  failed: raw(
    "(e.appliedAt IS NULL AND (j.state IS NULL OR j.state NOT IN ('waiting', 'held', 'queued', 'running')))",
  ),
}

const stateColumn = sql`CASE WHEN ${states.applied} THEN 'applied' WHEN ${states.waiting} THEN 'waiting' ELSE 'failed' END`

const summaryColumns = sql`e.id, e.source, e.eventId, e.type, ${stateColumn} AS state, e.sizeBytes, e.requestId, e.receivedAt, e.appliedAt, e.replays, j.id AS job, coalesce(j.attempts, 0) AS attempts, CASE WHEN ${states.waiting} THEN j.runAt END AS runAt`

/** Ids are UUIDv7, so moments are bounds of them. */
export const conditionsOf = ({ source, state, since, until }: Asked): Sql[] => [
  ...(source === undefined ? [] : [sql`e.source = ${source}`]),
  ...(state === undefined ? [] : [states[state]]),
  ...(since === undefined ? [] : [sql`e.id >= ${firstIdAt(Date.parse(since))}`]),
  ...(until === undefined ? [] : [sql`e.id < ${firstIdAt(Date.parse(until))}`]),
]
