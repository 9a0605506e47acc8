import type { ZodType, z } from "zod"
import type { App } from "../../platform/app.ts"

/** The platform ends the work on a message after 15 minutes. */
export const maxTimeoutSeconds = 840

export const priorities = ["high", "normal", "low"] as const
export type Priority = (typeof priorities)[number]

/** What a handler is given. */
export interface JobRun<Payload> {
  readonly id: string
  /** The same in every attempt. Whatever has an effect elsewhere carries it along, so that it happens once. */
  readonly key: string
  readonly payload: Payload
  /** 1 the first time. */
  readonly attempt: number
  readonly organisation: string | null
  /** When it was enqueued (ISO 8601 UTC). */
  readonly createdAt: string
  readonly app: App
  /** Aborted when the job is cancelled, runs out of time, or is no longer this run's to do. */
  readonly signal: AbortSignal
  /**
   * Does a part of the work and keeps its result (JSON), in one trip: a later attempt gets the result and goes on from
   * there. A killed process may have done the work without keeping it, so the work itself has to bear repetition.
   * What it answers is the result as JSON gives it back, the first time too: a Date is a text.
   *
   * @throws when the job was cancelled meanwhile; when a run uses a name twice, or the result is not JSON.
   */
  step<Result>(name: string, work: () => Promise<Result> | Result): Promise<Result>
  /** Tells administrators how far it is: one trip. @throws when the job was cancelled meanwhile. */
  progress(done: number, total: number): Promise<void>
  /** A UUID that is the same whenever this job asks for this name: the id of a record that it makes. */
  idFor(name: string): Promise<string>
}

export interface JobOptions<Schema extends ZodType, Reach> {
  /** What the handler is given; what is stored is JSON that it parses. */
  readonly payload: Schema
  /** Rises when payloads of old no longer parse. 1 unless told. */
  readonly version?: number
  /** Makes a payload of version n one of n + 1. */
  readonly upgrade?: Readonly<Record<number, (payload: unknown) => unknown>>
  /** Seconds before each further attempt, at most (jitter shortens them): as many attempts as there are entries, and one. */
  readonly retryDelays?: readonly number[]
  /** Of one attempt. 300 unless told, 840 at most: the platform ends it after 15 minutes. */
  readonly timeoutSeconds?: number
  readonly priority?: Priority
  /** At most `limit` run at a time among those with the same key; among all, without one. */
  readonly concurrency?: {
    readonly limit: number
    key?(payload: z.output<Schema>): string
  }
  // Methods, not properties: that is how TypeScript lets jobs of all payloads stand in one list.
  /** Does it, at least once. `reach` is what the deployment gives to its jobs. */
  run(run: JobRun<z.output<Schema>>, reach: Reach): Promise<void> | void
}

/** A kind of job. `Reach` is what its handler wants beside the run. */
export interface Job<Schema extends ZodType = ZodType, Reach = never> {
  readonly name: string
  readonly options: JobOptions<Schema, Reach>
}

/** Declares a kind of job; `name` is what is stored, so it outlives deployments. */
export const job = <Schema extends ZodType, Reach>(
  name: string,
  options: JobOptions<Schema, Reach>,
): Job<Schema, Reach> => ({ name, options })

const signs = {
  permanent: Symbol("permanent"),
  retryAfter: Symbol("retryAfter"),
  postpone: Symbol("postpone"),
}

/** To be thrown by a handler: trying again would not help. */
export const permanent = (reason: string, cause?: unknown): Error =>
  Object.assign(new Error(reason, { cause }), { [signs.permanent]: true })

/** To be thrown by a handler that knows when to come back, such as after a `Retry-After`. Counts as an attempt. */
export const retryAfter = (seconds: number, reason: string, cause?: unknown): Error =>
  Object.assign(new Error(reason, { cause }), { [signs.retryAfter]: seconds })

/**
 * To be thrown by a handler whose time has not come: another's limit, a queue to stand in. No failure, and no attempt
 * used: for how long that may go on is the handler's to say, by `createdAt`. It comes back after so many seconds, and up
 * to as many again, so that those who were sent away together do not come back together.
 */
export const postpone = (seconds: number, reason: string): Error =>
  Object.assign(new Error(reason), { [signs.postpone]: seconds })

export const isPermanent = (error: unknown): boolean =>
  error instanceof Error && signs.permanent in error

/** Seconds, or null when the error does not say, or says what is no number: `Retry-After` may be a date. */
export const retryAfterOf = (error: unknown): number | null => secondsOf(error, signs.retryAfter)

/** Seconds, or null for what is no postponement. */
export const postponedBy = (error: unknown): number | null => secondsOf(error, signs.postpone)

function secondsOf(error: unknown, sign: symbol): number | null {
  const seconds = error instanceof Error && (error as Error & Record<symbol, unknown>)[sign]
  return typeof seconds === "number" && seconds >= 0 ? seconds : null
}
