import { Hono } from "hono"
import type { Http } from "../../platform/http.ts"
import { describeError } from "../../platform/log.ts"
import { textOfBody } from "./body-text.ts"
import { exportText, parseExportQuery, streamOf } from "./export.ts"
import { importRows } from "./import.ts"
import { createImporter } from "./import-chunk.ts"
import { rowsOfFile } from "./import-file.ts"
import { formatOfBody, parseImportQuery } from "./import-query.ts"
import type { LinkedCollections } from "./link.ts"
import { refuseHopeless } from "./refuse-hopeless.ts"
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

  routes.post("/:collection/import", async (c) => {
    const { collection, view } = findCollection(c, collections)
    const query = parseImportQuery(view, collection, parametersOf(c))
    await refuseHopeless(c.get("app"), view, collection, "create")
    const request = c.req.raw
    const format = formatOfBody(request)
    const rows = rowsOfFile(view, collection, format, query.columns, textOfBody(request))
    const importer = createImporter(c.get("app"), c.get("actor"), collections, collection, query)
    return c.json(await importRows(importer, collection, query, rows))
  })

  routes.all("/:collection/import", (c) => notAllowed(c, "POST, OPTIONS"))
  routes.all("/:collection/export", (c) => notAllowed(c, "GET, HEAD, OPTIONS"))
  return routes
}

const mediaTypes = {
  csv: "text/csv; charset=utf-8",
  ndjson: "application/x-ndjson",
} as const
