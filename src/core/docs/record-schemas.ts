import * as z from "zod"
import { anyType } from "../records/fields.ts"
import { isFileField } from "../records/file-records.ts"
import type { LinkedCollection, LinkedField } from "../records/link.ts"
import { systemFieldsOf } from "../records/shape.ts"
import { validatorsOf, valueSchema } from "../records/validators.ts"
import { type Schema, schemaRef } from "./document.ts"
import { pastSchemas } from "./history-operations.ts"
import type { CollectionNames } from "./names.ts"
import { fieldsKnownTo, isOpen, type Reader } from "./reader.ts"
import { fieldSentences } from "./rules.ts"

/** The schemas of one collection: what it answers, and what it takes. */
export function recordSchemas(
  reader: Reader,
  collection: LinkedCollection,
  names: ReadonlyMap<string, CollectionNames>,
): Record<string, Schema> {
  const named = names.get(collection.name) as CollectionNames
  const { one } = named
  const open = (action: "create" | "update") => isOpen(reader, collection, action)
  const record = recordSchema(reader, collection, names)
  return {
    ...(isOpen(reader, collection, "read") && {
      [one]: record,
      [`${one}Page`]: pageSchema(one),
      ...pastSchemas(collection, named, record),
    }),
    ...(open("create") && { [`New${one}`]: inputSchema(reader, collection, "create") }),
    ...(open("update") && {
      [`${one}Patch`]: withServerFields(record, inputSchema(reader, collection, "patch")),
    }),
    ...((open("create") || open("update")) && {
      [`${one}Replacement`]: withServerFields(record, inputSchema(reader, collection, "create")),
    }),
  }
}

const systemSchemas: Readonly<Record<string, Schema>> = {
  id: { type: "string", format: "uuid", description: "UUIDv7, or the id that a PUT chose." },
  version: { type: "integer", minimum: 1, description: "Counts the changes of the record." },
  createdAt: { type: "string", format: "date-time" },
  updatedAt: { type: "string", format: "date-time" },
  createdBy: {
    type: ["string", "null"],
    format: "uuid",
    description: "Id of a member; null for the system and for anonymous writers.",
  },
  updatedBy: { type: ["string", "null"], format: "uuid" },
}

/** The ids of a view are texts of its own making. */
const systemSchema = ({ sqlView }: LinkedCollection, name: string): Schema | undefined =>
  sqlView === null ? systemSchemas[name] : { type: "string", description: "Made by the view." }

function recordSchema(
  reader: Reader,
  collection: LinkedCollection,
  names: ReadonlyMap<string, CollectionNames>,
): Schema {
  const fields = fieldsKnownTo(reader, collection).filter((field) => field.kind !== "backRelation")
  const expanded = expandedSchema(reader, collection, names)
  return {
    type: "object",
    ...(collection.definition.options.description && {
      description: collection.definition.options.description,
    }),
    properties: {
      ...Object.fromEntries(
        systemFieldsOf(collection).map((name) => [
          name,
          { ...systemSchema(collection, name), readOnly: true },
        ]),
      ),
      ...Object.fromEntries(fields.map((field) => [field.name, answerSchema(reader, field)])),
      ...(expanded && { expanded, expandedNext }),
    },
    // A field with a rule of its own is missing where the rule does not hold.
    required: [
      ...systemFieldsOf(collection),
      ...fields.filter((field) => reader.view.fieldRule(field) === true).map((field) => field.name),
    ],
  }
}

/** Relations that `expand` follows, with what it finds there. */
function expandedSchema(
  reader: Reader,
  collection: LinkedCollection,
  names: ReadonlyMap<string, CollectionNames>,
): Schema | null {
  const relations = expandable(reader, collection)
  if (relations.length === 0) return null
  return {
    type: "object",
    readOnly: true,
    description: "Related records, by the paths that `expand` named.",
    properties: Object.fromEntries(
      relations.map((field) => {
        const one = isFileField(field) ? "File" : names.get(field.options.target as string)?.one
        const target = schemaRef(one as string)
        const schema: Schema =
          field.kind === "relation"
            ? { anyOf: [target, { type: "null" }] }
            : { type: "array", items: target }
        return [field.name, schema]
      }),
    ),
  }
}

const expandedNext: Schema = {
  type: "object",
  readOnly: true,
  description:
    "Where `expand` did not bring all: by path, the address of a list that goes on after the last.",
  additionalProperties: true,
}

/** Relations that lead to something this reader may know of. */
export const expandable = (reader: Reader, collection: LinkedCollection): LinkedField[] =>
  fieldsKnownTo(reader, collection).filter(
    (field) => field.target !== null && isOpen(reader, field.target, "read"),
  )

const pageSchema = (one: string): Schema => ({
  type: "object",
  required: ["items", "next"],
  properties: {
    items: { type: "array", items: schemaRef(one) },
    next: {
      type: ["string", "null"],
      description: "The `cursor` of the next page; null on the last one.",
    },
    count: { type: "integer", minimum: 0, description: "With `count=exact`: of all pages." },
  },
})

function answerSchema(reader: Reader, field: LinkedField): Schema {
  const described = describe(reader, field, computedSchema(field) ?? bareSchema(field), false)
  const mayBeNull = !field.required && field.kind !== "relations" && !isNeverNull(field)
  return {
    ...(mayBeNull ? nullable(described) : described),
    ...(field.kind === "rollup" && { readOnly: true }),
  }
}

