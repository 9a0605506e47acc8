import type { App, UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { unseal } from "../identity/secrets-at-rest.ts"
import { findStandingActor } from "../identity/standing-actor.ts"
import type { LinkedCollections } from "../records/link.ts"
import { viewFor } from "../records/view.ts"
import { now } from "./announce.ts"
import { attempt, type Outcome, type Outside } from "./attempt.ts"
import { type DueRow, dueOf, dueQuery, nextDue } from "./due.ts"
import { disable, type Result, recordResults } from "./endings.ts"
import { messageId, payloadOf } from "./payload.ts"
import { owner, sign } from "./signatures.ts"
import { type StoredEndpoint, standingOf, storedEndpoint } from "./stored-endpoint.ts"
import { testPayload } from "./test-event.ts"

/** What is kept of an endpoint between two looks; all else is in the database. */
export interface Memory {
  /** Its owner, as of the last look. */
  actor: UserActor | null
  /** When it was last sent to, in the second that began at `second`. */
  second: number
  sent: number
}

export const newMemory = (): Memory => ({ actor: null, second: 0, sent: 0 })

/** What was read is as good as new for so long; then it is asked again before anything leaves. */
const freshMilliseconds = 1_000

/**
 * Sends what is due to one endpoint, one after the other. Answers when to look again, in milliseconds since the epoch;
 * null when nothing waits. One trip to read some twenty deliveries, with the rights that the owner has now, and one to
 * write what became of them; a crash in between sends them again, with the same ids.
 */
export async function sendDue(
  app: App,
  collections: LinkedCollections,
  outside: Outside,
  id: string,
  memory: Memory,
): Promise<number | null> {
  const endpoint = await findEndpoint(app, id)
  if (!endpoint?.enabled) return null
  const paused = endpoint.pausedUntil === null ? 0 : Date.parse(endpoint.pausedUntil)
  if (paused > app.now()) return (await waits(app, id)) ? paused : null
  const found = await readDue(app, collections, endpoint, memory)
  if (!found) {
    await disable(app, endpoint, "owner")
    return null
  }
  const read = app.now()
  const results: Result[] = []
  let again: number | null = null
  for (const due of found.due) {
    // Whoever stands in line waits for the one before.
    if (Date.parse(due.nextAt) > app.now()) break
    const payload =
      due.line === null
        ? testPayload(app, endpoint, due)
        : payloadOf(viewFor(app, found.actor, collections), collections, due, endpoint)
    if (!payload) {
      results.push({ due, withheld: true })
      continue
    }
    const wait = untilAllowed(app, endpoint, memory)
    if (wait > 0 || app.now() - read > freshMilliseconds) {
      again = app.now() + wait
      break
    }
    const body = JSON.stringify(payload)
    const at = app.now()
    const outcome = await post(app, outside, endpoint, due, body)
    results.push({ due, withheld: false, at, body, outcome })
    if (outcome.error !== null) break
  }
  const state = results.length > 0 ? await recordResults(app, endpoint, results) : endpoint
  if (!state.enabled) return null
  if (again !== null) return again
  const next = await waits(app, id)
  if (next === null) return null
  const until = state.pausedUntil === null ? 0 : Date.parse(state.pausedUntil)
  return Math.max(next, until)
}

async function findEndpoint(app: App, id: string): Promise<StoredEndpoint | null> {
  const [row] = await app.db.all(sql`SELECT * FROM webhook_endpoints WHERE id = ${id}`)
  return row ? storedEndpoint(row) : null
}

async function waits(app: App, id: string): Promise<number | null> {
  const [row] = await app.db.all(nextDue(id))
  return typeof row?.at === "string" ? Date.parse(row.at) : null
}

/** Null where its owner is not there any more. */
async function readDue(
  app: App,
  collections: LinkedCollections,
  endpoint: StoredEndpoint,
  memory: Memory,
): Promise<{ actor: UserActor; due: DueRow[] } | null> {
  for (let look = 0; look < 3; look++) {
    memory.actor ??= await findStandingActor(app, standingOf(endpoint))
    const { actor } = memory
    if (!actor) return null
    const view = viewFor(app, actor, collections)
    const [epoch, rows = []] = await app.db.batch([
      epochProbe(actor),
      dueQuery(view, collections, endpoint.id, endpoint.events, now(app)),
    ])
    if (isCurrent(actor, epoch)) return { actor, due: rows.map(dueOf) }
    memory.actor = null
  }
  // It keeps changing, or a database lags behind: later.
  throw new Problem("overloaded")
}

function isCurrent(actor: UserActor, rows: readonly Row[] | undefined): boolean {
  try {
    assertEpoch(actor, rows)
    return true
  } catch {
    return false
  }
}

/** Milliseconds until the endpoint may be sent the next: so many a second, as it says. */
function untilAllowed(app: App, { ratePerSecond }: StoredEndpoint, memory: Memory): number {
  const second = Math.floor(app.now() / 1_000)
  if (memory.second !== second) {
    memory.second = second
    memory.sent = 0
  }
  if (memory.sent < ratePerSecond) {
    memory.sent += 1
    return 0
  }
  return (second + 1) * 1_000 - app.now()
}

async function post(
  app: App,
  outside: Outside,
  endpoint: StoredEndpoint,
  due: DueRow,
  body: string,
): Promise<Outcome> {
  const { settings } = app
  const timestamp = Math.floor(app.now() / 1_000)
  const id = messageId(endpoint.id, due.change)
  const old =
    endpoint.previousSecret !== null && (endpoint.previousUntil ?? "") > now(app)
      ? [endpoint.previousSecret]
      : []
  const sealed = [endpoint.secret, ...old]
  const signature = await sign(settings, endpoint.id, sealed, { id, timestamp, body })
  const own = endpoint.headers
    ? (JSON.parse(
        (await unseal(settings, owner(endpoint.id), endpoint.headers)).toString(),
      ) as Record<string, string>)
    : {}
  const headers = {
    ...own,
    "content-type": "application/json",
    "user-agent": "Hinterland-Webhooks/1",
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": signature,
  }
  return attempt(settings, outside, endpoint.url, headers, body)
}
