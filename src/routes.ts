import type { Context, Hono } from "hono"
import { docsRoutes } from "./core/docs/routes.ts"
import { type ImagePresets, linkImagePresets } from "./core/files/presets.ts"
import { fileRoutes } from "./core/files/routes.ts"
import { tusRoutes } from "./core/files/tus-routes.ts"
import { accountRoutes } from "./core/identity/account-routes.ts"
import { administrators } from "./core/identity/administrators.ts"
import { apiKeyUse } from "./core/identity/api-key-use.ts"
import { authenticate } from "./core/identity/authenticate.ts"
import { keyRoutes } from "./core/identity/key-routes.ts"
import { accountTemplates } from "./core/identity/mails.ts"
import {
  linkOrganisationRoles,
  type OrganisationRoles,
} from "./core/identity/organisation-roles.ts"
import { organisationRoutes } from "./core/identity/organisation-routes.ts"
import { identityRoutes } from "./core/identity/routes.ts"
import type { InboundHooks } from "./core/inbound/hook.ts"
import { hookRoutes, inboundEventRoutes } from "./core/inbound/routes.ts"
import type { Registry } from "./core/jobs/registry.ts"
import { jobRoutes } from "./core/jobs/routes.ts"
import { mailRoutes } from "./core/mail/routes.ts"
import type { MailTemplate } from "./core/mail/template.ts"
import { batchRoutes } from "./core/records/batch-routes.ts"
import { changesRoutes } from "./core/records/changes-routes.ts"
import { descriptionRoutes } from "./core/records/description.ts"
import { expectedVersions } from "./core/records/etag.ts"
import { exposureRoutes } from "./core/records/exposure-routes.ts"
import { historyRoutes } from "./core/records/history-routes.ts"
import type { LinkedCollections } from "./core/records/link.ts"
import { operationRoutes } from "./core/records/operation-routes.ts"
import { organisationHasRecords } from "./core/records/organisation-rows.ts"
import { deleteOwnRecordsOf } from "./core/records/own-record-deletion.ts"
import { ownRecordsOf } from "./core/records/own-records.ts"
import { type OwnHttp, type Reach, reachFor } from "./core/records/reach.ts"
import { recordRoutes } from "./core/records/routes.ts"
import { searchRoutes } from "./core/records/search-routes.ts"
import { webhookRoutes } from "./core/webhooks/routes.ts"
import { consoleRoutes } from "./platform/console-routes.ts"
import { healthRoutes } from "./platform/health.ts"
import { createHttp, type Http } from "./platform/http.ts"
import { metricsRoutes } from "./platform/metrics-routes.ts"

/** The table of contents: every route of the deployment, in the order in which they are asked. */
export function createRoutes(
  collections: LinkedCollections,
  jobs: Registry<Reach>,
  own: Hono<OwnHttp>,
  templates: readonly MailTemplate[] = [],
  roles: OrganisationRoles = linkOrganisationRoles(),
  hooks: InboundHooks = new Map(),
  presets: ImagePresets = linkImagePresets(),
): Hono<Http> {
  const http: Hono<Http> = createHttp(
    authenticate,
    apiKeyUse((request, env, context) => http.fetch(request, env, context)),
  )
  http.route("/records", historyRoutes(collections))
  http.route("/changes", changesRoutes(collections))
  http.route("/records", recordRoutes(collections))
  http.route("/search", searchRoutes(collections))
  http.route("/batch", batchRoutes(collections))
  http.route("/collections", descriptionRoutes(collections, administrators))
  http.route("/exposure", exposureRoutes(collections, roles, administrators))
  http.route("/bulk-operations", operationRoutes)
  http.route("/files/uploads", tusRoutes(collections))
  http.route("/files", fileRoutes(collections, presets))
  http.route("/", identityRoutes)
  const hasRecords = organisationHasRecords(collections)
  http.route("/", organisationRoutes({ roles, hasRecords, expectedVersions }))
  http.route("/auth", keyRoutes(roles))
  http.route(
    "/",
    accountRoutes({
      ownRecords: ownRecordsOf(collections),
      deleteOwnRecords: deleteOwnRecordsOf(collections),
    }),
  )
  http.route("/webhooks", webhookRoutes(collections))
  http.route("/jobs", jobRoutes(jobs, administrators))
  http.route("/", mailRoutes({ administrators, templates: [...accountTemplates, ...templates] }))
  http.route("/hooks", hookRoutes(hooks))
  http.route("/inbound-events", inboundEventRoutes(hooks, administrators))
  http.route("/health", healthRoutes)
  http.route("/metrics", metricsRoutes(administrators))
  http.route("/console", consoleRoutes)
  http.route("/", docsRoutes(collections))
  // For the product's own routes; those above answer before they come here.
  http.use(async (c, next) => {
    const { records, jobs, mail, integrations } = reachFor(
      c.get("app"),
      c.get("actor"),
      collections,
    )
    const own = c as unknown as Context<OwnHttp>
    own.set("records", records)
    own.set("jobs", jobs)
    own.set("mail", mail)
    own.set("integrations", integrations)
    await next()
  })
  http.route("/", own)
  return http
}
