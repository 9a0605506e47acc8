import { type Context, Hono, type MiddlewareHandler } from "hono"
import type { Http, SignedIn } from "../../platform/http.ts"
import { isId } from "../../platform/ids.ts"
import { jsonBody, queryOf } from "../../platform/input.ts"
import { nextLink, pageOfQuery } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { readBytes } from "../../platform/validate.ts"
import { getEvent, listEvents } from "./events.ts"
import type { InboundHook, InboundHooks } from "./hook.ts"
import { isVerified, storeEvent } from "./receive.ts"
import { replayEvent, replayFailed } from "./replays.ts"
import { inboundEventsQuery, newReplay } from "./schema.ts"

/** `POST /hooks/{source}`, for whoever can prove to be the source. */
export function hookRoutes(hooks: InboundHooks): Hono<Http> {
  const routes = new Hono<Http>()
  // A route each, so that requests are counted by their source, those that were refused too.
  for (const hook of hooks.values()) routes.post(`/${hook.source}`, (c) => receive(c, hook))
  return routes.post("/:source", (c) => receive(c, undefined))
}

/**
 * Who cannot prove to be the source is answered as if there were none: neither an event nor a hook exists for them.
 * They are counted and logged, and write nothing.
 */
async function receive(c: Context<Http>, hook: InboundHook | undefined): Promise<Response> {
  const app = c.get("app").on("main")
  const request = { headers: c.req.raw.headers, body: await readBytes(c.req.raw) }
  if (!hook || !(await isVerified(app, hook, request))) {
    if (hook) app.log("warn", "hook refused", { source: hook.source })
    throw new Problem("not_found", "There is no such hook, or nothing proves that you may use it.")
  }
  const challenge = hook.options.verify.challenge?.(request)
  if (challenge) return c.text(challenge)
  const isNew = await storeEvent(app, hook, request)
  return c.json({ received: isNew }, isNew ? 202 : 200)
}

/** `/inbound-events…`, for those whom `administrators` lets pass. */
export const inboundEventRoutes = (
  hooks: InboundHooks,
  administrators: MiddlewareHandler<SignedIn>,
): Hono<SignedIn> =>
  new Hono<SignedIn>()
    .use(administrators)

    .get("/", queryOf(inboundEventsQuery), async (c) => {
      const { limit, cursor, ...asked } = c.req.valid("query")
      const page = await listEvents(mainOf(c), asked, pageOfQuery({ limit, cursor }))
      return c.json(page, 200, nextLink(c.req.url, page))
    })

    .post("/replays", jsonBody(newReplay), async (c) => {
      const done = await replayFailed(mainOf(c), hooks, c.req.valid("json"))
      tell(c, "failed events replayed", { events: done.replayed })
      return c.json(done, 202)
    })

    .get("/:id", async (c) => c.json(await getEvent(mainOf(c), idOf(c))))

    .post("/:id/replays", async (c) => {
      const event = await replayEvent(mainOf(c), hooks, idOf(c))
      tell(c, "event replayed", { event: event.id })
      return c.json(event, 202)
    })

const mainOf = (c: Context<SignedIn>) => c.get("app").on("main")

/** An id that cannot be one is an id of nothing. */
function idOf(c: Context<SignedIn>): string {
  const id = c.req.param("id") ?? ""
  if (!isId(id)) throw new Problem("not_found")
  return id
}

function tell(
  c: Context<SignedIn>,
  message: string,
  fields: Record<string, string | number>,
): void {
  c.get("app").log("info", message, { ...fields, actor: c.get("actor").id })
}
