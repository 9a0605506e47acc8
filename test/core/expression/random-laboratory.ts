import type { Point } from "../../../src/core/expression/geo.ts"
import {
  type Collections,
  type FieldPlan,
  type Laboratory,
  laboratory,
  type Rows,
} from "./laboratory.ts"

/** Choices of the property tests; each comes from fast-check, so that a failing case can be shrunk and replayed. */
export interface Choices {
  /** 0 to max, inclusive. */
  upTo(max: number): number
}

export const pick = <T>(choices: Choices, items: readonly T[]): T =>
  items[choices.upTo(items.length - 1)] as T
export const chance = (choices: Choices, percent: number): boolean => choices.upTo(99) < percent

export const texts = [
  "",
  "a",
  "A",
  "ann",
  "Anna Å",
  "å",
  "😀",
  "x😀y",
  "\ufffdz",
  "50%",
  "a_b",
  "aXb",
  'O\'Neil "q"',
  "\\",
  "zß",
]
export const numbers = [0, -1, 1, 2, 3.5, -2.25, 10, 1e10, 2026, 21]
export const dates = ["2026-11-21", "2026-11-14", "1999-12-31", "2026-01-01", "0001-02-03"]
export const datetimes = [
  "2026-11-21T10:30:00.000Z",
  "2026-11-21T00:00:00.000Z",
  "2026-11-14T00:00:00.000Z",
  "2026-11-14T10:30:00.000Z",
  "1999-12-31T23:59:59.999Z",
  "0001-02-03T04:05:06.007Z",
]
export const ids = (collection: string): string[] => [0, 1, 2, 3, 4].map((n) => `${collection}${n}`)

/** Two to four collections with every type of field and relations among them, each with up to five rows. */
export function randomLaboratory(choices: Choices): Laboratory {
  const names = ["p", "q", "r", "s"].slice(0, 2 + choices.upTo(2))
  const collections: Record<string, Record<string, FieldPlan>> = {}
  for (const name of names) {
    const indexed = () => chance(choices, 40)
    collections[name] = {
      text: { type: "text", indexed: indexed() },
      word: { type: "text", indexed: indexed() },
      size: { type: "number", indexed: indexed() },
      flag: { type: "boolean", indexed: indexed() },
      day: { type: "date", indexed: indexed() },
      moment: { type: "datetime", indexed: indexed() },
      data: { type: "json" },
      place: { type: "point" },
      parent: { one: pick(choices, names), indexed: indexed() },
      other: { one: pick(choices, names), indexed: indexed() },
      links: { many: pick(choices, names) },
    }
  }
  for (const name of names) {
    const holder = names.find((other) => refersTo(collections, other, name))
    if (holder)
      (collections[name] as Record<string, FieldPlan>).backs = { many: holder, back: "parent" }
  }
  return laboratory(collections, randomRows(choices, collections))
}

const refersTo = (
  collections: Readonly<Record<string, Readonly<Record<string, FieldPlan>>>>,
  holder: string,
  target: string,
): boolean => {
  const plan = collections[holder]?.parent
  return plan !== undefined && "one" in plan && plan.one === target
}

function randomRows(choices: Choices, collections: Collections): Rows {
  const rows: Record<string, Record<string, unknown>[]> = {}
  for (const [name, fields] of Object.entries(collections)) {
    rows[name] = ids(name)
      .slice(0, 2 + choices.upTo(3))
      .map((id) => ({
        id,
        ...randomValues(choices, fields),
        organisation: randomOrganisation(choices),
      }))
  }
  return rows
}

const randomOrganisation = (choices: Choices): string => (chance(choices, 90) ? "acme" : "rival")

/** Values for every field that a record stores itself. */
export function randomValues(
  choices: Choices,
  fields: Readonly<Record<string, FieldPlan>>,
): Record<string, unknown> {
  const row: Record<string, unknown> = {}
  for (const [field, plan] of Object.entries(fields)) {
    if ("many" in plan) {
      if (!plan.back) row[field] = ids(plan.many).filter(() => chance(choices, 40))
    } else if (chance(choices, 25)) row[field] = null
    else row[field] = "one" in plan ? pick(choices, ids(plan.one)) : randomValue(choices, plan.type)
  }
  return row
}

function randomValue(choices: Choices, type: string): unknown {
  if (type === "boolean") return chance(choices, 50)
  if (type === "json") return { a: choices.upTo(1) }
  if (type === "point") return randomPlace(choices)
  return pick<unknown>(choices, valuesOf(type))
}

/** The poles, both sides of the antimeridian, neighbours, opposites, and anywhere. */
export function randomPlace(choices: Choices): Point {
  const latitude = chance(choices, 60)
    ? pick(choices, [-90, 90, 0, 52.52, 52.5203, -52.52, 89.99, 1 / 64])
    : choices.upTo(180_000) / 1000 - 90
  const longitude = chance(choices, 60)
    ? pick(choices, [-180, 180, 0, 13.405, 13.4061, -166.595, 179.999, -179.999])
    : choices.upTo(360_000) / 1000 - 180
  return { latitude, longitude }
}

export const valuesOf = (type: string): readonly (string | number)[] => {
  if (type === "number") return numbers
  if (type === "date") return dates
  if (type === "datetime") return datetimes
  return texts
}
