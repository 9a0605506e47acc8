import { ApiProblem, readProblem } from "./problem.ts"
import { fetchWithProgress, type Progress } from "./progress.ts"

/** One call of the API. */
export interface Call {
  method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE"
  /** From the root of the API, with its query: `/records/films?limit=2`. */
  path: string
  /** Sent as JSON. */
  body?: unknown
  /** Sent as it is, instead; `content-type` is among the headers. */
  file?: string | Blob
  headers?: Record<string, string>
  /** Called while the body is sent, in browsers. */
  onProgress?: Progress
  signal?: AbortSignal
}

/** Sends a call and answers a successful response, or throws `ApiProblem`. */
export type Transport = (call: Call) => Promise<Response>

interface TransportOptions {
  /** Where the server is, without a slash at its end. */
  url: string
  fetch: typeof fetch
  /** `include` where the server's cookies are ours, else `omit`. */
  credentials: RequestCredentials
}

const attempts = 4
/** A server that asks for more patience than this is better reported than waited for. */
const longestWaitSeconds = 10

/**
 * HTTP with the two courtesies that every call wants: a call that is safe to repeat is repeated when the server is
 * overloaded or out of reach, and the bookmark of what was last seen goes along, so that a client reads its own writes.
 */
export function createTransport({ url: base, fetch, credentials }: TransportOptions): Transport {
  let bookmark: string | null = null

  async function attempt(call: Call): Promise<Response> {
    const sent = bookmark
    const { onProgress } = call
    const init = {
      method: call.method,
      headers: {
        accept: "application/json",
        ...(call.body !== undefined && { "content-type": "application/json" }),
        ...(sent && { "x-bookmark": sent }),
        ...call.headers,
      },
      credentials,
      ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
      ...(call.file !== undefined && { body: call.file }),
      ...(call.signal && { signal: call.signal }),
    }
    const url = base + call.path
    const response =
      onProgress && globalThis.XMLHttpRequest
        ? await fetchWithProgress(url, init, onProgress)
        : await fetch(url, init)
    const received = response.headers.get("x-bookmark")
    // A read that set out before the last write must not take us back behind that write.
    if (received && (call.method !== "GET" || sent === bookmark)) bookmark = received
    if (!response.ok) throw await readProblem(response)
    return response
  }

  return async (call) => {
    const repeatable =
      call.method === "GET" ||
      call.method === "HEAD" ||
      call.headers?.["idempotency-key"] !== undefined
    for (let made = 1; ; made += 1) {
      try {
        return await attempt(call)
      } catch (error) {
        if (call.signal?.aborted) throw error
        const problem = error instanceof ApiProblem ? error : unreachable(error)
        const seconds = secondsToWait(problem, made)
        if (!repeatable || made === attempts || seconds === null) throw problem
        await wait(seconds, call.signal)
      }
    }
  }
}

const unreachable = (cause: unknown): ApiProblem =>
  new ApiProblem(0, "unreachable", "The server cannot be reached", null, {}, cause)

/** Null when trying again is no use. Jitter only adds: nobody comes back before the time that the server named. */
function secondsToWait(problem: ApiProblem, made: number): number | null {
  if (problem.status !== 0 && problem.status !== 503) return null
  const seconds = Math.max(problem.retryAfterSeconds ?? 0, 0.2 * 2 ** (made - 1))
  return seconds > longestWaitSeconds ? null : seconds * (1 + Math.random() / 2)
}

export const wait = (seconds: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop)
      resolve()
    }, seconds * 1000)
    signal?.addEventListener("abort", stop, { once: true })
  })
