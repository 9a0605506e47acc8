import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  type Condition,
  comparators,
  readConditions,
  writeConditions,
} from "../../src/console/data/conditions.ts"

const condition: fc.Arbitrary<Condition> = fc.record({
  field: fc.constantFrom("title", "film.title", "a1", "createdAt"),
  comparator: fc.constantFrom(...comparators),
  value: fc.oneof(
    fc.string({ unit: "binary" }).filter((text) => !text.includes("\0")),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
  ),
})

describe("a filter as conditions", () => {
  test("reads back what it wrote", () => {
    fc.assert(
      fc.property(fc.array(condition, { maxLength: 6 }), (conditions) => {
        const text = writeConditions(conditions)
        expect(readConditions(text)).toEqual(conditions)
      }),
    )
  })

  test.each([
    [`a = 1 || b = 2`],
    [`a = 1 && (b = 2 && c = 3)`],
    [`a = 1 && b`],
    [`1 = a`],
    [`@new.a = 1`],
    [`!(a = 1)`],
    [`a = @me.id`],
    [`a > @now - 7d`],
    [`any(films, title = "x")`],
    [`a = 1 &&`],
    [`a = 1 b = 2`],
    [`a in (1, 2)`],
    [`lower(a) = "x"`],
    [`a = "\\q"`],
  ])("leaves %s as text", (text) => {
    expect(readConditions(text)).toBeNull()
  })

  test("reads either quote, numbers below zero, parentheses around one condition, and no condition at all", () => {
    expect(readConditions(` a='it\\'s' && (b.c>=-1.5)&& d = null `)).toEqual([
      { field: "a", comparator: "=", value: "it's" },
      { field: "b.c", comparator: ">=", value: -1.5 },
      { field: "d", comparator: "=", value: null },
    ])
    expect(readConditions("  ")).toEqual([])
  })
})
