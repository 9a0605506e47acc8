import type { Checked } from "../../../src/core/expression/checked.ts"
import type { MemoryRow, World } from "../../../src/core/expression/evaluate.ts"
import { evaluateExpression } from "../../../src/core/expression/evaluate.ts"
import { foldConstant } from "../../../src/core/expression/fold.ts"
import type { Access, Context, Shape } from "../../../src/core/expression/types.ts"
import { type Laboratory, understand, worldOf } from "./laboratory.ts"
import { randomExpression } from "./random-expression.ts"
import { type Choices, chance } from "./random-laboratory.ts"

export type RuleBook = ReadonlyMap<string, Checked | boolean>

/** Random read rules for collections (`p`) and fields (`p.text`). */
export function randomRules(choices: Choices, lab: Laboratory, context: Context): RuleBook {
  const rules = new Map<string, Checked | boolean>()
  for (const shape of lab.shapes.values()) {
    rules.set(shape.name, randomRule(choices, lab, shape, context))
    for (const field of shape.fieldNames()) {
      if (field === "id" || chance(choices, 60)) continue
      rules.set(`${shape.name}.${field}`, randomRule(choices, lab, shape, context))
    }
  }
  return rules
}

function randomRule(
  choices: Choices,
  lab: Laboratory,
  shape: Shape,
  context: Context,
): Checked | boolean {
  if (chance(choices, 20)) return chance(choices, 50)
  const text = randomExpression(choices, shape, { allows: () => true }, 1)
  const checked = understand(lab, text, { collection: shape.name })
  // Folded for some, as the records engine does, and left to the compiler for others.
  return chance(choices, 50) ? (foldConstant(checked, context) ?? checked) : checked
}

export const accessBy = (rules: RuleBook): Access => ({
  readRule: (shape) => rules.get(shape.name) ?? true,
  fieldRule: (shape, field) => rules.get(`${shape.name}.${field}`) ?? true,
})

/**
 * The world as the actor sees it, made without the checker's help: what the rules forbid is taken
 * out of the rows. A trusted expression over it must answer what a client's answers over everything.
 */
export function redactedWorld(
  lab: Laboratory,
  rules: RuleBook,
  context: Context,
): { world: World; redact(shape: Shape, row: MemoryRow): MemoryRow } {
  const full = worldOf(lab)
  const holds = (name: string, row: MemoryRow): boolean => {
    const rule = rules.get(name) ?? true
    return typeof rule === "boolean"
      ? rule
      : evaluateExpression(rule, row, { context, world: full })
  }
  const redact = (shape: Shape, row: MemoryRow): MemoryRow => {
    const seen: Record<string, unknown> = { id: row.id }
    for (const name of shape.fieldNames()) {
      if (name === "id") continue
      const visible = holds(`${shape.name}.${name}`, row)
      const field = shape.field(name)
      if (field?.kind !== "many") seen[name] = visible ? row[name] : null
      else if (!visible) seen[name] = []
      else if (name in row) seen[name] = row[name]
      else {
        const { backField } = field.through as { backField: string }
        const target = field.target()
        seen[name] = full
          .many(field, row)
          .filter((related) => holds(`${target.name}.${backField}`, related))
          .map((related) => related.id)
      }
    }
    return seen
  }
  const world: World = {
    one(shape, id) {
      const row = full.one(shape, id)
      return row && holds(shape.name, row) ? redact(shape, row) : null
    },
    many() {
      throw new Error("Redacted rows hold the ids of their relations")
    },
  }
  return { world, redact }
}
