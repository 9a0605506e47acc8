import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { csvRows, guessFields, previewOf } from "../../src/console/data/file-preview.ts"
import { createCsvReader, csvLine } from "../../src/core/records/csv.ts"

const limits = { maxCells: 200, maxRowCharacters: 1_000_000 }
const cell = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r\n", " ", "'", "é", "=") })
const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 5 }), {
  minLength: 1,
  maxLength: 6,
})

describe("the first rows of a file", () => {
  test("are those that the server reads", () => {
    fc.assert(
      fc.property(table, (rows) => {
        const text = rows.map(csvLine).join("")
        const reader = createCsvReader(limits)
        const read = [...reader.push(text), ...reader.end()]
        expect(csvRows(text, 100, true)).toEqual(
          read.map(({ cells }) => cells.map((one) => one ?? "")),
        )
      }),
    )
  })

  test("of a file that goes on are never half a row", () => {
    fc.assert(
      fc.property(table, fc.nat(), (rows, at) => {
        const text = rows.map(csvLine).join("")
        const shown = csvRows(text.slice(0, at % (text.length + 1)), 100, false)
        // A line that ends in CR may have its LF still to come; a cell with one ends the row only outside of quotes.
        expect(rows.slice(0, shown.length)).toEqual(shown)
      }),
    )
  })

  test.each([
    ["films.csv", "a,b\n1,2", true, { format: "csv", names: ["a", "b"], rows: [["1", "2"]] }],
    ["films.csv", "a,b\n1,2", false, { format: "csv", names: ["a", "b"], rows: [] }],
    ["films.csv", "\ufeffa,b\n", true, { names: ["a", "b"] }],
    ["films.csv", "a;b\n1;2\n", true, { separator: ";" }],
    ["films.csv", "a\tb\n", true, { separator: "\t" }],
    ["films.csv", "", true, { names: [], rows: [], separator: null }],
    [
      "films.jsonl",
      '{"a":1}\n{"b":[2],"a":null}\n',
      true,
      {
        names: ["a", "b"],
        rows: [
          ["1", ""],
          ["", "[2]"],
        ],
      },
    ],
    ["films", '{"a":"x"}\n{"a"', false, { format: "ndjson", rows: [["x"]] }],
    ["films.ndjson", 'no\n[1]\n{"a":1}\n', true, { names: ["a"], rows: [["1"]] }],
  ])("of %s with %j", (name, text, whole, expected) => {
    expect(previewOf(name, text, whole)).toMatchObject(expected)
  })

  test("lead to the fields that are called like its columns, each but once", () => {
    const fields = ["id", "title", "runningMinutes", "größe"]
    expect(guessFields(["ID", "Title", "running_minutes", "Größe", "TITLE ", "x"], fields)).toEqual(
      {
        ID: "id",
        Title: "title",
        running_minutes: "runningMinutes",
        Größe: "größe",
        "TITLE ": null,
        x: null,
      },
    )
  })
})
