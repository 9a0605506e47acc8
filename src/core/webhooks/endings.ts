import type { App } from "../../platform/app.ts"
import { Refusal } from "../../platform/database.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { refuse } from "../identity/directory-guard.ts"
import { insertMails } from "../mail/enqueue.ts"
import { newMail } from "../mail/new-mail.ts"
import { now } from "./announce.ts"
import type { Outcome } from "./attempt.ts"
import type { DueRow } from "./due.ts"
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

/** What became of a delivery that was sent. */
export interface Sent {
  readonly due: DueRow
  readonly body: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly outcome: Outcome
}

/** What became of some deliveries of an endpoint, in their order. */
export interface Results {
  /** As it was when they were taken up. */
  readonly endpoint: StoredEndpoint
  readonly sent: readonly Sent[]
  /** What was not for its owner to hear of. */
  readonly withheld: readonly DueRow[]
}

/** Disabled by nobody. */
export type Automatic = Exclude<DisabledReason, "request">

/** The state of an endpoint that attempts change. */
type Health = Pick<StoredEndpoint, "failures" | "failingSince" | "failedAt" | "pausedUntil">

/** Longer ones are not kept. */
const keptBodyCharacters = 65_536

/** Of JSON in one statement: D1 takes 2 MB. */
const maxParameterCharacters = 500_000

/** What receivers were sent and said, written in one batch, beyond that of the first endpoint. */
const turnCharacters = 4_000_000

/** As many of them, from the first on, as one batch writes. */
export function firstOf<One extends Results>(all: readonly One[]): One[] {
  let characters = 0
  const end = all.findIndex(({ sent }, i) => {
    for (const { body, outcome } of sent) {
      characters += (keptOf(body)?.length ?? 0) + JSON.stringify(outcome).length
    }
    return i > 0 && characters > turnCharacters
  })
  return end < 0 ? [...all] : all.slice(0, end)
}

const keptOf = (body: string): string | null => (body.length <= keptBodyCharacters ? body : null)

/**
 * Statements, for one batch, that write what became of deliveries of any number of endpoints: as many for one as for all.
 * And which endpoints are to be disabled then, by `disable`.
 */
export function recording(
  app: App,
  all: readonly Results[],
): { statements: Sql[]; ending: { endpoint: StoredEndpoint; reason: Automatic }[] } {
  const healths: object[] = []
  const ending: { endpoint: StoredEndpoint; reason: Automatic }[] = []
  for (const { endpoint, sent } of all) {
    let health: Health = endpoint
    let reason: Automatic | null = null
    for (const one of sent) {
      health = healthAfter(health, one)
      reason = reasonToDisable(health, one)
      if (reason !== null) break
    }
    if (!isSame(health, endpoint)) {
      const { id, url, failingSince: before } = endpoint
      healths.push({ id, url, before, ...stateOf(health) })
    }
    if (reason !== null) ending.push({ endpoint: { ...endpoint, ...health }, reason })
  }
  const withheld = all.flatMap((results) => results.withheld)
  const sent = all.flatMap(({ endpoint, sent }) => sent.map((one) => endOf(app, endpoint, one)))
  const statements = [
    ...(withheld.length > 0 ? withhold(app, withheld) : []),
    ...pieces(sent.map(({ delivery }) => delivery)).map(updateDeliveries),
    ...pieces(sent.map(({ attempt }) => attempt)).map(insertAttempts),
    ...pieces(healths).map(updateHealths),
  ]
  return { statements, ending }
}

