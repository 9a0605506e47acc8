import type { TypicalQuery } from "../../core/advisor/question.ts"
import type { Checked } from "../../core/expression/checked.ts"
import type { LinkedCollection, LinkedCollections } from "../../core/records/link.ts"
import { listRecords } from "../../core/records/list.ts"
import { parseListQuery } from "../../core/records/query.ts"
import { questionOf } from "../../core/records/saved-views.ts"
import { permissionQuery } from "../../core/records/statements.ts"
import { mainAlias, mainSource, type View, viewFor } from "../../core/records/view.ts"
import type { Actor, App } from "../../platform/app.ts"
import type { Database } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { identifier, raw, type Sql, sql } from "../../platform/sql.ts"

/** What is asked of the database on somebody's behalf: the statements that the engine itself would send. */
export interface Question {
  readonly collection: string
  readonly title: string
  readonly persona: string
  readonly statements: readonly Sql[]
  /** The one among them that counts; null when none does. */
  readonly counting: Sql | null
  readonly limit: number
  readonly wanted: { readonly equal: readonly string[]; readonly sort: readonly string[] } | null
}

/** Who asks, by name. */
export type Askers = Readonly<Record<"anonymous" | "owner" | "member" | "system", Actor>>

/** Every default list, rule, rollup and saved view of all collections, and the queries that the product says are typical. */
export async function questionsOf(
  app: App,
  collections: LinkedCollections,
  askers: Askers,
  typical: readonly TypicalQuery[],
): Promise<Question[]> {
  const questions: Question[] = []
  for (const collection of collections.values()) {
    for (const persona of ["anonymous", "owner", "member"] as const) {
      const view = viewFor(app, askers[persona], collections)
      if (view.readRule(collection) === false) continue
      questions.push(await listQuestion(app, view, collection, {}, persona))
      // Nothing writes a view, and what it reads is its list.
      if (collection.sqlView !== null) continue
      questions.push(...ruleQuestions(view, collection, persona, await firstId(app, collection)))
    }
    if (collection.sqlView === null)
      questions.push(...rollupQuestions(collection, await firstId(app, collection)))
    if (collection.definition.options.savedViews === true)
      questions.push(...(await savedViewQuestions(app, collections, askers, collection)))
  }
  for (const { collection: name, query, as = "anonymous" } of typical) {
    const collection = collections.get(name)
    if (!collection) throw new Error(`src/app/queries.ts names "${name}", which is no collection.`)
    const view = viewFor(app, askers[as], collections)
    questions.push(await listQuestion(app, view, collection, await filled(app, query), as))
  }
  const seen = new Set<string>()
  return questions.filter(({ collection, title, statements }) => {
    const text = JSON.stringify([collection, title, statements.map((statement) => statement.text)])
    return !seen.has(text) && seen.add(text)
  })
}

class Recorded extends Error {}

/** Lets the engine put its statements together, and stops it before it sends them. */
async function recordedBy(app: App, work: (app: App) => Promise<unknown>): Promise<Sql[]> {
  const statements: Sql[] = []
  const stop = (sent: readonly Sql[]): never => {
    statements.push(...sent)
    throw new Recorded()
  }
  const db: Database = {
    name: "main",
    bookmark: async () => null,
    batch: async (sent) => stop(sent),
    all: async (sent) => stop([sent]),
  }
  try {
    await work(Object.create(app, { db: { value: db } }) as App)
  } catch (error) {
    if (!(error instanceof Recorded)) throw error
  }
  return statements
}

async function listQuestion(
  app: App,
  view: View,
  collection: LinkedCollection,
  parameters: Readonly<Record<string, string>>,
  persona: string,
): Promise<Question> {
  const query = parseListQuery(view, collection, new URLSearchParams(parameters))
  const statements = await recordedBy(app, (recording) =>
    listRecords(recording, view, collection, query),
  )
  const sort = query.sort.map(({ field, descending }) => (descending ? `-${field}` : field))
  const described = Object.entries(parameters).map(([name, value]) => `${name}=${value}`)
  return {
    collection: collection.name,
    title: ["list", ...described].join(" "),
    persona,
    statements,
    counting: query.count
      ? (statements.find(({ text }) => text.startsWith("SELECT count(*)")) ?? null)
      : null,
    limit: query.limit,
    wanted: {
      equal: [...equalFields(query.filter), ...equalFields(view.readRule(collection))],
      sort,
    },
  }
}

/** Saved views beyond the newest of these are not looked at. */
const maxSavedViews = 200

