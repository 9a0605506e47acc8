import type { Action } from "../../core/identity/key-scopes.ts"
import type { LinkedCollection, LinkedCollections, LinkedField } from "../../core/records/link.ts"
import { afterObjections, ruleObjections } from "../../core/records/objections.ts"
import { visibility } from "../../core/records/selection.ts"
import { rowsOf } from "../../core/records/sql-view.ts"
import { isWritable } from "../../core/records/validators.ts"
import { mainAlias, mainSource, type View, viewFor } from "../../core/records/view.ts"
import type { App } from "../../platform/app.ts"
import { allOf, identifier, join, raw, type Sql, sql } from "../../platform/sql.ts"
import type { Persona } from "./personas.ts"

/** How much of a collection a persona reaches by one action. */
export interface Exposure {
  readonly collection: string
  readonly action: Action
  readonly persona: string
  readonly rows: number
  readonly of: number
  /** Fields that stay out of reach in some of these rows, and in how many: not read, or not written. */
  readonly without: readonly { readonly field: string; readonly rows: number }[]
}

/**
 * Asks the engine itself, in SQL over the rows that are there: `visibility` for what is read, and the objections of the
 * write path for what is written. A create is asked of each stored row as if it were new: could they have made it?
 */
export async function measureExposure(
  app: App,
  collections: LinkedCollections,
  personas: readonly Persona[],
): Promise<Exposure[]> {
  const asked = [...collections.values()].flatMap((collection) =>
    (collection.sqlView === null ? actions : (["read"] as const)).flatMap((action) =>
      personas.map((persona) => ({
        ...{ collection, action, persona },
        question: questionOf(viewFor(app, persona.actor, collections), collection, action),
      })),
    ),
  )
  const answers: Record<string, unknown>[] = []
  for (const { question } of asked) answers.push((await app.db.all(question.statement))[0] ?? {})
  return asked.map(({ collection, action, persona, question }, i) => {
    const answer = answers[i] ?? {}
    const rows = Number(answer.reached ?? 0)
    return {
      collection: collection.name,
      action,
      persona: persona.name,
      rows,
      of: Number(answer.total ?? 0),
      without: question.fields
        .map(({ name }, n) => ({ field: name, rows: rows - Number(answer[`f${n}`] ?? 0) }))
        .filter((field) => field.rows > 0),
    }
  })
}

const actions: readonly Action[] = ["read", "create", "update", "delete"]

interface Question {
  readonly statement: Sql
  /** Those with a rule of their own, in the order of the answer. */
  readonly fields: readonly LinkedField[]
}

function questionOf(view: View, collection: LinkedCollection, action: Action): Question {
  const reached = conditionOf(view, collection, action)
  const fields = [...collection.fields.values()].filter((field) =>
    action === "read" ? field.readable : action !== "delete" && field.writable && isWritable(field),
  )
  const parts = fields.map((field, n) => {
    const rule =
      action === "read"
        ? view.fieldRule(field)
        : field.writable
          ? view.writableRule(collection, field.writable)
          : true
    const holds = view.compile(rule, mainSource, { next: mainSource })
    return sql`sum((${holds}) IS TRUE AND r) AS ${identifier(`f${n}`)}`
  })
  const inner = sql`SELECT ${raw(`${mainAlias}.*`)}, (${reached}) IS TRUE AS r FROM ${rowsOf(view, collection)} ${raw(mainAlias)}`
  return {
    fields,
    statement: sql`SELECT ${join([raw("count(*) AS total"), raw("sum(r) AS reached"), ...parts])} FROM (${inner}) ${raw(mainAlias)}`,
  }
}

/** True of the rows that the action reaches: seen, and nothing speaks against it. */
function conditionOf(view: View, collection: LinkedCollection, action: Action): Sql {
  const { rules } = collection
  const seen = visibility(view, collection, mainAlias)
  if (action === "read") return seen
  const scope = view.scope(collection.shape, mainAlias)
  const objections =
    action === "update"
      ? [
          ...ruleObjections(
            view,
            view.writeRule(collection, "update", rules.update?.before ?? null),
            mainSource,
          ),
          ...afterObjections(
            view,
            view.writeRule(collection, "update", rules.update?.after ?? null),
            mainSource,
            mainSource,
          ),
        ]
      : ruleObjections(view, view.writeRule(collection, action, rules[action]), mainSource)
  const unopposed = objections.map(({ condition }) => sql`NOT (${condition})`)
  // What is new is not seen yet; it comes to lie in the writer's organisation.
  return allOf([action === "create" ? (scope ?? raw("1")) : seen, ...unopposed])
}
