import { env } from "cloudflare:workers"
import { linkCollections } from "../../../src/core/records/link.ts"
import type { Outside } from "../../../src/core/webhooks/attempt.ts"
import {
  freshMilliseconds,
  giveBack,
  newMemory,
  takeTurn,
} from "../../../src/core/webhooks/dispatcher.ts"
import { orderOf } from "../../../src/core/webhooks/parcel.ts"
import { open, send } from "../../../src/core/webhooks/sender.ts"
import type { App } from "../../../src/platform/app.ts"
import { fixtures } from "../../support/collections.ts"
import { receivers } from "../../support/receivers.ts"
import { toolApp } from "../records/workshop.ts"

/** Keeps a turn from taking anything up: more is away than memory holds. */
const full = "full"
const nothing = { characters: 0, until: Number.POSITIVE_INFINITY }

/**
 * A dispatcher on a clock of the test's own, in the place of the database's object, which stands still meanwhile; it sees
 * one endpoint, and those that `sees` names beside it.
 */
export function senderOf(endpoint: string, collections = linkCollections(fixtures)) {
  const memory = newMemory()
  const sees = [endpoint]
  let clock = Date.now()
  const app = () => ({ ...toolApp("main", () => clock), wake() {} })
  const outside: Outside = {
    fetch: (request) => receivers.fetch(request),
    resolve: (name) => receivers.resolve(name),
  }
  /** One turn, what it leads to, and a turn that only writes it down; answers when it wants the next, and what stopped it. */
  const turns = async (on: App) => {
    for (const { id } of await stored("SELECT id FROM webhook_endpoints")) {
      if (!sees.includes(id as string)) memory.away.set(id as string, nothing)
    }
    const { parcels } = await takeTurn(on, collections, memory)
    for (const parcel of parcels) {
      const order = orderOf(on, parcel, freshMilliseconds)
      try {
        const opened = await open(on.settings, order, null)
        giveBack(memory, parcel, await send(on.settings, outside, order, opened, { now: on.now }))
      } catch (error) {
        giveBack(memory, parcel, { error })
      }
    }
    const stopped = memory.returned.find(({ obstacle }) => obstacle)
    memory.away.set(full, { characters: Number.POSITIVE_INFINITY, until: Number.POSITIVE_INFINITY })
    const { next } = await takeTurn(on, collections, memory)
    memory.away.delete(full)
    return { next, error: memory.stops.has(endpoint) ? stopped?.obstacle?.error : undefined }
  }
  return {
    memory,
    sees,
    get clock() {
      return clock
    },
    set clock(moment: number) {
      clock = moment
    },
    /** Answers when it wants the next look. Throws what stopped it. */
    async look(on: App = app()): Promise<number | null> {
      clock = Math.max(clock, Date.now())
      const { next, error } = await turns(on)
      if (error !== undefined) throw error
      return next
    },
    /** Looks again whenever it wants to, until nothing waits, or so often. */
    async run(times = 1_000): Promise<number | null> {
      let next: number | null = null
      for (let n = 0; n < times; n++) {
        next = await this.look()
        if (next === null) return null
        clock = Math.max(clock, next)
      }
      return next
    },
    app,
  }
}

export const stored = async (text: string, ...params: unknown[]) =>
  (
    await env.DB.prepare(text)
      .bind(...params)
      .all<Record<string, unknown>>()
  ).results

const counted = (count: number) =>
  `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})`

/** So many lines like that one, as writes would have left them of which nobody has told the pump. */
export const copyLine = (seq: unknown, count: number, payload = "c.payload") =>
  stored(
    `${counted(count)}
INSERT INTO changes (id, at, actor, organisation, subject, record, version, kind, authority, requestId, salt, payload)
SELECT c.id || '-' || i, c.at, c.actor, NULL, c.subject, c.record || '-' || i, 1, c.kind, c.authority, c.requestId, c.salt, ${payload} FROM changes c, n WHERE c.seq = ?`,
    seq,
  )

/** So many endpoints like that one for `tags.created`, named `copy 1` and on. */
export async function copyEndpoint(id: string | undefined, count: number): Promise<void> {
  await stored(
    `${counted(count)}
INSERT INTO webhook_endpoints (id, owner, url, events, headerNames, scheme, secret, ratePerSecond, enabled, since, failures, createdAt, updatedAt)
SELECT 'copy ' || i, owner, url, events, headerNames, scheme, secret, ratePerSecond, 1, since, 0, createdAt, updatedAt FROM webhook_endpoints, n WHERE id = ?`,
    id,
  )
  await stored(
    "INSERT INTO webhook_subscriptions (subject, kind, endpoint) SELECT 'tags', 'created', id FROM webhook_endpoints WHERE id LIKE 'copy %'",
  )
}
