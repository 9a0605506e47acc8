import type { Actor, App } from "../../platform/app.ts"
import type { StoredChange } from "../changes/pump.ts"
import type { NewJob } from "../jobs/enqueue.ts"
import type { Computed, Field, IsRequired, ValueOf } from "./fields.ts"
import type { Reach } from "./reach.ts"
import type { SummaryOptions } from "./summaries.ts"

export type Fields = Readonly<Record<string, Field>>

/** Fields that every record has and the server alone writes. */
export interface SystemFields {
  id: string
  version: number
  createdAt: string
  updatedAt: string
  createdBy: string | null
  updatedBy: string | null
}

/** The fields with a value of their own: a back-relation has none. */
type Stored<F extends Fields> = {
  [Name in keyof F as [ValueOf<F[Name]>] extends [never] ? never : Name]: [
    IsRequired<F[Name]>,
  ] extends [true]
    ? ValueOf<F[Name]>
    : ValueOf<F[Name]> | null
}

/** A record of a collection, as the API answers it to someone who may read every field. */
export type RecordOf<C> =
  C extends Collection<string, infer F>
    ? (C extends SqlViewCollection ? Pick<SystemFields, "id"> : SystemFields) & Stored<F>
    : never

/** What a create or a merge patch may hold: its fields, each optional; null empties. */
export type InputOf<C> = C extends SqlViewCollection
  ? never
  : C extends Collection<string, infer F>
    ? {
        -readonly [Name in keyof Stored<F> as F[Name & keyof F] extends Required<Computed>
          ? never
          : Name]?: Stored<F>[Name] | null
      }
    : never

/** A rule is an expression; a collection without a rule for an action answers nobody. */
export interface Rules {
  read?: string
  create?: string
  /** Must hold before and after the change; `{ before, after }` where they differ. */
  update?: string | { before: string; after: string }
  delete?: string
}

/** A record as hooks see it: by field name, in the forms of the API. */
export type HookRecord = Record<string, unknown>

/** What `beforeWrite` is shown. */
export interface Writing {
  readonly action: "create" | "update" | "delete"
  readonly id: string
  /** What the caller gave, validated, defaults filled in on create. Null on delete. */
  readonly input: HookRecord | null
  /** The stored record, when the hook said `needs: "record"`; null on create. */
  readonly record: HookRecord | null
  readonly actor: Actor
  readonly app: App
}

/** What `beforeWrite` may answer: fields that it derives, and what joins the same batch. */
export interface WriteAmendment {
  set?: HookRecord
  /** Writes of the system's own. */
  also?: readonly AlsoWrite[]
  /** Made with `newJob`, enqueued when the record changes, and only then. They act within the writer's organisation. */
  jobs?: readonly NewJob[]
}
export type AlsoWrite =
  | { action: "create"; collection: string; input: HookRecord }
  | { action: "update"; collection: string; id: string; input: HookRecord }
  | { action: "delete"; collection: string; id: string }

/**
 * Refuses by throwing a Problem. Runs before the batch, so it must not have effects of its own. It is told whether a PUT
 * creates or replaces, for which every PUT of the collection makes a second trip.
 */
export interface BeforeWrite {
  /** `record` reads the stored record first: a second trip, and the write holds only if that version still stands. */
  needs?: "record"
  run(writing: Writing): WriteAmendment | undefined | Promise<WriteAmendment | undefined>
}

/** One line of the change log, as `afterCommit` sees it. */
export interface CommittedChange extends Omit<StoredChange, "payload"> {
  /** The record as stored after the change; before it, for a deletion. */
  readonly image: HookRecord
}

/**
 * Runs after the commit, in order, at least once: also when the process died in between. Make it idempotent, by
 * `change.id` or by what it finds. `reach` acts as the system.
 */
export type AfterCommit = (app: App, change: CommittedChange, reach: Reach) => Promise<void> | void

export interface CollectionOptions<F extends Fields> {
  fields: F
  rules?: Rules
  /** Columns of an index, `-` for descending: `"releasedOn"`, `["genre", "-releasedOn"]`. Relations and unique fields have theirs. */
  indexes?: readonly (string | readonly string[])[]
  /** Counts and sums by span of time, kept with each write: aggregates that they answer read them, and not the records. */
  summaries?: readonly SummaryOptions[]
  /** Fields that are unique together. */
  unique?: readonly (readonly string[])[]
  /** Text fields for `search=`. */
  search?: readonly string[]
  /** `organisation`: each record belongs to the organisation of its creator, and no other ever sees it. */
  scope?: "organisation"
  /** Rows that D1 may read for one request: more is told in development, in the log and in `Server-Timing`. */
  budget?: { readonly rowsRead: number }
  /** `obey`: deployment administrators are held to the rules like anyone. Otherwise they pass, and the log says so. */
  administrators?: "pass" | "obey"
  /** `directory` would cross databases: relations may not, and are refused when linked. */
  description?: string
  /** How long the log keeps what the record was in the database, before it moves to R2, where it is still found. */
  history?: { retention: `${number}d` }
  /** Made by `savedViews`: its records are questions that can be asked. */
  savedViews?: true
  /** A view's: see `sqlView`. */
  sql?: string
  beforeWrite?: BeforeWrite
  afterCommit?: AfterCommit
}

/** A collection as defined: plain data. `linkCollections` checks it against the others and makes it usable. */
export interface Collection<Name extends string = string, F extends Fields = Fields> {
  readonly name: Name
  readonly options: CollectionOptions<F>
}

/**
 * Defines a collection: its fields, who may do what, how it is found.
 * Mistakes are reported by `linkCollections`, which knows the other collections.
 */
export const collection = <const Name extends string, const F extends Fields>(
  name: Name,
  options: CollectionOptions<F>,
): Collection<Name, F> => ({ name, options })

/** A collection that nobody writes. */
export interface SqlViewCollection<Name extends string = string, F extends Fields = Fields>
  extends Collection<Name, F> {
  readonly readOnly: true
}

export interface SqlViewOptions<F extends Fields>
  extends Pick<CollectionOptions<F>, "administrators" | "description" | "scope"> {
  /**
   * One SELECT over collections by their names, in SQLite's SQL. It answers a column `id`, a text that no two rows share,
   * and one for each field, booleans as 0 and 1. Of collections that belong to organisations it sees the caller's records
   * alone; apart from that it sees everything, so that `rules` and its own WHERE decide who may know what.
   */
  sql: string
  fields: F
  rules?: Pick<Rules, "read">
}

/**
 * Defines a read-only collection by SQL: listed, filtered, sorted and aggregated as any other.
 * Mistakes are reported by `linkCollections`, and by `migrate:new`, which runs the SQL.
 */
export const sqlView = <const Name extends string, const F extends Fields>(
  name: Name,
  options: SqlViewOptions<F>,
): SqlViewCollection<Name, F> => ({ name, options, readOnly: true })
