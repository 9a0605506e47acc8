import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { DatabaseSync } from "node:sqlite"
import fc from "fast-check"
import { expect, test } from "vitest"
import { type Collection, collection, type Fields } from "../../src/core/records/collection.ts"
import { columnsOf } from "../../src/core/records/columns.ts"
import { recomputeRollups, schemaObjects } from "../../src/core/records/ddl.ts"
import {
  backRelation,
  boolean,
  type Field,
  integer,
  json,
  markdown,
  number,
  point,
  relation,
  relations,
  rollup,
  text,
} from "../../src/core/records/fields.ts"
import { linkCollections } from "../../src/core/records/link.ts"
import { type Answers, noAnswers } from "../../src/tools/migrations/answers.ts"
import { MigrationError, replay } from "../../src/tools/migrations/files.ts"
import { writeNewMigration } from "../../src/tools/migrations/new-migration.ts"
import { splitStatements } from "../../src/tools/migrations/split.ts"
import { normalForm } from "../../src/tools/migrations/tokens.ts"
import { checkSchema, listMigrations } from "../../src/tools/migrations.ts"

/*
 * Whatever the definitions were and whatever they become: told all that it asks for, migrate:new leads exactly there,
 * and what did not change keeps its data. Every value is some form of 1, so that any type can become any other.
 */

const names = ["ants", "bees", "cats", "dogs"]
const plain = ["f", "g", "h", "i", "j"]

const plainField: fc.Arbitrary<Field> = fc.oneof(
  fc
    .record({ required: fc.boolean(), unique: fc.boolean() })
    .map(({ required, unique }) =>
      text({ unique, ...(required && { required: true, default: "1" }) }),
    ),
  fc.constant(markdown({ default: 'it\'s; -- "1"' })),
  fc.boolean().map((required) => integer(required ? { required: true, default: 1 } : {})),
  fc.boolean().map((required) => number(required ? { required: true, default: -1.5e-7 } : {})),
  fc.constant(boolean({ required: true, default: true })),
  fc.constant(json({ default: { a: [1] } })),
  fc.constant(point()),
)

const definitions: fc.Arbitrary<Collection[]> = fc
  .subarray(names, { minLength: 0 })
  .chain((chosen) => fc.tuple(...chosen.map((name) => definition(name, chosen))))
  .map(withRollups)

function definition(name: string, all: readonly string[]): fc.Arbitrary<Collection> {
  const target = fc.constantFrom(...all, "members")
  return fc
    .record({
      own: fc.dictionary(fc.constantFrom(...plain), plainField, { maxKeys: 4 }),
      to: fc.dictionary(
        fc.constantFrom("r", "s"),
        target.map((to) => relation(to)),
      ),
      many: fc.dictionary(
        fc.constantFrom("t", "u"),
        target.map((to) => relations(to)),
      ),
      indexed: fc.subarray(plain),
      descending: fc.boolean(),
      searched: fc.boolean(),
    })
    .map(({ own, to, many, indexed, descending, searched }) => {
      const fields: Fields = { ...own, ...to, ...many }
      const texts = Object.keys(own).filter((field) =>
        ["text", "markdown"].includes(own[field]?.kind ?? ""),
      )
      return collection(name, {
        fields,
        indexes: indexed
          .filter((field) => field in own)
          .map((field) => (descending ? `-${field}` : field)),
        ...(searched && { search: texts }),
      })
    })
}

/** Wherever somebody points at a collection, it counts and sums them. */
function withRollups(collections: readonly Collection[]): Collection[] {
  return collections.map(({ name, options }) => {
    const fields: Record<string, Field> = { ...options.fields }
    for (const child of collections) {
      if (child.options.fields.r?.options.target !== name || name === child.name) continue
      const from = `from${child.name}`
      fields[from] = backRelation(child.name, "r")
      fields[`${from}Count`] = rollup("count", from)
      for (const [field, { kind }] of Object.entries(child.options.fields)) {
        if (kind === "integer") fields[`${from}Mean`] = rollup("avg", `${from}.${field}`)
        if (kind === "number") fields[`${from}Sum`] = rollup("sum", `${from}.${field}`)
      }
    }
    return collection(name, { ...options, fields })
  })
}

