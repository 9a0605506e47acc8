import { Buffer } from "node:buffer"
import * as z from "zod"
import { sql } from "../../platform/sql.ts"
import { describeIssue } from "../../platform/validate.ts"
import { type Job, job, permanent } from "../jobs/job.ts"
import type { Reach } from "../records/reach.ts"
import type { InboundEvent, InboundHook } from "./hook.ts"
import type { StoredEvent } from "./stored-event.ts"

const payload = z.object({ event: z.uuid() })

/** The kind of job that applies a source's events. */
export const jobNameOf = (source: string): string => `hooks.${source}`

/** The job of a hook: two trips beside those of `apply`. What it has applied may be applied again when a process is killed. */
export const applyJob = (hook: InboundHook): Job<typeof payload, Reach> =>
  job(jobNameOf(hook.source), {
    payload,
    ...policyOf(hook),
    async run(run, reach: Reach) {
      const { app } = run
      const [row] = await app.db.all(
        sql`SELECT * FROM inbound_events WHERE id = ${run.payload.event}`,
      )
      // It has been swept: nobody wants it any more.
      if (!row) return
      const stored = row as unknown as StoredEvent
      const event = eventOf(stored)
      const parsed = hook.options.payload.safeParse(payloadOf(stored, event))
      if (!parsed.success) {
        const [first] = parsed.error.issues.flatMap(describeIssue)
        throw permanent(`The event is not what the hook takes: ${first?.message}`)
      }
      await hook.options.apply({ ...run, payload: parsed.data, event }, reach)
      const at = new Date(app.now()).toISOString()
      await app.db.all(sql`UPDATE inbound_events SET appliedAt = ${at} WHERE id = ${event.id}`)
    },
  })

const policyOf = ({ options: { retryDelays, timeoutSeconds, priority } }: InboundHook) => ({
  ...(retryDelays && { retryDelays }),
  ...(timeoutSeconds !== undefined && { timeoutSeconds }),
  ...(priority && { priority }),
})

const eventOf = ({
  id,
  source,
  eventId,
  type,
  receivedAt,
  headers,
  body,
}: StoredEvent): InboundEvent => ({
  id,
  source,
  eventId,
  type,
  receivedAt,
  headers: JSON.parse(headers),
  body,
})

/** The body as JSON, or the fields of a form; undefined for what is neither. */
function payloadOf({ encoding, body }: StoredEvent, { headers }: InboundEvent): unknown {
  const text = encoding === "base64" ? Buffer.from(body, "base64").toString() : body
  if (/^application\/x-www-form-urlencoded\b/i.test(headers["content-type"] ?? "")) {
    return Object.fromEntries(new URLSearchParams(text))
  }
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""))
  } catch {
    return undefined
  }
}
