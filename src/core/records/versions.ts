import { jsonArray, raw, type Sql, sql } from "../../platform/sql.ts"
import type { RowSource } from "../expression/types.ts"
import { imageSource, imageValue } from "./image.ts"
import type { LinkedCollection, LinkedCollections, LinkedField } from "./link.ts"
import { type ApiRecord, visibility } from "./selection.ts"
import { systemFieldNames } from "./shape.ts"
import { tableSource, type View } from "./view.ts"

/*
 * Versions of records, read from the change log with the rights of one actor. What holds of a version is asked in SQL, of
 * the record as its line holds it; related records are as they are now. A version is shown where the read rule holds of
 * it and of the record now, and a field where its own rule does. A record that was deleted is, now, what it last was.
 * No I/O.
 */

/** Who wrote a version. */
export interface Author {
  readonly id: string
  /** Null where the reader may not see the person, and where the name is gone. */
  readonly name: string | null
}

/** What is said of a version beside its fields. */
export interface VersionHead {
  readonly version: number
  readonly kind: "created" | "updated" | "deleted"
  readonly at: string
  /** Null for the system and for anonymous writers. */
  readonly actor: Author | null
  /** The administrator who acted in the actor's name. */
  readonly impersonator: Author | null
  /** What allowed it: a rule, an administrator's pass over the rules, or the system itself. */
  readonly authority: "rule" | "administrator" | "system"
  readonly requestId: string
}

/** A line as `lineColumns` selects it. */
export interface Line extends VersionHead {
  readonly seq: number
  readonly record: string
  /** Whether the read rule holds of it. Nothing of a line that is not seen may leave the server. */
  readonly seen: boolean
  readonly image: Readonly<Record<string, unknown>>
  /** Of the fields whose right depends on the record: which may be read in this version. */
  readonly rights: readonly boolean[]
}

/** Alias of the line, and of the record as it is now. */
export const lineAlias = "c"
export const nowAlias = "t0"

/** Fields whose right has to be asked of each record, in the order of `rightsOf`. */
const ruledFields = (view: View, collection: LinkedCollection): LinkedField[] =>
  [...collection.fields.values()].filter(
    (field) => field.kind !== "backRelation" && typeof view.fieldRule(field) !== "boolean",
  )

/** SQL for a JSON array of 1 and 0: which of the fields with a rule may be read in the row. */
export const rightsOf = (view: View, collection: LinkedCollection, row: RowSource): Sql =>
  jsonArray(
    ruledFields(view, collection).map(
      (field) => sql`(${view.compile(view.fieldRule(field), row, { oneRow: true })}) IS TRUE`,
    ),
  )

/** SQL that is true where the read rule (and the tenant's boundary) hold of the line, whatever holds of the record now. */
export function isSeen(
  view: View,
  collection: LinkedCollection,
  image: RowSource,
  alias = lineAlias,
): Sql {
  const scope = view.scope(collection.shape, alias)
  const rule = view.compile(view.readRule(collection), image, { oneRow: true })
  return scope ? sql`(${scope} AND (${rule}))` : sql`(${rule})`
}

/**
 * SQL that is true where the actor sees a record that was deleted, by the line of its deletion: who could read it and
 * delete it, and nobody else. What was public once is not public in the bin.
 */
export function isSeenDeleted(view: View, collection: LinkedCollection, image: RowSource): Sql {
  const rule = view.writeRule(collection, "delete", collection.rules.delete)
  const deletable = view.compile(rule, image, { oneRow: true })
  return sql`(${isSeen(view, collection, image)} AND (${deletable}))`
}

/**
 * SQL that is true of an id under which a record ended that the actor may not bring back: to it, that id is another's as
 * much as that of a record which is there and hidden. Of what has left the log for the archive no rule can be asked.
 */
export function endedUnseen(view: View, collection: LinkedCollection, id: Sql): Sql {
  const image = imageSource(collection, lineAlias, null)
  const last = (table: string) =>
    sql`(SELECT max(l.version) FROM ${raw(table)} l WHERE l.subject = ${collection.name} AND l.record = ${id})`
  const ended = sql`EXISTS (SELECT 1 FROM changes c WHERE c.subject = ${collection.name} AND c.record = ${id} AND c.version = ${last("changes")} AND c.kind = 'deleted' AND (${isSeenDeleted(view, collection, image)}) IS NOT TRUE)`
  if (view.passes(collection)) return ended
  return sql`(${ended} OR ifnull(${last("archived_changes")} > ifnull(${last("changes")}, 0), 0))`
}

/** The columns of a line: who, when, and whether it is seen; the record itself where it is. */
export function lineColumns(
  view: View,
  collections: LinkedCollections,
  collection: LinkedCollection,
  seen: Sql,
  image: RowSource,
): Sql {
  return sql`${headColumns(view, collections)}, (${seen}) IS TRUE AS seen, c.payload, ${rightsOf(view, collection, image)} AS rights`
}

/** The same without what depends on the collection. */
export const headColumns = (view: View, collections: LinkedCollections): Sql =>
  sql`c.seq, c.record, c.version, c.kind, c.at, c.authority, c.requestId, c.actor, ${nameOf(view, collections, "actor")} AS actorName, c.impersonator, ${nameOf(view, collections, "impersonator")} AS impersonatorName`

