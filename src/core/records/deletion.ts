import { identifier, join, jsonObject, raw, type Sql, sql } from "../../platform/sql.ts"
import { type DeletionPlan, deletionPlan, type Pointer, takesAlong } from "./cascade-plan.ts"
import { joinTableOf } from "./columns.ts"
import { fileFieldsOf, heldAgain, releaseFiles } from "./file-records.ts"
import { guard, type Objection } from "./guard.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"
import { logStatement } from "./log-lines.ts"
import { ruleObjections, staleObjections } from "./objections.ts"
import type { DeleteOperation, WriteContext } from "./operations.ts"
import { current, literalText, manyFields } from "./rows.ts"
import { visibleRow } from "./selection.ts"
import { passes, type Sieve, unlessRefused } from "./sieve.ts"
import { tableSource, type View } from "./view.ts"

/*
 * The deletion of a record and of what goes with it, as SQL, in one batch. The rule of the record that is named decides; the
 * rest follows by the engine's authority, through tenants and whatever the actor sees of it, because no reference may lead
 * nowhere. Which records that are is worked out once, before anything changes, and kept in `cascades` for the statements
 * that follow: their number depends on the definitions alone. Foreign keys are the last defence and delete nothing: what
 * they took along would be missing from the log. No I/O.
 */

/** Most records that a deletion deletes or changes beside the one that is named. */
export const maxTakenAlong = 1_000

/** `index` is the operation's position, for the refusal. */
export function deleteStatements(
  writing: WriteContext,
  operation: DeleteOperation,
  index: number,
): Sql[] {
  const { view, sieve } = writing
  const { collection, expected } = operation
  const id = unlessRefused(sieve, operation.id)
  const plan = deletionPlan(collection)
  const alone = !takesAlong(plan)
  const rule = view.writeRule(collection, "delete", collection.rules.delete)
  const objections: Objection[] = [
    ...writing.first,
    { outcome: "not_found", condition: raw(`${current}."id" IS NULL`) },
    ...ruleObjections(view, rule, tableSource(current)),
    ...staleObjections(expected),
    ...(alone ? plan.restricting.map((pointer) => pointedAt(view, collection, pointer, id)) : []),
  ]
  const check = guard(raw(String(index)), objections, visibleRow(view, collection, id), sieve)
  return [
    ...(check ? [check] : []),
    ...(alone
      ? loneDeletion(writing, collection, id)
      : cascade(writing, collection, id, plan, index)),
  ]
}

// ---- where nothing can go along

/** A record that points at itself is no obstacle to its own end. */
function pointedAt(view: View, collection: LinkedCollection, pointer: Pointer, id: Sql): Objection {
  const { from, field } = pointer
  const key = field.kind === "relations" ? "source" : "id"
  const table = field.kind === "relations" ? joinTableOf(from.name, field.name) : from.name
  const itself = from === collection ? sql` AND x.${identifier(key)} <> ${id}` : raw("")
  return {
    outcome: "referenced",
    detail: spokenName(view, pointer, collection),
    condition: sql`EXISTS (SELECT 1 FROM ${identifier(table)} x WHERE x.${pointing(field)} = ${id}${itself})`,
  }
}

function loneDeletion(writing: WriteContext, collection: LinkedCollection, id: Sql): Sql[] {
  const { view, at } = writing
  const scope = view.scope(collection.shape, `"${collection.name}"`)
  const files = fileFieldsOf(collection)
  return [
    lineOf(writing, collection, id),
    ...releaseFiles(collection, files, sql`(${id})`, at),
    ...manyFields(collection).map(
      (field) =>
        sql`DELETE FROM ${identifier(joinTableOf(collection.name, field.name))} WHERE "source" = ${id}`,
    ),
    sql`DELETE FROM ${identifier(collection.name)} WHERE "id" = ${id}${scope ? sql` AND ${scope}` : raw("")}`,
    ...heldAgain(files, { releasedAt: at }),
  ]
}

/** The line of the record that is named, by the rule that let it be deleted. */
const lineOf = ({ app, view }: WriteContext, collection: LinkedCollection, id: Sql): Sql =>
  logStatement(
    app,
    view,
    collection,
    "deleted",
    [collection.rules.delete],
    sql`t."id" = ${id}`,
    false,
  )

