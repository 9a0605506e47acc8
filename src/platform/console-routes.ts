import { Hono } from "hono"
import type { Http } from "./http.ts"
import { Problem } from "./problem.ts"

/**
 * Scripts come from this deployment alone, and none stands in a document. Styles may: the component library sets its
 * variables that way, and a style can read nothing. Mails are shown in a frame of their own that runs nothing.
 */
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src 'self' data: blob:; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const shell = "/console/index.html"

/** Mounted at `/console`: the administrators' page, a single document that reads the rest of the path itself. */
export const consoleRoutes = new Hono<Http>()
  .get("/", async (c) =>
    c.req.path.endsWith("/") ? serve(c.env.ASSETS, c.req.raw, shell) : c.redirect("/console/", 308),
  )
  .get("/assets/:file", (c) => serve(c.env.ASSETS, c.req.raw, c.req.path))
  .get("/*", (c) => serve(c.env.ASSETS, c.req.raw, shell))

async function serve(assets: Fetcher | undefined, request: Request, path: string) {
  if (!assets) throw new Problem("not_found", "The console does not come with this deployment.")
  const url = new URL(path, request.url)
  const found = await assets.fetch(new Request(url, { headers: request.headers }))
  if (found.status === 404) throw new Problem("not_found")
  const response = new Response(found.body, found)
  const { headers } = response
  // What lies under assets/ is named by its hash; the document names it, and is asked for each time.
  headers.set(
    "cache-control",
    path === shell ? "private, no-cache" : "public, max-age=31536000, immutable",
  )
  headers.set("content-security-policy", contentSecurityPolicy)
  headers.set("referrer-policy", "same-origin")
  return response
}
