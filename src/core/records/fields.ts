import type { Point } from "../expression/geo.ts"

/**
 * The field types of a collection, as a developer writes them: `title: text({ required: true, max: 300 })`.
 * Each call answers plain data; what follows from it (columns, validators, SQL) lies in the files beside this one.
 */

/** An expression whose value fills an absent field (`@me.id`, `@now`), marked so that a text is never mistaken for one. */
export interface DefaultExpression {
  readonly expression: string
}

/** A default that is computed when the record is created: `expression("@me.id")`. */
export const expression = (text: string): DefaultExpression => ({ expression: text })

interface Common<Value> {
  /** Neither null nor absent; for text also not empty. */
  required?: boolean
  /** Fills the field when a create leaves it out: a value, or `expression("@me.id")`. */
  default?: Value | DefaultExpression
  /** No two records (of one organisation) have the same value. Null is no value. */
  unique?: boolean
  /** Expression: who may read the field, of which records. Without it, everyone who may read the record. */
  readable?: string
  /** Expression: who may give the field a value, of which records. Without it, everyone who may write the record. */
  writable?: string
  /** For people who read the API's documentation. */
  description?: string
}
interface TextOptions extends Common<string> {
  /** Lengths in code points. */
  min?: number
  max?: number
  /** A JavaScript regular expression that the whole value must match. */
  pattern?: string
}
interface NumberOptions extends Common<number> {
  min?: number
  max?: number
}
interface MomentOptions extends Common<string> {
  /** ISO 8601, inclusive. */
  min?: string
  max?: string
}
interface RelationOptions extends Common<string> {
  /**
   * When the record that this points at is deleted: `restrict` refuses that, and holds unless another is named; `cascade`
   * deletes this one too; `setNull` empties the field. Whoever may delete the target decides, whatever the rules of this
   * collection say; and who may change this field may so bring about the deletion: say in `writable` who that is.
   */
  onDelete?: "restrict" | "cascade" | "setNull"
}
interface ManyOptions
  extends Pick<Common<string[]>, "required" | "readable" | "writable" | "description"> {
  /** Most ids that one record may hold; 1,000 unless told. */
  max?: number
  /** When a record of the list is deleted: `restrict` refuses that, and holds unless `unlink` takes it off the list. */
  onDelete?: "restrict" | "unlink"
}

interface FileOptions
  extends Pick<Common<string>, "required" | "unique" | "readable" | "writable" | "description"> {
  /** What its content may turn out to be: `["image/*", "application/pdf"]`. Anything unless told. */
  types?: readonly string[]
  /** Of each file. As much as the deployment takes unless told. */
  maxBytes?: number
}
interface FilesOptions extends Omit<FileOptions, "unique"> {
  /** Most files that one record may hold; 20 unless told. */
  maxCount?: number
}

/** One field. `Value` is its type in TypeScript; `Required` says whether null is ruled out. */
export interface Field<Value = unknown, Required extends boolean = boolean> {
  readonly kind: FieldKind
  readonly required: boolean
  readonly options: FieldOptions
  /** These exist in the type only: see `ValueOf` and `IsRequired`. */
  readonly value?: Value
  readonly requires?: Required
}

/** The type of a field's value; never for a back-relation, which has none. */
export type ValueOf<F extends Field> = Exclude<F["value"], undefined>
export type IsRequired<F extends Field> = Exclude<F["requires"], undefined>

/** Keeps the name of a relation's target in the type, so that a client knows what `expand` brings. */
interface Leads<Target extends string> {
  readonly options: FieldOptions & { readonly target: Target }
}

/** All options of all kinds; each kind reads its own. */
export interface FieldOptions {
  readonly default?: unknown
  readonly unique?: boolean
  readonly readable?: string
  readonly writable?: string
  readonly description?: string
  readonly min?: number | string
  readonly max?: number | string
  readonly pattern?: string
  readonly choices?: readonly string[]
  /** Name of the collection that a relation leads to. */
  readonly target?: string
  /** Of files: patterns of the types of content, and how many bytes each may have. */
  readonly types?: readonly string[]
  readonly maxBytes?: number
  /** The target's relation that a back-relation turns round. */
  readonly backField?: string
  readonly rollup?: RollupOptions
  /** What the end of the record that it points at means to this one; `restrict` unless told. */
  readonly onDelete?: "restrict" | "cascade" | "setNull" | "unlink"
}

export type FieldKind =
  | "text"
  | "markdown"
  | "integer"
  | "number"
  | "boolean"
  | "date"
  | "datetime"
  | "email"
  | "url"
  | "choice"
  | "json"
  | "point"
  | "relation"
  | "relations"
  | "backRelation"
  | "rollup"

/** What a rollup computes: over which back-relation of its own collection, and for `sum` and `avg`, of which field. */
export interface RollupOptions {
  readonly measure: "count" | "sum" | "avg"
  readonly relation: string
  readonly field?: string
}

/** A field that nobody writes: left out of what a create or a patch may hold. */
export interface Computed {
  readonly computed?: true
}

type RequiredOf<Options> = Options extends { required: true } ? true : false

const field = <Value, Options extends { required?: boolean }>(
  kind: FieldKind,
  options: Options | undefined,
  more: FieldOptions = {},
): Field<Value, RequiredOf<Options>> => ({
  kind,
  required: options?.required ?? false,
  options: { ...(options as FieldOptions), ...more },
})

