/** One part of the input that the server refused: `path` is dotted, `fields.title`. */
export interface InputError {
  path: string
  code: string
  message: string
}

/**
 * Every failure of a call. `code` is the server's stable, machine-readable code; two codes are the client's own:
 * `unreachable` (no answer at all, status 0) and `unreadable` (an answer that is not the API's).
 */
export class ApiProblem extends Error {
  readonly status: number
  readonly code: string
  readonly detail: string
  /** The refused parts of the input; empty unless `code` is `invalid_input`. */
  readonly errors: readonly InputError[]
  /** Names the request in the server's log; null when there was no answer. */
  readonly requestId: string | null
  /** When the server said how long to wait before the next try. */
  readonly retryAfterSeconds: number | null
  /** The whole problem document, for members that only some codes have (`index`, `challenge`). */
  readonly body: Readonly<Record<string, unknown>>

  constructor(
    status: number,
    code: string,
    detail: string,
    headers: Headers | null,
    body: Record<string, unknown> = {},
    cause?: unknown,
  ) {
    super(detail, { cause })
    this.name = "ApiProblem"
    this.status = status
    this.code = code
    this.detail = detail
    this.errors = Array.isArray(body.errors) ? body.errors : []
    this.requestId = headers?.get("x-request-id") ?? null
    this.retryAfterSeconds = Number(headers?.get("retry-after")) || null
    this.body = body
  }
}

/** The problem that a response with an error status carries (RFC 9457), also when something before the API answered. */
export async function readProblem(response: Response): Promise<ApiProblem> {
  const { status, headers } = response
  const body = (await response.json().catch(() => null)) as Record<string, unknown> | null
  if (typeof body?.code !== "string") {
    return new ApiProblem(
      status,
      "unreadable",
      `The server answered ${status} without a reason`,
      headers,
    )
  }
  return new ApiProblem(status, body.code, String(body.detail ?? body.title), headers, body)
}
