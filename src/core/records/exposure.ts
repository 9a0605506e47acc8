import type { App } from "../../platform/app.ts"
import { allOf, identifier, join, raw, type Sql, sql } from "../../platform/sql.ts"
import type { Checked } from "../expression/checked.ts"
import { type Action, actions } from "../identity/key-scopes.ts"
import type { LinkedCollection, LinkedCollections, LinkedField } from "./link.ts"
import { afterObjections, ruleObjections } from "./objections.ts"
import type { Persona } from "./personas.ts"
import { visibility } from "./selection.ts"
import { rowsOf } from "./sql-view.ts"
import { isWritable } from "./validators.ts"
import { mainAlias, mainSource, type View, viewFor } from "./view.ts"

/** How much of a collection a persona reaches by one action. */
export interface Exposure {
  readonly action: Action
  readonly persona: Persona
  /** What the rule says to this persona before it has seen a record. */
  readonly rule: "always" | "never" | "depends"
  readonly rows: number
  /** Records that were asked about. */
  readonly of: number
  /** Fields that stay out of reach in some of these rows, and in how many: not read, or not written. */
  readonly without: readonly { readonly field: string; readonly rows: number }[]
}

/**
 * Asks the engine itself, in SQL over the rows that are there: `visibility` for what is read, and the objections of the
 * write path for what is written. A create is asked of each stored row as if it were new: could they have made it? One
 * trip, a statement for each persona.
 *
 * @param newest looks at no more than so many rows, those that were made last; null for all
 */
export async function measureExposure(
  app: App,
  collections: LinkedCollections,
  collection: LinkedCollection,
  personas: readonly Persona[],
  newest: number | null = null,
): Promise<Exposure[]> {
  const possible = collection.sqlView === null ? actions : (["read"] as const)
  const asked = personas.map((persona) => {
    const view = viewFor(app, persona.actor, collections)
    return {
      persona,
      view,
      questions: possible.map((action) => questionOf(view, collection, action)),
    }
  })
  const answers = await app.db.batch(
    asked.map(({ view, questions }) => statementOf(view, collection, questions, newest)),
  )
  return possible.flatMap((action, a) =>
    asked.map(({ persona, questions }, p) => {
      const answer = answers[p]?.[0] ?? {}
      const { fields, rule } = questions[a] as Question
      const rows = Number(answer[`r${a}`] ?? 0)
      return {
        ...{ action, persona, rule, rows },
        of: Number(answer.total ?? 0),
        without: fields
          .map(({ field }, f) => ({
            field: field.name,
            rows: rows - Number(answer[`r${a}f${f}`] ?? 0),
          }))
          .filter((field) => field.rows > 0),
      }
    }),
  )
}

interface Question {
  /** True of the rows that the action reaches. */
  readonly reached: Sql
  readonly rule: Exposure["rule"]
  /** Those with a rule of their own, and whether it holds. */
  readonly fields: readonly { readonly field: LinkedField; readonly holds: Sql }[]
}

function questionOf(view: View, collection: LinkedCollection, action: Action): Question {
  const rules = rulesOf(view, collection, action)
  const fields = [...collection.fields.values()].filter((field) =>
    action === "read" ? field.readable : action !== "delete" && field.writable && isWritable(field),
  )
  return {
    reached: conditionOf(view, collection, action, rules),
    rule: rules.some((rule) => rule === false)
      ? "never"
      : rules.every((rule) => rule === true)
        ? "always"
        : "depends",
    fields: fields.map((field) => {
      const rule =
        action === "read"
          ? view.fieldRule(field)
          : field.writable
            ? view.writableRule(collection, field.writable)
            : true
      return { field, holds: view.compile(rule, mainSource, { next: mainSource }) }
    }),
  }
}

/** The rules of an action: of the row as it is, and of an update as it will be. */
function rulesOf(
  view: View,
  collection: LinkedCollection,
  action: Action,
): readonly (Checked | boolean)[] {
  const { rules } = collection
  if (action === "read") return [view.readRule(collection)]
  if (action !== "update") return [view.writeRule(collection, action, rules[action])]
  return [rules.update?.before, rules.update?.after].map((rule) =>
    view.writeRule(collection, action, rule ?? null),
  )
}

/** Seen, and nothing speaks against it. */
function conditionOf(
  view: View,
  collection: LinkedCollection,
  action: Action,
  [rule = false, after]: readonly (Checked | boolean)[],
): Sql {
  const seen = visibility(view, collection, mainAlias)
  if (action === "read") return seen
  const objections = [
    ...ruleObjections(view, rule, mainSource),
    ...(after === undefined ? [] : afterObjections(view, after, mainSource, mainSource)),
  ]
  const unopposed = objections.map(({ condition }) => sql`NOT (${condition})`)
  // What is new is not seen yet; it comes to lie in the writer's organisation.
  const scope = view.scope(collection.shape, mainAlias)
  return allOf([action === "create" ? (scope ?? raw("1")) : seen, ...unopposed])
}

/** What each row's answers are called, a bit for each question: no field has such a name, and one column fits any table. */
const bits = raw('"reached by"')

function statementOf(
  view: View,
  collection: LinkedCollection,
  questions: readonly Question[],
  newest: number | null,
): Sql {
  const rows = rowsOf(view, collection)
  // The rows of a view have no order of their own.
  const order = collection.sqlView === null ? " ORDER BY rowid DESC" : ""
  const some =
    newest === null ? rows : sql`(SELECT * FROM ${rows}${raw(`${order} LIMIT ${newest}`)})`
  const bit = (a: number) => sql`((${bits} >> ${raw(String(a))}) & 1)`
  const answers = questions.map(
    ({ reached }, a) => sql`(((${reached}) IS TRUE) << ${raw(String(a))})`,
  )
  const sums = questions.flatMap(({ fields }, a) => [
    sql`sum${bit(a)} AS ${identifier(`r${a}`)}`,
    ...fields.map(
      ({ holds }, f) => sql`sum((${holds}) IS TRUE AND ${bit(a)}) AS ${identifier(`r${a}f${f}`)}`,
    ),
  ])
  const t0 = raw(mainAlias)
  return sql`SELECT ${join([raw("count(*) AS total"), ...sums])} FROM (SELECT ${raw(`${mainAlias}.*`)}, ${join(answers, " | ")} AS ${bits} FROM ${some} ${t0}) ${t0}`
}
