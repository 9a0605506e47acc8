import type { Context } from "hono"
import { routePath } from "hono/route"
import type { Actor, App } from "./app.ts"
import type { Http } from "./http.ts"
import { countRequest } from "./metrics.ts"
import { scheduleFlush } from "./metrics-flush.ts"

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

/** What is known of a request when its answer is ready; app and actor only of one that was let in. */
interface Handled {
  /** When it came, in milliseconds since the epoch. */
  readonly received: number
  /** The same on the clock of `performance`. */
  readonly started: number
  readonly app: App | undefined
  readonly actor: Actor | undefined
}

/**
 * Counts a request whose answer is ready, bodies that stream not included. On Cloudflare the clock advances only at I/O,
 * so the latency is what the request waited for, not what it computed. At most one batch of counters is under way.
 */
export function countHandled(c: Context<Http>, { received, started, app, actor }: Handled): void {
  const { method } = c.req
  countRequest({
    at: received,
    milliseconds: performance.now() - started,
    method: methods.has(method) ? method : "(other)",
    route: routeOf(c),
    organisation: actor?.kind === "user" ? actor.organisation : null,
    status: c.res.status,
    cost: app?.cost ?? null,
  })
  scheduleFlush(c.env, (work) => c.executionCtx.waitUntil(work))
}

/**
 * The pattern of the route that answered, with the name of the collection in it: there are as many as the code has.
 * What was refused before any route saw it counts for the one that would have answered.
 */
function routeOf(c: Context<Http>): string {
  const pattern = routePath(c, c.req.routeIndex || 1)
  if (pattern === "" || pattern === "/*") return "(none)"
  const collection = c.get("collection")
  return collection ? pattern.replace(":collection", collection) : pattern
}
