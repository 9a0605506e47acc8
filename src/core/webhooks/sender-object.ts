import { DurableObject } from "cloudflare:workers"
import { type App, createApp } from "../../platform/app.ts"
import { createLog, describeError } from "../../platform/log.ts"
import { resolveByHttps } from "../../platform/outbound-address.ts"
import { parseSettings } from "../../platform/settings.ts"
import type { LinkedCollections } from "../records/link.ts"
import type { Outside } from "./attempt.ts"
import { newMemory, sendDue } from "./sender.ts"

/*
 * One object an endpoint, so that none waits for another. Storage: `database` and `endpoint`, its names; `stops`,
 * how many looks in a row have failed before they were done. The alarm is set while something waits, and survives the
 * process; all else is in the database.
 */

/** Until the next look, after one that failed: the database did not answer, say, or a secret cannot be opened any more. */
const firstIdleMilliseconds = 10_000
const longestIdleMilliseconds = 3_600_000

/** No alarm is set further ahead. */
const dayMilliseconds = 86_400_000

const world: Outside = { fetch: (request) => fetch(request), resolve: resolveByHttps }

/** The Durable Object class that sends to one endpoint what is due. */
export const webhookSender = (collections: LinkedCollections, outside: Outside = world) =>
  class WebhookSender extends DurableObject<Env> {
    #memory = newMemory()

    /** Called when something was queued. Only sets the alarm, so that there is one path on which anything is sent. */
    async poke(database: string, endpoint: string): Promise<void> {
      const { storage } = this.ctx
      if ((await storage.get<string>("endpoint")) === undefined) {
        await storage.put({ database, endpoint })
      }
      await this.#lookAt(Date.now())
    }

    override async alarm(): Promise<void> {
      const { storage } = this.ctx
      const [database, endpoint] = await Promise.all([
        storage.get<string>("database"),
        storage.get<string>("endpoint"),
      ])
      if (database === undefined || endpoint === undefined) return
      const requestId = crypto.randomUUID()
      const stops = (await storage.get<number>("stops")) ?? 0
      try {
        const app = this.#app(database, requestId)
        const next = await sendDue(app, collections, outside, endpoint, this.#memory)
        if (stops > 0) await storage.delete("stops")
        if (next !== null) await this.#lookAt(Math.min(next, Date.now() + dayMilliseconds))
      } catch (error) {
        // The platform retries an alarm a few times only; what waits can wait longer.
        const log = createLog(requestId)
        log("error", "webhook sender stopped", { endpoint, stops, error: describeError(error) })
        await storage.put("stops", stops + 1)
        const idle = Math.min(firstIdleMilliseconds * 2 ** stops, longestIdleMilliseconds)
        await this.#lookAt(Date.now() + idle)
      }
    }

    /** The sooner of this and what is set already: somebody may have poked while the alarm was at work. */
    async #lookAt(moment: number): Promise<void> {
      const { storage } = this.ctx
      const set = await storage.getAlarm()
      if (set === null || moment < set) await storage.setAlarm(moment)
    }

    #app(database: string, requestId: string): App {
      return createApp({
        env: this.env,
        settings: parseSettings(this.env),
        requestId,
        database,
        bookmark: null,
        primary: true,
        waitUntil: (work) => this.ctx.waitUntil(work),
      })
    }
  }
