import { Hono } from "hono"
import { matchesNone } from "../core/records/etag.ts"
import type { Http } from "../platform/http.ts"
import { files } from "./page/built.ts"

/** The page may use what it came with and this server, and nothing else: also not when a review tries to smuggle markup in. */
const contentSecurityPolicy =
  "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

/** The film club: a document, a script, a style and an icon. What they do goes through the public API. */
export const pageRoutes = new Hono<Http>()

for (const { path, type, etag, immutable, body } of files) {
  pageRoutes.get(path, (c) => {
    const headers = {
      etag,
      "cache-control": immutable
        ? "public, max-age=31536000, immutable"
        : "public, max-age=0, must-revalidate",
      "content-security-policy": contentSecurityPolicy,
      "referrer-policy": "same-origin",
    }
    if (matchesNone(c.req.header("if-none-match"), etag)) return c.body(null, 304, headers)
    return c.body(body, 200, { ...headers, "content-type": type })
  })
}
