import type { Context, Hono } from "hono"
import { docsRoutes } from "./core/docs/routes.ts"
import { administrators } from "./core/identity/administrators.ts"
import { authenticate } from "./core/identity/authenticate.ts"
import { identityRoutes } from "./core/identity/routes.ts"
import { mailRoutes } from "./core/mail/routes.ts"
import type { MailTemplate } from "./core/mail/template.ts"
import { type OwnHttp, recordsFor } from "./core/records/api.ts"
import type { LinkedCollections } from "./core/records/link.ts"
import { recordRoutes } from "./core/records/routes.ts"
import { healthRoutes } from "./platform/health.ts"
import { createHttp, type Http } from "./platform/http.ts"

/** The table of contents: every route of the deployment, in the order in which they are asked. */
export function createRoutes(
  collections: LinkedCollections,
  own: Hono<OwnHttp>,
  templates: readonly MailTemplate[] = [],
): Hono<Http> {
  const http = createHttp(authenticate)
  http.route("/records", recordRoutes(collections))
  http.route("/", identityRoutes)
  http.route("/", mailRoutes({ administrators, templates }))
  http.route("/health", healthRoutes)
  http.route("/", docsRoutes(collections))
  // Records for the product's own routes; those above answer before they come here.
  http.use(async (c, next) => {
    ;(c as unknown as Context<OwnHttp>).set(
      "records",
      recordsFor(c.get("app"), c.get("actor"), collections),
    )
    await next()
  })
  http.route("/", own)
  return http
}
