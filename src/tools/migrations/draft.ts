import type { DatabaseSync } from "node:sqlite"
import { recomputeRollups } from "../../core/records/ddl.ts"
import type { LinkedCollections } from "../../core/records/link.ts"
import { recomputeSummary } from "../../core/records/summaries.ts"
import { type Alteration, planAlterations } from "./alterations.ts"
import { type Answers, type Ask, type Dialogue, readAnswers } from "./answers.ts"
import { compareSchemas, type Difference, isEmpty } from "./compare.ts"
import { type Migration, MigrationError, replay } from "./files.ts"
import {
  fieldOf,
  findColumnRenames,
  findJoinRenames,
  findTableRenames,
  ownerOf,
} from "./renames.ts"
import { desiredSchema, type Part, readSchema, type Schema, type Table } from "./schema.ts"

/** A migration that has not been written yet. */
export interface DraftedMigration {
  readonly sql: string
  /** One line a change. */
  readonly summary: readonly string[]
}

/**
 * The statements that lead from the migrations so far to what the collections need; null when nothing does.
 * Each is executed in memory as it is written, so that the next one starts from what is really there.
 *
 * @throws {MigrationError} with everything that only the developer can decide, and the flags that decide it.
 */
export async function draftMigration(
  collections: LinkedCollections,
  migrations: readonly Migration[],
  answers: Answers,
  ask: Ask = null,
): Promise<DraftedMigration | null> {
  const desired = desiredSchema(collections)
  const database = replay(migrations)
  database.exec("PRAGMA foreign_keys = OFF")
  try {
    const draft = createDraft(database)
    const dialogue = { told: readAnswers(answers), ask, refusals: [] }
    await writeRenames(draft, desired, dialogue)
    writeChanges(draft, desired, collections, dialogue)
    return draft.finish()
  } finally {
    database.close()
  }
}

interface Draft {
  /** Executes and notes statements, under a line that says what they do. */
  step(description: string, statements: readonly string[]): void
  schema(): Schema
  /** Foreign keys are checked at the end of the migration, not at each statement. */
  deferForeignKeys(): void
  finish(): DraftedMigration | null
}

function createDraft(database: DatabaseSync): Draft {
  const summary: string[] = []
  const blocks: string[] = []
  let deferred = false
  return {
    step(description, statements) {
      // A default may hold line breaks, and a comment must not.
      const comment = description.replace(/\s+/g, " ")
      for (const statement of statements) {
        try {
          database.exec(statement)
        } catch (error) {
          throw new MigrationError(
            `"${comment}" is not possible: ${(error as Error).message}. Something written by hand stands in the way: change it first, in a migration of your own.`,
          )
        }
      }
      summary.push(comment)
      blocks.push(`-- ${comment}\n${statements.map((statement) => `${statement};\n`).join("")}`)
    },
    schema: () => readSchema(database),
    deferForeignKeys() {
      deferred = true
    },
    finish() {
      if (blocks.length === 0) return null
      const head = deferred
        ? "-- D1 cannot switch foreign keys off: they are checked when the whole migration has run.\nPRAGMA defer_foreign_keys = ON;\n\n"
        : ""
      return { sql: head + blocks.join("\n"), summary }
    },
  }
}

/** Renames come first: what is compared afterwards has its new names. */
async function writeRenames(draft: Draft, desired: Schema, dialogue: Dialogue): Promise<void> {
  for (const { from, to } of await findTableRenames(draft.schema(), desired, dialogue)) {
    const { tables, parts } = draft.schema()
    const joins = [...tables.values()].filter((t) => t.origin === "join" && ownerOf(t) === from)
    const affected = [from, ...joins.map(({ name }) => name)]
    draft.step(
      `${from} is now called ${to}; records keep their ids, the change log its old lines`,
      [
        ...dropParts(
          [...parts.values()].filter((part) => affected.some((name) => mentions(part, name))),
        ),
        `ALTER TABLE "${from}" RENAME TO "${to}"`,
        ...joins.map(
          ({ name }) => `ALTER TABLE "${name}" RENAME TO "${to}${name.slice(from.length)}"`,
        ),
      ],
    )
  }
  for (const { from, to } of await findJoinRenames(draft.schema(), desired, dialogue)) {
    const parts = [...draft.schema().parts.values()].filter((part) => mentions(part, from))
    draft.step(`${from} is now called ${to}`, [
      ...dropParts(parts),
      `ALTER TABLE "${from}" RENAME TO "${to}"`,
    ])
  }
  for (const { table, from, to } of await findColumnRenames(draft.schema(), desired, dialogue)) {
    const parts = [...draft.schema().parts.values()].filter(
      (part) => mentions(part, table) && mentions(part, from),
    )
    draft.step(`${table}.${from} is now called ${to}`, [
      ...dropParts(parts),
      `ALTER TABLE "${table}" RENAME COLUMN "${from}" TO "${to}"`,
    ])
  }
  stopIfRefused(dialogue)
}

const mentions = ({ text, managed, table }: Part, name: string): boolean =>
  managed && (table === name || text.split(" ").includes(`"${name}"`))

/** Triggers first: they are what fails when a table or an index that they name is gone. */
function dropParts(parts: readonly Part[]): string[] {
  const order = { trigger: 0, search: 1, summary: 1, index: 2 }
  const words = { trigger: "TRIGGER", search: "TABLE", summary: "TABLE", index: "INDEX" }
  return [...parts]
    .sort((a, b) => order[a.kind] - order[b.kind])
    .map(({ kind, name }) => `DROP ${words[kind]} "${name}"`)
}

