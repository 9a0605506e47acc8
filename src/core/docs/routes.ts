import { type Context, Hono } from "hono"
import { anonymous } from "../../platform/app.ts"
import type { Http } from "../../platform/http.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { digest } from "../records/cursor.ts"
import { matchesNone } from "../records/etag.ts"
import type { LinkedCollections } from "../records/link.ts"
import { viewFor } from "../records/view.ts"
import type { OpenApi } from "./document.ts"
import { eventCatalogue } from "./event-operations.ts"
import { openApiDocument } from "./openapi.ts"
import { referencePage } from "./page.ts"
import { type Reader, shapeOfReader } from "./reader.ts"
import { style } from "./style.ts"

/** What was made for readers of one shape. */
interface Edition {
  readonly document: OpenApi
  readonly json: string
  page: { readonly origin: string; readonly html: string } | null
}

/** More kinds of readers than this at a time are made anew. */
const maxEditions = 16

/** The page needs its style, and may do nothing else. */
const policy =
  "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** `/openapi.json` for programs, `/docs` for people: the same document, as far as its reader may know of the data. */
export function docsRoutes(collections: LinkedCollections): Hono<Http> {
  const editions = new Map<string, Edition>()

  const editionFor = async (c: Context<Http>): Promise<Edition> => {
    const app = c.get("app")
    const actor = c.get("actor")
    // Whoever lost a role reads no more of what it showed.
    if (actor.kind === "user") assertEpoch(actor, await app.db.all(epochProbe(actor)))
    const reader: Reader = {
      collections,
      view: viewFor(app, actor, collections),
      stranger: viewFor(app, anonymous, collections),
    }
    const shape = shapeOfReader(reader)
    const known = editions.get(shape)
    if (known) return known
    const document = openApiDocument(reader)
    const edition: Edition = { document, json: JSON.stringify(document), page: null }
    if (editions.size >= maxEditions) editions.delete(editions.keys().next().value as string)
    editions.set(shape, edition)
    return edition
  }

  return new Hono<Http>()
    .get("/openapi.json", async (c) => answer(c, (await editionFor(c)).json, "application/json"))
    .get("/docs", async (c) => {
      const edition = await editionFor(c)
      const { origin } = new URL(c.req.url)
      if (edition.page?.origin !== origin) {
        edition.page = { origin, html: referencePage(edition.document, origin) }
      }
      c.header("Content-Security-Policy", policy)
      c.header("Referrer-Policy", "no-referrer")
      return answer(c, edition.page.html, "text/html; charset=utf-8")
    })
    .get("/webhooks/events", async (c) => {
      const edition = await editionFor(c)
      return c.json({ items: eventCatalogue(edition.document) })
    })
    .get("/docs/style.css", (c) => answer(c, style, "text/css; charset=utf-8"))
}

/** Asked for again before it is used again: after signing in, the same address answers more. */
function answer(c: Context<Http>, body: string, type: string): Response {
  const etag = `"${digest(body)}"`
  const headers = { ETag: etag, "Cache-Control": "private, no-cache", "Content-Type": type }
  if (matchesNone(c.req.header("if-none-match"), etag)) return c.body(null, 304, headers)
  return c.body(body, 200, headers)
}
