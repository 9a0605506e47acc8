import type { Actor, App } from "../../platform/app.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"

export type ChangeKind = "created" | "updated" | "deleted"
export type Authority = "rule" | "administrator" | "system"

interface NewChange {
  subject: string
  kind: ChangeKind
  authority: Authority
  /** A value, or SQL over `rows`. */
  organisation: Sql | string | null
}

/**
 * A statement that writes log lines, for the batch of the write that they describe: one for each row of
 * `rows`, a SELECT with the columns `record` (id), `version` and `payload` (JSON text).
 */
export function appendChanges(app: App, actor: Actor, change: NewChange, rows: Sql): Sql {
  const [actorId, impersonator] =
    actor.kind === "user" ? [actor.id, actor.impersonator] : [null, null]
  const at = new Date(app.now()).toISOString()
  return sql`INSERT INTO changes (id, at, actor, organisation, subject, record, version, kind, authority, requestId, salt, impersonator, payload)
SELECT ${changeIds(app)}, ${at}, ${actorId}, ${change.organisation}, ${change.subject}, record, version, ${change.kind}, ${change.authority}, ${app.requestId}, lower(hex(randomblob(16))), ${impersonator}, payload FROM (${rows})`
}

/** A UUIDv7 per row: the request's milliseconds, then random bits from SQLite. */
function changeIds(app: App): Sql {
  const time = app.now().toString(16).padStart(12, "0")
  const prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`
  return sql`${prefix} || substr(lower(hex(randomblob(2))), 2) || ${raw("'-' || substr('89ab', 1 + (random() & 3), 1) || substr(lower(hex(randomblob(2))), 2) || '-' || lower(hex(randomblob(6)))")}`
}
