import type { Hono } from "hono"
import type { ZodType } from "zod"
import { changePump } from "./core/changes/pump-object.ts"
import { fileTemplates } from "./core/files/mails.ts"
import { type ImagePreset, linkImagePresets } from "./core/files/presets.ts"
import { UploadReceiver } from "./core/files/receiver-object.ts"
import { scanFile } from "./core/files/scan-job.ts"
import { filesSweep } from "./core/files/sweep.ts"
import { anonymousSweep } from "./core/identity/anonymous-sweep.ts"
import { addressOf } from "./core/identity/mail-address.ts"
import { organisationTemplates } from "./core/identity/organisation-mails.ts"
import { linkOrganisationRoles, type OrganisationRole } from "./core/identity/organisation-roles.ts"
import { identityJobs } from "./core/identity/projection-job.ts"
import { applyJob } from "./core/inbound/apply-job.ts"
import { type InboundHook, linkHooks } from "./core/inbound/hook.ts"
import { inboundSweep } from "./core/inbound/sweep.ts"
import type { JobMessage } from "./core/jobs/dispatcher.ts"
import { jobDispatcher } from "./core/jobs/dispatcher-object.ts"
import type { Job } from "./core/jobs/job.ts"
import { linkJobs } from "./core/jobs/registry.ts"
import { runBatch } from "./core/jobs/runner.ts"
import type { Schedule } from "./core/jobs/schedule.ts"
import { jobsSweep } from "./core/jobs/sweep.ts"
import { deliverMail, type MailReach } from "./core/mail/delivery.ts"
import { createMailer } from "./core/mail/mailer.ts"
import { mailSweep } from "./core/mail/sweep.ts"
import type { MailTemplate } from "./core/mail/template.ts"
import { historyArchive } from "./core/records/archive-job.ts"
import { bulkJob } from "./core/records/bulk-job.ts"
import { bulkSweep } from "./core/records/bulk-sweep.ts"
import type { Collection } from "./core/records/collection.ts"
import { buryIn, deliverLater } from "./core/records/deliver-job.ts"
import { linkCollections } from "./core/records/link.ts"
import { deliverTo } from "./core/records/listeners.ts"
import { type OwnHttp, type Reach, reachFor } from "./core/records/reach.ts"
import { assertScopedRoles } from "./core/records/scoped-roles.ts"
import { awaited } from "./core/webhooks/announce.ts"
import { webhookDispatcher } from "./core/webhooks/dispatcher-object.ts"
import { webhookTemplates } from "./core/webhooks/mails.ts"
import { webhookSender } from "./core/webhooks/sender-object.ts"
import { webhooksSweep } from "./core/webhooks/sweep.ts"
import { allDatabaseNames, databaseNames } from "./platform/app.ts"
import { answering } from "./platform/give-way.ts"
import { MetricsStore } from "./platform/metrics-store.ts"
import { poke } from "./platform/wake.ts"
import { createRoutes } from "./routes.ts"

/** What a product built on this backend brings. */
export interface Product {
  readonly collections: readonly Collection[]
  readonly routes: Hono<OwnHttp>
  /** What it does later. A job that is not listed does not run. */
  readonly jobs?: readonly Job<ZodType, Reach>[]
  readonly schedules?: readonly Schedule<Reach>[]
  /** What other services may tell it. */
  readonly hooks?: readonly InboundHook[]
  /** Kinds of mail that it sends: for the preview in development. */
  readonly templates?: readonly MailTemplate[]
  /** Roles within organisations, beside `owner`, `admin`, `member` and `guest`. */
  readonly organisationRoles?: Readonly<Record<string, OrganisationRole>>
  /** Sizes in which images among files are given out (`GET /files/{id}?preset=`). */
  readonly imagePresets?: Readonly<Record<string, ImagePreset>>
}

/**
 * Puts a deployment together: the handlers of its worker, and the classes of its Durable Objects.
 *
 * @throws {DefinitionError} at start-up, when a definition makes no sense.
 */
export function createBackend(product: Product) {
  const collections = linkCollections(product.collections)
  const organisationRoles = linkOrganisationRoles(product.organisationRoles)
  assertScopedRoles(collections, new Set(organisationRoles.keys()))
  const deliver = deliverTo(collections)
  const later = deliverLater(deliver)
  const hooks = linkHooks(product.hooks ?? [])
  const registry = linkJobs<Reach & MailReach>(
    [
      deliverMail,
      later,
      scanFile,
      bulkJob(collections),
      ...identityJobs,
      ...[...hooks.values()].map(applyJob),
      ...(product.jobs ?? []),
    ],
    [
      jobsSweep,
      mailSweep,
      ...historyArchive(collections, [awaited]),
      anonymousSweep,
      bulkSweep,
      filesSweep(collections),
      inboundSweep(hooks),
      webhooksSweep,
      ...(product.schedules ?? []),
    ],
  )
  const http = createRoutes(
    collections,
    registry,
    product.routes,
    [...organisationTemplates, ...webhookTemplates, ...fileTemplates, ...(product.templates ?? [])],
    organisationRoles,
    hooks,
    linkImagePresets(product.imagePresets),
  )
  const wakeAll = async (env: Env): Promise<void> => {
    await Promise.all([
      ...databaseNames(env).map((name) => poke(env, "changes", name)),
      ...allDatabaseNames(env).map((name) => poke(env, "jobs", name)),
    ])
  }
  let awake = false
  const handler = {
    fetch(request, env, context) {
      // What a killed process left undone is picked up with the first request of the next one.
      if (!awake) {
        awake = true
        context.waitUntil(wakeAll(env))
      }
      return answering(() => http.fetch(request, env, context))
    },
    async queue(batch, env, context) {
      await runBatch(batch, env, context, registry, (app, { organisation }) => ({
        ...reachFor(app, { kind: "system", organisation }, collections),
        mailer: createMailer(env, app.settings),
        addressOf,
      }))
    },
    async scheduled(_event, env) {
      await wakeAll(env)
    },
  } satisfies ExportedHandler<Env, JobMessage>
  return {
    handler,
    ChangePump: changePump(deliver, buryIn(later), (app) => app.wakeNow("webhooks")),
    JobDispatcher: jobDispatcher(registry),
    WebhookDispatcher: webhookDispatcher(collections),
    WebhookSender: webhookSender(),
    MetricsStore,
    UploadReceiver,
  }
}
