import { DurableObject } from "cloudflare:workers"
import { type App, createApp } from "../../platform/app.ts"
import { giveWay } from "../../platform/give-way.ts"
import { describeError } from "../../platform/log.ts"
import { parseSettings } from "../../platform/settings.ts"
import { sql } from "../../platform/sql.ts"
import type { Announce, Bury, Deliver, StoredChange } from "./pump.ts"
import { backoffMilliseconds, batchSize, idleMilliseconds, isExhausted } from "./pump-schedule.ts"

/*
 * One object a database. Storage: `database` its name, `cursor` the last line that was delivered, `attempts` at the next
 * one. Who follows the log beside listeners in code is told that it goes on, and does not wait for a listener that fails. The
 * alarm is set while there may be something to do, and survives the process.
 */

const anyFollower = sql`SELECT name FROM change_followers LIMIT 1`

/** The Durable Object class that hands each line of the log to `deliver`, in order, at least once, or in the end to `bury`. */
export const changePump = (deliver: Deliver, bury: Bury, announce: Announce) =>
  class ChangePump extends DurableObject<Env> {
    /** They change only with a new object. */
    #settings = parseSettings(this.env)

    /**
     * Called after commits. Only sets the alarm, so that there is one path on which lines are delivered. Answers whether
     * anybody was seen to follow the log beside the listeners in code.
     */
    async poke(database: string): Promise<boolean> {
      const { storage } = this.ctx
      if ((await storage.get<string>("database")) === undefined)
        await storage.put("database", database)
      // While a line is being retried, its alarm stands in the future; new lines wait behind it. Without one (the platform
      // gives up an alarm that fails too often) nothing would ever wake the object again.
      const waiting = ((await storage.get<number>("attempts")) ?? 0) > 0
      if (waiting && (await storage.getAlarm()) !== null) {
        if (this.#followed) await announce(this.app(database))
        return this.#followed
      }
      await storage.setAlarm(Date.now())
      return this.#followed
    }

    /** As of the last look; taken for true before it. */
    #followed = true

    /** Called when somebody has begun to follow the log: what was seen at the last look is not so any more. */
    async follow(database: string): Promise<void> {
      this.#followed = true
      await this.poke(database)
    }

    /** Where the object stands, for administrators and tests. */
    async status(): Promise<{ cursor: number; attempts: number }> {
      const { storage } = this.ctx
      return {
        cursor: (await storage.get<number>("cursor")) ?? 0,
        attempts: (await storage.get<number>("attempts")) ?? 0,
      }
    }

    override async alarm(): Promise<void> {
      const { storage } = this.ctx
      const database = await storage.get<string>("database")
      if (database === undefined) return
      await giveWay()
      const app = this.app(database)
      try {
        await this.deliverAll(app)
      } catch (error) {
        // The database itself did not answer. The platform retries an alarm a few times only; the log can wait longer.
        app.log("error", "change pump stopped", { database, error: describeError(error) })
        await storage.setAlarm(Date.now() + idleMilliseconds)
      }
    }

    /** Listeners in code do not wait for followers whom nobody can tell: these are told at the next alarm. */
    private async deliverAll(app: App): Promise<void> {
      const untold: unknown[] = []
      const announceNext = async () => {
        if (untold.length > 0 || !this.#followed) return
        await announce(app).catch((error: unknown) => untold.push(error))
      }
      while (await this.deliverBatch(app, announceNext)) {}
      // A line that has to wait has set its own alarm, which is not to come before its time.
      const waiting = ((await this.ctx.storage.get<number>("attempts")) ?? 0) > 0
      if (untold.length === 0) return
      if (!waiting) throw untold[0]
      app.log("error", "change pump announced nothing", { error: describeError(untold[0]) })
    }

    /** False when the end of the log is reached, or a line has to wait for another try. */
    private async deliverBatch(app: App, announceNext: () => Promise<void>): Promise<boolean> {
      const cursor = (await this.ctx.storage.get<number>("cursor")) ?? 0
      const [rows = [], followers = []] = await app.db.batch([
        sql`SELECT seq, id, at, actor, organisation, subject, record, version, kind, payload FROM changes WHERE seq > ${cursor} ORDER BY seq LIMIT ${batchSize}`,
        anyFollower,
      ])
      const changes = rows as unknown as StoredChange[]
      this.#followed = followers.length > 0
      await announceNext()
      for (const change of changes) {
        if (!(await this.tryDeliver(app, change))) return false
      }
      // Lines that nobody listens to are passed in one step.
      const last = changes.at(-1)
      if (last) await this.ctx.storage.put("cursor", last.seq)
      // Whoever has written more meanwhile has poked, or will.
      return changes.length === batchSize
    }

    /** False when the line has to wait for another try. */
    private async tryDeliver(app: App, change: StoredChange): Promise<boolean> {
      const { storage } = this.ctx
      try {
        const own = this.app(app.db.name)
        if (!(await deliver(own, change))) return true
      } catch (error) {
        const attempts = ((await storage.get<number>("attempts")) ?? 0) + 1
        app.log("error", "afterCommit failed", {
          subject: change.subject,
          seq: change.seq,
          attempts,
          error: describeError(error),
        })
        if (!isExhausted(attempts)) {
          await storage.put("attempts", attempts)
          await storage.setAlarm(Date.now() + backoffMilliseconds(attempts))
          return false
        }
        // What cannot be delivered must not stop those behind it for ever.
        await bury(this.app(app.db.name), change)
      }
      await storage.put({ cursor: change.seq, attempts: 0 })
      return true
    }

    /** For one line, or one look at the log: all that is done with it happens at one instant, as in a request. */
    private app(database: string): App {
      const opened = Date.now()
      return createApp({
        env: this.env,
        settings: this.#settings,
        requestId: crypto.randomUUID(),
        database,
        bookmark: null,
        primary: true,
        waitUntil: (work) => this.ctx.waitUntil(work),
        now: () => opened,
      })
    }
  }
