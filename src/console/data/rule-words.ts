import type {
  Ast,
  ComparisonAst,
  ComparisonOperator,
  LiteralAst,
  OperandAst,
  PathAst,
} from "../../core/expression/ast.ts"
import type { Messages } from "../messages-en.ts"
import { readExpression } from "./expression.ts"

/* Access rules in words. "Everybody" is said of `true` and of nothing else. No I/O. */

/** What is said, in pieces: names of fields and roles are code. */
export type Words = readonly (string | { readonly code: string })[]

/**
 * The alternatives of which one has to hold, each a sentence: whoever is or has something, where the record is so. Null where
 * a rule says more than there are words for: then its text speaks for itself.
 */
export function ruleInWords(rule: string | undefined, text: Messages): readonly Words[] | null {
  if (rule === undefined) return [[text.rule.nobody]]
  const condition = readExpression(rule)
  if (condition === null) return null
  if (condition.kind === "truth" && condition.operand.kind === "literal") {
    const { value } = condition.operand
    if (value === true) return [[text.rule.everybody]]
    return value === false ? [[text.rule.nobody]] : null
  }
  const alternatives = alternativesOf(condition)
  if (alternatives === null) return null
  const told = alternatives.map((all) => sentence(all, text.rule))
  return told.some((words) => words === null) ? null : (told as Words[])
}

type RuleText = Messages["rule"]

/** More are not read, but searched through. */
const maxAlternatives = 6

/** Which of several lists of conditions has to hold as a whole; null where they are too many. */
function alternativesOf(condition: Ast): Ast[][] | null {
  if (condition.kind === "or") {
    const parts = condition.parts.map(alternativesOf)
    const all = parts.flatMap((part) => part ?? [])
    return parts.includes(null) || all.length > maxAlternatives ? null : all
  }
  if (condition.kind === "and") {
    let all: Ast[][] = [[]]
    for (const part of condition.parts) {
      const choices = alternativesOf(part)
      if (choices === null) return null
      all = all.flatMap((before) => choices.map((choice) => [...before, ...choice]))
      if (all.length > maxAlternatives) return null
    }
    return all
  }
  return [[condition]]
}

function sentence(conditions: readonly Ast[], t: RuleText): Words | null {
  const who: Words[] = []
  const where: Words[] = []
  for (const condition of conditions) {
    const person = ofPerson(condition, t)
    const words = person ?? ofRecord(condition, t)
    if (words === null) return null
    ;(person ? who : where).push(words)
  }
  return [
    ...(who.length > 0 ? [`${t.whoever} `, ...joined(who, t)] : [t.whoeverAsks]),
    ...(where.length > 0 ? [`${t.where} `, ...joined(where, t)] : []),
  ]
}

const joined = (parts: readonly Words[], { and }: RuleText): Words =>
  parts.flatMap((part, i) => (i === 0 ? part : [` ${and} `, ...part]))

/** Words with what stands for `{}` in its place. */
function fill(template: string, ...values: readonly Words[]): Words {
  return template
    .split("{}")
    .flatMap((piece, i) => [
      ...(i === 0 ? [] : (values[i - 1] ?? [])),
      ...(piece === "" ? [] : [piece]),
    ])
}

const isActor = (operand: OperandAst, name: string): boolean =>
  operand.kind === "actor" && operand.name === name

/** What has to be true of whoever asks; null where it is not about them. */
function ofPerson(condition: Ast, t: RuleText): Words | null {
  if (condition.kind === "not") {
    const { part } = condition
    return part.kind === "has" && part.path === null ? hasRole(part.value, t.noRole) : null
  }
  if (condition.kind === "has") {
    if (condition.path === null) return hasRole(condition.value, t.role)
    return isActor(condition.value, "me.id") ? fill(t.among, pathWords(condition.path, t)) : null
  }
  if (condition.kind !== "comparison") return null
  const [actor, operator, other] =
    condition.left.kind === "actor"
      ? ([condition.left, condition.operator, condition.right] as const)
      : ([condition.right, mirrored[condition.operator], condition.left] as const)
  if (actor.kind !== "actor") return null
  const isSame = operator === "="
  if (!isSame && operator !== "!=") return null
  if (other.kind === "literal") return comparedWithLiteral(actor.name, isSame, other.value, t)
  return other.kind === "path" ? comparedWithField(actor.name, isSame, other, t) : null
}

