import type { Context, MiddlewareHandler } from "hono"
import { type ActingKey, createApp } from "../../platform/app.ts"
import type { Http } from "../../platform/http.ts"
import { describeError } from "../../platform/log.ts"
import { Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"
import { renewKey } from "./api-key-renewal.ts"

/** The worker's own answer to a request. */
type Fetch = (request: Request, env: Env, context: ExecutionContext) => Response | Promise<Response>

/**
 * Around a request that came with a key. Accounts and sessions are closed to it.
 *
 * A program cannot refresh what it was given, so where its key turned out to be
 * older than its holder's rights, the key is renewed here and the request repeated, once: nothing of it had been written.
 * That costs the first request of an isolate after such a change; all others cost what a token's do.
 */
export const apiKeyUse =
  (fetch: Fetch): MiddlewareHandler<Http> =>
  async (c, next) => {
    const actor = c.get("actor")
    if (actor.kind !== "user" || !actor.key) return next()
    // The path as the router reads it: in the address itself a letter may be hidden as %61.
    if (peoplesPaths.test(c.req.path)) {
      throw new Problem("forbidden", "API keys may not do this: sign in.")
    }
    const second = repetitions.has(c.req.raw)
    const copy = second ? null : copyOf(c.req.raw)
    await next()
    const outdated = c.error instanceof Problem && c.error.code === "token_outdated"
    if (outdated && !second) {
      await renewKey(c.get("app"), actor)
      if (!copy) return
      repetitions.add(copy)
      // Hono would lay the headers of the first answer over those of the second.
      c.res = undefined
      c.res = await fetch(copy, c.env, c.executionCtx as ExecutionContext)
      return
    }
    // A branch that nobody reads would be kept in memory.
    await copy?.body?.cancel()
    if (c.res.status < 400) noteUse(c, actor.key)
  }

/** What a person must do themselves: a key must not make keys, give roles or change passwords. */
const peoplesPaths = /^\/(?:auth|oauth)(?:\/|$)/

const repetitions = new WeakSet<Request>()

/** What can be sent again: a body no longer than those that the records take. Others answer 401, and go through next time. */
function copyOf(request: Request): Request | null {
  const copy = () => request.clone() as Request
  if (request.body === null) return copy()
  const length = Number(request.headers.get("content-length") ?? Number.NaN)
  return length <= maxRepeatedBytes ? copy() : null
}

const maxRepeatedBytes = 1_048_576

const hourMilliseconds = 3_600_000
/** The hour in which this isolate last wrote of a key. */
const noted = new Map<string, number>()
const maxNoted = 5_000

/** `lastUsedAt`, after the answer, once an hour. On an account of its own: the request did not ask for it. */
function noteUse(c: Context<Http>, key: ActingKey): void {
  const app = c.get("app")
  const { settings, requestId, log } = app
  const hour = Math.floor(app.now() / hourMilliseconds)
  if (noted.get(key.id) === hour) return
  if (noted.size >= maxNoted) noted.clear()
  noted.set(key.id, hour)
  const at = new Date(hour * hourMilliseconds).toISOString()
  const { directory } = createApp({
    env: c.env,
    settings,
    requestId,
    database: "main",
    bookmark: null,
    waitUntil: app.waitUntil,
    flushesCounts: false,
  })
  const write = directory.all(
    sql`UPDATE api_keys SET lastUsedAt = ${at} WHERE id = ${key.id} AND (lastUsedAt IS NULL OR lastUsedAt < ${at})`,
  )
  app.waitUntil(
    write.catch((error: unknown) => {
      noted.delete(key.id)
      log("warn", "use of a key not noted", { key: key.id, error: describeError(error) })
    }),
  )
}
