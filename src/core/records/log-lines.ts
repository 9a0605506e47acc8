import type { App } from "../../platform/app.ts"
import { identifier, jsonObject, raw, type Sql, sql } from "../../platform/sql.ts"
import { type Authority, appendChanges, type ChangeKind } from "../changes/append.ts"
import type { Checked } from "../expression/checked.ts"
import { columnsOf } from "./columns.ts"
import type { LinkedCollection } from "./link.ts"
import { manyFields } from "./rows.ts"
import { orderedIds } from "./selection.ts"
import type { View } from "./view.ts"

/* The line that a write leaves in the change log: who, by what right, and the record as stored. No I/O. */

/** A line for each row that `where` (about `t`) finds; `rules` have let it be written, or the engine did of itself; with `freshOnly`, for those whose version has none yet. */
export function logStatement(
  app: App,
  view: View,
  collection: LinkedCollection,
  kind: ChangeKind,
  rules: readonly (Checked | null)[] | "system",
  where: Sql,
  freshOnly: boolean,
): Sql {
  const version = kind === "deleted" ? raw('t."version" + 1') : raw('t."version"')
  const fresh = freshOnly
    ? sql` AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.subject = ${collection.name} AND c.record = t."id" AND c.version = t."version")`
    : raw("")
  const organisation = raw(collection.scoped ? 't."organisation"' : "NULL")
  const rows = sql`SELECT t."id" AS record, ${organisation} AS organisation, ${version} AS version, ${imageOf(collection, "t")} AS payload FROM ${identifier(collection.name)} t WHERE ${where}${fresh} ORDER BY t."pk"`
  const authority = rules === "system" ? rules : authorityOf(view, collection, rules)
  const change = { subject: collection.name, kind, organisation: raw("organisation"), authority }
  return appendChanges(app, view.actor, change, rows)
}

/** An administrator whom the rules would have allowed anyway, whatever the row, did not pass over them. */
function authorityOf(
  view: View,
  collection: LinkedCollection,
  rules: readonly (Checked | null)[],
): Authority {
  if (view.actor.kind === "system") return "system"
  if (!view.passes(collection)) return "rule"
  return rules.every(view.allows) ? "rule" : "administrator"
}

/** The rules of the fields that the caller gave. */
export const writableRules = (
  collection: LinkedCollection,
  given: ReadonlySet<string>,
): Checked[] => [...given].flatMap((name) => collection.fields.get(name)?.writable ?? [])

/** The complete record as stored, as JSON: columns, and the ids of to-many fields. Rollups are not part of a version. */
export function imageOf(collection: LinkedCollection, alias: string): Sql {
  const columns = columnsOf(collection).filter(({ name, generated }) => {
    const base = name.replace(/_(sum|count)$/, "")
    return (
      name !== "pk" &&
      !generated &&
      !collection.fields.get(name)?.rollup &&
      !collection.fields.get(base)?.rollup
    )
  })
  const members = [
    ...columns.map(({ name }) => [name, raw(`${alias}."${name}"`)] as const),
    ...manyFields(collection).map(({ name }) => {
      const ids = orderedIds(collection, name, raw(`${alias}."id"`))
      return [name, sql`json(${ids})`] as const
    }),
  ]
  return jsonObject(members)
}
