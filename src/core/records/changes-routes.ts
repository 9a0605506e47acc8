import { Hono } from "hono"
import type { Http } from "../../platform/http.ts"
import { listChanges } from "./changes-feed.ts"
import type { LinkedCollections } from "./link.ts"
import { parseLimit, readParameters } from "./query.ts"
import { viewFor } from "./view.ts"

/** `/changes`: what has happened, as the caller may see it. */
export const changesRoutes = (collections: LinkedCollections): Hono<Http> =>
  new Hono<Http>().get("/", async (c) => {
    const one = readParameters(new URL(c.req.url).searchParams, ["since", "limit", "collection"])
    const app = c.get("app")
    const page = await listChanges(app, viewFor(app, c.get("actor"), collections), collections, {
      since: one("since"),
      limit: parseLimit(one("limit")),
      collection: one("collection"),
    })
    return c.json(page)
  })