// ---- where something can

function cascade(
  writing: WriteContext,
  collection: LinkedCollection,
  id: Sql,
  plan: DeletionPlan,
  index: number,
): Sql[] {
  const { app, view, at, sieve } = writing
  const releasing = groupedByOrigin(plan.releasing)
  const refusal = guard(
    raw(String(index)),
    [
      {
        outcome: "too_many",
        detail: String(maxTakenAlong),
        condition: sql`(SELECT count(*) FROM cascades) > ${raw(String(maxTakenAlong + 1))}`,
      },
      ...plan.restricting.map((pointer) => stayingPointer(view, collection, pointer)),
    ],
    raw("(SELECT 1)"),
    sieve,
  )
  const alsoDeleted = (of: LinkedCollection) =>
    of === collection
      ? sql`t."id" IN ${chosen(of, "deleted")} AND t."id" <> ${id}`
      : sql`t."id" IN ${chosen(of, "deleted")}`
  return [
    reachOf(collection, id, plan, sieve),
    ...plan.releasing.map(releasedBy),
    ...(refusal ? [refusal] : []),
    ...(sieve ? [sql`DELETE FROM cascades WHERE NOT (${passes(sieve)})`] : []),
    // Records may point at one another in circles: references are checked when the batch is complete.
    raw("PRAGMA defer_foreign_keys = ON"),
    lineOf(writing, collection, id),
    ...plan.deleted
      .filter((of) => of !== collection || plan.cascading.some(({ from }) => from === of))
      .map((of) => logStatement(app, view, of, "deleted", "system", alsoDeleted(of), false)),
    ...plan.deleted.flatMap((of) => releaseFiles(of, fileFieldsOf(of), chosen(of, "deleted"), at)),
    ...plan.deleted.flatMap(removeChosen),
    ...heldAgain(plan.deleted.flatMap(fileFieldsOf), { releasedAt: at }),
    ...[...releasing].flatMap(([from, pointers]) => release(writing, from, pointers)),
    raw("DELETE FROM cascades"),
  ]
}

type Fate = "deleted" | "released"

/** The ids of a collection's records with that fate, for `IN`. */
const chosen = (of: LinkedCollection, fate: Fate): Sql =>
  raw(`(SELECT record FROM cascades WHERE subject = '${of.name}' AND fate = '${fate}')`)

/** The column that holds the id of the record pointed at. */
const pointing = (field: LinkedField): Sql =>
  identifier(field.kind === "relations" ? "target" : field.name)

/** One more than is allowed, so that too many can be told from just enough, and no more is read. */
const enough = raw(String(maxTakenAlong + 2))

/**
 * The record and all that goes with it, to any depth. Each record is asked once who points at it, by an index; a CASE on its
 * collection stands for the many SELECTs of which D1 allows but five.
 */
function reachOf(
  collection: LinkedCollection,
  id: Sql,
  { cascading }: DeletionPlan,
  sieve: Sieve | null,
): Sql {
  const cases = [...Map.groupBy(cascading, ({ to }) => to)].map(([to, pointers]) => {
    const followers = [...groupedByOrigin(pointers)].map(([from, fields]) => {
      const points = join(
        fields.map(({ field }) => sql`x.${identifier(field.name)} = g.record`),
        " OR ",
      )
      const found = sql`SELECT x."id" FROM ${identifier(from.name)} x WHERE ${points} LIMIT ${enough}`
      return [from.name, sql`json((SELECT json_group_array("id") FROM (${found})))`] as const
    })
    return sql`WHEN ${literalText(to.name)} THEN ${jsonObject(followers)}`
  })
  const start = sql`SELECT ${literalText(collection.name)}, ${id}${sieve ? sql` WHERE ${passes(sieve)}` : raw("")}`
  const step =
    cases.length === 0
      ? raw("")
      : sql` UNION SELECT e.key, f.value FROM gone g, json_each(CASE g.subject ${join(cases, " ")} END) e, json_each(e.value) f LIMIT ${enough}`
  return sql`INSERT INTO cascades (subject, record, fate) WITH RECURSIVE gone (subject, record) AS (${start}${step}) SELECT subject, record, 'deleted' FROM gone`
}

