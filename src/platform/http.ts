import { Hono, type MiddlewareHandler } from "hono"
import { type Actor, type App, createApp, isAdministrator, type UserActor } from "./app.ts"
import { type Budget, weigh } from "./budget.ts"
import { corsHeaders, preflight } from "./cors.ts"
import { UniqueViolation } from "./database.ts"
import { createLog, describeError } from "./log.ts"
import { countHandled } from "./metrics-requests.ts"
import { Problem, problemResponse } from "./problem.ts"
import { limitRate } from "./rate-limit.ts"
import { addSecurityHeaders } from "./security-headers.ts"
import { parseSettings, type Settings } from "./settings.ts"

/** What every handler finds in its Hono context. */
export interface Http {
  Bindings: Env
  Variables: {
    app: App
    actor: Actor
    /** Name of the collection that the route turned out to be about. */
    collection?: string
    /** What the request may cost, where its route or collection says so. */
    budget?: Budget
  }
}

/** The context behind a gate that lets only people through. A type, because interfaces of one name merge silently. */
export type SignedIn = Http & { Variables: { actor: UserActor } }

/**
 * Who sends this request, proved by signature alone: no trip.
 *
 * @throws {Problem} 401 codes when a credential is present but not good.
 */
export type Authenticate = (
  request: Request,
  settings: Settings,
  now: number,
) => Promise<Actor> | Actor

let parsedFor: object | undefined
let parsed: Settings | undefined

/** Settings change only with a new isolate, so they are parsed once for each `env`. */
export function settingsOf(env: object): Settings {
  if (parsed === undefined || parsedFor !== env) {
    parsed = parseSettings(env)
    parsedFor = env
  }
  return parsed
}

/**
 * A Hono app in which every request has a request id, an actor and an `App`, and every error is a problem.
 *
 * @param keyed around requests that come with an API key, and no others
 */
export function createHttp(
  authenticate: Authenticate,
  keyed?: MiddlewareHandler<Http>,
): Hono<Http> {
  const http = new Hono<Http>()
  http.use(surround(authenticate, keyed))
  http.notFound((c) => {
    const allow = methodsAt(http, c.req.path)
    if (allow.length === 0) {
      throw new Problem("not_found", "There is no such route; /docs lists them.")
    }
    throw new Problem("method_not_allowed", {
      detail: `${c.req.method} is not allowed here: ${allow.join(", ")}.`,
      headers: { allow: allow.join(", ") },
    })
  })
  http.onError((error, c) => {
    const app = c.get("app") as App | undefined
    const requestId = app?.requestId ?? crypto.randomUUID()
    const problem = asProblem(error)
    if (problem.status >= 500) logFailure(requestId, error)
    return problemResponse(problem, requestId)
  })
  return http
}

/** What a path answers to, when it does not answer to the method at hand (RFC 9110, 15.5.6). */
function methodsAt(http: Hono<Http>, path: string): string[] {
  const segments = path.split("/")
  const methods = http.routes
    .filter((route) => {
      const pattern = route.path.split("/")
      return (
        route.method !== "ALL" &&
        pattern.length === segments.length &&
        pattern.every((part, i) => part === segments[i] || (part.startsWith(":") && segments[i]))
      )
    })
    .flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]))
  return [...new Set(methods)]
}

/** Everything around a handler, in one middleware, because each costs the hot path a closure and a promise. */
function surround(
  authenticate: Authenticate,
  keyed: MiddlewareHandler<Http> | undefined,
): MiddlewareHandler<Http> {
  return async (c, next) => {
    const request = c.req.raw
    const requestId = crypto.randomUUID()
    // One instant for all of a request: rows, log lines and answers agree on it.
    const received = Date.now()
    const started = performance.now()
    let settings: Settings | undefined
    let cors: Record<string, string> | undefined
    let app: App | undefined
    let actor: Actor | undefined
    try {
      settings = settingsOf(c.env)
      cors = corsHeaders(request, settings)
      if (request.method === "OPTIONS" && request.headers.has("access-control-request-method")) {
        c.res = preflight(cors)
      } else {
        if (settings.rateLimited) await limitRate(c.env.RATE_LIMITER, request)
        actor = await authenticate(request, settings, received)
        app = createApp({
          env: c.env,
          settings,
          requestId,
          database: actor.kind === "user" ? actor.database : "main",
          bookmark: presentedBookmark(request),
          waitUntil: (work) => c.executionCtx.waitUntil(work),
          now: () => received,
        })
        c.set("app", app)
        c.set("actor", actor)
        if (keyed && actor.kind === "user" && actor.key) await keyed(c, next)
        else await next()
      }
    } catch (error) {
      // Hono hands errors of handlers to onError; these are errors of this middleware itself.
      const problem = asProblem(error)
      if (problem.status >= 500) logFailure(requestId, error)
      c.res = problemResponse(problem, requestId)
    }
    const limit = c.get("budget")
    if (limit && app && c.res.status < 400) {
      const refusal = weigh(app, request.method, c.req.path, limit)
      if (refusal) c.res = problemResponse(refusal, requestId)
    }
    const { headers } = c.res
    headers.set("x-request-id", requestId)
    if (!headers.has("cache-control")) headers.set("cache-control", "private, no-store")
    addSecurityHeaders(headers, request.url)
    for (const name in cors) headers.set(name, cors[name] as string)
    if (app) await describeCost(app, actor as Actor, headers, limit)
    if (settings?.metrics) countHandled(c, { received, started, app, actor })
  }
}

function logFailure(requestId: string, error: unknown): void {
  createLog(requestId)("error", "request failed", { error: describeError(error) })
}

const bookmarkHeader = "x-bookmark"
const bookmarkCookie = "__Host-bookmark"

function presentedBookmark(request: Request): string | null {
  const header = request.headers.get(bookmarkHeader)
  if (header) return header
  const cookies = request.headers.get("cookie")
  if (!cookies) return null
  const found = /(?:^|;\s*)__Host-bookmark=([^;]*)/.exec(cookies)
  try {
    return found ? decodeURIComponent(found[1] as string) : null
  } catch {
    // Not ours, then: ignored like any other that is forged.
    return null
  }
}

/** The bookmark for the caller's next request, and, for those who may know, what this one cost. */
async function describeCost(
  app: App,
  actor: Actor,
  headers: Headers,
  limit: Budget | undefined,
): Promise<void> {
  const { cost } = app
  // Only a session has one: a write, a caller that brought one along, a deployment with replicas.
  const bookmark = cost.trips > 0 ? await app.bookmarks() : null
  if (bookmark) {
    headers.set(bookmarkHeader, bookmark)
    if (cost.rowsWritten > 0) {
      headers.append(
        "set-cookie",
        `${bookmarkCookie}=${encodeURIComponent(bookmark)}; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=Lax`,
      )
    }
  }
  // Rows read betray hidden rows, so only those who may see everything see the figures.
  if (app.settings.development || isAdministrator(actor)) {
    const allowed = limit ? `, budget;desc="${limit.rowsRead}"` : ""
    headers.set(
      "server-timing",
      `db;dur=${cost.milliseconds.toFixed(1)}, trips;desc="${cost.trips}", rows-read;desc="${cost.rowsRead}", rows-written;desc="${cost.rowsWritten}"${allowed}`,
    )
  }
}

function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof UniqueViolation) return new Problem("conflict", { cause: error })
  return new Problem("internal", { cause: error })
}
