import * as z from "zod"
import { type InputError, Problem, problems } from "../../platform/problem.ts"

/** What was not done, and why: what a request for it alone would have been refused with. */
interface Reason {
  readonly code: string
  readonly detail: string
  readonly errors?: readonly InputError[]
}

/** A row that was not taken. */
export interface Refusal extends Reason {
  /** In the file, from 1: the header of a CSV file is line 1. */
  readonly line: number
}

/** A row of a file, or a record, that was refused. */
export type BulkRefusal = Refusal | RecordRefusal

/** A record that was not changed. */
export interface RecordRefusal extends Reason {
  readonly id: string
}

/** How many rows came to what. */
export interface Counts {
  rows: number
  created: number
  updated: number
  /** Found as they were to be. */
  unchanged: number
  deleted: number
  refused: number
}

export const noCounts = (): Counts => ({
  rows: 0,
  created: 0,
  updated: 0,
  unchanged: 0,
  deleted: 0,
  refused: 0,
})

export const isRefusal = (row: object): row is Refusal => "code" in row && "detail" in row

export const refusalOf = (line: number, problem: Problem): Refusal => ({
  line,
  ...reasonOf(problem),
})

export const recordRefusal = (id: string, problem: Problem): RecordRefusal => ({
  id,
  ...reasonOf(problem),
})

/** A file may have a million rows of a hundred mistakes each, and whoever mends it begins with the first. */
const maxErrors = 10

const reasonOf = ({ code, details }: Problem): Reason => ({
  code,
  detail: details.detail ?? problems[code][1],
  ...(details.errors && { errors: details.errors.slice(0, maxErrors) }),
})

/** D1 answers an invocation of the Worker a thousand times; a batch of rows that has begun needs some hundred and fifty at most. */
export const maxTrips = 800

/** Refusals are told one by one as far as this, and counted beyond. */
export const maxRefusals = 1_000

export interface Report extends Counts {
  readonly dryRun: boolean
  readonly refusals: BulkRefusal[]
}

export const newReport = (dryRun: boolean): Report => ({ dryRun, ...noCounts(), refusals: [] })

export function addTo(
  report: Report,
  { counts, refusals }: { counts: Counts; refusals: readonly BulkRefusal[] },
): void {
  for (const name of ["rows", "created", "updated", "unchanged", "deleted", "refused"] as const) {
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
    line: count
      .optional()
      .meta({ description: "Of a file, from 1; the header of a CSV file is line 1." }),
    id: z.uuid().optional().meta({ description: "Of the record, where there is no file." }),
    code: z.string().meta({ description: "As of a problem.", examples: ["invalid_input"] }),
    detail: z.string(),
    errors: z
      .array(z.object({ path: z.string(), code: z.string(), message: z.string() }))
      .optional(),
  })
  .meta({ description: "What was not done, and why." })

export const counts = z.object({
  rows: count.meta({ description: "Rows of a file, without its header, or records." }),
  created: count,
  updated: count,
  unchanged: count.meta({ description: "Found as they were to be." }),
  deleted: count,
  refused: count,
})

export const bulkReport = counts
  .extend({
    dryRun: z.boolean(),
    refusals: z.array(refusal).meta({ description: `The first ${maxRefusals} that were refused.` }),
  })
  .meta({ description: "What became of it." })
