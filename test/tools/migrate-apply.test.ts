import { type ChildProcess, execSync, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { setTimeout as delay } from "node:timers/promises"
import { afterEach, beforeEach, expect, test } from "vitest"
import { localFile } from "../../src/tools/migrations/local-files.ts"
import { migrateLocal } from "../../src/tools/migrations/migrate-local.ts"

/*
 * The commands themselves, on a project of a few migrations in a directory of its own.
 */

let project: string
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "migrate-apply-"))
  mkdirSync(join(project, "migrations"))
  copyFileSync("wrangler.toml", join(project, "wrangler.toml"))
})
afterEach(() => rmSync(project, { recursive: true, maxRetries: 5 }))

const migration = (name: string, sql: string) =>
  writeFileSync(join(project, "migrations", name), sql)
const program = (command: string) => resolve("src/tools", `migrate-${command}.ts`)
const surroundings = () => ({
  cwd: project,
  env: { ...process.env, STATE_DIR: join(project, "state") },
})

function run(command: "check" | "apply", ...flags: string[]) {
  const { status, stdout, stderr } = spawnSync("node", [program(command), ...flags], {
    ...surroundings(),
    encoding: "utf8",
  })
  return { status, output: stdout + stderr }
}

const file = () => localFile(join(project, "state"), "DB")

function rows(sql: string): unknown[] {
  const opened = new DatabaseSync(file(), { readOnly: true })
  try {
    return opened
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }))
  } finally {
    opened.close()
  }
}

const notes = `CREATE TABLE notes (id TEXT PRIMARY KEY NOT NULL, body TEXT) STRICT;
INSERT INTO notes VALUES ('a', 'milk'), ('b', 'oats');`

test("what is pending is applied, compared, and can be taken back by the command that is told", () => {
  migration("1_core_notes.sql", notes)
  expect(run("apply")).toEqual({ status: 0, output: "Applied migrations/1_core_notes.sql\n" })
  migration("2_app_mark.sql", "ALTER TABLE notes ADD COLUMN mark INTEGER;")
  const { status, output } = run("apply")
  expect(status).toBe(0)
  expect(output).toContain(
    "Applied migrations/2_app_mark.sql\nCompared with before: 1 table, 2 rows, nothing lost.",
  )
  expect(rows("SELECT * FROM notes")).toHaveLength(2)
  const goBack = /To go back[^:]*: (.*)/.exec(output)?.[1] as string
  execSync(goBack)
  expect(rows("SELECT * FROM notes")).toEqual([
    { id: "a", body: "milk" },
    { id: "b", body: "oats" },
  ])
  expect(rows("SELECT name FROM d1_migrations")).toEqual([{ name: "1_core_notes.sql" }])
  rmSync(join(project, "migrations", "2_app_mark.sql"))
  expect(run("apply")).toEqual({ status: 0, output: "Nothing is pending.\n" })
})

test("what would lose data is refused by both commands, and nothing has happened", () => {
  migration("1_core_notes.sql", notes)
  run("apply")
  migration("2_app_drop.sql", "ALTER TABLE notes DROP COLUMN body;")
  for (const command of ["check", "apply"] as const) {
    const { status, output } = run(command)
    expect(status).toBe(1)
    expect(output).toContain("LOSS  notes.body would go: 2 rows have a value in it.")
  }
  expect(rows("SELECT body FROM notes")).toHaveLength(2)
  expect(run("apply", "--drop", "notes.body").status).toBe(0)
  expect(rows("SELECT * FROM notes")).toEqual([{ id: "a" }, { id: "b" }])
})

test("a flag that is not known is explained", () => {
  expect(run("check", "--drop-everything")).toMatchObject({
    status: 1,
    output: expect.stringContaining("--drop-table notes"),
  })
})

test("a copy of each of the last three migrations is kept, and no more", async () => {
  const state = join(project, "state")
  const migrations = [{ name: "1_core_notes.sql", sql: notes }]
  const apply = () =>
    migrateLocal({ stateDirectory: state, databases: { DB: { id: "DB" } }, migrations })
  await apply()
  for (const n of [2, 3, 4, 5]) {
    migrations.push({ name: `${n}_app_more.sql`, sql: `ALTER TABLE notes ADD COLUMN x${n} TEXT;` })
    await apply()
  }
  const kept = readdirSync(join(state, "before-migrations")).filter((name) =>
    name.endsWith(".sqlite"),
  )
  expect(kept).toEqual([3, 4, 5].map((n) => expect.stringContaining(`-before-${n}_app_more`)))
})

const many = (table: string) =>
  `CREATE TABLE ${table} (id INTEGER PRIMARY KEY, x TEXT) STRICT;
INSERT INTO ${table} (x) WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT 'row ' || i FROM n;`

test("killed at any moment, it leaves each migration whole or not there, and the next run goes on", async () => {
  migration("1_core_notes.sql", notes)
  run("apply")
  for (const n of [2, 3, 4]) migration(`${n}_app_many.sql`, many(`many${n}`))
  const journal = () =>
    readdirSync(join(project, "state")).some((name) => /^migrating-.*json$/.test(name))
  const killed = async (when: (child: ChildProcess) => Promise<unknown>) => {
    const child = spawn("node", [program("apply")], { ...surroundings(), stdio: "ignore" })
    const ended = once(child, "close")
    await when(child)
    child.kill("SIGKILL")
    await ended
  }
  await killed(async (child) => {
    while (!journal() && child.exitCode === null) await delay(10)
    await delay(300)
  })
  await killed(() => delay(3_000))
  const { status, output } = run("apply")
  expect(output).toMatch(
    /An earlier run was cut off: \d migrations? of 3 had been applied, each whole; it went on from there\.|Nothing is pending/,
  )
  expect(status).toBe(0)
  for (const n of [2, 3, 4]) {
    expect(rows(`SELECT count(*) AS n FROM many${n}`)).toEqual([{ n: 200_000 }])
  }
  expect(rows("SELECT name FROM d1_migrations")).toHaveLength(4)
  expect(rows("PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }])
  expect(rows("SELECT body FROM notes")).toEqual([{ body: "milk" }, { body: "oats" }])
  expect(journal()).toBe(false)
})