function nameOf(view: View, collections: LinkedCollections, column: string): Sql {
  const members = collections.get("members") as LinkedCollection
  return sql`(SELECT m."name" FROM members m WHERE m."id" = ${raw(`c.${column}`)} AND ${visibility(view, members, "m", true)})`
}

/** The lines of one record, `row` beside them: the record as it is now, if it is. */
export const linesOf = (collection: LinkedCollection, lines: Sql, id: string): Sql =>
  sql`${lines} c LEFT JOIN ${raw(`"${collection.name}" ${nowAlias}`)} ON ${raw(`${nowAlias}."id"`)} = c.record WHERE c.subject = ${collection.name} AND c.record = ${id}`

/** The record as a line holds it, as rules see it. */
export const versionSource = (collection: LinkedCollection): RowSource =>
  imageSource(collection, lineAlias, nowAlias)

/** A row when the record exists: whether the actor sees it now, and which of its fields. */
export const nowQuery = (view: View, collection: LinkedCollection, id: string): Sql =>
  sql`SELECT ${raw(`${nowAlias}."version"`)} AS version, (${visibility(view, collection, nowAlias, true)}) IS TRUE AS seen, ${rightsOf(view, collection, tableSource(nowAlias))} AS rights FROM ${raw(`"${collection.name}" ${nowAlias}`)} WHERE ${raw(`${nowAlias}."id"`)} = ${id}`

/** The line with which the record ended, when it has: what it last was, and whether the actor sees that. */
export function deletionQuery(
  view: View,
  collections: LinkedCollections,
  collection: LinkedCollection,
  lines: Sql,
  id: string,
): Sql {
  const image = imageSource(collection, lineAlias, null)
  const seen = isSeenDeleted(view, collection, image)
  const columns = lineColumns(view, collections, collection, seen, image)
  const latest = sql`(SELECT max(l.version) FROM ${lines} l WHERE l.subject = ${collection.name} AND l.record = ${id})`
  return sql`SELECT ${columns} FROM ${lines} c WHERE c.subject = ${collection.name} AND c.record = ${id} AND c.version = ${latest} AND c.kind = 'deleted'`
}

/** A row of `lineColumns`. */
export function lineOf(row: Readonly<Record<string, unknown>>): Line {
  const seen = row.seen === 1
  return {
    ...headOf(row),
    seq: row.seq as number,
    record: row.record as string,
    seen,
    image: seen ? JSON.parse(row.payload as string) : {},
    rights: bitsOf(row.rights),
  }
}

export function headOf(row: Readonly<Record<string, unknown>>): VersionHead {
  const author = (id: unknown, name: unknown): Author | null =>
    typeof id === "string" ? { id, name: (name as string | undefined) ?? null } : null
  return {
    version: row.version as number,
    kind: row.kind as VersionHead["kind"],
    at: row.at as string,
    actor: author(row.actor, row.actorName),
    impersonator: author(row.impersonator, row.impersonatorName),
    authority: row.authority as VersionHead["authority"],
    requestId: row.requestId as string,
  }
}

/** The head of a line, without what is the server's own. */
export const headOfLine = (line: Line): VersionHead => ({
  version: line.version,
  kind: line.kind,
  at: line.at,
  actor: line.actor,
  impersonator: line.impersonator,
  authority: line.authority,
  requestId: line.requestId,
})

export const bitsOf = (rights: unknown): boolean[] =>
  (JSON.parse(rights as string) as number[]).map((bit) => bit === 1)

/** Fields with values of their own that the actor may read in all of these rows. Rollups belong to no version. */
export function readableFields(
  view: View,
  collection: LinkedCollection,
  ...rights: readonly (readonly boolean[])[]
): LinkedField[] {
  const ruled = ruledFields(view, collection)
  const hidden = new Set(ruled.filter((_, i) => rights.some((bits) => bits[i] !== true)))
  return [...collection.fields.values()].filter(
    (field) =>
      field.kind !== "backRelation" &&
      !field.rollup &&
      view.fieldRule(field) !== false &&
      !hidden.has(field),
  )
}

/** The record as a line holds it, in the form of the API. */
export function versionRecord(
  image: Readonly<Record<string, unknown>>,
  fields: readonly LinkedField[],
): ApiRecord {
  const record: ApiRecord = {}
  for (const name of systemFieldNames) record[name] = image[name] ?? null
  for (const field of fields) record[field.name] = imageValue(field, image)
  return record
}

export type Differences = Record<string, { from: unknown; to: unknown }>

/** What a version changed; `before` null: it made the record. */
export function differences(
  before: Readonly<Record<string, unknown>> | null,
  after: Readonly<Record<string, unknown>>,
  fields: readonly LinkedField[],
): Differences {
  const changes: Differences = {}
  for (const field of fields) {
    const from = before === null ? emptyOf(field) : imageValue(field, before)
    const to = imageValue(field, after)
    if (JSON.stringify(from) !== JSON.stringify(to)) changes[field.name] = { from, to }
  }
  return changes
}

const emptyOf = ({ kind }: LinkedField): unknown => (kind === "relations" ? [] : null)
