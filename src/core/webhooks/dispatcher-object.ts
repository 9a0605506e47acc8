import { DurableObject } from "cloudflare:workers"
import { type App, createApp } from "../../platform/app.ts"
import { describeError } from "../../platform/log.ts"
import { parseSettings } from "../../platform/settings.ts"
import type { LinkedCollections } from "../records/link.ts"
import { freshMilliseconds, giveBack, newMemory, takeTurn } from "./dispatcher.ts"
import { orderOf, type Parcel } from "./parcel.ts"
import type { Answer, Order } from "./sender.ts"

/*
 * One object a database. Storage: `database`, its name. The alarm is set while something waits or is away, and survives the
 * process; all else is in the database.
 */

/** Until the next turn, after one that failed: the database did not answer, say. */
const idleMilliseconds = 10_000

/** What comes back within so long of the first is written in one trip with it. */
const gatherMilliseconds = 20

/** Until the next turn while something is away that does not come back. */
const awayMilliseconds = 30_000

/** No alarm is set further ahead. */
const dayMilliseconds = 86_400_000

/** As much of an endpoint's object as the dispatcher calls. */
interface Sender {
  send(order: Order): Promise<Answer[]>
}

/** The Durable Object class that hands what is due to the objects of endpoints, and writes down what became of it. */
export const webhookDispatcher = (collections: LinkedCollections) =>
  class WebhookDispatcher extends DurableObject<Env> {
    #memory = newMemory()

    /** Called when something was queued, or can be. Only sets the alarm, so that there is one path on which anything is sent. */
    async poke(database: string): Promise<void> {
      const { storage } = this.ctx
      if ((await storage.get<string>("database")) === undefined)
        await storage.put("database", database)
      await this.#lookAt(Date.now())
    }

    override async alarm(): Promise<void> {
      const database = await this.ctx.storage.get<string>("database")
      if (database === undefined) return
      const app = this.#app(database)
      try {
        const { parcels, next, full } = await takeTurn(app, collections, this.#memory)
        for (const parcel of parcels) this.#send(app, parcel)
        const { away } = this.#memory
        const back = away.size > 0 ? Date.now() + awayMilliseconds : Number.POSITIVE_INFINITY
        const moment = Math.min(back, full ? back : (next ?? back))
        if (moment < Number.POSITIVE_INFINITY)
          await this.#lookAt(Math.min(moment, Date.now() + dayMilliseconds))
      } catch (error) {
        // The platform retries an alarm a few times only; what waits can wait longer.
        app.log("error", "webhook dispatcher stopped", { database, error: describeError(error) })
        await this.#lookAt(Date.now() + idleMilliseconds)
      }
    }

    /** Not waited for: a receiver that hangs holds up its own endpoint alone. */
    #send(app: App, parcel: Parcel): void {
      const { WEBHOOK_SENDER } = this.env
      const name = `${app.db.name} ${parcel.endpoint.id}`
      const sender = WEBHOOK_SENDER.get(WEBHOOK_SENDER.idFromName(name)) as unknown as Sender
      const back = (answers: Parameters<typeof giveBack>[2]) => {
        giveBack(this.#memory, parcel, answers)
        const all = this.#memory.returned.length === this.#memory.away.size
        return this.#lookAt(Date.now() + (all ? 0 : gatherMilliseconds))
      }
      this.ctx.waitUntil(
        sender
          .send(orderOf(app, parcel, freshMilliseconds))
          .then(back, (error: unknown) => back({ error })),
      )
    }

    /** The sooner of this and what is set already: somebody may have poked while the alarm was at work. */
    async #lookAt(moment: number): Promise<void> {
      const { storage } = this.ctx
      const set = await storage.getAlarm()
      if (set === null || moment < set) await storage.setAlarm(moment)
    }

    #app(database: string): App {
      return createApp({
        env: this.env,
        settings: parseSettings(this.env),
        requestId: crypto.randomUUID(),
        database,
        bookmark: null,
        primary: true,
        waitUntil: (work) => this.ctx.waitUntil(work),
      })
    }
  }