/**
 * Marks the records that stay and lose a reference. Those that are marked already, and a list that loses several, count once:
 * what the limit cut off would lose its reference without a line in the log.
 */
function releasedBy({ from, field, to }: Pointer): Sql {
  const many = field.kind === "relations"
  const table = identifier(many ? joinTableOf(from.name, field.name) : from.name)
  const key = raw(many ? 'x."source"' : 'x."id"')
  const marked = sql`(SELECT record FROM cascades WHERE subject = ${literalText(from.name)})`
  return sql`INSERT INTO cascades (subject, record, fate) SELECT DISTINCT ${literalText(from.name)}, ${key}, 'released' FROM cascades d CROSS JOIN ${table} x ON x.${pointing(field)} = d.record WHERE d.subject = ${literalText(to.name)} AND d.fate = 'deleted' AND ${key} NOT IN ${marked} LIMIT ${enough}`
}

/** True while a record that stays points at one that goes. */
function stayingPointer(view: View, root: LinkedCollection, pointer: Pointer): Objection {
  const { from, field, to } = pointer
  const many = field.kind === "relations"
  const table = identifier(many ? joinTableOf(from.name, field.name) : from.name)
  const key = raw(many ? 'x."source"' : 'x."id"')
  return {
    outcome: "referenced",
    detail: spokenName(view, pointer, root),
    condition: sql`EXISTS (SELECT 1 FROM cascades d CROSS JOIN ${table} x ON x.${pointing(field)} = d.record WHERE d.subject = ${literalText(to.name)} AND d.fate = 'deleted' AND ${key} NOT IN ${chosen(from, "deleted")})`,
  }
}

/**
 * The collection that stands in the way, by name only to those who may read all of it, and all between it and the record
 * that is to be deleted: to others an obstacle must not tell what is hidden.
 */
function spokenName(view: View, { from, field, to }: Pointer, root: LinkedCollection): string {
  // What points at a shared record may belong to another organisation.
  const open = (of: LinkedCollection) => view.readRule(of) === true && (!of.scoped || root.scoped)
  const told = open(from) && view.fieldRule(field) === true && (to === root || open(to))
  return told ? from.name : ""
}

function removeChosen(of: LinkedCollection): Sql[] {
  return [
    ...manyFields(of).map(
      (field) =>
        sql`DELETE FROM ${identifier(joinTableOf(of.name, field.name))} WHERE "source" IN ${chosen(of, "deleted")}`,
    ),
    sql`DELETE FROM ${identifier(of.name)} WHERE "id" IN ${chosen(of, "deleted")}`,
  ]
}

/** Empties what leads to the deleted: one version and one line for each record, however many of its references go. */
function release(
  { app, view, at }: WriteContext,
  from: LinkedCollection,
  pointers: readonly Pointer[],
): Sql[] {
  const { actor } = view
  const released = chosen(from, "released")
  const assignments = pointers
    .filter(({ field }) => field.kind === "relation")
    .map(({ field, to }) => {
      const column = identifier(field.name)
      return sql`${column} = CASE WHEN ${column} IN ${chosen(to, "deleted")} THEN NULL ELSE ${column} END`
    })
  const system = sql`"version" = "version" + 1, "updatedAt" = ${at}, "updatedBy" = ${actor.kind === "user" ? actor.id : null}`
  return [
    ...pointers
      .filter(({ field }) => field.kind === "relations")
      .map(
        ({ field, to }) =>
          sql`DELETE FROM ${identifier(joinTableOf(from.name, field.name))} WHERE "target" IN ${chosen(to, "deleted")}`,
      ),
    sql`UPDATE ${identifier(from.name)} SET ${join([...assignments, system])} WHERE "id" IN ${released}`,
    logStatement(app, view, from, "updated", "system", sql`t."id" IN ${released}`, false),
  ]
}

const groupedByOrigin = (pointers: readonly Pointer[]) => Map.groupBy(pointers, ({ from }) => from)
