import type { z } from "zod"
import type { App } from "../../platform/app.ts"
import type { IdentityProvider } from "../../platform/identity-provider-settings.ts"
import { Problem } from "../../platform/problem.ts"

/*
 * Requests to identity providers. Their addresses come from the deployment's settings and from what the issuer named there
 * says of itself, never from a caller. Still, a provider can be down, slow, or not what it was.
 */
const timeoutMilliseconds = 5_000
const maxBytes = 262_144

/** What it was asked for, for the log. */
export type ProviderStep = "discovery" | "keys" | "token" | "identityToken" | "profile" | "return"

interface ProviderRequest<Shape extends z.ZodType> {
  readonly step: ProviderStep
  readonly url: string
  readonly shape: Shape
  readonly init?: RequestInit
  /** Answers with these statuses are read, too: OAuth says what is wrong in a body (RFC 6749, 5.2). */
  readonly alsoStatuses?: readonly number[]
}

/**
 * JSON of that shape. Redirects are not followed, an answer that is late or larger than 256 KiB is none. The log has what
 * went wrong, and nothing of what was sent or answered.
 *
 * @throws {Problem} `provider_failed`
 */
export async function askProvider<Shape extends z.ZodType>(
  app: App,
  provider: IdentityProvider,
  { step, url, shape, init = {}, alsoStatuses = [] }: ProviderRequest<Shape>,
): Promise<z.output<Shape>> {
  const text = await answerOf(url, init, alsoStatuses).catch((error: unknown) => {
    throw providerFailed(app, provider, step, reasonOf(error))
  })
  const parsed = shape.safeParse(parseJson(text))
  if (!parsed.success) throw providerFailed(app, provider, step, "its answer has another shape")
  return parsed.data
}

/** Says so in the log, too. `reason`: never of the provider's own words. */
export function providerFailed(
  app: App,
  { name }: IdentityProvider,
  step: ProviderStep,
  reason: string,
): Problem {
  app.log("warn", "identity provider failed", { provider: name, step, reason })
  return new Problem("provider_failed")
}

/** Thrown here alone, so that its message is ours. */
class Unusable extends Error {}

async function answerOf(url: string, init: RequestInit, also: readonly number[]): Promise<string> {
  const headers = new Headers(init.headers)
  headers.set("accept", "application/json")
  // GitHub refuses whoever does not say who they are.
  headers.set("user-agent", "hinterland")
  const response = await fetch(url, {
    ...init,
    headers,
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMilliseconds),
  })
  try {
    if (!response.ok && !also.includes(response.status)) {
      throw new Unusable(`status ${response.status}`)
    }
    const type = response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() ?? ""
    if (!/^application\/(?:[\w.-]+\+)?json$/.test(type)) throw new Unusable("it is not JSON")
    return await readCapped(response)
  } catch (error) {
    await response.body?.cancel().catch(() => {})
    throw error
  }
}

async function readCapped(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ""
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > maxBytes) throw new Unusable("it is too large")
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

function reasonOf(error: unknown): string {
  if (error instanceof Unusable) return error.message
  return error instanceof Error && error.name === "TimeoutError" ? "timed out" : "unreachable"
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
