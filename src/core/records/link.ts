import { DefinitionError } from "../../platform/definition-error.ts"
import { checkExpression } from "../expression/check.ts"
import type { Checked } from "../expression/checked.ts"
import { checkOperand } from "../expression/default-value.ts"
import { ExpressionError } from "../expression/error.ts"
import { parseExpression, parseOperand } from "../expression/parse.ts"
import type { Shape } from "../expression/types.ts"
import { checkOnDelete } from "./cascade-plan.ts"
import type { Collection } from "./collection.ts"
import type { Field, FieldKind, FieldOptions } from "./fields.ts"
import { checkFileField, fileRecords } from "./file-records.ts"
import { members } from "./members.ts"
import { shapeOf, systemFieldNames, valueTypes } from "./shape.ts"
import { linkSqlView, type SqlView } from "./sql-view.ts"
import { type LinkedSummary, linkSummaries } from "./summaries.ts"

/** A field among the others: its relations resolved, its rules checked. */
export interface LinkedField {
  readonly name: string
  /** Name of the collection that declares it. */
  readonly owner: string
  readonly kind: FieldKind
  readonly required: boolean
  readonly options: FieldOptions
  /** Of relations in both directions. */
  readonly target: LinkedCollection | null
  readonly rollup: LinkedRollup | null
  readonly readable: Checked | null
  readonly writable: Checked | null
}

export interface LinkedRollup {
  readonly measure: "count" | "sum" | "avg"
  readonly child: LinkedCollection
  /** The child's relation to this collection. */
  readonly backField: string
  readonly valueField: string | null
  /** True where integers are counted or added: kept as they change. Otherwise computed anew. */
  readonly exact: boolean
}

/** Checked rules; null where there is none, which answers nobody. */
export interface LinkedRules {
  readonly read: Checked | null
  readonly create: Checked | null
  readonly update: { readonly before: Checked; readonly after: Checked } | null
  readonly delete: Checked | null
}

/** A collection that is known to make sense among the others. */
export interface LinkedCollection {
  readonly name: string
  readonly definition: Collection
  /** Its own fields by name; system fields are the same for all (`systemFieldNames`). */
  readonly fields: ReadonlyMap<string, LinkedField>
  readonly shape: Shape
  readonly rules: LinkedRules
  readonly scoped: boolean
  /** Null for collections with a table of their own; a view is read-only. */
  readonly sqlView: SqlView | null
  /** True for `members` and `files`, whose tables have migrations of their own. */
  readonly builtIn: boolean
  readonly uniques: readonly (readonly string[])[]
  readonly searchFields: readonly string[]
  readonly summaries: readonly LinkedSummary[]
  /** Relations of other collections (and of this one) that lead here: what a deletion does to them is in their `onDelete`. */
  readonly referrers: readonly {
    readonly collection: LinkedCollection
    readonly field: LinkedField
  }[]
}

export type LinkedCollections = ReadonlyMap<string, LinkedCollection>

/** Columns and parts of an answer; `<collection>_search` is the full-text index. */
const reservedFields: readonly string[] = [
  "pk",
  "organisation",
  "expanded",
  "expandedNext",
  "search",
]

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Tables of the core, which no collection may be named after. */
const reservedNames = new Set([
  "changes",
  "refusals",
  "cascades",
  "idempotency_keys",
  "members",
  "member_organisations",
  "users",
  "sessions",
  "organisations",
  "organisation_members",
  "sign_in_attempts",
  "session_revocations",
  "account_tokens",
  "passkeys",
  "authenticators",
  "recovery_codes",
  "api_keys",
  "invitations",
  "user_invitations",
  "audit_events",
  "batch",
  "bulk_operations",
  "bulk_parts",
  "bulk_refusals",
  "jobs",
  "job_steps",
  "job_schedules",
  "mails",
  "mail_suppressions",
  "files",
  "file_usage",
])

const builtIns: ReadonlySet<Collection> = new Set<Collection>([members, fileRecords])

/**
 * Resolves relations, checks every rule against the fields, and adds the built-in `members`, and `files` for the fields that hold some.
 *
 * @throws {DefinitionError} that names the collection, the field or rule, and the mend.
 */
