import type { Actor } from "../../platform/app.ts"
import { DefinitionError } from "../../platform/definition-error.ts"
import { anyOf, identifier, raw, type Sql, sql } from "../../platform/sql.ts"
import { grants } from "../identity/key-scopes.ts"
import { collection } from "./collection.ts"
import { joinTableOf } from "./columns.ts"
import { anyType, choice, integer, text } from "./fields.ts"
import type { Objection } from "./guard.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"
import type { StoredFields } from "./operations.ts"

/*
 * Files, as records see them. A field of a file is a relation to them: what holds a file is the column itself (or the join
 * table), with its index and its foreign key, and nothing beside it that could say otherwise. No I/O.
 */

/**
 * What is known of files, in the table that `core/files` keeps. Nobody asks for it by its name: it is reached through the
 * fields that hold files, by whoever may read these.
 */
export const fileRecords = collection("files", {
  fields: {
    name: text({ required: true }),
    type: text({ required: true }),
    sizeBytes: integer({ required: true }),
    sha256: text({ required: true }),
    width: integer(),
    height: integer(),
    scan: choice(["pending", "clean", "infected", "unknown"]),
  },
  rules: { read: "true" },
})

/** Whether a field holds files: one, or with the kind `relations` several. */
export const isFileField = ({ options }: Pick<LinkedField, "options">): boolean =>
  options.target === fileRecords.name

/** @throws {DefinitionError} for limits that could never be kept, and for what only leads to files. */
export function checkFileField(name: string, { options }: Pick<LinkedField, "options">): void {
  const { types, maxBytes = 1, max = 1 } = options
  if (!types) throw new DefinitionError(`${name} leads to "files": write file(…) or files(…).`)
  const unlike = types.find((type) => !/^[a-z]+\/(?:\*|[a-z0-9][a-z0-9.+-]*)$/.test(type))
  if (types.length === 0 || (unlike !== undefined && unlike !== anyType)) {
    throw new DefinitionError(
      `${name} takes the types ${JSON.stringify(types)}: write them as ["image/*", "application/pdf"].`,
    )
  }
  for (const [option, value] of Object.entries({ maxBytes, maxCount: max })) {
    if (Number.isSafeInteger(value) && Number(value) > 0) continue
    throw new DefinitionError(`${option} of ${name} is ${value}: write a whole number from 1 on.`)
  }
}

/** A field that may hold files, and whose it is. */
export interface FileHolder {
  readonly collection: LinkedCollection
  readonly field: LinkedField
}

/** All of a deployment. Views hold nothing: their rows are made of others. */
export const fileHolders = (collections: Iterable<LinkedCollection>): FileHolder[] =>
  [...collections].flatMap((collection) =>
    collection.sqlView === null
      ? fileFieldsOf(collection).map((field) => ({ collection, field }))
      : [],
  )

export const fileFieldsOf = (collection: LinkedCollection): LinkedField[] =>
  [...collection.fields.values()].filter(isFileField)

/** SQL that is true while a record holds the file. */
export const isHeld = (holders: readonly FileHolder[], id: Sql): Sql =>
  anyOf(
    holders.map(({ collection, field }) =>
      field.kind === "relations"
        ? sql`EXISTS (SELECT 1 FROM ${identifier(joinTableOf(collection.name, field.name))} h WHERE h."target" = ${id})`
        : sql`EXISTS (SELECT 1 FROM ${identifier(collection.name)} h WHERE h.${identifier(field.name)} = ${id})`,
    ),
  )

/**
 * SQL that is true of the actor's own files that are there, with the columns of `files`: of a key, where its scopes let it
 * read them. Our own code takes any.
 */
export function ownFiles(actor: Actor): Sql {
  if (actor.kind === "system") return raw("state = 'stored'")
  const may = actor.kind === "user" && !actor.anonymous
  if (!may || (actor.key && !grants(actor.key.scopes, fileRecords.name, "read"))) return raw("0")
  return sql`owner = ${actor.id} AND organisation IS ${actor.organisation} AND state = 'stored'`
}

