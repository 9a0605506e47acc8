import { type Actor, type App, hasAdministratorRole } from "../../platform/app.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import type { Checked } from "../expression/checked.ts"
import { foldConstant } from "../expression/fold.ts"
import { compileExpression } from "../expression/to-sql.ts"
import type { Access, Context, RowSource, Scope, Shape } from "../expression/types.ts"
import { type Action, actions, grants } from "../identity/key-scopes.ts"
import { fileRecords } from "./file-records.ts"
import type { LinkedCollection, LinkedCollections, LinkedField } from "./link.ts"

/**
 * What one actor may see in one request: every question about rights is asked here. `true` and `false` are answers
 * that need no row; a checked expression has to be asked of each.
 */
export interface View {
  readonly actor: Actor
  readonly context: Context
  /** Whether anything compiled so far asked for the time: what did not stays true as long as the actor's rights. */
  readonly clockAsked: () => boolean
  readonly scope: Scope
  /** For expressions that the actor sends. */
  readonly access: Access
  readRule(collection: LinkedCollection): Checked | boolean
  fieldRule(field: LinkedField): Checked | boolean
  /** A rule of writes; null (no rule) is false, and whoever passes rules is true, within the scopes of their key. */
  writeRule(
    collection: LinkedCollection,
    action: Exclude<Action, "read">,
    rule: Checked | null,
  ): Checked | boolean
  /** The rule by which a field may be given. */
  writableRule(collection: LinkedCollection, rule: Checked): Checked | boolean
  /** True where rules are passed over rather than kept: for the system, and administrators unless the collection forbids it. */
  passes(collection: LinkedCollection): boolean
  /** True when the rule itself, without a pass, lets this actor through whatever the row. */
  allows(rule: Checked | null): boolean
  compile(rule: Checked | boolean, source: RowSource, how?: CompileOptions): Sql
}

interface CompileOptions {
  /** The row as it will be, for `@new` and `@changed`. */
  next?: RowSource
  /** The statement looks at one row only. */
  oneRow?: boolean
}

export function viewFor(app: App, actor: Actor, collections: LinkedCollections): View {
  const user = actor.kind === "user" ? actor : null
  let asked = false
  let now: number | undefined
  const context: Context = {
    me: {
      id: user?.id ?? null,
      email: user?.key?.service || user?.anonymous ? null : (user?.email ?? null),
      kind: user?.key?.service ? "service" : user?.anonymous ? "anonymous" : actor.kind,
      roles: user?.roles ?? [],
    },
    organisation: organisationOf(actor),
    get now() {
      asked = true
      now ??= app.now()
      return now
    },
  }
  const administrator = hasAdministratorRole(actor)
  // A key narrows, before any rule is asked: beyond its scopes its holder is a person whom no rule lets.
  const scopes = user?.key?.scopes
  const inScope = (collection: LinkedCollection, action: Action) =>
    scopes === undefined || grants(scopes, collection.name, action)
  const passes = (collection: LinkedCollection) =>
    actor.kind === "system" ||
    (administrator &&
      collection.definition.options.administrators !== "obey" &&
      actions.some((action) => inScope(collection, action)))
  const decide = (rule: Checked): Checked | boolean => foldConstant(rule, context) ?? rule
  const readRule = (collection: LinkedCollection) =>
    // What a file is may be known to whoever may read the field that holds it.
    collection.name === fileRecords.name ||
    (inScope(collection, "read") &&
      (passes(collection) || (collection.rules.read !== null && decide(collection.rules.read))))
  const fieldRule = (field: LinkedField) =>
    actor.kind === "system" || field.readable === null || decide(field.readable)
  const scope: Scope = (shape, alias) => scopeOf(actor, collections, shape, alias)
  return {
    actor,
    context,
    clockAsked: () => asked,
    scope,
    access: {
      readRule: (shape) => {
        if (shape.name === fileRecords.name) return true
        const collection = collections.get(shape.name)
        return collection !== undefined && readRule(collection)
      },
      fieldRule: (shape, name) => {
        const field = collections.get(shape.name)?.fields.get(name)
        return field === undefined || fieldRule(field)
      },
    },
    readRule,
    fieldRule,
    writeRule: (collection, action, rule) =>
      collection.sqlView === null &&
      inScope(collection, action) &&
      (passes(collection) || (rule !== null && decide(rule))),
    writableRule: (collection, rule) => passes(collection) || decide(rule),
    passes,
    allows: (rule) => rule !== null && decide(rule) === true,
    compile: (rule, source, how) =>
      typeof rule === "boolean"
        ? raw(rule ? "1" : "0")
        : compileExpression(rule, { context, source, scope, ...how }),
  }
}

export const organisationOf = (actor: Actor): string | null =>
  actor.kind === "anonymous" ? null : (actor.organisation ?? null)

/** The tenant's boundary. Engine code adds it to every row source, so that no rule can forget it. */
function scopeOf(
  actor: Actor,
  collections: LinkedCollections,
  shape: Shape,
  alias: string,
): Sql | null {
  const collection = collections.get(shape.name)
  const organisation = organisationOf(actor)
  if (!collection) return null
  if (actor.kind === "system" && organisation === null) return null
  if (collection.builtIn) return memberScope(actor, organisation, alias)
  if (!collection.scoped) return null
  if (organisation === null) return raw("0")
  return sql`${raw(`${alias}."organisation"`)} = ${organisation}`
}

/** Within an organisation its members are seen; outside of all, those who belong to none; oneself always. */
function memberScope(actor: Actor, organisation: string | null, alias: string): Sql {
  const me = actor.kind === "user" ? actor.id : null
  const id = raw(`${alias}."id"`)
  return organisation === null
    ? sql`(${id} = ${me} OR NOT EXISTS (SELECT 1 FROM member_organisations o WHERE o.member = ${id}))`
    : sql`(${id} = ${me} OR EXISTS (SELECT 1 FROM member_organisations o WHERE o.organisation = ${organisation} AND o.member = ${id}))`
}

/** The alias of the collection that a statement is about, and its rows. */
export const mainAlias = "t0"

/** The rows of a table, by alias. */
export const tableSource = (alias: string): RowSource => ({
  column: (name) => raw(`${alias}."${name}"`),
})

export const mainSource: RowSource = { ...tableSource(mainAlias), stored: true }
