import type { App } from "../../platform/app.ts"
import { identifier, join, raw, type Sql, sql } from "../../platform/sql.ts"
import type { RowSource } from "../expression/types.ts"
import { joinTableOf } from "./columns.ts"
import { fileFieldsOf, fileIdsOf, heldAgain } from "./file-records.ts"
import { guard, type Objection, refusals } from "./guard.ts"
import type { LinkedCollection } from "./link.ts"
import { logStatement, writableRules } from "./log-lines.ts"
import {
  referenceObjections,
  revivalObjections,
  ruleObjections,
  takenObjections,
  unscopedObjection,
  writableObjections,
} from "./objections.ts"
import type { CreateOperation, NewRecord, WriteContext } from "./operations.ts"
import { manyFields } from "./rows.ts"
import { andPasses, passes, unlessRefused } from "./sieve.ts"
import { endedUnseen } from "./versions.ts"
import { organisationOf, type View } from "./view.ts"

/* How records come to be, as SQL: one statement for one row or a thousand. No I/O. */

type Creates = Omit<CreateOperation, "action">
type IfExists = "taken" | "stale" | "skip"

/** Columns that a create gives values to, in the order in which they travel. */
const givenColumns = (collection: LinkedCollection): string[] =>
  [...collection.fields.values()]
    .filter((field) => !["relations", "backRelation", "rollup"].includes(field.kind))
    .map((field) => field.name)

/**
 * The new rows, and what speaks against each. They travel as one JSON parameter, which keeps integers integers and has no
 * limit on their number.
 */
function judged(
  writing: WriteContext,
  { collection, records, chosenIds = false }: Creates,
  ifExists: IfExists,
): { fresh: Sql; exists: Sql; objections: Objection[] } {
  const { view } = writing
  const columns = givenColumns(collection)
  const many = manyFields(collection)
  const rows = JSON.stringify(
    records.map((record) => [
      record.id,
      ...columns.map((name) => record.columns[name] ?? null),
      ...many.map(({ name }) => record.many[name] ?? []),
    ]),
  )
  const at0 = (n: number) => raw(`json_extract(value, '$[${n}]')`)
  const fresh = sql`(SELECT key AS "#", ${join([
    sql`${at0(0)} AS "id"`,
    ...columns.map((name, i) => sql`${at0(i + 1)} AS ${identifier(name)}`),
    ...many.map(({ name }, i) => sql`${at0(columns.length + 1 + i)} AS ${identifier(name)}`),
  ])} FROM json_each(${rows})${writing.sieve ? sql` WHERE ${passes(writing.sieve)}` : raw("")}) AS n`
  const exists = sql`EXISTS (SELECT 1 FROM ${identifier(collection.name)} x WHERE x."id" = n."id")`
  const revival = records[0]?.revival
  const source = newRowSource(collection, writtenBy(writing, revival))
  const organisation = organisationOf(view.actor)
  // What was another's stays so when it is gone: a stranger under its id would be taken for it, and bar its return.
  const ended = chosenIds && !revival ? endedUnseen(view, collection, raw('n."id"')) : raw("0")
  const occupied = (outcome: "taken" | "stale"): Objection[] =>
    ifExists === outcome ? [{ outcome, condition: sql`(${exists} OR ${ended})`, detail: "id" }] : []

  const speaksAgainst: Objection[] = [
    ...(ifExists === "skip" ? [{ outcome: "not_found", condition: ended } as const] : []),
    ...ruleObjections(view, view.writeRule(collection, "create", collection.rules.create), source),
    ...unscopedObjection(collection, organisation),
    ...writableObjections(
      view,
      collection,
      givenBy(records),
      source,
      source,
      revival !== undefined,
    ),
    ...occupied("stale"),
    ...(revival ? revivalObjections(collection, revival, source) : []),
    ...referenceObjections(
      view,
      collection,
      revival?.given ?? pointingFields(collection, givenBy(records)),
      source,
      { restored: revival !== undefined },
    ),
    ...occupied("taken"),
    ...takenObjections(collection, organisation, source, null),
  ]
  const objections =
    ifExists === "skip"
      ? speaksAgainst.map((it) => ({ ...it, condition: sql`(NOT ${exists} AND ${it.condition})` }))
      : [...writing.first, ...speaksAgainst]
  return { fresh, exists, objections }
}

/** When and by whom, as it will be stored. A record that comes back is none of several: it comes alone. */
function writtenBy({ view, at }: WriteContext, revival: NewRecord["revival"]) {
  const actorId = view.actor.kind === "user" ? view.actor.id : null
  return {
    createdAt: revival?.createdAt ?? at,
    createdBy: revival ? revival.createdBy : actorId,
    updatedAt: at,
    updatedBy: actorId,
  }
}

/** All rows that would be refused, as `refused|position|outcome|detail|` in the column `refusal`; null where none can be. */
export function refusedCreates(
  app: App,
  view: View,
  operation: CreateOperation,
  first: readonly Objection[],
): Sql | null {
  const writing = { app, view, at: new Date(app.now()).toISOString(), first, sieve: null }
  const { fresh, objections } = judged(writing, operation, "taken")
  return refusals(raw('n."#"'), objections, fresh)
}

