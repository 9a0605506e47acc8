import type { z } from "zod"
import type { App, UserActor } from "../../platform/app.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { openPosition, sealPosition } from "../changes/position.ts"
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

/** Lines that one request looks at, and failed deliveries that it sends again. */
const maxLines = 20_000
const maxFailed = 10_000

/** Lines of the log stand in the order of their commits; each says when its request came, so long before at most. */
const disorderMilliseconds = 3_600_000

/** What was queued, and of a stretch of the log from where to go on; null where all of it is. */
export interface Replayed {
  readonly queued: number
  readonly next: string | null
}

/**
 * Answers how many known deliveries are sent again; of a stretch of the log 0, because its number would tell of hidden
 * lines. Of a long stretch a part is queued, and the same request with `since` as `next` goes on. Two trips.
 *
 * @throws {Problem} `not_found`, `forbidden`; `invalid_input`, `invalid_cursor`; `conflict` while it is disabled;
 * `token_outdated`
 */
export async function replay(
  app: App,
  actor: UserActor,
  id: string,
  wanted: Replay,
): Promise<Replayed> {
  const given = [
    wanted.deliveries,
    wanted.failedSince,
    wanted.since ?? wanted.from ?? wanted.to,
  ].filter((one) => one !== undefined)
  if (given.length !== 1) {
    const message = "One of deliveries, failedSince, and since, from and to, which go together."
    throw invalidInput({ path: "body", code: "not_together", message })
  }
  await assertOwn(app, actor, id)
  const statements = statementsOf(app, id, wanted)
  const [rows = []] = await guarded(app, actor, statements)
  app.wake("webhooks")
  const known = wanted.deliveries !== undefined || wanted.failedSince !== undefined
  const queued = known ? rows.length : 0
  app.log("info", "webhook replay", { endpoint: id, queued })
  const last = known ? null : rows[0]
  return {
    queued,
    next: last?.more === 1 ? sealPosition(app, "changes", last.seq as number) : null,
  }
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
      sql`${again(app, id)} AND id IN (SELECT id FROM webhook_deliveries WHERE endpoint = ${id} AND state = 'failed' AND createdAt >= ${wanted.failedSince} ORDER BY id LIMIT ${raw(String(maxFailed))}) RETURNING id`,
    ]
  }
  return queueStretch(app, id, wanted)
}

/** Two statements, the second of which answers the last line that was looked at, and whether there are more. */
function queueStretch(app: App, endpoint: string, { since, from, to }: Replay): [Sql, Sql] {
  const begin =
    since === undefined
      ? from === undefined
        ? raw("0")
        : sql`${lineAt(from, -disorderMilliseconds)} - 1`
      : sql`CAST(${openPosition(app, "changes", since, "since", "since")} AS INTEGER)`
  const end =
    to === undefined
      ? raw("(SELECT max(seq) FROM changes)")
      : sql`${lineAt(to, disorderMilliseconds)} - 1`
  // Read once for both, since the clock of either is the same.
  const last = sql`(SELECT max(seq) FROM (SELECT seq FROM changes WHERE seq > (${begin}) AND seq <= (${end}) ORDER BY seq LIMIT ${raw(String(maxLines))}))`
  return [
    queueAnew(
      app,
      endpoint,
      sql`c.seq > (${begin}) AND c.seq <= ${last} AND c.at >= ${from ?? ""} AND c.at < ${to ?? "9"}`,
    ),
    sql`SELECT seq, seq < (SELECT max(seq) FROM changes WHERE seq <= (${end})) AS more FROM (SELECT ${last} AS seq)`,
  ]
}

/**
 * SQL for a line of the log that all lines of a moment and later stand at or behind, found by halves, because no index has
 * the time.
 */
function lineAt(moment: string, shiftMilliseconds: number): Sql {
  const at = new Date(Date.parse(moment) + shiftMilliseconds).toISOString()
  const middle = (column: string) =>
    raw(`(SELECT ${column} FROM changes WHERE seq >= (first + past) / 2 ORDER BY seq LIMIT 1)`)
  return sql`(WITH RECURSIVE halves (first, past) AS (SELECT ifnull((SELECT min(seq) FROM changes), 0), ifnull((SELECT max(seq) FROM changes) + 1, 0) UNION ALL SELECT iif(${middle("at")} < ${at}, ${middle("seq")} + 1, first), iif(${middle("at")} < ${at}, past, (first + past) / 2) FROM halves WHERE first < past) SELECT max(first) FROM halves)`
}

/** What was told already may be told of again, unless its owner has lost sight of it: that is asked at delivery. */
const again = (app: App, endpoint: string): Sql =>
  sql`UPDATE webhook_deliveries SET state = iif(state = 'queued', 'queued', 'waiting'), attempts = 0, nextAt = ${now(app)}, finishedAt = NULL WHERE endpoint = ${endpoint}`

/** Lines that the endpoint listens to, whether or not they were queued before: looked at in the order of the log, and no others. */
const queueAnew = (app: App, endpoint: string, which: Sql): Sql =>
  sql`INSERT INTO webhook_deliveries (id, endpoint, seq, change, type, state, attempts, nextAt, createdAt)
SELECT ${deliveryId(app, raw("(SELECT min(seq) FROM changes)"))}, e.id, c.seq, c.id, c.subject || '.' || c.kind, 'queued', 0, ${now(app)}, ${now(app)}
FROM changes c NOT INDEXED CROSS JOIN webhook_subscriptions s ON s.subject = c.subject AND s.kind = c.kind AND s.endpoint = ${endpoint} CROSS JOIN webhook_endpoints e ON e.id = s.endpoint
WHERE e.id = ${endpoint} AND (c.organisation IS NULL OR c.organisation = e.organisation) AND ${which} ORDER BY c.seq
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
