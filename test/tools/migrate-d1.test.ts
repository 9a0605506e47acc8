import { expect, test } from "vitest"
import { collections as filmClub } from "../../src/app/collections.ts"
import { collection, type Fields } from "../../src/core/records/collection.ts"
import {
  backRelation,
  integer,
  relation,
  relations,
  rollup,
  text,
} from "../../src/core/records/fields.ts"
import { applyMigrations, checkSchema, listMigrations } from "../../src/tools/migrations.ts"
import { localD1, migrationProject, system, systemValues } from "./migration-project.ts"

/*
 * On workerd's own D1, because its foreign keys are the point: they cannot be switched off there.
 */

const authors = (fields: Fields) =>
  collection("authors", {
    fields: {
      ...fields,
      mentor: relation("authors"),
      books: backRelation("books", "author"),
      bookCount: rollup("count", "books"),
      pages: rollup("sum", "books.pages"),
    },
    search: ["name"],
    indexes: ["name"],
  })
const books = collection("books", {
  fields: {
    author: relation("authors", { required: true }),
    pages: integer(),
    readers: relations("authors"),
  },
})

async function library() {
  const project = migrationProject()
  const d1 = await localD1()
  await project.migrate([authors({ name: text(), born: text() }), books])
  await applyMigrations(d1, listMigrations(project.directory))
  await d1.run(
    `INSERT INTO authors (pk, ${system}, name, born, mentor) VALUES (7, ${systemValues("a")}, 'Ann', '1900', NULL), (9, ${systemValues("b")}, 'Bob', NULL, 'a')`,
    `INSERT INTO books (${system}, author, pages) VALUES (${systemValues("x")}, 'a', 100), (${systemValues("y")}, 'a', 20), (${systemValues("z")}, 'b', 3)`,
    `INSERT INTO books_readers (source, target, position) VALUES ('x', 'b', 0), ('y', 'a', 0)`,
  )
  return { project, d1, apply: () => applyMigrations(d1, listMigrations(project.directory)) }
}

test("a parent made anew keeps every child, its pk, search, rollups and foreign keys", async () => {
  const { project, d1, apply } = await library()
  const before = {
    books: await d1.rows("SELECT * FROM books"),
    readers: await d1.rows("SELECT * FROM books_readers"),
  }
  const to = [authors({ name: text(), born: integer({ required: true, default: 1950 }) }), books]
  await project.migrate(to, { rebuild: ["authors"] })
  await apply()
  expect(await d1.rows("SELECT pk, id, name, born, mentor, bookCount, pages FROM authors")).toEqual(
    [
      { pk: 7, id: "a", name: "Ann", born: 1900, mentor: null, bookCount: 2, pages: 120 },
      { pk: 9, id: "b", name: "Bob", born: 1950, mentor: "a", bookCount: 1, pages: 3 },
    ],
  )
  expect(await d1.rows("SELECT * FROM books")).toEqual(before.books)
  expect(await d1.rows("SELECT * FROM books_readers")).toEqual(before.readers)
  expect(await d1.rows("PRAGMA foreign_key_check")).toEqual([])
  expect(
    await d1.rows(`SELECT rowid FROM authors_search WHERE authors_search MATCH 'bob'`),
  ).toEqual([{ rowid: 9 }])
  await d1.run(`INSERT INTO books (${system}, author, pages) VALUES (${systemValues("w")}, 'b', 1)`)
  expect(await d1.rows("SELECT pages FROM authors WHERE id = 'b'")).toEqual([{ pages: 4 }])
  await expect(d1.run("DELETE FROM authors WHERE id = 'a'")).rejects.toThrow("FOREIGN KEY")
})

test("a rebuild that a row does not fit into fails with its reason, and nothing has happened", async () => {
  const { project, d1, apply } = await library()
  await project.migrate([authors({ name: integer(), born: text() }), books].map(withoutSearch), {
    rebuild: ["authors"],
  })
  await expect(apply()).rejects.toThrow(
    /^migrations\/\d{14}_app_step-\d+\.sql failed, and nothing of it was applied: .*cannot store TEXT value in INTEGER column authors.name/,
  )
  expect(await d1.rows("SELECT name FROM authors")).toEqual([{ name: "Ann" }, { name: "Bob" }])
  expect(await d1.rows("SELECT count(*) AS n FROM books")).toEqual([{ n: 3 }])
  expect(
    await d1.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%aside%'"),
  ).toEqual([])
})

