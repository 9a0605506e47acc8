import * as z from "zod"
import { isId } from "../../platform/ids.ts"
import { isStorableText } from "../../platform/storable-text.ts"
import { parseWith } from "../../platform/validate.ts"
import { parseInstant, storedDatetime } from "../expression/dates.ts"
import { codePointLength } from "../expression/text.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"

/** Zod schemas of a collection: what a create, a replacement and a merge patch may hold. */
export interface Validators {
  /** Absent fields stay absent: defaults may need the actor. Required fields without a default are demanded. */
  readonly create: z.ZodType<Record<string, unknown>>
  readonly patch: z.ZodType<Record<string, unknown>>
}

const known = new WeakMap<LinkedCollection, Validators>()

/** Made when first needed: start-up pays for no schema. */
export function validatorsOf(collection: LinkedCollection): Validators {
  const found = known.get(collection)
  if (found) return found
  const fields = [...collection.fields.values()].filter(isWritable)
  const shape = (patch: boolean) =>
    z.strictObject(
      Object.fromEntries(fields.map((field) => [field.name, inputSchema(field, patch)])),
    )
  const validators = { create: shape(false), patch: shape(true) }
  known.set(collection, validators)
  return validators
}

/** Rollups and back-relations are computed, never given. */
export const isWritable = (field: LinkedField): boolean =>
  field.kind !== "rollup" && field.kind !== "backRelation"

function inputSchema(field: LinkedField, patch: boolean): z.ZodType {
  const value = valueSchema(field).meta({
    ...(field.options.description && { description: field.options.description }),
  })
  const nullable = field.required ? value : value.nullable()
  const mayBeAbsent = patch || !field.required || field.options.default !== undefined
  return mayBeAbsent ? nullable.optional() : nullable
}

/** One value, not null. Also describes the field in OpenAPI. */
export function valueSchema(field: LinkedField): z.ZodType {
  const { options } = field
  switch (field.kind) {
    case "text":
      return textSchema(field, 5_000)
    case "markdown":
      return textSchema(field, 100_000)
    case "email":
      return textSchema(field, 254).check(z.email("must be an e-mail address"))
    case "url":
      return textSchema(field, 2_000).check(
        z.url({ protocol: /^https?$/, error: "must be an absolute http or https URL" }),
      )
    case "choice":
      return z.enum(options.choices as [string, ...string[]])
    case "integer":
      return bounded(z.int(), options)
    case "number":
    case "rollup":
      return bounded(z.number(), options)
    case "boolean":
      return z.boolean()
    case "date":
      return dateSchema(options)
    case "datetime":
      return datetimeSchema(options)
    case "json":
      return jsonSchema()
    case "point":
      return pointSchema()
    case "relation":
      return idSchema()
    case "relations":
      return relationsSchema(field)
    case "backRelation":
      return z.never()
  }
}

const storable = <Schema extends z.ZodString>(schema: Schema) =>
  schema.refine(isStorableText, {
    error: "must not contain NUL or half of a surrogate pair",
    params: { code: "text" },
    abort: true,
  })

export const idSchema = () =>
  z
    .string()
    .refine(isId, { error: "must be a UUID in lower case", params: { code: "id" } })
    .meta({ format: "uuid" })

function textSchema({ required, options }: LinkedField, largest: number) {
  const min = (options.min as number | undefined) ?? (required ? 1 : 0)
  const max = (options.max as number | undefined) ?? largest
  const pattern = options.pattern === undefined ? null : new RegExp(`^(?:${options.pattern})$`, "u")
  return storable(z.string())
    .refine((text) => codePointLength(text) >= min, {
      error: min === 1 ? "must not be empty" : `must have at least ${min} characters`,
      params: { code: "too_small" },
    })
    .refine((text) => codePointLength(text) <= max, {
      error: `must have at most ${max} characters`,
      params: { code: "too_big" },
    })
    .refine((text) => pattern === null || pattern.test(text), {
      error: `must match ${options.pattern}`,
      params: { code: "pattern" },
    })
    .meta({ minLength: min, maxLength: max, ...(pattern && { pattern: pattern.source }) })
}

function bounded<Schema extends z.ZodNumber>(schema: Schema, options: LinkedField["options"]) {
  let result: z.ZodNumber = schema
  if (options.min !== undefined) result = result.min(options.min as number)
  if (options.max !== undefined) result = result.max(options.max as number)
  return result
}

