import { identifier, raw, type Sql, sql } from "../../platform/sql.ts"
import type { Checked, Operand } from "../expression/checked.ts"
import { bind } from "../expression/fold.ts"
import type { AggregateQuery, Group, Measure } from "./aggregate-query.ts"
import type { LinkedCollection } from "./link.ts"
import { halves, type LinkedSummary, spanLengths } from "./summaries.ts"
import { mainAlias, mainSource, type View } from "./view.ts"

/** Where an aggregate reads what it adds up, when that is a summary and not the records. */
export interface Summarised {
  readonly from: Sql
  readonly conditions: readonly Sql[]
  group(group: Group): Sql
  readonly count: Sql
  /** Of the sum of a whole field: the upper and the lower 32 bits, each added up by itself. */
  sum(measure: Measure): { readonly upper: Sql; readonly lower: Sql }
}

/**
 * The first summary that answers the question; null where the records have to be read.
 *
 * A sum that has been made betrays what went into it, so it is closed by default: it serves only where every record of a
 * bucket is seen by the actor, or none is. That holds where the read rule is the same for all records, or speaks of
 * nothing but the summary's group; and where no field that is asked about has a rule left that depends on the record.
 */
export function summarised(
  view: View,
  collection: LinkedCollection,
  query: AggregateQuery,
): Summarised | null {
  if (query.search !== null) return null
  for (const summary of collection.summaries) {
    const found = fitting(view, collection, summary, query)
    if (found) return found
  }
  return null
}

const column = (name: string): Sql => raw(`${mainAlias}."${name}"`)

function fitting(
  view: View,
  collection: LinkedCollection,
  summary: LinkedSummary,
  { groups, measures, filter }: AggregateQuery,
): Summarised | null {
  const isKept = ({ function: measure, path }: Measure) =>
    measure === "count" ||
    (measure === "sum" && path !== null && summary.sums.some((field) => isOwn(path, field)))
  const isTold = ({ path, bucket }: Group) =>
    bucket === null
      ? isOwn(path, summary.group)
      : bucket !== "week" &&
        isOwn(path, summary.field) &&
        spanLengths[bucket] <= spanLengths[summary.span]
  if (!measures.every(isKept) || !groups.every(isTold)) return null

  const rule = view.readRule(collection)
  if (typeof rule !== "boolean" && !restsOn(rule, summary.group)) return null
  const conditions: Sql[] = [view.compile(rule, mainSource)]
  const scope = view.scope(collection.shape, mainAlias)
  if (scope) conditions.push(scope)
  const bound = filter && bind(filter, view.context)
  for (const part of bound?.kind === "and" ? bound.parts : bound ? [bound] : []) {
    const condition = restsOn(part, summary.group)
      ? view.compile(part, mainSource)
      : fromOrUntil(part, summary)
    if (condition === null) return null
    conditions.push(condition)
  }
  return {
    from: identifier(summary.table),
    conditions,
    group: ({ path, bucket }) =>
      bucket === null
        ? column(path.field.column)
        : sql`substr(${column("bucket")}, 1, ${raw(String(spanLengths[bucket as "day"]))})`,
    count: sql`ifnull(sum(${column("rows")}), 0)`,
    sum: ({ path }) => {
      const { high, low } = halves(path?.field.name ?? "")
      return {
        upper: sql`ifnull(sum(${column(high)}), 0)`,
        lower: sql`ifnull(sum(${column(low)}), 0)`,
      }
    },
  }
}

/** A field of the record itself, which the actor may read in every record. */
const isOwn = (operand: Operand, name: string | null): boolean =>
  operand.kind === "path" &&
  operand.root === "row" &&
  operand.steps.length === 0 &&
  operand.fieldRule === true &&
  operand.field.name === name

/** Whether a condition is the same for all records of a group: it speaks of the group and of the actor alone. */
function restsOn(node: Checked, group: string | null): boolean {
  const isTold = (operand: Operand): boolean => {
    if (operand.kind === "call") return isTold(operand.argument)
    return ["value", "actor", "time"].includes(operand.kind) || isOwn(operand, group)
  }
  switch (node.kind) {
    case "constant":
      return true
    case "and":
    case "or":
      return node.parts.every((part) => restsOn(part, group))
    case "comparison":
      return isTold(node.left) && isTold(node.right)
    case "membership":
      return [node.operand, ...node.values].every(isTold)
    case "isNull":
    case "roleTest":
      return isTold(node.operand)
    default:
      return false
  }
}

/** `seenOn >= "2025-01-01"`, `seenOn < "2026-01-01"`: where the bound is the beginning of a span, it falls between two. */
function fromOrUntil(node: Checked, { field, span }: LinkedSummary): Sql | null {
  if (node.kind !== "comparison" || node.negated || !isOwn(node.left, field)) return null
  const { operator, right } = node
  if (right.kind !== "value" || (operator !== ">=" && operator !== "<")) return null
  const bound = String(right.value)
  const length = spanLengths[span]
  // A day, or the first instant of one, as the two are stored.
  const rest = bound.slice(length)
  const beginning = "0000-01-01".slice(length)
  if (rest !== beginning && rest !== `${beginning}T00:00:00.000Z`) return null
  return sql`${column("bucket")} ${raw(operator)} ${bound.slice(0, length)}`
}