const hasRole = (role: OperandAst, template: string): Words | null =>
  role.kind === "literal" ? fill(template, [{ code: String(role.value) }]) : null

function comparedWithLiteral(
  name: string,
  isSame: boolean,
  value: LiteralAst["value"],
  t: RuleText,
): Words | null {
  if (name === "me.id" && value === null) return [isSame ? t.notSignedIn : t.signedIn]
  if (name !== "me.kind") return null
  if (!isSame) return value === "anonymous" ? [t.withAccount] : null
  const kind = t.kinds[String(value)]
  return kind === undefined ? null : [kind]
}

function comparedWithField(
  name: string,
  isSame: boolean,
  path: PathAst,
  t: RuleText,
): Words | null {
  if (name === "me.id") {
    if (isSame && path.root === "row" && path.names.length === 1) {
      const [{ name }] = path.names
      if (name === "createdBy") return [t.author]
      if (name === "id") return [t.oneself]
    }
    return fill(isSame ? t.named : t.notNamed, pathWords(path, t))
  }
  if (!isSame) return null
  if (name === "org.id") return fill(t.within, pathWords(path, t))
  return name === "me.email" ? fill(t.addressed, pathWords(path, t)) : null
}

/** What has to be true of the record; null where there are no words for it. */
function ofRecord(condition: Ast, t: RuleText): Words | null {
  switch (condition.kind) {
    case "truth":
      return truth(condition.operand, t.yes, t)
    case "not": {
      const { part } = condition
      if (part.kind === "changed") return fill(t.unchanged, [{ code: part.field.name }])
      return part.kind === "truth" ? truth(part.operand, t.no, t) : null
    }
    case "changed":
      return fill(t.changed, [{ code: condition.field.name }])
    case "in":
      return ofList(condition.left, condition.list, condition.negated ? t.noneOf : t.oneOf, t)
    case "comparison":
      return compared(condition, t)
    default:
      return null
  }
}

const truth = (operand: OperandAst, template: string, t: RuleText): Words | null =>
  operand.kind === "path" ? fill(template, pathWords(operand, t)) : null

function ofList(
  left: OperandAst,
  list: readonly OperandAst[],
  template: string,
  t: RuleText,
): Words | null {
  if (left.kind !== "path") return null
  const items = list.map((item) => (item.kind === "literal" ? valueWords(item, t) : null))
  if (items.includes(null)) return null
  const told = (items as Words[]).flatMap((item, i) => (i === 0 ? item : [", ", ...item]))
  return fill(template, pathWords(left, t), told)
}

function compared(comparison: ComparisonAst, t: RuleText): Words | null {
  const { operator, left, right } = comparison
  if (left.kind !== "path") {
    if (right.kind !== "path" || operator === "~" || operator === "!~") return null
    return compared({ ...comparison, operator: mirrored[operator], left: right, right: left }, t)
  }
  const field = pathWords(left, t)
  if (right.kind === "literal" && (right.value === null || typeof right.value === "boolean")) {
    if (operator !== "=" && operator !== "!=") return null
    if (right.value === null) return fill(operator === "=" ? t.empty : t.notEmpty, field)
    // `!= true` is also true of what is empty.
    return operator === "=" ? fill(right.value ? t.yes : t.no, field) : null
  }
  const value = valueWords(right, t)
  if (value === null) return null
  const words = right.kind === "time" ? (t.times[operator] ?? null) : t.operators[operator]
  return words === null ? null : fill(words, field, value)
}

const mirrored: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  "=": "=",
  "!=": "!=",
  ">": "<",
  ">=": "<=",
  "<": ">",
  "<=": ">=",
  "~": "~",
  "!~": "!~",
}

function valueWords(operand: OperandAst, t: RuleText): Words | null {
  if (operand.kind === "path") return pathWords(operand, t)
  if (operand.kind === "time") return operand.offsetMilliseconds === 0 ? [t[operand.base]] : null
  if (operand.kind !== "literal" || operand.value === null) return null
  return typeof operand.value === "string" ? [t.quoted(operand.value)] : [String(operand.value)]
}

function pathWords({ root, names }: PathAst, t: RuleText): Words {
  const code = { code: names.map(({ name }) => name).join(".") }
  if (root === "row") return [code]
  return fill(root === "new" ? t.incoming : t.former, [code])
}
