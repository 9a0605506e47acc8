import type { App } from "../../platform/app.ts"

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

/** Tells those who follow the log, beside listeners in code, that it goes on. Throws when it has to be tried again. */
export type Announce = (app: App) => Promise<void>

/** Puts a line aside that could not be delivered. When it throws, the line is tried again later. */
export type Bury = (app: App, change: StoredChange) => Promise<void>

/** Handles one line. Called in order, at least once: what it throws is tried again. False when nobody listens to it. */
export type Deliver = (app: App, change: StoredChange) => Promise<boolean>