/**
 * An id that exists is refused as `taken`, or as `stale` where its absence is the caller's condition; `skip` passes it
 * over: the creating half of a PUT.
 */
export function createStatements(
  writing: WriteContext,
  creates: Creates,
  index: number,
  ifExists: IfExists,
): Sql[] {
  const { app, view, sieve } = writing
  const { collection, records, chosenIds = false } = creates
  const absentOnly = ifExists === "skip"
  const columns = givenColumns(collection)
  const many = manyFields(collection)
  const by = writtenBy(writing, records[0]?.revival)
  const organisation = organisationOf(view.actor)
  const { fresh, exists, objections } = judged(writing, creates, ifExists)
  const check = guard(sql`(${raw(String(index))} + n."#")`, objections, fresh, sieve)

  const system = [
    "id",
    ...(collection.scoped ? ["organisation"] : []),
    "version",
    "createdAt",
    "updatedAt",
    "createdBy",
    "updatedBy",
  ]
  // A record that is made anew under an old id goes on counting, so that no version (and no ETag) means two things.
  const version = chosenIds
    ? sql`1 + max(ifnull((SELECT max(c.version) FROM changes c WHERE c.subject = ${collection.name} AND c.record = n."id"), 0), ifnull((SELECT max(a.version) FROM archived_changes a WHERE a.subject = ${collection.name} AND a.record = n."id"), 0))`
    : raw("1")
  const values = [
    raw('n."id"'),
    ...(collection.scoped ? [sql`${organisation}`] : []),
    version,
    sql`${by.createdAt}`,
    sql`${by.updatedAt}`,
    sql`${by.createdBy}`,
    sql`${by.updatedBy}`,
    ...columns.map((name) => raw(`n."${name}"`)),
  ]
  const insert = sql`INSERT INTO ${identifier(collection.name)} (${join([...system, ...columns].map(identifier))}) SELECT ${join(values)} FROM ${fresh} WHERE ${absentOnly ? sql`NOT ${exists}` : raw("1")} ORDER BY n."#"`

  const [only] = records
  const written =
    only && records.length === 1
      ? sql`t."id" = ${unlessRefused(sieve, only.id)}`
      : sql`t."id" IN (SELECT value FROM json_each(${JSON.stringify(records.map(({ id }) => id))}))`
  const links = many.flatMap((field) => {
    const pairs = records.flatMap((record) =>
      (record.many[field.name] ?? []).map((target, position) => [record.id, target, position]),
    )
    if (pairs.length === 0) return []
    return [
      sql`INSERT INTO ${identifier(joinTableOf(collection.name, field.name))} ("source", "target", "position") SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(${JSON.stringify(pairs)}) WHERE ${absentOnly ? unlogged(collection, sql`json_extract(value, '$[0]')`) : raw("1")}${andPasses(sieve)}`,
    ]
  })
  const log = logStatement(
    app,
    view,
    collection,
    "created",
    [collection.rules.create, ...writableRules(collection, givenBy(records))],
    written,
    absentOnly,
  )
  const files = fileFieldsOf(collection)
  const held = heldAgain(files, { ids: records.flatMap((record) => fileIdsOf(files, record)) })
  return [...(check ? [check] : []), insert, ...links, ...held, log]
}

/** Fields that could point astray. Whoever a default names as `@me.id` exists: the guard has asked for the token's epoch. */
const pointingFields = (collection: LinkedCollection, given: ReadonlySet<string>) =>
  new Set(
    [...collection.fields.values()]
      .filter(({ name, target, options }) => {
        const fallback = options.default as { expression?: unknown } | undefined
        return given.has(name) || !(target?.builtIn && fallback?.expression === "@me.id")
      })
      .map(({ name }) => name),
  )

/** True for a record whose present version has no line in the log: one that this batch has just written. */
const unlogged = (collection: LinkedCollection, id: Sql): Sql =>
  sql`NOT EXISTS (SELECT 1 FROM changes c JOIN ${identifier(collection.name)} v ON v."id" = c.record AND v."version" = c.version WHERE c.subject = ${collection.name} AND c.record = ${id})`

const givenBy = (records: readonly NewRecord[]): ReadonlySet<string> =>
  records.length === 1
    ? (records[0] as NewRecord).given
    : new Set(records.flatMap((record) => [...record.given]))

/** The row that a create is about to write, for rules: `n` is the alias of the new rows. */
function newRowSource(
  collection: LinkedCollection,
  written: Readonly<Record<string, string | null>>,
): RowSource {
  return {
    column(name) {
      if (name === "version") return raw("1")
      if (name in written) return sql`${written[name] ?? null}`
      if (collection.fields.get(name)?.rollup) {
        return raw(collection.fields.get(name)?.rollup?.measure === "avg" ? "NULL" : "0")
      }
      return raw(`n."${name}"`)
    },
    ids: (field) =>
      collection.fields.get(field)?.kind === "relations" ? raw(`n."${field}"`) : null,
  }
}