function stopIfRefused({ refusals, told }: Dialogue, all = false): void {
  if (all) {
    for (const flag of told.unused()) {
      refusals.push(`${flag}: there is no such change to make. Is it spelt as in the definitions?`)
    }
  }
  if (refusals.length > 0) throw new MigrationError(refusals.join("\n"))
}

function writeChanges(
  draft: Draft,
  desired: Schema,
  collections: LinkedCollections,
  dialogue: Dialogue,
): void {
  const before = draft.schema()
  const difference = compareSchemas(before, desired)
  const alterations = planAlterations(before, difference, collections, dialogue)
  stopIfRefused(dialogue, true)
  if (isEmpty(difference)) return
  if (alterations.some(({ deferred }) => deferred)) draft.deferForeignKeys()

  dropStale(draft, difference)
  for (const table of difference.newTables) draft.step(describeNew(table), [table.sql])
  for (const { comment, statements } of alterations) draft.step(comment, statements)
  const made = createMissing(draft, before, desired, difference, alterations)
  recompute(draft, collections, difference)
  recomputeSummaries(draft, collections, difference, made)
}

const describeNew = (table: Table): string =>
  table.origin === "join"
    ? `new to-many field ${ownerOf(table)}.${fieldOf(table)}: its join table`
    : `new collection ${table.name}`

function dropStale(draft: Draft, { stale, goneTables }: Difference): void {
  const gone = new Set(goneTables.map(({ name }) => name))
  // Indexes go with their table.
  const parts = stale.filter(({ kind, table }) => kind !== "index" || !gone.has(table))
  for (const [table, own] of Map.groupBy(parts, (part) => part.table)) {
    draft.step(`${table}: what no longer fits is dropped`, dropParts(own))
  }
}

/** Makes what is missing now, and answers it: what was before, what was dropped for a rename, what went with a rebuilt table. */
function createMissing(
  draft: Draft,
  before: Schema,
  desired: Schema,
  { newTables }: Difference,
  alterations: readonly Alteration[],
): readonly Part[] {
  const rebuilt = new Set(alterations.flatMap(({ rebuilds }) => rebuilds ?? []))
  const now = draft.schema()
  const handwritten = [...before.parts.values()].filter(
    (part) => !part.managed && rebuilt.has(part.table) && !now.parts.has(part.name),
  )
  const { missing } = compareSchemas(now, desired)
  const kinds = {
    index: "indexes",
    search: "full-text search",
    summary: "sums by span of time",
    trigger: "triggers",
  }
  const isNew = new Set(newTables.map(({ name }) => name))
  for (const kind of ["index", "search", "summary", "trigger"] as const) {
    const parts = [...missing, ...handwritten].filter((part) => part.kind === kind)
    for (const [table, own] of Map.groupBy(parts, (part) => part.table)) {
      const made = new Set(own.map(({ name }) => name))
      const filled = kind === "search" && !isNew.has(table) ? refill(made) : []
      draft.step(`${table}: ${kinds[kind]}`, [...own.map(({ sql }) => sql), ...filled])
    }
  }
  const kept = [...now.parts.values()].filter(
    (part) => part.kind === "search" && part.managed && rebuilt.has(part.table),
  )
  for (const { table, name } of kept) {
    draft.step(`${table}: its search reads the rebuilt rows`, refill(new Set([name])))
  }
  return missing
}

const refill = (searches: ReadonlySet<string>): string[] =>
  [...searches].map((name) => `INSERT INTO "${name}" ("${name}") VALUES ('rebuild')`)

/** Rollups whose triggers are new start from the records that exist. Where parent or children are new, there are none. */
function recompute(
  draft: Draft,
  collections: LinkedCollections,
  { missing, newTables, changedTables }: Difference,
): void {
  const isNew = new Set(newTables.map(({ name }) => name))
  for (const collection of collections.values()) {
    const statement = recomputeRollups(collection)
    if (!statement || isNew.has(collection.name)) continue
    const changed = missing.some(
      ({ kind, name, table }) =>
        kind === "trigger" && name.startsWith(`${collection.name}_rollup_`) && !isNew.has(table),
    )
    const added = changedTables
      .filter(({ desired }) => desired.name === collection.name)
      .flatMap(({ added }) => added.map(({ name }) => name))
    const stale = [...collection.fields.values()].some(
      ({ name, rollup }) => rollup && !added.includes(name) && isNew.has(rollup.child.name),
    )
    if (changed || stale) {
      draft.step(`${collection.name}: rollups of the records that exist`, [statement])
    }
  }
}

/** Summaries whose table or triggers are new, also because the records' table was made anew, start from the records. */
function recomputeSummaries(
  draft: Draft,
  collections: LinkedCollections,
  { newTables }: Difference,
  made: readonly Part[],
): void {
  const isNew = new Set(newTables.map(({ name }) => name))
  for (const collection of collections.values()) {
    const stale = collection.summaries.filter(
      ({ table }) =>
        !isNew.has(collection.name) &&
        made.some(({ name }) => name === table || name.startsWith(`${table}_`)),
    )
    if (stale.length > 0) {
      draft.step(
        `${collection.name}: sums of the records that exist`,
        stale.flatMap((summary) => recomputeSummary(collection, summary)),
      )
    }
  }
}