export function linkCollections(definitions: readonly Collection[]): LinkedCollections {
  const linked = new Map<string, Mutable<LinkedCollection>>()
  for (const definition of [members, fileRecords, ...definitions]) {
    checkName(definition, linked)
    linked.set(definition.name, shell(definition))
  }
  for (const collection of linked.values()) resolveRelations(collection, linked)
  for (const collection of linked.values()) {
    resolveRollups(collection)
    collection.summaries = linkSummaries(collection)
  }
  for (const collection of linked.values()) {
    if (collection.definition.options.sql !== undefined) {
      collection.sqlView = linkSqlView(collection, linked, reservedNames)
    }
    checkFieldLists(collection)
    checkOnDelete(collection)
    checkRules(collection)
  }
  // Known to the fields that lead there, and to nobody by its name.
  linked.delete(fileRecords.name)
  return linked
}

function shell(definition: Collection): Mutable<LinkedCollection> {
  const { name, options } = definition
  const uniques = [
    ...Object.entries(options.fields).flatMap(([field, { options }]) =>
      options.unique ? [[field]] : [],
    ),
    ...(options.unique ?? []),
  ]
  const collection: Mutable<LinkedCollection> = {
    name,
    definition,
    fields: new Map(),
    shape: undefined as unknown as Shape,
    rules: { read: null, create: null, update: null, delete: null },
    scoped: options.scope === "organisation",
    sqlView: null,
    builtIn: builtIns.has(definition),
    uniques,
    searchFields: options.search ?? [],
    summaries: [],
    referrers: [],
  }
  collection.shape = shapeOf(collection)
  return collection
}

function checkName({ name, options }: Collection, linked: ReadonlyMap<string, unknown>): void {
  if (linked.has(name))
    throw new DefinitionError(`Two collections are named "${name}": rename one.`)
  if (
    !/^[a-z][a-zA-Z0-9]{0,47}$/.test(name) ||
    (reservedNames.has(name) && ![...builtIns].some((one) => one.options === options))
  ) {
    throw new DefinitionError(
      `"${name}" cannot name a collection: use camelCase letters and digits, and none of ${[...reservedNames].join(", ")}.`,
    )
  }
  const retention = options.history?.retention
  if (retention !== undefined && !/^[1-9]\d{0,4}d$/.test(retention)) {
    throw new DefinitionError(
      `The retention of "${name}" is "${retention}": write whole days, as "365d".`,
    )
  }
  const rowsRead = options.budget?.rowsRead ?? 1
  if (!Number.isSafeInteger(rowsRead) || rowsRead < 1) {
    throw new DefinitionError(
      `The budget of "${name}" is ${rowsRead} rows read: write a whole number from 1 on, as budget: { rowsRead: 1_000 }.`,
    )
  }
  for (const field of Object.keys(options.fields)) {
    const reserved = systemFieldNames.includes(field) || reservedFields.includes(field)
    if (reserved || !/^[a-z][a-zA-Z0-9]{0,47}$/.test(field)) {
      throw new DefinitionError(
        `"${field}" cannot name a field of "${name}": use camelCase letters and digits; ${[...systemFieldNames, ...reservedFields].join(", ")} are taken.`,
      )
    }
  }
  if (Object.keys(options.fields).length > 50) {
    throw new DefinitionError(
      `"${name}" has more than 50 fields: split it, or keep details in a json field.`,
    )
  }
}

function resolveRelations(
  collection: Mutable<LinkedCollection>,
  linked: ReadonlyMap<string, Mutable<LinkedCollection>>,
): void {
  const fields = new Map<string, LinkedField>()
  for (const [name, field] of Object.entries(collection.definition.options.fields)) {
    const target = field.options.target ? linked.get(field.options.target) : undefined
    if (target?.definition === fileRecords) checkFileField(`${collection.name}.${name}`, field)
    if (field.options.target && !target) {
      throw new DefinitionError(
        directoryTables.has(field.options.target)
          ? `${collection.name}.${name} leads to "${field.options.target}", which lives in the directory: relations never cross databases. Point at "members".`
          : `${collection.name}.${name} leads to "${field.options.target}", which is not a collection: list it in src/app/collections.ts.`,
      )
    }
    if (target?.definition.options.sql !== undefined) {
      throw new DefinitionError(
        `${collection.name}.${name} leads to the view "${target.name}": relations lead to records that are stored.`,
      )
    }
    const linkedField = linkField(collection.name, name, field, target ?? null)
    fields.set(name, linkedField)
    const isStored = collection.definition.options.sql === undefined
    if (target && isStored && field.kind !== "backRelation") {
      target.referrers = [...target.referrers, { collection, field: linkedField }]
    }
  }
  collection.fields = fields
}

const directoryTables = new Set(["users", "sessions", "organisations", "organisation_members"])

const linkField = (
  owner: string,
  name: string,
  field: Field,
  target: LinkedCollection | null,
): LinkedField => ({
  name,
  owner,
  kind: field.kind,
  required: field.required,
  options: field.options,
  target,
  rollup: null,
  readable: null,
  writable: null,
})

