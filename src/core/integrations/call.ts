import type { App } from "../../platform/app.ts"
import { refusalOf } from "../../platform/outbound-address.ts"
import { Problem } from "../../platform/problem.ts"
import { type Circuit, closed, entered, failed, isOpen } from "./circuit.ts"
import type { Integration } from "./integration.ts"

export interface IntegrationRequest {
  /** GET unless told. */
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE"
  readonly url: string
  /** None of those that hold the integration's secrets. */
  readonly headers?: Readonly<Record<string, string>>
  /** An object is sent as JSON; what is asked for, as a stream that is made anew for each attempt. */
  readonly body?: string | Uint8Array | object | ContentMaker
  /** Sent as `Idempotency-Key`, so that what is not idempotent by its method bears repetition, too. A job's key is one. */
  readonly idempotencyKey?: string
  /** Ends it early, as a job's does. */
  readonly signal?: AbortSignal
}

/** What the service said, whatever its status; redirects are answers, and are not followed. */
export interface IntegrationAnswer {
  readonly status: number
  readonly ok: boolean
  readonly headers: Headers
  readonly bytes: Uint8Array
  text(): string
  /** @throws {SyntaxError} for what is not JSON. */
  json(): unknown
}

/** Calls to other services: of routes, listeners, inbound hooks and jobs. */
export interface Integrations {
  /**
   * @throws {Problem} `integration_failed` when no answer was to be had: the service was silent, closed the connection, said
   *   too much, or has been left alone for a while because of that; `misconfigured` where a secret is not set.
   */
  call(integration: Integration, request: IntegrationRequest): Promise<IntegrationAnswer>
}

/** By integration and host: as many as the code names. */
const circuits = new Map<string, Circuit>()

export const integrationsFor = (app: App): Integrations => ({
  async call(integration, request) {
    const url = assertAllowed(app, integration, request.url)
    const init = initOf(app, integration, request)
    const circuitKey = `${integration.name} ${url.host}`
    const delays = bearsRepetition(request)
      ? (integration.options.retryMilliseconds ?? [200, 1_000])
      : []
    for (let attempt = 0; ; attempt++) {
      // The request's own clock stands still, and some jobs take minutes.
      const circuit = circuits.get(circuitKey) ?? closed
      if (isOpen(circuit, Date.now()))
        throw failure(app, integration, "it is left alone for a while")
      circuits.set(circuitKey, entered(circuit, Date.now()))
      const outcome = await attemptAt(url, init, integration, request)
      request.signal?.throwIfAborted()
      const isTrouble = "reason" in outcome ? outcome.isTrouble : troubles.has(outcome.status)
      // Whoever wants to be left alone is well.
      const isIll = isTrouble && !("status" in outcome && outcome.status === 429)
      circuits.set(
        circuitKey,
        isIll ? failed(circuits.get(circuitKey) ?? closed, Date.now()) : closed,
      )
      const delay = isTrouble ? delays[attempt] : undefined
      const asked = askedDelay(outcome)
      if (delay === undefined || asked > maxAskedDelay) {
        if ("reason" in outcome) throw failure(app, integration, outcome.reason)
        return outcome
      }
      await pause(Math.max(asked, delay * (1 - Math.random() / 2)), request.signal)
    }
  },
})

/** Of a service that is not well, or wants to be left alone. */
const troubles = new Set([429, 500, 502, 503, 504])

const bearsRepetition = ({ method = "GET", idempotencyKey }: IntegrationRequest): boolean =>
  idempotencyKey !== undefined || (method !== "POST" && method !== "PATCH")

/**
 * By the list, and by the guard of all addresses, which an address on the list may still offend: with a port, a password,
 * without TLS. What a listed name resolves to is its owner's to say.
 */
function assertAllowed(app: App, { name, options }: Integration, address: string): URL {
  const refusal = refusalOf(address, { loopback: app.settings.development })
  if (refusal !== null)
    throw new Error(`Integration "${name}": the address is refused (${refusal}).`)
  const url = new URL(address)
  if (!options.hosts.includes(url.hostname)) {
    throw new Error(`Integration "${name}": "${url.hostname}" is not among its hosts.`)
  }
  return url
}