/** What people keep asking, each as its owner. What no longer fits its collection is refused before it costs anything. */
async function savedViewQuestions(
  app: App,
  collections: LinkedCollections,
  askers: Askers,
  { name }: LinkedCollection,
): Promise<Question[]> {
  const kept = await app.db.all(
    sql`SELECT * FROM ${identifier(name)} ORDER BY "pk" DESC LIMIT ${maxSavedViews}`,
  )
  const questions: Question[] = []
  for (const saved of kept) {
    const target = collections.get(String(saved.collection))
    if (!target) continue
    const owner = { ...askers.owner, id: String(saved.owner) } as Actor
    const view = viewFor(app, owner, collections)
    try {
      const parameters = Object.fromEntries(questionOf(saved))
      const question = await listQuestion(app, view, target, parameters, "owner")
      questions.push({ ...question, title: `${name} "${saved.name}": ${question.title}` })
    } catch (error) {
      if (!(error instanceof Problem)) throw error
    }
  }
  return questions
}

/** Own fields that must equal a value for the whole to hold. */
function equalFields(checked: Checked | boolean | null): string[] {
  if (checked === null || typeof checked === "boolean") return []
  if (checked.kind === "and") return checked.parts.flatMap(equalFields)
  const own =
    checked.kind === "comparison" && checked.operator === "=" && !checked.negated
      ? checked.left
      : null
  return own?.kind === "path" && own.steps.length === 0 ? [own.field.name] : []
}

/** Whether a record may be changed, as a write asks it: of one record, found by its id. */
function ruleQuestions(
  view: View,
  collection: LinkedCollection,
  persona: string,
  id: string,
): Question[] {
  const { name, rules } = collection
  const about = (action: string, statement: Sql): Question => ({
    collection: name,
    title: `${action} rule`,
    ...{ persona, statements: [statement], counting: null, limit: 1, wanted: null },
  })
  const nothing = { columns: {}, many: {} }
  const asked: Question[] = []
  for (const action of ["update", "delete"] as const) {
    const rule = action === "delete" ? rules.delete : (rules.update?.before ?? null)
    if (typeof view.writeRule(collection, action, rule) === "boolean") continue
    asked.push(about(action, permissionQuery(view, collection, id, action, nothing)))
  }
  const create = view.writeRule(collection, "create", rules.create)
  if (typeof create !== "boolean") {
    const holds = view.compile(create, mainSource, { next: mainSource, oneRow: true })
    asked.push(
      about(
        "create",
        sql`SELECT ${holds} AS allowed FROM ${identifier(name)} ${raw(mainAlias)} WHERE ${raw(`${mainAlias}."id"`)} = ${id}`,
      ),
    )
  }
  return asked
}

/** Of a record that exists, where one does: what follows it up would else not be read. */
async function firstId(app: App, { name }: Pick<LinkedCollection, "name">): Promise<string> {
  const [row] = await app.db.all(sql`SELECT "id" FROM ${identifier(name)} ORDER BY "pk" LIMIT 1`)
  return String(row?.id ?? "00000000-0000-7000-8000-000000000000")
}

/** What a rollup reads when it is computed: all children of one record. */
function rollupQuestions({ name, fields }: LinkedCollection, id: string): Question[] {
  return [...fields.values()].flatMap(({ name: field, rollup }) => {
    if (!rollup) return []
    const value = rollup.valueField ? identifier(rollup.valueField) : raw("1")
    const statement = sql`SELECT total(${value}) FROM ${identifier(rollup.child.name)} WHERE ${identifier(rollup.backField)} = ${id}`
    return [
      {
        collection: rollup.child.name,
        title: `rollup ${name}.${field}`,
        persona: "system",
        ...{ statements: [statement], counting: null, limit: 1 },
        wanted: { equal: [rollup.backField], sort: [] },
      },
    ]
  })
}

/** Ids for `{films}` and the like: the first there is. */
async function filled(app: App, query: TypicalQuery["query"]): Promise<Record<string, string>> {
  const texts: Record<string, string> = {}
  for (const [name, text] of Object.entries(query)) {
    let whole = text
    for (const [placeholder, table = ""] of text.matchAll(/\{(\w+)\}/g)) {
      whole = whole.replaceAll(placeholder, await firstId(app, { name: table }))
    }
    texts[name] = whole
  }
  return texts
}

/** Collections that are open to whoever comes, and what they may do there. */
export function openCollections(
  app: App,
  collections: LinkedCollections,
  askers: Askers,
): string[] {
  const view = viewFor(app, askers.anonymous, collections)
  return [...collections.values()].flatMap((collection) => {
    const { name, rules } = collection
    const open = [
      view.readRule(collection) === true && "read",
      view.writeRule(collection, "create", rules.create) === true && "create",
      view.writeRule(collection, "update", rules.update?.before ?? null) === true && "update",
      view.writeRule(collection, "delete", rules.delete) === true && "delete",
    ].filter((action) => action !== false)
    if (open.length === 0) return []
    const writes = open.filter((action) => action !== "read")
    const worse = writes.length > 0 ? ": writing without a session is rarely meant" : ""
    return [`${name}: anybody may ${open.join(", ")}, without a session${worse}.`]
  })
}
