import { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import type { App } from "../../platform/app.ts"
import { sql } from "../../platform/sql.ts"
import { isStorableText } from "../../platform/storable-text.ts"
import { insertJobs, newJob } from "../jobs/enqueue.ts"
import { applyJob } from "./apply-job.ts"
import type { InboundHook } from "./hook.ts"
import type { Identified, Received } from "./schemes/scheme.ts"

/** Whether somebody who knows one of the hook's secrets has sent this. No trip. */
export async function isVerified(
  app: App,
  { options }: InboundHook,
  request: Received,
): Promise<boolean> {
  for (const name of options.secrets) {
    const secret = app.settings.secretNamed(name)
    if (secret !== null && (await options.verify.isSigned(request, secret, app.now()))) return true
  }
  return false
}

/**
 * Stores a verified event and the job that applies it, in one trip. True when it is news; an event that is known already
 * changes nothing.
 */
export async function storeEvent(app: App, hook: InboundHook, request: Received): Promise<boolean> {
  const { source, options } = hook
  const { eventId, type } = bounded(options.verify.identify(request), request.body)
  const { body, encoding } = storable(request.body)
  const id = app.newId()
  const at = new Date(app.now()).toISOString()
  const headers = JSON.stringify(keptHeaders(hook, request.headers))
  const job = newJob(applyJob(hook), { event: id }, { key: id })
  const [stored] = await app.db.batch([
    sql`INSERT INTO inbound_events (id, source, eventId, type, headers, body, encoding, sizeBytes, requestId, receivedAt)
VALUES (${id}, ${source}, ${eventId}, ${type}, ${headers}, ${body}, ${encoding}, CAST(${request.body.byteLength} AS INTEGER), ${app.requestId}, ${at})
ON CONFLICT (source, eventId) DO NOTHING RETURNING id`,
    insertJobs(app, [job], sql`EXISTS (SELECT 1 FROM inbound_events WHERE id = ${id})`),
  ])
  const isNew = stored?.length === 1
  if (isNew) app.wake("jobs")
  return isNew
}

/** Names are indexed and shown, so they have an end. */
const maxNameCharacters = 255

/** An id that is too long, or none, is the body's hash; a type that is too long, none. */
function bounded({ eventId, type }: Identified, body: Uint8Array) {
  const isGood = (text: string | null): text is string =>
    text !== null && text !== "" && text.length <= maxNameCharacters && isStorableText(text)
  return {
    eventId: isGood(eventId)
      ? eventId
      : `sha256:${createHash("sha256").update(body).digest("hex")}`,
    type: isGood(type) ? type : null,
  }
}

/** What D1 gives back as it was: a text, unless the bytes are none, or one that SQLite would cut off. */
function storable(bytes: Uint8Array): { body: string; encoding: "utf8" | "base64" } {
  try {
    const body = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
    if (isStorableText(body)) return { body, encoding: "utf8" }
  } catch {
    // No text.
  }
  return { body: Buffer.from(bytes).toString("base64"), encoding: "base64" }
}

/** Of each source: nothing that a sender may put a secret into is among them. */
const alwaysKept = ["content-type", "user-agent"]

function keptHeaders({ options }: InboundHook, headers: Headers): Record<string, string> {
  const names = [...alwaysKept, ...options.verify.keeps, ...(options.keepHeaders ?? [])]
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers.get(name)
      return value === null ? [] : [[name.toLowerCase(), value]]
    }),
  )
}
