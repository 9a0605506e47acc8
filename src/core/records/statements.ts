import type { App } from "../../platform/app.ts"
import { identifier, join, raw, type Sql, sql } from "../../platform/sql.ts"
import { joinTableOf } from "./columns.ts"
import { createStatements } from "./create-statements.ts"
import { deleteStatements } from "./deletion.ts"
import { fileFieldsOf, fileIdsOf, heldAgain, releaseFiles } from "./file-records.ts"
import { guard, type Objection } from "./guard.ts"
import type { LinkedCollection } from "./link.ts"
import { logStatement, writableRules } from "./log-lines.ts"
import {
  afterObjections,
  referenceObjections,
  ruleObjections,
  staleObjections,
  takenObjections,
  writableObjections,
} from "./objections.ts"
import type {
  Operation,
  PutOperation,
  StoredFields,
  UpdateOperation,
  WriteContext,
} from "./operations.ts"
import { assigned, changedRowSource, current } from "./rows.ts"
import { orderedIds, visibility, visibleRow } from "./selection.ts"
import { type Sieve, unlessRefused } from "./sieve.ts"
import { organisationOf, tableSource, type View } from "./view.ts"

/*
 * The one write path, as SQL: each operation becomes a guard, the write, and its line in the change log, to be run in one
 * batch with all the others. No I/O. The guard decides on the record as it is and as it will be, before anything is
 * written, so that a refusal by rule always comes before a refusal by a constraint.
 */

/** The statements of one operation; `index` is its position, for the refusal. */
export function statementsOf(
  app: App,
  view: View,
  operation: Operation,
  index: number,
  first: readonly Objection[] = [],
  sieve: Sieve | null = null,
): Sql[] {
  const writing: WriteContext = { app, view, at: new Date(app.now()).toISOString(), first, sieve }
  switch (operation.action) {
    case "create":
      return createStatements(writing, operation, index, "taken")
    case "update":
      return updateStatements(writing, operation, index)
    case "put":
      return putStatements(writing, operation, index)
    case "delete":
      return deleteStatements(writing, operation, index)
  }
}

// ---- update

function updateStatements(writing: WriteContext, operation: UpdateOperation, index: number): Sql[] {
  const { collection, changes, given, expected, restored = false } = operation
  const { view, sieve } = writing
  const id = unlessRefused(sieve, operation.id)
  const before = tableSource(current)
  const after = changedRowSource(collection, changes)
  const rules = collection.rules.update
  const changed = new Set([...Object.keys(changes.columns), ...Object.keys(changes.many)])
  const objections: Objection[] = [
    ...writing.first,
    { outcome: "not_found", condition: raw(`${current}."id" IS NULL`) },
    ...ruleObjections(
      view,
      view.writeRule(collection, "update", rules?.before ?? null),
      before,
      after,
    ),
    ...afterObjections(
      view,
      view.writeRule(collection, "update", rules?.after ?? null),
      before,
      after,
    ),
    ...writableObjections(view, collection, given, before, after),
    ...staleObjections(expected),
    ...referenceObjections(view, collection, changed, after, { stored: true, restored }),
    ...takenObjections(collection, organisationOf(view.actor), after, changed),
  ]
  const check = guard(raw(String(index)), objections, visibleRow(view, collection, id), sieve)
  return [...(check ? [check] : []), ...replaceStatements(writing, collection, id, changes, given)]
}

/**
 * Whether the actor may change the record at all: `allowed` 1 or 0, and no row where it does not see it. For hooks, which
 * must not speak of a record to those who may not touch it; the guard asks again.
 */
export function permissionQuery(
  view: View,
  collection: LinkedCollection,
  id: string,
  action: "update" | "delete",
  changes: StoredFields,
): Sql {
  const { update, delete: remove } = collection.rules
  const rule = action === "delete" ? remove : (update?.before ?? null)
  const next = changedRowSource(collection, changes)
  const allowed = view.compile(view.writeRule(collection, action, rule), tableSource(current), {
    next,
    oneRow: true,
  })
  return sql`SELECT (${allowed}) IS TRUE AS allowed FROM ${identifier(collection.name)} ${raw(current)} WHERE ${raw(`${current}."id"`)} = ${id} AND ${visibility(view, collection, current, true)}`
}

