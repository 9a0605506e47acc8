import { createClient } from "../client/client.ts"
import { ApiProblem } from "../client/problem.ts"
import type { Call } from "../client/transport.ts"

/** The deployment that serves this page: by its public API alone, with the cookies of its own origin. */
export const backend = createClient({ url: location.origin, storage: localStorage })

export const read = <T>(path: string, signal?: AbortSignal): Promise<T> =>
  backend.request<T>({ method: "GET", path, ...(signal && { signal }) })

export const write = <T>(
  method: Call["method"],
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
): Promise<T> =>
  backend.request<T>({
    method,
    path,
    ...(body !== undefined && { body }),
    ...(headers && { headers }),
  })

/** A path with those of the parameters that have a value. */
export function pathWith(
  path: string,
  parameters: Record<string, string | number | null | undefined>,
): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, String(value))
  }
  return query.size > 0 ? `${path}?${query}` : path
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly next: string | null
  readonly count?: number
}

export const isProblem = (error: unknown, code?: string): error is ApiProblem =>
  error instanceof ApiProblem && (code === undefined || error.code === code)
