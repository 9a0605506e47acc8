import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { applyMigrations } from "../../src/tools/migrations/apply.ts"
import { withLocalD1 } from "../../src/tools/migrations/local-d1.ts"
import { localFile } from "../../src/tools/migrations/local-files.ts"
import { isRefused, rehearse } from "../../src/tools/migrations/rehearsal.ts"
import { describeRehearsal } from "../../src/tools/migrations/report.ts"

/*
 * The known disasters, each on a copy of real rows in workerd's own D1, and what is told about them.
 */

const first = {
  name: "1_core_library.sql",
  sql: `CREATE TABLE films (id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, year TEXT, code TEXT, note TEXT) STRICT;
CREATE TABLE reviews (id TEXT PRIMARY KEY NOT NULL, film TEXT NOT NULL REFERENCES films (id) ON DELETE CASCADE, author TEXT, stars INTEGER) STRICT;
CREATE TABLE likes (id TEXT PRIMARY KEY NOT NULL, review TEXT NOT NULL REFERENCES reviews (id) ON DELETE CASCADE) STRICT;
CREATE TABLE seats (id TEXT PRIMARY KEY NOT NULL, film TEXT REFERENCES films (id)) STRICT;
INSERT INTO films VALUES ('f1', 'Alien', '1979', '007', NULL), ('f2', 'Metropolis', 'ca. 1927', '8', 'silent'), ('f3', 'Brazil', '1985', '9', NULL);
INSERT INTO reviews VALUES ('r1', 'f1', 'ann', 5), ('r2', 'f1', 'ben', 4), ('r3', 'f1', 'ann', 3);
INSERT INTO likes VALUES ('l1', 'r1'), ('l2', 'r2');
INSERT INTO seats VALUES ('s1', 'f3')`,
}

const state = mkdtempSync(join(tmpdir(), "library-"))
const library = localFile(state, "DB")
beforeAll(() => withLocalD1(state, "DB", (database) => applyMigrations(database, [first])))
afterAll(() => rmSync(state, { recursive: true }))

/** The library itself is only read. */
async function check(sql: string, said?: string, applied = first) {
  const rehearsal = await rehearse(library, [applied, { name: "2_app_change.sql", sql }], said)
  return { refused: isRefused(rehearsal), text: describeRehearsal(rehearsal, true).join("\n") }
}

/** As drizzle-kit writes it. */
const rebuildWithChildren = `PRAGMA foreign_keys=OFF;
CREATE TABLE __new_films (id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, year TEXT, code TEXT, note TEXT, extra TEXT) STRICT;
INSERT INTO __new_films (id, title, year, code, note) SELECT id, title, year, code, note FROM films;
DROP TABLE films;
ALTER TABLE __new_films RENAME TO films;
PRAGMA foreign_keys=ON;`

const narrowed = (cast: string) => `CREATE TABLE aside AS SELECT * FROM films;
PRAGMA defer_foreign_keys = ON;
CREATE TABLE kept AS SELECT * FROM reviews; CREATE TABLE kept_likes AS SELECT * FROM likes;
DROP TABLE likes; DROP TABLE reviews; DROP TABLE films;
CREATE TABLE films (id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, year INTEGER, code TEXT, note TEXT) STRICT;
INSERT INTO films SELECT id, title, ${cast}, code, note FROM aside;
CREATE TABLE reviews (id TEXT PRIMARY KEY NOT NULL, film TEXT NOT NULL REFERENCES films (id), author TEXT, stars INTEGER) STRICT;
INSERT INTO reviews SELECT * FROM kept;
CREATE TABLE likes (id TEXT PRIMARY KEY NOT NULL, review TEXT NOT NULL REFERENCES reviews (id)) STRICT;
INSERT INTO likes SELECT * FROM kept_likes;
DROP TABLE aside; DROP TABLE kept; DROP TABLE kept_likes;`

