import { Hono } from "hono"
import type { Http } from "../../platform/http.ts"
import { describeError } from "../../platform/log.ts"
import { exportText, parseExportQuery, streamOf } from "./export.ts"
import type { LinkedCollections } from "./link.ts"
import { findCollection, notAllowed, parametersOf } from "./route-context.ts"

/** `/records/{collection}/export` and `/records/{collection}/import`. */
export function bulkRoutes(collections: LinkedCollections): Hono<Http> {
  const routes = new Hono<Http>()

  routes.get("/:collection/export", async (c) => {
    const { collection, view } = findCollection(c, collections)
    const app = c.get("app")
    const query = parseExportQuery(view, collection, parametersOf(c))
    const text = exportText(app, view, collection, query)
    // The first page comes before the answer does, so that whatever speaks against it is still an answer.
    const first = await text.next()
    const name = `${collection.name}-${new Date(app.now()).toISOString().slice(0, 10)}`
    const body = streamOf(text, first.value ?? "", (error) => {
      app.log("error", "an export broke off", {
        collection: collection.name,
        error: describeError(error),
      })
    })
    return c.body(body, 200, {
      "content-type": mediaTypes[query.format],
      "content-disposition": `attachment; filename="${name}.${query.format}"`,
    })
  })

  routes.all("/:collection/export", (c) => notAllowed(c, "GET, HEAD, OPTIONS"))
  return routes
}

const mediaTypes = {
  csv: "text/csv; charset=utf-8",
  ndjson: "application/x-ndjson",
} as const
