import { describeError, type Log } from "./log.ts"

/** The Durable Objects that do what follows a commit, one of each a database: who reads the log, and who starts jobs. */
export type Follower = "changes" | "jobs"

const bindings = { changes: "CHANGE_PUMP", jobs: "JOB_DISPATCHER" } as const

/** As much of such an object as others may call. */
interface Pokable {
  poke(database: string): Promise<void>
  status?(): Promise<{ cursor: number }>
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
  await stub.poke(database)
}

/** Up to which line of a database's log its listeners have heard it; 0 where there is no such object. */
export async function heard(env: object, database: string): Promise<number> {
  const namespace = (env as Record<string, DurableObjectNamespace | undefined>)[bindings.changes]
  if (!namespace) return 0
  const stub = namespace.get(namespace.idFromName(database)) as unknown as Required<Pokable>
  return (await stub.status()).cursor
}

/** The same without waiting, and without an error for the caller, whose commit stands. */
export const pokeLater = (env: object, follower: Follower, database: string, log: Log) =>
  poke(env, follower, database).catch((error: unknown) => {
    log("warn", "poke failed", { follower, database, error: describeError(error) })
  })
