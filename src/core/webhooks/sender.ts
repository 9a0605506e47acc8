import type { App, UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { ExpressionError } from "../expression/error.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { unseal } from "../identity/secrets-at-rest.ts"
import { findStandingActor } from "../identity/standing-actor.ts"
import type { LinkedCollections } from "../records/link.ts"
import { viewFor } from "../records/view.ts"
import { now } from "./announce.ts"
import { attempt, type Outcome, type Outside } from "./attempt.ts"
import { type DueRow, dueOf, dueQueries, nextDue, nextOf } from "./due.ts"
import { disable, type Result, recordResults } from "./endings.ts"
import { messageId, payloadOf } from "./payload.ts"
import { owner, sign } from "./signatures.ts"
import { type StoredEndpoint, standingOf, storedEndpoint } from "./stored-endpoint.ts"
import { testPayload } from "./test-event.ts"

/** What is kept of an endpoint between two looks; all else is in the database. */
export interface Memory {
  /** It and its owner, as of the last look, by which the next one asks: whether they still are is read beside. */
  endpoint: StoredEndpoint | null
  actor: UserActor | null
  /** When it was last sent to, in the second that began at `second`. */
  second: number
  sent: number
}

export const newMemory = (): Memory => ({ endpoint: null, actor: null, second: 0, sent: 0 })

/** What was read is as good as new for so long; then it is asked again before anything leaves. */
const freshMilliseconds = 1_000

/**
 * Sends what is due to one endpoint, one after the other. Answers when to look again, in milliseconds since the epoch;
 * null when nothing waits. One trip to read some twenty deliveries, with the rights that the owner has now, and one to
 * write what became of them (the first look of an object takes three more, to learn whose the endpoint is); a crash in between sends them again, with the same ids.
 */
export async function sendDue(
  app: App,
  collections: LinkedCollections,
  outside: Outside,
  id: string,
  memory: Memory,
): Promise<number | null> {
  const look = await lookAt(app, collections, id, memory)
  if (!look) return null
  const { endpoint, actor } = look
  if (!actor) {
    await disable(app, endpoint, "owner")
    return null
  }
  const paused = endpoint.pausedUntil === null ? 0 : Date.parse(endpoint.pausedUntil)
  if (paused > app.now()) return look.next === null ? null : paused
  const read = app.now()
  const results: Result[] = []
  let again: number | null = null
  let broken: { readonly error: unknown } | null = null
  let held = false
  for (const due of inTurn(endpoint, look.due)) {
    // Whoever stands in line waits for the one before.
    if (due.state !== "retrying") held ||= Date.parse(due.nextAt) > app.now()
    if (due.state !== "retrying" && held) continue
    try {
      const payload =
        due.line === null
          ? testPayload(app, endpoint, due)
          : payloadOf(viewFor(app, actor, collections), collections, due, endpoint)
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
    } catch (error) {
      // What was sent before it has to be written down, or it is sent again at each look.
      broken = { error }
      break
    }
  }
  const after = results.length > 0 ? await recordResults(app, endpoint, results) : look
  if (!after.endpoint.enabled) return null
  if (broken) {
    if (!(broken.error instanceof ExpressionError)) throw broken.error
    await disable(app, after.endpoint, "filter")
    return null
  }
  if (again !== null) return again
  if (after.next === null) return null
  const { pausedUntil } = after.endpoint
  return Math.max(after.next, pausedUntil === null ? 0 : Date.parse(pausedUntil))
}

/**
 * Those that have stepped aside come first, or a busy line would keep them for ever. While the endpoint fails, the head of
 * the line does: it shows whether the receiver takes anything at all, which those that were refused before do not.
 */
function inTurn({ failures }: StoredEndpoint, due: readonly DueRow[]): DueRow[] {
  const aside = due.filter(({ state }) => state === "retrying")
  const line = due.filter(({ state }) => state !== "retrying")
  return failures === 0 ? [...aside, ...line] : [...line, ...aside]
}

const selectEndpoint = (id: string): Sql => sql`SELECT * FROM webhook_endpoints WHERE id = ${id}`

async function findEndpoint(app: App, id: string): Promise<StoredEndpoint | null> {
  const [row] = await app.db.all(selectEndpoint(id))
  return row ? storedEndpoint(row) : null
}

interface Look {
  readonly endpoint: StoredEndpoint
  /** Null where its owner is not there any more. */
  readonly actor: UserActor | null
  readonly due: readonly DueRow[]
  /** When the next is due, in milliseconds since the epoch; null when none waits. */
  readonly next: number | null
}

/** Null of an endpoint that is not there or disabled. One trip, where all is as the last look has left it. */
async function lookAt(
  app: App,
  collections: LinkedCollections,
  id: string,
  memory: Memory,
): Promise<Look | null> {
  for (let look = 0; look < 3; look++) {
    memory.endpoint ??= await findEndpoint(app, id)
    const known = memory.endpoint
    if (!known?.enabled) {
      memory.endpoint = null
      return null
    }
    memory.actor ??= await findStandingActor(app, standingOf(known))
    const { actor } = memory
    if (!actor) return { endpoint: known, actor: null, due: [], next: null }
    const view = viewFor(app, actor, collections)
    const [found, epoch, waiting, ...rows] = await app.db.batch([
      selectEndpoint(id),
      epochProbe(actor),
      nextDue(id),
      ...dueQueries(view, collections, id, known.events, now(app)),
    ])
    memory.endpoint = found?.[0] ? storedEndpoint(found[0]) : null
    const endpoint = memory.endpoint
    if (!endpoint?.enabled) continue
    if (!isCurrent(actor, epoch)) memory.actor = null
    // Of what it did not listen to then, nothing was judged.
    else if (String(endpoint.events) === String(known.events)) {
      return { endpoint, actor, due: dueOf(rows), next: nextOf(waiting) }
    }
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
