import type { Actor } from "../../platform/app.ts"
import type { Input } from "./input.ts"
import type { LinkedCollection } from "./link.ts"
import type { ExpectedVersions, Revival } from "./operations.ts"
import type { ApiRecord } from "./selection.ts"

/** A write as it is asked for: input already parsed, in the forms of the API. */
export type Draft =
  | {
      readonly action: "create"
      readonly collection: LinkedCollection
      readonly id: string
      readonly input: Input
      /** Set where the record was deleted and comes back: `input` is all that it is to be. */
      readonly revival?: Revival
      /** Whose write it is, where it is not the caller's. */
      readonly writer?: Actor
    }
  | {
      readonly action: "update"
      readonly collection: LinkedCollection
      readonly id: string
      readonly input: Input
      readonly expected: ExpectedVersions
      /** `input` is what the record once was: `json` fields are put in place, instead of merged. */
      readonly restored?: boolean
    }
  | {
      readonly action: "put"
      readonly collection: LinkedCollection
      readonly id: string
      readonly input: Input
      readonly expected: ExpectedVersions
      readonly only: "create" | "replace" | null
      /** What is changed of a record that is there, instead of replacing all of it. */
      readonly patch?: Input
    }
  | {
      readonly action: "delete"
      readonly collection: LinkedCollection
      readonly id: string
      readonly expected: ExpectedVersions
    }

/** What a write left behind. */
export interface Written {
  readonly id: string
  readonly created: boolean
  /** As the actor may see it; null when it may not (or no longer), and after a deletion. */
  readonly record: ApiRecord | null
  /** Null where `record` is. */
  readonly version: number | null
}