/**
 * What speaks against a file in a field. Which the record holds already is nobody's attempt to give it one; of a restoration
 * all are what it once held, and it is enough that they are still there.
 *
 * @param given SQL of the id, or of a JSON array of ids, as it will be
 * @param held SQL of the id as it is, or of a query of ids; null where there is no record yet
 */
export function fileObjections(
  field: LinkedField,
  { given, held, actor }: { given: Sql; held: Sql | null; actor: Actor | "restoration" },
): Objection[] {
  const { name, kind, options } = field
  const several = kind === "relations"
  const objection = (outcome: Objection["outcome"], fits: Sql, detail = name): Objection => {
    const lacks = (id: Sql) =>
      sql`NOT EXISTS (SELECT 1 FROM files f WHERE f.id = ${id} AND ${fits})`
    if (several) {
      const fresh = held ? sql`e.value NOT IN ${held} AND ` : raw("")
      const condition = sql`EXISTS (SELECT 1 FROM json_each(${given}) e WHERE ${fresh}${lacks(raw("e.value"))})`
      return { outcome, detail, condition }
    }
    const fresh = held ? sql`${given} IS NOT ${held} AND ` : raw("")
    return { outcome, detail, condition: sql`(${given} IS NOT NULL AND ${fresh}${lacks(given)})` }
  }
  if (actor === "restoration") return [objection("unknown_file", raw("state = 'stored'"))]
  const { types = [anyType], maxBytes } = options
  return [
    objection("unknown_file", ownFiles(actor)),
    ...(types.includes(anyType)
      ? []
      : [objection("file_type", isOfType(types), told(name, types.join(", ")))]),
    ...(maxBytes === undefined
      ? []
      : [objection("file_size", raw(`size <= ${maxBytes}`), told(name, String(maxBytes)))]),
  ]
}

/** For a detail: the name of the field, and what it takes. */
const told = (name: string, limit: string): string => `${name} ${encodeURIComponent(limit)}`

/** Patterns come from definitions: `image/*`, `application/pdf`. */
const isOfType = (types: readonly string[]): Sql =>
  anyOf(types.map((pattern) => sql`type GLOB ${pattern}`))

// ---- what a write lets go of, and takes hold of

/**
 * Before a write: what these fields of records hold is let go of, until `heldAgain` has looked.
 *
 * @param records SQL of their ids, for `IN`
 */
export const releaseFiles = (
  collection: LinkedCollection,
  fields: readonly LinkedField[],
  records: Sql,
  at: string,
): Sql[] =>
  fields.map(({ name, kind }) => {
    const held =
      kind === "relations"
        ? sql`SELECT "target" FROM ${identifier(joinTableOf(collection.name, name))} WHERE "source" IN ${records}`
        : sql`SELECT ${identifier(name)} FROM ${identifier(collection.name)} WHERE "id" IN ${records}`
    return sql`UPDATE files SET releasedAt = ${at} WHERE id IN (${held})`
  })

/** The files that a record is to hold. */
export const fileIdsOf = (
  fields: readonly LinkedField[],
  { columns, many }: StoredFields,
): string[] =>
  fields.flatMap(({ name }) => many[name] ?? (columns[name] as string | null | undefined) ?? [])

/** After a write: what a record holds is neither released nor on its way to one. */
export function heldAgain(
  [field]: readonly LinkedField[],
  files: { readonly releasedAt: string } | { readonly ids: readonly string[] },
): Sql[] {
  if (!field || ("ids" in files && files.ids.length === 0)) return []
  const holders = (field.target as LinkedCollection).referrers
  const some =
    "ids" in files
      ? sql`id IN (SELECT value FROM json_each(${JSON.stringify(files.ids)}))`
      : sql`releasedAt = ${files.releasedAt}`
  return [
    sql`UPDATE files SET releasedAt = NULL, destination = NULL WHERE ${some} AND ${isHeld(holders, raw("files.id"))}`,
  ]
}
