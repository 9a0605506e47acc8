/** What is wrong with an expression, as a stable word. */
export type ExpressionErrorCode =
  | "syntax"
  | "bad_text"
  | "too_long"
  | "too_many_comparisons"
  | "too_deep"
  | "too_complex"
  | "unknown_field"
  | "unknown_name"
  | "wrong_type"
  | "bad_date"
  | "bad_pattern"
  | "bad_point"
  | "not_allowed"

/** An expression that cannot be understood. `position` is the offset (0-based, UTF-16) in its text. */
export class ExpressionError extends Error {
  readonly code: ExpressionErrorCode
  readonly position: number

  /** The message reads `<problem> at <position>; <hint>`. */
  constructor(code: ExpressionErrorCode, position: number, problem: string, hint = "") {
    super(`${problem} at ${position}${hint && `; ${hint}`}`)
    this.name = "ExpressionError"
    this.code = code
    this.position = position
  }
}
