import { Hono } from "hono"
import { createBackend } from "../../src/backend.ts"
import {
  queuedLeaseMilliseconds,
  runningLeaseMilliseconds,
} from "../../src/core/jobs/statements.ts"
import type { OwnHttp } from "../../src/core/records/reach.ts"
import { sql } from "../../src/platform/sql.ts"
import { crashCollections, crashHooks, crashJobs } from "./crash-collections.ts"

/**
 * `POST /outages/<moment>`: the outage since then, in milliseconds since the epoch, is to have lasted until every lease of
 * before had expired, because a test with many outages cannot wait for each.
 */
const routes = new Hono<OwnHttp>().post("/outages/:since", async (c) => {
  const app = c.get("app")
  const since = Number(c.req.param("since"))
  const now = new Date(app.now()).toISOString()
  const last = (lease: number) => new Date(since + lease).toISOString()
  await app.db.all(
    sql`UPDATE jobs SET leaseUntil = ${now} WHERE state = 'queued' AND leaseUntil <= ${last(queuedLeaseMilliseconds)} OR state = 'running' AND leaseUntil <= ${last(runningLeaseMilliseconds)}`,
  )
  app.wake("jobs")
  return c.body(null, 204)
})

const backend = createBackend({
  collections: crashCollections,
  routes,
  jobs: crashJobs,
  hooks: crashHooks,
})

export default backend.handler
export const {
  ChangePump,
  JobDispatcher,
  MetricsStore,
  UploadReceiver,
  WebhookDispatcher,
  WebhookSender,
} = backend
