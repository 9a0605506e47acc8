import { createHash } from "node:crypto"
import type { LinkedCollection, LinkedCollections } from "../records/link.ts"
import type { ApiRecord } from "../records/selection.ts"
import { systemFieldNames } from "../records/shape.ts"
import { differences, headOf, readableFields, versionRecord } from "../records/versions.ts"
import type { View } from "../records/view.ts"
import { type DueRow, judgementOf } from "./due.ts"
import { matches } from "./filter.ts"

/** What is told of a change: the members of `data`. */
export interface EventData {
  readonly collection: string
  readonly id: string
  readonly version: number
  /** Who did it; null for the system and for anonymous callers. */
  readonly actor: { readonly id: string; readonly name: string | null } | null
  /** As the change left it, as far as the endpoint's owner may read it; null of a deletion. */
  readonly record: ApiRecord | null
  /** Names of the fields that it changed; null where its owner may not see what was before. */
  readonly changed: readonly string[] | null
}

export interface EventPayload {
  readonly type: string
  /** When it happened: ISO 8601, UTC. */
  readonly timestamp: string
  readonly data: EventData | Readonly<Record<string, unknown>>
}

export interface Wanted {
  readonly filter: string | null
  readonly fields: readonly string[] | null
}

/** `webhook-id`: of the line and the endpoint, so it is the same at each attempt, and tells nothing. */
export const messageId = (endpoint: string, change: string): string =>
  `msg_${createHash("sha256").update(`${endpoint} ${change}`).digest("base64url").slice(0, 27)}`

/** Null for what its owner may not hear of, or did not ask for. Pure. */
export function payloadOf(
  view: View,
  collections: LinkedCollections,
  due: DueRow,
  { filter, fields }: Wanted,
): EventPayload | null {
  const judgement = judgementOf(due)
  if (!judgement?.shown) return null
  const { row, type } = due
  const collection = collections.get(row.subject as string) as LinkedCollection
  const head = headOf(row)
  const image = JSON.parse(row.payload as string) as Record<string, unknown>
  const before =
    judgement.beforeSeen && typeof row.beforePayload === "string"
      ? (JSON.parse(row.beforePayload) as Record<string, unknown>)
      : null
  const readable = readableFields(view, collection, ...judgement.rights)
  const comparable = before
    ? readableFields(view, collection, ...judgement.rights, judgement.beforeRights)
    : readable
  const after = judgement.open ? versionRecord(image, readable) : {}
  if (filter !== null) {
    // What is deleted has not changed.
    const old = head.kind === "deleted" ? after : before && versionRecord(before, comparable)
    if (!matches(view, collection, filter, after, old)) return null
  }
  const chosen = (name: string) => fields === null || fields.includes(name)
  const changed =
    head.kind === "updated" && before
      ? Object.keys(differences(before, image, comparable)).filter(chosen)
      : head.kind === "created"
        ? readable.map(({ name }) => name).filter((name) => chosen(name) && after[name] !== null)
        : null
  const record =
    head.kind === "deleted"
      ? null
      : Object.fromEntries(
          Object.entries(after).filter(([name]) => systemFieldNames.includes(name) || chosen(name)),
        )
  const data: EventData = {
    collection: collection.name,
    id: row.record as string,
    version: head.version,
    actor: head.actor,
    record,
    changed,
  }
  return { type, timestamp: head.at, data }
}
