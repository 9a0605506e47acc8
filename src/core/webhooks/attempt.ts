import { addressRefusals, type Resolve, refusalNow } from "../../platform/outbound-address.ts"
import type { Settings } from "../../platform/settings.ts"

/*
 * One request to a receiver, who is taken for a stranger: it may answer late, for ever, too much, or somewhere else.
 */

/** What an attempt needs of the world outside. */
export interface Outside {
  readonly fetch: (request: Request) => Promise<Response>
  readonly resolve: Resolve
}

export interface Outcome {
  /** Null where there was no answer. */
  readonly status: number | null
  readonly headers: Readonly<Record<string, string>> | null
  /** The beginning of it. */
  readonly body: string | null
  /** Why it does not count, in a sentence; null where it does. */
  readonly error: string | null
  readonly retryAfter: string | null
  readonly milliseconds: number
}

export const timeoutMilliseconds = 15_000
const keptBytes = 1_024
const keptHeaders = 40
const keptHeaderCharacters = 500

/** Never throws. Nothing is sent to where the address may not lead now. */
export async function attempt(
  settings: Settings,
  outside: Outside,
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  timeout = timeoutMilliseconds,
): Promise<Outcome> {
  const began = Date.now()
  const unanswered = (error: string): Outcome => ({
    status: null,
    headers: null,
    body: null,
    error,
    retryAfter: null,
    milliseconds: Date.now() - began,
  })
  // One clock for all of it: a receiver that drips is as late as one that is silent.
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), timeout)
  try {
    const { loopbackCalls: loopback } = settings
    const refusal = await refusalNow(url, { loopback, resolve: outside.resolve })
    if (refusal !== null) return unanswered(`The address ${addressRefusals[refusal]}.`)
    const response = await outside.fetch(
      new Request(url, {
        method: "POST",
        headers: { ...headers },
        body,
        redirect: "manual",
        signal: abort.signal,
      }),
    )
    const beginning = await beginningOf(response, abort.signal)
    return {
      status: response.status,
      headers: headersOf(response),
      body: beginning.text,
      error: errorOf(response.status, beginning.broken),
      retryAfter: response.headers.get("retry-after"),
      milliseconds: Date.now() - began,
    }
  } catch (error) {
    if (abort.signal.aborted) return unanswered(`No answer within ${timeout / 1_000} seconds.`)
    return unanswered(`No connection: ${describe(error)}`)
  } finally {
    clearTimeout(timer)
  }
}

function errorOf(status: number, broken: boolean): string | null {
  if (status >= 300 && status < 400) return "It answered with a redirect, which is not followed."
  if (status < 200 || status >= 300) return `It answered with ${status}.`
  return broken ? "The answer broke off." : null
}

/** The first KB as text; the rest is never read. An answer that ends in the middle of that is broken. */
async function beginningOf(
  response: Response,
  signal: AbortSignal,
): Promise<{ text: string; broken: boolean }> {
  if (!response.body) return { text: "", broken: false }
  const reader = response.body.getReader()
  const cancelled = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true })
  })
  const pieces: Uint8Array[] = []
  let length = 0
  let broken = false
  try {
    while (length < keptBytes) {
      const { done, value } = await Promise.race([reader.read(), cancelled])
      if (done) break
      pieces.push(value.subarray(0, keptBytes - length))
      length += value.length
    }
  } catch (error) {
    if (signal.aborted) throw error
    broken = true
  }
  // Whoever goes on sending is not waited for.
  reader.cancel().catch(() => {})
  return { text: textOf(pieces), broken }
}

function textOf(pieces: readonly Uint8Array[]): string {
  const decoder = new TextDecoder()
  const text = pieces.map((piece) => decoder.decode(piece, { stream: true })).join("")
  return (text + decoder.decode()).replaceAll("\0", "\uFFFD")
}

/** What a receiver sets for browsers is nobody's business here. */
function headersOf(response: Response): Record<string, string> {
  return Object.fromEntries(
    [...response.headers]
      .filter(([name]) => name !== "set-cookie")
      .slice(0, keptHeaders)
      .map(([name, value]) => [name, value.slice(0, keptHeaderCharacters)]),
  )
}

const describe = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, 300)