const disasters: readonly (readonly [title: string, sql: string, told: RegExp])[] = [
  [
    "NOT NULL without a default",
    "ALTER TABLE films ADD COLUMN rating INTEGER NOT NULL",
    /FAILS .*would be empty in them\. Give it a DEFAULT; or make it optional, fill it, and require it in a later migration/,
  ],
  [
    "unique over duplicates",
    "CREATE UNIQUE INDEX one_each ON reviews (film, author)",
    /FAILS .*2 rows of reviews share their film and author with another \(1 group, such as film "f1", author "ann"\)\. Merge or change them first/,
  ],
  [
    "type narrowing that STRICT refuses",
    narrowed("year"),
    /FAILS .*Some values of films\.year are TEXT and do not fit into INTEGER\. Keep the column, add one of the new type beside it/,
  ],
  [
    "type narrowing by a cast that turns words into numbers",
    narrowed("CAST(year AS INTEGER)"),
    /LOSS {2}1 value of films\.year would not be what it was: 'ca\. 1927' becomes 0\. Keep year, add a column of the new type beside it.*-- --change films\.year/,
  ],
  [
    "a dropped column with data",
    "ALTER TABLE films DROP COLUMN note",
    /LOSS {2}films\.note would go: 1 row has a value in it\. If it may, say so in the migration's header: -- --drop films\.note/,
  ],
  [
    "a renamed column that is dropped and added",
    "ALTER TABLE films ADD COLUMN remark TEXT; ALTER TABLE films DROP COLUMN note",
    /LOSS {2}films\.note would go, and remark is new.*write ALTER TABLE "films" RENAME COLUMN "note" TO "remark" instead of dropping and adding/,
  ],
  [
    "a dropped table with data",
    "DROP TABLE likes",
    /LOSS {2}The table likes would go, with its 2 rows\..*-- --drop-table likes/,
  ],
  [
    "rows that are deleted in passing",
    "DELETE FROM reviews WHERE stars < 5",
    /RISK {2}reviews is emptied on the way, and likes\.review points at it ON DELETE CASCADE: 2 rows at risk[\s\S]*LOSS {2}1 row of likes would go[\s\S]*LOSS {2}2 rows of reviews would go\. If that is meant, say so in the migration's header: -- --delete reviews/,
  ],
  [
    "an update that forgets its condition",
    "UPDATE films SET title = 'Alien'",
    /LOSS {2}2 values of films\.title would not be what they were: 'Metropolis' becomes 'Alien'/,
  ],
  [
    "two columns whose values change places",
    `ALTER TABLE reviews RENAME COLUMN film TO x; ALTER TABLE reviews RENAME COLUMN author TO film; ALTER TABLE reviews RENAME COLUMN x TO author;
     UPDATE reviews SET author = 'f2'`,
    /LOSS {2}3 values of reviews\.film would not be what they were: 'f1' becomes 'f2'/,
  ],
  [
    "a transaction of its own",
    "BEGIN; SELECT 1; COMMIT",
    /FAILS .*take BEGIN, COMMIT and SAVEPOINT out/,
  ],
]

test.for(disasters)("%s is refused with its mend", async ([, sql, told]) => {
  const { refused, text } = await check(sql)
  expect(text).toMatch(told)
  expect(refused).toBe(true)
})

test("a rebuild with children, as drizzle-kit writes it, is refused: D1 fires its cascades", async () => {
  // The one table that points without a cascade would stop the migration by itself.
  const { refused, text } = await check(
    `-- --drop-table seats\nDROP TABLE seats;\n${rebuildWithChildren}`,
  )
  expect(text).toContain(
    "RISK  films is emptied on the way, and reviews.film points at it ON DELETE CASCADE: 3 rows at risk.",
  )
  expect(text).toContain("likes.review points at it ON DELETE CASCADE: 2 rows at risk.")
  expect(text).toMatch(/LOSS {2}3 rows of reviews would go/)
  expect(text).toMatch(/LOSS {2}2 rows of likes would go/)
  expect(refused).toBe(true)
})

