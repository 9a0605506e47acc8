import fc from "fast-check"
import { expect, test } from "vitest"
import { checkExpression } from "../../../src/core/expression/check.ts"
import { negate } from "../../../src/core/expression/checked.ts"
import { ExpressionError } from "../../../src/core/expression/error.ts"
import { evaluateExpression, type MemoryRow } from "../../../src/core/expression/evaluate.ts"
import { foldConstant } from "../../../src/core/expression/fold.ts"
import { parseExpression } from "../../../src/core/expression/parse.ts"
import { compileExpression } from "../../../src/core/expression/to-sql.ts"
import type { Context, RowSource, Shape } from "../../../src/core/expression/types.ts"
import { literal, raw, sql } from "../../../src/platform/sql.ts"
import {
  actor,
  columnOf,
  type Laboratory,
  memoryIds,
  organisation,
  run,
  scope,
  sqlIds,
  tableRow,
  understand,
  worldOf,
} from "./laboratory.ts"
import { accessBy, randomRules, redactedWorld } from "./random-access.ts"
import { randomExpression } from "./random-expression.ts"
import { type Choices, ids, pick, randomLaboratory, randomValues } from "./random-laboratory.ts"

/** Set SEED to replay a run. */
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
const worlds = Number(process.env.WORLDS ?? 400)
const expressionsEach = 16

const actors: readonly Context[] = [
  actor(),
  actor({ id: "p1", email: "50%", kind: "person", roles: ["ann", "a"] }),
  actor({ id: "q0", email: "a", kind: "person", roles: [] }),
]

type Property = (choices: Choices, lab: Laboratory, expression: (ask: () => void) => void) => void

/**
 * Holds in many random worlds; the seed is printed, and fast-check shrinks what fails. Random expressions may nest more
 * relations than D1 can (see limits.test.ts): these are passed over, and may not be more than a few.
 */
function holdsInWorlds(title: string, property: Property): void {
  test(`${title} (seed ${seed})`, () => {
    let asked = 0
    let tooComplex = 0
    const expression = (ask: () => void): void => {
      asked += 1
      try {
        ask()
      } catch (error) {
        if (!(error instanceof ExpressionError && error.code === "too_complex")) throw error
        tooComplex += 1
      }
    }
    const run = fc.property(fc.gen(), (generate) => {
      const choices: Choices = { upTo: (max) => generate(fc.nat, { max }) }
      const lab = randomLaboratory(choices)
      try {
        property(choices, lab, expression)
      } finally {
        lab.database.close()
      }
    })
    fc.assert(run, { seed, numRuns: worlds, interruptAfterTimeLimit: 15_000 })
    // A distance alone is a dozen levels deep.
    expect(tooComplex).toBeLessThan(asked / 10)
  })
}

const everything = { allows: () => true }
const anyShape = (choices: Choices, lab: Laboratory): Shape =>
  pick(choices, [...lab.shapes.values()])

holdsInWorlds("a rule finds the same rows in SQL and in memory", (choices, lab, expression) => {
  const askAbout = (i: number) => {
    const shape = anyShape(choices, lab)
    const text = randomExpression(choices, shape, everything)
    const context = pick(choices, actors)
    const question = { collection: shape.name, context, oneRow: i % 2 === 0 }
    const checked = understand(lab, text, question)
    const inMemory = memoryIds(lab, checked, question)
    expect(sqlIds(lab, checked, question), text).toEqual(inMemory)
    const others = memoryIds(lab, understand(lab, "true", question), question).filter(
      (id) => !inMemory.includes(id),
    )
    expect(sqlIds(lab, negate(checked), question), `!(${text})`).toEqual(others)
    const folded = foldConstant(checked, context)
    if (folded !== null) expect(folded ? others : inMemory, text).toEqual([])
  }
  for (let i = 0; i < expressionsEach; i++) expression(() => askAbout(i))
})

holdsInWorlds(
  "a filter sees what the actor may see, and nothing else",
  (choices, lab, expression) => {
    const context = pick(choices, actors)
    const rules = randomRules(choices, lab, context)
    const access = accessBy(rules)
    const { world, redact } = redactedWorld(lab, rules, context)
    const readable = {
      allows: (shape: Shape, field: string) => access.fieldRule(shape, field) !== false,
    }
    const askAbout = (i: number) => {
      const shape = anyShape(choices, lab)
      const text = randomExpression(choices, shape, readable)
      const question = { collection: shape.name, context, access, oneRow: i % 2 === 0 }
      const checked = understand(lab, text, question)
      const found = sqlIds(lab, checked, question)
      expect(memoryIds(lab, checked, question), text).toEqual(found)
      const trusted = understand(lab, text, { collection: shape.name })
      const seen = (lab.rows[shape.name] ?? [])
        .filter((row) => row.organisation === organisation)
        .filter((row) => evaluateExpression(trusted, redact(shape, row), { context, world }))
        .map((row) => row.id)
      expect(found, `${text} over what is left after redaction`).toEqual(seen)
    }
    for (let i = 0; i < expressionsEach; i++) expression(() => askAbout(i))
  },
)

/** A row as it stands in the log: JSON by column, with the ids of its relations by field. */
const imageOf = (shape: Shape, row: MemoryRow): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        shape.field(name)?.kind === "many" ? name : columnOf(name),
        value,
      ]),
    ),
  )

const imageRow = (image: string): RowSource => ({
  column: (name) => raw(`json_extract(${image}, ${literal(`$.${name}`)})`),
  ids: (name) => raw(`json_extract(${image}, ${literal(`$.${name}`)})`),
})

holdsInWorlds(
  "a rule of a write sees the row before and after, wherever they lie",
  (choices, lab, expression) => {
    const askAboutWrite = () => {
      const shape = anyShape(choices, lab)
      const text = randomExpression(choices, shape, { ...everything, write: shape })
      const context = pick(choices, actors)
      const checked = checkExpression(parseExpression(text), shape, {
        mode: "trusted",
        write: true,
      })
      const fields = lab.collections[shape.name] ?? {}
      const before = pick(choices, lab.rows[shape.name] ?? [])
      const after = {
        id: before.id ?? pick(choices, ids(shape.name)),
        ...randomValues(choices, fields),
      }
      const evaluation = { context, world: worldOf(lab), next: after }
      const expected = evaluateExpression(checked, before, evaluation) ? 1 : 0
      const environment = { context, scope, oneRow: true, next: imageRow("n.image") }
      const onTable = compileExpression(checked, { ...environment, source: tableRow("t") })
      const onImage = compileExpression(checked, { ...environment, source: imageRow("o.image") })
      const [answer] = run(
        lab.database,
        sql`WITH n(image) AS (SELECT ${imageOf(shape, after)}), o(image) AS (SELECT ${imageOf(shape, before)})
        SELECT (${onTable}) IS TRUE AS stored, (${onImage}) IS TRUE AS image
        FROM n, o, ${raw(`"${shape.table}"`)} t WHERE t.id = ${before.id as string}`,
      )
      expect(answer, text).toEqual({ stored: expected, image: expected })
    }
    for (let i = 0; i < expressionsEach; i++) expression(askAboutWrite)
  },
)
