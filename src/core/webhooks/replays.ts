import type { z } from "zod"
import type { App, UserActor } from "../../platform/app.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { openPosition } from "../changes/position.ts"
import { deliveryId, now } from "./announce.ts"
import { type Delivery, getDelivery } from "./deliveries.ts"
import { findVisible, guarded } from "./endpoints.ts"
import type { webhookReplay } from "./schema.ts"
import { testType } from "./test-event.ts"

/*
 * What is sent again is the same event with the same id, as its owner may read it now. Of stretches of the log everything
 * is queued that the endpoint listens to, also what it did not hear of then. Lines that have left for the archive are not.
 */

type Replay = z.output<typeof webhookReplay>

/** Lines that one replay queues; beyond, it is to be said from where to go on. */
const maxLines = 100_000

/**
 * Answers how many known deliveries are sent again; of a stretch of the log 0, because its number would tell of hidden
 * lines. Two trips.
 *
 * @throws {Problem} `not_found`, `forbidden`; `invalid_input`, `invalid_cursor`; `conflict` while it is disabled;
 * `token_outdated`
 */
export async function replay(
  app: App,
  actor: UserActor,
  id: string,
  wanted: Replay,
): Promise<{ queued: number }> {
  const given = [
    wanted.deliveries,
    wanted.failedSince,
    wanted.since,
    wanted.from ?? wanted.to,
  ].filter((one) => one !== undefined)
  if (given.length !== 1) {
    const message = "One of deliveries, failedSince, since, and from with to."
    throw invalidInput({ path: "body", code: "not_together", message })
  }
  await assertOwn(app, actor, id)
  const statements = statementsOf(app, id, wanted)
  const [rows = []] = await guarded(app, actor, statements)
  app.wake("webhooks")
  const queued = wanted.deliveries || wanted.failedSince ? rows.length : 0
  app.log("info", "webhook replay", { endpoint: id, queued })
  return { queued }
}

function statementsOf(app: App, id: string, wanted: Replay): Sql[] {
  if (wanted.deliveries) {
    const ids = JSON.stringify(wanted.deliveries)
    return [
      sql`${again(app, id)} AND state <> 'queued' AND id IN (SELECT value FROM json_each(${ids})) RETURNING id`,
    ]
  }
  if (wanted.failedSince !== undefined) {
    return [
      sql`${again(app, id)} AND state = 'failed' AND createdAt >= ${wanted.failedSince} RETURNING id`,
    ]
  }
  if (wanted.since !== undefined) {
    const seq = openPosition(app, "changes", wanted.since, "since", "since")
    return [queueAnew(app, id, sql`c.seq > CAST(${seq} AS INTEGER)`)]
  }
  const { from = "", to = "9" } = wanted
  return [queueAnew(app, id, sql`c.at >= ${from} AND c.at < ${to}`)]
}

/** What was told already may be told of again, unless its owner has lost sight of it: that is asked at delivery. */
const again = (app: App, endpoint: string): Sql =>
  sql`UPDATE webhook_deliveries SET state = iif(state = 'queued', 'queued', 'waiting'), attempts = 0, nextAt = ${now(app)}, finishedAt = NULL WHERE endpoint = ${endpoint}`

/** Lines that the endpoint listens to, whether or not they were queued before. */
const queueAnew = (app: App, endpoint: string, which: Sql): Sql =>
  sql`INSERT INTO webhook_deliveries (id, endpoint, seq, change, type, state, attempts, nextAt, createdAt)
SELECT ${deliveryId(app, raw("(SELECT min(seq) FROM changes)"))}, e.id, c.seq, c.id, c.subject || '.' || c.kind, 'queued', 0, ${now(app)}, ${now(app)}
FROM webhook_endpoints e JOIN webhook_subscriptions s ON s.endpoint = e.id JOIN changes c ON c.subject = s.subject AND c.kind = s.kind
WHERE e.id = ${endpoint} AND (c.organisation IS NULL OR c.organisation = e.organisation) AND ${which} ORDER BY c.seq LIMIT ${raw(String(maxLines))}
ON CONFLICT (endpoint, seq) DO UPDATE SET state = iif(state = 'queued', 'queued', 'waiting'), attempts = 0, nextAt = excluded.nextAt, finishedAt = NULL`

/**
 * Sends one delivery again. Three trips.
 *
 * @throws {Problem} as `replay`
 */
export async function replayOne(
  app: App,
  actor: UserActor,
  endpoint: string,
  delivery: string,
): Promise<Delivery> {
  const { queued } = await replay(app, actor, endpoint, { deliveries: [delivery] })
  if (queued === 0) throw new Problem("not_found")
  const { body: _, log: __, ...rest } = await getDelivery(app, actor, endpoint, delivery)
  return rest
}

/** Sends an event that tells nothing, to see whether it arrives. Two trips. @throws {Problem} as `replay` */
export async function sendTest(app: App, actor: UserActor, endpoint: string): Promise<Delivery> {
  await assertOwn(app, actor, endpoint)
  const id = app.newId()
  await guarded(app, actor, [
    sql`INSERT INTO webhook_deliveries (id, endpoint, seq, change, type, state, attempts, nextAt, createdAt) VALUES (${id}, ${endpoint}, NULL, ${id}, ${testType}, 'waiting', 0, ${now(app)}, ${now(app)})`,
  ])
  app.wake("webhooks")
  const { body: _, log: __, ...rest } = await getDelivery(app, actor, endpoint, id)
  return rest
}

async function assertOwn(app: App, actor: UserActor, id: string): Promise<void> {
  if (actor.impersonator !== null) {
    throw new Problem("forbidden", "Nobody may do this in another's name.")
  }
  const { endpoint, own } = await findVisible(app, actor, id)
  if (!own) throw new Problem("forbidden", "This is for its owner to do.")
  if (!endpoint.enabled) throw new Problem("conflict", "The endpoint is disabled: enable it first.")
}