test("a rebuild with children that hold it fails, and the mend names the rebuild that D1 can bear", async () => {
  const { refused, text } = await check(rebuildWithChildren)
  expect(text).toMatch(/FAILS .*npm run migrate:new <name> -- --rebuild <collection>/)
  expect(refused).toBe(true)
})

test("an applied migration that was edited is refused with its mend", async () => {
  await expect(check("SELECT 1", "", { ...first, sql: `${first.sql}; SELECT 2` })).rejects.toThrow(
    "was edited after it was applied, so this database is not what it says. Restore it (git checkout -- migrations/1_core_library.sql)",
  )
})

const harmless: readonly (readonly [title: string, sql: string, told: RegExp])[] = [
  [
    "a new column",
    "ALTER TABLE films ADD COLUMN seen INTEGER NOT NULL DEFAULT 0",
    /4 tables with 9 rows the same/,
  ],
  [
    "a renamed column",
    "ALTER TABLE films RENAME COLUMN note TO remark",
    /4 tables with 9 rows the same/,
  ],
  ["a renamed table", "ALTER TABLE films RENAME TO movies", /4 tables with 9 rows the same/],
  [
    "a filled gap",
    "UPDATE films SET note = 'none' WHERE note IS NULL",
    /note {2}2 rows had no films\.note, and have one now/,
  ],
  [
    "an index",
    "CREATE INDEX films_year ON films (year)",
    /writes [1-9]\d* rows?, indexes included/,
  ],
  [
    "a column that never held anything",
    "ALTER TABLE seats ADD COLUMN row INTEGER; ALTER TABLE seats DROP COLUMN row",
    /the same/,
  ],
]

test.for(harmless)("%s loses nothing", async ([, sql, told]) => {
  const { refused, text } = await check(sql)
  expect(text).toMatch(told)
  expect(refused).toBe(false)
})

test("what the header says may go, goes, and is told", async () => {
  const sql = `-- note is not needed any more
-- --drop films.note
-- --delete reviews --delete likes
ALTER TABLE films DROP COLUMN note;
DELETE FROM reviews WHERE stars < 5;
-- --drop-table seats, said too late to be a header
DROP TABLE seats;`
  const { refused, text } = await check(sql)
  expect(text).toContain("said  films.note goes: 1 row has a value in it.")
  expect(text).toContain("said  2 rows of reviews go.")
  expect(text).toContain("LOSS  The table seats would go, with its 1 row.")
  expect(refused).toBe(true)
  expect((await check(sql, "--drop-table seats")).refused).toBe(false)
})

test("values that a new type can give back are no loss", async () => {
  const sql = narrowed("CASE WHEN year GLOB '[0-9]*' THEN CAST(year AS INTEGER) END")
  const { refused, text } = await check(`-- --change films.year\n${sql}`)
  expect(text).toContain("said  1 value of films.year changes.")
  expect(refused).toBe(false)
})

test("checksums tell rows whose values were exchanged", async () => {
  const { text, refused } = await check(
    "UPDATE reviews SET stars = CASE id WHEN 'r1' THEN 4 WHEN 'r2' THEN 5 ELSE stars END",
  )
  expect(text).toMatch(/LOSS {2}2 values of reviews\.stars/)
  expect(refused).toBe(true)
})

test("an empty database has nothing to lose, and the migrations are still tried", async () => {
  const nowhere = localFile(join(state, "nowhere"), "DB")
  const good = await rehearse(nowhere, [first])
  expect(describeRehearsal(good).at(-1)).toBe("The database is empty, so nothing can be lost.")
  const bad = await rehearse(nowhere, [first, { name: "2.sql", sql: "DROP TABLE nowhere" }])
  expect(isRefused(bad)).toBe(true)
})
