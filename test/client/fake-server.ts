import { vi } from "vitest"

export interface Sent {
  method: string
  path: string
  headers: Headers
  body: unknown
  credentials: RequestCredentials | undefined
}
type Step = (sent: Sent) => Response | Promise<Response>

/** A `fetch` that answers by script, one step a call, and remembers what was sent. */
export function fakeServer(...script: Step[]) {
  const sent: Sent[] = []
  const fetch = vi.fn(async (input: string | URL | Request, init: RequestInit = {}) => {
    const url = new URL(String(input))
    const call: Sent = {
      method: init.method ?? "GET",
      path: url.pathname + url.search,
      headers: new Headers(init.headers),
      body: init.body === undefined ? undefined : contentOf(String(init.body)),
      credentials: init.credentials,
    }
    sent.push(call)
    init.signal?.throwIfAborted()
    const step = script.shift()
    if (!step) throw new Error(`nothing in the script answers ${call.method} ${call.path}`)
    return step(call)
  })
  return {
    fetch: fetch as typeof globalThis.fetch,
    sent,
    continue: (...more: Step[]) => script.push(...more),
  }
}

/** JSON as its value, and a file as its text. */
function contentOf(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}

export const answers =
  (body: unknown, headers: Record<string, string> = {}, status = 200): Step =>
  () =>
    new Response(status === 204 ? null : JSON.stringify(body), { status, headers })

export const refuses =
  (status: number, code: string, more: Record<string, unknown> = {}, headers = {}): Step =>
  () =>
    new Response(
      JSON.stringify({ status, code, title: code, detail: `detail of ${code}`, ...more }),
      {
        status,
        headers: {
          "content-type": "application/problem+json",
          "x-request-id": "req-1",
          ...headers,
        },
      },
    )

export const fails: Step = () => Promise.reject(new TypeError("fetch failed"))

export const alice = { id: "a1", email: "alice@example.org", name: "Alice", roles: [] }

/** What sign-in and renewal answer: the nth pair of tokens. */
export const tokens = (n: number, user: object = alice): Step =>
  answers(
    { user, accessToken: `access-${n}`, refreshToken: `refresh-${n}`, expiresIn: 600 },
    {},
    201,
  )