/** Says yes to everything that is asked for: that the messages name the right flags is part of the property. */
async function migrate(
  directory: string,
  collections: readonly Collection[],
  preferRenames: boolean,
): Promise<boolean> {
  const answers = structuredClone(noAnswers) as { -readonly [K in keyof Answers]: string[] }
  const lists = {
    rename: answers.rename,
    "rename-table": answers.renameTable,
    drop: answers.drop,
    "drop-table": answers.dropTable,
    rebuild: answers.rebuild,
  }
  // Two cannot have been renamed to the same.
  const taken = new Set<string>()
  const targetOf = (value: string) => value.replace(/\w+=/, "")
  const isFree = (flag: string | undefined, value: string) =>
    flag?.startsWith("rename") ? preferRenames && !taken.has(targetOf(value)) : true
  for (let attempt = 0; attempt < 10; attempt++) {
    try {
      const options = { collections, directory, name: "next", owner: "app", answers } as const
      return (await writeNewMigration(options)) !== null
    } catch (error) {
      if (!(error instanceof MigrationError)) throw error
      let told = false
      for (const line of error.message.split("\n")) {
        const offered = [...line.matchAll(/--([a-z-]+) (\w+(?:\.\w+)?(?:=\w+)?)/g)]
        const [, flag, value] = offered.find(([, flag, value = ""]) => isFree(flag, value)) ?? []
        if (!flag || !value) continue
        lists[flag as keyof typeof lists].push(value)
        taken.add(targetOf(value))
        told = true
      }
      if (!told) throw error
    }
  }
  throw new Error("it keeps asking")
}

/** One record a collection, which points wherever that still has a meaning afterwards. */
function fill(
  database: DatabaseSync,
  from: readonly Collection[],
  to: readonly Collection[],
): void {
  const later = new Map(to.map((definition) => [definition.name, definition.options.fields]))
  const pointers: string[] = []
  for (const { name, options } of from) {
    const columns = ["pk", "id", "version", "createdAt", "updatedAt"]
    const values = ["42", "'1'", "1", "'x'", "'y'"]
    for (const [
      field,
      {
        kind,
        options: { target },
      },
    ] of Object.entries(options.fields)) {
      if (kind === "backRelation" || kind === "rollup") continue
      if (target) {
        const stays = later.get(name)?.[field]?.options.target === target
        if (target === "members" || !stays) continue
        pointers.push(
          kind === "relation"
            ? `UPDATE "${name}" SET "${field}" = '1'`
            : `INSERT INTO "${name}_${field}" VALUES ('1', '1', 0)`,
        )
        continue
      }
      columns.push(`"${field}"`)
      values.push(["text", "markdown", "json"].includes(kind) ? "'1'" : "1")
    }
    database.exec(`INSERT INTO "${name}" (${columns}) VALUES (${values})`)
  }
  for (const statement of pointers) database.exec(statement)
}

/** What SQLite itself says of a schema, in no particular order and without defaults. */
function fingerprint(database: DatabaseSync): unknown {
  const all = (sql: string, ...params: string[]) =>
    database
      .prepare(sql)
      .all(...params)
      .map((row) => JSON.stringify(row))
      .sort()
  const tables = database
    .prepare(
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite%' AND type <> 'shadow' ORDER BY name",
    )
    .all()
    .map(({ name }) => String(name))
  return [
    tables.map((name) => [
      name,
      all("SELECT strict, wr FROM pragma_table_list WHERE name = ?", name),
      all('SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?)', name),
      all('SELECT "table", "from", "to", on_delete FROM pragma_foreign_key_list(?)', name),
      all(
        `SELECT l.origin, l."unique", (SELECT group_concat(coalesce(x.name, '') || x."desc") FROM pragma_index_xinfo(l.name) x WHERE x.key) AS columns FROM pragma_index_list(?) l`,
        name,
      ),
    ]),
    database
      .prepare(
        "SELECT name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') OR sql LIKE 'CREATE VIRTUAL%'",
      )
      .all()
      .map(({ name, sql }) => `${name}: ${sql && normalForm(String(sql))}`)
      .filter((line) => !line.startsWith("sqlite_"))
      .sort(),
  ]
}

