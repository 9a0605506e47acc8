import { allOf, identifier, raw, type Sql, sql } from "../../platform/sql.ts"
import { aboutNew } from "../expression/about-new.ts"
import type { Checked } from "../expression/checked.ts"
import type { RowSource } from "../expression/types.ts"
import { joinTableOf } from "./columns.ts"
import { fileObjections, isFileField } from "./file-records.ts"
import type { Objection } from "./guard.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"
import type { ExpectedVersions, Revival } from "./operations.ts"
import { current } from "./rows.ts"
import { orderedIds, visibility } from "./selection.ts"
import { encodeValue } from "./values.ts"
import type { View } from "./view.ts"

/* What speaks against a write: each function answers conditions that refuse it when they are true. No I/O. */

/** The rule must hold of the row as it is (or, for a create, as it will be). */
export function ruleObjections(
  view: View,
  rule: Checked | boolean,
  row: RowSource,
  next: RowSource = row,
): Objection[] {
  if (rule === true) return []
  const holds = view.compile(rule, row, { next, oneRow: true })
  return [
    { outcome: "forbidden", condition: rule === false ? raw("1") : sql`(${holds}) IS NOT TRUE` },
  ]
}

/** The rule must hold of the row as it will be; only `@changed` still looks at the row as it was. */
export const afterObjections = (
  view: View,
  rule: Checked | boolean,
  before: RowSource,
  after: RowSource,
): Objection[] =>
  ruleObjections(view, typeof rule === "boolean" ? rule : aboutNew(rule), before, after)

export const unscopedObjection = (
  collection: LinkedCollection,
  organisation: string | null,
): Objection[] =>
  collection.scoped && organisation === null ? [{ outcome: "forbidden", condition: raw("1") }] : []

/**
 * A field that is given but left as it is breaks no rule: clients send whole records. Of a revival only what differs is
 * given at all.
 */
export function writableObjections(
  view: View,
  collection: LinkedCollection,
  given: ReadonlySet<string>,
  before: RowSource,
  after: RowSource,
  revival = false,
): Objection[] {
  if (view.passes(collection)) return []
  return [...collection.fields.values()].flatMap((field): Objection[] => {
    if (!field.writable || !given.has(field.name)) return []
    const rule = view.writableRule(collection, field.writable)
    if (rule === true) return []
    const allowed = view.compile(rule, before, { next: after, oneRow: true })
    const changed = revival
      ? raw("1")
      : before === after
        ? unlikeDefault(field, after)
        : seemsChanged(view, collection, field, before, after)
    return [
      {
        outcome: "forbidden",
        detail: field.name,
        condition: sql`(${changed} AND (${allowed}) IS NOT TRUE)`,
      },
    ]
  })
}

/** A create that gives a field what it would have had anyway writes nothing that is forbidden. */
function unlikeDefault(field: LinkedField, row: RowSource): Sql {
  if (field.kind === "relations") return raw("1")
  const { default: fallback } = field.options
  const computed = typeof fallback === "object" && fallback !== null && "expression" in fallback
  if (computed) return raw("1")
  return sql`${row.column(field.name)} IS NOT ${encodeValue(field, fallback)}`
}

/** What the actor may not read counts as changed: a refusal must not tell whether its guess was right. */
function seemsChanged(
  view: View,
  collection: LinkedCollection,
  field: LinkedField,
  before: RowSource,
  after: RowSource,
): Sql {
  const changed = changedValue(collection, field, before, after)
  const readable = view.fieldRule(field)
  if (readable === true) return changed
  return sql`(${changed} OR (${view.compile(readable, before, { oneRow: true })}) IS NOT TRUE)`
}

function changedValue(
  collection: LinkedCollection,
  field: LinkedField,
  before: RowSource,
  after: RowSource,
): Sql {
  if (field.kind !== "relations")
    return sql`${before.column(field.name)} IS NOT ${after.column(field.name)}`
  const ids = after.ids?.(field.name)
  return ids
    ? sql`${orderedIds(collection, field.name, raw(`${current}."id"`))} IS NOT ${ids}`
    : raw("0")
}

export const staleObjections = (expected: ExpectedVersions): Objection[] =>
  expected === null
    ? []
    : [
        {
          outcome: "stale",
          condition: sql`${raw(`${current}."version"`)} NOT IN (SELECT value FROM json_each(${JSON.stringify(expected)}))`,
        },
      ]

