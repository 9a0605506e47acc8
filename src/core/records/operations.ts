import type { App } from "../../platform/app.ts"
import type { Objection } from "./guard.ts"
import type { LinkedCollection } from "./link.ts"
import type { Sieve } from "./sieve.ts"
import type { StoredValue } from "./values.ts"
import type { View } from "./view.ts"

/** What the statements of one write share. */
export interface WriteContext {
  readonly app: App
  readonly view: View
  /** When the request was made, as it is stored. */
  readonly at: string
  /** Objections to the caller itself, asked before those to the write. */
  readonly first: readonly Objection[]
  /** Set where the write is only to be judged, among others. */
  readonly sieve: Sieve | null
}

/** A merge patch (RFC 7396) of a `json` field, as JSON text: laid over what is stored, by SQLite. */
export interface JsonMerge {
  readonly merge: string
}

/** Values of one record, stored forms by column name; to-many fields as arrays of ids. */
export interface StoredFields {
  readonly columns: Readonly<Record<string, StoredValue | JsonMerge>>
  readonly many: Readonly<Record<string, readonly string[]>>
}

/** A record that is about to exist. */
export interface NewRecord extends StoredFields {
  readonly columns: Readonly<Record<string, StoredValue>>
  readonly id: string
  /** Names of the fields that the caller gave: only these can break a `writable` rule. */
  readonly given: ReadonlySet<string>
  /** Set where it was deleted and comes back. */
  readonly revival?: Revival
}

/** A deleted record that comes back under its id: nothing but what is given differs from what it last was. */
export interface Revival {
  /** Version of the line with which it ended. */
  readonly deletion: number
  readonly createdAt: string
  readonly createdBy: string | null
  /** Fields in which it is to differ. The others are nobody's attempt to write anything. */
  readonly given: ReadonlySet<string>
  /** Fields whose names a refusal may tell. */
  readonly named: ReadonlySet<string>
}

/** Which stored version a write expects; null for any. */
export type ExpectedVersions = readonly number[] | null

/** One write, ready for the batch: validated, defaults filled in, hooks heard. */
export type Operation = CreateOperation | UpdateOperation | PutOperation | DeleteOperation

/** Several records at once are one operation: a single create is the same statement with one row. */
export interface CreateOperation {
  readonly action: "create"
  readonly collection: LinkedCollection
  readonly records: readonly NewRecord[]
  /** True where callers chose ids: these may have been used before. */
  readonly chosenIds?: boolean
}
export interface UpdateOperation {
  readonly action: "update"
  readonly collection: LinkedCollection
  readonly id: string
  readonly changes: StoredFields
  /** Names of the fields that the caller gave. */
  readonly given: ReadonlySet<string>
  readonly expected: ExpectedVersions
  /** True where the changes are what the record once was. */
  readonly restored?: boolean
}
/** Replaces the record, or creates it where there is none. */
export interface PutOperation {
  readonly action: "put"
  readonly collection: LinkedCollection
  readonly record: NewRecord
  /** What becomes of a record that is there already. */
  readonly replacement: StoredFields
  readonly expected: ExpectedVersions
  /** `create`: refuse when it exists (If-None-Match: *). `replace`: refuse when it does not (If-Match). */
  readonly only: "create" | "replace" | null
}
export interface DeleteOperation {
  readonly action: "delete"
  readonly collection: LinkedCollection
  readonly id: string
  readonly expected: ExpectedVersions
}
