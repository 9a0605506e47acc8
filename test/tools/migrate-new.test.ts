import { readFileSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { expect, test } from "vitest"
import { collection, type Fields, sqlView } from "../../src/core/records/collection.ts"
import {
  backRelation,
  boolean,
  expression,
  integer,
  number,
  point,
  relation,
  relations,
  rollup,
  text,
} from "../../src/core/records/fields.ts"
import type { Answers } from "../../src/tools/migrations/answers.ts"
import { checkSchema, listMigrations } from "../../src/tools/migrations.ts"
import { migrationProject } from "./migration-project.ts"

const notes = (fields: Fields, options: object = {}) => collection("notes", { fields, ...options })
const body = { body: text() }

/** From the first definitions to the second: the SQL of the second migration, without its first line. */
async function step(
  from: Parameters<typeof checkSchema>[0],
  to: Parameters<typeof checkSchema>[0],
  answers: Partial<Answers> = {},
  ask: ((question: string) => Promise<boolean>) | null = null,
): Promise<string> {
  const project = migrationProject()
  await project.migrate(from)
  const written = await project.migrate(to, answers, ask)
  expect(checkSchema(to, listMigrations(project.directory))).toEqual([])
  return written?.sql.split("\n").slice(2).join("\n") ?? ""
}

test("a new collection gets its table, and the second run has nothing to do", async () => {
  const project = migrationProject()
  const written = await project.migrate([notes(body)])
  expect(written?.path).toMatch(/\/\d{14}_app_step-\d+\.sql$/)
  expect(readFileSync(written?.path as string, "utf8")).toContain('CREATE TABLE "notes"')
  expect(written?.summary).toEqual(["new collection notes"])
  expect(await project.migrate([notes(body)])).toBeNull()
})

test("a migration is named after those that exist, even when the clock is behind", async () => {
  const project = migrationProject()
  project.write("29991231235959_app_future.sql", "CREATE TABLE extra (a TEXT);")
  const written = await project.migrate([notes(body)])
  expect(written?.path).toMatch(/29991231235960_app_/)
})

test("a new field is a new column, and an optional relation with a default starts as null", async () => {
  const to = notes({
    ...body,
    stars: integer({ required: true, default: 3 }),
    above: relation("notes", { default: "x" }),
  })
  expect(await step([notes(body)], [to])).toBe(`-- notes: new stars; in records that exist: 3
ALTER TABLE "notes" ADD COLUMN "stars" INTEGER NOT NULL DEFAULT 3;

-- notes: new above; in records that exist: null
ALTER TABLE "notes" ADD COLUMN "above" TEXT REFERENCES "notes" ("id");

-- notes: indexes
CREATE INDEX "notes_above" ON "notes" ("above", "id");
`)
})

test("a summary comes with the sums of what is there, is made anew when it changes, and goes", async () => {
  const project = migrationProject()
  const database = new DatabaseSync(":memory:")
  let applied = 0
  const step = async (fields: Fields, options: object, rebuild: string[] = []) => {
    await project.migrate([notes(fields, options)], { rebuild })
    const files = listMigrations(project.directory)
    for (const { sql } of files.slice(applied)) database.exec(sql)
    applied = files.length
    expect(checkSchema([notes(fields, options)], files)).toEqual([])
  }
  const kept = () => database.prepare("SELECT * FROM notes_by_month_createdAt ORDER BY 1").all()
  const write = (id: string, n: number) =>
    database.exec(
      `INSERT INTO notes ("id", "version", "createdAt", "updatedAt", "n") VALUES ('${id}', 1, '2026-1${n}-05', '', ${n})`,
    )
  const fields = { ...body, n: integer() }
  const counts = { summaries: [{ span: "month(createdAt)" }] }
  const sums = { summaries: [{ span: "month(createdAt)", sum: ["n"] }] }
  await step(fields, {})
  for (const [id, n] of Object.entries({ a: 0, b: 1, c: 1 })) write(id, n)
  await step(fields, counts)
  expect(kept()).toEqual([
    { bucket: "2026-10", rows: 1 },
    { bucket: "2026-11", rows: 2 },
  ])
  await step(fields, sums)
  write("d", 2)
  const all = [
    { bucket: "2026-10", rows: 1, n_high: 0, n_low: 0 },
    { bucket: "2026-11", rows: 2, n_high: 0, n_low: 2 },
    { bucket: "2026-12", rows: 1, n_high: 0, n_low: 2 },
  ]
  expect(kept()).toEqual(all)
  await step({ ...body, n: integer({ required: true }) }, sums, ["notes"])
  expect(kept()).toEqual(all)
  database.exec("DELETE FROM notes WHERE id = 'd'; UPDATE notes SET n = 5 WHERE id = 'b'")
  expect(kept()).toEqual([all[0], { ...all[1], n_low: 6 }])
  await step({ ...body, n: integer({ required: true }) }, {})
  expect(kept).toThrow("no such table")
})

test("a point comes with what its index is made of, is renamed with it, and goes with it", async () => {
  const at = notes({ ...body, location: point() })
  const added = await step([notes(body)], [at])
  expect(added).toContain('ADD COLUMN "location" TEXT CHECK (json_extract')
  expect(added).toContain(
    'CREATE INDEX "notes_location_band_location_longitude" ON "notes" ("location_band", "location_longitude", "id")',
  )
  const renamed = await step([at], [notes({ ...body, place: point() })], {
    rename: ["notes.location=place"],
  })
  expect(renamed).toContain('RENAME COLUMN "location" TO "place"')
  expect(renamed).not.toContain('DROP COLUMN "place"')
  const dropped = await step([at], [notes(body)], { drop: ["notes.location"] })
  expect(dropped).toContain('DROP COLUMN "location"')
})

test("a view needs no migration, but has to run over the tables that there will be", async () => {
  const counts = (sql: string) => sqlView("counts", { sql, fields: { n: integer() } })
  const sound = counts("SELECT body AS id, count(*) AS n FROM notes GROUP BY body")
  const project = migrationProject()
  const written = await project.migrate([notes(body), sound])
  expect(written?.summary).toEqual(["new collection notes"])
  expect(await project.migrate([notes(body)])).toBeNull()
  for (const [sql, problem] of [
    [
      "SELECT title AS id, 1 AS n FROM notes",
      'The view "counts" does not run: no such column: title',
    ],
    ["SELECT id, 1 AS m FROM notes", "no such column: q.n"],
    ["SELECT id, 1 AS n FROM nobody", "no such table: nobody"],
  ] as const) {
    await expect(project.migrate([notes(body), counts(sql)])).rejects.toThrow(problem)
  }
  const people = counts("SELECT id, length(name) AS n FROM members")
  expect(await project.migrate([notes(body), people])).toBeNull()
})

test("a default may be any text", async () => {
  const field = text({ required: true, default: "it's\n-- two; lines" })
  expect(await step([notes(body)], [notes({ ...body, field })])).toContain(
    `in records that exist: 'it''s -- two; lines'\nALTER TABLE`,
  )
})

test("another default, rule, length or choice is no change of the table", async () => {
  const from = notes({ body: text({ default: "a" }) })
  const to = notes(
    { body: text({ default: "it's b", max: 10, readable: "true" }) },
    { rules: { read: "true" } },
  )
  expect(await step([from], [to])).toBe("")
})

test("indexes and search come and go with their definition, and a new search reads what exists", async () => {
  const to = notes(body, { indexes: ["-body"], search: ["body"] })
  const there = await step([notes(body)], [to])
  expect(there).toContain('CREATE INDEX "notes_body_desc"')
  expect(there).toContain(`INSERT INTO "notes_search" ("notes_search") VALUES ('rebuild');`)
  const back = await step([to], [notes(body)])
  expect(back).toContain('DROP TRIGGER "notes_search_insert"')
  expect(back).toContain('DROP TABLE "notes_search"')
  expect(back).toContain('DROP INDEX "notes_body_desc"')
})

const lists = (fields: Fields) =>
  collection("lists", { fields: { items: backRelation("items", "list"), ...fields } })
const items = collection("items", {
  fields: { list: relation("lists"), price: integer(), weight: number() },
})

test("a new rollup starts from the records that exist", async () => {
  const to = lists({ total: rollup("sum", "items.price"), mean: rollup("avg", "items.price") })
  const sql = await step([lists({}), items], [to, items])
  expect(sql).toContain('ALTER TABLE "lists" ADD COLUMN "mean" REAL GENERATED ALWAYS AS')
  expect(sql).toContain('UPDATE "lists" SET "total" = (SELECT ifnull(sum("price"), 0)')
})

test("a rollup may go without being told, because it can be computed again", async () => {
  const from = lists({ n: rollup("count", "items"), mean: rollup("avg", "items.price") })
  const sql = await step([from, items], [lists({}), items])
  expect(sql).toContain('DROP COLUMN "n"')
  expect(sql.indexOf('DROP COLUMN "mean"')).toBeLessThan(sql.indexOf('DROP COLUMN "mean_sum"'))
})

test("a rollup over new children costs no update of the parents", async () => {
  const sql = await step(
    [collection("lists", { fields: {} })],
    [lists({ n: rollup("count", "items") }), items],
  )
  expect(sql).not.toContain('UPDATE "lists" SET "n" = (')
})

test("indexes and triggers written by hand stay, through a rebuild too", async () => {
  const project = migrationProject()
  await project.migrate([notes(body)])
  project.write(
    "20990101000000_app_by-hand.sql",
    "CREATE INDEX long_notes ON notes (body) WHERE length(body) > 100; CREATE TRIGGER watch AFTER INSERT ON notes BEGIN SELECT 1; END;",
  )
  expect(await project.migrate([notes(body)])).toBeNull()
  const written = await project.migrate([notes({ body: integer() })], { rebuild: ["notes"] })
  expect(written?.sql).toContain(
    "CREATE INDEX long_notes ON notes (body) WHERE length(body) > 100;",
  )
  expect(written?.sql).toContain("CREATE TRIGGER watch AFTER INSERT ON notes BEGIN SELECT 1; END;")
})

test("a renamed field keeps its column, with its index, search and rollup", async () => {
  const from = collection("items", {
    fields: { list: relation("lists"), price: integer(), name: text() },
    search: ["name"],
    indexes: ["price"],
  })
  const to = collection("items", {
    fields: { list: relation("lists"), cost: integer(), title: text() },
    search: ["title"],
    indexes: ["cost"],
  })
  const sql = await step(
    [lists({ total: rollup("sum", "items.price") }), from],
    [lists({ total: rollup("sum", "items.cost") }), to],
    { rename: ["items.price=cost", "items.name=title"] },
  )
  expect(sql).toContain('ALTER TABLE "items" RENAME COLUMN "price" TO "cost";')
  expect(sql).toContain('ALTER TABLE "items" RENAME COLUMN "name" TO "title";')
  expect(sql).not.toContain("DROP COLUMN")
})

test("a change of case alone is a rename without a question", async () => {
  expect(await step([notes({ fulltext: text() })], [notes({ fullText: text() })])).toContain(
    'RENAME COLUMN "fulltext" TO "fullText"',
  )
})

test("a renamed collection keeps its table, its join tables and what points at it", async () => {
  const tags = collection("tags", { fields: { name: text() } })
  const from = [
    collection("notes", {
      fields: { ...body, tags: relations("tags"), above: relation("notes") },
      search: ["body"],
    }),
    tags,
  ]
  const to = [
    collection("memos", {
      fields: { ...body, tags: relations("tags"), above: relation("memos") },
      search: ["body"],
    }),
    tags,
  ]
  const sql = await step(from, to, { renameTable: ["notes=memos"] })
  expect(sql).toContain('ALTER TABLE "notes" RENAME TO "memos";')
  expect(sql).toContain('ALTER TABLE "notes_tags" RENAME TO "memos_tags";')
  expect(sql).not.toMatch(/DROP TABLE "notes"/)
})

test("a renamed to-many field keeps its join table", async () => {
  const tags = collection("tags", { fields: { name: text() } })
  const sql = await step(
    [notes({ tags: relations("tags") }), tags],
    [notes({ labels: relations("tags") }), tags],
    { rename: ["notes.tags=labels"] },
  )
  expect(sql).toContain('ALTER TABLE "notes_tags" RENAME TO "notes_labels";')
})

test("on a terminal it asks, each pair of the same type once, and yes renames", async () => {
  const asked: string[] = []
  const answer = (question: string) => {
    asked.push(question)
    return Promise.resolve(question.includes("notes.summary"))
  }
  const from = notes({ body: text(), done: boolean() })
  const to = notes({ text: text(), summary: text() })
  const sql = await step([from], [to], { drop: ["notes.done"] }, answer)
  expect(asked).toEqual([
    "Is notes.body now called notes.text? Its data stays.",
    "Is notes.body now called notes.summary? Its data stays.",
  ])
  expect(sql).toContain('RENAME COLUMN "body" TO "summary"')
  expect(sql).toContain('DROP COLUMN "done"')
})

test("told so, a field, a to-many field and a collection are dropped, children before parents", async () => {
  const from = [
    collection("tags", { fields: { name: text() } }),
    notes({ body: text(), tags: relations("tags"), tag: relation("tags") }),
  ]
  const fields = await step(from, [from[0] as never, notes({})], {
    drop: ["notes.body", "notes.tags", "notes.tag"],
  })
  expect(fields).toContain('ALTER TABLE "notes" DROP COLUMN "tag";')
  expect(fields).toContain('DROP TABLE "notes_tags";')
  const tables = await step(from, [], { dropTable: ["notes", "tags"] })
  expect(tables.indexOf('DROP TABLE "notes"')).toBeLessThan(tables.indexOf('DROP TABLE "tags"'))
})

const refusals: [string, from: Fields, to: Fields, message: string][] = [
  [
    "a required field without a default",
    body,
    { ...body, text: text({ required: true }) },
    "notes.text is required and has no constant default, but records may exist already. Give it a default; or make it optional, fill it, and require it in a later migration.",
  ],
  [
    "a required field whose default is computed at creation",
    body,
    { ...body, by: text({ required: true, default: expression("@me.id") }) },
    "notes.by is required and has no constant default",
  ],
  [
    "a drop",
    body,
    {},
    "dropping it deletes its values in every record (the change log keeps those it has seen). To do so, add --drop notes.body.",
  ],
  [
    "a drop of a to-many field",
    { notes: relations("notes") },
    {},
    "To do so, add --drop notes.notes.",
  ],
  [
    "what may be a rename",
    body,
    { text: text() },
    "notes.body is gone, and notes.text is new. Was it renamed? Then add --rename notes.body=text. Otherwise add --drop notes.body, which deletes what it holds.",
  ],
  [
    "another type",
    body,
    { body: integer() },
    "notes must be made anew (body goes from TEXT to INTEGER): every row is written twice and, if one does not fit, nothing happens at all. To do so, add --rebuild notes.",
  ],
  [
    "a field that becomes required",
    body,
    { body: text({ required: true }) },
    "body goes from TEXT to TEXT NOT NULL",
  ],
  [
    "a new required relation with a default",
    body,
    { ...body, above: relation("notes", { required: true, default: "x" }) },
    "above is a required relation",
  ],
]

test.each(refusals)("refuses %s until told", async (_, from, to, message) => {
  await expect(step([notes(from)], [notes(to)])).rejects.toThrow(message)
})

test("refuses to drop a collection until told, and names all refusals at once", async () => {
  const tags = collection("tags", { fields: { name: text() } })
  await expect(step([notes(body), tags], [notes({})])).rejects.toThrow(
    /--drop notes\.body\.\n.*--drop-table tags; to keep them, list it again in src\/app\/collections\.ts\.$/,
  )
})

test("refuses a collection that is gone while another is new, unless it is told which it is", async () => {
  const memos = collection("memos", { fields: body })
  await expect(step([notes(body)], [memos])).rejects.toThrow(
    "notes is gone, and memos is new. Was it renamed? Then add --rename-table notes=memos. Otherwise add --drop-table notes",
  )
  expect(await step([notes(body)], [memos], { dropTable: ["notes"] })).toContain(
    'DROP TABLE "notes"',
  )
})

test("refuses an organisation for records that have none", async () => {
  await expect(step([notes(body)], [notes(body, { scope: "organisation" })])).rejects.toThrow(
    "notes would belong to organisations, but its records have none.",
  )
})

test("refuses a flag that nothing asks for", async () => {
  await expect(step([notes(body)], [notes(body)], { drop: ["notes.bdoy"] })).rejects.toThrow(
    "--drop notes.bdoy: there is no such change to make.",
  )
  await expect(
    step([notes(body)], [notes({ text: text() })], { rename: ["notes.body=txet"] }),
  ).rejects.toThrow(
    "--rename notes.body=txet: txet is no new field of the same kind: text would fit.",
  )
})

test("refuses a rebuild that would set off another table's ON DELETE", async () => {
  const project = migrationProject()
  await project.migrate([notes(body)])
  project.write(
    "20990101000000_app_by-hand.sql",
    "CREATE TABLE scans (note TEXT REFERENCES notes (id) ON DELETE CASCADE);",
  )
  await expect(
    project.migrate([notes({ body: integer() })], { rebuild: ["notes"] }),
  ).rejects.toThrow(
    "that would set off the foreign keys of scans (ON DELETE CASCADE): D1 cannot switch them off, so rows there would go.",
  )
})

test("refuses to drop a collection that a table written by hand points at", async () => {
  const project = migrationProject()
  await project.migrate([notes(body)])
  project.write(
    "20990101000000_app_by-hand.sql",
    "CREATE TABLE scans (note TEXT REFERENCES notes (id));",
  )
  await expect(project.migrate([], { dropTable: ["notes"] })).rejects.toThrow(
    "notes is gone, but scans, written by hand, still points at it",
  )
})

test("refuses a collection named like a table written by hand", async () => {
  const project = migrationProject()
  project.write("20990101000000_app_by-hand.sql", "CREATE TABLE notes (a TEXT);")
  await expect(project.migrate([notes(body)])).rejects.toThrow('The table "notes" exists already')
})

test("names the migration that does not apply", async () => {
  const project = migrationProject()
  project.write("20990101000000_app_broken.sql", "CREATE TABLE;")
  await expect(project.migrate([notes(body)])).rejects.toThrow(
    "migrations/20990101000000_app_broken.sql does not apply: ",
  )
})

test("says what a collection still needs, and never that there is no such table", async () => {
  const project = migrationProject()
  const check = (...collections: Parameters<typeof checkSchema>[0]) =>
    checkSchema(collections, listMigrations(project.directory))
  expect(check(notes(body))).toEqual([
    'Collection "notes" has no table yet: run "npm run migrate:new add-notes".',
  ])
  await project.migrate([notes(body)])
  expect(check(notes(body))).toEqual([])
  expect(check(notes({ text: text(), tags: relations("notes") }, { search: ["text"] }))).toEqual([
    'Collection "notes" differs from its table (new tags, new text, body gone, other search, other triggers): run "npm run migrate:new change-notes".',
  ])
  expect(check()).toEqual([
    'The table "notes" belongs to no collection: list it again in src/app/collections.ts, or run "npm run migrate:new drop-notes -- --drop-table notes".',
  ])
})
