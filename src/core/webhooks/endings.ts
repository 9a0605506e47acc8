import type { App } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { newMail } from "../mail/new-mail.ts"
import { now } from "./announce.ts"
import type { Outcome } from "./attempt.ts"
import { type DueRow, nextDue, nextOf } from "./due.ts"
import { endpointDisabled } from "./mails.ts"
import { messageId } from "./payload.ts"
import {
  attemptsInOrder,
  disableAfterMilliseconds,
  parseRetryAfter,
  pauseAfterFailures,
  retryAfterFailures,
  rowEndsAfterMilliseconds,
} from "./retry-schedule.ts"
import type { DisabledReason, StoredEndpoint } from "./stored-endpoint.ts"

/** What became of a delivery: it was not for its owner to hear of, or it was sent. */
export type Result =
  | { readonly due: DueRow; readonly withheld: true }
  | {
      readonly due: DueRow
      readonly withheld: false
      /** Milliseconds since the epoch. */
      readonly at: number
      readonly body: string
      readonly outcome: Outcome
    }

/** Disabled by nobody. */
type Automatic = Exclude<DisabledReason, "request">

type Sent = Extract<Result, { withheld: false }>

/** The state of an endpoint that attempts change. */
type Health = Pick<
  StoredEndpoint,
  "failures" | "failingSince" | "failedAt" | "pausedUntil" | "enabled"
>

/** Longer ones are not kept. */
const keptBodyCharacters = 65_536

/** Writes what became of some deliveries of an endpoint, in their order. Answers the endpoint as it is then, and when the next is due. One trip. */
export async function recordResults(
  app: App,
  endpoint: StoredEndpoint,
  results: readonly Result[],
): Promise<{ endpoint: StoredEndpoint; next: number | null }> {
  const sent = results.filter((result): result is Sent => !result.withheld)
  const held = results.filter(({ withheld }) => withheld).map(({ due }) => due)
  let health: Health = endpoint
  let reason: Automatic | null = null
  for (const result of sent) {
    health = healthAfter(health, result)
    reason = reasonToDisable(health, result)
    if (reason !== null) break
  }
  const statements = [
    ...(held.length > 0 ? withhold(app, held) : []),
    ...sent.flatMap((result) => [updateOf(app, endpoint, result), attemptOf(result)]),
    ...(isSame(health, endpoint) ? [] : [healthOf(endpoint.id, health)]),
  ]
  const rows = await app.db.batch([...statements, nextDue(endpoint.id)])
  const after = { ...endpoint, ...health }
  return {
    endpoint: reason === null ? after : await disable(app, after, reason),
    next: nextOf(rows.at(-1)),
  }
}

function healthAfter(health: Health, { at, outcome }: Sent): Health {
  if (outcome.error === null)
    return { ...health, failures: 0, failingSince: null, failedAt: null, pausedUntil: null }
  const goesOn =
    health.failedAt !== null && at - Date.parse(health.failedAt) < rowEndsAfterMilliseconds
  const failures = (goesOn ? health.failures : 0) + 1
  const asked = parseRetryAfter(outcome.status ?? 0, outcome.retryAfter, at) ?? 0
  const pause = Math.max(asked, pauseAfterFailures(failures))
  return {
    ...health,
    failures,
    failingSince: (goesOn ? health.failingSince : null) ?? iso(at),
    failedAt: iso(at),
    pausedUntil: pause > 0 ? iso(at + pause) : null,
  }
}

/** 410 says that there is nobody any more (RFC 9110, 15.5.11). */
function reasonToDisable({ failingSince }: Health, { at, outcome }: Sent): Automatic | null {
  if (outcome.status === 410) return "gone"
  const failing = failingSince !== null && at - Date.parse(failingSince)
  return failing !== false && failing >= disableAfterMilliseconds ? "failing" : null
}

/**
 * What its owner may not hear of was never shown to them, so it goes without a trace; what they were told of before is
 * said to be withheld.
 */
