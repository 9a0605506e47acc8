import type { Collection, Fields, RecordOf, SystemFields } from "../core/records/collection.ts"
import type { Field, ValueOf } from "../core/records/fields.ts"
import type { Filter } from "./filter.ts"

/** A deployment's collections, as `src/app/collections.ts` lists them. */
export type Collections = readonly Collection[]

/** People, whom every deployment has: only signed-in people may read them. */
export type Members = Collection<"members", { readonly name: Field<string, false> }>

/** What is known of a file: fields of files lead here. Nobody asks for it by its name. */
export interface StoredFile {
  id: string
  name: string
  /** Told from the content: `image/png`. */
  type: string
  sizeBytes: number
  /** Of the content, in hex. */
  sha256: string
  /** In pixels, of images that say so. */
  width: number | null
  height: number | null
  createdAt: string
  /** What was found of malware; null where nobody looks, unknown where the scanner would not. */
  scan: "pending" | "clean" | "infected" | "unknown" | null
}

type Known<All extends Collections> = All[number] | Members

export type NameIn<All extends Collections> = Known<All>["name"]

export type Named<All extends Collections, Name extends string> = Extract<
  Known<All>,
  { readonly name: Name }
>

/** What an answer may look like: which fields, and which related records beside them. */
export interface View<R> {
  /** Own fields, and fields of related records as paths: `["title", "director.name"]`. All own fields unless told. */
  fields?: readonly ((keyof R & string) | `${string}.${string}`)[]
  /** Relations to answer in `expanded`: `["author"]`, and theirs in turn: `["film.studio"]`. */
  expand?: readonly string[]
}

export interface ListQuery<R> extends View<R> {
  /** An expression; use `` filter`…` `` for values that people type. */
  filter?: string | Filter
  /** At most three own fields, `-` for descending. */
  sort?: Sort<R> | readonly Sort<R>[]
  /** Words to find anywhere in the searched fields; the best match first unless sorted. */
  search?: string
  /** 1 to 200; 50 unless told. */
  limit?: number
  /** `next` of the page before, with the same query. */
  cursor?: string
  /** Asks how many records there are on all pages. Reads each of them. */
  count?: boolean
}

type Sort<R> = `${"" | "-"}${(keyof R & string) | `distance(${string})`}`

export interface Page<Item> {
  items: Item[]
  /** Cursor of the next page; null on the last. */
  next: string | null
  /** Records on all pages, when asked for. */
  count?: number
}

/** A record as answered to a query: its chosen fields, and `expanded` when asked for. */
export type Answer<All extends Collections, C, Q> = Chosen<RecordOf<C>, Q> & Expanded<All, C, Q>

type Chosen<R, Q> = Q extends { fields: readonly (infer Name)[] }
  ? Pick<R, Extract<keyof R, Name>>
  : R

type Expanded<All extends Collections, C, Q> = Q extends {
  expand: readonly (infer Path extends string)[]
}
  ? {
      expanded: { [P in Path as Head<P>]: Related<All, FieldAt<C, P>> }
      /** Where not all was brought along: by path, the address of a list that goes on after the last. */
      expandedNext?: { [P in Path as Head<P>]?: string }
    }
  : unknown

/** `film.studio` is answered as `expanded.film.expanded.studio`. */
type Head<Path extends string> = Path extends `${infer Name}.${string}` ? Name : Path

type FieldAt<C, Name extends string> =
  C extends Collection<string, infer F extends Fields> ? F[Name] : undefined

/** To one: the record, or null where there is none that the caller may see. To many: an array. */
type Related<All extends Collections, F> = F extends Field
  ? [ValueOf<F>] extends [readonly string[]] // Also a back-relation, whose value is never.
    ? TargetOf<All, F>[]
    : TargetOf<All, F> | null
  : RelatedRecord | RelatedRecord[] | null

type TargetOf<All extends Collections, F> = F extends {
  options: { target: infer Target extends string }
}
  ? string extends Target
    ? RelatedRecord
    : Target extends "files"
      ? StoredFile
      : RecordOf<Named<All, Target>>
  : RelatedRecord

/** A related record whose collection is not known to the types. */
export type RelatedRecord = Pick<SystemFields, "id"> & Readonly<Record<string, unknown>>
