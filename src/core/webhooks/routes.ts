import { type Context, Hono } from "hono"
import type { UserActor } from "../../platform/app.ts"
import type { Http } from "../../platform/http.ts"
import { isId } from "../../platform/ids.ts"
import { jsonBody, queryOf } from "../../platform/input.ts"
import { nextLink, pageOfQuery } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import type { Action } from "../identity/key-scopes.ts"
import type { LinkedCollections } from "../records/link.ts"
import { assertMayManage } from "./access.ts"
import { getDelivery, listDeliveries } from "./deliveries.ts"
import {
  changeEndpoint,
  createEndpoint,
  deleteEndpoint,
  getEndpoint,
  listEndpoints,
  rotateSecret,
} from "./endpoints.ts"
import { replay, replayOne, sendTest } from "./replays.ts"
import {
  deliveriesQuery,
  newSecretRotation,
  newWebhookEndpoint,
  pageQuery,
  webhookEndpointPatch,
  webhookReplay,
} from "./schema.ts"

const patchTypes = ["application/json", "application/merge-patch+json"]

/** `/webhooks…`: for people, and for keys whose scopes name it. */
export const webhookRoutes = (collections: LinkedCollections) =>
  new Hono<Http>()
    .post("/endpoints", may("create"), jsonBody(newWebhookEndpoint), async (c) => {
      const made = await createEndpoint(c.get("app"), me(c), collections, c.req.valid("json"))
      return c.json(made, 201, { location: `/webhooks/endpoints/${made.id}` })
    })
    .get("/endpoints", may("read"), queryOf(pageQuery), async (c) => {
      const page = await listEndpoints(c.get("app"), me(c), pageOfQuery(c.req.valid("query")))
      return c.json(page, 200, nextLink(c.req.url, page))
    })
    .get("/endpoints/:id", may("read"), async (c) =>
      c.json(await getEndpoint(c.get("app"), me(c), idOf(c, "id"))),
    )
    .patch(
      "/endpoints/:id",
      may("update"),
      jsonBody(webhookEndpointPatch, patchTypes),
      async (c) => {
        const patch = c.req.valid("json")
        return c.json(await changeEndpoint(c.get("app"), me(c), collections, idOf(c, "id"), patch))
      },
    )
    .delete("/endpoints/:id", may("delete"), async (c) => {
      await deleteEndpoint(c.get("app"), me(c), idOf(c, "id"))
      return c.body(null, 204)
    })
    .post("/endpoints/:id/secrets", may("update"), jsonBody(newSecretRotation), async (c) => {
      const rotation = c.req.valid("json")
      return c.json(await rotateSecret(c.get("app"), me(c), idOf(c, "id"), rotation), 201)
    })
    .post("/endpoints/:id/tests", may("update"), async (c) =>
      c.json(await sendTest(c.get("app"), me(c), idOf(c, "id")), 201),
    )
    .post("/endpoints/:id/replays", may("update"), jsonBody(webhookReplay), async (c) =>
      c.json(await replay(c.get("app"), me(c), idOf(c, "id"), c.req.valid("json")), 201),
    )
    .get("/endpoints/:id/deliveries", may("read"), queryOf(deliveriesQuery), async (c) => {
      const query = c.req.valid("query")
      const asked = { ...query, ...pageOfQuery(query) }
      const page = await listDeliveries(c.get("app"), me(c), idOf(c, "id"), asked)
      return c.json(page, 200, nextLink(c.req.url, page))
    })
    .get("/endpoints/:id/deliveries/:delivery", may("read"), async (c) =>
      c.json(await getDelivery(c.get("app"), me(c), idOf(c, "id"), idOf(c, "delivery"))),
    )
    .post("/endpoints/:id/deliveries/:delivery/replays", may("update"), async (c) =>
      c.json(await replayOne(c.get("app"), me(c), idOf(c, "id"), idOf(c, "delivery")), 201),
    )

/** Before the body is looked at, as everywhere. */
const may =
  (action: Action) =>
  async (c: Context<Http>, next: () => Promise<void>): Promise<void> => {
    assertMayManage(c.get("actor"), action)
    await next()
  }

const me = (c: Context<Http>): UserActor => c.get("actor") as UserActor

/** An id that cannot be one is an id of nothing. */
function idOf(c: Context<Http>, name: string): string {
  const id = c.req.param(name) ?? ""
  if (!isId(id)) throw new Problem("not_found")
  return id
}
