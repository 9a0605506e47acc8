import type { ZodType, z } from "zod"
import { DefinitionError } from "../../platform/definition-error.ts"
import type { JobOptions, JobRun } from "../jobs/job.ts"
import type { Reach } from "../records/reach.ts"
import type { Scheme } from "./schemes/scheme.ts"

/** An event as it was stored. */
export interface InboundEvent {
  /** Ours, a UUIDv7. */
  readonly id: string
  readonly source: string
  /** The sender's; else the SHA-256 of the body. */
  readonly eventId: string
  readonly type: string | null
  /** ISO 8601 UTC. */
  readonly receivedAt: string
  /** Those that the scheme and the hook keep, by their name in small letters. */
  readonly headers: Readonly<Record<string, string>>
  /** Text, or the base64 of what is none. */
  readonly body: string
}

/** What `apply` is given: a run of a job, whose payload is that of the event. */
export interface HookRun<Payload> extends JobRun<Payload> {
  readonly event: InboundEvent
}

interface InboundHookOptions<Schema extends ZodType>
  extends Pick<JobOptions<Schema, Reach>, "retryDelays" | "timeoutSeconds" | "priority"> {
  readonly verify: Scheme
  /**
   * Names of the deployment's variables that hold its secrets. Whatever was signed with one of them is taken, so that
   * they can be rotated; those that are not set are passed over.
   */
  readonly secrets: readonly string[]
  /** What the body has to be: JSON, or an object of the fields of a form. An event that is something else fails for good. */
  readonly payload: Schema
  /** Request headers that `apply` wants to see beside those that the scheme keeps. Never one that lets somebody in. */
  readonly keepHeaders?: readonly string[]
  /** How long an event is kept, and known again: 7 to 90, 30 unless told. */
  readonly retentionDays?: number
  /**
   * Does what the event says, at least once, and in no order: an event whose subject is not there yet throws, and comes
   * back as `retryDelays` say. Acts for the deployment itself (`system`), on its database `main`.
   */
  apply(run: HookRun<z.output<Schema>>, reach: Reach): Promise<void> | void
}

/** What others may tell this deployment, at `POST /hooks/{source}`. */
export interface InboundHook<Schema extends ZodType = ZodType> {
  readonly source: string
  readonly options: InboundHookOptions<Schema>
}

/** Declares a hook; `source` is the last part of its address, and stored with its events. */
export const inboundHook = <Schema extends ZodType>(
  source: string,
  options: InboundHookOptions<Schema>,
): InboundHook<Schema> => ({ source, options })

/** By source. */
export type InboundHooks = ReadonlyMap<string, InboundHook>

export const defaultRetentionDays = 30
const mostRetentionDays = 90
/** Senders try again for some days, and what is forgotten would be done again. */
const leastRetentionDays = 7

/** @throws {DefinitionError} that names the hook, and what is wrong. */
export function linkHooks(hooks: readonly InboundHook[]): InboundHooks {
  const bySource = new Map<string, InboundHook>()
  for (const hook of hooks) {
    checkHook(hook)
    if (bySource.has(hook.source)) {
      throw new DefinitionError(`Two inbound hooks are named "${hook.source}": rename one.`)
    }
    bySource.set(hook.source, hook)
  }
  return bySource
}

function checkHook({ source, options }: InboundHook): void {
  const wrong = (what: string) => new DefinitionError(`Inbound hook "${source}": ${what}`)
  if (!/^[a-z][a-zA-Z0-9]*$/.test(source)) throw wrong('name it by one word, as "stripe".')
  const { secrets, retentionDays: days = defaultRetentionDays, keepHeaders = [] } = options
  if (secrets.length === 0) throw wrong("it has no secret, so nobody could prove anything.")
  const misnamed = secrets.find((name) => !/^[A-Z][A-Z0-9_]*$/.test(name))
  if (misnamed !== undefined) {
    throw wrong("secrets are names of variables, as STRIPE_WEBHOOK_SECRET, and no secrets.")
  }
  if (!(days >= leastRetentionDays && days <= mostRetentionDays)) {
    throw wrong(`retentionDays is from ${leastRetentionDays} to ${mostRetentionDays}.`)
  }
  const telling = keepHeaders.find((name) => tellsSecrets.test(name))
  if (telling !== undefined) throw wrong(`the header "${telling}" may hold a secret.`)
}

const tellsSecrets = /authorization|cookie|signature|token|secret|hmac|password|api-?key/i
