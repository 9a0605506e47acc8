import { env } from "cloudflare:workers"
import { Webhook } from "standardwebhooks"
import { eventually } from "../../support/eventually.ts"
import { call } from "../../support/people.ts"

/* What all tests of inbound events say often. */

export const partnerSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

interface Sending {
  readonly secret?: string
  readonly headers?: Record<string, string>
  readonly ageSeconds?: number
}

/** As the partner sends it: signed by the official library, now. */
export function tell(
  id: string,
  payload: unknown,
  { secret = partnerSecret, headers = {}, ageSeconds = 0 }: Sending = {},
): Promise<Response> {
  const body = typeof payload === "string" ? payload : JSON.stringify(payload)
  const at = new Date(Date.now() - ageSeconds * 1_000)
  return call(null, "POST", "/hooks/partner", body, {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
    "webhook-signature": new Webhook(secret).sign(id, at, body),
    ...headers,
  })
}

export async function storedEvents(): Promise<Record<string, unknown>[]> {
  return (await env.DB.prepare("SELECT * FROM inbound_events ORDER BY id").all()).results
}

/** Waits until no job of a hook is due any more. */
export const settledHooks = (): Promise<Record<string, unknown>[]> =>
  eventually(async () => {
    const { results } = await env.DB.prepare(
      "SELECT * FROM jobs WHERE name LIKE 'hooks.%' AND name <> 'hooks.sweepEvents' ORDER BY id",
    ).all()
    const now = new Date().toISOString()
    const busy = results.find(
      ({ state, runAt }) =>
        state === "queued" || state === "running" || (state === "waiting" && String(runAt) <= now),
    )
    if (busy) throw new Error(`not settled: ${JSON.stringify(busy)}`)
    return results
  })

export async function forgetEvents(): Promise<void> {
  await env.DB.batch(
    ["job_steps", "jobs", "inbound_events"].map((table) => env.DB.prepare(`DELETE FROM ${table}`)),
  )
}
