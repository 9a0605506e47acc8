import { type Context, Hono } from "hono"
import type { Http } from "../../platform/http.ts"
import { isId } from "../../platform/ids.ts"
import { Problem } from "../../platform/problem.ts"
import { isStorableText } from "../../platform/storable-text.ts"
import { parseJson, readJson, readText } from "../../platform/validate.ts"
import { aggregateJson, aggregateRecords } from "./aggregate.ts"
import { parseAggregateQuery } from "./aggregate-query.ts"
import { answerTo } from "./answer.ts"
import { bulkRoutes } from "./bulk-routes.ts"
import type { Draft, Written } from "./draft.ts"
import { etagOf, expectedVersions, matchesNone, onlyOf } from "./etag.ts"
import { getRecordAsOf, withoutHistory } from "./history.ts"
import { isReplay, readIdempotency, replay } from "./idempotency.ts"
import { parseCreate, parseNewId, parsePatch, parseReplacement } from "./input.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"
import { findRecord, listRecords } from "./list.ts"
import { refuseAnonymous } from "./plan.ts"
import { parseListQuery, parseRecordQuery, readParameters } from "./query.ts"
import { findCollection, notAllowed, parametersOf } from "./route-context.ts"
import { askSavedView } from "./saved-views.ts"
import { isShaped, select } from "./selection.ts"
import { commit } from "./write.ts"

const patchTypes = ["application/merge-patch+json", "application/json"]