function initOf(
  app: App,
  { name, options }: Integration,
  request: IntegrationRequest,
): RequestInit {
  const { method = "GET", body, idempotencyKey } = request
  const headers = new Headers(request.headers)
  // Some services refuse whoever does not say who they are.
  if (!headers.has("user-agent")) headers.set("user-agent", "hinterland")
  if (idempotencyKey !== undefined) headers.set("idempotency-key", idempotencyKey)
  const isJson = typeof body === "object" && !(body instanceof Uint8Array)
  if (isJson && !headers.has("content-type")) headers.set("content-type", "application/json")
  for (const [header, secret] of Object.entries(options.secrets ?? {})) {
    const { name: variable, prefix } =
      typeof secret === "string" ? { name: secret, prefix: "" } : secret
    const value = app.settings.secretNamed(variable)
    if (value === null) {
      const cause = new Error(`Integration "${name}": the variable ${variable} is not set.`)
      throw new Problem("misconfigured", { cause })
    }
    headers.set(header, prefix + value)
  }
  // `attemptAt` asks for it.
  if (typeof body === "function") return { method, headers, redirect: "manual" }
  const sent = isJson ? JSON.stringify(body) : (body as BodyInit | undefined)
  return { method, headers, redirect: "manual", ...(sent !== undefined && { body: sent }) }
}

/** In milliseconds: whoever calls waits no longer, and gets the answer that asks for more. */
const maxAskedDelay = 2_000

/** By `Retry-After`, in milliseconds; 0 where it is not told. */
function askedDelay(outcome: IntegrationAnswer | NoAnswer): number {
  if ("reason" in outcome) return 0
  const header = outcome.headers.get("retry-after") ?? ""
  const until = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now()
  return Number.isNaN(until) ? 0 : Math.max(0, until)
}

type ContentMaker = () => Promise<ReadableStream<Uint8Array>>

interface NoAnswer {
  /** In our own words, because an error's may repeat what was sent. */
  readonly reason: string
  /** Whether the service is at fault, and may answer the next time. */
  readonly isTrouble: boolean
}

/** The answer, or why there is none. */
async function attemptAt(
  url: URL,
  init: RequestInit,
  { options }: Integration,
  { body, signal }: IntegrationRequest,
): Promise<IntegrationAnswer | NoAnswer> {
  const timeout = AbortSignal.timeout((options.timeoutSeconds ?? 10) * 1_000)
  const ends = signal ? AbortSignal.any([timeout, signal]) : timeout
  const streamed = typeof body === "function" && { body: await (body as ContentMaker)() }
  try {
    const response = await fetch(url, { ...init, ...streamed, signal: ends })
    const bytes = await readBounded(response, options.maxBytes ?? 1_048_576)
    if (bytes === null) return { reason: "its answer is too large", isTrouble: false }
    return answerOf(response, bytes)
  } catch {
    const reason = timeout.aborted ? "it took too long" : "the connection failed"
    return { reason, isTrouble: true }
  }
}

/** Null for what is larger; the rest is not read. */
async function readBounded(response: Response, maxBytes: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    // Leaving the loop cancels the body.
    if (size > maxBytes) return null
    chunks.push(chunk)
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

function answerOf({ status, ok, headers }: Response, bytes: Uint8Array): IntegrationAnswer {
  const text = () => new TextDecoder().decode(bytes)
  return { status, ok, headers, bytes, text, json: () => JSON.parse(text()) }
}

function failure(app: App, { name }: Integration, reason: string): Problem {
  app.log("warn", "integration failed", { integration: name, reason })
  return new Problem("integration_failed", {
    cause: new Error(`Integration "${name}": ${reason}.`),
  })
}

const pause = (milliseconds: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds)
    signal?.addEventListener("abort", () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })
