import { env } from "cloudflare:workers"
import { linkCollections } from "../../../src/core/records/link.ts"
import type { Outside } from "../../../src/core/webhooks/attempt.ts"
import { newMemory, sendDue } from "../../../src/core/webhooks/sender.ts"
import { fixtures } from "../../support/collections.ts"
import { receivers } from "../../support/receivers.ts"
import { toolApp } from "../records/workshop.ts"

/** A sender on a clock of the test's own, in the place of the object of an endpoint, which stands still meanwhile. */
export function senderOf(endpoint: string, collections = linkCollections(fixtures)) {
  const memory = newMemory()
  let clock = Date.now()
  const app = () => ({ ...toolApp("main", () => clock), wake() {} })
  const outside: Outside = {
    fetch: (request) => receivers.fetch(request),
    resolve: (name) => receivers.resolve(name),
  }
  return {
    get clock() {
      return clock
    },
    set clock(moment: number) {
      clock = moment
    },
    /** One look; answers when it wants the next. */
    async look(): Promise<number | null> {
      clock = Math.max(clock, Date.now())
      return sendDue(app(), collections, outside, endpoint, memory)
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
