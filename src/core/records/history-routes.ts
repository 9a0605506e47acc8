import { type Context, Hono } from "hono"
import * as z from "zod"
import type { Http } from "../../platform/http.ts"
import { isId } from "../../platform/ids.ts"
import { nextLink } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { parseJson, parseWith, readText } from "../../platform/validate.ts"
import { answerTo } from "./answer.ts"
import { listBin } from "./bin.ts"
import { expectedVersions } from "./etag.ts"
import { getVersion, type HistoryReach, listHistory, withoutHistory } from "./history.ts"
import { isReplay, readIdempotency, replay } from "./idempotency.ts"
import type { LinkedCollections } from "./link.ts"
import { refuseAnonymous } from "./plan.ts"
import { parseLimit, readParameters } from "./query.ts"
import { restore } from "./restorations.ts"
import { viewFor } from "./view.ts"

/** The body of a restoration. */
export const newRestoration = z.strictObject({
  version: z.int().positive().meta({ description: "What the record is to be again." }),
  together: z.boolean().default(false).meta({
    description:
      "Of a deleted record: what was deleted with it, because it belonged to it, comes back too.",
  }),
})

/** `/records/{collection}/{id}/history`, `…/restorations`, and `/records/{collection}/bin`. */
export function historyRoutes(collections: LinkedCollections): Hono<Http> {
  const routes = new Hono<Http>()

  const reachOf = (c: Context<Http>): HistoryReach => {
    const collection = collections.get(c.req.param("collection") ?? "")
    if (!collection || collection.builtIn || collection.sqlView !== null) {
      throw new Problem("not_found", withoutHistory)
    }
    c.set("collection", collection.name)
    const app = c.get("app")
    return { app, view: viewFor(app, c.get("actor"), collections), collections, collection }
  }

  routes.get("/:collection/bin", async (c) => {
    const reach = reachOf(c)
    const one = parametersOf(c, ["limit", "cursor"])
    const page = await listBin(reach, parseLimit(one("limit")), one("cursor"))
    return c.json(page, 200, nextLink(c.req.url, page))
  })

  routes.get("/:collection/:id/history", async (c) => {
    const reach = reachOf(c)
    const one = parametersOf(c, ["limit", "cursor"])
    const cursor = one("cursor")
    if (cursor !== null && !isVersion(cursor)) {
      const message = "The cursor was not made here."
      const errors = [{ path: "query.cursor", code: "invalid_cursor", message }]
      throw new Problem("invalid_cursor", { errors })
    }
    const before = cursor === null ? null : Number(cursor)
    const page = await listHistory(reach, idOf(c), parseLimit(one("limit")), before)
    return c.json(page, 200, nextLink(c.req.url, page))
  })

  routes.get("/:collection/:id/history/:version", async (c) => {
    const reach = reachOf(c)
    parametersOf(c, [])
    const version = c.req.param("version")
    if (!isVersion(version)) throw new Problem("not_found")
    return c.json(await getVersion(reach, idOf(c), Number(version)))
  })

  routes.post("/:collection/:id/restorations", async (c) => {
    const reach = reachOf(c)
    parametersOf(c, [])
    refuseAnonymous(reach.view, "put", reach.collection)
    const given = await readText(c.req.raw)
    const body = parseWith(newRestoration, parseJson(given))
    const id = idOf(c)
    const route = `POST /records/${reach.collection.name}/${id}/restorations`
    const idempotency = await readIdempotency(c.req.raw, route, given)
    const expected = expectedVersions(c.req.header("if-match"))
    const wanted = { ...body, id, expected, idempotency }
    const written = await restore(reach, c.get("actor"), wanted).catch((error: unknown) => {
      if (!idempotency || !isReplay(error)) throw error
      return replay(reach.app, reach.view, reach.collection, idempotency)
    })
    const {
      status,
      headers,
      body: text,
    } = answerTo(reach.collection, {
      ...written,
      created: false,
    })
    return new Response(text, { status, headers })
  })

  return routes
}

const isVersion = (text: string): boolean => /^[1-9]\d{0,14}$/.test(text)

function parametersOf(c: Context<Http>, known: readonly string[]) {
  return readParameters(new URL(c.req.url).searchParams, known)
}

/** An id that cannot be one is an id of nothing. */
function idOf(c: Context<Http>): string {
  const id = c.req.param("id") ?? ""
  if (!isId(id)) throw new Problem("not_found")
  return id
}
