import { DurableObject } from "cloudflare:workers"
import { type App, createApp } from "../../platform/app.ts"
import { answersRequests, giveWay, isPressed, sleep } from "../../platform/give-way.ts"
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
const gatherMilliseconds = 100

/** Until the next turn while something is away that does not come back. */
const awayMilliseconds = 30_000

/**
 * Where requests are answered beside it, so many parcels are on their way at a time: one that comes meanwhile waits for no
 * more. A receiver that takes longer is waited for no longer.
 */
const lanesBesideRequests = 2
const laneMilliseconds = 20

/** No alarm is set further ahead. */
const dayMilliseconds = 86_400_000

/** As much of an endpoint's object as the dispatcher calls. */
interface Sender {
  send(order: Order): Promise<Answer[]>
}

/** The Durable Object class that hands what is due to the objects of endpoints, and writes down what became of it. */
export const webhookDispatcher = (collections: LinkedCollections) =>
  class WebhookDispatcher extends DurableObject<Env> {
    /** They change only with a new object. */
    #settings = parseSettings(this.env)
    #memory = newMemory()
    /** To be handed over, and by how many at a time. */
    #parcels: Parcel[] = []
    #lanes = 0

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
        await giveWay()
        const portion = isPressed() ? "some" : "all"
        const { parcels, next, full } = await takeTurn(app, collections, this.#memory, portion)
        this.#parcels.push(...parcels)
        const lanes = answersRequests() ? lanesBesideRequests : this.#parcels.length
        const more = Math.min(lanes - this.#lanes, this.#parcels.length)
        for (let n = 0; n < more; n++) this.ctx.waitUntil(this.#openLane(app))
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

    async #openLane(app: App): Promise<void> {
      this.#lanes++
      for (;;) {
        if (this.#parcels.length > 0) await giveWay()
        const parcel = this.#parcels.shift()
        if (!parcel) break
        // A receiver that hangs holds up its own endpoint alone.
        await Promise.race([this.#send(app, parcel), sleep(laneMilliseconds)])
      }
      this.#lanes--
    }

    async #send(app: App, parcel: Parcel): Promise<void> {
      const { WEBHOOK_SENDER } = this.env
      const name = `${app.db.name} ${parcel.endpoint.id}`
      const sender = WEBHOOK_SENDER.get(WEBHOOK_SENDER.idFromName(name)) as unknown as Sender
      const back = (answers: Parameters<typeof giveBack>[2]) => {
        const { returned, away } = this.#memory
        giveBack(this.#memory, parcel, answers)
        if (returned.length === away.size) return this.#lookAt(Date.now())
        if (returned.length === 1) return this.#lookAt(Date.now() + gatherMilliseconds)
      }
      await sender
        .send(orderOf(app, parcel, freshMilliseconds))
        .then(back, (error: unknown) => back({ error }))
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
        settings: this.#settings,
        requestId: crypto.randomUUID(),
        database,
        bookmark: null,
        primary: true,
        waitUntil: (work) => this.ctx.waitUntil(work),
      })
    }
  }