/** Lists as JSON, each as long as a parameter may be. */
function pieces(list: readonly object[]): string[] {
  const found: string[] = []
  let piece: string[] = []
  let characters = 0
  for (const text of list.map((one) => JSON.stringify(one))) {
    if (characters + text.length > maxParameterCharacters && piece.length > 0) {
      found.push(`[${piece.join()}]`)
      piece = []
      characters = 0
    }
    piece.push(text)
    characters += text.length
  }
  return piece.length > 0 ? [...found, `[${piece.join()}]`] : found
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

/** A row of `webhook_deliveries` as it is after an attempt, and that of the attempt. */
function endOf(app: App, endpoint: StoredEndpoint, sent: Sent) {
  const { due, at, outcome } = sent
  const attempt = {
    id: due.id,
    at: iso(at),
    milliseconds: outcome.milliseconds,
    status: outcome.status,
    headers: outcome.headers && JSON.stringify(outcome.headers),
    answer: outcome.body,
    error: outcome.error,
  }
  return {
    delivery: { id: due.id, body: keptOf(sent.body), ...stateAfter(app, endpoint, sent) },
    attempt,
  }
}

function stateAfter(app: App, endpoint: StoredEndpoint, { due, at, outcome }: Sent) {
  if (outcome.error === null) return { state: "succeeded", finishedAt: now(app) }
  const attempts = due.attempts + 1
  const delay = retryAfterFailures(attempts, messageId(endpoint.id, due.change))
  if (delay === null) return { state: "failed", attempts, finishedAt: now(app) }
  const asked = parseRetryAfter(outcome.status ?? 0, outcome.retryAfter, at) ?? 0
  const state = attempts < attemptsInOrder ? "waiting" : "retrying"
  return { state, attempts, nextAt: iso(at + Math.max(delay, asked)) }
}

const updateDeliveries = (list: string): Sql =>
  sql`UPDATE webhook_deliveries SET state = v.value ->> 'state', attempts = ifnull(v.value ->> 'attempts', attempts), nextAt = ifnull(v.value ->> 'nextAt', nextAt), body = v.value ->> 'body', finishedAt = v.value ->> 'finishedAt' FROM json_each(${list}) v WHERE webhook_deliveries.id = v.value ->> 'id'`

/** Nothing, where the delivery went with its endpoint meanwhile. */
const insertAttempts = (list: string): Sql =>
  sql`INSERT INTO webhook_attempts (delivery, at, milliseconds, status, headers, body, error)
SELECT d.id, v.value ->> 'at', v.value ->> 'milliseconds', v.value ->> 'status', v.value ->> 'headers', v.value ->> 'answer', v.value ->> 'error' FROM json_each(${list}) v CROSS JOIN webhook_deliveries d ON d.id = v.value ->> 'id' ORDER BY v.key`

const isSame = (one: Health, other: Health): boolean =>
  one.failures === other.failures &&
  one.failingSince === other.failingSince &&
  one.failedAt === other.failedAt &&
  one.pausedUntil === other.pausedUntil

const stateOf = ({ failures, failingSince, failedAt, pausedUntil }: Health) => ({
  failures,
  failingSince,
  failedAt,
  pausedUntil,
})

/** Not where its owner has given it another address meanwhile, or had it begin anew. */
const updateHealths = (list: string): Sql =>
  sql`UPDATE webhook_endpoints SET failures = v.value ->> 'failures', failingSince = v.value ->> 'failingSince', failedAt = v.value ->> 'failedAt', pausedUntil = v.value ->> 'pausedUntil' FROM json_each(${list}) v WHERE webhook_endpoints.id = v.value ->> 'id' AND webhook_endpoints.url = v.value ->> 'url' AND webhook_endpoints.failingSince IS v.value ->> 'before'`

/**
 * Sends nothing more, and tells its owner, where they are still there. What waits stays. Two trips.
 *
 * @param endpoint as it is stored, as far as that led to it: otherwise nothing happens, and the answer is false
 */
export async function disable(
  app: App,
  endpoint: StoredEndpoint,
  reason: Automatic,
): Promise<boolean> {
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
  try {
    await app.db.batch([
      refuse(
        "changed",
        sql`NOT EXISTS (SELECT 1 FROM webhook_endpoints WHERE id = ${endpoint.id} AND enabled = 1 AND ${groundOf(endpoint, reason)})`,
      ),
      sql`UPDATE webhook_endpoints SET enabled = 0, disabledReason = ${reason}, disabledAt = ${at} WHERE id = ${endpoint.id}`,
      ...(told ? insertMails(app, [mail]) : []),
    ])
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
  if (told) app.wake("jobs")
  app.log("warn", "webhook endpoint disabled", { endpoint: endpoint.id, reason })
  return true
}

/** What of an endpoint led to it that it is disabled, which its owner may have changed meanwhile. */
function groundOf({ url, failingSince, filter, events }: StoredEndpoint, reason: Automatic): Sql {
  if (reason === "owner") return sql`true`
  if (reason === "filter") return sql`filter IS ${filter} AND events = ${JSON.stringify(events)}`
  return sql`url = ${url} AND failingSince IS ${failingSince}`
}

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString()
