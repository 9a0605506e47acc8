import { createLog, describeError } from "./log.ts"
import { drain, restore } from "./metrics.ts"
import { writeDataPoints } from "./metrics-analytics.ts"
import { ownStore } from "./metrics-shards.ts"

/*
 * Counters leave the isolate in batches: the first request after a batch schedules the next one, and waits for it in its
 * own `waitUntil`. The timer belongs to that request, as workerd demands; when the request is cancelled, its timer dies
 * with it, so a flush that is overdue counts as lost, and another request may schedule one.
 */
const delayMilliseconds = 5_000
const lostAfterMilliseconds = 15_000

/** The batch that is waited for; its identity tells whose turn it is. */
let scheduled: { readonly at: number } | null = null

/** In a burst of jobs, what is counted within so long of a batch goes with the next one. */
const inPassingMilliseconds = 50

/** When a batch was last sent, or tried to be. */
let sentAt = 0

/** On the hot path: a comparison. Work is handed to `waitUntil` once a batch. */
export function scheduleFlush(env: object, waitUntil: (work: Promise<unknown>) => void): void {
  const now = Date.now()
  if (scheduled && now - scheduled.at < lostAfterMilliseconds) return
  scheduled = { at: now }
  waitUntil(flushLater(env, scheduled))
}

/**
 * For a queue's consumer, whose next batch comes only when this one has let go: sends without waiting, and not much more
 * often than it is worth.
 */
export async function flushInPassing(env: object): Promise<void> {
  if (Date.now() - sentAt >= inPassingMilliseconds) await flush(env)
}

/** Nothing, when the batch was sent or given up for lost meanwhile. */
async function flushLater(env: object, mine: { readonly at: number }): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, delayMilliseconds))
  if (scheduled === mine) await flush(env)
}

/**
 * Sends what the isolate has counted: one call to a Durable Object. Never throws: what could not be sent is kept for the
 * next time. A call that failed after it had been carried out counts twice; that is rarer than it is worth preventing.
 */
export async function flush(env: object): Promise<void> {
  scheduled = null
  sentAt = Date.now()
  const store = ownStore(env)
  if (!store) return
  const delta = drain()
  if (delta.size === 0) return
  try {
    await store.add(delta)
  } catch (error) {
    restore(delta)
    createLog("metrics")("warn", "metrics not sent", { error: describeError(error) })
    return
  }
  writeDataPoints(env, delta)
}