function resolveRollups(collection: Mutable<LinkedCollection>): void {
  for (const field of collection.fields.values() as Iterable<Mutable<LinkedField>>) {
    if (field.kind === "backRelation") {
      const back = field.target?.fields.get(field.options.backField as string)
      if (back?.kind !== "relation" || back.target !== collection) {
        throw new DefinitionError(
          `${collection.name}.${field.name} turns round ${field.options.target}.${field.options.backField}, which is no relation to "${collection.name}".`,
        )
      }
    }
    const { rollup } = field.options
    if (!rollup) continue
    const relation = collection.fields.get(rollup.relation)
    const child = relation?.target
    if (relation?.kind !== "backRelation" || !child) {
      throw new DefinitionError(
        `${collection.name}.${field.name} rolls up "${rollup.relation}", which is no back-relation of "${collection.name}": declare it with backRelation(…).`,
      )
    }
    const value = rollup.field ? child.fields.get(rollup.field) : undefined
    if (rollup.measure !== "count" && value?.kind !== "integer" && value?.kind !== "number") {
      throw new DefinitionError(
        `${collection.name}.${field.name}: ${rollup.measure} needs an integer or number field of "${child.name}", as in rollup("${rollup.measure}", "${rollup.relation}.<field>").`,
      )
    }
    field.rollup = {
      measure: rollup.measure,
      child,
      backField: relation.options.backField as string,
      valueField: rollup.measure === "count" ? null : (rollup.field as string),
      exact: value?.kind !== "number",
    }
  }
}

function checkFieldLists({
  name,
  definition,
  fields,
  uniques,
  searchFields,
}: LinkedCollection): void {
  const known = (list: string, field: string) => {
    if (!fields.has(field) && !systemFieldNames.includes(field)) {
      throw new DefinitionError(
        `${list} of "${name}" names "${field}", which is not one of its fields: ${[...fields.keys()].join(", ")}.`,
      )
    }
    const kind = fields.get(field)?.kind
    if (kind === "relations" || kind === "backRelation") {
      throw new DefinitionError(
        `${list} of "${name}" names "${field}", which leads to many records and has no column.`,
      )
    }
  }
  for (const entry of definition.options.indexes ?? []) {
    for (const field of typeof entry === "string" ? [entry] : entry)
      known("An index", field.replace(/^-/, ""))
  }
  for (const entry of uniques) for (const field of entry) known("A unique rule", field)
  for (const field of searchFields) {
    known("search", field)
    const kind = fields.get(field)?.kind
    if (!kind || !["text", "markdown", "email", "url", "choice"].includes(kind)) {
      throw new DefinitionError(`search of "${name}" names "${field}", which holds no text.`)
    }
  }
}

function checkDefault(collection: string, { name, kind, options }: LinkedField): void {
  const fallback = options.default
  if (typeof fallback !== "object" || fallback === null || !("expression" in fallback)) return
  try {
    checkOperand(parseOperand(String(fallback.expression)), valueTypes[kind] ?? "text")
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    throw new DefinitionError(
      `The default of "${collection}.${name}" is not valid: ${error.message} in \`${fallback.expression}\`.`,
    )
  }
}

function checkRules(collection: Mutable<LinkedCollection>): void {
  const { name, definition, shape } = collection
  const { rules = {} } = definition.options
  const check = (label: string, text: string, write: boolean): Checked => {
    try {
      return checkExpression(parseExpression(text), shape, { mode: "trusted", write })
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error
      throw new DefinitionError(
        `The ${label} of "${name}" is not valid: ${error.message} in \`${text}\`.`,
      )
    }
  }
  const optional = (label: string, text: string | undefined, write: boolean) =>
    text === undefined ? null : check(label, text, write)
  const update =
    typeof rules.update === "string" ? { before: rules.update, after: rules.update } : rules.update
  collection.rules = {
    read: optional("read rule", rules.read, false),
    create: optional("create rule", rules.create, true),
    update: update
      ? {
          before: check("update rule (before)", update.before, true),
          after: check("update rule (after)", update.after, true),
        }
      : null,
    delete: optional("delete rule", rules.delete, false),
  }
  for (const field of collection.fields.values() as Iterable<Mutable<LinkedField>>) {
    checkDefault(name, field)
    field.readable = optional(
      `readable rule of field "${field.name}"`,
      field.options.readable,
      false,
    )
    field.writable = optional(
      `writable rule of field "${field.name}"`,
      field.options.writable,
      true,
    )
  }
}
