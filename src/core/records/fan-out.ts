import { invalidInput } from "../../platform/problem.ts"
import type { LinkedField } from "./link.ts"

/* How much `expand` may bring: decided by the request alone, before anything is read. No I/O. */

/** Relations from a record to the last that is brought along. */
export const maxExpandDepth = 6
/** Related records of one relation to many: of each record that is listed, and of each of those in turn. */
const mostBack = 100
const mostNested = 10
const mostListed = 1_000
/** Related records of one answer, if every relation to many were as full as may be. */
const maxRelated = 250_000

/** Most records that a relation brings of one record; the rest is a page away. Null for a relation to one. */
export function mostOf({ kind, options }: LinkedField, nested: boolean): number | null {
  if (kind === "relation") return null
  if (nested) return mostNested
  return kind === "backRelation"
    ? mostBack
    : Math.min(Number(options.max ?? mostListed), mostListed)
}

interface Branch {
  readonly most: number | null
  readonly selection: { readonly expansions: readonly Branch[] }
}

/** @throws {Problem} `invalid_input` when so many records of such a shape could bring too many others along. */
export function assertBounded(expansions: readonly Branch[], records: number): void {
  const each = related(expansions)
  if (each * records <= maxRelated) return
  const fewer = Math.floor(maxRelated / each)
  const mend = fewer > 0 ? `a limit of ${fewer} or less, or ` : ""
  throw invalidInput({
    path: "query.expand",
    code: "too_much",
    message: `expand could bring ${(each * records).toLocaleString("en")} related records, and brings ${maxRelated.toLocaleString("en")} at most: ask for ${mend}fewer relations.`,
  })
}

/** Related records of one record. */
const related = (expansions: readonly Branch[]): number =>
  expansions.reduce(
    (sum, { most, selection }) => sum + (most ?? 1) * (1 + related(selection.expansions)),
    0,
  )
