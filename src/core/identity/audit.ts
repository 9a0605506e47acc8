import { type Actor, type App, system } from "../../platform/app.ts"
import { networkOf } from "../../platform/rate-limit.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import type { Caller } from "./caller.ts"

/** What the audit log knows: nouns with what became of them. Rows are kept; names are only ever added. */
export type AuditKind = `${
  | "user"
  | "session"
  | "password"
  | "email"
  | "roles"
  | "passkey"
  | "authenticator"
  | "recoveryCodes"
  | "identity"
  | "apiKey"
  | "organisation"
  | "member"
  | "invitation"
  | "impersonation"}.${string}`

export interface AuditEvent {
  readonly kind: AuditKind
  /** Whom it concerns: an id, or SQL for one. */
  readonly user: string | Sql | null
  /** Who did it; the system, unless told. */
  readonly actor?: Actor
  readonly organisation?: string | null
  readonly session?: string | null
  readonly caller?: Caller | null
  /** Ids, names of roles, reasons: never a token, a hash, a code or an address. */
  readonly detail?: Readonly<Record<string, string | number | boolean | null | readonly string[]>>
}

/**
 * A statement for the batch of what it tells of, so that neither is without the other. Written to the directory. With a
 * condition, only when it holds at that place of the batch.
 */
export function auditEvent(app: App, event: AuditEvent, when: Sql = raw("1")): Sql {
  const {
    kind,
    user,
    actor = system,
    organisation = null,
    session = null,
    caller,
    detail = {},
  } = event
  const by = actor.kind === "user" ? (actor.impersonator ?? actor.id) : null
  return sql`INSERT INTO audit_events (id, at, kind, user, actor, organisation, session, network, userAgent, detail, requestId)
SELECT ${app.newId()}, ${new Date(app.now()).toISOString()}, ${kind}, ${user}, ${by}, ${organisation}, ${session}, ${caller ? coarseNetwork(caller.address) : null}, ${caller?.userAgent?.slice(0, 200) ?? null}, ${JSON.stringify(detail)}, ${app.requestId} WHERE ${when}`
}

/** The neighbourhood of an address: enough to notice a stranger, too little to find a person. */
export function coarseNetwork(address: string): string {
  const network = networkOf(address)
  return network.includes(":")
    ? `${network.split(":").slice(0, 3).join(":")}::/48`
    : network.replace(/\.\d+$/, ".0/24")
}