const within = (options: LinkedField["options"], normalise: (text: string) => string | null) => ({
  min: options.min === undefined ? null : normalise(options.min as string),
  max: options.max === undefined ? null : normalise(options.max as string),
})

/** ISO 8601 has a year 0000, the calendar in use has none. */
const startsYearOne = (text: string): boolean => text >= "0001"

function dateSchema(options: LinkedField["options"]) {
  const { min, max } = within(options, (text) => text)
  return z
    .string()
    .refine(
      (text) =>
        /^\d{4}-\d{2}-\d{2}$/.test(text) && startsYearOne(text) && parseInstant(text) !== null,
      {
        error: "must be a date like 2026-11-21",
        params: { code: "date" },
        abort: true,
      },
    )
    .refine((text) => min === null || text >= min, {
      error: `must not be before ${min}`,
      params: { code: "too_small" },
    })
    .refine((text) => max === null || text <= max, {
      error: `must not be after ${max}`,
      params: { code: "too_big" },
    })
    .meta({ format: "date" })
}

function datetimeSchema(options: LinkedField["options"]) {
  const normalise = (text: string) => {
    const instant = parseInstant(text)
    const stored = instant === null ? null : storedDatetime(instant)
    return stored !== null && startsYearOne(stored) ? stored : null
  }
  const { min, max } = within(options, normalise)
  return z
    .string()
    .refine((text) => normalise(text) !== null, {
      error: "must be an instant like 2026-11-21T09:30:00Z",
      params: { code: "datetime" },
      abort: true,
    })
    .overwrite((text) => normalise(text) as string)
    .refine((text) => min === null || text >= min, {
      error: `must not be before ${min}`,
      params: { code: "too_small" },
    })
    .refine((text) => max === null || text <= max, {
      error: `must not be after ${max}`,
      params: { code: "too_big" },
    })
    .meta({ format: "date-time" })
}

/** Members come out in this order, whichever they were given in: equal points are equal texts. */
const pointSchema = () =>
  z.strictObject({
    latitude: z.number().min(-90).max(90),
    longitude: z.number().min(-180).max(180),
  })

const maxJsonBytes = 100_000

/** SQLite takes no JSON that is nested deeper than 1,000. */
export const maxJsonDepth = 500

const jsonSchema = () =>
  z
    .unknown()
    .refine((value) => value !== undefined, { error: "must be a JSON value" })
    // First, because the rest is recursive.
    .refine((value) => isShallow(value), {
      error: `must not be nested deeper than ${maxJsonDepth}`,
      params: { code: "too_deep" },
      abort: true,
    })
    .refine(
      (value) => new TextEncoder().encode(JSON.stringify(value) ?? "").length <= maxJsonBytes,
      {
        error: `must have at most ${maxJsonBytes} bytes`,
        params: { code: "too_big" },
      },
    )
    // JSON escapes both, so the stored text is sound; but what is read back must be what was written.
    .refine((value) => !unsoundEscape.test(JSON.stringify(value) ?? ""), {
      error: "must not contain NUL or half of a surrogate pair",
      params: { code: "text" },
    })

/** What `JSON.stringify` escapes; a backslash that is itself escaped starts no escape. */
const unsoundEscape = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/

/** Level by level, not recursive: the value may be nested as deep as a body is long. */
function isShallow(value: unknown): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; depth <= maxJsonDepth; depth++) {
    level = level.flatMap((one) =>
      typeof one === "object" && one !== null ? Object.values(one) : [],
    )
    if (level.length === 0) return true
  }
  return false
}

function relationsSchema({ required, options }: LinkedField) {
  const max = (options.max as number | undefined) ?? 1_000
  return z
    .array(idSchema())
    .min(required ? 1 : 0)
    .max(max)
    .refine((ids) => new Set(ids).size === ids.length, {
      error: "must not name a record twice",
      params: { code: "duplicate" },
    })
}

/** What a hook of the deployment's own code wants to write: held to the same schema as anyone's input. */
export function parsePatchOfHook(
  collection: LinkedCollection,
  input: Record<string, unknown>,
): Record<string, unknown> {
  return parseWith(validatorsOf(collection).patch, input)
}
