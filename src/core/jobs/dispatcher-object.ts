import { DurableObject } from "cloudflare:workers"
import { type App, createApp } from "../../platform/app.ts"
import { describeError } from "../../platform/log.ts"
import { parseSettings } from "../../platform/settings.ts"
import { startJobs } from "./dispatcher.ts"
import type { Registry } from "./registry.ts"
import { type DueTimes, loadSchedules, schedulesOf } from "./schedules.ts"

/*
 * One object a database. Storage: `database`, its name. The alarm is set while something waits or runs, and survives the
 * process; all else is in the database's own tables.
 */

/** Until the next look at a database that did not answer. */
const idleMilliseconds = 10_000

/** No alarm is set further ahead. */
const dayMilliseconds = 86_400_000

/** The Durable Object class that starts what is due. */
export const jobDispatcher = (registry: Registry<never>) =>
  class JobDispatcher extends DurableObject<Env> {
    /** Read once: only this object writes them. */
    #times: DueTimes | undefined

    /** Called after commits. Only sets the alarm, so that there is one path on which jobs are started. */
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
        this.#times ??= await loadSchedules(app, schedulesOf(registry.schedules, database))
        const next = await startJobs(app, this.env.JOBS, registry, this.#times)
        if (next !== null) await this.#lookAt(Math.min(next, Date.now() + dayMilliseconds))
      } catch (error) {
        // The platform retries an alarm a few times only; what waits can wait longer.
        app.log("error", "job dispatcher stopped", { database, error: describeError(error) })
        await this.#lookAt(Date.now() + idleMilliseconds)
      }
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