const withoutSearch = (definition: ReturnType<typeof authors> | typeof books) =>
  collection(definition.name, { fields: definition.options.fields })

test("a relation that is pointed elsewhere fails where its ids mean nothing, and says so", async () => {
  const { project, apply, d1 } = await library()
  const people = collection("people", { fields: { name: text() } })
  const to = collection("books", {
    fields: {
      author: relation("people", { required: true }),
      pages: integer(),
      readers: relations("authors"),
    },
  })
  const alone = collection("authors", {
    fields: { name: text(), born: text(), mentor: relation("authors") },
    search: ["name"],
    indexes: ["name"],
  })
  await project.migrate([alone, people, to], { rebuild: ["books"] })
  await expect(apply()).rejects.toThrow(
    "a row of books (pk 1) points at a row of people that does not exist",
  )
  expect(await d1.rows("SELECT count(*) AS n FROM books")).toEqual([{ n: 3 }])
})

test("renamed fields and collections keep their values, children and search", async () => {
  const { project, d1, apply } = await library()
  const people = collection("people", {
    fields: {
      fullName: text(),
      born: text(),
      mentor: relation("people"),
      books: backRelation("books", "writer"),
      bookCount: rollup("count", "books"),
      pages: rollup("sum", "books.length"),
    },
    search: ["fullName"],
  })
  const to = collection("books", {
    fields: {
      writer: relation("people", { required: true }),
      length: integer(),
      fans: relations("people"),
    },
  })
  await project.migrate([people, to], {
    renameTable: ["authors=people"],
    rename: [
      "people.name=fullName",
      "books.author=writer",
      "books.pages=length",
      "books.readers=fans",
    ],
  })
  await apply()
  expect(await d1.rows("SELECT pk, fullName, mentor, bookCount, pages FROM people")).toEqual([
    { pk: 7, fullName: "Ann", mentor: null, bookCount: 2, pages: 120 },
    { pk: 9, fullName: "Bob", mentor: "a", bookCount: 1, pages: 3 },
  ])
  expect(await d1.rows("SELECT writer, length FROM books WHERE id = 'x'")).toEqual([
    { writer: "a", length: 100 },
  ])
  expect(await d1.rows("SELECT source, target FROM books_fans ORDER BY source")).toEqual([
    { source: "x", target: "b" },
    { source: "y", target: "a" },
  ])
  expect(await d1.rows("SELECT rowid FROM people_search WHERE people_search MATCH 'ann'")).toEqual([
    { rowid: 7 },
  ])
})

test("a rollup and a search that are added meet the records that exist", async () => {
  const project = migrationProject()
  const d1 = await localD1()
  const apply = () => applyMigrations(d1, listMigrations(project.directory))
  const items = collection("items", { fields: { list: relation("lists"), price: integer() } })
  await project.migrate([collection("lists", { fields: { name: text() } }), items])
  await apply()
  await d1.run(
    `INSERT INTO lists (${system}, name) VALUES (${systemValues("l")}, 'Fruit'), (${systemValues("m")}, 'Stones')`,
    `INSERT INTO items (${system}, list, price) VALUES (${systemValues("i")}, 'l', 3), (${systemValues("j")}, 'l', 4), (${systemValues("k")}, NULL, 9)`,
  )
  const lists = collection("lists", {
    fields: {
      name: text(),
      items: backRelation("items", "list"),
      n: rollup("count", "items"),
      mean: rollup("avg", "items.price"),
    },
    search: ["name"],
  })
  await project.migrate([lists, items])
  await apply()
  expect(await d1.rows("SELECT id, n, mean FROM lists")).toEqual([
    { id: "l", n: 2, mean: 3.5 },
    { id: "m", n: 0, mean: null },
  ])
  expect(
    await d1.rows("SELECT rowid FROM lists_search WHERE lists_search MATCH 'fruit'"),
  ).toHaveLength(1)
})

test("collections that point at each other are dropped together", async () => {
  const { project, d1, apply } = await library()
  await project.migrate([], { dropTable: ["authors", "books"] })
  await apply()
  expect(
    await d1.rows(
      "SELECT name FROM sqlite_master WHERE name LIKE 'authors%' OR name LIKE 'books%'",
    ),
  ).toEqual([])
})

