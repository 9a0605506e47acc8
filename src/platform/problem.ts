/**
 * Every refusal of the API, by code. `code` is stable and machine-readable; `title` is for people.
 * @see https://www.rfc-editor.org/rfc/rfc9457
 */
export const problems = {
  invalid_input: [400, "The input is not valid"],
  invalid_expression: [400, "The expression is not valid"],
  invalid_cursor: [400, "The cursor does not belong to this query"],
  unauthenticated: [401, "Sign in to do this"],
  invalid_credentials: [401, "E-mail address or password is wrong"],
  token_invalid: [401, "The token is not valid"],
  token_expired: [401, "The token has expired"],
  token_outdated: [401, "The token is outdated, refresh it"],
  second_factor_required: [401, "A second factor is required"],
  step_up_required: [401, "Prove once more that it is you"],
  code_invalid: [401, "The code or link is not valid, or not any more"],
  authorization_denied: [403, "The provider was not allowed to say who you are"],
  account_disabled: [403, "This account is disabled"],
  email_unverified: [403, "The e-mail address is not verified yet"],
  account_required: [403, "An anonymous session may not do this"],
  forbidden: [403, "You may not do this"],
  captcha_required: [403, "Show that you are no program"],
  captcha_invalid: [403, "What should show it is not valid, or not any more"],
  file_infected: [403, "There is malware in this file"],
  not_found: [404, "There is no such thing here"],
  method_not_allowed: [405, "The method is not allowed here"],
  conflict: [409, "This conflicts with another record"],
  identity_not_linked: [409, "An account has this address: sign in to it, then link"],
  file_unscanned: [409, "It is not known yet whether there is malware in this file"],
  offset_mismatch: [409, "The upload goes on at another offset"],
  length_required: [411, "Say beforehand how long the body is"],
  precondition_failed: [412, "The record has changed since you read it"],
  tus_version_unsupported: [412, "This version of tus is not spoken here"],
  payload_too_large: [413, "The request body is too large"],
  quota_exceeded: [413, "There is no room for it"],
  unsupported_media_type: [415, "The media type is not supported"],
  range_not_satisfiable: [416, "There is no such part of it"],
  unsupported_image: [422, "No such image can be made of this file"],
  idempotency_mismatch: [422, "The idempotency key was used with another request"],
  budget_exceeded: [422, "The request reads more than it may"],
  locked: [429, "Too many failed sign-ins, try again later"],
  rate_limited: [429, "Too many requests"],
  checksum_mismatch: [460, "The content is not what its checksum says"],
  internal: [500, "Something went wrong on our side"],
  misconfigured: [500, "The deployment is not configured correctly"],
  provider_failed: [502, "The identity provider did not answer as it should"],
  integration_failed: [502, "Another service did not answer as it should"],
  captcha_unavailable: [503, "It cannot be verified now that you are no program"],
  overloaded: [503, "The database is overloaded, try again"],
} as const satisfies Record<string, readonly [number, string]>

export type ProblemCode = keyof typeof problems

/** What is wrong with one part of the input. `path` is dotted: `fields.title`, `query.limit`, `body`. */
export interface InputError {
  path: string
  code: string
  message: string
}

interface ProblemDetails {
  /** One sentence for the person who reads the answer. Never a secret, never another's data. */
  detail?: string
  errors?: InputError[]
  /** Position of the refused operation among several. */
  index?: number
  /** Further members of the body (RFC 9457, 3.2), such as a challenge. */
  extensions?: Readonly<Record<string, unknown>>
  /** Response headers, such as `Retry-After` in seconds. */
  headers?: Record<string, string>
  cause?: unknown
}

/** The one error class that callers see. Anything else that is thrown is `internal`. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly details: ProblemDetails

  constructor(code: ProblemCode, details: ProblemDetails | string = {}) {
    const whole = typeof details === "string" ? { detail: details } : details
    super(whole.detail ?? problems[code][1], { cause: whole.cause })
    this.name = "Problem"
    this.code = code
    this.details = whole
  }

  get status(): number {
    return problems[this.code][0]
  }
}

/**
 * A refusal that names parts of the input; the first messages double as the detail. Names come from the caller, so what is
 * said of them is bounded: an answer must not be larger than what it answers.
 */
export function invalidInput(...errors: InputError[]): Problem {
  const named = errors.slice(0, maxErrors).map(({ path, code, message }) => ({
    path: path.slice(0, maxCharacters),
    code,
    message: message.slice(0, maxCharacters),
  }))
  const detail = named.slice(0, 3).map((error) => error.message)
  if (errors.length > 3) detail.push(`And ${errors.length - 3} more.`)
  return new Problem("invalid_input", { detail: detail.join(" "), errors: named })
}

const maxErrors = 100
const maxCharacters = 300

/** The same refusal, of one among several operations. What is no refusal is passed on. */
export const atIndex = (error: unknown, index: number): unknown =>
  error instanceof Problem ? new Problem(error.code, { ...error.details, index }) : error

/** The body of `application/problem+json`. */
export function problemBody(problem: Problem, requestId: string): Record<string, unknown> {
  const [status, title] = problems[problem.code]
  const { detail, errors, index, extensions } = problem.details
  return {
    type: `/docs#problem-${problem.code}`,
    title,
    status,
    detail: detail ?? title,
    code: problem.code,
    requestId,
    ...(errors && { errors }),
    ...(index !== undefined && { index }),
    ...extensions,
  }
}

export function problemResponse(problem: Problem, requestId: string): Response {
  return new Response(JSON.stringify(problemBody(problem, requestId)), {
    status: problem.status,
    headers: {
      "content-type": "application/problem+json",
      // RFC 9110, 11.6.1: every 401 says how to authenticate.
      ...(problem.status === 401 && { "www-authenticate": "Bearer" }),
      ...problem.details.headers,
    },
  })
}
