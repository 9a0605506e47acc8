import { giveWay } from "./give-way.ts"
import { describeError, type Log } from "./log.ts"

/**
 * The Durable Objects that do what follows a commit, one of each a database: who reads the log, who starts jobs, and who
 * has events sent to others.
 */
export type Follower = "changes" | "jobs" | "webhooks"

const bindings = {
  changes: "CHANGE_PUMP",
  jobs: "JOB_DISPATCHER",
  webhooks: "WEBHOOK_DISPATCHER",
} as const

/** As much of such an object as others may call. */
interface Pokable {
  /** Answers whether anybody follows the log, where it is the one that reads it. */
  poke(database: string): Promise<unknown>
}

/** The one that reads the log. */
interface Reader extends Pokable {
  follow(database: string): Promise<void>
  status(): Promise<{ cursor: number }>
}

/**
 * Tells a database's follower that there is something to do. Only sets its alarm. A poke that is lost is made good by
 * the next one, by the schedule of the worker, and by the first request of the next isolate: the database holds what is
 * due. Nothing, where there are no such objects (command-line tools).
 */
export async function poke(env: object, follower: Follower, database: string): Promise<void> {
  const namespace = (env as Record<string, DurableObjectNamespace | undefined>)[bindings[follower]]
  if (!namespace) return
  const stub = namespace.get(namespace.idFromName(database)) as unknown as Pokable
  const followed = await stub.poke(database)
  if (follower !== "changes") return
  if (followed === false) quiet.set(database, Date.now() + quietMilliseconds)
  else quiet.delete(database)
}

/**
 * Until when this isolate takes it that nobody but listeners in code follows a database's log. Whoever begins to follow it
 * elsewhere hears of what was written meanwhile with the next poke.
 */
const quiet = new Map<string, number>()
const quietMilliseconds = 5_000

/** Whether the log's reader need not be told of a commit that no listener in code waits for. */
export const isUnfollowed = (database: string): boolean => (quiet.get(database) ?? 0) > Date.now()

/** Somebody has begun to follow it. Its reader is told first: until it has looked, it would say that nobody does. */
export async function beginToFollow(env: object, database: string, log: Log): Promise<void> {
  await readerOf(env, database)
    ?.follow(database)
    .catch((error: unknown) => {
      log("warn", "poke failed", { follower: "changes", database, error: describeError(error) })
    })
  quiet.delete(database)
}

/** Up to which line of a database's log its listeners have heard it; 0 where there is no such object. */
export async function heard(env: object, database: string): Promise<number> {
  return (await readerOf(env, database)?.status())?.cursor ?? 0
}

function readerOf(env: object, database: string): Reader | null {
  const namespace = (env as Record<string, DurableObjectNamespace | undefined>)[bindings.changes]
  return namespace ? (namespace.get(namespace.idFromName(database)) as unknown as Reader) : null
}

/** By then the answer of whoever has committed has left, and what follows takes no part of the machine from it. */
const graceMilliseconds = 10

/** Pokes that have not left yet, and since when they should have: one is enough for all that was committed before it leaves. */
const waiting = new Map<string, number>()
const lateMilliseconds = 1_000

/** The same after a moment, without waiting, and without an error for the caller, whose commit stands. */
export async function pokeLater(
  env: object,
  follower: Follower,
  database: string,
  log: Log,
): Promise<void> {
  const name = `${follower} ${database}`
  // Whoever was to make it may have been stopped.
  if ((waiting.get(name) ?? 0) + lateMilliseconds > Date.now()) return
  waiting.set(name, Date.now())
  await new Promise((resolve) => setTimeout(resolve, graceMilliseconds))
  // Among requests as fast as they go, a poke for each would cost more than all that it leads to.
  await giveWay()
  waiting.delete(name)
  await poke(env, follower, database).catch((error: unknown) => {
    log("warn", "poke failed", { follower, database, error: describeError(error) })
  })
}