/** The update itself, its links and its line in the log. A change that changes nothing writes nothing. */
function replaceStatements(
  writing: WriteContext,
  collection: LinkedCollection,
  id: Sql,
  changes: StoredFields,
  given: ReadonlySet<string>,
): Sql[] {
  const { app, view, at } = writing
  const rules = collection.rules.update
  const table = identifier(collection.name)
  const columns = Object.entries(changes.columns)
  const many = Object.entries(changes.many)
  if (columns.length === 0 && many.length === 0) return []
  const actorId = view.actor.kind === "user" ? view.actor.id : null
  const differences = [
    ...[...given].flatMap((name) => unreadable(view, collection, name)),
    ...columns.map(
      ([name, value]) => sql`${identifier(name)} IS NOT ${assigned(value, identifier(name))}`,
    ),
    ...many.map(
      ([name, ids]) =>
        sql`${orderedIds(collection, name, sql`${table}."id"`)} IS NOT ${JSON.stringify(ids)}`,
    ),
  ]
  const assignments = [
    ...columns.map(
      ([name, value]) => sql`${identifier(name)} = ${assigned(value, identifier(name))}`,
    ),
    raw('"version" = "version" + 1'),
    sql`"updatedAt" = ${at}`,
    sql`"updatedBy" = ${actorId}`,
  ]
  const scope = view.scope(collection.shape, `"${collection.name}"`)
  const update = sql`UPDATE ${table} SET ${join(assignments)} WHERE "id" = ${id}${scope ? sql` AND ${scope}` : raw("")} AND (${join(differences, " OR ")})`
  const links = many.flatMap(([name, ids]) => {
    const joinTable = identifier(joinTableOf(collection.name, name))
    const wanted = JSON.stringify(ids)
    // A PUT comes by here also when the record is yet to be created: then it has nothing to be linked to.
    return [
      sql`DELETE FROM ${joinTable} WHERE "source" = ${id} AND "target" NOT IN (SELECT value FROM json_each(${wanted}))`,
      sql`INSERT INTO ${joinTable} ("source", "target", "position") SELECT ${id}, value, key FROM json_each(${wanted}) WHERE EXISTS (SELECT 1 FROM ${table} WHERE "id" = ${id}) ON CONFLICT ("source", "target") DO UPDATE SET "position" = excluded."position" WHERE "position" IS NOT excluded."position"`,
    ]
  })
  const log = logStatement(
    app,
    view,
    collection,
    "updated",
    [rules?.before ?? null, rules?.after ?? null, ...writableRules(collection, given)],
    sql`t."id" = ${id}`,
    true,
  )
  const files = fileFieldsOf(collection).filter(
    ({ name }) => name in changes.columns || name in changes.many,
  )
  return [
    ...releaseFiles(collection, files, sql`(${id})`, at),
    update,
    ...links,
    ...heldAgain(files, { releasedAt: at }),
    ...heldAgain(files, { ids: fileIdsOf(files, changes) }),
    log,
  ]
}

/** A field that the actor may not read in this row counts as different, or the version would confirm a guess. */
function unreadable(view: View, collection: LinkedCollection, name: string): Sql[] {
  const field = collection.fields.get(name)
  const readable = field ? view.fieldRule(field) : true
  if (readable === true) return []
  const row = tableSource(`"${collection.name}"`)
  return [sql`(${view.compile(readable, row, { oneRow: true })}) IS NOT TRUE`]
}

// ---- put

function putStatements(writing: WriteContext, operation: PutOperation, index: number): Sql[] {
  const { collection, record, replacement, expected, only } = operation
  const { view, sieve } = writing
  const id = unlessRefused(sieve, record.id)
  const create = { collection, records: [record], chosenIds: true }
  if (only === "create") return createStatements(writing, create, index, "stale")
  const table = identifier(collection.name)
  const taken = sql`EXISTS (SELECT 1 FROM ${table} x WHERE x."id" = ${id})`
  // To replace what the actor does not see is to replace nothing: hidden and absent are one to it.
  const seen = sql`EXISTS (SELECT 1 FROM ${table} x WHERE x."id" = ${id} AND ${visibility(view, collection, "x", true)})`
  const precondition =
    only === null
      ? null
      : guard(
          raw(String(index)),
          [{ outcome: "stale", condition: sql`NOT ${seen}` }],
          raw("(SELECT 1)"),
          sieve,
        )
  const before = tableSource(current)
  const after = changedRowSource(collection, replacement)
  const rules = collection.rules.update
  const changed = new Set([...Object.keys(replacement.columns), ...Object.keys(replacement.many)])
  const speaksAgainst: Objection[] = [
    { outcome: "not_found", condition: raw(`${current}."id" IS NULL`) },
    ...ruleObjections(
      view,
      view.writeRule(collection, "update", rules?.before ?? null),
      before,
      after,
    ),
    ...afterObjections(
      view,
      view.writeRule(collection, "update", rules?.after ?? null),
      before,
      after,
    ),
    ...writableObjections(view, collection, record.given, before, after),
    ...staleObjections(expected),
    ...referenceObjections(view, collection, changed, after, { stored: true }),
    ...takenObjections(collection, organisationOf(view.actor), after, changed),
  ]
  const objections = speaksAgainst.map((it) => ({
    ...it,
    condition: sql`(${taken} AND ${it.condition})`,
  }))
  const first = guard(raw(String(index)), writing.first, raw("(SELECT 1)"), sieve)
  const check = guard(raw(String(index)), objections, visibleRow(view, collection, id), sieve)
  return [
    ...(first ? [first] : []),
    ...(precondition ? [precondition] : []),
    ...(check ? [check] : []),
    // First the replacement, which finds nothing where there is no record; then the creation, which skips what exists.
    ...replaceStatements(writing, collection, id, replacement, record.given),
    ...createStatements(writing, create, index, "skip"),
  ]
}
