import { DatabaseSync } from "node:sqlite"
import { expect, test } from "vitest"
import type { Command } from "../../src/tools/deploy-steps.ts"
import { sumOf } from "../../src/tools/migrations/contents.ts"
import type { Migration } from "../../src/tools/migrations/files.ts"
import { migrateRemote, rehearseRemote } from "../../src/tools/migrations/migrate-remote.ts"
import { isRefused } from "../../src/tools/migrations/rehearsal.ts"
import { splitStatements } from "../../src/tools/migrations/split.ts"
import { assertTaken } from "../support/wrangler-help.ts"

/*
 * A database of the account, behind a wrangler that answers as the real one does (`d1 execute --json`), and takes
 * what the help of the installed one names. No account is reached.
 */

const notes: Migration = {
  name: "1_core_notes.sql",
  sql: `CREATE TABLE changes (seq INTEGER PRIMARY KEY, subject TEXT NOT NULL, record TEXT NOT NULL) STRICT;
CREATE TABLE notes (pk INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL DEFAULT 1, body TEXT, size INTEGER, share REAL, raw BLOB) STRICT;
CREATE TABLE tags (note TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (note, tag)) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE notes_search USING fts5 (body, content='notes', content_rowid='pk');
CREATE TRIGGER notes_search_insert AFTER INSERT ON notes BEGIN INSERT INTO notes_search (rowid, body) VALUES (new.pk, new.body); END;`,
}

function account(rows = 3) {
  const database = new DatabaseSync(":memory:")
  const commands: string[] = []
  const applied = new Set<string>()
  let migrations: readonly Migration[] = []
  let meanwhile = () => {}
  const apply = () => {
    database.exec("CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY, name TEXT)")
    for (const { name, sql } of migrations) {
      if (applied.has(name)) continue
      database.exec(`BEGIN; ${splitStatements(sql).join(";\n")}; COMMIT`)
      database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").run(name)
      applied.add(name)
    }
    meanwhile()
  }
  const run = async ({ parameters }: Command): Promise<string> => {
    await assertTaken(parameters)
    const [, verb] = parameters
    const sql = parameters.at(-1) as string
    if (verb === "execute") {
      if (!sql.startsWith("SELECT")) {
        database.exec(sql)
        commands.push("record checksums")
        return "[]"
      }
      const results = database.prepare(sql).all()
      return `▲ a notice of wrangler\n${JSON.stringify([{ results, success: true, meta: {} }])}`
    }
    commands.push(parameters.join(" "))
    if (verb === "migrations") apply()
    return verb === "time-travel" ? '{"bookmark": "00000042-beef"}' : ""
  }
  const told: string[] = []
  const options = (all: readonly Migration[]) => {
    migrations = all
    return { run, name: "club", migrations: all, say: (line: string) => told.push(line) }
  }
  migrations = [notes]
  apply()
  for (let n = 1; n <= rows; n++) {
    database
      .prepare("INSERT INTO notes (id, body, size, share, raw) VALUES (?, ?, ?, ?, ?)")
      .run(`n${n}`, `it's "${n}"\n`, 9_007_199_254_740_993n, n / 3, new Uint8Array([0, n % 256]))
    database.prepare("INSERT INTO tags VALUES (?, 'x')").run(`n${n}`)
  }
  return {
    database,
    commands,
    told,
    options,
    meanwhile: (work: () => void) => {
      meanwhile = work
    },
  }
}

const grow = { name: "2_app_grow.sql", sql: "ALTER TABLE notes ADD COLUMN mark TEXT;" }
const lose = { name: "2_app_lose.sql", sql: "ALTER TABLE notes DROP COLUMN size;" }