/**
 * A relation may point only at what the actor may read: to it, the rest does not exist. A file must be the actor's own, unless
 * the record holds it already.
 *
 * @param stored whether `current` is the record as it is
 * @param restored whether the values are what the record once held
 */
export function referenceObjections(
  view: View,
  collection: LinkedCollection,
  given: ReadonlySet<string>,
  source: RowSource,
  { stored = false, restored = false }: { stored?: boolean; restored?: boolean } = {},
): Objection[] {
  return [...collection.fields.values()].flatMap((field): Objection[] => {
    if (!field.target || !given.has(field.name)) return []
    if (isFileField(field)) {
      const wanted = source.ids?.(field.name) ?? source.column(field.name)
      const held = stored ? heldBy(collection, field) : null
      return fileObjections(field, {
        given: wanted,
        held,
        actor: restored ? "restoration" : view.actor,
      })
    }
    const target = field.target
    const found = (id: Sql) =>
      sql`EXISTS (SELECT 1 FROM ${identifier(target.name)} r WHERE r."id" = ${id} AND ${visibility(view, target, "r", true)})`
    if (field.kind === "relation") {
      const id = source.column(field.name)
      return [
        {
          outcome: "invalid_reference",
          detail: field.name,
          condition: sql`(${id} IS NOT NULL AND NOT ${found(id)})`,
        },
      ]
    }
    const ids = field.kind === "relations" ? source.ids?.(field.name) : null
    if (!ids) return []
    return [
      {
        outcome: "invalid_reference",
        detail: field.name,
        condition: sql`EXISTS (SELECT 1 FROM json_each(${ids}) e WHERE NOT ${found(raw("e.value"))})`,
      },
    ]
  })
}

/** What `current` holds in a field of files: an id, or those of several. */
const heldBy = ({ name: collection }: LinkedCollection, { name, kind }: LinkedField): Sql =>
  kind === "relations"
    ? sql`(SELECT j."target" FROM ${identifier(joinTableOf(collection, name))} j WHERE j."source" = ${raw(`${current}."id"`)})`
    : raw(`${current}."${name}"`)

/**
 * A record comes back only as long as nothing came after its end, and what it points at must still be there: whether the
 * actor may read that was asked when it was given.
 */
export function revivalObjections(
  collection: LinkedCollection,
  { deletion, given, named }: Revival,
  source: RowSource,
): Objection[] {
  const later = sql`EXISTS (SELECT 1 FROM changes c WHERE c.subject = ${collection.name} AND c.record = ${source.column("id")} AND c.version > ${deletion})`
  const gone = [...collection.fields.values()].flatMap((field): Objection[] => {
    const { name, kind, target } = field
    if (!target || kind === "backRelation" || given.has(name)) return []
    const there = raw(isFileField(field) ? " AND r.state = 'stored'" : "")
    const lost = (id: Sql) =>
      sql`NOT EXISTS (SELECT 1 FROM ${identifier(target.name)} r WHERE r."id" = ${id}${there})`
    const ids = kind === "relations" ? source.ids?.(name) : null
    const condition = ids
      ? sql`EXISTS (SELECT 1 FROM json_each(${ids}) e WHERE ${lost(raw("e.value"))})`
      : sql`(${source.column(name)} IS NOT NULL AND ${lost(source.column(name))})`
    return [{ outcome: "invalid_reference", detail: named.has(name) ? name : "", condition }]
  })
  return [{ outcome: "stale", condition: later }, ...gone]
}

/** `given` null: all unique rules; otherwise those that a given field takes part in. */
export function takenObjections(
  collection: LinkedCollection,
  organisation: string | null,
  source: RowSource,
  given: ReadonlySet<string> | null,
): Objection[] {
  return collection.uniques
    .filter((fields) => given === null || fields.some((field) => given.has(field)))
    .map(
      (fields): Objection => ({
        outcome: "taken",
        detail: fields.join(","),
        condition: sql`EXISTS (SELECT 1 FROM ${identifier(collection.name)} x WHERE ${allOf([
          ...(collection.scoped ? [sql`x."organisation" = ${organisation}`] : []),
          ...fields.map((field) => sql`x.${identifier(field)} = ${source.column(field)}`),
          sql`x."id" <> ${source.column("id")}`,
        ])})`,
      }),
    )
}