function withhold(app: App, held: readonly DueRow[]): Sql[] {
  const ids = JSON.stringify(held.map(({ id }) => id))
  const of = sql`id IN (SELECT value FROM json_each(${ids}))`
  return [
    sql`UPDATE webhook_deliveries SET state = 'withheld', body = NULL, finishedAt = ${now(app)} WHERE ${of} AND state <> 'queued'`,
    // A receiver may have answered with what it was sent.
    sql`UPDATE webhook_attempts SET headers = NULL, body = NULL WHERE delivery IN (SELECT id FROM webhook_deliveries WHERE ${of} AND state <> 'queued')`,
    sql`DELETE FROM webhook_deliveries WHERE ${of} AND state = 'queued'`,
  ]
}

function updateOf(app: App, endpoint: StoredEndpoint, { due, at, body, outcome }: Sent): Sql {
  const kept = body.length <= keptBodyCharacters ? body : null
  if (outcome.error === null) {
    return sql`UPDATE webhook_deliveries SET state = 'succeeded', body = ${kept}, finishedAt = ${now(app)} WHERE id = ${due.id}`
  }
  const failed = due.attempts + 1
  const delay = retryAfterFailures(failed, messageId(endpoint.id, due.change))
  if (delay === null) {
    return sql`UPDATE webhook_deliveries SET state = 'failed', attempts = CAST(${failed} AS INTEGER), body = ${kept}, finishedAt = ${now(app)} WHERE id = ${due.id}`
  }
  const asked = parseRetryAfter(outcome.status ?? 0, outcome.retryAfter, at) ?? 0
  const nextAt = iso(at + Math.max(delay, asked))
  const state = failed < attemptsInOrder ? "waiting" : "retrying"
  return sql`UPDATE webhook_deliveries SET state = ${state}, attempts = CAST(${failed} AS INTEGER), nextAt = ${nextAt}, body = ${kept} WHERE id = ${due.id}`
}

/** Nothing, where the delivery went with its endpoint meanwhile. */
const attemptOf = ({ due, at, outcome }: Sent): Sql =>
  sql`INSERT INTO webhook_attempts (delivery, at, milliseconds, status, headers, body, error)
SELECT id, ${iso(at)}, CAST(${outcome.milliseconds} AS INTEGER), CAST(${outcome.status} AS INTEGER), ${outcome.headers && JSON.stringify(outcome.headers)}, ${outcome.body}, ${outcome.error} FROM webhook_deliveries WHERE id = ${due.id}`

const isSame = (one: Health, other: Health): boolean =>
  one.failures === other.failures &&
  one.failingSince === other.failingSince &&
  one.failedAt === other.failedAt &&
  one.pausedUntil === other.pausedUntil

const healthOf = (id: string, { failures, failingSince, failedAt, pausedUntil }: Health): Sql =>
  sql`UPDATE webhook_endpoints SET failures = CAST(${failures} AS INTEGER), failingSince = ${failingSince}, failedAt = ${failedAt}, pausedUntil = ${pausedUntil} WHERE id = ${id}`

/** Sends nothing more, and tells its owner, where they are still there. What waits stays. Two trips. */
export async function disable(
  app: App,
  endpoint: StoredEndpoint,
  reason: Automatic,
): Promise<StoredEndpoint> {
  const at = now(app)
  const [person] = await app.directory.all(
    sql`SELECT locale FROM users WHERE id = ${endpoint.owner} AND kind = 'person' AND disabledAt IS NULL`,
  )
  const mail = newMail(
    endpointDisabled,
    { user: endpoint.owner },
    { host: new URL(endpoint.url).host, reason, at },
    {
      cause: `webhook-disabled/${endpoint.id}/${at}`,
      locale: (person?.locale as string | null | undefined) ?? null,
      organisation: endpoint.organisation,
    },
  )
  const told = person !== undefined
  await app.db.batch([
    sql`UPDATE webhook_endpoints SET enabled = 0, disabledReason = ${reason}, disabledAt = ${at} WHERE id = ${endpoint.id} AND enabled = 1`,
    ...(told ? insertMails(app, [mail]) : []),
  ])
  if (told) app.wake("jobs")
  app.log("warn", "webhook endpoint disabled", { endpoint: endpoint.id, reason })
  return { ...endpoint, enabled: false, disabledReason: reason, disabledAt: at }
}

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString()
