import type { RecordOf, SystemFields } from "../core/records/collection.ts"
import type { Page } from "./types.ts"

/** A person, as far as the reader may see them. */
export interface Author {
  id: string
  name: string | null
}

/** Who wrote a version, when, and by what right. */
export interface VersionHead {
  version: number
  kind: "created" | "updated" | "deleted"
  at: string
  /** Null for the system and for anonymous writers. */
  actor: Author | null
  /** The administrator who acted in the actor's name. */
  impersonator: Author | null
  authority: "rule" | "administrator" | "system"
  requestId: string
}

/** A record as it was, as far as the reader may read it: without rollups. */
export type Past<C> = SystemFields & Partial<RecordOf<C>>

export interface HistoryItem<C> extends VersionHead {
  /** By field, what it was and became. Null where the version before is hidden. */
  changes:
    | { [F in keyof RecordOf<C>]?: { from: RecordOf<C>[F] | null; to: RecordOf<C>[F] | null } }
    | null
}

export interface HistoryVersion<C> extends HistoryItem<C> {
  record: Past<C>
}

/** A deleted record, as it last was. */
export interface BinItem<C> extends VersionHead {
  id: string
  record: Past<C>
}

export interface PageQuery {
  limit?: number
  cursor?: string
}

/** A change of any record that the caller may know of. */
export interface Change extends VersionHead {
  collection: string
  id: string
  /** As the change left it; null of a deletion. */
  record: (SystemFields & Readonly<Record<string, unknown>>) | null
}

export interface ChangesQuery {
  /** `next` of the page before; `now` for the end of the log; its beginning unless told. */
  since?: string
  limit?: number
  collection?: string
}

/** There always is a `next`: an empty page says that there is nothing more so far. */
export interface ChangesPage {
  items: Change[]
  next: string
}

/** What a collection's records were. */
export interface History<C> {
  /** Versions of a record, the newest first; a page may hold fewer than its limit. */
  history(id: string, query?: PageQuery): Promise<Page<HistoryItem<C>>>
  version(id: string, version: number): Promise<HistoryVersion<C>>
  /** The record as it was at an instant. */
  asOf(id: string, instant: string | Date): Promise<Past<C>>
  /** Makes the record what it was, as a new version; a deleted one comes back, and with `together` what went with it. */
  restore(
    id: string,
    version: number,
    options?: { together?: boolean; ifMatch?: number | string },
  ): Promise<RecordOf<C>>
  /** Deleted records that can be brought back, the latest first. */
  bin(query?: PageQuery): Promise<Page<BinItem<C>>>
}
