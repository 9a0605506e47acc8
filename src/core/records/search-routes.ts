import { Hono } from "hono"
import type { Http } from "../../platform/http.ts"
import type { LinkedCollections } from "./link.ts"
import { parseSearchQuery, searchEverywhere } from "./search-everywhere.ts"
import { viewFor } from "./view.ts"

/** `GET /search`: words, in all collections that the caller may search. */
export const searchRoutes = (collections: LinkedCollections): Hono<Http> =>
  new Hono<Http>().get("/", async (c) => {
    const app = c.get("app")
    const view = viewFor(app, c.get("actor"), collections)
    const query = parseSearchQuery(view, collections, new URL(c.req.url).searchParams)
    return c.json(await searchEverywhere(app, view, query))
  })