const bareSchema = (field: LinkedField): Schema =>
  tidy(z.toJSONSchema(valueSchema(field), { io: "input" }))

const isNeverNull = ({ rollup }: LinkedField): boolean =>
  rollup !== null && rollup.measure !== "avg"

function computedSchema({ rollup }: LinkedField): Schema | null {
  if (!rollup) return null
  const of = `\`${rollup.child.name}${rollup.valueField ? `.${rollup.valueField}` : ""}\``
  const words = { count: "How many", sum: "The sum of", avg: "The average of" }[rollup.measure]
  const whole = rollup.measure !== "avg" && rollup.exact
  return {
    type: whole ? "integer" : "number",
    ...(rollup.measure === "count" && { minimum: 0 }),
    description: `${words} ${of} point here by \`${rollup.backField}\`; computed.`.replace(
      /^(The .*) point here/,
      "$1 that point here",
    ),
  }
}

/** From the very schema that the input is parsed with, less the fields that this reader can never read. */
function inputSchema(
  reader: Reader,
  collection: LinkedCollection,
  kind: "create" | "patch",
): Schema {
  const schema = z.toJSONSchema(validatorsOf(collection)[kind], { io: "input" }) as Schema
  const known = new Map(fieldsKnownTo(reader, collection).map((field) => [field.name, field]))
  const properties = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const field = known.get(name)
    if (!field) return []
    const fallback = kind === "create" ? defaultOf(field) : {}
    return [[name, { ...describe(reader, field, tidy(property), true), ...fallback }] as const]
  })
  const required = schema.required?.filter((name) => known.has(name)) ?? []
  return {
    type: "object",
    properties: Object.fromEntries(properties),
    ...(required.length && { required }),
    additionalProperties: false,
  }
}

/** A PUT and a patch may hold what the server writes, as a GET answered it: it is passed over. */
const withServerFields = (record: Schema, input: Schema): Schema => ({
  ...input,
  properties: {
    ...Object.fromEntries(
      Object.entries(record.properties ?? {}).filter(([, property]) => property.readOnly),
    ),
    expanded: record.properties?.expanded ?? { type: "object", readOnly: true },
    ...input.properties,
  },
})

function defaultOf({ options }: LinkedField): Schema {
  const value = options.default
  if (value === undefined || (typeof value === "object" && value !== null && "expression" in value))
    return {}
  return { default: value }
}

/** Adds what the schema cannot say to its description. */
function describe(reader: Reader, field: LinkedField, schema: Schema, input: boolean): Schema {
  const { options, target } = field
  const computed = options.default as { expression?: string } | null | undefined
  const toTarget = target && isOpen(reader, target, "read") ? ` of \`${target.name}\`` : ""
  const sentences = [
    options.description ?? schema.description,
    ...(isFileField(field)
      ? fileSentences(field)
      : [
          field.kind === "relation" ? `Id of a record${toTarget}.` : null,
          field.kind === "relations" ? `Ids of records${toTarget}, in order, none twice.` : null,
        ]),
    field.kind === "markdown" ? "Markdown." : null,
    field.kind === "point" ? "A place, in degrees (WGS 84); changed as a whole." : null,
    field.kind === "json" ? "Any JSON; a patch is merged into it." : null,
    options.unique ? "No two records have the same." : null,
    ["date", "datetime"].includes(field.kind) && options.min !== undefined
      ? `Not before ${options.min}.`
      : null,
    ["date", "datetime"].includes(field.kind) && options.max !== undefined
      ? `Not after ${options.max}.`
      : null,
    input && typeof computed === "object" && computed?.expression
      ? `When absent: \`${computed.expression}\`.`
      : null,
    ...fieldSentences(reader, field),
  ].filter((sentence) => sentence != null)
  const exact: Schema = field.kind === "relations" ? { ...schema, uniqueItems: true } : schema
  const closed = sentences.map((sentence) =>
    /[.!?\u2026]$/.test(sentence) ? sentence : `${sentence}.`,
  )
  return closed.length ? { ...exact, description: closed.join(" ") } : exact
}

function fileSentences({ kind, options }: LinkedField): string[] {
  const { types = [], maxBytes } = options
  return [
    kind === "relation" ? "Id of a file." : "Ids of files, in order, none twice.",
    types.includes(anyType)
      ? ""
      : `Its type is ${types.map((type) => `\`${type}\``).join(" or ")}.`,
    maxBytes === undefined ? "" : `It has ${maxBytes.toLocaleString("en")} bytes at most.`,
    "Who gives one has sent it; who may read the field may read it at `/files/{id}`.",
  ].filter((sentence) => sentence !== "")
}

/** The same value or null. */
function nullable(schema: Schema): Schema {
  if (typeof schema.type !== "string") return schema
  return {
    ...schema,
    type: [schema.type, "null"],
    ...(schema.enum && { enum: [...schema.enum, null] }),
  }
}

/** What Zod writes, in the shortest form: `type: [x, "null"]` for a choice with null, no limits that say nothing. */
function tidy(given: object): Schema {
  const { $schema: _, minLength, minItems, ...schema } = given as Schema & { $schema?: string }
  const kept: Schema = {
    ...schema,
    ...(minLength && { minLength }),
    ...(minItems && { minItems }),
  }
  const [value, none] = kept.anyOf ?? []
  if (kept.anyOf?.length !== 2 || !value || none?.type !== "null") return kept
  const { anyOf: __, ...rest } = kept
  return { ...nullable(tidy(value)), ...rest }
}