test("merges a new core migration into a clone that has app migrations and data", async () => {
  const { project, d1, apply } = await library()
  const app = listMigrations(project.directory).map(({ name }) => name)
  // Upstream wrote it before the app's own migrations, and it arrives after they were applied.
  const core = "20261121000002_core_devices.sql"
  project.write(
    core,
    "CREATE TABLE devices (id TEXT PRIMARY KEY NOT NULL, member TEXT REFERENCES members (id)) STRICT;\nALTER TABLE members ADD COLUMN pronouns TEXT;\n",
  )
  expect(
    listMigrations(project.directory)
      .map(({ name }) => name)
      .indexOf(core),
  ).toBeLessThan(app.length)
  expect(await apply()).toEqual([core])
  expect(await apply()).toEqual([])
  expect(await d1.rows("SELECT id, name, bookCount FROM authors")).toHaveLength(2)
  expect(
    await d1.rows("SELECT count(*) AS n FROM pragma_table_info('members') WHERE name = 'pronouns'"),
  ).toEqual([{ n: 1 }])
  const definitions = [authors({ name: text(), born: text() }), books]
  expect(checkSchema(definitions, listMigrations(project.directory))).toEqual([])
  expect(await project.migrate(definitions)).toBeNull()
  const next = await project.migrate([authors({ name: text(), born: text(), died: text() }), books])
  expect(await apply()).toEqual([next?.path.split("/").at(-1)])
})

test("an applied migration that was edited, or is gone, is refused by name with its mend", async () => {
  const { project, apply, d1 } = await library()
  const [{ name, sql }] = listMigrations(project.directory).slice(-1) as [
    { name: string; sql: string },
  ]
  project.write(name, sql.replaceAll("\n", "\r\n"))
  expect(await apply()).toEqual([])
  project.write(name, `${sql}\nALTER TABLE books ADD COLUMN isbn TEXT;`)
  await expect(apply()).rejects.toThrow(
    `migrations/${name} was edited after it was applied, so this database is not what it says. Restore it (git checkout -- migrations/${name}), and write the change as a new migration: npm run migrate:new <name>.`,
  )
  const others = listMigrations(project.directory).filter((migration) => migration.name !== name)
  await expect(applyMigrations(d1, others)).rejects.toThrow(
    `migrations/${name} was applied to this database, but the file is gone.`,
  )
})

test("what wrangler has applied is not applied again, and is watched from then on", async () => {
  const project = migrationProject()
  const d1 = await localD1()
  const [first] = listMigrations(project.directory)
  await d1.run(
    'CREATE TABLE IF NOT EXISTS "d1_migrations"(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)',
    "CREATE TABLE changes (seq INTEGER PRIMARY KEY)",
    `INSERT INTO d1_migrations (name) VALUES ('${first?.name}')`,
  )
  expect(await applyMigrations(d1, [first as never])).toEqual([])
  await expect(
    applyMigrations(d1, [{ name: first?.name as string, sql: "SELECT 1" }]),
  ).rejects.toThrow("was edited")
})

test("a migration that fails leaves those before it, and names the statement's error", async () => {
  const d1 = await localD1()
  const good = { name: "1.sql", sql: "CREATE TABLE a (x TEXT);" }
  const bad = { name: "2.sql", sql: "CREATE TABLE b (x TEXT); INSERT INTO nowhere VALUES (1);" }
  await expect(applyMigrations(d1, [good, bad])).rejects.toThrow(
    /^migrations\/2\.sql failed, and nothing of it was applied: .*nowhere/,
  )
  expect(await d1.rows("SELECT name FROM d1_migrations")).toEqual([{ name: "1.sql" }])
  expect(await d1.rows("SELECT name FROM sqlite_master WHERE name IN ('a', 'b')")).toEqual([
    { name: "a" },
  ])
})

test("the project's own migrations lead to its collections, and apply", async () => {
  const d1 = await localD1()
  const migrations = listMigrations("migrations")
  expect(checkSchema(filmClub, migrations)).toEqual([])
  expect(await applyMigrations(d1, migrations)).toEqual(migrations.map(({ name }) => name))
})