function apply(database: DatabaseSync, sql: string): void {
  database.exec("BEGIN")
  for (const statement of splitStatements(sql)) database.exec(statement)
  database.exec("COMMIT")
}

test("from any collections to any others: the schema is as if made from scratch, and unchanged data stay", async () => {
  await fc.assert(
    fc.asyncProperty(definitions, definitions, fc.boolean(), async (from, to, preferRenames) => {
      const directory = mkdtempSync(join(tmpdir(), "migrations-"))
      try {
        const core = readdirSync("migrations").filter((name) => name.includes("_core_"))
        for (const name of core)
          writeFileSync(join(directory, name), readFileSync(join("migrations", name)))
        const scratch = replay(listMigrations(directory))
        await migrate(directory, from, preferRenames)
        const database = replay(listMigrations(directory))
        fill(database, from, to)
        const before = rowsOf(database, from)
        if (await migrate(directory, to, preferRenames)) {
          apply(database, listMigrations(directory).at(-1)?.sql ?? "")
        }
        expect(await migrate(directory, to, preferRenames)).toBe(false)
        expect(checkSchema(to, listMigrations(directory))).toEqual([])

        for (const object of schemaObjects(linkCollections(to).values())) scratch.exec(object.sql)
        expect(fingerprint(database)).toEqual(fingerprint(scratch))
        expectUnchanged(database, before, from, to)
        expectConsistent(database, to)
      } finally {
        rmSync(directory, { recursive: true })
      }
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 150) },
  )
})

const rowsOf = (database: DatabaseSync, collections: readonly Collection[]) =>
  new Map(collections.map(({ name }) => [name, database.prepare(`SELECT * FROM "${name}"`).get()]))

function expectUnchanged(
  database: DatabaseSync,
  before: ReturnType<typeof rowsOf>,
  from: readonly Collection[],
  to: readonly Collection[],
): void {
  for (const { name, options } of to) {
    const old = from.find((definition) => definition.name === name)
    if (!old) continue
    const row = database.prepare(`SELECT * FROM "${name}"`).get()
    expect([row?.pk, row?.id, row?.createdAt]).toEqual([42, "1", "x"])
    for (const [field, definition] of Object.entries(options.fields)) {
      if (["rollup", "backRelation", "relations"].includes(definition.kind)) continue
      if (JSON.stringify(old.options.fields[field]) !== JSON.stringify(definition)) continue
      expect([field, row?.[field]]).toEqual([field, before.get(name)?.[field]])
    }
  }
}

/** Rollups and search agree with the rows, and no reference is broken. */
function expectConsistent(database: DatabaseSync, collections: readonly Collection[]): void {
  expect(database.prepare("PRAGMA foreign_key_check").all()).toEqual([])
  const linked = linkCollections(collections)
  for (const { name } of collections) {
    const collection = linked.get(name)
    if (!collection) continue
    const columns = columnsOf(collection).map((column) => `"${column.name}"`)
    const read = () => database.prepare(`SELECT ${columns} FROM "${name}"`).all()
    const kept = read()
    const statement = recomputeRollups(collection)
    if (statement) database.exec(statement)
    expect(read()).toEqual(kept)
    if (collection.searchFields.length > 0) {
      database.exec(
        `INSERT INTO "${name}_search" ("${name}_search", rank) VALUES ('integrity-check', 1)`,
      )
    }
  }
}
