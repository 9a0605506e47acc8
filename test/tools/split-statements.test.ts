import { expect, test } from "vitest"
import { unstable_splitSqlQuery as wranglerSplit } from "wrangler"
import { splitStatements } from "../../src/tools/migrations/split.ts"
import { normalForm } from "../../src/tools/migrations/tokens.ts"
import { listMigrations } from "../../src/tools/migrations.ts"

const trigger = `CREATE TRIGGER t AFTER INSERT ON a BEGIN
  UPDATE b SET x = CASE WHEN new.y THEN 1 ELSE 2 END;
  DELETE FROM c WHERE d = ';';
END`

const cases: [title: string, sql: string, statements: string[]][] = [
  ["nothing", "", []],
  ["only spaces and comments", " \n-- a;b\n/* c;d */ ", []],
  ["one without a semicolon", "SELECT 1", ["SELECT 1"]],
  ["two", "SELECT 1; SELECT 2;\n", ["SELECT 1", "SELECT 2"]],
  ["empty statements", ";;SELECT 1;;", ["SELECT 1"]],
  ["a semicolon in a string", "SELECT ';'; SELECT 2", ["SELECT ';'", "SELECT 2"]],
  ["a doubled quote", "SELECT 'it''s;'; SELECT 2", ["SELECT 'it''s;'", "SELECT 2"]],
  ["a quoted name", `SELECT "a;""b"; SELECT 2`, [`SELECT "a;""b"`, "SELECT 2"]],
  [
    "names in brackets and backticks",
    "SELECT [a;b], `c;d`; SELECT 2",
    ["SELECT [a;b], `c;d`", "SELECT 2"],
  ],
  ["an apostrophe in a comment", "-- it's\nSELECT 1; -- don't\nSELECT 2", ["SELECT 1", "SELECT 2"]],
  [
    "a semicolon in a comment within",
    "SELECT /* ; */ 1 -- ;\n; SELECT 2",
    ["SELECT /* ; */ 1 -- ;", "SELECT 2"],
  ],
  ["quotes in a block comment", "/* ' */ SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]],
  ["a trigger with CASE and a string", `${trigger}; SELECT 1`, [trigger, "SELECT 1"]],
  [
    "a trigger in lower case, with a comment before END",
    "create trigger t after insert on a begin select 1; -- x;\nend; select 2",
    ["create trigger t after insert on a begin select 1; -- x;\nend", "select 2"],
  ],
  [
    "a temporary trigger",
    "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END; SELECT 2",
    ["CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END", "SELECT 2"],
  ],
  [
    "a column called end",
    `CREATE TABLE a ("end" TEXT); SELECT 1`,
    [`CREATE TABLE a ("end" TEXT)`, "SELECT 1"],
  ],
  [
    "CASE outside of a trigger",
    "SELECT CASE WHEN 1 THEN 2 END; SELECT 3",
    ["SELECT CASE WHEN 1 THEN 2 END", "SELECT 3"],
  ],
  ["a string that does not end", "SELECT 'a; SELECT 2", ["SELECT 'a; SELECT 2"]],
]

test.each(cases)("splits %s", (_, sql, statements) => {
  expect(splitStatements(sql)).toEqual(statements)
})

/** A file with one statement it hands on as it is, semicolon included. */
const bare = (statement: string): string => normalForm(statement).replace(/ ;$/, "")

test.each(listMigrations("migrations"))("wrangler splits $name in the same way", ({ sql }) => {
  expect(splitStatements(sql).map(normalForm)).toEqual(wranglerSplit(sql).map(bare))
})
