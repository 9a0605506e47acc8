import type { Filter } from "./filter.ts"

/** A question about all records at once: what is measured of each group. */
export interface AggregateQuery<R> {
  /** Fields, paths to fields of related records, and spans of time (UTC): `["genre", "month(releasedOn)"]`. */
  group?: readonly Group<R>[]
  /** `["count", "avg(stars)"]`. Without it the groups alone: distinct values; without either, the count of all. */
  measure?: readonly Measure<R>[]
  filter?: string | Filter
  search?: string
  /** At most three of the groups and measures asked for, `-` for descending. */
  sort?: string | readonly string[]
  /** 1 to 1,000; 200 unless told. */
  limit?: number
  cursor?: string
}

type Name<R> = (keyof R & string) | `${string}.${string}`
type Group<R> = Name<R> | `${"day" | "week" | "month" | "year"}(${Name<R>})`
type Measure<R> = "count" | `${"sum" | "avg" | "min" | "max" | "countDistinct"}(${Name<R>})`

/** What is answered of one group: each value under the name by which it was asked for. */
export type AggregateItem<R, Q> = Values<R, TermsOf<Q, "group">> &
  Values<R, Q extends { group: unknown } | { measure: unknown } ? TermsOf<Q, "measure"> : "count">

type TermsOf<Q, Parameter extends string> = Q extends {
  readonly [P in Parameter]: readonly (infer Term extends string)[]
}
  ? Term
  : never

type Values<R, Term extends string> = { [T in Term]: Value<R, T> }

type Value<R, Term extends string> = Term extends "count"
  ? number
  : Term extends `${"sum" | "countDistinct"}(${string})`
    ? number
    : Term extends `avg(${string})`
      ? number | null
      : Term extends `${"day" | "week" | "month" | "year"}(${string})`
        ? string | null
        : Term extends `${"min" | "max"}(${infer Field})`
          ? FieldValue<R, Field> | null
          : FieldValue<R, Term>

/** A field of the record; what a path leads to is not known to the types. Hidden where the caller may not read it: null. */
type FieldValue<R, Field extends string> = Field extends keyof R
  ? R[Field] | null
  : string | number | boolean | null
