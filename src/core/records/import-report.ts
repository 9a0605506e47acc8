import * as z from "zod"
import { type InputError, Problem, problems } from "../../platform/problem.ts"

/** A row that was not taken, and why: what its own request would have been refused with. */
export interface Refusal {
  /** In the file, from 1: the header of a CSV file is line 1. */
  readonly line: number
  readonly code: string
  readonly detail: string
  readonly errors?: readonly InputError[]
}

/** How many rows came to what. */
export interface Counts {
  rows: number
  created: number
  updated: number
  /** Found as they were to be. */
  unchanged: number
  refused: number
}

export const noCounts = (): Counts => ({
  rows: 0,
  created: 0,
  updated: 0,
  unchanged: 0,
  refused: 0,
})

export const isRefusal = (row: object): row is Refusal => "code" in row && "detail" in row

export const refusalOf = (line: number, { code, details }: Problem): Refusal => ({
  line,
  code,
  detail: details.detail ?? problems[code][1],
  ...(details.errors && { errors: details.errors }),
})

/** Refusals are told one by one as far as this, and counted beyond. */
export const maxRefusals = 1_000

export interface Report extends Counts {
  readonly dryRun: boolean
  readonly refusals: Refusal[]
}

export function addTo(report: Report, counts: Counts, refusals: readonly Refusal[]): void {
  for (const name of ["rows", "created", "updated", "unchanged", "refused"] as const) {
    report[name] += counts[name]
  }
  report.refusals.push(...refusals.slice(0, maxRefusals - report.refusals.length))
}

/** What went wrong, with what had been done by then: it stays. */
export function withReport(error: unknown, report: Report): Problem {
  const problem = error instanceof Problem ? error : new Problem("internal", { cause: error })
  return new Problem(problem.code, {
    ...problem.details,
    cause: problem.details.cause ?? error,
    extensions: { ...problem.details.extensions, report },
  })
}

const count = z.int().nonnegative()

export const refusal = z
  .object({
    line: count.meta({ description: "In the file, from 1; the header of a CSV file is line 1." }),
    code: z.string().meta({ description: "As of a problem.", examples: ["invalid_input"] }),
    detail: z.string(),
    errors: z
      .array(z.object({ path: z.string(), code: z.string(), message: z.string() }))
      .optional(),
  })
  .meta({ description: "A row that was not taken, and why." })

export const importReport = z
  .object({
    dryRun: z.boolean(),
    rows: count.meta({ description: "All of them, without the header." }),
    created: count,
    updated: count,
    unchanged: count.meta({ description: "Found as they were to be." }),
    refused: count,
    refusals: z
      .array(refusal)
      .meta({ description: `The first ${maxRefusals} rows that were refused.` }),
  })
  .meta({ description: "What became of the rows of a file." })