/** One line or several, at most `max` code points (5,000 unless told). */
export const text = <const Options extends TextOptions = TextOptions>(options?: Options) =>
  field<string, Options>("text", options)

/** Text in Markdown, at most `max` code points (100,000 unless told). Stored as written, never as HTML. */
export const markdown = <const Options extends TextOptions = TextOptions>(options?: Options) =>
  field<string, Options>("markdown", options)

/** A whole number that JavaScript holds exactly: at most 2^53 - 1 either way. */
export const integer = <const Options extends NumberOptions = NumberOptions>(options?: Options) =>
  field<number, Options>("integer", options)

/** A finite IEEE 754 double. For money use an `integer` in the minor unit. */
export const number = <const Options extends NumberOptions = NumberOptions>(options?: Options) =>
  field<number, Options>("number", options)

export const boolean = <const Options extends Common<boolean> = Common<boolean>>(
  options?: Options,
) => field<boolean, Options>("boolean", options)

/** A day, `YYYY-MM-DD`, years 0001 to 9999. */
export const date = <const Options extends MomentOptions = MomentOptions>(options?: Options) =>
  field<string, Options>("date", options)

/** An instant. Any RFC 3339 offset comes in; `2026-11-21T09:30:00.000Z` is stored and goes out. */
export const datetime = <const Options extends MomentOptions = MomentOptions>(options?: Options) =>
  field<string, Options>("datetime", options)

/** An e-mail address, stored as typed. */
export const email = <const Options extends TextOptions = TextOptions>(options?: Options) =>
  field<string, Options>("email", options)

/** An absolute URL with the scheme http or https. */
export const url = <const Options extends TextOptions = TextOptions>(options?: Options) =>
  field<string, Options>("url", options)

/** One of a few texts. */
export const choice = <
  const Choice extends string,
  const Options extends Common<Choice> = Common<Choice>,
>(
  choices: readonly Choice[],
  options?: Options,
) => field<Choice, Options>("choice", options, { choices })

/** Any JSON value up to 100,000 bytes. Compared with nothing but null, not searched, not sorted. */
export const json = <const Options extends Common<unknown> = Common<unknown>>(options?: Options) =>
  field<unknown, Options>("json", options)

/**
 * A place on the earth: `{ latitude: 52.52, longitude: 13.405 }`, in degrees (WGS 84). For `distance(field, latitude,
 * longitude)` and `within(field, south, west, north, east)`; has an index of its own.
 */
export const point = <const Options extends Common<Point> = Common<Point>>(options?: Options) =>
  field<Point, Options>("point", options)

/** One record of `target`, by its id. The writer must be able to read it. What happens when that is deleted says `onDelete`. */
export const relation = <
  const Target extends string,
  const Options extends RelationOptions = RelationOptions,
>(
  target: Target,
  options?: Options,
): Field<string, RequiredOf<Options>> & Leads<Target> => ({
  ...field<string, Options>("relation", options),
  options: { ...(options as FieldOptions), target },
})

/** Several records of `target`, in order, none twice: an array of ids, kept in a join table. */
export const relations = <
  const Target extends string,
  const Options extends ManyOptions = ManyOptions,
>(
  target: Target,
  options?: Options,
): Field<string[], true> & Leads<Target> => ({
  kind: "relations",
  required: options?.required ?? false,
  options: { ...options, target },
})

/** Every type of content. */
export const anyType = "*/*"

/**
 * A file, by its id: one that the writer has sent (`POST /files`). Whoever may read the field reads the file; the record's
 * end, or another value, lets go of it, and what no record holds any more is deleted after a while.
 */
export const file = <const Options extends FileOptions = FileOptions>(
  options?: Options,
): Field<string, RequiredOf<Options>> & Leads<"files"> => ({
  ...field<string, Options>("relation", options),
  options: { types: [anyType], ...options, target: "files" },
})

/** Several files, in order, none twice: an array of ids. Each is held as by `file`. */
export const files = <const Options extends FilesOptions = FilesOptions>(
  { maxCount = 20, ...options }: Options = {} as Options,
): Field<string[], true> & Leads<"files"> => ({
  kind: "relations",
  required: options.required ?? false,
  options: { types: [anyType], ...options, max: maxCount, target: "files" },
})

/** The records of `target` whose relation `backField` points here. Not part of the record: for paths, `expand` and rollups. */
export const backRelation = <const Target extends string>(
  target: Target,
  backField: string,
): Field<never, false> & Leads<Target> => ({
  kind: "backRelation",
  required: false,
  options: { target, backField },
})

/**
 * A number computed from a back-relation of the same collection and kept by triggers: `rollup("count", "reviews")`,
 * `rollup("avg", "reviews.stars")`. Outside of version and log. `count` and `sum` of nothing are 0, `avg` of nothing is null.
 */
export function rollup<const Measure extends "count" | "sum" | "avg">(
  measure: Measure,
  path: string,
  options: Pick<Common<number>, "readable" | "description"> = {},
): Field<number, Measure extends "avg" ? false : true> & Required<Computed> {
  const [relationName = "", fieldName] = path.split(".")
  return {
    kind: "rollup",
    computed: true,
    required: false,
    options: {
      ...options,
      rollup: { measure, relation: relationName, ...(fieldName && { field: fieldName }) },
    },
  }
}
