import type { App } from "../../platform/app.ts"
import { describeError } from "../../platform/log.ts"

/** What drives everything that follows a commit. One Durable Object a database reads the log from where it stopped. */
export interface Pump {
  /** Tells the database's object that its log has grown. */
  poke(database: string): Promise<void>
}

/** A line of the log as it is stored. */
export interface StoredChange {
  readonly seq: number
  readonly id: string
  readonly at: string
  readonly actor: string | null
  readonly organisation: string | null
  readonly subject: string
  readonly record: string
  readonly version: number
  readonly kind: "created" | "updated" | "deleted"
  readonly payload: string
}

/** Handles one line. Called in order, at least once: what it throws is tried again. False when nobody listens to it. */
export type Deliver = (app: App, change: StoredChange, pump: Pump) => Promise<boolean>

/**
 * After a commit, without making the caller wait. A poke that is lost is made good by the next one, by the schedule, and
 * by the first request of the next isolate: the log itself holds what is due.
 */
export function pokePump(app: App, pump: Pump): void {
  app.waitUntil(
    pump.poke(app.db.name).catch((error: unknown) => {
      app.log("warn", "poke failed", { error: describeError(error) })
    }),
  )
}
