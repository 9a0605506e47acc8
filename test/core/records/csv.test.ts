import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  type Cell,
  CsvError,
  createCsvReader,
  csvLine,
  defused,
  restored,
} from "../../../src/core/records/csv.ts"

const seed = Date.now()
const limits = { maxCells: 100, maxRowCharacters: 10_000 }

/** All rows, however the text is cut into pieces. */
function readAll(pieces: readonly string[]) {
  const reader = createCsvReader(limits)
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()]
}
const cells = (text: string) => readAll([text]).map((row) => row.cells)

test.each<[string, string, (readonly Cell[])[]]>([
  ["nothing", "", []],
  ["one row without an end", "a,b", [["a", "b"]]],
  [
    "CRLF",
    "a,b\r\nc,d\r\n",
    [
      ["a", "b"],
      ["c", "d"],
    ],
  ],
  [
    "LF",
    "a,b\nc,d\n",
    [
      ["a", "b"],
      ["c", "d"],
    ],
  ],
  [
    "CR",
    "a,b\rc,d\r",
    [
      ["a", "b"],
      ["c", "d"],
    ],
  ],
  ["line ends of all kinds", "a\r\nb\nc\rd", [["a"], ["b"], ["c"], ["d"]]],
  [
    "empty cells",
    ",\r\n,,x",
    [
      [null, null],
      [null, null, "x"],
    ],
  ],
  ["an empty last cell", "a,", [["a", null]]],
  ["empty quotes", '"",a,""', [["", "a", ""]]],
  ["quotes in quotes", '"a ""b"" c"', [['a "b" c']]],
  ["nothing but quotes", '""""', [['"']]],
  ["commas and line ends in quotes", '"a,b\r\nc\rd\n",e', [["a,b\r\nc\rd\n", "e"]]],
  ["a line of its own for nothing", "a\r\n\r\nb", [["a"], [null], ["b"]]],
  ["spaces, which belong to the cell", " a , b ", [[" a ", " b "]]],
  ["NUL, which is for its field to refuse", "a\0b", [["a\0b"]]],
  ["beyond the basic plane", "🎬,ä,\u2028", [["🎬", "ä", "\u2028"]]],
])("CSV reads %s", (_, text, expected) => {
  expect(cells(text)).toEqual(expected)
})

test.each<[string, string, string, number]>([
  ["a quote that nothing closes", 'a\r\n"b\r\nc', "quote", 2],
  ["a quote within a plain cell", 'a\nb"c"', "quote", 2],
  ["text after a closing quote", '"a"b', "quote", 1],
  ["a space after a closing quote", '"a" ,b', "quote", 1],
  ["more cells than any collection has", ",".repeat(10_000), "too_many", 1],
  ["a row without end", `a\n${"x".repeat(20_000)}`, "too_big", 2],
])("CSV refuses %s, and says where", (_, text, code, line) => {
  const failure = (() => {
    try {
      return cells(text)
    } catch (error) {
      return error
    }
  })()
  expect(failure).toBeInstanceOf(CsvError)
  expect(failure).toMatchObject({ code, line })
})

test("rows know the line on which they start, also after line ends in quotes", () => {
  const text = 'a,b\r\n"x\r\ny\nz",1\r\n\r\nlast'
  expect(readAll([text]).map(({ line }) => line)).toEqual([1, 2, 5, 6])
})

describe("for every table", () => {
  const cell = fc.oneof(
    fc.constant(null),
    fc.string({ unit: "grapheme" }),
    fc.stringMatching(/^[",\r\n=+\-@'\t a]{0,6}$/),
  )
  // One cell that is null would be a line of its own for nothing: that is a row, but not after the last line end.
  const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 5 }), { maxLength: 6 })

  test("what is written is read again, in pieces of any length", () => {
    fc.assert(
      fc.property(table, fc.array(fc.nat(9), { minLength: 1 }), (rows, lengths) => {
        const text = rows.map(csvLine).join("")
        const pieces: string[] = []
        for (let at = 0, n = 0; at < text.length; n++) {
          const length = (lengths[n % lengths.length] as number) + 1
          pieces.push(text.slice(at, at + length))
          at += length
        }
        expect(readAll(pieces).map((row) => row.cells)).toEqual(rows)
        expect(readAll([text]).map((row) => row.cells)).toEqual(rows)
      }),
      { seed },
    )
  })

  test("a defused text is no formula, and is restored to what it was", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^['=+\-@\t\r＝a]{0,6}$/)), (text) => {
        expect(defused(text)).not.toMatch(/^[=+\-@\t\r\n＝＋－＠]/)
        expect(restored(defused(text))).toBe(text)
      }),
      { seed },
    )
  })
})

test.each([
  ["=1+1", "'=1+1"],
  ["+49 30 1", "'+49 30 1"],
  ["-5", "'-5"],
  ["@SUM(A1)", "'@SUM(A1)"],
  ["\tx", "'\tx"],
  ["\rx", "'\rx"],
  ["＝1", "'＝1"],
  ["'=1", "''=1"],
  ["'quoted'", "'quoted'"],
  ["a=1", "a=1"],
  ["", ""],
])("the text %j stands in a cell as %j", (text, defusedText) => {
  expect(defused(text)).toBe(defusedText)
})
