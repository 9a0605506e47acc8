import { Refusal, UniqueViolation } from "../../platform/database.ts"
import { type InputError, Problem, type ProblemCode } from "../../platform/problem.ts"
import { literal, raw, type Sql, sql } from "../../platform/sql.ts"
import { kept, type Sieve } from "./sieve.ts"

/*
 * Refusals inside a batch. A guard is a SELECT that looks at what a write is about to do and names the first thing that
 * speaks against it; its insert into `refusals` then aborts the whole batch, and the message carries the outcome out.
 */

/** In the order in which they are asked: what comes first hides what comes after. */
export type Outcome =
  | "token_outdated"
  | "replayed"
  | "rehearsed"
  | "overtaken"
  | "sifted"
  | "not_found"
  | "forbidden"
  | "stale"
  | "invalid_reference"
  | "unknown_file"
  | "file_type"
  | "file_size"
  | "referenced"
  | "too_many"
  | "taken"

/** One objection: when `condition` is true, the write is refused with `outcome` about `detail` (field names). */
export interface Objection {
  readonly outcome: Outcome
  readonly condition: Sql
  readonly detail?: string
}

/**
 * The statement that aborts with the first objection that holds, for the first row of `from` (with the columns that the
 * conditions name). `index` is SQL for the operation's position.
 */
export function guard(
  index: Sql,
  objections: readonly Objection[],
  from: Sql,
  sieve: Sieve | null = null,
): Sql | null {
  const found = refusals(index, objections, from)
  if (!found) return null
  return sieve ? kept(sieve, found) : sql`INSERT INTO refusals ${found} LIMIT 1`
}

/** The same as a question: a row with `refusal` for each row of `from` that is objected to. */
export function refusals(index: Sql, objections: readonly Objection[], from: Sql): Sql | null {
  const possible = objections.filter(({ condition }) => condition.text !== "0")
  if (possible.length === 0) return null
  let cases = raw("")
  for (const { outcome, condition, detail = "" } of possible) {
    cases = sql`${cases} WHEN ${condition} THEN ${raw(literal(`${outcome}|${detail}|`))}`
  }
  return sql`SELECT refusal FROM (SELECT 'refused|' || ${index} || '|' || CASE${cases} END AS refusal FROM ${from}) WHERE refusal IS NOT NULL`
}

/** Ends a batch that was only to be judged: whatever it wrote before is undone. */
export const rehearsed: Sql = raw("INSERT INTO refusals VALUES ('refused|0|rehearsed||')")

export const isRehearsed = (error: unknown): boolean =>
  error instanceof Refusal && error.outcome === "rehearsed"

/** Aborts a batch for another reason than its writes: what it was to go on from is no longer so. */
export const assertStill = (condition: Sql): Sql =>
  sql`INSERT INTO refusals SELECT 'refused|0|overtaken||' WHERE NOT (${condition})`

export const isOvertaken = (error: unknown): boolean =>
  error instanceof Refusal && error.outcome === "overtaken"

/** What a refused batch means to the caller. Anything else is passed on as it is. */
export function refusalProblem(error: unknown, anonymous: boolean, several: boolean): unknown {
  if (error instanceof UniqueViolation) {
    const columns = /UNIQUE constraint failed: ([^:]*)/.exec(error.message)?.[1] ?? ""
    const fields = columns.split(",").map((column) => column.trim().split(".")[1] ?? "")
    return takenProblem(
      fields.filter((field) => field !== "organisation").join(","),
      undefined,
      error,
    )
  }
  if (!(error instanceof Refusal)) return error
  const index = several ? error.index : undefined
  const outcome = error.outcome as Outcome
  switch (outcome) {
    case "taken":
      return takenProblem(error.detail, index, error)
    case "invalid_reference":
      return referenceProblem(error.detail, index, error)
    case "unknown_file":
    case "file_type":
    case "file_size":
      return fileProblem(outcome, error.detail, index, error)
    case "referenced":
      return new Problem("conflict", {
        detail: `${error.detail ? `Records of "${error.detail}"` : "Other records"} still point at this one.`,
        ...(index !== undefined && { index }),
        cause: error,
      })
    case "too_many": {
      const most = Number(error.detail).toLocaleString("en")
      return new Problem("conflict", {
        detail: `More than ${most} other records would go or change with this one, and a call takes ${most} at most: nothing was deleted. Delete some of them first.`,
        ...(index !== undefined && { index }),
        cause: error,
      })
    }
    case "forbidden":
      return new Problem(anonymous ? "unauthenticated" : "forbidden", {
        ...(error.detail && { detail: `You may not set "${error.detail}" here.` }),
        ...(index !== undefined && { index }),
        cause: error,
      })
    default:
      return new Problem(outcomeCodes[outcome as keyof typeof outcomeCodes] ?? "internal", {
        ...(index !== undefined && { index }),
        cause: error,
      })
  }
}

const outcomeCodes = {
  token_outdated: "token_outdated",
  not_found: "not_found",
  stale: "precondition_failed",
} as const satisfies Partial<Record<Outcome, ProblemCode>>

function takenProblem(detail: string, index: number | undefined, cause: unknown): Problem {
  const fields = detail.split(",").filter(Boolean)
  const errors = fields.map(
    (path): InputError => ({
      path,
      code: "taken",
      message: `Another record has the same ${fields.join(" and ")}.`,
    }),
  )
  return new Problem("conflict", {
    detail: fields.length
      ? `Another record has the same ${fields.join(" and ")}.`
      : "Another record is in the way.",
    errors,
    ...(index !== undefined && { index }),
    cause,
  })
}

function referenceProblem(field: string, index: number | undefined, cause: unknown): Problem {
  const message = `${field ? `"${field}"` : "A relation"} points at a record that does not exist.`
  return new Problem("invalid_input", {
    detail: message,
    errors: [{ path: field, code: "invalid_reference", message }],
    ...(index !== undefined && { index }),
    cause,
  })
}

/** `detail` as `fileObjections` writes it. */
function fileProblem(
  outcome: "unknown_file" | "file_type" | "file_size",
  detail: string,
  index: number | undefined,
  cause: unknown,
): Problem {
  const [field = "", encoded = ""] = detail.split(" ")
  const limit = decodeURIComponent(encoded)
  const message = {
    unknown_file: `"${field}" names a file that you have not sent, or that is gone.`,
    file_type: `"${field}" takes files of these types: ${limit}.`,
    file_size: `"${field}" takes files of ${Number(limit).toLocaleString("en")} bytes at most.`,
  }[outcome]
  return new Problem("invalid_input", {
    detail: message,
    errors: [{ path: field, code: outcome, message }],
    ...(index !== undefined && { index }),
    cause,
  })
}