/** `/records/{collection}` and `/records/{collection}/{id}`. */
export function recordRoutes(collections: LinkedCollections): Hono<Http> {
  const routes = new Hono<Http>()

  const find = (c: Context<Http>) => findCollection(c, collections)
  /** The collection of a write that the caller may at least attempt. */
  const findFor = (c: Context<Http>, action: Draft["action"]) => {
    const found = find(c)
    noParameters(c)
    refuseAnonymous(found.view, action, found.collection)
    return found
  }
  const write = async (c: Context<Http>, draft: Draft): Promise<Written> => {
    const [written] = await commit(c.get("app"), c.get("actor"), collections, [draft])
    return written as Written
  }

  routes.get("/:collection", async (c) => {
    const { collection, view } = find(c)
    const parameters = parametersOf(c)
    const query = parseListQuery(view, collection, parameters)
    const page = await listRecords(c.get("app"), view, collection, query)
    const headers = pageHeaders(`/records/${collection.name}`, parameters, page)
    return new Response(JSON.stringify(page), { headers })
  })

  routes.get("/:collection/aggregate", async (c) => {
    const { collection, view } = find(c)
    const parameters = parametersOf(c)
    const query = parseAggregateQuery(view, collection, parameters)
    const page = await aggregateRecords(c.get("app"), view, collection, query)
    const headers = pageHeaders(`/records/${collection.name}/aggregate`, parameters, page)
    return new Response(aggregateJson(page), { headers })
  })
  // Before those of a record, whose id it is not.
  routes.all("/:collection/aggregate", (c) => notAllowed(c, "GET, HEAD, OPTIONS"))
  routes.route("/", bulkRoutes(collections))

  routes.get("/:collection/:id", async (c) => {
    const { collection, view } = find(c)
    const wanted = parseRecordQuery(parametersOf(c))
    if (wanted.asOf !== null) {
      if (collection.sqlView !== null) throw new Problem("not_found", withoutHistory)
      const reach = { app: c.get("app"), view, collections, collection }
      return c.json(await getRecordAsOf(reach, idOf(c), wanted.asOf))
    }
    const selection = select(view, collection, wanted)
    const found = await findRecord(c.get("app"), view, collection, idOf(c, collection), selection)
    if (!found) throw new Problem("not_found")
    const body = JSON.stringify(found.record)
    const etag = etagOf(found.version, isShaped(selection, wanted) ? body : null)
    if (matchesNone(c.req.header("if-none-match"), etag)) {
      return new Response(null, { status: 304, headers: { etag } })
    }
    return new Response(body, { headers: { "content-type": "application/json", etag } })
  })

  routes.get("/:collection/:id/records", async (c) => {
    const { collection, view } = find(c)
    if (collection.definition.options.savedViews !== true) throw new Problem("not_found")
    const parameters = parametersOf(c)
    const id = idOf(c)
    const page = await askSavedView(c.get("app"), view, collections, collection, id, parameters)
    const headers = pageHeaders(`/records/${collection.name}/${id}/records`, parameters, page)
    return new Response(JSON.stringify(page), { headers })
  })
  routes.all("/:collection/:id/records", (c) => notAllowed(c, "GET, HEAD, OPTIONS"))

  routes.post("/:collection", async (c) => {
    const { collection, view } = findFor(c, "create")
    const app = c.get("app")
    const actor = c.get("actor")
    const text = await readText(c.req.raw)
    const input = parseCreate(view, collection, parseJson(text))
    const idempotency = await readIdempotency(c.req.raw, `POST /records/${collection.name}`, text)
    const draft: Draft = { action: "create", collection, id: app.newId(), input }
    try {
      const [written] = await commit(app, actor, collections, [draft], { idempotency })
      return answer(collection, written as Written)
    } catch (error) {
      if (!idempotency || !isReplay(error)) throw error
      const first = await replay(app, view, collection, idempotency)
      return answer(collection, { ...first, created: true })
    }
  })

  routes.patch("/:collection/:id", async (c) => {
    const { collection, view } = findFor(c, "update")
    const id = idOf(c)
    const input = parsePatch(view, collection, id, await readJson(c.req.raw, patchTypes))
    const expected = expectedVersions(c.req.header("if-match"))
    return answer(collection, await write(c, { action: "update", collection, id, input, expected }))
  })

  routes.put("/:collection/:id", async (c) => {
    const { collection, view } = findFor(c, "put")
    const id = parseNewId(c.req.param("id"))
    const input = parseReplacement(view, collection, id, await readJson(c.req.raw))
    const ifMatch = c.req.header("if-match")
    const only = onlyOf(ifMatch, c.req.header("if-none-match"))
    const expected = expectedVersions(ifMatch)
    return answer(
      collection,
      await write(c, { action: "put", collection, id, input, expected, only }),
    )
  })

  routes.delete("/:collection/:id", async (c) => {
    const { collection } = findFor(c, "delete")
    const expected = expectedVersions(c.req.header("if-match"))
    await write(c, { action: "delete", collection, id: idOf(c), expected })
    return c.body(null, 204)
  })

  routes.all("/:collection", (c) => notAllowed(c, "GET, HEAD, POST, PATCH, DELETE, OPTIONS"))
  routes.all("/:collection/:id", (c) => notAllowed(c, "GET, HEAD, PATCH, PUT, DELETE, OPTIONS"))
  return routes
}

/** Of a page, with the address of the next one (RFC 8288). */
function pageHeaders(path: string, parameters: URLSearchParams, { next }: { next: string | null }) {
  const headers: Record<string, string> = { "content-type": "application/json" }
  if (next) {
    parameters.set("cursor", next)
    headers.link = `<${path}?${parameters}>; rel="next"`
  }
  return headers
}

const noParameters = (c: Context<Http>): void => void readParameters(parametersOf(c), [])

/** An id that cannot be one is an id of nothing. */
function idOf(c: Context<Http>, collection?: LinkedCollection): string {
  const id = c.req.param("id") ?? ""
  // A view makes its ids from whatever it groups by.
  if (!isId(id) && !(collection?.sqlView && isStorableText(id))) throw new Problem("not_found")
  return id
}

function answer(collection: LinkedCollection, written: Written): Response {
  const { status, headers, body } = answerTo(collection, written)
  return new Response(body, { status, headers })
}