test("the wrangler that is installed takes what we give it, and what we tell people to type", async () => {
  await assertTaken(["d1", "time-travel", "restore", "club", "--bookmark=00000042-beef"])
  await assertTaken(["d1", "list", "--json"])
  await assertTaken(["d1", "create", "club"])
  for (const wrong of [
    ["d1", "time-travel", "info", "club", "--jsonn"],
    ["d1", "execute", "club", "--remote", "--query", "SELECT 1"],
    ["d1", "migrations", "apply", "club", "other", "--remote"],
    ["d1", "travel", "info", "club"],
  ]) {
    await expect(assertTaken(wrong)).rejects.toThrow("wrangler")
  }
})

test("it is rehearsed on a copy, the bookmark is told before anything changes, and it is compared after", async () => {
  const { options, commands, told } = account()
  await migrateRemote(options([notes, grow]))
  expect(commands).toEqual([
    "d1 time-travel info club --json",
    "d1 migrations apply club --remote",
    "record checksums",
  ])
  expect(told.join("\n")).toContain(
    "npx wrangler d1 time-travel restore club --bookmark=00000042-beef",
  )
  expect(told.at(-1)).toBe("  Compared with before: 3 tables, 6 rows, nothing lost.")
})

test("what would lose data is refused before anything changes", async () => {
  const { options, commands, told } = account()
  await expect(migrateRemote(options([notes, lose]))).rejects.toThrow(
    "Nothing has been applied to club",
  )
  expect(told.join("\n")).toContain("LOSS  notes.size would go: 3 rows have a value in it.")
  expect(commands).toEqual([])
})

test("every value arrives as it is: large integers, reals, bytes, quotes, more than a page of rows", async () => {
  const { options, database } = account(2_345)
  const rehearsal = await rehearseRemote(options([notes, grow]))
  expect(isRefused(rehearsal)).toBe(false)
  expect(rehearsal.migrations[0]?.tables.slice(1)).toEqual([
    expect.objectContaining({ table: "notes", rowsBefore: 2_345, rowsAfter: 2_345 }),
    expect.objectContaining({ table: "tags", rowsBefore: 2_345, rowsAfter: 2_345 }),
  ])
  // The checksum of what arrived is that of what was there.
  const columns = ["pk", "id", "version", "body", "size", "share", "raw"]
  expect(rehearsal.migrations[0]?.tables[1]?.checksumBefore).toBe(
    sumOf(database, "notes", columns).checksum,
  )
})

test("what people write meanwhile is told from what a migration loses, by the log", async () => {
  const written = account()
  written.meanwhile(() =>
    written.database.exec(
      "DELETE FROM notes WHERE id = 'n1'; INSERT INTO changes (subject, record) VALUES ('notes', 'n1'); DELETE FROM tags WHERE note = 'n1'",
    ),
  )
  await migrateRemote(written.options([notes, grow]))
  expect(written.told.slice(-2)).toEqual([
    "  tags is not the same as before: people may have written meanwhile.",
    "  Compared with before: 3 tables, 5 rows, nothing lost.",
  ])

  const lost = account()
  lost.meanwhile(() => lost.database.exec("DELETE FROM notes WHERE id = 'n1'"))
  await expect(migrateRemote(lost.options([notes, grow]))).rejects.toThrow(
    /the data is not what the rehearsal promised:\n {2}1 row of notes would go[\s\S]*The command to go back stands above/,
  )
})

test("a database that is too large to be read is refused, or only counted", async () => {
  const { options, database, told, meanwhile } = account()
  await expect(migrateRemote({ ...options([notes, grow]), most: 5 })).rejects.toThrow(
    "The database has 7 rows, and a rehearsal reads them all",
  )
  meanwhile(() => database.exec("DELETE FROM tags WHERE note = 'n1'"))
  await expect(migrateRemote({ ...options([notes, grow]), unrehearsed: true })).rejects.toThrow(
    "tags: 3 rows before, 2 now.",
  )
  expect(told.join("\n")).toContain("time-travel restore")
})

test("an edited migration is refused, where it was applied from here", async () => {
  const { options } = account()
  await migrateRemote(options([notes, grow]))
  const edited = { ...grow, sql: `${grow.sql} -- more` }
  await expect(migrateRemote(options([notes, edited]))).rejects.toThrow("was edited after it was")
})
