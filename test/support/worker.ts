import { Hono } from "hono"
import { createBackend } from "../../src/backend.ts"
import { linkCollections } from "../../src/core/records/link.ts"
import type { OwnHttp } from "../../src/core/records/reach.ts"
import { webhookDispatcher } from "../../src/core/webhooks/dispatcher-object.ts"
import { webhookSender } from "../../src/core/webhooks/sender-object.ts"
import { fixtures } from "./collections.ts"
import { fixtureHooks } from "./hooks.ts"
import { fixturePresets } from "./image-presets.ts"
import { fixtureJobs, fixtureSchedules } from "./jobs.ts"
import { fixtureRoles } from "./organisation-roles.ts"
import { receivers } from "./receivers.ts"

const backend = createBackend({
  collections: fixtures,
  routes: new Hono<OwnHttp>(),
  jobs: fixtureJobs,
  schedules: fixtureSchedules,
  hooks: fixtureHooks,
  organisationRoles: fixtureRoles,
  imagePresets: fixturePresets,
})

export default backend.handler
export const { ChangePump, JobDispatcher, MetricsStore, UploadReceiver } = backend
export class WebhookSender extends webhookSender({
  fetch: (request) => receivers.fetch(request),
  resolve: (name) => receivers.resolve(name),
}) {}
export class WebhookDispatcher extends webhookDispatcher(linkCollections(fixtures)) {
  override async alarm(): Promise<void> {
    if (!receivers.still) await super.alarm()
  }
}
